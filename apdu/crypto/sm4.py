# SPDX-License-Identifier: Apache-2.0
"""SM4 (GB/T 32907), the block cipher of the national suite (国密)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from apdu.crypto.suite import Suite

BLOCK: Final = 16


class Sm4(Suite):
    name, number, block, key_lengths = "SM4", 2, BLOCK, (16,)

    def _library(self) -> Any:
        return _library()


@cache
def _library() -> Any:
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4

    return SM4


SM4: Final = Sm4()
