# SPDX-License-Identifier: Apache-2.0
"""Personalising the bank's application, block by block: what is taken, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from personalisationbench import (
    ENCIPHERED,
    PLAIN,
    Bank,
    bare,
    directory,
    give,
    profile,
    whole,
)
from testbench import command

from apdu.wire.iso7816 import READ_RECORD, RecordRef
from apdu.wire.pboc.groups import (
    CHECK_VALUES,
    KEYS,
    PIN,
    PIN_LIMIT,
    RSA_P,
    SECRET,
    SM2_PRIVATE,
)
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.channel import COUNTER_FID
from card_os.apps.pboc.groups import read_group
from card_os.apps.pboc.state import STATE_FID
from host.issuer.profile import SHIPPED

protocols = pytest.mark.parametrize("protocol", ["SCP02", "SCP03"])


@protocols
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_makes_a_card(protocol: str, name: str) -> None:
    chip = bare(protocol)
    give(chip, profile(name))
    whole(chip, name)


def test_an_application_that_is_being_personalised_tells_nothing() -> None:
    chip = bare()
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x0101, profile()[0x0101])
    assert b"\x6d\x00" == chip.transmit(command(READ_RECORD, RecordRef(1, 1)))
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("80CA9F3600"))
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("80A8000002830000"))
    assert 0x9000 == bank.group(0x0102, b"\x70\x00")


# Blocks


def test_a_block_out_of_its_order_is_refused() -> None:
    bank = Bank(bare())
    data = bank.stream([(0x9104, b"\x01")])
    bank.number = 1
    assert 0x6985 == bank.block(data)
    bank.number = 0
    assert 0x9000 == bank.block(data)
    bank.number = 0
    assert 0x6985 == bank.block(data)
    bank.number = 1
    assert 0x9000 == bank.block(data)


def test_the_numbers_of_blocks_begin_again_after_255_and_groups_stay() -> None:
    chip = bare()
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x0101, b"\x70\x00")
    for _ in range(300):
        assert 0x9000 == bank.block(bank.stream([(0x9104, b"\x01")]))
    assert b"\x70\x00" == read_group(directory(chip), 0x0101)


@given(st.lists(st.integers(1, 220), max_size=12), st.sampled_from(["SCP02", "SCP03"]))
@settings(max_examples=10)
def test_groups_may_be_cut_anywhere(cuts: list[int], protocol: str) -> None:
    chip = bare(protocol)
    bank = Bank(chip)
    late = {*SECRET, *CHECK_VALUES.values(), PIN_LIMIT}
    plain = {n: v for n, v in profile().items() if n not in late}
    data = bank.stream(plain.items())
    while data:
        size = cuts.pop() if cuts else 200
        assert 0x9000 == bank.block(data[:size])
        data = data[size:]
    assert 0x9000 == bank.groups({n: v for n, v in profile().items() if n not in plain})
    whole(chip)


def test_a_group_that_is_cut_at_the_end_is_refused() -> None:
    bank = Bank(bare())
    for number, value in profile().items():
        bank.group(number, value)
    assert 0x6A80 == bank.block(b"\x91\x20\x05\x01", last=1)


@pytest.mark.parametrize("marked", [1, 2])
def test_a_block_is_enciphered_whole_or_not_at_all(marked: int) -> None:
    bank = Bank(bare())
    assert 0x6A86 == bank.block(bank.stream([(0x9104, b"\x01")]), marked)


@protocols
@pytest.mark.parametrize("number", [PIN, RSA_P, SM2_PRIVATE, *KEYS.values()])
def test_secret_groups_come_enciphered(protocol: str, number: int) -> None:
    bank = Bank(bare(protocol))
    value = bytes(48) if number in KEYS.values() else profile("sm2")[number]
    assert 0x6A80 == bank.block(bank.stream([(number, value)]), PLAIN)
    assert 0x9000 == bank.group(number, value)


def test_a_secret_group_that_was_not_enciphered_under_the_dek_is_refused() -> None:
    bank = Bank(bare())
    naked = number_and(PIN, profile()[PIN])
    assert 0x6A80 == bank.block(naked, ENCIPHERED)
    assert 0x6A80 == bank.block(number_and(PIN, bytes(15)), ENCIPHERED)


def number_and(number: int, value: bytes) -> bytes:
    return number.to_bytes(2) + bytes((len(value),)) + value


def test_other_groups_do_not_come_enciphered() -> None:
    bank = Bank(bare())
    assert 0x6A80 == bank.block(bank.stream([(0x9104, b"\x01")]), ENCIPHERED)


def test_a_group_that_is_cut_goes_on_in_a_block_of_its_kind() -> None:
    bank = Bank(bare())
    data = bank.stream([(PIN, profile()[PIN])])
    assert 0x9000 == bank.block(data[:5], ENCIPHERED)
    assert 0x6A80 == bank.block(data[5:], PLAIN)
    assert 0x9000 == bank.block(data[5:], ENCIPHERED)
    assert 0x9000 == bank.block(data[:5], PLAIN)
    assert 0x6A80 == bank.block(data[5:], ENCIPHERED)


@pytest.mark.parametrize("number", [STATE_FID, COUNTER_FID, 0xEF0B, 0xEFFF])
def test_what_the_chip_keeps_for_itself_is_no_group(number: int) -> None:
    assert 0x6A80 == Bank(bare()).group(number, b"\x01\x02\x03")


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (KEYS[Algorithm.TDES], bytes(47)),
        (KEYS[Algorithm.TDES], bytes(49)),
        (PIN, bytes(7)),
        (PIN, bytes(9)),
        (PIN_LIMIT, b""),
        (PIN_LIMIT, b"\x9f\x17\x01\x00\x00"),
        (PIN_LIMIT, b"\x9f\x17\x01\x10\x10"),
        (CHECK_VALUES[Algorithm.TDES], bytes(9)),
    ],
)
def test_a_group_of_another_shape_is_refused_when_it_comes(number: int, value: bytes) -> None:
    assert 0x6A80 == Bank(bare()).group(number, value)


@pytest.mark.parametrize("wrong", range(3))
def test_every_key_is_held_to_its_check_value(wrong: int) -> None:
    bank = Bank(bare())
    keys, values = profile()[KEYS[Algorithm.TDES]], profile()[CHECK_VALUES[Algorithm.TDES]]
    assert 0x9000 == bank.group(KEYS[Algorithm.TDES], keys)
    other = bytearray(values)
    other[3 * wrong] ^= 1
    for bad in (bytes(other), values[:-1], values + b"\0"):
        assert 0x6A80 == bank.group(CHECK_VALUES[Algorithm.TDES], bad)


def test_a_check_value_that_was_refused_can_be_sent_right() -> None:
    chip = bare()
    bank = Bank(chip)
    values = CHECK_VALUES[Algorithm.TDES]
    assert 0x6A80 == bank.group(values, bytes(9))
    assert 0x9000 == bank.groups(profile())
    whole(chip)
