# SPDX-License-Identifier: Apache-2.0
"""The tap (qPBOC): a whole transaction in one GPO, and what it costs with the last record.

GPO counts the transaction, decides it (`tap`) and answers a cryptogram. When it approves, nothing
else has changed yet: who takes the card away before the last record is read has paid nothing. The
read of that record is what pays (JR/T 0025.12).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apdu.crypto.oda_input import fdda_data
from apdu.crypto.rsa import RsaPrivateKey
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import Tlv, build, parse
from apdu.wire.oda import CardAuthentication
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_bytes, amount_of
from apdu.wire.pboc.application import PIN_REFERENCE
from apdu.wire.pboc.flags import Aip, CardProcessing, Ctq, Result, Ttq, with_first, with_second
from card_os.apps.pboc import logs
from card_os.apps.pboc.cryptogram import application_cryptogram, issuer_application_data
from card_os.apps.pboc.profile import Profile, Route
from card_os.apps.pboc.remarks import tap_not_approved
from card_os.apps.pboc.signatures import card_key, dynamic_signature
from card_os.apps.pboc.state import CardState, store
from card_os.apps.pboc.tap import Purse, Tap, Verdict, decide
from card_os.apps.pboc.transaction import Phase, Transaction
from card_os.dispatch import Context
from card_os.session import Stage

_CASH_CHECK: Final = int(CardProcessing.CASH_CHECK)
_TELL_AVAILABLE: Final = int(CardProcessing.TELL_AVAILABLE_AMOUNT)
_LOG: Final = int(CardProcessing.LOG_TRANSACTIONS)
_DDA: Final = int(Aip.DDA)
_FDDA_01: Final = int(Ttq.FDDA_01)
_OPERATIONAL: Final = int(Stage.OPERATIONAL)
_HOLDER: Final = int(Ctq.ONLINE_PIN | Ctq.SIGNATURE)
_KNOWS_FDDA_01: Final = bytes.fromhex("0030")
"""9F08 of PBOC 3.0."""
IN_ANSWER: Final = 128
"""Bytes of the longest RSA signature that GPO's answer has room for; a longer one stands in a
record."""
CARD_NUMBER: Final = 4
"""Bytes of the card's own unpredictable number in 9F69."""
_UNLIMITED_COUNT: Final = 0xFF
"""Where the card has no limit of a counter; the counter stops there."""


def purse_of(profile: Profile, state: CardState, *, second: bool = False) -> Purse:
    """What the card may spend offline in its own currency, or in the second one of its electronic
    cash. Without a single limit it spends no cash."""
    if second:
        return Purse(
            state.second_balance,
            profile.amount(tags.SECOND_EC_SINGLE_LIMIT) or 0,
            profile.amount(tags.SECOND_EC_THRESHOLD) or 0,
        )
    return Purse(
        state.balance,
        profile.amount(tags.EC_SINGLE_LIMIT) or 0,
        profile.amount(tags.EC_RESET_THRESHOLD) or 0,
        state.spent,
        profile.amount(tags.CTTAUL) or profile.amount(tags.CTTAL) or 0,
    )


def pin_blocked(ctx: Context) -> bool:
    """Whether there is an offline PIN, and no try of it left."""
    pin = ctx.session.directory.pin(PIN_REFERENCE)
    return pin is not None and not pin.counter.left


