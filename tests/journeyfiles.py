# SPDX-License-Identifier: Apache-2.0
"""The recordings of journeys under vectors/journeys: where each is, and what it would be today."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import pytest
from books import VECTORS
from journeybench import DRIVER_SEED, InMemory, Recorder, chip_told
from journeys import JOURNEYS, Journey
from journeytape import Entry, Line, Remark, write

FOLDER = VECTORS / "journeys"
SUITE = {"1.0": "tdes", "2.0": "tdes", "3.0": "sm4"}
PLAYED = [(journey, generation) for journey in JOURNEYS for generation in journey.generations]
every_journey = pytest.mark.parametrize(
    ("journey", "generation"),
    PLAYED,
    ids=[f"{journey.name}-{generation}" for journey, generation in PLAYED],
)


def path_of(journey: Journey, generation: str) -> Path:
    return FOLDER / f"{journey.name}.{SUITE[generation]}.apdu"


def recorded(journey: Journey, generation: str) -> str:
    return path_of(journey, generation).read_text(encoding="utf-8")


def record(journey: Journey, generation: str) -> str:
    """A journey as it is today."""
    wire = Recorder(generation)
    journey.play(InMemory(wire, generation))
    return written(journey, generation, wire.entries)


def written(journey: Journey, generation: str, entries: list[Entry]) -> str:
    """The text of a journey that took place."""
    slots = dict.fromkeys(entry.slot for entry in entries if isinstance(entry, Line))
    header = [
        *wrap(f"{journey.about}.", 98),
        *(chip_told(slot, generation) for slot in slots),
        f"terminal: host.driver, its random bytes are seeded({DRIVER_SEED}, ...).random",
        "source: ours; the chips of this project answered the driver of this project",
        "how: PYTHONPATH=.:tests python tests/together/test_driver_journeys.py",
        "checked: by the journey itself: codes, values, sums (tests/journeys.py)",
        "lines: as tests/journeytape.py says; PINs are test PINs in the clear",
    ]
    return write([*map(Remark, header), *entries])
