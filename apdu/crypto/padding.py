# SPDX-License-Identifier: Apache-2.0
"""Filling data to whole blocks (ISO/IEC 9797-1 clause 6.3, and the two ways of EMV scripts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apdu.errors import FormatError

Padding = Callable[[bytes, int], bytes]
"""Data and the block's bytes to whole blocks."""

MARK: Final = 0x80


def method_1(data: bytes, block: int) -> bytes:
    """00 to the end of the block; at least one block (ISO/IEC 9797-1 6.3.2)."""
    return data + bytes(-len(data) % block if data else block)


def method_2(data: bytes, block: int) -> bytes:
    """80, then 00 to the end of the block: always at least one byte (ISO/IEC 9797-1 6.3.3)."""
    return data + b"\x80" + bytes(~len(data) % block)


def when_needed(data: bytes, block: int) -> bytes:
    """As method 2, but whole blocks stay as they are: what is enciphered in PBOC and LD/T 32.

    Only data whose length is known to the reader can be found again in it.
    """
    return method_2(data, block) if len(data) % block else data


def without(data: bytes, block: int) -> bytes:
    """No padding. Raises FormatError for anything but whole blocks."""
    if len(data) % block or not data:
        raise FormatError(f"data: {len(data)} bytes, must be whole blocks of {block} bytes")
    return data


def strip_2(data: bytes, block: int) -> bytes:
    """Undo method 2. Raises FormatError when the padding is not exactly that."""
    body = data.rstrip(b"\x00")
    fits = data and len(data) % block == 0 and body[-1:] == b"\x80"
    if not fits or len(data) - len(body) >= block:
        raise FormatError("padding: must be 80 and 00 to the end of the last block")
    return body[:-1]
