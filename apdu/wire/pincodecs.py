# SPDX-License-Identifier: Apache-2.0
"""The fields of PIN blocks as constructs. Imported when the first of them is used."""

from __future__ import annotations

from typing import Final

from construct import Bytes

from apdu.wire.codecs import Codec
from apdu.wire.digits import check_pan, check_pin

NIBBLES: Final = 14
"""What is left of 8 bytes behind form nibble and length."""
ACCOUNT: Final = 12


class PinField(Codec):
    """A PIN behind the numbers of its format and of its digits, filled up to 8 bytes.

    `filling` has the nibbles that may fill. One: the value is the PIN. Several: the value is the
    PIN, a colon and the filling, for then the same PIN has many encodings.
    """

    def __init__(self, form: int, filling: str) -> None:
        super().__init__(Bytes(8))
        self.form = form
        self.filling = filling

    def read(self, found: bytes) -> str:
        nibbles = found.hex().upper()
        if nibbles[0] != str(self.form):
            raise ValueError(f"not of format {self.form}")
        length = int(nibbles[1], 16)
        pin, filling = nibbles[2 : 2 + length], nibbles[2 + length :]
        self._check(pin, filling)
        return pin if len(self.filling) == 1 else f"{pin}:{filling}"

    def write(self, value: str) -> bytes:
        if not isinstance(value, str):
            raise ValueError("must be digits")
        if len(self.filling) == 1:
            pin, filling = value, self.filling * (NIBBLES - len(value))
        else:
            pin, _, filling = value.partition(":")
        self._check(pin, filling)
        return bytes.fromhex(f"{self.form}{len(pin):X}{pin}{filling}")

    def _check(self, pin: str, filling: str) -> None:
        check_pin(pin)
        if len(pin) + len(filling) != NIBBLES or not set(filling) <= set(self.filling):
            raise ValueError("the filling is not right")


class Account(Codec):
    """0000 and 12 digits."""

    def __init__(self) -> None:
        super().__init__(Bytes(8))

    def read(self, found: bytes) -> str:
        digits = found.hex()
        if not digits.isdecimal() or digits[:-ACCOUNT].strip("0"):
            raise ValueError("must be 0000 and 12 digits")
        return digits[-ACCOUNT:]

    def write(self, value: str) -> bytes:
        if not (value.isascii() and value.isdecimal() and len(value) == ACCOUNT):
            raise ValueError("must be 12 digits")
        return bytes.fromhex(value.zfill(16))


class Pan(Codec):
    """A PAN behind the number of its digits beyond 12, filled with 0 up to 16 bytes."""

    def __init__(self) -> None:
        super().__init__(Bytes(16))

    def read(self, found: bytes) -> str:
        nibbles = found.hex()
        length = ACCOUNT + int(nibbles[0], 16)
        digits, filling = nibbles[1 : 1 + length], nibbles[1 + length :]
        check_pan(digits)
        if filling.strip("0"):
            raise ValueError("must be filled with 0")
        return digits

    def write(self, value: str) -> bytes:
        check_pan(value)
        return bytes.fromhex(f"{len(value) - ACCOUNT}{value}".ljust(32, "0"))
