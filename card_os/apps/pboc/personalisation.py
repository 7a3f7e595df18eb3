# SPDX-License-Identifier: Apache-2.0
"""Personalising the application: data groups come in, and with the last of them it is in use.

Groups come in blocks of STORE DATA through the secure channel, and may be cut anywhere between
two of them. Keys, PIN and logs become what the chip works with; all else stays a group. The first
block of a channel begins anew: nothing stays of what came before, however it was interrupted. A
last block that is refused leaves the application open to be corrected, by groups that come again
(EMV Card Personalization Specification; JR/T 0025 as a public personalisation script has it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from apdu.errors import FormatError, StatusError
from apdu.secure_channel import Channel
from apdu.sw import SW
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.globalplatform import STORE_DATA, StoreDataRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LoadLogHead
from apdu.wire.pboc.application import PIN_REFERENCE
from apdu.wire.pboc.groups import (
    CHECK_VALUES,
    KEYS,
    PIN,
    PIN_LIMIT,
    SECRET,
    DataGroup,
    take_group,
)
from apdu.wire.perso import Algorithm, FileHeader, FileKind, KeyBlock, KeyUsage, Life
from card_os.apps.pboc import channel
from card_os.apps.pboc.completeness import check_whole
from card_os.apps.pboc.groups import add_group
from card_os.apps.pboc.keys import check_keys, keep_keys
from card_os.apps.pboc.profile import Log, Profile
from card_os.apps.pboc.state import STATE_FID, CardState, store
from card_os.dispatch import CommandTable, Context, Protection
from card_os.session import Stage

commands = CommandTable()

_KEYS_IN: Final = {number: algorithm for algorithm, number in KEYS.items()}
_CHECKED_BY: Final = {number: algorithm for algorithm, number in CHECK_VALUES.items()}
_PLAIN, _ENCIPHERED = 0, 3
"""What P1 says of the groups in a block: none is enciphered, or all are."""
_OWN: Final = frozenset({STATE_FID, channel.COUNTER_FID})
_LOGS: Final = 0xEF
"""Numbers that are no groups': the files that the chip makes have them."""
_MOST_TRIES: Final = 15
_PIN_BLOCK: Final = 8


@dataclass(frozen=True, slots=True)
class Storing:
    """What came so far: the number of the next block, what is left of a group that was cut and
    how it was marked, and the PIN, which waits for its limit."""

    block: int = 0
    rest: bytes = field(default=b"", repr=False)
    marked: int = _PLAIN
    pin: bytes = field(default=b"", repr=False)
    limit: int = 0


_NOTHING: Final = Storing()


@commands.on(STORE_DATA, messaging=Protection.MAC, life=Stage.PERSONALISATION)
def store_data(ctx: Context, ref: StoreDataRef, data: bytes) -> None:
    """Take groups; with the last block the application is personalised.

    A block that is refused may be sent again. StatusError 6985 for a block
    out of its order, 6A86 for one that is enciphered in part, 6A80 for a group that is
    not in its shape, or not whole at the end; then 6985 or 6A80 as `check_whole`.
    """
    state, opened = channel.current(ctx), channel.open_one(ctx)
    storing: Storing = state.work or _NOTHING
    if opened is None or ref.block != storing.block & 0xFF:
        text = "block {wanted} is due, this is {block}; or no channel is open"
        facts = {"wanted": storing.block & 0xFF, "block": ref.block}
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, **facts)
    if ref.enciphered not in (_PLAIN, _ENCIPHERED):
        text = "the groups of a block are all enciphered, or none is"
        raise StatusError(SW.WRONG_P1P2, text)
    if storing.rest and ref.enciphered != storing.marked:
        text = "a group began in the block before, and is marked otherwise in this one"
        raise StatusError(SW.WRONG_DATA, text)
    if not storing.block:
        _begin_anew(ctx)
    stream = storing.rest + data
    storing = replace(storing, block=storing.block + 1, rest=b"", marked=ref.enciphered)
    while (taken := take_group(stream)) is not None:
        group, stream = taken
        storing = _take(ctx, storing, group, opened)
    storing = replace(storing, rest=stream)
    ctx.session.scratch = replace(state, work=storing)
    if ref.last:
        _finish(ctx, storing)


