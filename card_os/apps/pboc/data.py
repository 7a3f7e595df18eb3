# SPDX-License-Identifier: Apache-2.0
"""READ RECORD and GET DATA: what a terminal may know. Both at any time after SELECT.

Of the elements that the card keeps for itself GET DATA gives those that JR/T 0025.5 annex A marks
so, and nothing else: what is not in the tables below does not leave the chip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.tlv import Tlv
from apdu.wire.iso7816 import READ_RECORD, ReadMode, RecordRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.answers import LoadLog
from apdu.wire.pboc.application import MAC_KEY, PIN_REFERENCE
from apdu.wire.pboc.commands import GET_DATA, PARAMETERS, DataTag
from card_os.apps.pboc.contactless import purse_of, was_read, with_answers
from card_os.apps.pboc.cryptogram import session_key
from card_os.apps.pboc.groups import read_record as group_record
from card_os.apps.pboc.profile import Profile, profile_of
from card_os.apps.pboc.state import CardState, load
from card_os.apps.pboc.transaction import current
from card_os.dispatch import CommandTable, Context
from card_os.files.records import CyclicFile, ElementaryFile
from card_os.session import Stage

commands = CommandTable()

_NUMBER: Final = ReadMode.NUMBER
_MAC: Final = 4
WHOLE_LOG: Final = 0x00
"""P1 that reads all of the load log."""


# READ RECORD


@commands.on(READ_RECORD, life=Stage.OPERATIONAL | Stage.BLOCKED)
def read_record(ctx: Context, ref: RecordRef, _: None) -> bytes:
    """A record in its template, or one of a log as bare values.

    StatusError 6A86 for another way of naming records than by number, 6A82, 6A83. The last record
    of an approved tap is what makes the card pay.
    """
    if ref.mode is not _NUMBER:
        raise StatusError(SW.WRONG_P1P2, "records of payment are named by their numbers alone")
    directory = ctx.session.directory
    ring = directory.by_sfi.get(ref.sfi)
    if ring is not None:
        log = profile_of(directory).load_log
        if ref.p1 == WHOLE_LOG and log is not None and log.sfi == ref.sfi:
            return _whole_log(ctx, ring)
        return ring.record(ref.p1)
    record = group_record(directory, ref.sfi, ref.p1)
    transaction = current(ctx)
    if transaction.authentication_data or transaction.signature or transaction.committing:
        place = ref.sfi, ref.p1
        record = with_answers(transaction, place, record)
        was_read(ctx, profile_of(directory), transaction, place)
    return record


def _whole_log(ctx: Context, ring: ElementaryFile) -> bytes:
    """The load log with a MAC, so that an issuer may believe it: under the keys of this transaction
    or, before GPO, of the last one. StatusError 6985 for a card that has no way to go."""
    directory = ctx.session.directory
    routes = profile_of(directory).routes
    route = current(ctx).route or next(iter(routes.values()), None)
    if route is None:
        text = "the card has no way to go, and so no key for the MAC of its load log"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    count = ring.count if isinstance(ring, CyclicFile) else 0
    records = ring.all_from(1) if count else b""
    atc = load(directory).atc.to_bytes(2)
    log = bytes(LoadLog(atc, count, records, bytes(_MAC)))[:-_MAC]
    return log + session_key(ctx, route, MAC_KEY, atc).mac(log)[:_MAC]


# GET DATA


_FROM_STATE: Final[dict[int, Callable[[CardState], bytes]]] = {
    tags.ATC: lambda state: state.atc.to_bytes(2),
    tags.LAST_ONLINE_ATC: lambda state: state.last_online_atc.to_bytes(2),
}
_BALANCES: Final[dict[int, Callable[[CardState], int]]] = {
    tags.EC_BALANCE: lambda state: state.balance,
    tags.SECOND_EC_BALANCE: lambda state: state.second_balance,
    tags.DEDUCTION_USED: lambda state: state.deducted,
}
"""Amounts in the state, told by cards that were personalised with them."""
_TOLD: Final = PARAMETERS | {
    tags.LOG_FORMAT,
    tags.LOAD_LOG_FORMAT,
    tags.RISK_CURRENCY,
    tags.ADA,
    tags.ISSUER_AUTHENTICATION_INDICATOR,
    tags.RISK_COUNTRY,
    tags.CARD_PROCESSING,
    tags.SECOND_CURRENCY,
    tags.SECOND_EC_CURRENCY,
}
"""What is told as it was personalised or put."""
_SECOND: Final = {
    tags.EC_BALANCE: tags.SECOND_EC_BALANCE,
    tags.EC_RESET_THRESHOLD: tags.SECOND_EC_THRESHOLD,
    tags.EC_BALANCE_LIMIT: tags.SECOND_EC_BALANCE_LIMIT,
    tags.EC_SINGLE_LIMIT: tags.SECOND_EC_SINGLE_LIMIT,
    tags.CARD_CVM_LIMIT: tags.SECOND_EC_CVM_LIMIT,
}
"""What is told instead while cash of the second currency is spent, under the tag asked for."""


@commands.on(GET_DATA, life=Stage.OPERATIONAL | Stage.BLOCKED)
def get_data(ctx: Context, ref: DataTag, _: None) -> bytes:
    """One element as TLV, or StatusError 6A88 for one that is not to be had."""
    tag = ref.tag
    source = _SECOND.get(tag, tag) if current(ctx).second_currency else tag
    value = _value(ctx, source)
    if value is None:
        text = "{tag:04X} is not told, or this card has none"
        raise StatusError(SW.REFERENCE_NOT_FOUND, text, tag=source)
    return bytes(Tlv(tag, value))


def _value(ctx: Context, tag: int) -> bytes | None:
    directory = ctx.session.directory
    profile = profile_of(directory)
    if tag in _TOLD:
        return profile.parameters.get(tag)
    if tag in _FROM_STATE:
        return _FROM_STATE[tag](load(directory))
    if tag in _BALANCES:
        return amount_bytes(_BALANCES[tag](load(directory))) if _has(profile, tag) else None
    if tag == tags.PIN_TRIES:
        pin = directory.pin(PIN_REFERENCE)
        return None if pin is None else bytes((pin.counter.left,))
    if tag == tags.AVAILABLE_AMOUNT:
        second = current(ctx).second_currency
        purse = purse_of(profile, load(directory), second=second)
        return amount_bytes(purse.available(profile.bits(tags.CARD_PROCESSING)))
    return None


def _has(profile: Profile, tag: int) -> bool:
    """Whether the card was personalised with a balance; one of segmented deduction goes with its
    limit."""
    wanted = tags.DEDUCTION_LIMIT if tag == tags.DEDUCTION_USED else tag
    return wanted in profile.parameters
