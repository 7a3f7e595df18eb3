# SPDX-License-Identifier: Apache-2.0
"""GENERATE AC, the first and the second: the card decides, remembers, and says so in a cryptogram.

What is to be remembered is known before the cryptogram is made, and written in one step before it
leaves: what fails on the way leaves no trace, and no answer is given that the card does not
remember (JR/T 0025.5 clauses 14 and 16).
"""

from __future__ import annotations

from typing import Final, NoReturn

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.tlv import build, tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.application import PIN_REFERENCE
from apdu.wire.pboc.commands import GENERATE_AC, AcRequest
from apdu.wire.pboc.flags import Aip, Cvr
from apdu.wire.pboc.groups import Way
from apdu.wire.perso import Life
from card_os.apps.pboc import logs
from card_os.apps.pboc.completion import IssuerSaid, completion
from card_os.apps.pboc.contactless import purse_of
from card_os.apps.pboc.cryptogram import (
    TERMINAL_DATA,
    cryptogram_over,
    issuer_application_data,
    not_asked_for,
    tells_available,
)
from card_os.apps.pboc.profile import DataList, Profile, Route, profile_of
from card_os.apps.pboc.remarks import less_than_asked
from card_os.apps.pboc.risk import AAC, ARQC, TC, Decision, Standing, cash_action, first_action
from card_os.apps.pboc.signatures import sign_combined
from card_os.apps.pboc.state import CardState, load, store
from card_os.apps.pboc.transaction import Phase, Transaction, current, out_of_turn
from card_os.apps.pboc.velocity import Asked
from card_os.dispatch import CommandTable, Context
from card_os.session import Stage

commands = CommandTable()

Sent = tuple[DataList, bytes]
"""A list of the card's, and what the terminal sent for it."""
_BLOCKED: Final = int(Stage.BLOCKED)
_AIP_CDA: Final = int(Aip.CDA)
_DDA_PERFORMED: Final = int(Cvr.DDA_PERFORMED)
_PIN_PERFORMED: Final = int(Cvr.PIN_VERIFICATION_PERFORMED)
_NUMBER_AT: Final = 25
"""Where the unpredictable number stands in the terminal's data."""
_OWN_WORD: Final = frozenset({tags.TVR, tags.TSI, tags.UNPREDICTABLE_NUMBER})
"""What a terminal may say otherwise than it said to GPO (JR/T 0025.13 7.4.5)."""


@commands.on(GENERATE_AC, life=Stage.OPERATIONAL | Stage.BLOCKED)
def generate_ac(ctx: Context, request: AcRequest, data: bytes) -> bytes:
    """The card's decision: CID, ATC, AC and 9F10, signed where that is asked for (CDA).

    StatusError 6985 when no cryptogram is due: before GPO, behind a TC or an AAC, for a second
    ARQC; or when the card blocks its application (ADA 2.3). 6700 when the data is not as long as
    the card's list says, 6A80 when the amount is none.
    """
    transaction, directory = current(ctx), ctx.session.directory
    phase, route = transaction.phase, transaction.route
    if route is None:
        raise out_of_turn(transaction, "behind GPO")
    if phase is Phase.INITIATED:
        profile, state = profile_of(directory), load(directory)
        terminal = _terminal_data(route.cdol1, data)
        decision = _first(ctx, profile, state, transaction, route, _asked(request, terminal), data)
        first, second = data, b""
    elif phase is Phase.CARD_ACTION and request.result != ARQC:
        profile, state = profile_of(directory), load(directory)
        terminal = _terminal_data(route.cdol2, data)
        decision = _second(ctx, profile, state, transaction, route, _asked(request, terminal), data)
        first, second = transaction.first_data, data
    else:
        due = "once behind GPO, and behind an ARQC once for TC or AAC"
        raise out_of_turn(transaction, due)
    result, reason, cvr, after, _ = decision
    atc = transaction.atc
    signed = request.cda and result != AAC and route.aip & _AIP_CDA
    if signed:
        cvr |= _DDA_PERFORMED
    available = _available(profile, after) if tells_available(route) else 0
    iad = issuer_application_data(ctx, profile, route, after, atc, cvr, available)
    ac = cryptogram_over(ctx, route, terminal, atc, iad)
    cid = result << 6 | reason
    if signed:
        heard = transaction.options + first + second
        answer = _combined(ctx, route, cid, ac, iad, heard, terminal[_NUMBER_AT:])
    else:
        answer = bytes((tags.FORMAT_1, 11 + len(iad), cid)) + atc + ac + iad
    if result == TC:
        sent = ((route.cdol2, second), (route.cdol1, first), _options(ctx, profile, transaction))
        record = logs.transaction_record(profile, atc, *(sent if second else sent[1:]))
        logs.commit(ctx, profile, after, record)
    elif after is not state:
        with ctx.nvm.atomic():
            store(directory, after)
    if result != request.result:
        again = phase is Phase.CARD_ACTION
        less_than_asked(ctx, profile, route, result, request.result, cvr, second=again)
    ctx.session.scratch = Transaction(
        Phase.CARD_ACTION if result == ARQC else Phase.ONLINE if second else Phase.ENDED,
        route,
        transaction.options,
        atc,
        transaction.second_currency,
        cvr,
        transaction.pin_exceeded,
        first,
        transaction.ac or ac,
        transaction.authentication,
        transaction.arc,
        transaction.script_refused,
    )
    return answer


