# SPDX-License-Identifier: Apache-2.0
"""PINs and account numbers as a bank has them: digits as text, and how many there may be."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError

PIN_DIGITS: Final = range(4, 13)
"""How many digits a PIN may have that goes into a PIN block (ISO 9564-1 8.1)."""


def check_pin(pin: str) -> str:
    """The PIN, when it has 4 to 12 digits of ASCII, or FormatError without it."""
    if not (4 <= len(pin) <= 12 and pin.isdecimal() and pin.isascii()):
        raise FormatError("PIN: must be 4 to 12 digits")
    return pin


def check_pan(pan: str) -> str:
    """The PAN, when it has 12 to 19 digits of ASCII, or FormatError without it."""
    if not (12 <= len(pan) <= 19 and pan.isdecimal() and pan.isascii()):
        raise FormatError("PAN: must be 12 to 19 digits")
    return pan
