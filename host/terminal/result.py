# SPDX-License-Identifier: Apache-2.0
"""What a payment came to: for the receipt, for the log, and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.flags import Ctq, Cvr, Tsi, Tvr
from apdu.wire.pboc.meanings import spelled_out
from apdu.wire.pboc.script_results import parse_script_results
from host.faults import CardFault
from host.network.authorisation import Purpose, Reversal
from host.terminal.kernel.cardholder import signature_wanted
from host.terminal.kernel.cryptogram import card_results
from host.terminal.kernel.data import masked
from host.terminal.kernel.reversal import Message
from host.terminal.kernel.trail import Decision
from host.terminal.kernel.transaction import Outcome, Transaction

_SAID_NOTHING: Final = Cvr(0)
APPROVED = frozenset({Outcome.APPROVED_OFFLINE, Outcome.APPROVED_ONLINE})


@dataclass(frozen=True, slots=True)
class Result:
    """A payment that is over. Amounts in fen."""

    outcome: Outcome
    purpose: Purpose
    amount: int
    currency: str
    reference: str
    pan: str
    """As it may be shown: six digits, stars, four digits; empty when no card was read."""
    psn: str
    aid: bytes
    label: str
    atc: int
    cid: int
    cryptogram: bytes
    """The last one: 8 bytes, or none."""
    tvr: Tvr
    tsi: Tsi
    cvm_results: bytes
    """9F34: 3 bytes, or none."""
    signature_wanted: bool
    response_code: str
    """8A: the issuer's, or Y1, Z1, Y3, Z3 of the terminal."""
    authorisation_code: str
    balance: int | None
    """Available balance of the account, where the issuer told it."""
    cash: bool
    """It was paid with electronic cash."""
    cash_before: int | None
    """The electronic cash before a purchase with it, or before a load, in fen; None: not asked."""
    script_results: bytes
    """DF31."""
    trail: tuple[Decision, ...]
    cvr: Cvr = _SAID_NOTHING
    """What the card said of itself with its last cryptogram; no bit where it said nothing."""
    ctq: Ctq | None = None
    """9F6C, what a card that was tapped wanted of the terminal; None: it was in the slot."""
    available: int | None = None
    """9F5D, what a card that was tapped still has to pay offline; None: it did not say."""
    outstanding: tuple[Message, ...] = field(default=(), repr=False)
    """What the issuer could not be told yet: reversals and advices, to be sent again."""
    doubt: str = ""
    """What the card may have done or not, where it was lost in the middle; empty: nothing."""
    fault: CardFault | None = None
    """Why it was terminated."""

    @property
    def approved(self) -> bool:
        return self.outcome in APPROVED

    def as_json(self) -> dict[str, Any]:
        """The same in what JSON knows; bytes in hexadecimal, bits spelled out beside."""
        return {
            "outcome": self.outcome.value,
            "approved": self.approved,
            "purpose": self.purpose.value,
            "amount": self.amount,
            "currency": self.currency,
            "reference": self.reference,
            "pan": self.pan,
            "psn": self.psn,
            "aid": _hex(self.aid),
            "label": self.label,
            "atc": self.atc,
            "cid": f"{self.cid:02X}",
            "cryptogram": _hex(self.cryptogram),
            "tvr": {"value": f"{self.tvr:010X}", "bits": _bits(Tvr, self.tvr)},
            "tsi": {"value": f"{self.tsi:04X}", "bits": _bits(Tsi, self.tsi)},
            "cvr": {"value": f"{self.cvr:06X}", "bits": _bits(Cvr, self.cvr)},
            "ctq": None
            if self.ctq is None
            else {"value": f"{self.ctq:04X}", "bits": _bits(Ctq, self.ctq)},
            "available": self.available,
            "cvm_results": _hex(self.cvm_results),
            "signature_wanted": self.signature_wanted,
            "response_code": self.response_code,
            "authorisation_code": self.authorisation_code,
            "balance": self.balance,
            "electronic_cash": self.cash,
            "electronic_cash_before": self.cash_before,
            "scripts": [
                {
                    "identifier": _hex(each.identifier),
                    "outcome": each.outcome.name.lower().replace("_", " "),
                    "failed_command": each.failed_command,
                }
                for each in parse_script_results(self.script_results)
            ],
            "trail": [
                {"step": each.step.value, "outcome": each.outcome, "why": each.why}
                for each in self.trail
            ],
            "outstanding": [
                {
                    "message": "reversal" if isinstance(each, Reversal) else "advice",
                    "reference": each.reference,
                    "amount": each.amount,
                }
                for each in self.outstanding
            ],
            "doubt": self.doubt,
            "fault": None if self.fault is None else type(self.fault).__name__,
        }


def result_of(
    transaction: Transaction,
    outcome: Outcome,
    outstanding: tuple[Message, ...] = (),
    doubt: str = "",
    fault: CardFault | None = None,
) -> Result:
    """What a transaction came to."""
    card, order, response = transaction.card, transaction.order, transaction.response
    cash, available = card.get(tags.EC_BALANCE), card.get(tags.AVAILABLE_AMOUNT)
    ctq = card.get(tags.CTQ)
    label = card.get(tags.PREFERRED_NAME) or card.get(tags.LABEL, b"")
    return Result(
        outcome=outcome,
        purpose=order.purpose,
        amount=order.amount,
        currency=order.currency,
        reference=order.reference,
        pan=masked(transaction.pan),
        psn=transaction.psn,
        aid=transaction.aid,
        label=label.decode("latin-1").strip() if label.isascii() else "",
        atc=int.from_bytes(card.get(tags.ATC, b"")),
        cid=transaction.cid,
        cryptogram=card.get(tags.AC, b""),
        tvr=transaction.tvr,
        tsi=transaction.tsi,
        cvm_results=transaction.cvm_results,
        signature_wanted=signature_wanted(transaction.cvm_results),
        response_code=transaction.response_code,
        authorisation_code=transaction.authorisation_code,
        balance=response.balance if response else None,
        cash=transaction.cash,
        cash_before=_amount(cash),
        script_results=transaction.script_results,
        trail=tuple(transaction.trail),
        cvr=Cvr(card_results(card.get(tags.IAD, b""))),
        ctq=Ctq(int.from_bytes(ctq)) if ctq else None,
        available=_amount(available),
        outstanding=outstanding,
        doubt=doubt,
        fault=fault,
    )


def _amount(value: bytes | None) -> int | None:
    """An amount that the card told of itself; one that is none tells nothing."""
    try:
        return amount_of(value) if value else None
    except FormatError:
        return None


def _bits(kind: type[IntFlag], value: int) -> list[str]:
    return [meaning.english for _, meaning in spelled_out(kind, value)]


def _hex(value: bytes) -> str:
    return value.hex().upper()
