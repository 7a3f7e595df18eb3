# SPDX-License-Identifier: Apache-2.0
"""Amounts and numbers as payment data elements have them: packed BCD, format n."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError

SIZE: Final = 6
"""Bytes of an amount, n 12."""
LARGEST_AMOUNT: Final = 10**12 - 1
"""In the minor unit of the currency, fen for RMB."""


def amount_of(value: bytes) -> int:
    """The number in packed BCD, in the minor unit. Raises FormatError when a digit is none."""
    try:
        return int(value.hex())
    except ValueError:
        raise FormatError("amount: must be packed BCD digits") from None


def amount_bytes(amount: int) -> bytes:
    """6 bytes of packed BCD. Raises FormatError below 0 and beyond 12 digits."""
    if not 0 <= amount <= LARGEST_AMOUNT:
        raise FormatError(f"amount: {amount}, must be 0 to {LARGEST_AMOUNT}")
    return bytes.fromhex(f"{amount:012d}")
