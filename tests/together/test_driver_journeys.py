# SPDX-License-Identifier: Apache-2.0
"""Whole journeys through the driver, recorded from our chips and replayed byte for byte.

`PYTHONPATH=.:tests python tests/together/test_driver_journeys.py` records them anew.
"""

from __future__ import annotations

import pytest
from journeybench import InMemory, PlayBack, chip_at
from journeyfiles import FOLDER, PLAYED, SUITE, every_journey, path_of, record, recorded
from journeys import JOURNEYS, Journey
from journeytape import ANSWER, COMMAND, POWER, UNHEARD, Line, functions, read, write

from card_os.chip import Chip
from host.driver import FUNCTIONS


@every_journey
def test_the_chips_answer_byte_for_byte(journey: Journey, generation: str) -> None:
    chips: dict[str, Chip] = {}
    said = b""
    for entry in read(recorded(journey, generation)):
        if not isinstance(entry, Line):
            continue
        if entry.slot not in chips:
            chips[entry.slot] = chip_at(entry.slot, generation)
        if entry.mark == POWER:
            assert entry.raw == chips[entry.slot].reset()
        elif entry.mark == COMMAND:
            said = chips[entry.slot].transmit(entry.raw)
        elif entry.mark in (ANSWER, UNHEARD):
            assert entry.raw == said


@every_journey
def test_the_terminal_speaks_byte_for_byte(journey: Journey, generation: str) -> None:
    wire = PlayBack(read(recorded(journey, generation)))
    journey.play(InMemory(wire, generation))
    wire.finish()


@every_journey
def test_a_journey_is_what_would_be_recorded_today(journey: Journey, generation: str) -> None:
    assert recorded(journey, generation) == record(journey, generation)


@pytest.mark.parametrize("suite", ["tdes", "sm4"])
def test_every_function_of_the_driver_is_called_in_a_journey(suite: str) -> None:
    called = set[str]()
    for path in FOLDER.glob(f"*.{suite}.apdu"):
        called |= functions(path.read_text(encoding="utf-8"))
    assert set(FUNCTIONS) == called


def test_there_is_no_recording_of_a_journey_that_is_none() -> None:
    known = {path_of(*played) for played in PLAYED}
    assert known == {path for suite in SUITE.values() for path in FOLDER.glob(f"*.{suite}.apdu")}
    assert len(known) == len(PLAYED)
    assert len(JOURNEYS) == len({each.name for each in JOURNEYS})


# The text


@every_journey
def test_a_recording_reads_back(journey: Journey, generation: str) -> None:
    text = recorded(journey, generation)
    assert text == write(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "> 00 A4",
        "< 90 00",
        "> 00\n> 00",
        "> 00\npsam< 90 00",
        "> 00\n# between\n>! 00",
        "^ 3b",
        "! 00",
        "psam-4403> 00",
        ">00",
    ],
)
def test_what_is_no_journey_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|command"):
        list(read(text))


if __name__ == "__main__":
    for played in PLAYED:
        path_of(*played).write_text(record(*played), encoding="utf-8")
