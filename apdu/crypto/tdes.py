# SPDX-License-Identifier: Apache-2.0
"""Triple DES: blocks, the retail MAC, and key diversification (3DES 算法)."""

from __future__ import annotations

from typing import Final

BLOCK: Final = 8
"""Bytes of a block."""
KEY: Final = 16
"""Bytes of a double-length key."""


def encrypt(key: bytes, data: bytes) -> bytes:
    """ECB over whole blocks. `key`: 8 (single DES) or 16 bytes."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    # The library takes three keys: single DES is one key three times, double length K1 K2 K1.
    whole = key * 3 if len(key) == BLOCK else key + key[:BLOCK]
    return Cipher(TripleDES(whole), modes.ECB()).encryptor().update(data)  # noqa: S305 - the card's


def retail_mac(key: bytes, data: bytes) -> bytes:
    """MAC of 8 bytes: ISO 9797-1 algorithm 3, padding method 2, zero IV."""
    padded = data + b"\x80"
    padded += bytes(-len(padded) % BLOCK)
    chained = bytes(BLOCK)
    for at in range(0, len(padded) - BLOCK, BLOCK):
        chained = encrypt(key[:BLOCK], _xor(chained, padded[at : at + BLOCK]))
    return encrypt(key, _xor(chained, padded[-BLOCK:]))


def diversify(key: bytes, factor: bytes) -> bytes:
    """The 16-byte key of a card, city or province: factor and its complement, enciphered."""
    return encrypt(key, factor + _xor(factor, b"\xff" * BLOCK))


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(BLOCK)
