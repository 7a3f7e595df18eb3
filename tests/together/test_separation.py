# SPDX-License-Identifier: Apache-2.0
"""防火墙: what one application or directory has, the others do not reach.

From each directory, with all proven there that can be, each file of every other directory is
tried by every way a command offers. What decides is the file's own condition, and what of the
proofs survives the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from benchplan import (
    BY_LABEL,
    DIRECTORIES,
    FILES,
    BenchFile,
    files_in,
    found_by_id,
    holds,
    path_to,
    root_of,
)
from neighbour import NEIGHBOUR
from testbench import (
    PROVE,
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    boot,
    command,
    go_to,
    sealed_cells,
    select_df,
    select_name,
    send_all,
    sw,
    verify,
    world,
)

from apdu.wire.access import Key, Pin
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed
from apdu.wire.hrss.generations import DIRECTORIES as HRSS_DIRECTORIES
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    AppendTarget,
    By,
    Offset,
    ReadMode,
    RecordRef,
    RecordTarget,
    Selection,
    SfiOffset,
)
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import KeyRef
from card_os.apps.hrss import HRSS
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import Application, CommandTable, Context
from card_os.nvm import JOURNAL_SIZE, Flash
from host.card import Card
from host.clients.hrss import HrssClient

Proofs = frozenset[Pin | Key]


def prove_all(chip: Chip, label: str) -> Proofs:
    """Go to a directory by identifiers, and prove there all that it and its application know."""
    send_all(chip, go_to(label))
    if root_of(label) != "SSSE":
        return frozenset()
    proven: set[Pin | Key] = set()
    for directory in path_to(label):
        for reference, pin in directory.pins.items():
            if reference < 0x80 or directory.label == label:
                send_all(chip, [verify(pin.value, reference)])
                proven.add(Pin(reference))
        for kid in directory.keys:
            if kid < 0x80 or directory.label == label:
                send_all(chip, [command(PROVE, KeyRef(kid))])
                proven.add(Key(kid))
    return frozenset(proven)


def surviving(proven: Proofs, start: str, end: str, *, by_name: bool) -> Proofs:
    """What is left of the proofs on the way from one directory to another."""
    if by_name or root_of(start) != root_of(end):
        return frozenset()
    if start == end:
        return proven
    return frozenset(p for p in proven if (p.reference if isinstance(p, Pin) else p.kid) < 0x80)


def ways(start: str, file: BenchFile) -> Iterator[tuple[str, bytes | None, str, bool]]:
    """Ways to name a file: in words, the command, the directory it ends in, and if by name."""
    fid = file.fid.to_bytes(2)
    path = b"".join(each.fid.to_bytes(2) for each in path_to(file.where))
    yield "by SFI or current EF, without leaving", None, start, False
    yield "by EF identifier", command(SELECT, Selection(By.EF_OF_DF), fid), start, False
    found = found_by_id(start, file.fid)
    by_id = command(SELECT, Selection(By.FILE_ID), fid)
    yield "by identifier", by_id, found[0] if found else start, False
    yield "by path", command(SELECT, Selection(By.PATH_FROM_MF), path + fid), file.where, False
    if path:
        by_path = command(SELECT, Selection(By.PATH_FROM_MF), path)
        yield "by its directory's path", by_path, file.where, False
    name = BY_LABEL[file.where].name
    if name:
        yield "by its directory's name", select_name(name), file.where, True


def reads(sfi: int) -> list[bytes]:
    """All commands that read the file of this SFI, 0 the current one."""
    return [
        command(READ_BINARY, SfiOffset(sfi) if sfi else Offset(0)),
        command(READ_RECORD, RecordRef(1, sfi)),
        command(READ_RECORD, RecordRef(1, sfi, ReadMode.ALL_FROM)),
        command(READ_RECORD, RecordRef(0x08, sfi, ReadMode.TAG)),
    ]


def updates(sfi: int) -> list[bytes]:
    """All commands that write it."""
    return [
        command(UPDATE_BINARY, SfiOffset(sfi) if sfi else Offset(0), b"\x5a"),
        command(UPDATE_RECORD, RecordTarget(1, sfi), b"\x08\x09 changed!"),
        command(UPDATE_RECORD, RecordTarget(1, sfi), b"changed!"),
        command(APPEND_RECORD, AppendTarget(sfi), b"changed!"),
    ]


def parts_of(file: BenchFile) -> list[bytes]:
    """What only this file holds: its bytes, or each of its records."""
    return [file.content] if isinstance(file.content, bytes) else list(file.content)


def shows(said: bytes, file: BenchFile) -> bool:
    """Whether something that was said holds a piece of the file."""
    return any(part[2:10] in said for part in parts_of(file))


PAIRS = [
    pytest.param(start, end, id=f"{start} to {end}")
    for start, end in permutations(BY_LABEL, 2)
    if files_in(end)
]


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_from_one_directory_a_file_of_another_opens_by_its_own_condition_alone(
    start: str, end: str
) -> None:
    for file in files_in(end):
        for way, select, place, by_name in ways(start, file):
            flash = Flash(bytearray(sealed_cells()))
            chip = boot(flash)
            proven = prove_all(chip, start)
            if select is not None:
                chip.transmit(select)
            left = surviving(proven, start, place, by_name=by_name)
            there = place == file.where
            sfis = {file.sfi if there else file.number, 0}
            said = b"".join(chip.transmit(raw) for n in sfis for raw in (*reads(n), *updates(n)))
            if not (there and holds(file.read, left)):
                assert not shows(said, file), way
            if not (there and holds(file.update, left)):
                memory = bytes(flash.cells[JOURNAL_SIZE:])
                assert all(part in memory for part in parts_of(file)), way


def test_the_ways_do_reach_what_is_open() -> None:
    """Guards the test above: it would also pass if nothing could be read at all."""
    reached = set()
    for file in FILES:
        for way, select, place, by_name in ways("SSSE", file):
            chip = bench()
            proven = prove_all(chip, "SSSE")
            if select is not None:
                chip.transmit(select)
            left = surviving(proven, "SSSE", place, by_name=by_name)
            said = b"".join(chip.transmit(raw) for n in {file.sfi, 0} for raw in reads(n))
            if place == file.where and holds(file.read, left) and shows(said, file):
                reached.add((file.where, way))
    assert {where for where, _ in reached} == {
        "MF",
        "SSSE",
        "DF01",
        "DF11",
        "DF03",
        "DEBIT",
        "DEBIT DF",
    }
    assert len({way for _, way in reached}) == 6


@pytest.mark.parametrize("leave", ["reset", "MF", "DEBIT", "DEBIT DF"])
def test_a_pin_that_was_proven_opens_nothing_once_its_application_is_left(leave: str) -> None:
    """In MF and DEBIT stand files that want a PIN of the same number, which cannot be had there."""
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456"), verify("65432100", 0x01)])
    if leave == "reset":
        chip.reset()
        leave = "MF"
    else:
        send_all(chip, go_to(leave))
    for file in files_in(leave):
        for raw in (*reads(file.sfi), *updates(file.sfi)):
            if not holds(file.read, ()) or raw in updates(file.sfi):
                assert 0x6982 == sw(chip.transmit(raw))


# GET RESPONSE

NAMED = [directory for directory in DIRECTORIES if directory.name]


@pytest.mark.parametrize("interlude", ["select", "failed select", "reset", "verify"])
def test_what_one_application_left_waiting_is_never_handed_out_in_another(interlude: str) -> None:
    for one, other in permutations(NAMED, 2):
        chip = bench()
        assert 0x61 == chip.transmit(select_name(one.name)[:-1])[0]
        match interlude:
            case "select":
                chip.transmit(select_name(other.name))
            case "failed select":
                chip.transmit(select_name(other.name + b"\0"))
            case "reset":
                chip.reset()
            case _:
                chip.transmit(verify("123456"))
        for ne in (256, len(one.name) + 2, 1):
            assert b"\x69\x85" == chip.transmit(command(GET_RESPONSE, ne=ne))


# The challenge

PEEK = CommandForm("PEEK", 0xF7, Fixed(), NOTHING, RAW, cases=frozenset({2}), cla=0x80)
peeking = CommandTable()


@peeking.on(PEEK)
def peek(ctx: Context, _: None, __: None) -> bytes:
    """The challenge that EXTERNAL AUTHENTICATE would use."""
    return ctx.session.challenge


def with_peek(application: Application) -> Application:
    table = CommandTable(application.commands, peeking)
    return Application(application.label, application.name, table)


PEEKING_ROM = tuple(map(with_peek, (ROOT, HRSS, NEIGHBOUR)))


@pytest.mark.parametrize("start", BY_LABEL)
def test_a_challenge_is_dropped_with_the_application_it_was_fetched_in(start: str) -> None:
    chip = Chip(PEEKING_ROM, Flash(bytearray(sealed_cells())), world())
    for end in BY_LABEL:
        for by_name in {False, bool(BY_LABEL[end].name)}:
            send_all(chip, go_to(start))
            fetched = chip.transmit(command(GET_CHALLENGE, ne=8))
            assert fetched == chip.transmit(command(PEEK))
            path = b"".join(each.fid.to_bytes(2) for each in path_to(end))
            by_path = command(SELECT, Selection(By.PATH_FROM_MF), path) if path else SELECT_MF
            send_all(chip, [select_name(BY_LABEL[end].name) if by_name else by_path])
            kept = root_of(start) == root_of(end) and not by_name
            assert (fetched if kept else b"\x90\x00") == chip.transmit(command(PEEK))


def test_a_challenge_does_not_survive_a_reset_and_only_the_latest_counts() -> None:
    chip = Chip(PEEKING_ROM, Flash(bytearray(sealed_cells())), world())
    first = chip.transmit(command(GET_CHALLENGE, ne=8))
    latest = chip.transmit(command(GET_CHALLENGE, ne=8))
    assert first != latest == chip.transmit(command(PEEK))
    chip.reset()
    assert b"\x90\x00" == chip.transmit(command(PEEK))


def test_no_challenge_comes_twice() -> None:
    """Q14, in a small way."""
    chip = bench()
    seen = set()
    for _ in range(64):
        chip.reset()
        seen |= {chip.transmit(command(GET_CHALLENGE, ne=8))[:-2] for _ in range(64)}
    assert 64 * 64 == len(seen)
    assert {8} == {len(each) for each in seen}


# The issued card


def test_on_an_issued_card_neither_application_sees_anything_of_the_other(
    chip: Chip, card: Card
) -> None:
    client = HrssClient(card)
    hrss = [bytes(client.issuer()), bytes(client.holder())]
    chip.transmit(SELECT_DEBIT)
    account = chip.transmit(command(READ_RECORD, RecordRef(1, 1)))[:-2]
    send_all(chip, [SELECT_HRSS, verify("123456")])
    for sfi in range(31):
        for raw in reads(sfi):
            answer = chip.transmit(raw)
            assert account[4:12] not in answer
    for name in (DEBIT_AID, b""):
        send_all(chip, [SELECT_HRSS, verify("123456"), select_name(name) if name else SELECT_MF])
        for sfi in range(31):
            for raw in reads(sfi):
                answer = chip.transmit(raw)
                for whole in hrss:
                    assert not any(whole[n : n + 8] in answer for n in range(2, len(whole) - 8))


def test_on_an_issued_card_no_file_can_be_written_with_the_pin_alone(chip: Chip) -> None:
    before = chip.snapshot()
    for directory in HRSS_DIRECTORIES:
        send_all(chip, [SELECT_HRSS, verify("123456")])
        if directory.name != HRSS.name:
            send_all(chip, [select_df(directory.fid)])
        for sfi in range(31):
            for raw in updates(sfi):
                assert sw(chip.transmit(raw)) in (0x6982, 0x6A82, 0x6986)
    assert before == chip.snapshot()
