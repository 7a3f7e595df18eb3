# SPDX-License-Identifier: Apache-2.0
"""GENERATE AC and EXTERNAL AUTHENTICATE torn at every write: all of it is remembered or nothing,
and money, counters and log go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from acbench import Till
from paymentbench import chip_of, fen, lived, lose_pin, payment_cells, state_of
from paymenttears import PaymentScenario, torn_chips
from scriptbench import torn
from tearing import TEARS
from testbench import sw

from apdu.wire.iso7816 import READ_RECORD, RecordRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ada, Result
from card_os.apps.pboc.state import CardState, Flag
from card_os.chip import Chip
from card_os.nvm import Flash
from host.card import command_of

AAC, TC, ARQC = Result
Values = dict[int, bytes]
CASH: Values = {tags.EC_INDICATOR: b"\x01", tags.AMOUNT: fen(1_234)}
ABROAD: Values = {
    tags.CURRENCY: bytes.fromhex("0840"),
    tags.TERMINAL_COUNTRY: bytes.fromhex("0840"),
}
BUSY = {
    "flags": int(Flag.ONLINE_REQUESTED | Flag.SDA_FAILED | Flag.SCRIPT_FAILED),
    "scripts": 3,
    "spent": 900,
    "spent_dual": 1_000,
    "international_currency": 2,
    "authentication_failures": 5,
}
"""Of a card with much to be set back."""


class Recorder:
    """A chip that keeps what is sent to it."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.sent: list[bytes] = []

    def transmit(self, raw: bytes) -> bytes:
        self.sent.append(raw)
        return self.chip.transmit(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chip, name)


def first(wanted: Result, values: Values | None = None) -> Callable[[Till], object]:
    def run(till: Till) -> None:
        till.begin(values)
        till.first(wanted)

    return run


def online(finish: Callable[[Till], object], *, answered: bool = True) -> Callable[[Till], object]:
    def run(till: Till) -> None:
        till.begin()
        till.first(ARQC)
        if answered:
            till.authenticate()
        finish(till)

    return run


def refused(till: Till) -> None:
    till.begin()
    assert 0x6985 == sw(till.ask(TC, till.data(tags.CDOL1)))


def memory(parameters: Mapping[int, bytes] | None = None, **changes: int) -> bytes:
    limits = {tags.EC_SINGLE_LIMIT: fen(10**6), **(parameters or {})}
    return lived(payment_cells(limits), **{"last_online_atc": 1, "atc": 1, **changes})


def without_tries() -> bytes:
    chip = chip_of(memory({tags.ADA: int(Ada.BLOCK_ON_EARLIER_PIN_TRIES).to_bytes(2)}))
    lose_pin(chip)
    return bytes(chip._flash.cells)


Run = Callable[[Till], object]
SCENES: dict[str, tuple[bytes, Run, int]] = {
    "a TC offline": (memory(), first(TC), 0x9000),
    "a TC in cash": (memory(balance=5_000), first(TC, CASH), 0x9000),
    "an AAC abroad": (memory(), first(AAC, ABROAD), 0x9000),
    "an ARQC": (memory(), first(ARQC), 0x9000),
    "the issuer's answer": (memory(**BUSY), online(lambda _: None), 0x9000),
    "a wrong answer": (
        memory(),
        online(lambda till: till.authenticate(wrong=1), answered=False),
        0x6300,
    ),
    "a TC online": (memory(**BUSY), online(lambda till: till.second(TC)), 0x9000),
    "an AAC online": (memory(**BUSY), online(lambda till: till.second(AAC, b"05")), 0x9000),
    "a TC that is not answered": (
        memory(),
        online(lambda till: till.second(TC), answered=False),
        0x9000,
    ),
    "a TC of a terminal that was not online": (
        memory(),
        online(lambda till: till.second(TC, b"Y3"), answered=False),
        0x9000,
    ),
    "an application that blocks itself": (without_tries(), refused, 0x6985),
}
"""Memory, what is done, and what the last command of it answers."""


def scenario(name: str) -> PaymentScenario:
    """The last command of a scene, torn."""
    cells, run, answer = SCENES[name]
    recorder = Recorder(chip_of(cells))
    till = Till(cast(Chip, recorder))
    recorder.sent.clear()
    run(till)
    *setup, last = recorder.sent
    return PaymentScenario(name, tuple(setup), (last,), answer, memory=cells)


@pytest.mark.parametrize("name", SCENES)
def test_wherever_it_is_torn_all_is_remembered_or_nothing(name: str) -> None:
    scene = scenario(name)

    def prepare(flash: Flash) -> tuple[Chip, tuple[bytes, ...]]:
        return scene.prepare(flash), scene.torn

    before, after, found = torn(scene.memory, prepare, TEARS)
    assert before != after
    assert {before, after} == found


def logged(chip: Chip) -> int:
    """Records in the transaction log of a card that goes on with another number."""
    till, number = Till(chip), state_of(chip).atc
    assert 0x9000 == till.begin()
    assert number + 1 == state_of(chip).atc
    found = 0
    while sw(till.reader.transmit(record(found + 1))) == 0x9000:
        found += 1
    return found


def record(number: int) -> bytes:
    return bytes(command_of(READ_RECORD, RecordRef(number, 11), None, 256))


@pytest.mark.parametrize("name", ["a TC offline", "a TC in cash", "a TC online"])
def test_what_was_paid_is_in_the_log_and_nothing_else(name: str) -> None:
    found: set[tuple[CardState, int]] = set()
    for chip in torn_chips(scenario(name)):
        state = state_of(chip)
        found.add((state, logged(chip)))
    assert {0, 1} == {count for _, count in found}
    assert 2 == len(found)
