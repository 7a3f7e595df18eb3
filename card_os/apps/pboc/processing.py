# SPDX-License-Identifier: Apache-2.0
"""GET PROCESSING OPTIONS (取处理选项): a transaction begins, and the card chooses its way.

In the slot it is a debit, or electronic cash when the terminal wants that and the card has enough.
In the field it is a tap (qPBOC), or for a terminal that says so the same as in the slot
(JR/T 0025.5 clause 7, 0025.12, 0025.13).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apdu.atr import Interface
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.tlv import Tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.commands import GET_PROCESSING_OPTIONS
from apdu.wire.pboc.flags import Ttq
from apdu.wire.pboc.groups import Way
from apdu.wire.perso import Algorithm, Life
from card_os.apps.pboc.contactless import pin_blocked, transact
from card_os.apps.pboc.profile import DataList, Profile, Route, profile_of
from card_os.apps.pboc.remarks import no_cash
from card_os.apps.pboc.state import LARGEST_ATC, CardState, Flag, load, store
from card_os.apps.pboc.transaction import Phase, Transaction, current, out_of_turn
from card_os.dispatch import CommandTable, Context
from card_os.session import Stage

commands = CommandTable()

_CONTACTLESS_PBOC: Final = int(Ttq.CONTACTLESS_PBOC)
_QPBOC: Final = int(Ttq.QPBOC)
_NO_CASH: Final = int(Flag.ISSUER_AUTHENTICATION_FAILED | Flag.SCRIPT_FAILED)
_YES: Final = b"\x01"
_REFUSED: Final = Transaction(Phase.ENDED)
_BLOCKED: Final = int(Stage.BLOCKED)


@commands.on(GET_PROCESSING_OPTIONS, life=Stage.OPERATIONAL | Stage.BLOCKED)
def get_processing_options(ctx: Context, _: None, options: bytes) -> bytes:
    """Count the transaction, and answer AIP and AFL or, to a tap, the cryptogram.

    StatusError 6985 out of turn, 6700 when this is not what the PDOL asks for, FormatError for an
    amount that is none; then nothing is counted. Behind that, 6985 when there is no way to go.
    """
    if current(ctx).phase is not Phase.SELECTED:
        raise out_of_turn(current(ctx), "once behind SELECT")
    directory = ctx.session.directory
    profile = profile_of(directory)
    pdol = profile.pdol(ctx.session.interface)
    if len(options) != pdol.length:
        text = "the PDOL asks for {wanted} bytes, these are {length}"
        raise StatusError(SW.WRONG_LENGTH, text, wanted=pdol.length, length=len(options))
    amount_of(pdol.value(tags.AMOUNT, options) or b"\0")
    state = _counted(ctx, load(directory))
    # The counter has moved, so this is what any refusal below leaves behind.
    ctx.session.scratch = _REFUSED
    algorithm = _algorithm(profile, pdol, options)
    if ctx.session.interface is Interface.CONTACTLESS:
        ttq = int.from_bytes(pdol.value(tags.TTQ, options))
        if not ttq & _CONTACTLESS_PBOC:
            route = profile.routes.get((algorithm, Way.QPBOC))
            if route is None or not ttq & _QPBOC:
                text = "the card has no way for a tap under {algorithm}, or the TTQ asks for none"
                raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, algorithm=algorithm)
            return transact(ctx, profile, route, options, state)
    return _begin(ctx, profile, pdol, algorithm, options, state)


def _counted(ctx: Context, state: CardState) -> CardState:
    """The state with one transaction more, in memory before anything is decided.

    StatusError 6985 when there are no more numbers: then the application is blocked for good.
    """
    directory = ctx.session.directory
    if state.atc >= LARGEST_ATC - 1:
        with ctx.nvm.atomic():
            store(directory, replace(state, atc=LARGEST_ATC))
            ctx.tree.set_life(directory, Life.DEACTIVATED)
        ctx.session.stage = _BLOCKED
        text = "the transaction counter (ATC) has come to {largest:04X}: the application is blocked"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, largest=LARGEST_ATC)
    state = replace(state, atc=state.atc + 1)
    store(directory, state)
    return state


def _algorithm(profile: Profile, pdol: DataList, options: bytes) -> Algorithm:
    """国密 when the terminal can (DF69) and the card has such records, else RSA and 3DES."""
    if pdol.value(tags.SM_INDICATOR, options) == _YES:
        if any(algorithm is Algorithm.SM4 for algorithm, _ in profile.routes):
            return Algorithm.SM4
    return Algorithm.TDES


def _begin(
    ctx: Context,
    profile: Profile,
    pdol: DataList,
    algorithm: Algorithm,
    options: bytes,
    state: CardState,
) -> bytes:
    """A transaction in steps, in either of its two ways."""
    route: Route | None = None
    second = False
    currency = _cash_currency(ctx, profile, pdol, options, state)
    if currency is not None:
        route = profile.routes.get((algorithm, Way.CASH))
        second = route is not None and currency == tags.SECOND_EC_CURRENCY
    if route is None:
        route = profile.routes.get((algorithm, Way.DEBIT))
    if route is None:
        text = "the card has no way for a debit under {algorithm}"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, algorithm=algorithm)
    if route.way is not Way.CASH and pdol.value(tags.EC_INDICATOR, options) == _YES:
        currency_said = pdol.value(tags.CURRENCY, options)
        no_cash(ctx, profile, currency_said, state, pin_blocked=pin_blocked(ctx))
    ctx.session.scratch = Transaction(
        Phase.INITIATED, route, options, state.atc.to_bytes(2), second
    )
    return bytes(Tlv(tags.FORMAT_1, route.aip.to_bytes(2) + route.afl))


def _cash_currency(
    ctx: Context, profile: Profile, pdol: DataList, options: bytes, state: CardState
) -> int | None:
    """Which of the card's currencies (9F51, DF71) electronic cash is spent in; None: it is not.

    JR/T 0025.13 7.4.5: the terminal asks for it, there is enough, and nothing of the last online
    transaction is in the way.
    """
    if pdol.value(tags.EC_INDICATOR, options) != _YES or state.flags & _NO_CASH:
        return None
    said, amount = pdol.value(tags.CURRENCY, options), pdol.value(tags.AMOUNT, options)
    if not said or not amount or pin_blocked(ctx):
        return None
    parameters = profile.parameters
    if said == parameters.get(tags.RISK_CURRENCY):
        found, balance, single = tags.RISK_CURRENCY, state.balance, tags.EC_SINGLE_LIMIT
    elif said == parameters.get(tags.SECOND_EC_CURRENCY):
        found, balance = tags.SECOND_EC_CURRENCY, state.second_balance
        single = tags.SECOND_EC_SINGLE_LIMIT
    else:
        return None
    limit = profile.amount(single)
    wanted = amount_of(amount)
    return found if limit is not None and wanted <= balance and wanted <= limit else None
