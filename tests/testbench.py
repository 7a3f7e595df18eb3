# SPDX-License-Identifier: Apache-2.0
"""A chip with every kind of file and condition on it (`benchplan`), and commands in one line.

The bench is personalised and sealed through the chip's own commands. `PROVE` stands in for the
authentication of keys, so that conditions with keys can be met.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from benchplan import DIRECTORIES, FILES, MF_FID, BenchDirectory, BenchFile, noise, path_to
from neighbour import NEIGHBOUR

from apdu.tlv import SimpleTlv, build_simple
from apdu.wire.access import (
    NEVER,
)
from apdu.wire.codes import pin_bytes
from apdu.wire.form import NOTHING, CommandForm
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.commands import CHANGE_PIN, PinChange
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    SELECT,
    UPDATE_BINARY,
    VERIFY,
    AppendTarget,
    By,
    PinRef,
    Selection,
)
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.apps.hrss import HRSS
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import Application, CommandTable, Context
from card_os.nvm import Flash
from card_os.world import World, seeded
from host.card import command_of
from host.cli.testcard import TEST_DAY

FLASH_SIZE = 12_288
HISTORICAL = bytes.fromhex("00815453570102030405060708")

# Commands that a test may send, in one line


def command(
    form: CommandForm[Any, Any, Any], params: Any = None, data: Any = None, *, ne: int = 256
) -> bytes:
    """The C-APDU of a form. Bytes go in as they are, other data is written as the form says."""
    if data is None:
        data = b"" if form.data.parse(b"") == b"" else None
    return bytes(command_of(form, params, data, ne))


def sw(answer: bytes) -> int:
    return int.from_bytes(answer[-2:])


def select_df(fid: int) -> bytes:
    return command(SELECT, Selection(By.FILE_ID), fid.to_bytes(2))


def select_name(name: bytes) -> bytes:
    return command(SELECT, Selection(), name)


def verify(pin: str, reference: int = 0) -> bytes:
    return command(VERIFY, PinRef(reference), pin_bytes(pin))


def tries(reference: int = 0) -> bytes:
    """VERIFY without data: asks for the tries left."""
    return command(VERIFY, PinRef(reference))


def change_pin(old: str, new: str) -> bytes:
    return command(CHANGE_PIN, None, PinChange(pin_bytes(old), pin_bytes(new)))


SELECT_HRSS, SELECT_DEBIT, SELECT_MF = (
    select_name(SSSE_NAME),
    select_name(DEBIT_AID),
    select_df(MF_FID),
)


# The chip

PROVE = CommandForm(
    "PROVE", 0xF8, KeyRef, NOTHING, NOTHING, cases=frozenset({1}), cla=0x80, spec="this bench"
)
_proofs = CommandTable()


@_proofs.on(PROVE)
def prove(ctx: Context, ref: KeyRef, _: None) -> None:
    """What EXTERNAL AUTHENTICATE does once the cryptogram was right, in one command."""
    ctx.session.status |= ctx.key(ref.kid, KeyUsage.EXTERNAL_AUTHENTICATE).proof


BENCH_ROM = (
    ROOT,
    Application("HRSS", SSSE_NAME, CommandTable(HRSS.commands, _proofs)),
    NEIGHBOUR,
)


def world() -> World:
    return seeded(7, TEST_DAY)


def boot(flash: Flash) -> Chip:
    """A chip of the bench's ROM under power, on cells that may hold anything."""
    return Chip(BENCH_ROM, flash, world())


def blank(flash: Flash | None = None) -> Chip:
    """A chip that has an MF and nothing else, in personalisation."""
    flash = flash or Flash(bytearray(FLASH_SIZE))
    Chip.manufacture(flash, world(), HISTORICAL)
    return boot(flash)


def send_all(chip: Chip, commands: Iterable[bytes]) -> None:
    """Commands that must all succeed; the warning that a file is blocked counts as success."""
    for each in commands:
        answer = chip.transmit(each)
        if sw(answer) not in (0x9000, 0x6283):
            raise AssertionError(f"{each.hex()} -> {answer.hex()}")


def go_to(label: str) -> list[bytes]:
    """Commands that make a directory current by FIDs, from anywhere."""
    return [SELECT_MF, *(select_df(directory.fid) for directory in path_to(label))]


def create_directory(directory: BenchDirectory) -> list[bytes]:
    header = FileHeader(
        FileKind.DF,
        directory.fid,
        NEVER,
        NEVER,
        name=directory.name,
        fci=build_simple([SimpleTlv(0x84, directory.name)]),
    )
    commands = [command(CREATE_FILE, None, header)]
    for reference, pin in directory.pins.items():
        block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, pin.limit, pin_bytes(pin.value))
        commands.append(command(WRITE_KEY, KeyRef(reference), block))
    for kid in directory.keys:
        value = noise(f"{directory.label} key {kid}", 16)
        block = KeyBlock(KeyUsage.EXTERNAL_AUTHENTICATE, 1, Algorithm.TDES, 15, value)
        commands.append(command(WRITE_KEY, KeyRef(kid), block))
    return commands


def create_file(file: BenchFile) -> list[bytes]:
    header = FileHeader(
        file.kind, file.fid, file.read, file.update, file.sfi, file.size, file.records
    )
    commands = [command(CREATE_FILE, None, header)]
    # What was created is the current EF, so that files without an SFI are filled alike.
    if isinstance(file.content, bytes):
        for at in range(0, len(file.content), 255):
            head = bytes((0x00, UPDATE_BINARY.ins)) + at.to_bytes(2)
            part = file.content[at : at + 255]
            commands.append(head + bytes((len(part),)) + part)
    else:
        commands += [command(APPEND_RECORD, AppendTarget(0), each) for each in file.content]
    return commands


@cache
def unsealed_cells() -> bytes:
    """The bench with all files, still in personalisation."""
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank(flash)
    for directory in DIRECTORIES:
        if directory.parent is not None:
            send_all(chip, go_to(directory.parent))
            send_all(chip, create_directory(directory))
    for file in FILES:
        send_all(chip, [*go_to(file.where), *create_file(file)])
    return bytes(flash.cells)


@cache
def sealed_cells() -> bytes:
    """The bench as a holder has it."""
    flash = Flash(bytearray(unsealed_cells()))
    send_all(boot(flash), [SELECT_MF, command(ACTIVATE_FILE)])
    return bytes(flash.cells)


def bench() -> Chip:
    """A sealed bench of one's own."""
    return boot(Flash(bytearray(sealed_cells())))