def _begin_anew(ctx: Context) -> None:
    counter = channel.counter_file(ctx)
    if counter is None:
        text = "no channel was ever opened"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    ctx.tree.forget(ctx.session.directory, counter)


def _take(ctx: Context, storing: Storing, group: DataGroup, opened: Channel) -> Storing:
    number, value = group.number, group.value
    if (number in SECRET) is not (storing.marked == _ENCIPHERED):
        text = "group {group:04X} must come enciphered if it is secret, and else in the clear"
        raise StatusError(SW.WRONG_DATA, text, group=number)
    if number in SECRET:
        try:
            value = opened.decipher(value)
        except FormatError as error:
            raise StatusError.of(SW.WRONG_DATA, error) from None
    if number in _KEYS_IN:
        keep_keys(ctx, _KEYS_IN[number], value)
    elif number == PIN:
        if len(value) != _PIN_BLOCK:
            text = "a PIN comes as a block of {wanted} bytes, these are {length}"
            raise StatusError(SW.WRONG_DATA, text, wanted=_PIN_BLOCK, length=len(value))
        return replace(storing, pin=value)
    elif number == PIN_LIMIT:
        limit = value[-1] if value else 0
        if not 1 <= limit <= _MOST_TRIES:
            raise StatusError(SW.WRONG_DATA, "a PIN has 1 to {most} tries", most=_MOST_TRIES)
        return replace(storing, limit=limit)
    elif number in _OWN or number >> 8 == _LOGS:
        text = "group {group:04X} has the number of a file that the chip makes"
        raise StatusError(SW.WRONG_DATA, text, group=number)
    else:
        if number in _CHECKED_BY:
            check_keys(ctx, _CHECKED_BY[number], value)
        add_group(ctx, ctx.session.directory, number, value)
    return storing


def _finish(ctx: Context, storing: Storing) -> None:
    """Make PIN, logs and state, and put the application in use."""
    directory = ctx.session.directory
    if storing.rest:
        text = "the last group is not whole: {length} bytes of it are there"
        raise StatusError(SW.WRONG_DATA, text, length=len(storing.rest))
    if bool(storing.pin) != bool(storing.limit):
        text = "a PIN and the number of its tries come together; one of them is missing"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    profile = check_whole(ctx)
    state = _first_state(profile)
    if storing.pin:
        block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, storing.limit, storing.pin)
        ctx.tree.add_secret(directory, PIN_REFERENCE, block)
    _make_log(ctx, profile.transaction_log, 0)
    _make_log(ctx, profile.load_log, LoadLogHead.byte_length())
    header = FileHeader(FileKind.TRANSPARENT, STATE_FID, NEVER, NEVER, size=CardState.byte_length())
    ctx.tree.add_file(directory, header)
    store(directory, state)
    waits = profile.bits(tags.NOT_ACTIVATED)
    ctx.tree.set_life(directory, Life.DEACTIVATED if waits else Life.ACTIVATED)
    ctx.enter(directory, fresh=True)


def _first_state(profile: Profile) -> CardState:
    return CardState(
        atc=profile.number(tags.ATC) or 0,
        balance=amount_of(profile.parameters.get(tags.EC_BALANCE, b"\0")),
        second_balance=amount_of(profile.parameters.get(tags.SECOND_EC_BALANCE, b"\0")),
    )


def _make_log(ctx: Context, log: Log | None, head: int) -> None:
    """The ring of a log, when the card has one. `head`: bytes of a record before its elements."""
    if log is None:
        return
    size = (head + log.layout.length) * log.records
    header = FileHeader(
        FileKind.CYCLIC, 0xEF00 | log.sfi, ALWAYS, NEVER, log.sfi, size, log.records
    )
    ctx.tree.add_file(ctx.session.directory, header)
