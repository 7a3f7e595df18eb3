# SPDX-License-Identifier: Apache-2.0
"""What an issuer's script may do to the card, but for its data elements (`put_data`).

All that one command changes, the script counter with it, is one step. Blocking takes effect when
the transaction ends: the session goes on as it was, and the next SELECT finds the application
blocked (JR/T 0025.5 annex B).
"""

from __future__ import annotations

from apdu.crypto.pinblock import build_iso_2, pin_change_key, read_iso_2, read_pin_change
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import parse
from apdu.wire.iso7816 import RecordTarget, UpdateMode
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import (
    AC_KEY,
    DEBIT_AID,
    ENC_KEY,
    PIN_REFERENCE,
    PPSE_NAME,
    PSE_NAME,
)
from apdu.wire.pboc.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    PIN_CHANGE_UNBLOCK,
    UPDATE_RECORD,
    PinChange,
    PinChangeRef,
)
from apdu.wire.perso import KeyUsage, Life
from card_os.apps.pboc.groups import read_record, write_group
from card_os.apps.pboc.profile import profile_of
from card_os.apps.pboc.scripts import ANSWERING, processing, route_of
from card_os.apps.pboc.state import store
from card_os.apps.pboc.transaction import current
from card_os.dispatch import CommandTable, Context, Protection
from card_os.secrets.pins import PinObject

commands = CommandTable()

BANK = (DEBIT_AID, PSE_NAME, PPSE_NAME)
"""What CARD BLOCK ends: the bank's application and its directories. The card has a second issuer,
whose applications go on (profile choice `card-block-scope`)."""


@commands.on(PIN_CHANGE_UNBLOCK, messaging=Protection.ENCIPHERED, life=ANSWERING)
def pin_change_unblock(ctx: Context, ref: PinChangeRef, change: bytes) -> None:
    """All tries again, and but for UNBLOCK a new PIN.

    StatusError 6A88 when the card has no PIN, 6700 for data that the service does not want or
    misses; FormatError when what is in it is no PIN.
    """
    with processing(ctx) as state:
        pin = ctx.pin(PIN_REFERENCE)
        changes = ref.service is not PinChange.UNBLOCK
        if bool(change) is not changes:
            text = "a new PIN comes with a change, and not with UNBLOCK"
            raise StatusError(SW.WRONG_LENGTH, text)
        new = _new_pin(ctx, pin, ref.service, change) if changes else pin.coding()
        with ctx.nvm.atomic():
            store(ctx.session.directory, state)
            pin.renew(new)


def _new_pin(ctx: Context, pin: PinObject, service: PinChange, change: bytes) -> bytes:
    """The block of the new PIN, which the card's key, and with some services the PIN in force,
    were mixed into (profile choice `pin-change-key`)."""
    algorithm = route_of(current(ctx)).algorithm
    ac = ctx.key(AC_KEY, KeyUsage.CRYPTOGRAM, algorithm).reveal()
    encipherment = ctx.key(ENC_KEY, KeyUsage.SCRIPT_ENCIPHERMENT, algorithm).reveal()
    in_force = read_iso_2(pin.coding()) if service is PinChange.CHANGE_WITH_CURRENT else ""
    return build_iso_2(read_pin_change(change, pin_change_key(ac, encipherment), in_force))


@commands.on(APPLICATION_BLOCK, messaging=Protection.MAC, life=ANSWERING)
def application_block(ctx: Context, _: None, __: None) -> None:
    """Block the application; again as well."""
    _move(ctx, Life.DEACTIVATED)


@commands.on(APPLICATION_UNBLOCK, messaging=Protection.MAC, life=ANSWERING)
def application_unblock(ctx: Context, _: None, __: None) -> None:
    """Give the application back; one that is not blocked stays as it is."""
    _move(ctx, Life.ACTIVATED)


@commands.on(CARD_BLOCK, messaging=Protection.MAC, life=ANSWERING)
def card_block(ctx: Context, _: None, __: None) -> None:
    """End the bank's side of the card; there is no way back."""
    tree = ctx.tree
    with processing(ctx) as state, ctx.nvm.atomic():
        store(ctx.session.directory, state)
        for name in BANK:
            if name in tree.names:
                tree.set_life(tree.names[name], Life.TERMINATED)


def _move(ctx: Context, life: Life) -> None:
    """Bring the application to this state. StatusError 6985 when it has ended."""
    directory = ctx.session.directory
    with processing(ctx) as state:
        if directory.life is Life.TERMINATED:
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, "{place} has ended for good")
        with ctx.nvm.atomic():
            store(directory, state)
            ctx.tree.set_life(directory, life)


@commands.on(UPDATE_RECORD, messaging=Protection.MAC, life=ANSWERING)
def update_record(ctx: Context, ref: RecordTarget, new: bytes) -> None:
    """Replace a record as a whole, in the room that it has.

    StatusError 6A86 for a record not named by its number, 6A82 or 6A83 when there is none, 6A80
    for what is no template 70 or leaves the application without its data, 6A84 when it is longer
    than its room.
    """
    directory = ctx.session.directory
    with processing(ctx) as state:
        if ref.mode is not UpdateMode.NUMBER:
            raise StatusError(SW.WRONG_P1P2, "the record is named by its number alone")
        read_record(directory, ref.sfi, ref.p1)
        if [tags.RECORD_TEMPLATE] != [item.tag for item in parse(new)]:
            raise FormatError("record: must be one template 70")
        with ctx.nvm.atomic():
            store(directory, state)
            write_group(directory.by_fid[ref.sfi << 8 | ref.p1], new)
            directory.made = None
            _judge(ctx)


def _judge(ctx: Context) -> None:
    """Whether the chip can make a profile of its groups as they would be."""
    try:
        profile_of(ctx.session.directory)
    except StatusError as refused:
        raise refused.told_as(SW.WRONG_DATA) from None
