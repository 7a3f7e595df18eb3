# SPDX-License-Identifier: Apache-2.0
"""Cipher block chaining (CBC, ISO/IEC 10116) over whole blocks, for what is longer than a key."""

from __future__ import annotations

from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError


def cbc_encrypt(key: BlockKey, data: bytes, iv: bytes) -> bytes:
    """`iv`: one block. Raises FormatError for anything but whole blocks."""
    size = key.suite.block
    _check_iv(iv, size)
    if len(data) % size:
        raise FormatError(f"data: {len(data)} bytes, must be whole blocks of {size} bytes")
    last, done = int.from_bytes(iv), []
    for at in range(0, len(data), size):
        block = key.encrypt((int.from_bytes(data[at : at + size]) ^ last).to_bytes(size))
        done.append(block)
        last = int.from_bytes(block)
    return b"".join(done)


def cbc_decrypt(key: BlockKey, data: bytes, iv: bytes) -> bytes:
    """`iv`: one block. Raises FormatError for anything but whole blocks."""
    _check_iv(iv, key.suite.block)
    before = iv + data[: -key.suite.block]
    plain = key.decrypt(data)
    if not data:
        return b""
    return (int.from_bytes(plain) ^ int.from_bytes(before)).to_bytes(len(data))


def _check_iv(iv: bytes, size: int) -> None:
    if len(iv) != size:
        raise FormatError(f"IV: {len(iv)} bytes, must be {size}")
