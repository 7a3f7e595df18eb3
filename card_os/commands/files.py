# SPDX-License-Identifier: Apache-2.0
"""SELECT, and reading and writing files (ISO 7816-4 11.1 to 11.3)."""

from __future__ import annotations

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
    ReadMode,
    RecordRef,
    RecordTarget,
    Selection,
    SfiOffset,
    UpdateMode,
)
from card_os.access import Rule
from card_os.dispatch import CommandTable, Context
from card_os.files.records import CyclicFile, RecordFile, TransparentFile
from card_os.files.select import blocked, find, terminated
from card_os.session import IN_USE, Stage

Target = RecordRef | RecordTarget | AppendTarget | Offset | SfiOffset

commands = CommandTable()


def reading(ctx: Context, target: Target) -> Rule:
    """The target file, not the command, knows who may read it."""
    return ctx.file(target.sfi).read_rule


def updating(ctx: Context, target: Target) -> Rule:
    return ctx.file(target.sfi).update_rule


def _records(ctx: Context, target: Target) -> RecordFile:
    """The record file, made current as ISO 7816-4 7.2.2 wants it; 6981 for another structure."""
    file = ctx.file(target.sfi)
    if not isinstance(file, RecordFile):
        raise StatusError(SW.WRONG_FILE_STRUCTURE)
    ctx.session.file = file
    return file


def _bytes(ctx: Context, target: Target) -> TransparentFile:
    """The transparent file, in the same way."""
    file = ctx.file(target.sfi)
    if not isinstance(file, TransparentFile):
        raise StatusError(SW.WRONG_FILE_STRUCTURE)
    ctx.session.file = file
    return file


@commands.on(SELECT, life=IN_USE | Stage.BLOCKED)
def select(ctx: Context, selection: Selection, data: bytes) -> bytes | None:
    """A DF selected by name begins its application anew; another way in keeps what was proven
    as long as it stays inside the application. What cannot be found changes nothing."""
    directory, file = find(ctx.tree, ctx.session.directory, selection, data)
    if terminated(directory):
        raise StatusError(SW.PERMANENTLY_BLOCKED)
    if file is not None and directory is ctx.session.directory:
        ctx.session.file = file
        return b""
    ctx.enter(directory, fresh=selection.by is By.NAME)
    ctx.session.file = file
    wanted = selection.answer is Answer.FCI and file is None
    fci = directory.header.fci if wanted else b""
    if blocked(directory):
        raise StatusError(SW.FILE_DEACTIVATED, fci)
    return fci


@commands.on(READ_RECORD, access=reading)
def read_record(ctx: Context, ref: RecordRef, _: None) -> bytes:
    file = _records(ctx, ref)
    match ref.mode:
        case ReadMode.NUMBER:
            return file.record(ref.p1)
        case ReadMode.TAG:
            return file.record(file.number_of(ref.p1))
        case ReadMode.ALL_FROM:
            return file.all_from(ref.p1)


@commands.on(UPDATE_RECORD, access=updating)
def update_record(ctx: Context, target: RecordTarget, data: bytes) -> None:
    file = _records(ctx, target)
    match target.mode:
        case UpdateMode.NUMBER:
            file.update(target.p1, data)
        case UpdateMode.TAG:
            file.update(file.number_of(target.p1), data)
        case UpdateMode.PREVIOUS:
            if not isinstance(file, CyclicFile):
                raise StatusError(SW.WRONG_FILE_STRUCTURE)
            if target.p1:
                raise StatusError(SW.WRONG_P1P2)
            file.append(data)


@commands.on(APPEND_RECORD, access=updating)
def append_record(ctx: Context, target: AppendTarget, data: bytes) -> None:
    _records(ctx, target).append(data)


@commands.on(READ_BINARY, access=reading)
def read_binary(ctx: Context, ref: Offset | SfiOffset, _: None) -> bytes:
    found = _bytes(ctx, ref).read_binary(ref.offset, ctx.ne)
    if len(found) < ctx.ne < 256:
        raise StatusError(SW.END_OF_FILE, found)
    return found


@commands.on(UPDATE_BINARY, access=updating)
def update_binary(ctx: Context, ref: Offset | SfiOffset, data: bytes) -> None:
    _bytes(ctx, ref).update_binary(ref.offset, data)


@commands.on(GET_RESPONSE, life=IN_USE | Stage.BLOCKED)
def get_response(ctx: Context, _: None, __: None) -> bytes:
    """Hand out what waits, each byte once. A length that is too long is told the right one."""
    waiting = ctx.session.pending
    if not waiting:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
    if len(waiting) < ctx.ne < 256:
        raise StatusError(SW.WRONG_LE | len(waiting))
    return waiting
