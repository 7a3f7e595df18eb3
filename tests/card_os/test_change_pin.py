# SPDX-License-Identifier: Apache-2.0
"""CHANGE PIN: who may, to what, and what it costs when it goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pinbench import (
    NEW,
    PIN,
    WRONG,
    card_with_pin,
    left,
    opens,
)
from testbench import (
    SELECT_HRSS,
    change_pin,
    send_all,
    sw,
    tries,
    verify,
)

from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import CHANGE_PIN


def test_a_changed_pin_replaces_the_old_one_and_must_be_proven_anew() -> None:
    chip = card_with_pin()
    send_all(chip, [verify(PIN), change_pin(PIN, NEW)])
    assert not opens(chip)
    assert b"\x63\xc6" == chip.transmit(tries())
    assert b"\x63\xc5" == chip.transmit(verify(PIN))
    assert b"\x90\x00" == chip.transmit(verify(NEW))
    assert opens(chip)
    chip.reset()
    send_all(chip, [SELECT_HRSS, verify(NEW)])


def test_a_wrong_old_pin_costs_a_try_and_drops_the_proof() -> None:
    chip = card_with_pin()
    send_all(chip, [verify(PIN)])
    assert b"\x63\xc5" == chip.transmit(change_pin(WRONG, NEW))
    assert not opens(chip)
    assert 5 == left(chip)
    send_all(chip, [verify(PIN)])


def test_changing_gives_all_tries_back_and_a_blocked_pin_cannot_be_changed() -> None:
    chip = card_with_pin(3)
    chip.transmit(verify(WRONG))
    chip.transmit(verify(WRONG))
    send_all(chip, [change_pin(PIN, NEW)])
    assert 3 == left(chip)
    for _ in range(3):
        chip.transmit(change_pin(WRONG, PIN + "9"))
    before = chip.snapshot()
    assert b"\x69\x83" == chip.transmit(change_pin(NEW, PIN + "9"))
    assert before == chip.snapshot()


def test_the_initial_pin_cannot_be_chosen_and_asking_for_it_costs_nothing() -> None:
    chip = card_with_pin()
    before = chip.snapshot()
    assert b"\x69\x85" == chip.transmit(change_pin(PIN, PIN))
    assert b"\x69\x85" == chip.transmit(change_pin(WRONG, PIN))
    assert before == chip.snapshot()
    send_all(chip, [change_pin(PIN, NEW)])
    assert b"\x69\x85" == chip.transmit(change_pin(NEW, PIN))
    send_all(chip, [verify(NEW)])


@pytest.mark.parametrize(
    "data",
    [
        pin_bytes(PIN) + pin_bytes(NEW),
        pin_bytes(PIN) + b"\xff",
        pin_bytes(PIN) + b"\xff" + b"\x12\x34\x5a",
        pin_bytes(PIN) + b"\xff" + b"\x12\x34",
        pin_bytes(PIN) + b"\xff" + b"\x12\x34\x56\x78\x90",
        pin_bytes(PIN) + b"\xff" + b"\x12\x34\x56\xff",
        pin_bytes(PIN) + b"\xff" + b"\xf1\x23\x45\x67",
        pin_bytes(PIN) + b"\xff" + pin_bytes(NEW) + b"\xff",
        b"\x01",
    ],
    ids=[
        "no FF",
        "no new PIN",
        "not BCD",
        "4 digits",
        "10 digits",
        "FF in it",
        "F in front",
        "FF behind",
        "1 byte",
    ],
)
def test_a_change_that_is_not_in_the_shape_of_one_is_refused_and_costs_nothing(
    data: bytes,
) -> None:
    chip = card_with_pin()
    send_all(chip, [verify(PIN)])
    before = chip.snapshot()
    raw = bytes((CHANGE_PIN.cla, CHANGE_PIN.ins, 0x01, 0x00, len(data))) + data
    assert b"\x6a\x80" == chip.transmit(raw)
    assert before == chip.snapshot()
    assert opens(chip)


def test_an_empty_old_pin_is_wrong() -> None:
    chip = card_with_pin()
    data = b"\xff" + pin_bytes(NEW)
    raw = bytes((CHANGE_PIN.cla, CHANGE_PIN.ins, 0x01, 0x00, len(data))) + data
    assert b"\x63\xc5" == chip.transmit(raw)


@given(st.text("0123456789", min_size=6, max_size=8))
def test_any_pin_of_6_to_8_digits_can_be_chosen_but_the_initial_one(new: str) -> None:
    chip = card_with_pin()
    expected = 0x6985 if new == PIN else 0x9000
    assert expected == sw(chip.transmit(change_pin(PIN, new)))
    send_all(chip, [verify(new)])
