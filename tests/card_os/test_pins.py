# SPDX-License-Identifier: Apache-2.0
"""A PIN costs a try before it is looked at, opens what it guards, and blocks when it is guessed."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powercuts import TornFlash
from testbench import (
    FLASH_SIZE,
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    boot,
    change_pin,
    command,
    select_df,
    send_all,
    sw,
    tries,
    verify,
)

from apdu.wire.access import ALWAYS, NEVER, Pin
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss import CHANGE_PIN, RID, SSSE_NAME
from apdu.wire.iso7816 import READ_BINARY, VERIFY, PinRef, SfiOffset
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.chip import Chip
from card_os.nvm import Flash

PIN, WRONG, NEW = "123456", "000000", "87654321"
GUARDED = command(READ_BINARY, SfiOffset(1))
LOCAL = 0x81
"""Reference of the PIN of a DF below the application, which has the same value."""


def card_with_pin(limit: int = 6, flash: Flash | None = None, pin: str = PIN) -> Chip:
    """A sealed chip whose HRSS application has this PIN, a local one, and a file behind each."""
    chip = blank(flash)
    block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, limit, pin_bytes(pin))
    ssse = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    df01 = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=RID + b"\0")
    file = FileHeader(FileKind.TRANSPARENT, 0xEF01, Pin(0), NEVER, 1, 8)
    inner = FileHeader(FileKind.TRANSPARENT, 0xEF02, Pin(LOCAL), ALWAYS, 2, 8)
    steps = [
        command(CREATE_FILE, None, ssse),
        command(WRITE_KEY, KeyRef(0), block),
        command(CREATE_FILE, None, file),
        command(CREATE_FILE, None, df01),
        command(WRITE_KEY, KeyRef(LOCAL), block),
        command(CREATE_FILE, None, inner),
        SELECT_MF,
        command(ACTIVATE_FILE),
        SELECT_HRSS,
    ]
    send_all(chip, steps)
    return chip


def left(chip: Chip, reference: int = 0) -> int:
    """The tries left, as the chip tells them without a cost while the PIN is not proven."""
    answer = sw(chip.transmit(tries(reference)))
    return 0 if answer == 0x6983 else answer - 0x63C0


def after_a_power_cut(flash: TornFlash) -> tuple[int, bool]:
    """The tries that are left if the power goes now, and whether that is certain."""
    other = boot(Flash(bytearray(flash.cells)))
    send_all(other, [SELECT_HRSS])
    return left(other), flash.all_synced


def opens(chip: Chip) -> bool:
    return sw(chip.transmit(GUARDED)) == 0x9000


def spy_on_comparison(
    monkeypatch: pytest.MonkeyPatch, see: Callable[[], object]
) -> list[tuple[object, bool]]:
    """What `see` gives at each comparison of a PIN, and how the comparison comes out."""
    seen: list[tuple[object, bool]] = []

    def compare(stored: bytes, attempt: bytes) -> bool:
        same = hmac.compare_digest(stored, attempt)
        seen.append((see(), same))
        return same

    monkeypatch.setattr("card_os.secrets.pins.compare_digest", compare)
    return seen


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


# CHANGE PIN


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
