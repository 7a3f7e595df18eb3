# SPDX-License-Identifier: Apache-2.0
"""Amounts: whole fen (分) inside, yuan (元) with two decimals where people read and write."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss.medical import LARGEST

_FEN: Final = Decimal("0.01")


def yuan(fen: int) -> Decimal:
    """An amount of fen in yuan, with two decimals."""
    return fen * _FEN


def fen(text: str | Decimal) -> int:
    """An amount in yuan, such as 12.34, in fen. FormatError for what is no amount, is negative,
    has parts of a fen or is larger than the card can hold."""
    try:
        value = Decimal(text)
        whole = value / _FEN
        if not value.is_finite() or whole != whole.to_integral_value():
            raise FormatError("amount: must be yuan with at most two decimals")
    except InvalidOperation:
        raise FormatError("amount: must be yuan with at most two decimals") from None
    if value.is_signed() or not 0 <= whole <= LARGEST:
        raise FormatError(f"amount: must be 0 to {yuan(LARGEST)} yuan")
    return int(whole)
