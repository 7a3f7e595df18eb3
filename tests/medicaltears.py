# SPDX-License-Identifier: Apache-2.0
"""Purchases and loads, each to be torn apart.

Random numbers are the same whenever power comes, so what a till said once can be said again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from keybench import NEW_PIN
from medicalbench import SUM, Till, begin_debit, begin_load, cells
from tearing import Scenario
from testbench import SELECT_HRSS, command, select_df, tries, verify, world

from apdu.wire.hrss.generations import DF04
from apdu.wire.iso7816 import UPDATE_RECORD, RecordTarget
from card_os.chip import ROM, Chip
from card_os.nvm import Flash

AMOUNT = 4321
RINGS = {"1.0": 10, "2.0": 30, "3.0": 30}


@dataclass(frozen=True)
class MedicalScenario(Scenario):
    """On a card whose account has money, and has booked so many purchases before."""

    generation: str = "2.0"
    booked: int = 1
    guarded: tuple[bytes, ...] = (
        tries(),
        command(UPDATE_RECORD, RecordTarget(1, 6), b"\x08\x01A"),
    )

    def boot(self, flash: Flash) -> Chip:
        return Chip(ROM, flash, world())

    def blank_cells(self) -> bytes:
        return used_cells(self.generation, self.booked)

    @property
    def is_load(self) -> bool:
        return self.name.startswith("CREDIT")


@cache
def used_cells(generation: str, booked: int) -> bytes:
    """The memory of a card that has made so many purchases, and on 1.0 a load before them."""
    till = Till(generation, Flash(bytearray(cells(generation))))
    till.hold(1_000_000)
    if generation == "1.0":
        till.load(AMOUNT)
    for _ in range(booked):
        till.buy()
    return bytes(till.flash.cells)


WAY = (SELECT_HRSS, verify(NEW_PIN), select_df(DF04.fid))


def debit_scenario(generation: str, booked: int) -> MedicalScenario:
    till = Till(generation, Flash(bytearray(used_cells(generation, booked))))
    order = till.order(till.begin())
    name = f"MEDICAL DEBIT, {generation}, after {booked}"
    return MedicalScenario(
        name, (*WAY, begin_debit(SUM)), (order,), generation=generation, booked=booked
    )


def load_scenario(booked: int) -> MedicalScenario:
    till = Till("1.0", Flash(bytearray(used_cells("1.0", booked))))
    credit = till.credit(till.begin_load(AMOUNT), AMOUNT)
    name = f"CREDIT FOR LOAD, after {booked}"
    return MedicalScenario(
        name, (*WAY, begin_load(AMOUNT)), (credit,), generation="1.0", booked=booked
    )


def medical_scenarios() -> Iterator[MedicalScenario]:
    """With an empty log, a log that has something, and a ring that is full."""
    for generation, size in RINGS.items():
        for booked in (0, 1, size + 1):
            yield debit_scenario(generation, booked)
    for booked in (0, 1, RINGS["1.0"]):
        yield load_scenario(booked)
