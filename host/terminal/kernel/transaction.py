# SPDX-License-Identifier: Apache-2.0
"""A transaction at a terminal: what was asked for, what is known of the card, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, Result, Tsi, Tvr
from apdu.wire.pboc.meanings import meaning
from host.faults import CardFault
from host.network.authorisation import (
    RMB,
    AuthorisationRequest,
    AuthorisationResponse,
    Purpose,
)
from host.terminal.kernel.config import ApplicationParameters
from host.terminal.kernel.trail import Decision, Step

if TYPE_CHECKING:
    from apdu.crypto import sm2
    from apdu.crypto.rsa import RsaPublicKey


@dataclass(frozen=True, slots=True)
class Order:
    """What the terminal is to do. Amounts in fen (the minor unit of `currency`)."""

    amount: int
    purpose: Purpose
    time: datetime
    reference: str
    """12 digits, never used before."""
    trace: int
    """System trace audit number, 1 to 999999; also 9F41."""
    unpredictable_number: bytes
    """4 bytes of chance."""
    other_amount: int = 0
    currency: str = RMB
    force_online: bool = False
    target: str = ""
    """The PAN that a transfer goes to."""
    authentication_number: bytes = b""
    """4 bytes of chance that are 9F37 while dynamic data authentication is done; none: the same
    number as for the cryptogram."""
    lot: int = 0
    """0 to 98, by chance: below the percentage for its amount the transaction is selected to go
    online. Of it the card must know nothing; 0 is below every percentage."""


class CannotGoOn(CardFault):
    """This transaction cannot be made with this card at this terminal; the text says why."""


class Outcome(Enum):
    """How a transaction ends."""

    APPROVED_OFFLINE = "approved offline"
    APPROVED_ONLINE = "approved online"
    DECLINED_OFFLINE = "declined offline"
    DECLINED_ONLINE = "declined online"
    USE_CONTACT = "to be tried again over contact"
    TERMINATED = "terminated"


@dataclass(slots=True)
class Transaction:
    """The one thing of a kernel that changes: each step adds to it what it found out."""

    order: Order
    terminal: dict[int, bytes] = field(repr=False)
    """The terminal's data elements by tag: what DOLs are filled from, and nothing else."""
    card: dict[int, bytes] = field(default_factory=dict, repr=False)
    """What the card said, by tag: of FCI, GPO, records and GET DATA."""
    aid: bytes = b""
    """DF name (84) of the application."""
    fci: bytes = b""
    parameters: ApplicationParameters | None = None
    """What the terminal does with this application."""
    options: bytes = field(default=b"", repr=False)
    """What was sent for the PDOL."""
    aip: int = 0
    afl: bytes = b""
    static_data: bytes = field(default=b"", repr=False)
    """What the records hold that the AFL marks for authentication (EMV Book 3 10.3)."""
    cash: bool = False
    """The card took the way of electronic cash (电子现金)."""
    tvr: Tvr = field(default_factory=lambda: Tvr(0))
    tsi: Tsi = field(default_factory=lambda: Tsi(0))
    cvm_results: bytes = b""
    """9F34."""
    pin_block: bytes = field(default=b"", repr=False)
    """The online PIN, enciphered; empty: none was entered."""
    card_key: RsaPublicKey | sm2.PublicKey | None = None
    """The card's public key, once its certificates were believed."""
    cda: bool = False
    """Combined dynamic data authentication was chosen, and the card's key is known."""
    asked: Result | None = None
    """The cryptogram that was asked for last; none yet."""
    first_data: bytes = field(default=b"", repr=False)
    """What was sent for CDOL1."""
    final_data: bytes = field(default=b"", repr=False)
    """What was sent for CDOL2."""
    answer: bytes = field(default=b"", repr=False)
    """GENERATE AC's last answer as it came, for CDA."""
    signed: bytes = field(default=b"", repr=False)
    """9F4B in it."""
    cid: int = 0
    """Of the last cryptogram."""
    response_code: str = ""
    """8A: of the issuer, or of the terminal's own (Y1, Z1, Y3, Z3)."""
    authorisation_code: str = ""
    script_results: bytes = b""
    """DF31."""
    request: AuthorisationRequest | None = field(default=None, repr=False)
    """What the issuer was asked."""
    response: AuthorisationResponse | None = field(default=None, repr=False)
    """What it answered; none yet, or no answer came."""
    trail: list[Decision] = field(default_factory=list)

    def note(self, step: Step, outcome: str, why: str = "") -> None:
        """Add a line to the trail."""
        self.trail.append(Decision(step, outcome, why))

    def set(self, bit: Tvr, step: Step, why: str = "") -> None:
        """Set a bit of the TVR, and say so."""
        self.tvr |= bit
        self.note(step, meaning(bit).english, why)

    @property
    def result(self) -> Result:
        """What the last cryptogram was."""
        return Result(self.cid >> 6)

    def supports(self, feature: Aip) -> bool:
        """Whether the card's AIP has this bit."""
        return bool(self.aip & feature)

    @property
    def pan(self) -> str:
        """The card's number, digits; empty while it is not known."""
        return self.card.get(tags.PAN, b"").hex().upper().rstrip("F")

    @property
    def psn(self) -> str:
        """Two digits, 00 where the card has none."""
        return self.card.get(tags.PSN, b"\x00").hex()
