# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197), for PIN blocks of format 4. No key of a card names it, so it is not in SUITES."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from apdu.crypto.suite import Suite

BLOCK: Final = 16


class Aes(Suite):
    """Its keys have 16, 24 or 32 bytes; their MAC is plain CBC-MAC, not CMAC."""

    name, number, block, key_lengths = "AES", 0, BLOCK, (16, 24, 32)

    def _library(self) -> Any:
        return _library()


@cache
def _library() -> Any:
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    return AES


AES: Final = Aes()
