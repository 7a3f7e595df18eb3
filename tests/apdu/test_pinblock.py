# SPDX-License-Identifier: Apache-2.0
"""PIN blocks: what is built reads back, what is not one is refused, and no digit is ever shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digits

from apdu.crypto import pinblock
from apdu.crypto.aes import AES
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.pinblock import (
    Iso0PanField,
    Iso0PinField,
    Iso1PinBlock,
    Iso2PinBlock,
    Iso3PinField,
    Iso4PanField,
    Iso4PinField,
)
from apdu.wire.record import Record

pins = digits(4, 12)
pans = digits(12, 19)
aes_keys = st.sampled_from(AES.key_lengths).flatmap(lambda n: st.binary(min_size=n, max_size=n))
chances = st.binary(min_size=16, max_size=16)
refused = pytest.raises(FormatError)


def drawn(chance: bytes) -> pinblock.Random:
    return lambda count: chance[:count]


class Way(NamedTuple):
    """One kind of block: how it is built, read, and declared (whole or with the PAN's part off)."""

    size: int
    build: Callable[[str, str, bytes], bytes]
    read: Callable[[bytes, str], str]
    declared: type[Record]
    with_pan: bool


KEY = AES.key(bytes(range(16)))
CARD_KEY = bytes(range(16, 32))
WAYS = {
    "format 0": Way(
        8,
        lambda pin, pan, _: pinblock.build_iso_0(pin, pan),
        pinblock.read_iso_0,
        Iso0PinField,
        True,
    ),
    "format 1": Way(
        8,
        lambda pin, _, chance: pinblock.build_iso_1(pin, drawn(chance)),
        lambda block, _: pinblock.read_iso_1(block),
        Iso1PinBlock,
        False,
    ),
    "format 2": Way(
        8,
        lambda pin, *_: pinblock.build_iso_2(pin),
        lambda block, _: pinblock.read_iso_2(block),
        Iso2PinBlock,
        False,
    ),
    "format 3": Way(
        8,
        lambda pin, pan, chance: pinblock.build_iso_3(pin, pan, drawn(chance)),
        pinblock.read_iso_3,
        Iso3PinField,
        True,
    ),
    "format 4": Way(
        16,
        lambda pin, pan, chance: pinblock.encipher_iso_4(KEY, pin, pan, drawn(chance)),
        lambda block, pan: pinblock.decipher_iso_4(KEY, block, pan),
        Iso4PinField,
        True,
    ),
    "PIN change": Way(
        8,
        lambda pin, *_: pinblock.build_pin_change(pin, CARD_KEY),
        lambda block, _: pinblock.read_pin_change(block, CARD_KEY),
        Iso0PinField,
        False,
    ),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
clear_ways = pytest.mark.parametrize(
    "way", [way for way in WAYS.values() if way.size == 8], ids=[w for w in WAYS if w != "format 4"]
)


@every_way
@given(pin=pins, pan=pans, chance=chances)
def test_a_pin_reads_back_and_a_block_has_all_its_bytes(
    way: Way, pin: str, pan: str, chance: bytes
) -> None:
    block = way.build(pin, pan, chance)
    assert way.size == len(block)
    assert pin == way.read(block, pan)


def scratched(block: bytes) -> st.SearchStrategy[bytes]:
    """The block with one or two of its nibbles changed, the first ones more often."""
    place = st.sampled_from([0, 1, 1, 1]) | st.integers(0, 2 * len(block) - 1)
    change = st.tuples(place, st.integers(0, 0xF))

    def changed(changes: list[tuple[int, int]]) -> bytes:
        number = int.from_bytes(block)
        for at, mask in changes:
            number ^= mask << 4 * (2 * len(block) - 1 - at)
        return number.to_bytes(len(block))

    return st.lists(change, min_size=1, max_size=2).map(changed)


def taken_off(way: Way, block: bytes, pan: str) -> bytes:
    """The declared field in a clear block: without account and card key."""
    if way.with_pan:
        mask = bytes(Iso0PanField(pan[:-1][-12:].zfill(12)))
    elif way is WAYS["PIN change"]:
        mask = bytes(4) + CARD_KEY[4:8]
    else:
        mask = bytes(8)
    return bytes(one ^ other for one, other in zip(block, mask, strict=True))


@clear_ways
@given(data=st.data(), pan=pans)
def test_a_clear_block_is_read_as_its_declaration_reads_it(
    way: Way, data: st.DataObject, pan: str
) -> None:
    built = st.builds(lambda pin, chance: way.build(pin, pan, chance), pins, chances)
    block = data.draw(built.flatmap(scratched) | st.binary(min_size=8, max_size=8))
    try:
        declared = way.declared.parse_declared(taken_off(way, block, pan)).pin  # type: ignore[attr-defined]
    except FormatError:
        declared = None
    try:
        found = way.read(block, pan)
    except FormatError:
        found = None
    assert found == (declared and declared.partition(":")[0])


@clear_ways
@given(pin=pins, pan=pans, chance=chances)
def test_a_clear_block_is_built_as_its_declaration_builds_it(
    way: Way, pin: str, pan: str, chance: bytes
) -> None:
    field = taken_off(way, way.build(pin, pan, chance), pan)
    assert field == way.declared.parse_declared(field).build_declared()


@given(aes_keys, pins, pans, chances)
def test_format_4_is_its_two_declared_fields_under_the_key(
    value: bytes, pin: str, pan: str, chance: bytes
) -> None:
    key = AES.key(value)
    first = key.encrypt(Iso4PinField(pin, chance[:8]).build_declared())
    account = Iso4PanField(pan).build_declared()
    mixed = bytes(one ^ other for one, other in zip(first, account, strict=True))
    assert key.encrypt(mixed) == pinblock.encipher_iso_4(key, pin, pan, drawn(chance))


# Another PAN, another key


@given(pins, pans, pans)
def test_format_0_never_reads_as_the_same_pin_under_another_account(
    pin: str, pan: str, other: str
) -> None:
    block = pinblock.build_iso_0(pin, pan)
    same_account = pan[:-1][-12:].zfill(12) == other[:-1][-12:].zfill(12)
    try:
        found = pinblock.read_iso_0(block, other)
    except FormatError:
        found = ""
    assert (found == pin) == same_account


@given(pins, digits(13, 19), st.integers(0, 11), st.integers(1, 9), chances)
def test_one_wrong_digit_of_the_account_is_seen_in_format_0_or_changes_the_pin(
    pin: str, pan: str, at: int, more: int, chance: bytes
) -> None:
    place = len(pan) - 13 + at
    other = pan[:place] + str((int(pan[place]) + more) % 10) + pan[place + 1 :]
    in_pin = at + 2 < len(pin)
    for way in (WAYS["format 0"], WAYS["format 3"]):
        block = way.build(pin, pan, chance)
        try:
            found = way.read(block, other)
        except FormatError:
            continue
        # What format 3 lets pass are only letters of its filling that became other letters.
        assert found != pin if in_pin else way is WAYS["format 3"] and found == pin


@given(pins, pans, pans, chances)
def test_format_4_under_another_pan_is_no_pin(
    pin: str, pan: str, other: str, chance: bytes
) -> None:
    block = WAYS["format 4"].build(pin, pan, chance)
    if pan == other:
        assert pin == WAYS["format 4"].read(block, other)
        return
    # By chance 1 in 2**20 is a PIN, which is then another one.
    try:
        assert pin != WAYS["format 4"].read(block, other)
    except FormatError as error:
        assert "PIN block: no PIN under this key and PAN" == str(error)


@given(aes_keys, aes_keys, pins, pans, chances)
def test_format_4_under_another_key_is_never_the_same_pin(
    value: bytes, other: bytes, pin: str, pan: str, chance: bytes
) -> None:
    block = pinblock.encipher_iso_4(AES.key(value), pin, pan, drawn(chance))
    try:
        found = pinblock.decipher_iso_4(AES.key(other), block, pan)
    except FormatError:
        found = ""
    assert (found == pin) == (value == other)


# Chance


@given(pins, pans)
def test_chance_makes_other_blocks_of_the_same_pin(pin: str, pan: str) -> None:
    for name in ("format 1", "format 3", "format 4"):
        way = WAYS[name]
        one, other = (way.build(pin, pan, bytes([byte]) * 16) for byte in (0x00, 0x5A))
        assert one != other
        assert way.read(one, pan) == way.read(other, pan) == pin


@given(st.binary(min_size=8, max_size=8))
def test_the_filling_of_format_3_is_its_chance_in_base_6(chance: bytes) -> None:
    left, letters = int.from_bytes(chance), ""
    for _ in range(10):
        left, digit = divmod(left, 6)
        letters += "abcdef"[digit]
    assert letters == pinblock.build_iso_3("1234", "0" * 13, drawn(chance)).hex()[6:]


def test_the_filling_of_format_3_has_each_letter_about_as_often() -> None:
    drawn_once = [sha256(bytes([n])).digest() for n in range(200)]
    blocks = [pinblock.build_iso_3("1234", "0" * 13, drawn(chance)) for chance in drawn_once]
    letters = Counter("".join(block.hex()[6:] for block in blocks))
    assert set("abcdef") == set(letters)
    assert all(270 < count < 400 for count in letters.values())  # 333, five deviations to a side


# What is no PIN, no PAN, no block

NO_PINS = st.sampled_from(
    ["", "123", "1234567890123", "123a", "１２３４", "١٢٣٤", "12 4", "1234\n"]
)
NO_PANS = st.sampled_from(
    ["", "1" * 11, "1" * 20, "12345678901X", "１" * 16, "4012 3456 7890 1234"]
)


@every_way
@given(pin=NO_PINS, pan=pans, chance=chances)
def test_what_is_no_pin_is_refused_and_not_repeated(
    way: Way, pin: str, pan: str, chance: bytes
) -> None:
    with pytest.raises(FormatError, match=r"^PIN: must be 4 to 12 digits$"):
        way.build(pin, pan, chance)


@pytest.mark.parametrize("way", [way for way in WAYS.values() if way.with_pan])
@given(pin=pins, pan=NO_PANS, chance=chances)
def test_what_is_no_pan_is_refused_and_not_repeated(
    way: Way, pin: str, pan: str, chance: bytes
) -> None:
    for given_ in (lambda: way.build(pin, pan, chance), lambda: way.read(bytes(way.size), pan)):
        with pytest.raises(FormatError, match=r"^PAN: must be 12 to 19 digits$"):
            given_()


@every_way
@given(data=st.data(), pan=pans)
def test_only_blocks_of_the_right_length_are_read(way: Way, data: st.DataObject, pan: str) -> None:
    block = data.draw(st.binary(max_size=40).filter(lambda raw: len(raw) != way.size))
    with pytest.raises(FormatError, match=rf"^PIN block: {len(block)} bytes, must be {way.size}$"):
        way.read(block, pan)


@every_way
@given(block=st.binary(min_size=16, max_size=16), pan=pans)
def test_a_refusal_shows_nothing_of_the_block(way: Way, block: bytes, pan: str) -> None:
    try:
        way.read(block[: way.size], pan)
    except FormatError as error:
        assert str(error) in {
            "PIN block: the PIN must have 4 to 12 digits",
            "PIN block: the PIN is not decimal digits",
            "PIN block: the filling is not right",
            "PIN block: no PIN under this key and PAN",
        } or str(error).startswith("PIN block: not of format ")
        assert error.__cause__ is None


@given(pins, pans, st.binary(max_size=12).filter(lambda raw: len(raw) not in (5, 8)))
def test_chance_of_another_length_is_refused(pin: str, pan: str, chance: bytes) -> None:
    def given_(count: int) -> bytes:
        return chance

    with refused:
        pinblock.build_iso_1(pin, given_)
    with refused:
        pinblock.build_iso_3(pin, pan, given_)
    with refused:
        pinblock.encipher_iso_4(KEY, pin, pan, given_)


def test_format_4_takes_keys_of_aes_alone() -> None:
    for suite in SUITES.values():
        key = suite.key(bytes(16))
        with pytest.raises(FormatError, match=rf"^key: {suite.name}, must be AES$"):
            pinblock.encipher_iso_4(key, "1234", "1" * 16, bytes)
        with pytest.raises(FormatError, match="must be AES"):
            pinblock.decipher_iso_4(key, bytes(16), "1" * 16)


def test_threads_share_a_key() -> None:
    chance = bytes(range(8))

    def blocks(_: int) -> list[bytes]:
        return [
            pinblock.encipher_iso_4(KEY, f"{n:06}", f"{n:016}", drawn(chance)) for n in range(200)
        ]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(blocks, range(16)))
    assert all(each == found[0] for each in found)
    assert "000007" == pinblock.decipher_iso_4(KEY, found[0][7], f"{7:016}")


def test_a_declared_pin_is_not_in_the_text_form() -> None:
    values: list[Any] = [
        Iso0PinField("1234"),
        Iso1PinBlock("1234:0000000000"),
        Iso2PinBlock("1234"),
        Iso3PinField("1234:AAAAAAAAAA"),
        Iso4PinField("1234", bytes(8)),
    ]
    assert all(f"{type(value).__name__}()" == repr(value) for value in values)
