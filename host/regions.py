# SPDX-License-Identifier: Apache-2.0
"""Regions (行政区划代码) of GB/T 2260, as far as a desk judges them."""

from __future__ import annotations

# GB/T 2260: what the first two of a region's six digits may be.
PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 "
    "50 51 52 53 54 61 62 63 64 65 71 81 82".split()
)


def check_region(code: str) -> None:
    """Refuse what cannot be a region (行政区划代码) of GB/T 2260.

    Counties come and go with every edition, and a birthplace keeps the code of its day, so only
    the province is judged.
    """
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        raise ValueError("must be the 6 digits of a GB/T 2260 region")
    if code[:2] not in PROVINCES:
        raise ValueError("the first two digits are not a province of GB/T 2260")
