# SPDX-License-Identifier: Apache-2.0
"""Personalising the application: data groups come in, and with the last of them it is in use.

Groups may be cut anywhere between two blocks of STORE DATA. Keys, PIN and logs become what the
chip works with; all else stays a group (EMV Card Personalization Specification; JR/T 0025 as a
public personalisation script has it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.globalplatform import STORE_DATA, StoreDataRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LoadLogHead
from apdu.wire.pboc.application import AC_KEY, ENC_KEY, MAC_KEY, PIN_REFERENCE
from apdu.wire.pboc.groups import KEYS, PIN, PIN_LIMIT, take_group
from apdu.wire.perso import Algorithm, FileHeader, FileKind, KeyBlock, KeyUsage, Life
from card_os.apps.pboc.groups import add_group
from card_os.apps.pboc.profile import Log, profile_of
from card_os.apps.pboc.state import STATE_FID, CardState, store
from card_os.dispatch import CommandTable, Context
from card_os.session import Stage

commands = CommandTable()

KEY_LENGTH: Final = 16
LIMIT: Final = 15
"""Of a payment key's error counter, which nothing counts down."""
_KEY_SLOTS: Final = (
    (AC_KEY, KeyUsage.CRYPTOGRAM),
    (MAC_KEY, KeyUsage.SCRIPT_MAC),
    (ENC_KEY, KeyUsage.SCRIPT_ENCIPHERMENT),
)


@dataclass(frozen=True, slots=True)
class Storing:
    """What came so far: the number of the next block, what is left of a group that was cut, and
    the PIN, which waits for its limit."""

    block: int = 0
    rest: bytes = field(default=b"", repr=False)
    pin: bytes = field(default=b"", repr=False)
    limit: int = 0


NOTHING_STORED: Final = Storing()


@commands.on(STORE_DATA, life=Stage.INITIALISATION | Stage.PERSONALISATION)
def store_data(ctx: Context, ref: StoreDataRef, data: bytes) -> None:
    """Take groups; with the last block the application is personalised.

    StatusError 6985 for a block out of its order, 6A80 for a group that is not in its shape, or
    not whole at the end.
    """
    storing: Storing = ctx.session.scratch
    if ref.block != storing.block & 0xFF:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
    stream = storing.rest + data
    storing = replace(storing, block=storing.block + 1, rest=b"")
    while (taken := take_group(stream)) is not None:
        group, stream = taken
        storing = _take(ctx, storing, group.number, group.value)
    storing = replace(storing, rest=stream)
    if ref.last:
        _finish(ctx, storing)
    else:
        ctx.session.scratch = storing


def _take(ctx: Context, storing: Storing, number: int, value: bytes) -> Storing:
    for algorithm, keys in KEYS.items():
        if number == keys:
            _keep_keys(ctx, algorithm, value)
            return storing
    if number == PIN:
        return replace(storing, pin=value)
    if number == PIN_LIMIT:
        return replace(storing, limit=value[-1] & 0x0F if value else 0)
    add_group(ctx, ctx.session.directory, number, value)
    return storing


def _keep_keys(ctx: Context, algorithm: Algorithm, value: bytes) -> None:
    if len(value) != KEY_LENGTH * len(_KEY_SLOTS):
        raise StatusError(SW.WRONG_DATA)
    for place, (kid, usage) in enumerate(_KEY_SLOTS):
        key = value[place * KEY_LENGTH : (place + 1) * KEY_LENGTH]
        block = KeyBlock(usage, algorithm, algorithm, LIMIT, key)
        ctx.tree.add_secret(ctx.session.directory, kid, block)


def _finish(ctx: Context, storing: Storing) -> None:
    """Make PIN, logs and state, and put the application in use."""
    directory = ctx.session.directory
    if storing.rest:
        raise StatusError(SW.WRONG_DATA)
    profile = profile_of(directory)
    if storing.pin:
        block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, storing.limit, storing.pin)
        ctx.tree.add_secret(directory, PIN_REFERENCE, block)
    _make_log(ctx, profile.transaction_log, 0)
    _make_log(ctx, profile.load_log, LoadLogHead.byte_length())
    header = FileHeader(FileKind.TRANSPARENT, STATE_FID, NEVER, NEVER, size=CardState.byte_length())
    ctx.tree.add_file(directory, header)
    state = CardState(
        atc=profile.number(tags.ATC) or 0,
        balance=amount_of(profile.parameters.get(tags.EC_BALANCE, b"\0")),
        second_balance=amount_of(profile.parameters.get(tags.SECOND_EC_BALANCE, b"\0")),
    )
    store(directory, state)
    waits = profile.bits(tags.NOT_ACTIVATED)
    ctx.tree.set_life(directory, Life.DEACTIVATED if waits else Life.ACTIVATED)
    ctx.enter(directory, fresh=True)


def _make_log(ctx: Context, log: Log | None, head: int) -> None:
    """The ring of a log, when the card has one. `head`: bytes of a record before its elements."""
    if log is None:
        return
    size = (head + log.layout.length) * log.records
    header = FileHeader(
        FileKind.CYCLIC, 0xEF00 | log.sfi, ALWAYS, NEVER, log.sfi, size, log.records
    )
    ctx.tree.add_file(ctx.session.directory, header)
