# SPDX-License-Identifier: Apache-2.0
"""Amounts of the second currency, counted in the application's own (货币转换因子, 9F73)."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_of

SIZE: Final = 4
"""Bytes of 9F73: a digit that says how many decimal places the seven digits behind it have."""


def converted(amount: int, factor: bytes) -> int:
    """An amount times a factor, both currencies in their minor units; 12 digits at most.

    What is left over counts as a whole unit (profile choice `conversion-rounding`): a limit is
    rather reached early than late. Raises FormatError when the factor is none.
    """
    if len(factor) != SIZE:
        raise FormatError(f"conversion factor (9F73): {len(factor)} bytes, must be {SIZE}")
    places, digits = divmod(amount_of(factor), 10**7)
    unit: int = 10**places
    return min(-(-amount * digits // unit), LARGEST_AMOUNT)
