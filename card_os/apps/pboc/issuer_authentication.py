# SPDX-License-Identifier: Apache-2.0
"""EXTERNAL AUTHENTICATE (发卡行认证): whether it was the issuer that answered the ARQC.

One attempt a transaction. What came of it survives, so that the next transaction can tell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apdu.crypto.cryptogram import verify_arpc
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.cryptogram import IssuerAuthentication as Shown
from apdu.wire.pboc.application import AC_KEY
from apdu.wire.pboc.commands import EXTERNAL_AUTHENTICATE
from apdu.wire.pboc.flags import Aip, Cvr
from apdu.wire.perso import KeyUsage
from card_os.apps.pboc.cryptogram import session_key
from card_os.apps.pboc.state import MOST_FAILURES, Flag, load, store
from card_os.apps.pboc.transaction import IssuerAuthentication, Phase, current, out_of_turn
from card_os.dispatch import CommandTable, Context
from card_os.session import Stage

commands = CommandTable()

_AC_USAGE: Final = KeyUsage.CRYPTOGRAM
_SUPPORTED: Final = int(Aip.ISSUER_AUTHENTICATION)
_FAILED: Final = int(Flag.ISSUER_AUTHENTICATION_FAILED)
_CVR_FAILED: Final = int(Cvr.ISSUER_AUTHENTICATION_FAILED)


@commands.on(EXTERNAL_AUTHENTICATE, life=Stage.OPERATIONAL | Stage.BLOCKED)
def external_authenticate(ctx: Context, _: None, shown: Shown) -> None:
    """Judge the ARPC, between an ARQC and the second GENERATE AC.

    StatusError 6300 when it is wrong. 6985 at another time or the second time, when the AIP does
    not offer it, and for good once it failed 100 times in a row (profile choice
    `authentication-exhausted`).
    """
    transaction, directory = current(ctx), ctx.session.directory
    route = transaction.route
    if (
        transaction.phase is not Phase.CARD_ACTION
        or transaction.authentication is not IssuerAuthentication.NOT_RECEIVED
        or route is None
    ):
        raise out_of_turn(transaction, "once between an ARQC and the second GENERATE AC")
    if not route.aip & _SUPPORTED:
        text = "the AIP {aip:04X} offers no issuer authentication"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, aip=route.aip)
    state = load(directory)
    if state.authentication_failures >= MOST_FAILURES:
        text = "it failed {failures} times in a row: none is judged any more"
        failures = state.authentication_failures
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, failures=failures)
    session = session_key(ctx, route, AC_KEY, transaction.atc)
    if verify_arpc(session, transaction.ac, shown.arc, shown.arpc):
        state = replace(state, flags=state.flags & ~_FAILED, authentication_failures=0)
        transaction = transaction._replace(
            authentication=IssuerAuthentication.PASSED, arc=shown.arc
        )
    else:
        state = replace(
            state,
            flags=state.flags | _FAILED,
            authentication_failures=state.authentication_failures + 1,
        )
        transaction = transaction._replace(
            authentication=IssuerAuthentication.FAILED,
            cvr=transaction.cvr | _CVR_FAILED,
        )
    with ctx.nvm.atomic():
        store(directory, state)
    ctx.session.scratch = transaction
    if transaction.authentication is IssuerAuthentication.FAILED:
        text = "the ARPC does not match under {key}; that was failure {failures} in a row"
        failures = state.authentication_failures
        raise StatusError(SW.AUTH_FAILED, text, key=AC_KEY, usage=_AC_USAGE, failures=failures)
