# SPDX-License-Identifier: Apache-2.0
"""What a terminal asks the issuer, and what the issuer answers, as values.

How they become ISO 8583 messages is the matter of `host.network`'s other files; a terminal and an
issuer in one process need none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from host.faults import CardFault

RMB: Final = "156"
"""Currency code of ISO 4217."""
APPROVED: Final = "00"


class Purpose(Enum):
    """What the holder wants; each has a transaction type (9C) and a processing code (DE3)."""

    PURCHASE = "purchase"
    """消费."""
    WITHDRAWAL = "withdrawal"
    """取现."""
    DEPOSIT = "deposit"
    """存款."""
    BALANCE = "balance"
    """余额查询."""
    TRANSFER = "transfer"
    """转账."""
    LOAD = "load"
    """圈存: from the account to the electronic cash."""
    CASH_LOAD = "cash load"
    """现金圈存."""
    PIN_CHANGE = "pin change"
    """修改密码: the new offline PIN comes in a script."""


class EntryMode(Enum):
    """How the card was read (DE22)."""

    CHIP = "05"
    CONTACTLESS = "07"


@dataclass(frozen=True, slots=True)
class AuthorisationRequest:
    """An online request (0200), or with `advice` what was done offline already (0220).

    `reference`: 12 digits that name the transaction for good: asked twice, it is done once.
    `amount`: in the minor unit of `currency`. `icc`: DE55, TLVs of the chip.
    """

    reference: str
    trace: int
    """System trace audit number, 1 to 999999."""
    time: datetime
    purpose: Purpose
    amount: int
    pan: str
    psn: str
    terminal_id: str
    """8 characters."""
    merchant_id: str
    """15 characters."""
    entry_mode: EntryMode = EntryMode.CHIP
    currency: str = RMB
    icc: bytes = field(default=b"", repr=False)
    pin_block: bytes = field(default=b"", repr=False)
    """8 bytes, format 0, enciphered under the terminal's PIN key; none: no online PIN."""
    target: str = ""
    """The PAN that a transfer goes to."""
    advice: bool = False


@dataclass(frozen=True, slots=True)
class Reversal:
    """冲正: undo what was asked under this reference, whether it was done or not (0400)."""

    reference: str
    trace: int
    time: datetime
    amount: int
    pan: str
    terminal_id: str
    merchant_id: str
    reason: str
    """DE60-like text code of 2 digits: 06 the card failed after approval, 98 no answer came."""
    icc: bytes = field(default=b"", repr=False)
    """DE55, with script results (DF31)."""


@dataclass(frozen=True, slots=True)
class AuthorisationResponse:
    """The issuer's answer. `response_code`: 2 characters, 00 approves; goes into 8A as it is.

    `icc`: DE55: 91 (ARPC and ARC), 71 and 72 (scripts), whatever of them there is.
    """

    response_code: str
    authorisation_code: str = ""
    """6 characters when approved."""
    balance: int | None = None
    """Available balance in fen, where it was asked for."""
    icc: bytes = field(default=b"", repr=False)

    @property
    def approved(self) -> bool:
        return self.response_code == APPROVED


class NoAnswer(CardFault):
    """The issuer could not be reached, or did not answer in time: what it did is not known."""


class Issuer(Protocol):
    """Whoever answers: the issuer in this process, or a connection to one."""

    def authorise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Ask. Raises NoAnswer."""

    def reverse(self, reversal: Reversal, /) -> AuthorisationResponse:
        """Undo. Raises NoAnswer; a reversal is then to be sent again later."""

    def advise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Tell what was done offline (`request.advice` is set). Raises NoAnswer."""
