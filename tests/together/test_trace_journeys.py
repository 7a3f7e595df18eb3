# SPDX-License-Identifier: Apache-2.0
"""Journeys under other chance: another card's and terminal's random numbers, another time of day.

What was done is the same, so nothing may differ from what was recorded once; whatever of it is not
chance must not be taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import payjourneybench
import pytest
from journeybench import CARD_SEED, InMemory, Recorder, chip_at
from journeyfiles import JOURNEYS as DRIVEN
from journeyfiles import recorded, written
from journeys import Journey
from journeytape import CARD, FIELD, Line, read
from payjourneybench import MORNING, chip_of
from payjourneys import JOURNEYS as PAID
from payjourneys import Journey as PaymentJourney

from apdu.recording import Recording
from apdu.transcript import read_transcript
from card_os.chip import Chip
from card_os.world import seeded
from host.cli.testcard import TEST_DAY
from host.cli.traces.differing import Apart, compare

OTHER = 1234


def other_chance(chip: Chip, seed: int = OTHER) -> Chip:
    """The same chip in another world."""
    return Chip.boot(chip._flash, seeded(seed, TEST_DAY))


def recording(text: str) -> Recording:
    return read_transcript(text.encode().splitlines(keepends=True))


def apart(first: str, second: str) -> list[Apart]:
    return list(compare(recording(first), recording(second)))


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("journey", DRIVEN, ids=lambda each: each.name)
@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_a_journey_under_other_chance_is_the_same(journey: Journey, generation: str) -> None:
    if generation not in journey.generations:
        pytest.skip("not a journey of this generation")
    slots = _slots(recorded(journey, generation))
    chips = {
        slot: other_chance(chip_at(slot, generation), OTHER + at) for at, slot in enumerate(slots)
    }
    wire = Recorder(generation, chips)
    desk = InMemory(wire, generation)
    desk._random = seeded(OTHER + CARD_SEED, TEST_DAY).random
    journey.play(desk)
    now = written(journey, generation, wire.entries)
    then = recorded(journey, generation)
    assert lines(then) != lines(now) or journey.name == "kiosk_pin_change"
    assert [] == apart(then, now)


def _slots(text: str) -> list[str]:
    slots = dict.fromkeys(entry.slot for entry in read(text) if isinstance(entry, Line))
    return [slot for slot in slots if slot != FIELD]


@pytest.mark.parametrize("journey", PAID, ids=lambda each: each.name)
def test_a_payment_under_other_chance_is_the_same(
    journey: PaymentJourney, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")
    monkeypatch.setattr(payjourneybench, "MORNING", MORNING + timedelta(days=2, minutes=77))
    wire = Recorder("", {CARD: other_chance(chip_of(journey.profile))})
    desk = payjourneybench.Desk(wire, journey.profile)
    desk._random = seeded(OTHER, TEST_DAY).random
    journey.play(desk)
    now = journey.written(wire.entries)
    assert lines(journey.recorded()) != lines(now)
    assert [] == apart(journey.recorded(), now)


def names(found: Iterable[Apart]) -> set[str]:
    return {each.name for one in found for each in one.differences}


def test_an_amount_is_never_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")
    texts = []
    for amount in (1234, 1235):
        wire = Recorder("", {CARD: chip_of("rsa-1152")})
        desk = payjourneybench.Desk(wire, "rsa-1152")
        desk.pay(amount, payjourneybench.PASSWORD)
        desk.tap(amount, online=False)
        texts.append("".join(f"{entry}\n" for entry in wire.entries))
    found = apart(*texts)
    assert {"command, 9F02 Amount, Authorised (Numeric) 授权金额"} == names(found)
    assert {"12.34 yuan 元"} == {each.first for one in found for each in one.differences}
    assert {"12.35 yuan 元"} == {each.second for one in found for each in one.differences}
