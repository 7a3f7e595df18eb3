# SPDX-License-Identifier: Apache-2.0
"""Terminal action analysis (终端行为分析): which cryptogram the terminal asks for.

It follows from what was found (TVR) and what issuer and acquirer want done about it (EMV Book 3
10.7; JR/T 0025.6, 0025.13).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.flags import Result, Tvr
from apdu.wire.pboc.meanings import spelled_out
from host.faults import CardMisspoke
from host.network.authorisation import Purpose
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Transaction

OFFLINE_PURPOSES: Final = frozenset({Purpose.PURCHASE})
"""What may be approved offline; all else is the issuer's alone to do."""
_SIZE: Final = 5
_NONE: Final = bytes(_SIZE)
_ALL: Final = b"\xff" * _SIZE


class ActionCodes(NamedTuple):
    """What the bits of a TVR lead to: issuer's and terminal's codes together."""

    denial: int
    online: int
    default: int


def decide(tvr: int, codes: ActionCodes, online_capable: bool) -> Result:
    """The cryptogram to ask for: AAC for a bit of denial; then ARQC for a bit of online where the
    terminal can, AAC for a bit of default where it cannot; else TC."""
    if tvr & codes.denial:
        return Result.AAC
    if online_capable:
        return Result.ARQC if tvr & codes.online else Result.TC
    return decide_unable(tvr, codes)


def decide_unable(tvr: int, codes: ActionCodes) -> Result:
    """What to ask for when the issuer cannot be reached: AAC for a bit of default, else TC."""
    return Result.AAC if tvr & codes.default else Result.TC


def action_codes(transaction: Transaction) -> ActionCodes:
    """The card's codes (9F0D, 9F0E, 9F0F) or those of a card that has none, and the terminal's."""
    parameters = transaction.parameters
    if parameters is None:
        raise CannotGoOn("the terminal has no parameters for the application")
    return ActionCodes(
        _of_card(transaction, tags.IAC_DENIAL, _NONE) | int.from_bytes(parameters.tac_denial),
        _of_card(transaction, tags.IAC_ONLINE, _ALL) | int.from_bytes(parameters.tac_online),
        _of_card(transaction, tags.IAC_DEFAULT, _ALL) | int.from_bytes(parameters.tac_default),
    )


def analyse(transaction: Transaction, online_capable: bool) -> Result:
    """What to ask the card for. `online_capable`: whether the issuer can be asked here and now."""
    codes = action_codes(transaction)
    tvr = int(transaction.tvr)
    wanted = decide(tvr, codes, online_capable)
    if wanted is Result.AAC:
        which, bits = ("denial", tvr & codes.denial) if tvr & codes.denial else _default(tvr, codes)
        return _noted(transaction, wanted, which, bits)
    if wanted is Result.ARQC:
        return _noted(transaction, wanted, "online", tvr & codes.online)
    purpose = transaction.order.purpose
    if purpose not in OFFLINE_PURPOSES:
        wanted = Result.ARQC if online_capable else Result.AAC
        return _say(transaction, wanted, f"{purpose.value} is for the issuer alone")
    if online_capable and _cash_runs_low(transaction):
        return _say(transaction, Result.ARQC, "electronic cash would fall below its threshold")
    return _say(transaction, wanted, "no action code matches")


def analyse_unable(transaction: Transaction) -> Result:
    """What to ask the card for in the second GENERATE AC when no answer came from the issuer."""
    purpose = transaction.order.purpose
    if purpose not in OFFLINE_PURPOSES:
        return _say(transaction, Result.AAC, f"{purpose.value} is for the issuer alone")
    codes = action_codes(transaction)
    tvr = int(transaction.tvr)
    wanted = decide_unable(tvr, codes)
    if wanted is Result.AAC:
        return _noted(transaction, wanted, *_default(tvr, codes))
    return _say(transaction, wanted, "unable to go online, no default action code matches")


def _default(tvr: int, codes: ActionCodes) -> tuple[str, int]:
    return "default", tvr & codes.default


def _cash_runs_low(transaction: Transaction) -> bool:
    """Whether this purchase leaves less than the reset threshold (JR/T 0025.13 7.4.4)."""
    balance = transaction.card.get(tags.EC_BALANCE)
    threshold = transaction.card.get(tags.EC_RESET_THRESHOLD)
    if not transaction.cash or balance is None or threshold is None:
        return False
    return amount_of(balance) - transaction.order.amount < amount_of(threshold)


def _of_card(transaction: Transaction, tag: int, missing: bytes) -> int:
    value = transaction.card.get(tag, missing)
    if len(value) != _SIZE:
        raise CardMisspoke(f"issuer action code ({tag:X}): must be {_SIZE} bytes")
    return int.from_bytes(value)


def _noted(transaction: Transaction, wanted: Result, which: str, bits: int) -> Result:
    said = [meaning.english for _, meaning in spelled_out(Tvr, bits)]
    return _say(transaction, wanted, f"{which} action code: {', '.join(said) or 'reserved bits'}")


def _say(transaction: Transaction, wanted: Result, why: str) -> Result:
    transaction.note(Step.TERMINAL_ACTION, f"{wanted.name} to be asked for", why)
    return wanted
