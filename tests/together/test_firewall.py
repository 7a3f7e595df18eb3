# SPDX-License-Identifier: Apache-2.0
"""防火墙 on issued cards: from one directory with all its rights, no file of another one opens.

Every file holds bytes that are nowhere else, so that what is said and what is in memory show
whose it is. Which rules then hold is the table's (`accesstable`): of what was proven, the PIN and
the keys of the application go along to another of its directories, those of a directory do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from accessbench import OK, REFUSED, attempt, card_of, fid, mounted, operations, prove
from accesstable import (
    GENERATIONS,
    LABELS,
    Proofs,
    TableFile,
    files,
    is_open,
    keys,
    provable,
)
from benchplan import noise
from keybench import Desk
from testbench import SELECT_DEBIT, SELECT_MF, select_df, select_name, send_all

from apdu.wire.hrss.generations import GENERATIONS as SPECIFIED
from card_os.nvm import JOURNAL_SIZE, Flash

STARTS = (*LABELS, "MF", "DEBIT")
from_everywhere = pytest.mark.parametrize(
    ("generation", "start"), [(each, start) for each in GENERATIONS for start in STARTS]
)


def content(file: TableFile) -> list[bytes]:
    """What this file alone holds: its records, or its bytes."""
    mark = f"{file.label} {file.ef}"
    if file.structure == "tlv":
        blank = file.contents()
        return [old[:2] + noise(f"{mark} {n}", len(old) - 2) for n, old in enumerate(blank)]
    if file.structure == "records":
        return [noise(f"{mark} {n}", file.size // file.records) for n in range(file.records)]
    return [noise(mark, file.size)]


@cache
def full_cells(generation: str) -> bytes:
    """A card in whose files something stands everywhere, written past the chip's commands."""
    flash = card_of(generation).flash
    for label, directory in mounted(flash).items():
        for file in files(generation, label):
            target = directory.by_sfi[file.sfi]
            for number, each in enumerate(content(file), start=1):
                match file.structure:
                    case "tlv":
                        target.update(number, each)
                    case "transparent":
                        target.update_binary(0, each)
                    case _:
                        target.append(each)
    return bytes(flash.cells)


class Intruder:
    """Somebody in one directory with all that can be proven there."""

    def __init__(self, generation: str, start: str) -> None:
        self.generation = generation
        self.start = start
        self.desk: Desk = card_of(generation, Flash(bytearray(full_cells(generation))))
        self.wrong: list[str] = []

    def come(self, by_way_of: tuple[bytes, ...] = ()) -> Proofs:
        """To the directory, to prove everything; what goes along from there to others.

        `by_way_of`: commands inside the application before the directory is entered.
        """
        self.desk.flash.cells[:] = full_cells(self.generation)
        self.desk.chip.reset()
        if self.start not in LABELS:
            send_all(self.desk.chip, [SELECT_MF if self.start == "MF" else SELECT_DEBIT])
            return frozenset()
        self.desk.go("SSSE")
        send_all(self.desk.chip, by_way_of)
        send_all(self.desk.chip, [select_df(fid(self.start))])
        prove(self.desk, {"PIN", *provable(self.generation, self.start)})
        application = {key.name for key in keys(self.generation, "SSSE") if key.provable}
        return frozenset({"PIN"} | application)

    def others(self) -> list[str]:
        return [label for label in LABELS if label != self.start]

    def spied(self, file: TableFile, way: str) -> None:
        """Send everything to what is now open by this SFI or current: it must not be this file."""
        said = b"".join(
            self.desk.chip.transmit(build(file, sfi))
            for _, build, _, _ in operations(file)
            for sfi in (file.sfi, 0)
        )
        memory = bytes(self.desk.flash.cells[JOURNAL_SIZE:])
        for part in content(file):
            if part[:64] in said:
                self.wrong.append(f"{way}: {file.label} {file.ef} was read")
            if part not in memory:
                self.wrong.append(f"{way}: {file.label} {file.ef} was changed")


# Without leaving the directory


def selections(file: TableFile) -> Iterator[tuple[str, str]]:
    """Ways to ask for an EF of the current DF."""
    yield "by SFI", ""
    yield "by identifier", f"00A4000002{file.ef}"
    yield "as an EF of the DF", f"00A4020002{file.ef}"
    yield "by path from the DF", f"00A4090002{file.ef}"


