# SPDX-License-Identifier: Apache-2.0
"""SM3, the hash of the national suite (GB/T 32905, GM/T 0004), and the keys it makes."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from apdu.errors import FormatError

SIZE: Final = 32
"""Bytes of a digest."""


def digest(data: bytes) -> bytes:
    """The SM3 digest, 32 bytes."""
    context = _empty().copy()
    context.update(data)
    done: bytes = context.finalize()
    return done


class Beginning:
    """SM3 that has taken the beginning of messages; any number of them can go on from it.

    It never changes, so it may be kept and shared by threads.
    """

    __slots__ = ("_context",)

    def __init__(self, beginning: bytes) -> None:
        self._context = _empty().copy()
        self._context.update(beginning)

    def digest(self, rest: bytes) -> bytes:
        """The digest of the beginning and the rest, 32 bytes."""
        context = self._context.copy()
        context.update(rest)
        done: bytes = context.finalize()
        return done


def derive_key(shared: bytes, length: int) -> bytes:
    """The key derivation function KDF of GB/T 32918.4 5.4.3: `length` bytes, one at least."""
    if not 0 < length < SIZE << 32:
        raise FormatError(f"derived key: {length} bytes, must be 1 or more")
    beginning = Beginning(shared)
    blocks = (beginning.digest(n.to_bytes(4)) for n in range(1, -(-length // SIZE) + 1))
    return b"".join(blocks)[:length]


@cache
def _empty() -> Any:
    """A context that has taken nothing; only copies of it are used."""
    from cryptography.hazmat.primitives.hashes import SM3, Hash

    return Hash(SM3())
