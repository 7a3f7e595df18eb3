# SPDX-License-Identifier: Apache-2.0
"""Why a payment was not approved offline: for whoever runs the chip, as the reason of a refusal is.

The answer says it in part, in the bits of the CVR; what it does not say (that the application is
blocked, that electronic cash does not suffice) is told here.
"""

from __future__ import annotations

from typing import Final

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Cvr, Result
from apdu.wire.pboc.groups import Way
from apdu.wire.perso import Life
from card_os.apps.pboc.profile import Profile, Route
from card_os.apps.pboc.state import CardState, Flag
from card_os.dispatch import Context

_REASONS: Final = int(
    Cvr.ISSUER_AUTHENTICATION_FAILED
    | Cvr.PIN_VERIFICATION_FAILED
    | Cvr.UNABLE_TO_GO_ONLINE
    | Cvr.LAST_ONLINE_NOT_COMPLETED
    | Cvr.PIN_TRIES_EXCEEDED
    | Cvr.VELOCITY_EXCEEDED
    | Cvr.NEW_CARD
    | Cvr.LAST_ISSUER_AUTHENTICATION_FAILED
    | Cvr.NO_ISSUER_AUTHENTICATION
    | Cvr.BLOCKED_FOR_PIN
    | Cvr.LAST_SDA_FAILED
    | Cvr.LAST_SCRIPT_FAILED
    | Cvr.LAST_DDA_FAILED
)
"""Bits of the CVR that may be why; the others tell what was done."""
_BY_CHECKS: Final = "by 9F68 ({processing:08X}) and the terminal's TTQ"
_SECOND: Final = tags.SECOND_EC_CURRENCY
_IN_THE_WAY: Final = int(Flag.ISSUER_AUTHENTICATION_FAILED | Flag.SCRIPT_FAILED)


def less_than_asked(
    ctx: Context, profile: Profile, route: Route, result: int, asked: int, cvr: int, *, second: bool
) -> None:
    """GENERATE AC gives another cryptogram than the one that was asked for."""
    why, found = "{cvr}; ADA {ada:04X}", cvr & _REASONS
    if ctx.session.directory.life is Life.DEACTIVATED:
        why = "the application is blocked"
    elif second and not found:
        why = "the issuer did not approve (8A)"
    elif route.way is Way.CASH and not second:
        why = "the balance is less, or the terminal says otherwise than to GPO"
    ctx.remark(
        "{result} in place of {asked}: " + why,
        result=Result(result).name,
        asked=Result(asked).name,
        cvr=found,
        ada=profile.limits.ada,
    )


def tap_not_approved(ctx: Context, result: Result, processing: int, cvr: int) -> None:
    """GPO answers a tap with another cryptogram than TC."""
    found = cvr & _REASONS
    text = "the tap is answered {result}: " + ("{cvr}" if found else _BY_CHECKS)
    if ctx.session.directory.life is Life.DEACTIVATED:
        text = "the tap is answered {result}: the application is blocked"
    ctx.remark(text, result=result.name, cvr=found, processing=processing)


def no_cash(
    ctx: Context, profile: Profile, currency: bytes, state: CardState, *, pin_blocked: bool
) -> None:
    """GPO begins a debit though the terminal asked for electronic cash (9F7A)."""
    known = (profile.parameters.get(tags.RISK_CURRENCY), profile.parameters.get(_SECOND))
    if state.flags & _IN_THE_WAY:
        why = "an issuer authentication or a script failed and was not made good online"
    elif pin_blocked:
        why = "the offline PIN has no try left"
    elif currency not in known:
        why = "it is not of a currency that the card has cash in"
    else:
        why = "it is more than the balance, {balance} fen, or than one payment may be"
    ctx.remark("no electronic cash: " + why, balance=state.balance, flags=state.flags)
