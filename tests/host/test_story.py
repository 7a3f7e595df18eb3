# SPDX-License-Identifier: Apache-2.0
"""The story of `sscard demo` comes to what it says, and notices when a card does otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_holder import holders

from apdu.atr import Interface
from apdu.trace import Exchange
from apdu.wire.iso7816 import GET_CHALLENGE
from card_os.chip import Chip
from host.cli import stage
from host.cli.explanation import Explanation
from host.cli.stage import Played, Stage, play
from host.cli.story import STORY
from host.cli.testcard import TEST_HOLDER, issue_test_card
from host.faults import CardGone
from host.holder import Holder

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
HOUSEHOLD = "20020000" + "2150" + "00" * 80 + "0E03FFFFFF" + "9000"
BOOKED = "000132" + "990000000001" + "20260105093000" + "000004D2" + "0000012C" + "00000000"
"""The record of the first purchase."""
NAMES = [step.name for step in STORY]


def played(holder: Holder = TEST_HOLDER, seed: int = 7) -> list[Played]:
    return list(play(STORY, Stage(holder, seed)))


@dataclass
class Liar:
    """A chip that answers commands with a certain beginning otherwise, as soon as it has lies."""

    chip: Chip
    lies: list[tuple[bytes, bytes]]

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        return self.chip.reset(interface)

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


def sent_in(name: str, story: list[Played]) -> list[Explanation]:
    return list(story[NAMES.index(name)].exchanges)


def rows(scene: Played) -> list[dict[str, object]]:
    found = scene.as_json()["exchanges"]
    assert isinstance(found, list)
    return found


def test_the_holder_buys_only_once_the_account_is_active() -> None:
    first = ["activation", "insert-psam", "mutual", "account", "pay", "log", "pull", "ask-again"]
    assert first == [name for name in NAMES if name in first]


def test_what_is_said_to_the_psam_is_told_apart_and_explained() -> None:
    story = played()
    told = [each for scene in story for each in scene.exchanges]
    own = {"DERIVE SESSION KEY", "CRYPT", "INITIALISE PURCHASE", "VERIFY MAC2"}
    assert own == {each.name for each in told if each.to == "psam"} - {"SELECT", "READ BINARY"}
    assert not own & {each.name for each in told if each.to == "card"}
    assert {"psam"} == {each.to for each in sent_in("insert-psam", story)}
    assert {"card", "psam"} == {each.to for each in sent_in("pay", story)}
    assert {"card", "psam"} == {row["to"] for scene in story for row in rows(scene)}
    assert all("known form" not in each.meaning for each in told)


def test_what_was_paid_is_what_the_log_shows() -> None:
    story = played()
    (init,) = [each for each in sent_in("pay", story) if each.name == "MEDICAL DEBIT INIT"]
    (log,) = [each for each in sent_in("log", story) if "EF08" in each.meaning]
    for paid in (init.sent, log.got):
        assert ["12.34", "3.00", "0.00"] == [each.value for each in paid if "yuan" in each.meaning]


def test_the_debit_whose_answer_was_lost_is_never_sent_again() -> None:
    story = played()
    debits = [
        (scene.step.name, each)
        for scene in story
        for each in scene.exchanges
        if each.name == "MEDICAL DEBIT"
    ]
    assert ["pay", "pull"] == [name for name, _ in debits]
    lost = debits[-1][1]
    assert sent_in("pull", story)[-1] == lost
    assert (None, "no answer came") == (lost.sw, lost.sentence)
    assert "pulled" in lost.remark
    assert "" == rows(story[NAMES.index("pull")])[-1]["answer"]
    assert "booked, once, as number 2" in story[NAMES.index("ask-again")].seen


def test_a_purchase_that_the_card_never_saw_is_not_taken_as_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = play(STORY, Stage(TEST_HOLDER, 7))
    for _ in range(NAMES.index("pull")):
        assert next(story).ok
    truth = Chip.transmit
    monkeypatch.setattr(
        Chip,
        "transmit",
        lambda chip, raw: b"\x6f\x00" if raw[:2] == b"\xb0\x2c" else truth(chip, raw),
    )
    assert next(story).ok
    scene = next(story)
    assert (False, "the card has not booked") == (scene.ok, scene.seen)


def test_a_card_that_was_pulled_is_gone_until_it_is_put_in_again() -> None:
    heard: list[Exchange] = []
    slot = stage.Slot(issue_test_card(), heard.append)
    challenge = bytes.fromhex("0084000008")
    slot.pull_at(GET_CHALLENGE)
    assert b"\x90\x00" == slot.transmit(bytes.fromhex("00A4000C"))
    with pytest.raises(CardGone, match="before it answered"):
        slot.transmit(challenge)
    assert [Exchange.of(challenge, b"")] == heard
    with pytest.raises(CardGone, match="no card"):
        slot.transmit(challenge)
    assert slot.reset() == slot.atr
    assert 10 == len(slot.transmit(challenge))


@pytest.mark.parametrize(
    ("name", "prefix", "answer", "seen"),
    [
        ("issue", "00440000", "6F00", "ACTIVATE FILE: 6F00"),
        ("issue", "00440000", "9000", "6985 was expected, but the answer was yes"),
        ("issue-second", "80D4", "6A84", "WRITE KEY: 6A84"),
        ("bank-personalises", "8050", "00" * 28 + "9000", "speaks neither SCP02 nor SCP03"),
        ("bank-personalises", "84E2", "6A80", "STORE DATA: 6A80"),
        ("pay-in-the-slot", "80A8", "6985", "terminated"),
        ("pay-in-the-slot", "80A8", "80060000080101009000", "terminated"),
        (
            "pay-in-the-slot",
            "80AE50",
            "8013000001" + "AA" * 8 + "0701010390000001" + "9000",
            "declined",
        ),
        ("pay-in-the-slot", "80AE50", "6F00", "terminated"),
        ("tapped", "80A8", "6985", "to be tried again over contact"),
        ("tapped", "00B2031C", "6A83", "terminated"),
        ("tapped", "00A404000E", "6F00", "terminated"),
        ("paid-log", "00B2015C", "6A83", "the log says otherwise"),
        ("paid-log", "80CA9F79", "9F79060000000082079000", "the balance says otherwise"),
        ("paid-log", "80CA9F79", "6A88", "the balance says otherwise"),
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
        ("insert-psam", "00B0960006", "6A82", "6A82"),
        ("insert-psam", "00A4040006", "6F00", "6F00"),
        ("mutual", "00880000", "00" * 8 + "9000", "did not prove its key"),
        ("mutual", "00820084", "63CE", "63CE"),
        ("mutual", "BFDE672D", "6A88", "key RK1DF04: the PSAM has no master"),
        ("account", "00B20135", "90013092040000000093023030" + "9000", "does not permit"),
        ("account", "00B20135", "90013192040000000193023030" + "9000", "on a new card"),
        ("account", "00B20135", "90013192040000000093023031" + "9000", "on a new card"),
        ("account", "00B20135", "6982", "6982"),
        ("pay", "B0280101", "6985", "6985"),
        ("pay", "80700100", "9403", "DPK1"),
        ("pay", "B02C0100", "9302", "9302"),
        ("pay", "B02C0100", "00" * 8 + "9000", "MAC2 is wrong"),
        ("pay", "B02C0100", "6F00", "may have been booked"),
        ("log", "00B20145", "6A83", "the log says otherwise"),
        ("log", "00B20145", BOOKED[:-8] + "00000001" + "9000", "the log says otherwise"),
        ("log", "00B20145", BOOKED * 2 + "9000", "the log says otherwise"),
        ("log", "00B20135", "90013192040000000093023031" + "9000", "the totals say otherwise"),
        ("log", "00B20135", "9001319204000004D293023032" + "9000", "the totals say otherwise"),
        ("pull", "B0280101", "9401", "9401"),
        ("pull", "80700100", "6F00", "6F00"),
        ("ask-again", "00200000", "63C5", "63C5"),
        ("ask-again", "00B20144", "6A83", "the card has not booked"),
        ("ask-again", "805A0032", "00" * 8 + "9000", "MAC2 is wrong"),
        ("ask-again", "805A0032", "6985", "6985"),
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
    genuine = stage.issue_test_psam
    monkeypatch.setattr(stage, "issue_test_psam", lambda seed: Liar(genuine(seed=seed), lies))
    story = play(STORY, Stage(TEST_HOLDER, 7))
    for _ in range(NAMES.index(name)):
        assert next(story).ok
    lies.append((bytes.fromhex(prefix), bytes.fromhex(answer)))
    scene, *rest = story
    assert (name, False) == (scene.step.name, scene.ok)
    assert seen in scene.seen
    assert all(not each.ok and not each.exchanges for each in rest)
