# SPDX-License-Identifier: Apache-2.0
"""The story of `sscard demo` comes to what it says, and notices when a card does otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_holder import holders

from card_os.chip import Chip
from host.cli import stage
from host.cli.stage import Played, Stage, play
from host.cli.story import STORY
from host.cli.testcard import TEST_HOLDER, issue_test_card
from host.holder import Holder

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
HOUSEHOLD = "20020000" + "2150" + "00" * 80 + "0E03FFFFFF" + "9000"
NAMES = [step.name for step in STORY]


def played(holder: Holder = TEST_HOLDER, seed: int = 7) -> list[Played]:
    return list(play(STORY, Stage(holder, seed)))


@dataclass
class Liar:
    """A chip that answers commands with a certain beginning otherwise, as soon as it has lies."""

    chip: Chip
    lies: list[tuple[bytes, bytes]]

    def reset(self) -> bytes:
        return self.chip.reset()

    def transmit(self, command: bytes) -> bytes:
        truth = self.chip.transmit(command)
        return next((lie for start, lie in self.lies if command.startswith(start)), truth)


def test_every_step_does_what_it_has_to() -> None:
    assert [(name, True) for name in NAMES] == [(each.step.name, each.ok) for each in played()]


def test_the_steps_have_names_of_their_own() -> None:
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_story_plays_for_every_sample_holder(path: Path) -> None:
    assert all(each.ok for each in played(Holder.load(path)))


@settings(max_examples=20)
@given(holders(), st.integers(-5, 2**70))
def test_the_story_plays_for_every_holder_there_can_be(holder: Holder, seed: int) -> None:
    assert [] == [(each.step.name, each.seen) for each in played(holder, seed) if not each.ok]


def test_the_same_seed_gives_the_same_story() -> None:
    assert [each.as_json() for each in played(seed=3)] == [
        each.as_json() for each in played(seed=3)
    ]
    assert played(seed=3)[0].seen != played(seed=4)[0].seen


def test_the_first_card_is_the_published_test_card() -> None:
    assert issue_test_card().reset().hex(" ").upper() in played()[0].seen


def test_the_whole_way_of_the_pin_is_on_the_wire() -> None:
    status = {
        name: [f"{told.sw:04X}" for told in each.exchanges if told.name == "VERIFY"]
        for name, each in zip(NAMES, played(), strict=True)
    }
    assert ["63C5"] == status["mistype"]
    assert ["9000"] == status["login"]
    assert ["9000"] == status["initial-pin"]
    assert ["9000", "9000"] == status["activation"]
    assert ["63C6"] == status["forgotten"]
    assert ["63C5", "63C4", "63C3", "63C2", "63C1", "63C0", "6983"] == status["block"]


@pytest.mark.parametrize(
    ("name", "prefix", "answer", "seen"),
    [
        ("issue", "00440000", "6F00", "ACTIVATE FILE: 6F00"),
        ("issue", "00440000", "9000", "6985 was expected, but the answer was yes"),
        ("issue-second", "80D4", "6A84", "WRITE KEY: 6A84"),
        ("bank-before", "00A4040008", "6A82", "6A82 no such file"),
        ("read", "00B20135", "6282", "6282"),
        ("read", "00B20135", "08123433303230309000", "HolderData"),
        ("read", "00B2012D", "6982", "6982"),
        ("read", "00A40400", "", "shorter than a status word"),
        ("read-refused", "00B2012D", HOUSEHOLD, "6982 was expected, but"),
        ("read-refused", "00B2012D", "20029000", "HouseholdData"),
        ("read-refused", "00B2012D", "6985", "6982 was expected"),
        ("read-refused", "00B2012D", "6A83", "6A83"),
        ("mistype", "00200000", "9000", "63C5 was expected, but"),
        ("mistype", "00200000", "63C4", "63C5 was expected"),
        ("mistype", "00200000", "6983", "6983"),
        ("login", "00200000", "63C5", "63C5"),
        ("initial-pin", "00200000", "63C5", "63C5"),
        ("activation", "805E0100", "6A80", "CHANGE PIN: 6A80"),
        ("activation", "00200000", "63C5", "VERIFY: 63C5"),
        ("household", "00B2012D", "6982", "6982"),
        ("household", "00B2012D", HOUSEHOLD.replace("215000", "215041"), "an address"),
        ("bank-after", "00A4040008", "6F0A8408A0000003330101019000", "otherwise than before"),
        ("bank-after", "00B2010C", "70009000", "otherwise than before"),
        ("bank-after", "00B20134", "0812319000", "6A82 was expected, but"),
        ("bank-after", "00B20134", "6A83", "6A82 was expected"),
        ("forgotten", "00200000", "9000", "still counts as proven"),
        ("forgotten", "00200000", "63C5", "5 left"),
        ("forgotten", "00B2012D", HOUSEHOLD, "6982 was expected, but"),
        ("block", "00200000", "63C5", "63C4 was expected"),
        ("block", "00200000", "9000", "63C5 was expected, but"),
        ("lives-on", "00B20135", "6983", "6983"),
        ("lives-on", "00A4040008", "6283", "6283"),
    ],
)
def test_a_card_that_does_otherwise_is_noticed_and_ends_the_story(
    monkeypatch: pytest.MonkeyPatch, name: str, prefix: str, answer: str, seen: str
) -> None:
    lies: list[tuple[bytes, bytes]] = []
    honest = stage.blank_chip
    monkeypatch.setattr(stage, "blank_chip", lambda *world: Liar(honest(*world), lies))
    story = play(STORY, Stage(TEST_HOLDER, 7))
    for _ in range(NAMES.index(name)):
        assert next(story).ok
    lies.append((bytes.fromhex(prefix), bytes.fromhex(answer)))
    scene, *rest = story
    assert (name, False) == (scene.step.name, scene.ok)
    assert seen in scene.seen
    assert all(not each.ok and not each.exchanges for each in rest)