def transact(
    ctx: Context, profile: Profile, route: Route, options: bytes, state: CardState
) -> bytes:
    """The answer of GPO, a template 77. `state`: with this transaction counted.

    StatusError 6985 when this is to be done in the slot, or the PDOL or the keys do not suffice.
    """
    pdol = profile.contactless_pdol
    atc = state.atc.to_bytes(2)
    ttq = int.from_bytes(pdol.value(tags.TTQ, options))
    processing = profile.bits(tags.CARD_PROCESSING)
    currency = pdol.value(tags.CURRENCY, options)
    second = _is_second(profile, processing, currency)
    purse = purse_of(profile, state, second=second)
    verdict = decide(_tap(ctx, profile, state, options, purse, second))
    if verdict.result is None:
        text = "by 9F68 ({processing:08X}) and the terminal's TTQ this is to be done in the slot"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, processing=processing)
    after = _after(state, verdict, second)
    available = verdict.purse.available(processing)
    cvr = with_second(with_first(verdict.cvr, verdict.result), Result.ARQC)
    iad = issuer_application_data(ctx, profile, route, after, atc, cvr, available)
    ac = application_cryptogram(ctx, route, pdol, options, atc, iad)
    ctq = profile.bits(tags.CTQ) & ~_HOLDER | verdict.ctq
    done = Transaction(Phase.ENDED, route, options, atc, second, cvr)
    if verdict.result is Result.TC:
        log = b""
        if processing & _LOG:
            log = logs.transaction_record(profile, atc, (pdol, options))
        done = done._replace(phase=Phase.TAPPED, committing=after, log=log)
        done, signed = _signed(ctx, profile, done, ttq, ctq)
        answer = _approval(profile, route, atc, ac, iad, signed)
    else:
        tap_not_approved(ctx, verdict.result, processing, cvr)
        if after != state:
            store(ctx.session.directory, after)
        answer = _question(profile, route, atc, ac, iad)
    answer.append(Tlv(tags.CTQ, ctq.to_bytes(2)))
    if processing & _TELL_AVAILABLE:
        answer.append(Tlv(tags.AVAILABLE_AMOUNT, amount_bytes(available)))
    if verdict.result is not Result.TC:
        answer += _known(profile, route, tags.CARDHOLDER_NAME)
    ctx.session.scratch = done
    return bytes(Tlv(tags.FORMAT_2, build(answer)))


# The decision


def _is_second(profile: Profile, processing: int, currency: bytes) -> bool:
    """Whether the second currency's cash is what would be spent."""
    parameters = profile.parameters
    return (
        bool(processing & _CASH_CHECK)
        and bool(currency)
        and currency == parameters.get(tags.SECOND_EC_CURRENCY)
        and currency != parameters.get(tags.RISK_CURRENCY)
    )


def _tap(
    ctx: Context, profile: Profile, state: CardState, options: bytes, purse: Purse, second: bool
) -> Tap:
    pdol, parameters = profile.contactless_pdol, profile.parameters
    currency = pdol.value(tags.CURRENCY, options)
    limit = profile.amount(tags.SECOND_EC_CVM_LIMIT if second else tags.CARD_CVM_LIMIT)
    most = profile.number(tags.INTERNATIONAL_CURRENCY_LIMIT)
    return Tap(
        ttq=int.from_bytes(pdol.value(tags.TTQ, options)),
        amount=amount_of(pdol.value(tags.AMOUNT, options) or b"\0"),
        own_currency=second or currency == parameters.get(tags.RISK_CURRENCY),
        processing=profile.bits(tags.CARD_PROCESSING),
        purse=purse,
        cvm_limit=LARGEST_AMOUNT if limit is None else limit,
        new_card=not state.last_online_atc,
        pin_blocked=pin_blocked(ctx),
        international=state.international_currency,
        international_limit=_UNLIMITED_COUNT if most is None else most,
        blocked=ctx.session.stage != _OPERATIONAL,
    )


def _after(state: CardState, verdict: Verdict, second: bool) -> CardState:
    """The state when the verdict is carried out."""
    purse = verdict.purse
    if second:
        return replace(state, second_balance=purse.balance)
    return replace(
        state,
        balance=purse.balance,
        spent=min(purse.spent, LARGEST_AMOUNT),
        international_currency=verdict.international,
    )


# The answer


