# SPDX-License-Identifier: Apache-2.0
"""Card risk management (卡片行为分析): what the first GENERATE AC answers, and what is remembered.

Pure functions: from what the issuer laid down, what the card remembers and what the terminal asks
to a `Decision`. All tests are made, and the most restrictive of their outcomes counts: nobody gets
a better cryptogram than was asked for. The second GENERATE AC is in `completion`.
JR/T 0025.5 clause 14, 0025.13.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from apdu.wire.pboc.flags import Ada, Aip, Cid, Cvr, Result, Tvr
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.state import CardState, Flag, with_flags
from card_os.apps.pboc.velocity import Asked, counted, spent, too_much, too_often

# Bits as plain numbers: arithmetic on flags is slow.
AAC, TC, ARQC = map(int, Result)
SECOND_NOT_REQUESTED: Final = ARQC << 22
_MOST_SCRIPTS: Final = 15
_ONLINE_REQUESTED: Final = int(Flag.ONLINE_REQUESTED)
_AUTHENTICATION_FAILED: Final = int(Flag.ISSUER_AUTHENTICATION_FAILED)
_SDA_FAILED: Final = int(Flag.SDA_FAILED)
_DDA_FAILED: Final = int(Flag.DDA_FAILED)
_SCRIPT_FAILED: Final = int(Flag.SCRIPT_FAILED)
_AIP_SDA, _AIP_DDA = int(Aip.SDA), int(Aip.DDA)
_AIP_ISSUER_AUTHENTICATION: Final = int(Aip.ISSUER_AUTHENTICATION)
_TVR_SDA: Final = Tvr.SDA_FAILED >> 32
_TVR_DDA: Final = (Tvr.DDA_FAILED | Tvr.CDA_FAILED) >> 32
"""A CDA that failed is remembered as a DDA that failed."""
_LAST_SDA_FAILED: Final = int(Cvr.LAST_SDA_FAILED)
_LAST_DDA_FAILED: Final = int(Cvr.LAST_DDA_FAILED)
_LAST_ONLINE_NOT_COMPLETED: Final = int(Cvr.LAST_ONLINE_NOT_COMPLETED)
_LAST_AUTHENTICATION_FAILED: Final = int(Cvr.LAST_ISSUER_AUTHENTICATION_FAILED)
_LAST_SCRIPT_FAILED: Final = int(Cvr.LAST_SCRIPT_FAILED)
_VELOCITY_EXCEEDED: Final = int(Cvr.VELOCITY_EXCEEDED)
_NEW_CARD: Final = int(Cvr.NEW_CARD)
_PIN_TRIES_EXCEEDED: Final = int(Cvr.PIN_TRIES_EXCEEDED)
_ONLINE_AFTER_AUTHENTICATION: Final = int(Ada.ONLINE_AFTER_FAILED_AUTHENTICATION)
_ONLINE_AFTER_SCRIPT: Final = int(Ada.ONLINE_AFTER_FAILED_SCRIPT)
_ONLINE_NEW: Final = int(Ada.ONLINE_FOR_NEW_CARD)
_DECLINE_PIN: Final = int(Ada.DECLINE_ON_EARLIER_PIN_TRIES)
_ONLINE_PIN: Final = int(Ada.ONLINE_ON_EARLIER_PIN_TRIES)
_BLOCK_PIN: Final = int(Ada.BLOCK_ON_EARLIER_PIN_TRIES)
_ADVICE: Final = int(Ada.ADVICE_ON_DECLINE)
_ADVICE_PIN: Final = int(Ada.ADVICE_ON_PIN_TRIES)
_CID_ADVICE: Final = int(Cid.ADVICE)
_CID_PIN: Final = int(Cid.ADVICE | Cid.REASON_PIN_TRIES)


class Standing(NamedTuple):
    """How the card stands in this transaction, beside its counters."""

    aip: int
    """Of the route that the transaction took."""
    cvr: int
    """The CVR's 3 bytes so far."""
    blocked: bool
    """The application is blocked: it declines whatever is asked."""
    pin_blocked: bool
    """There is an offline PIN, it has no try left, and it was not asked for now."""
    pin_exceeded: bool
    """Its last try was lost now."""


class Decision(NamedTuple):
    """What the card answers, and what it remembers afterwards."""

    result: int
    """A `Result`."""
    reason: int
    """The bits of `Cid` below the result."""
    cvr: int
    """3 bytes, with the results so far."""
    state: CardState
    blocks: bool = False
    """Nothing is answered: the card blocks its application and gives up (ADA 2.3)."""


