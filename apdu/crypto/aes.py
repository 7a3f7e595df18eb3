# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197), for PIN blocks of format 4 and the secure channel of personalisation; CMAC.

No payment or social security key names it, so it is not in SUITES."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from apdu.crypto.padding import method_2
from apdu.crypto.suite import BlockKey, Suite

BLOCK: Final = 16


class Aes(Suite):
    """Its keys have 16, 24 or 32 bytes; their MAC is plain CBC-MAC, not CMAC."""

    name, number, block, key_lengths = "AES", 3, BLOCK, (16, 24, 32)

    def _library(self) -> Any:
        return _library()


@cache
def _library() -> Any:
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    return AES


AES: Final = Aes()


_ALL: Final = (1 << 8 * BLOCK) - 1
_REDUCTION: Final = 0x87


def cmac(key: BlockKey, data: bytes) -> bytes:
    """CMAC, 16 bytes (NIST SP 800-38B, RFC 4493): CBC-MAC, the last block masked by a subkey."""
    whole = bool(data) and len(data) % BLOCK == 0
    subkey = _doubled(int.from_bytes(key.encrypt(bytes(BLOCK))))
    mask = subkey if whole else _doubled(subkey)

    def masked(message: bytes, block: int) -> bytes:
        blocks = message if whole else method_2(message, block)
        last = int.from_bytes(blocks[-block:]) ^ mask
        return blocks[:-block] + last.to_bytes(block)

    return key.cbc_mac(data, masked)


def _doubled(number: int) -> int:
    """Twice the number in the field of 2^128 elements."""
    carry = number >> 8 * BLOCK - 1
    return (number << 1 & _ALL) ^ (_REDUCTION if carry else 0)
