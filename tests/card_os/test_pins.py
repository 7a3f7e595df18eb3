# SPDX-License-Identifier: Apache-2.0
"""A PIN costs a try before it is looked at, opens what it guards, and blocks when it is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pinbench import (
    LOCAL,
    NEW,
    PIN,
    WRONG,
    after_a_power_cut,
    card_with_pin,
    left,
    opens,
    spy_on_comparison,
)
from powercuts import TornFlash
from testbench import (
    FLASH_SIZE,
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    change_pin,
    command,
    select_df,
    send_all,
    sw,
    tries,
    verify,
)

from apdu.wire.codes import pin_bytes
from apdu.wire.iso7816 import READ_BINARY, VERIFY, PinRef, SfiOffset
from apdu.wire.perso import (
    WRITE_KEY,
    Algorithm,
    KeyBlock,
    KeyRef,
    KeyUsage,
)

# The try


@pytest.mark.parametrize("limit", range(1, 16))
@pytest.mark.parametrize("attempt", [PIN, WRONG], ids=["right", "wrong"])
def test_a_try_is_paid_before_the_value_is_looked_at(
    limit: int, attempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = TornFlash(bytes(FLASH_SIZE))
    chip = card_with_pin(limit, flash)

    seen = spy_on_comparison(monkeypatch, lambda: after_a_power_cut(flash))
    chip.transmit(verify(attempt))
    assert [((limit - 1, True), attempt == PIN)] == seen


@pytest.mark.parametrize("right", [True, False])
def test_changing_the_pin_pays_a_try_first_as_well(
    right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = TornFlash(bytes(FLASH_SIZE))
    chip = card_with_pin(6, flash)

    seen = spy_on_comparison(monkeypatch, lambda: after_a_power_cut(flash))
    chip.transmit(change_pin(PIN if right else WRONG, NEW))
    # The new value is first held against the initial one, which is no secret; then comes the old.
    assert ((5, True), right) == seen[-1]
    assert all(not same for _, same in seen[:-1])


@pytest.mark.parametrize("limit", range(1, 16))
def test_wrong_pins_count_down_to_blocked_and_stay_so(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = card_with_pin(limit)
    for expected in range(limit - 1, -1, -1):
        assert 0x63C0 | expected == sw(chip.transmit(verify(WRONG)))
        assert expected == left(chip)
    before = chip.snapshot()
    seen = spy_on_comparison(monkeypatch, lambda: None)
    for attempt in (PIN, WRONG, PIN):
        assert b"\x69\x83" == chip.transmit(verify(attempt))
        assert not opens(chip)
        chip.reset()
        send_all(chip, [SELECT_HRSS])
    assert b"\x69\x83" == chip.transmit(tries())
    assert [] == seen
    assert before == chip.snapshot()


@pytest.mark.parametrize("limit", range(1, 16))
def test_the_right_pin_works_on_the_last_try_and_gives_all_tries_back(limit: int) -> None:
    for wrong in range(limit):
        chip = card_with_pin(limit)
        for _ in range(wrong):
            chip.transmit(verify(WRONG))
        assert limit - wrong == left(chip)
        assert b"\x90\x00" == chip.transmit(verify(PIN))
        assert opens(chip)
        chip.reset()
        send_all(chip, [SELECT_HRSS])
        assert limit == left(chip)


@given(st.integers(1, 15), st.lists(st.sampled_from("RWEX"), max_size=40))
def test_tries_are_what_the_attempts_leave(limit: int, attempts: list[str]) -> None:
    """R a right PIN, W a wrong one, E none, X a reset."""
    chip = card_with_pin(limit)
    expected, proven = limit, False
    for attempt in attempts:
        match attempt:
            case "R" if expected:
                expected, proven, answer = limit, True, 0x9000
            case "W" if expected:
                expected, proven = expected - 1, False
                answer = 0x63C0 | expected
            case "E":
                answer = 0x9000 if proven else 0x63C0 | expected if expected else 0x6983
            case "X":
                chip.reset()
                proven, answer = False, 0x9000
            case _:
                proven, answer = False, 0x6983
        tried = {"R": verify(PIN), "W": verify(WRONG), "E": tries(), "X": SELECT_HRSS}[attempt]
        assert answer == sw(chip.transmit(tried))
        assert proven == opens(chip)


def test_two_pins_have_tries_of_their_own() -> None:
    chip = card_with_pin()
    send_all(chip, [select_df(0xDF01)])
    for expected in (5, 4, 3):
        assert 0x63C0 | expected == sw(chip.transmit(verify(WRONG, LOCAL)))
    assert (3, 6) == (left(chip, LOCAL), left(chip))
    send_all(chip, [verify(PIN)])
    assert 3 == left(chip, LOCAL)
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(2)))


# What is compared


@pytest.mark.parametrize("limit", [0, 16, 255])
def test_a_pin_has_1_to_15_tries(limit: int) -> None:
    chip = blank()
    block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, limit, pin_bytes(PIN))
    assert b"\x6a\x80" == chip.transmit(command(WRITE_KEY, KeyRef(0), block))


@pytest.mark.parametrize("pin", ["123456", "1234567", "12345678"])
def test_only_the_whole_pin_is_right(pin: str) -> None:
    right = pin_bytes(pin)
    near = [
        right + b"\xff",
        right + b"\0",
        right.ljust(8, b"\xff"),
        right.ljust(8, b"\0"),
        right[:-1],
        right[1:],
        right[::-1],
        bytes(len(right)),
        pin.encode(),
        *(
            bytes(byte ^ (1 << bit) if at == place else byte for at, byte in enumerate(right))
            for place in range(len(right))
            for bit in range(8)
        ),
    ]
    for attempt in near:
        if attempt != right and attempt:
            chip = card_with_pin(pin=pin)
            answer = sw(chip.transmit(command(VERIFY, PinRef(0), attempt)))
            assert 0x63C5 == answer
    assert b"\x90\x00" == card_with_pin(pin=pin).transmit(command(VERIFY, PinRef(0), right))


@given(st.binary(min_size=1, max_size=8))
def test_any_other_bytes_are_wrong(attempt: bytes) -> None:
    chip = card_with_pin()
    expected = 0x9000 if attempt == pin_bytes(PIN) else 0x63C5
    assert expected == sw(chip.transmit(command(VERIFY, PinRef(0), attempt)))
    assert (expected == 0x9000) == opens(chip)


def test_asking_for_the_tries_costs_none_and_proves_nothing() -> None:
    chip = card_with_pin()
    before = chip.snapshot()
    for _ in range(20):
        assert b"\x63\xc6" == chip.transmit(tries())
    assert not opens(chip)
    assert before == chip.snapshot()


def test_nine_bytes_are_too_long_for_a_pin_and_cost_nothing() -> None:
    chip = card_with_pin()
    before = chip.snapshot()
    assert b"\x67\x00" == chip.transmit(bytes.fromhex("0020000009121212121212121212"))
    assert before == chip.snapshot()


@pytest.mark.parametrize("reference", [0x01, 0x7F, 0x80, LOCAL, 0xFF])
def test_a_pin_that_is_not_there_is_not_found(reference: int) -> None:
    chip = card_with_pin()
    assert b"\x6a\x88" == chip.transmit(verify(PIN, reference))
    assert b"\x6a\x88" == chip.transmit(tries(reference))


def test_a_right_pin_wears_memory_by_two_single_bits() -> None:
    flash = TornFlash(bytes(FLASH_SIZE))
    chip = card_with_pin(6, flash)
    before, writes = bytes(flash.cells), flash.writes
    send_all(chip, [verify(PIN)])
    assert 2 == flash.writes - writes
    assert before == bytes(flash.cells)


# The proof


def test_a_wrong_pin_takes_back_what_a_right_one_had_proven() -> None:
    chip = card_with_pin()
    send_all(chip, [verify(PIN)])
    assert opens(chip)
    chip.transmit(verify(WRONG))
    assert not opens(chip)
    assert b"\x63\xc5" == chip.transmit(tries())


@pytest.mark.parametrize(
    "leave",
    [[SELECT_HRSS], [SELECT_MF, SELECT_HRSS], [SELECT_DEBIT, SELECT_HRSS], []],
    ids=["itself", "by way of the MF", "by a name that is not there", "reset"],
)
def test_a_proof_ends_with_the_selection_of_its_application(leave: list[bytes]) -> None:
    chip = card_with_pin()
    send_all(chip, [verify(PIN)])
    if not leave:
        chip.reset()
        leave = [SELECT_HRSS]
    for each in leave:
        chip.transmit(each)
    assert not opens(chip)
    assert b"\x63\xc6" == chip.transmit(tries())