def _first(
    ctx: Context,
    profile: Profile,
    state: CardState,
    transaction: Transaction,
    route: Route,
    asked: Asked,
    data: bytes,
) -> Decision:
    standing = _standing(ctx, transaction, route)
    if route.way is Way.CASH:
        return cash_action(
            profile.limits,
            state,
            asked,
            standing,
            agrees=_agree(_options(ctx, profile, transaction), (route.cdol1, data)),
            second=transaction.second_currency,
        )
    decision = first_action(profile.limits, state, asked, standing)
    if decision.blocks:
        _block(ctx, transaction)
    return decision


def _second(
    ctx: Context,
    profile: Profile,
    state: CardState,
    transaction: Transaction,
    route: Route,
    asked: Asked,
    data: bytes,
) -> Decision:
    arc = route.cdol2.value(tags.ARC, data)
    if not arc:
        text = "CDOL2 does not ask for the authorisation response code (8A)"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    said = IssuerSaid(arc, transaction.authentication, transaction.arc, transaction.script_refused)
    return completion(profile.limits, state, asked, _standing(ctx, transaction, route), said)


# What the decision is made from


def _terminal_data(asked: DataList, data: bytes) -> bytes:
    """What cryptogram and decision are made from, 29 bytes. StatusError 6700 when the data is not
    as long as the list says, 6985 when the list asks not for all of it."""
    if len(data) != asked.length:
        text = "the CDOL asks for {wanted} bytes, these are {length}"
        raise StatusError(SW.WRONG_LENGTH, text, wanted=asked.length, length=len(data))
    found = asked.select(TERMINAL_DATA, data)
    if not found:
        raise not_asked_for()
    return found


def _asked(request: AcRequest, terminal: bytes) -> Asked:
    return Asked(
        request.result, amount_of(terminal[:6]), terminal[19:21], terminal[12:14], terminal[14]
    )


def _standing(ctx: Context, transaction: Transaction, route: Route) -> Standing:
    session, cvr = ctx.session, transaction.cvr
    pin = session.directory.pins.get(PIN_REFERENCE)
    exhausted = pin is not None and not pin.counter.left and not cvr & _PIN_PERFORMED
    blocked = session.stage == _BLOCKED
    return Standing(route.aip, cvr, blocked, exhausted, transaction.pin_exceeded)


def _options(ctx: Context, profile: Profile, transaction: Transaction) -> Sent:
    """What the terminal sent to GPO."""
    return profile.pdol(ctx.session.interface), transaction.options


def _agree(options: Sent, said: Sent) -> bool:
    """Whether what a terminal says twice is the same."""
    (pdol, first), (cdol, second) = options, said
    return all(
        pdol.value(tag, first) == cdol.value(tag, second)
        for tag in cdol.places
        if tag in pdol.places and tag not in _OWN_WORD
    )


# What comes of it


def _block(ctx: Context, transaction: Transaction) -> NoReturn:
    """Block the application, for the PIN's tries; no cryptogram is given, so no script is bound to
    this transaction: the next one takes what gives the application back."""
    with ctx.nvm.atomic():
        ctx.tree.set_life(ctx.session.directory, Life.DEACTIVATED)
    ctx.session.scratch = Transaction(Phase.ENDED, transaction.route)
    text = "the card has blocked its application: {pin} has no try left, and ADA says so"
    raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, pin=PIN_REFERENCE)


def _available(profile: Profile, state: CardState) -> int:
    """9F5D, in the minor unit."""
    processing = profile.bits(tags.CARD_PROCESSING)
    return purse_of(profile, state).available(processing)


def _combined(
    ctx: Context,
    route: Route,
    cid: int,
    ac: bytes,
    iad: bytes,
    heard: bytes,
    number: bytes,
) -> bytes:
    """The answer in format 2, the cryptogram in the signature (EMV 4.3 Book 2 6.6.1)."""
    head = [tlv(tags.CID, bytes((cid,))), tlv(tags.ATC, current(ctx).atc)]
    tail = tlv(tags.IAD, iad)
    signature = sign_combined(ctx, route, cid, ac, heard + build([*head, tail]), number)
    return build([tlv(tags.FORMAT_2, [*head, tlv(tags.SIGNED_DYNAMIC_DATA, signature), tail])])
