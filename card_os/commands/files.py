# SPDX-License-Identifier: Apache-2.0
"""SELECT, and reading and writing files (ISO 7816-4 11.1 to 11.3)."""

from __future__ import annotations

from apdu.command import EXTENDED_NE, SHORT_NE
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    Answer,
    AppendTarget,
    By,
    Offset,
    PreviousTarget,
    ReadMode,
    RecordRef,
    RecordTarget,
    Selection,
    SfiOffset,
    UpdateMode,
)
from apdu.wire.perso import Life
from card_os.access import Rule
from card_os.dispatch import CommandTable, Context, Protection
from card_os.files.select import find
from card_os.session import IN_USE, Stage

Target = RecordRef | RecordTarget | PreviousTarget | AppendTarget | Offset | SfiOffset

selection = CommandTable()
"""SELECT, and GET RESPONSE: every application has them."""
access = CommandTable()

# Members of enumerations, looked up once: this is the path of every SELECT and READ RECORD.
_BY_NAME, _FCI, _NUMBER = By.NAME, Answer.FCI, ReadMode.NUMBER
_TERMINATED, _DEACTIVATED = Life.TERMINATED, Life.DEACTIVATED
_ALL = SHORT_NE, EXTENDED_NE
"""Ne that asks for all there is, and not for so many bytes."""


def reading(ctx: Context, ref: Target) -> Rule:
    """The target file, not the command, knows who may read it."""
    return ctx.aim(ref.sfi).read_rule


def updating(ctx: Context, ref: Target) -> Rule:
    return ctx.aim(ref.sfi).update_rule


_ALWAYS = IN_USE | Stage.BLOCKED | Stage.PERSONALISATION


@selection.on(SELECT, life=_ALWAYS)
def select(ctx: Context, how: Selection, data: bytes) -> bytes | None:
    """A DF selected by name begins its application anew; another way in keeps what was proven
    as long as it stays inside the application. What cannot be found changes nothing."""
    directory, file = find(ctx.tree, ctx.session.directory, how, data)
    life = directory.effective
    if life is _TERMINATED:
        text, fid = "DF {fid:04X} is terminated: it has ended for good", directory.header.fid
        raise StatusError(ctx.application(directory).ended, text, fid=fid)
    named = ctx.application(directory).fci if directory is directory.root else None
    fci = directory.header.fci if named is None else named(ctx, directory)
    if file is None or directory is not ctx.session.directory:
        ctx.enter(directory, fresh=how.by is _BY_NAME)
    ctx.session.file = file
    if how.answer is not _FCI or file is not None:
        fci = b""
    if life is _DEACTIVATED or (file is not None and file.life is _DEACTIVATED):
        text = "it is selected, and blocked: {fid:04X} is deactivated, or what is above it"
        fid = directory.header.fid if file is None else file.header.fid
        raise StatusError(SW.FILE_DEACTIVATED, text, fci, fid=fid)
    return fci


@access.on(READ_RECORD, access=reading)
def read_record(ctx: Context, ref: RecordRef, _: None) -> bytes:
    file = ctx.session.file = ctx.target
    mode = ref.mode
    if mode is _NUMBER:
        return file.record(ref.p1)
    if mode is ReadMode.TAG:
        return file.record(file.number_of(ref.p1))
    return file.all_from(ref.p1)


@access.on(UPDATE_RECORD, access=updating, messaging=Protection.OPTIONAL)
def update_record(ctx: Context, ref: RecordTarget | PreviousTarget, data: bytes) -> None:
    file = ctx.session.file = ctx.target
    if isinstance(ref, PreviousTarget):
        file.push(data)
    elif ref.mode is UpdateMode.NUMBER:
        file.update(ref.p1, data)
    else:
        file.update(file.number_of(ref.p1), data)


@access.on(APPEND_RECORD, access=updating, messaging=Protection.OPTIONAL)
def append_record(ctx: Context, _: AppendTarget, data: bytes) -> None:
    ctx.session.file = ctx.target
    ctx.target.append(data)


@access.on(READ_BINARY, access=reading)
def read_binary(ctx: Context, ref: Offset | SfiOffset, _: None) -> bytes:
    file = ctx.session.file = ctx.target
    found = file.read_binary(ref.offset, ctx.ne)
    if len(found) < ctx.ne and ctx.ne not in _ALL:
        text = "{file} ends behind {length} bytes, Le asks for {ne}"
        facts = {"file": file.header.fid, "length": len(found), "ne": ctx.ne}
        raise StatusError(SW.END_OF_FILE, text, found, **facts)
    return found


@access.on(UPDATE_BINARY, access=updating, messaging=Protection.OPTIONAL)
def update_binary(ctx: Context, ref: Offset | SfiOffset, data: bytes) -> None:
    file = ctx.session.file = ctx.target
    file.update_binary(ref.offset, data)


@selection.on(GET_RESPONSE, life=_ALWAYS)
def get_response(ctx: Context, _: None, __: None) -> bytes:
    """Hand out what waits, each byte once. A length that is too long is told the right one."""
    waiting = ctx.session.pending
    if not waiting:
        text = "no answer is waiting: it was fetched, or another command came in between"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    if len(waiting) < ctx.ne < SHORT_NE:
        text, length = "{length} bytes are waiting, Le asks for {ne}", len(waiting)
        raise StatusError(SW.WRONG_LE | length, text, length=length, ne=ctx.ne)
    ctx.session.pending = b""
    return waiting


commands = CommandTable(selection, access)