@from_everywhere
def test_whoever_stays_in_a_directory_reaches_no_file_of_another(
    generation: str, start: str
) -> None:
    intruder = Intruder(generation, start)
    for way in range(4):
        intruder.come()
        for label in intruder.others():
            for file in files(generation, label):
                name, select = list(selections(file))[way]
                if select:
                    intruder.desk.send(bytes.fromhex(select))
                intruder.spied(file, name)
    assert [] == intruder.wrong


@from_everywhere
def test_a_file_that_was_current_in_another_directory_is_so_no_more(
    generation: str, start: str
) -> None:
    intruder = Intruder(generation, start)
    for label in intruder.others() if start in LABELS else ():
        for file in files(generation, label):
            there = (select_df(fid(label)), bytes.fromhex(f"00A4020002{file.ef}"))
            intruder.come(there if label != "SSSE" else there[1:])
            for _, build, _, _ in operations(file):
                assert 0x6986 == intruder.desk.send(build(file, 0))
    assert [] == intruder.wrong


# Going to the other directory


def select(p1: int, data: bytes = b"") -> bytes:
    """SELECT, with room for an FCI."""
    lc = bytes((len(data),)) if data else b""
    return bytes((0x00, 0xA4, p1, 0x00)) + lc + data + b"\0"


def routes(generation: str, start: str, label: str) -> Iterator[tuple[str, list[bytes], bool]]:
    """Ways to another DF: in words, the commands, and whether the application's proofs go along."""
    inside = start in LABELS
    below = [] if label == "SSSE" else [fid(label).to_bytes(2)]
    yield "by path", [select(0x08, b"".join([b"\xdd\xf1", *below]))], inside
    yield "by name", [select_name(SPECIFIED[generation].directory(label).name)], False
    over = [SELECT_MF, select(0x00, b"\xdd\xf1"), *(select(0x00, each) for each in below)]
    yield "over the MF", over, False
    if inside:
        yield "by identifier", [select_df(fid(label))], True
        up = [] if start == "SSSE" else [select(0x03)]
        yield "up and down", up + [select(0x01, each) for each in below], True


@from_everywhere
def test_whoever_goes_to_another_directory_has_there_what_is_the_applications(
    generation: str, start: str
) -> None:
    intruder = Intruder(generation, start)
    desk = intruder.desk
    for label in intruder.others():
        for way, commands, along in routes(generation, start, label):
            left = intruder.come()
            send_all(desk.chip, commands)
            left = left if along else frozenset()
            before = desk.chip.snapshot()
            for granted in (False, True):
                for tried, wrong in attempt(desk, files(generation, label), left, granted=granted):
                    # A ring that is full and a file of eight records take another word.
                    bad = wrong - ({0x6A84} if granted else set())
                    intruder.wrong += [f"{label} {way}: {tried}: {word:04X}" for word in bad]
                if not granted and before != desk.chip.snapshot():
                    intruder.wrong.append(f"{label} {way}: a refused command changed something")
    assert [] == intruder.wrong


@from_everywhere
def test_a_file_that_is_selected_by_its_path_opens_by_its_own_rule(
    generation: str, start: str
) -> None:
    intruder = Intruder(generation, start)
    for label in intruder.others():
        left = intruder.come()
        for file in files(generation, label):
            path = "DDF1" + (label if label != "SSSE" else "") + file.ef
            assert OK == intruder.desk.send(bytes.fromhex(f"00A40800{len(path) // 2:02X}{path}"))
            for name, build, words, reads in operations(file):
                opened = is_open(file.read if reads else file.update, left)
                allowed = words | {0x6A84} if opened else {REFUSED}
                assert intruder.desk.send(build(file, 0)) in allowed, (label, file.ef, name)


def test_what_the_files_hold_is_told_to_who_may_read() -> None:
    """Guards the tests above: they would also pass if nothing were told at all."""
    for generation in GENERATIONS:
        for label in LABELS:
            intruder = Intruder(generation, label)
            intruder.come()
            for file in files(generation, label):
                intruder.spied(file, "")
            told = {
                f": {label} {file.ef} was read" for file in files(generation, label) if file.read
            }
            assert told == {each for each in intruder.wrong if "read" in each}
