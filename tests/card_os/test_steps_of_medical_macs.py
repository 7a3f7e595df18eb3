# SPDX-License-Identifier: Apache-2.0
"""The card judges a MAC of the account in as many steps wherever the first difference is."""

from __future__ import annotations

from functools import partial

import pytest
from medicalbench import Till, every_generation, rich
from opcodes import Attempt, alike, differing, early_exit, seen, steps_of

from card_os.secrets.pins import PinObject

MASKS = list(differing(bytes(4)))


def purchases(till: Till) -> list[Attempt]:
    return [partial(lambda mask: till.order(till.begin(), mask=mask), mask) for mask in MASKS]


def loads(till: Till) -> list[Attempt]:
    return [partial(lambda mask: till.credit(till.begin_load(9), 9, mask), mask) for mask in MASKS]


@every_generation
def test_mac1_takes_the_same_steps_wherever_it_is_wrong(generation: str) -> None:
    till = rich(generation)
    till.buy()
    alike(till.chip.transmit, purchases(till), b"\x93\x02")


def test_mac2_of_a_load_takes_the_same_steps_wherever_it_is_wrong() -> None:
    till = rich("1.0")
    till.load(9)
    alike(till.chip.transmit, loads(till), b"\x93\x02")


@pytest.mark.parametrize("made", [purchases, loads])
def test_a_comparison_that_stops_early_is_found_out(
    made: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("card_os.commands.medical.compare_digest", early_exit)
    till = rich("1.0")
    assert 4 == len(seen(till.chip.transmit, made(till)))  # type: ignore[operator]


def is_initial(value: str) -> int:
    till = Till("2.0")
    pin: PinObject = till.chip._ctx.pin(0)
    pin.reload(bytes.fromhex(value))
    pin.is_initial()
    steps, _ = steps_of(pin.is_initial)
    return steps


def test_whether_a_pin_is_the_initial_one_is_told_in_the_same_steps() -> None:
    pins = ["123456", "123457", "023456", "654321", "12345600", "1234567f", "87654321"]
    assert 1 == len({is_initial(pin) for pin in pins})
