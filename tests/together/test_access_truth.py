# SPDX-License-Identifier: Apache-2.0
"""The whole truth table of access: each file, operation and combination of proofs of issued cards.

What is expected is in vectors/cards/hrss_access.json (`accesstable`), what is sent stands here
byte by byte; proofs are VERIFY and EXTERNAL AUTHENTICATE with the card's own keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from accesstable import (
    GENERATIONS,
    LABELS,
    PLACES,
    Situation,
    TableFile,
    files,
    is_open,
    keys,
    namesakes,
    provable,
    situations,
    subsets,
)
from keybench import PIN, SM4, TDES, Desk, issued_cells
from testbench import SELECT_DEBIT, SELECT_HRSS, command, select_df, sw, verify

from apdu.wire.hrss.generations import GENERATIONS as SPECIFIED
from apdu.wire.iso7816 import READ_RECORD, UPDATE_RECORD, RecordRef, RecordTarget
from card_os.chip import Chip
from card_os.nvm import JOURNAL_SIZE, Flash

every_place = pytest.mark.parametrize(("generation", "label"), PLACES)
OK, NO_RECORD, NO_SPACE, REFUSED = 0x9000, 0x6A83, 0x6A84, 0x6982
Build = Callable[[TableFile, int], bytes]
"""A command to a file, by its SFI or (0) as the current EF."""


def p2(sfi: int, mode: int) -> int:
    return sfi << 3 | mode


def written(ins: int, p1: int, p2: int, data: bytes) -> bytes:
    return bytes((0x00, ins, p1, p2, len(data))) + data


def read_record(p1: int, mode: int) -> Build:
    """With an extended Le, for the files that are longer than 256 bytes."""
    return lambda file, sfi: bytes((0x00, 0xB2, p1, p2(sfi, mode), 0, 0, 0))


def read_by_tag(file: TableFile, sfi: int) -> bytes:
    return bytes((0x00, 0xB2, file.items[0].tag, p2(sfi, 0), 0))


def read_binary(file: TableFile, sfi: int) -> bytes:
    return bytes((0x00, 0xB0, 0x80 | sfi if sfi else 0x00, 0x00, 0x00))


def record_of(file: TableFile) -> bytes:
    """A record that fits: the first item of a TLV file as it is, or zeros."""
    return file.contents()[0] if file.structure == "tlv" else bytes(file.size if file.items else 8)


def update_record(p1: int, mode: int) -> Build:
    return lambda file, sfi: written(0xDC, p1, p2(sfi, mode), record_of(file))


def update_by_tag(file: TableFile, sfi: int) -> bytes:
    return written(0xDC, file.items[0].tag, p2(sfi, 0), record_of(file))


def append_record(file: TableFile, sfi: int) -> bytes:
    return written(0xE2, 0x00, p2(sfi, 0), record_of(file))


def update_binary(file: TableFile, sfi: int) -> bytes:
    return written(0xD6, 0x80 | sfi if sfi else 0x00, 0x00, file.contents()[0][:8])


READS: dict[str, dict[str, tuple[Build, set[int]]]] = {
    "tlv": {
        "READ RECORD by number": (read_record(1, 4), {OK}),
        "READ RECORD by tag": (read_by_tag, {OK}),
        "READ RECORD all": (read_record(1, 5), {OK}),
    },
    "transparent": {"READ BINARY": (read_binary, {OK})},
    "cyclic": {
        "READ RECORD by number": (read_record(1, 4), {OK, NO_RECORD}),
        "READ RECORD all": (read_record(1, 5), {OK, NO_RECORD}),
    },
    "records": {
        "READ RECORD by number": (read_record(1, 4), {OK, NO_RECORD}),
        "READ RECORD all": (read_record(1, 5), {OK, NO_RECORD}),
    },
}
UPDATES: dict[str, dict[str, tuple[Build, set[int]]]] = {
    "tlv": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK}),
        "UPDATE RECORD by tag": (update_by_tag, {OK}),
        "APPEND RECORD": (append_record, {NO_SPACE}),
    },
    "transparent": {"UPDATE BINARY": (update_binary, {OK})},
    "cyclic": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK, NO_RECORD}),
        "UPDATE RECORD previous": (update_record(0, 3), {OK}),
        "APPEND RECORD": (append_record, {OK}),
    },
    "records": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK, NO_RECORD}),
        "APPEND RECORD": (append_record, {OK}),
    },
}
"""By structure: what reads and what writes, and what the card says to who may."""


def operations(file: TableFile) -> Iterator[tuple[str, Build, set[int], bool]]:
    """Name, command, expected words and whether it only reads."""
    for name, (build, words) in READS[file.structure].items():
        yield name, build, words, True
    for name, (build, words) in UPDATES[file.structure].items():
        yield name, build, words, False


def card_of(generation: str) -> Desk:
    suite = SM4 if generation == "3.0" else TDES
    return Desk(suite, Flash(bytearray(issued_cells(suite, generation))))


def come_to(desk: Desk, label: str, situation: Situation) -> None:
    """Begin anew, prove what the situation asks for, and end in the directory."""
    desk.go(situation.elsewhere[0] if situation.elsewhere else label)
    if situation.elsewhere:
        assert OK == desk.authenticate(situation.elsewhere[1])
        assert OK == desk.send(select_df(int(label, 16)))
    for name in sorted(situation.proven):
        assert OK == (desk.send(verify(PIN)) if name == "PIN" else desk.authenticate(name)), name


class Trial:
    """One card, on which every file of a directory is tried in one situation after the other."""

    def __init__(self, generation: str, label: str) -> None:
        self.files = files(generation, label)
        self.label = label
        self.desk = card_of(generation)
        self.made = self.memory()
        self.wrong: list[str] = []
        self.seen: set[tuple[str, str, bool]] = set()
        """File, operation, and whether it was granted."""

    def memory(self) -> bytes:
        return bytes(self.desk.flash.cells[JOURNAL_SIZE:])

    def run(self, situation: Situation) -> None:
        if self.memory() != self.made:  # something was written in the situation before
            self.desk.flash.cells[JOURNAL_SIZE:] = self.made
            self.desk.chip.reset()
        come_to(self.desk, self.label, situation)
        before = self.desk.chip.snapshot()
        self.attempt(situation, granted=False)
        if before != self.desk.chip.snapshot():
            self.wrong.append(f"{situation}: something that was refused changed the memory")
        self.attempt(situation, granted=True)

    def attempt(self, situation: Situation, *, granted: bool) -> None:
        """All operations that the table refuses, or all that it grants; by SFI and without."""
        for file in self.files:
            for name, build, words, reads in operations(file):
                rule = file.read if reads else file.update
                if granted != is_open(rule, situation.proven):
                    continue
                self.desk.send(bytes.fromhex(f"00A4020002{file.ef}"))
                found = {self.desk.send(build(file, sfi)) for sfi in (file.sfi, 0)}
                if not found <= (words if granted else {REFUSED}):
                    words_found = " ".join(f"{each:04X}" for each in found)
                    self.wrong.append(f"{situation}: {name} of {file.ef}: {words_found}")
                self.seen.add((file.ef, name, granted))


@every_place
def test_a_card_grants_what_the_table_grants_and_refuses_all_else(
    generation: str, label: str
) -> None:
    trial = Trial(generation, label)
    for situation in situations(generation, label):
        trial.run(situation)
    assert [] == trial.wrong
    expected = set()
    for file in files(generation, label):
        for name, _, _, reads in operations(file):
            rule = file.read if reads else file.update
            expected |= {(file.ef, name, True)} if rule else set()
            expected |= {(file.ef, name, False)} if frozenset() not in rule else set()
    assert expected == trial.seen


# That nothing is left out


def test_the_table_has_every_file_of_every_generation() -> None:
    for name, generation in SPECIFIED.items():
        issued = {
            (directory.label, f"{file.fid:04X}")
            for directory in generation.directories
            for file in directory.files
        }
        listed = [(file.label, file.ef) for label in LABELS for file in files(name, label)]
        assert len(listed) == len(set(listed))
        assert issued == set(listed)
    assert set(GENERATIONS) == set(SPECIFIED)


def test_every_file_is_tried_in_every_combination_of_its_proofs_with_and_without_others() -> None:
    for generation, label in PLACES:
        tried = set(situations(generation, label))
        for file in files(generation, label):
            strange = provable(generation, label) - file.involved
            assert strange
            for proven in subsets(file.involved):
                assert {Situation(proven), Situation(proven | strange)} <= tried
                if "PIN" not in file.involved:
                    assert Situation(proven | {"PIN"}) in tried


def test_every_key_of_a_rule_is_stood_in_for_by_all_of_its_number_in_other_directories() -> None:
    alone = set()
    for generation, label in PLACES:
        tried = set(situations(generation, label))
        local = {key.name for key in keys(generation, label) if key.kid & 0x80}
        for file in files(generation, label):
            for name in file.involved & local:
                others = namesakes(generation, label, name)
                alone |= set() if others else {name}
                rest = file.involved - {name}
                assert {Situation(way, each) for way in subsets(rest) for each in others} <= tried
    assert {"UKBDF01"} == alone  # no other DF has so many keys


def test_the_account_of_the_bank_is_free_to_read_and_nobody_writes_it(chip: Chip) -> None:
    chip.transmit(SELECT_HRSS)
    chip.transmit(verify(PIN))
    chip.transmit(SELECT_DEBIT)
    assert OK == sw(chip.transmit(command(READ_RECORD, RecordRef(1, 1))))
    assert REFUSED == sw(chip.transmit(command(UPDATE_RECORD, RecordTarget(1, 1), b"x")))
