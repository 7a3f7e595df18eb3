# SPDX-License-Identifier: Apache-2.0
"""How text and PINs are coded on the card."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError

CHARSET: Final = "gb18030"
"""Text on the card. The sources say GB 2312 or GBK; GB 18030 contains both."""
PIN_DIGITS: Final = (6, 8)
"""Shortest and longest PIN in digits."""


def pin_bytes(pin: str) -> bytes:
    """A PIN of 6 to 8 digits as packed BCD, an odd number of digits filled with F.

    Raises FormatError, which does not repeat the PIN.
    """
    shortest, longest = PIN_DIGITS
    if not (pin.isascii() and pin.isdecimal() and shortest <= len(pin) <= longest):
        raise FormatError(f"PIN: must be {shortest} to {longest} digits")
    return bytes.fromhex(pin if len(pin) % 2 == 0 else pin + "f")


def is_pin(raw: bytes) -> bool:
    """Whether these bytes are the coding of a PIN of allowed length."""
    digits = raw.hex()
    digits = digits.removesuffix("f")
    return digits.isdecimal() and PIN_DIGITS[0] <= len(digits) <= PIN_DIGITS[1]
