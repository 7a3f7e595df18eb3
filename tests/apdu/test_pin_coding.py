# SPDX-License-Identifier: Apache-2.0
"""A PIN of 6 to 8 digits as packed BCD."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import near

from apdu.errors import FormatError
from apdu.wire.codes import is_pin, pin_bytes

pins = st.text("0123456789", min_size=6, max_size=8)


@given(pins)
def test_a_pin_is_written_digit_by_digit_and_known_again(pin: str) -> None:
    raw = pin_bytes(pin)
    assert pin == raw.hex().rstrip("f")
    assert is_pin(raw)


@given(near(pins.map(pin_bytes), longest=5))
def test_only_the_coding_of_a_pin_is_one(raw: bytes) -> None:
    digits = raw.hex().removesuffix("f")
    try:
        written = pin_bytes(digits)
    except FormatError:
        written = None
    assert (raw == written) == is_pin(raw)


@pytest.mark.parametrize("raw", ["", "12345F", "123456FF", "1234567FFF", "123456F7", "12345678FF"])
def test_what_a_pin_is_never_written_as_is_none(raw: str) -> None:
    assert not is_pin(bytes.fromhex(raw))


@pytest.mark.parametrize(("pin", "raw"), [("123456", "123456"), ("1234567", "1234567F")])
def test_an_odd_digit_is_filled_with_f(pin: str, raw: str) -> None:
    assert raw == pin_bytes(pin).hex().upper()


@given(st.text(max_size=10).filter(lambda pin: not (pin.isascii() and pin.isdecimal())))
def test_what_is_no_pin_is_refused_and_not_repeated(pin: str) -> None:
    with pytest.raises(FormatError) as refused:
        pin_bytes(pin)
    assert "PIN: must be 6 to 8 digits" == str(refused.value)


@pytest.mark.parametrize("pin", ["", "12345", "123456789", "12345a", "١٢٣٤٥٦", "１２３４５６"])
def test_a_pin_has_six_to_eight_ascii_digits(pin: str) -> None:
    with pytest.raises(FormatError):
        pin_bytes(pin)
