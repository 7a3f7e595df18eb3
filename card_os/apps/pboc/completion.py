# SPDX-License-Identifier: Apache-2.0
"""The second GENERATE AC (交易结束处理): what the issuer's answer, or its absence, leads to.

Pure functions as in `risk`. Only what the issuer stands behind sets back what the card counts.
JR/T 0025.5 clause 16.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from apdu.wire.pboc.flags import Ada, Aip, Cid, Cvr
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.risk import AAC, SECOND_NOT_REQUESTED, TC, Decision, Standing, declined
from card_os.apps.pboc.state import CardState, Flag
from card_os.apps.pboc.transaction import IssuerAuthentication
from card_os.apps.pboc.velocity import Asked, beyond, counted, spent, too_much_offline

UNABLE: Final = frozenset({b"Y3", b"Z3"})
"""Authorisation response codes of a terminal that did not reach the issuer."""
APPROVALS: Final = frozenset({b"00", b"10", b"11", b"01", b"02", b"Y1"})
"""Those that approve or refer; all others decline."""
_AIP_ISSUER_AUTHENTICATION: Final = int(Aip.ISSUER_AUTHENTICATION)
_AUTHENTICATION_FAILED: Final = int(Flag.ISSUER_AUTHENTICATION_FAILED)
_SCRIPT_FAILED: Final = int(Flag.SCRIPT_FAILED)
_UNABLE_TO_GO_ONLINE: Final = int(Cvr.UNABLE_TO_GO_ONLINE)
_NO_AUTHENTICATION: Final = int(Cvr.NO_ISSUER_AUTHENTICATION)
_VELOCITY_EXCEEDED: Final = int(Cvr.VELOCITY_EXCEEDED)
_NEW_CARD: Final = int(Cvr.NEW_CARD)
_PIN_TRIES_EXCEEDED: Final = int(Cvr.PIN_TRIES_EXCEEDED)
_DECLINE_FAILED: Final = int(Ada.DECLINE_ON_FAILED_AUTHENTICATION)
_DECLINE_WITHOUT: Final = int(Ada.DECLINE_WITHOUT_AUTHENTICATION)
_ADVICE_AUTHENTICATION: Final = int(Ada.ADVICE_ON_AUTHENTICATION)
_DECLINE_NEW: Final = int(Ada.DECLINE_NEW_CARD_OFFLINE)
_DECLINE_PIN: Final = int(Ada.DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES)
_CID_ADVICE: Final = int(Cid.ADVICE)


class IssuerSaid(NamedTuple):
    """What came of going online."""

    arc: bytes
    """8A, as the terminal says it."""
    authentication: IssuerAuthentication
    authenticated: bytes
    """The code that came with the ARPC; empty without one."""
    script_failed: bool
    """A script before this command failed its MAC."""


def completion(
    limits: Limits, state: CardState, asked: Asked, standing: Standing, said: IssuerSaid
) -> Decision:
    """The second GENERATE AC, TC or AAC.

    Who brought an ARPC was online: that it then says it was not is a decline by the issuer (profile
    choice `offline-after-answer`).
    """
    if said.arc in UNABLE and said.authentication is IssuerAuthentication.NOT_RECEIVED:
        return offline_completion(limits, state, asked, standing)
    return online_completion(limits, state, asked, standing, said)


def online_completion(
    limits: Limits, state: CardState, asked: Asked, standing: Standing, said: IssuerSaid
) -> Decision:
    """The issuer has answered."""
    cvr = standing.cvr & ~SECOND_NOT_REQUESTED
    approved = asked.wanted == TC and said.arc in APPROVALS and not standing.blocked
    in_order, refused = True, 0
    if standing.aip & _AIP_ISSUER_AUTHENTICATION:
        match said.authentication:
            case IssuerAuthentication.PASSED:
                approved = approved and said.authenticated in APPROVALS
            case IssuerAuthentication.FAILED:
                in_order, refused = False, limits.ada & _DECLINE_FAILED
            case IssuerAuthentication.NOT_RECEIVED:
                cvr |= _NO_AUTHENTICATION
                if limits.authentication_mandatory:
                    in_order, refused = False, limits.ada & _DECLINE_WITHOUT
                    state = replace(state, flags=state.flags | _AUTHENTICATION_FAILED)
    if refused:
        approved = False
    if in_order:
        state = _set_back(state, said, whole=approved)
    if approved:
        return Decision(TC, 0, cvr | TC << 22, state)
    advice = _CID_ADVICE if refused and limits.ada & _ADVICE_AUTHENTICATION else 0
    return Decision(AAC, advice, cvr, state)


def offline_completion(
    limits: Limits, state: CardState, asked: Asked, standing: Standing
) -> Decision:
    """The terminal was unable to go online (联机失败)."""
    cvr = standing.cvr & ~SECOND_NOT_REQUESTED | _UNABLE_TO_GO_ONLINE
    decline = standing.blocked
    if beyond(limits.upper, state) or too_much_offline(limits, state, asked):
        cvr |= _VELOCITY_EXCEEDED
        decline = True
    if not state.last_online_atc:
        cvr |= _NEW_CARD
        decline = decline or bool(limits.ada & _DECLINE_NEW)
    if standing.pin_blocked:
        cvr |= _PIN_TRIES_EXCEEDED
        decline = decline or bool(limits.ada & _DECLINE_PIN)
    state = counted(limits, state, asked)
    if decline or asked.wanted == AAC:
        return declined(limits, state, asked, standing, cvr)
    return Decision(TC, 0, cvr | TC << 22, spent(limits, state, asked))


def _set_back(state: CardState, said: IssuerSaid, *, whole: bool) -> CardState:
    """What the issuer has seen begins anew: flags and scripts, and, `whole`, what was spent and
    counted offline.

    A script that failed in this very transaction is still to be told in the next one (profile
    choice `script-failure-kept`).
    """
    kept = _AUTHENTICATION_FAILED | (_SCRIPT_FAILED if said.script_failed else 0)
    flags = state.flags & kept
    if not whole:
        return replace(state, flags=flags, scripts=0)
    return CardState(
        atc=state.atc,
        last_online_atc=state.atc,
        flags=flags,
        authentication_failures=state.authentication_failures,
        mac_failures=state.mac_failures,
        balance=state.balance,
        second_balance=state.second_balance,
        deducted=state.deducted,
    )
