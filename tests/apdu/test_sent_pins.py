# SPDX-License-Identifier: Apache-2.0
"""New PINs on their way to a payment card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digits

from apdu.crypto import pinblock
from apdu.errors import FormatError

pins = digits(4, 12)
card_keys = st.binary(min_size=16, max_size=16)


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
