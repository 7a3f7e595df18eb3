# SPDX-License-Identifier: Apache-2.0
"""PVV and offset: the right PIN is right, others are wrong but by chance, and no says only no."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digits

from apdu.crypto import pinvalue
from apdu.crypto.pinblock import build_iso_0, build_iso_2
from apdu.crypto.suite import BlockKey
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError

pins = digits(4, 12)
pans = digits(12, 19)
indices = digits(1, 1)
keys = st.binary(min_size=16, max_size=16).map(TDES.key)
blocks = st.binary(min_size=8, max_size=8)
tables = digits(16, 16)
validations = digits(1, 16)
pads = st.sampled_from("0123456789ABCDEFabcdef")
PIN_KEY, PVK = TDES.key(bytes(range(16))), TDES.key(bytes(range(16, 32)))


def sealed(pin: str, pan: str) -> bytes:
    return PIN_KEY.encrypt(build_iso_0(pin, pan))


# PVV


@given(keys, keys, pins, pans, indices)
def test_the_right_pin_is_right(
    pin_key: BlockKey, pvk: BlockKey, pin: str, pan: str, index: str
) -> None:
    value = pinvalue.pvv(pvk, pin, pan, index)
    assert 4 == len(value) and value.isdecimal()
    block = pin_key.encrypt(build_iso_0(pin, pan))
    assert pinvalue.verify_pvv(pin_key, block, pan, pvk, index, value)


@given(pins, pans, indices, digits(4, 4))
def test_another_value_is_wrong(pin: str, pan: str, index: str, other: str) -> None:
    right = other == pinvalue.pvv(PVK, pin, pan, index)
    assert right == pinvalue.verify_pvv(PIN_KEY, sealed(pin, pan), pan, PVK, index, other)


@given(pins, pins, pans, indices)
def test_another_pin_is_wrong_unless_it_has_the_same_value(
    pin: str, other: str, pan: str, index: str
) -> None:
    value = pinvalue.pvv(PVK, pin, pan, index)
    same = value == pinvalue.pvv(PVK, other, pan, index)
    assert same == pinvalue.verify_pvv(PIN_KEY, sealed(other, pan), pan, PVK, index, value)
    if pin[:4] == other[:4]:
        assert same


def test_a_changed_digit_changes_the_value_but_for_about_one_in_ten_thousand() -> None:
    values = [pinvalue.pvv(PVK, f"{pin:04}", "4012345678901234") for pin in range(10_000)]
    changed = [values[pin] == values[pin // 10 * 10 + (pin + 1) % 10] for pin in range(len(values))]
    assert sum(changed) < 8
    # A random map of 10 000 onto 10 000 hits about 6 321 of them.
    assert 6_200 < len(set(values)) < 6_450


def by_hand(pvk: BlockKey, four: str, pan: str, index: str) -> str:
    """The value once more: digits first, then letters."""
    done = pvk.encrypt(bytes.fromhex(f"{pan[:-1][-11:]}{index}{four}")).hex()
    numbers = [nibble for nibble in done if nibble in "0123456789"]
    letters = [str(int(nibble, 16) - 10) for nibble in done if nibble not in "0123456789"]
    return "".join(numbers + letters)[:4]


@given(keys, pins, pans, indices)
def test_the_value_is_the_first_digits_and_then_the_letters(
    pvk: BlockKey, pin: str, pan: str, index: str
) -> None:
    assert by_hand(pvk, pin[:4], pan, index) == pinvalue.pvv(pvk, pin, pan, index)


class Answers:
    """A key that enciphers everything to one block."""

    def __init__(self, block: str) -> None:
        self.block = block

    def encrypt(self, data: bytes) -> bytes:
        return bytes.fromhex(self.block)


@pytest.mark.parametrize(
    ("block", "value"),
    [
        ("ABCDEFABCDEFABCD", "0123"),
        ("ABCDEFABCDEFABC9", "9012"),
        ("FA1B2C3DEFFEDCBA", "1235"),
        ("FFFF12FFFFFF3FFF", "1235"),
        ("FFFF12FFFFFF34FF", "1234"),
        ("9876543210ABCDEF", "9876"),
    ],
)
def test_letters_count_only_where_digits_are_too_few(block: str, value: str) -> None:
    key: Any = Answers(block)
    assert value == pinvalue.pvv(key, "1234", "4012345678901234")


# What is not verified, and why, is not told


@given(blocks, pans, indices, digits(4, 4))
def test_any_block_is_answered_with_yes_or_no(
    block: bytes, pan: str, index: str, value: str
) -> None:
    assert pinvalue.verify_pvv(PIN_KEY, block, pan, PVK, index, value) in (True, False)
    assert pinvalue.verify_offset(PIN_KEY, block, pan, PVK, "1", value) in (True, False)


@given(pans, indices)
def test_a_block_without_a_pin_is_not_taken_for_one_of_zeros(pan: str, index: str) -> None:
    value = pinvalue.pvv(PVK, "0000", pan, index)
    right = build_iso_0("0000", pan)
    # Another format, no filling, another last nibble, a digit that is none, a PIN of 3 digits.
    wrong = [build_iso_2("0000"), bytes(8)]
    for mask in ("0000000000000001", "0000A00000000000", "0700000000000000"):
        wrong.append((int.from_bytes(right) ^ int(mask, 16)).to_bytes(8))
    for field in wrong:
        assert field != right
        block = PIN_KEY.encrypt(field)
        assert not pinvalue.verify_pvv(PIN_KEY, block, pan, PVK, index, value)


@given(pans, indices)
def test_a_letter_among_the_digits_is_no_pin_even_where_its_value_fits(
    pan: str, index: str
) -> None:
    field = int.from_bytes(build_iso_0("1204", pan)) ^ 0xA << 44
    block = PIN_KEY.encrypt(field.to_bytes(8))
    value = by_hand(PVK, "12a4", pan, index)
    assert not pinvalue.verify_pvv(PIN_KEY, block, pan, PVK, index, value)


@given(pins, pans, st.integers(0, 63))
def test_a_changed_bit_of_the_block_is_not_verified(pin: str, pan: str, bit: int) -> None:
    value = pinvalue.pvv(PVK, pin, pan)
    changed = int.from_bytes(sealed(pin, pan)) ^ 1 << bit
    assert not pinvalue.verify_pvv(PIN_KEY, changed.to_bytes(8), pan, PVK, "1", value)


def test_the_same_is_computed_whatever_is_wrong() -> None:
    class Counting(Answers):
        done = 0

        def encrypt(self, data: bytes) -> bytes:
            Counting.done += 1
            return super().encrypt(data)

    pan, key = "4012345678901234", Counting("1234000000000000")
    pvk: Any = key
    for block in (sealed("1234", pan), sealed("1234", "4" * 16), bytes(8)):
        pinvalue.verify_pvv(PIN_KEY, block, pan, pvk, "1", "1234")
        pinvalue.verify_offset(PIN_KEY, block, pan, pvk, "1", "0000")
    assert 6 == Counting.done


NO_DIGITS = ["", "123", "12345", "123a", "１２３４", "١٢٣٤", "-123"]


@pytest.mark.parametrize("value", NO_DIGITS)
def test_a_value_has_four_digits(value: str) -> None:
    with pytest.raises(FormatError, match=r"^PVV: must be 4 digits$"):
        pinvalue.verify_pvv(PIN_KEY, bytes(8), "1" * 16, PVK, "1", value)


@pytest.mark.parametrize("index", ["", "11", "a", "１", "-"])
def test_an_index_is_a_digit(index: str) -> None:
    for given_ in (
        lambda: pinvalue.pvv(PVK, "1234", "1" * 16, index),
        lambda: pinvalue.verify_pvv(PIN_KEY, bytes(8), "1" * 16, PVK, index, "1234"),
    ):
        with pytest.raises(FormatError, match=r"^PVKI: must be 1 digit$"):
            given_()


@given(st.binary(max_size=24).filter(lambda raw: len(raw) != 8))
def test_a_block_has_8_bytes(block: bytes) -> None:
    message = rf"^PIN block: {len(block)} bytes, must be 8$"
    with pytest.raises(FormatError, match=message):
        pinvalue.verify_pvv(PIN_KEY, block, "1" * 16, PVK, "1", "1234")
    with pytest.raises(FormatError, match=message):
        pinvalue.verify_offset(PIN_KEY, block, "1" * 16, PVK, "1", "1234")


# IBM 3624


@given(keys, pins, validations, tables, pads)
def test_natural_pin_and_offset_make_the_pin(
    pvk: BlockKey, pin: str, validation: str, table: str, pad: str
) -> None:
    natural = pinvalue.natural_pin(pvk, validation, len(pin), table, pad)
    offset = pinvalue.pin_offset(pvk, pin, validation, table, pad)
    assert len(pin) == len(natural) == len(offset)
    assert pin == pinvalue.pin_from_offset(pvk, offset, validation, table, pad)
    assert natural == pinvalue.pin_from_offset(pvk, "0" * len(pin), validation, table, pad)
    digit_by_digit = [
        (int(one) + int(other)) % 10 for one, other in zip(natural, offset, strict=True)
    ]
    assert [*map(int, pin)] == digit_by_digit


@given(keys, validations, tables, pads, st.integers(4, 12))
def test_a_natural_pin_is_the_decimalised_cipher(
    pvk: BlockKey, validation: str, table: str, pad: str, length: int
) -> None:
    done = pvk.encrypt(bytes.fromhex((validation + pad * 16)[:16]))
    nibbles = [half for byte in done for half in divmod(byte, 16)]
    expected = "".join(table[nibble] for nibble in nibbles[:length])
    assert expected == pinvalue.natural_pin(pvk, validation, length, table, pad)


@given(pins, pins, pans, validations, tables)
def test_only_the_pin_of_an_offset_is_right(
    pin: str, other: str, pan: str, validation: str, table: str
) -> None:
    offset = pinvalue.pin_offset(PVK, pin, validation, table)
    for tried in (pin, other):
        block = sealed(tried, pan)
        assert (tried == pin) == pinvalue.verify_offset(
            PIN_KEY, block, pan, PVK, validation, offset, table
        )


def test_the_example_of_decimalisation_in_the_cca_book_comes_out() -> None:
    # IBM 4758 CCA Basic Services 2.54, appendix E: the first table digit stands for 0.
    key: Any = Answers("E5C1BD67B66AE7C6")
    assert "391365646664" == pinvalue.natural_pin(key, "1", 12, "8351296477461538")


# Threads


def test_threads_share_keys() -> None:
    pan = "4012345678901234"
    cases = [
        (f"{n:04}", sealed(f"{n:04}", pan), pinvalue.pvv(PVK, f"{n:04}", pan)) for n in range(99)
    ]

    def verified(_: int) -> list[bool]:
        return [
            pinvalue.verify_pvv(PIN_KEY, block, pan, PVK, "1", value)
            and not pinvalue.verify_pvv(PIN_KEY, block, pan, PVK, "1", f"{int(value) ^ 1:04}")
            for _, block, value in cases
        ]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(found) for found in pool.map(verified, range(32)))