def first_action(limits: Limits, state: CardState, asked: Asked, standing: Standing) -> Decision:
    """The first GENERATE AC of a debit transaction."""
    ada, flags, aip = limits.ada, state.flags, standing.aip
    cvr = standing.cvr | SECOND_NOT_REQUESTED | min(state.scripts, _MOST_SCRIPTS) << 4
    online, decline = 0, standing.blocked
    if flags:
        cvr |= _authentication_before(flags, aip)
        if flags & _ONLINE_REQUESTED:
            cvr |= _LAST_ONLINE_NOT_COMPLETED
            online = 1
        if flags & _AUTHENTICATION_FAILED and aip & _AIP_ISSUER_AUTHENTICATION:
            cvr |= _LAST_AUTHENTICATION_FAILED
            online |= ada & _ONLINE_AFTER_AUTHENTICATION
        if flags & _SCRIPT_FAILED:
            cvr |= _LAST_SCRIPT_FAILED
            online |= ada & _ONLINE_AFTER_SCRIPT
    if too_often(limits, state, asked) or too_much(limits, state, asked):
        cvr |= _VELOCITY_EXCEEDED
        online = 1
    if not state.last_online_atc:
        cvr |= _NEW_CARD
        online |= ada & _ONLINE_NEW
    if standing.pin_blocked:
        cvr |= _PIN_TRIES_EXCEEDED
        if ada & _DECLINE_PIN:
            decline = True
        elif ada & _ONLINE_PIN:
            online = 1
        elif ada & _BLOCK_PIN and not decline:
            return Decision(AAC, 0, cvr, state, blocks=True)
    if decline or asked.wanted == AAC:
        return declined(limits, counted(limits, state, asked), asked, standing, cvr)
    if online or asked.wanted == ARQC:
        return _sent_online(state, cvr)
    return Decision(TC, 0, cvr | TC << 20, spent(limits, counted(limits, state, asked), asked))


def cash_action(
    limits: Limits,
    state: CardState,
    asked: Asked,
    standing: Standing,
    *,
    agrees: bool,
    second: bool,
) -> Decision:
    """The first GENERATE AC of a transaction in electronic cash (电子现金).

    Of the card's tests only what failed to authenticate last time is told, and a TC takes the
    amount from the balance and counts nothing. `agrees`: what the terminal says is what it said
    to GPO. `second`: the balance of the second currency is meant (JR/T 0025.13 7.4.5).
    """
    cvr = standing.cvr | SECOND_NOT_REQUESTED | _authentication_before(state.flags, standing.aip)
    if standing.blocked or asked.wanted == AAC:
        return declined(limits, state, asked, standing, cvr)
    if asked.wanted == ARQC:
        return _sent_online(state, cvr)
    left = (state.second_balance if second else state.balance) - asked.amount
    if not agrees or left < 0:
        return declined(limits, state, asked, standing, cvr)
    if second:
        return Decision(TC, 0, cvr | TC << 20, replace(state, second_balance=left))
    return Decision(TC, 0, cvr | TC << 20, replace(state, balance=left))


def declined(
    limits: Limits, state: CardState, asked: Asked, standing: Standing, cvr: int
) -> Decision:
    """AAC without the issuer: what failed to authenticate is remembered, and the issuer may want
    advice. AAC is 00 in the CVR, where `cvr` must have nothing else."""
    reason = _CID_ADVICE if limits.ada & _ADVICE else 0
    if standing.pin_exceeded and limits.ada & _ADVICE_PIN:
        reason = _CID_PIN
    failed = _SDA_FAILED if asked.tvr & _TVR_SDA else 0
    if asked.tvr & _TVR_DDA:
        failed |= _DDA_FAILED
    if failed & ~state.flags:
        state = with_flags(state, state.flags | failed)
    return Decision(AAC, reason, cvr, state)


def _sent_online(state: CardState, cvr: int) -> Decision:
    """ARQC: that the issuer was to be asked is remembered until it was."""
    if not state.flags & _ONLINE_REQUESTED:
        state = with_flags(state, state.flags | _ONLINE_REQUESTED)
    return Decision(ARQC, 0, cvr | ARQC << 20, state)


def _authentication_before(flags: int, aip: int) -> int:
    """What the CVR says of an offline authentication that failed last time, and was declined."""
    cvr = _LAST_SDA_FAILED if flags & _SDA_FAILED and aip & _AIP_SDA else 0
    return cvr | _LAST_DDA_FAILED if flags & _DDA_FAILED and aip & _AIP_DDA else cvr
