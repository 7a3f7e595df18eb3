# SPDX-License-Identifier: Apache-2.0
"""New PINs on their way to a card: PIN change of payment cards, PIN reload of LD/T 32."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digits, near

from apdu.crypto import pinblock
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError
from apdu.wire.pinblock import ReloadPin

pins = digits(4, 12)
card_pins = digits(6, 8)
card_keys = st.binary(min_size=16, max_size=16)


def two_blocks(pin: str) -> bytes:
    """A reload padded to one block more than it needs."""
    return pinblock.build_reload(pin, 16)


# PIN change


@given(pins, card_keys, card_keys, st.just("") | pins)
def test_a_pin_change_is_for_one_card_only(
    pin: str, key: bytes, other: bytes, current: str
) -> None:
    block = pinblock.build_pin_change(pin, key, current)
    assert pin == pinblock.read_pin_change(block, key, current)
    try:
        found = pinblock.read_pin_change(block, other, current)
    except FormatError:
        found = ""
    assert (found == pin) == (key[4:8] == other[4:8])


@given(pins, pins, pins, card_keys)
def test_a_pin_change_is_not_read_as_the_new_pin_without_the_current_one(
    pin: str, current: str, other: str, key: bytes
) -> None:
    block = pinblock.build_pin_change(pin, key, current)
    for wrong in {"", other}:
        try:
            found = pinblock.read_pin_change(block, key, wrong)
        except FormatError:
            found = ""
        # Zeros to the end of a PIN are not to be told from its filling.
        same = wrong.rstrip("0") == current.rstrip("0")
        assert (found == pin) == same


@given(pins, st.binary(max_size=40).filter(lambda raw: len(raw) != 16))
def test_only_a_whole_card_key_masks_a_pin_change(pin: str, key: bytes) -> None:
    with pytest.raises(FormatError, match=rf"^card key: {len(key)} bytes, must be 16$"):
        pinblock.build_pin_change(pin, key)


# PIN reload


@given(card_pins, st.sampled_from([8, 16]))
def test_a_reload_is_one_block_and_reads_back(pin: str, block: int) -> None:
    data = pinblock.build_reload(pin, block)
    assert block == len(data)
    assert pin == pinblock.read_reload(data, block)
    declared = ReloadPin(pin).build_declared()
    assert declared + b"\x80" == data.rstrip(b"\0")


@given(near(card_pins.map(pinblock.build_reload), longest=12) | card_pins.map(two_blocks))
def test_only_a_reload_is_read_as_one(data: bytes) -> None:
    try:
        pin = pinblock.read_reload(data)
    except FormatError as error:
        assert "PIN reload: must be a length, a PIN of 6 to 8 digits, 80 and 00" == str(error)
    else:
        assert data == pinblock.build_reload(pin)


def test_a_triple_des_key_of_a_card_protects_what_a_reload_builds() -> None:
    session = TDES.key(bytes.fromhex("B3A126CB5DD2B852"))
    assert "123456" == pinblock.read_reload(
        session.decrypt(session.encrypt(pinblock.build_reload("123456")))
    )
