# SPDX-License-Identifier: Apache-2.0
"""The whole truth table of access: each file, operation and combination of proofs of issued cards.

What is expected is in vectors/cards/hrss_access.json (`accesstable`), what is sent in
`accessbench`; proofs are VERIFY and EXTERNAL AUTHENTICATE with the card's own keys.
"""

from __future__ import annotations

import pytest
from accessbench import OK, Outcome, attempt, card_of, operations, prove
from accesstable import (
    GENERATIONS,
    LABELS,
    PLACES,
    Situation,
    files,
    keys,
    namesakes,
    provable,
    situations,
    subsets,
)
from keybench import PIN, Desk
from testbench import SELECT_DEBIT, SELECT_HRSS, command, select_df, sw, verify

from apdu.sw import SW
from apdu.wire.hrss.generations import GENERATIONS as SPECIFIED
from apdu.wire.iso7816 import READ_RECORD, UPDATE_RECORD, RecordRef, RecordTarget
from card_os.chip import Chip
from card_os.nvm import JOURNAL_SIZE

every_place = pytest.mark.parametrize(("generation", "label"), PLACES)


def come_to(desk: Desk, label: str, situation: Situation) -> None:
    """Begin anew, prove what the situation asks for, and end in the directory."""
    desk.go(situation.elsewhere[0] if situation.elsewhere else label)
    if situation.elsewhere:
        prove(desk, [situation.elsewhere[1]])
        assert OK == desk.send(select_df(int(label, 16)))
    prove(desk, situation.proven)


class Trial:
    """One card, on which every file of a directory is tried in one situation after the other."""

    def __init__(self, generation: str, label: str) -> None:
        self.files = files(generation, label)
        self.label = label
        self.desk = card_of(generation)
        self.made = self.memory()
        self.wrong: list[str] = []
        self.seen: set[Outcome] = set()

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
        for tried, wrong in attempt(self.desk, self.files, situation.proven, granted=granted):
            self.seen.add(tried)
            self.wrong += [f"{situation}: {tried}: {word:04X}" for word in wrong]


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
    # Only the issuer does, by a script.
    unproven = chip.transmit(command(UPDATE_RECORD, RecordTarget(1, 1), b"x"))
    assert SW.MESSAGING_MISSING == sw(unproven)