def _approval(
    profile: Profile, route: Route, atc: bytes, ac: bytes, iad: bytes, signed: bytes
) -> list[Tlv]:
    found = [
        Tlv(tags.AIP, route.aip.to_bytes(2)),
        Tlv(tags.AFL, route.afl),
        Tlv(tags.ATC, atc),
        Tlv(tags.AC, ac),
        Tlv(tags.IAD, iad),
        *_known(profile, route, tags.TRACK_2, tags.PSN),
    ]
    if signed:
        found.append(Tlv(tags.SIGNED_DYNAMIC_DATA, signed))
    return found


def _question(profile: Profile, route: Route, atc: bytes, ac: bytes, iad: bytes) -> list[Tlv]:
    return [
        Tlv(tags.AIP, route.aip.to_bytes(2)),
        Tlv(tags.ATC, atc),
        *_known(profile, route, tags.TRACK_2),
        Tlv(tags.IAD, iad),
        Tlv(tags.AC, ac),
        *_known(profile, route, tags.PRODUCT, tags.PSN),
    ]


def _known(profile: Profile, route: Route, *wanted: int) -> list[Tlv]:
    """Elements of the parameters, or else of the records; those that the card has."""
    found = []
    for tag in wanted:
        value = profile.parameters.get(tag) or route.elements.get(tag)
        if value:
            found.append(Tlv(tag, value))
    return found


def _signed(
    ctx: Context, profile: Profile, done: Transaction, ttq: int, ctq: int
) -> tuple[Transaction, bytes]:
    """fDDA: 9F4B for GPO's answer, or with the transaction when it stands in a record."""
    route, pdol = done.route, profile.contactless_pdol
    if route is None or not route.aip & _DDA:
        return done, b""
    version, shown = 0, b""
    if ttq & _FDDA_01 and route.elements.get(tags.CARD_VERSION) == _KNOWS_FDDA_01:
        more = profile.parameters.get(tags.DEDUCTION_INDICATOR) or b"\0"
        number = ctx.random(CARD_NUMBER)
        version, shown = 1, bytes(CardAuthentication(number, ctq.to_bytes(2), more))
    options = done.options
    try:
        terminal = fdda_data(
            version,
            pdol.value(tags.UNPREDICTABLE_NUMBER, options),
            pdol.value(tags.AMOUNT, options),
            pdol.value(tags.CURRENCY, options),
            shown,
        )
    except FormatError:  # the card's own PDOL does not ask for what it needs
        text = "the contactless PDOL does not ask for what fDDA signs"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text) from None
    signature = dynamic_signature(ctx, route, done.atc, terminal)
    key = card_key(ctx, route)
    if isinstance(key, RsaPrivateKey) and key.public.size > IN_ANSWER:
        return done._replace(signature=signature, authentication_data=shown), b""
    return done._replace(authentication_data=shown), signature


# The records


def with_answers(transaction: Transaction, place: tuple[int, int], record: bytes) -> bytes:
    """A record of the tap with what the card signed in it, if that is where it stands."""
    route = transaction.route
    found: list[Tlv] = []
    if route is not None and transaction.signature and place == route.signed:
        found.append(Tlv(tags.SIGNED_DYNAMIC_DATA, transaction.signature))
    if route is not None and transaction.authentication_data and place == route.last:
        found.append(Tlv(tags.CARD_AUTHENTICATION_DATA, transaction.authentication_data))
    if not found:
        return record
    new = {item.tag for item in found}
    (template,) = parse(record)
    kept = [item for item in template.children if item.tag not in new]
    return bytes(Tlv(tags.RECORD_TEMPLATE, build([*kept, *found])))


def was_read(
    ctx: Context, profile: Profile, transaction: Transaction, place: tuple[int, int]
) -> None:
    """A record of the tap is about to be answered: with the last one the card has paid."""
    state, route = transaction.committing, transaction.route
    if state is None or route is None or place != route.last:
        return
    logs.commit(ctx, profile, state, transaction.log)
    ctx.session.scratch = transaction._replace(phase=Phase.ENDED, committing=None, log=b"")
