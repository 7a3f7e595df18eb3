# SPDX-License-Identifier: Apache-2.0
"""Triple DES (3DES), and single DES where cards still use it: a key of 8 bytes.

The library's DES takes three keys, so one of 8 bytes is taken three times, one of 16 bytes as
K1 K2 K1. Parity bits are not looked at (ISO/IEC 18033-3 ignores them as well).
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise
from struct import Struct
from typing import Any, Final

from apdu.crypto.padding import Padding, method_2, without
from apdu.crypto.suite import BlockKey, PassingKey, Suite, builder, ecb, zero_cbc

BLOCK: Final = 8
KEY: Final = 16
"""Bytes of a double-length key."""

_TAILS: Final = [method_2(bytes(n), BLOCK)[n:] for n in range(BLOCK)]
_MARKED: Final = 0x80 << 56
"""The block that padding method 2 adds to whole blocks, as a number."""


@lru_cache(maxsize=256)
def _shapes(rest: int) -> list[tuple[Any, Any, Any, bytes]]:
    """How the MAC takes apart its data: a first block, `rest` bytes, and 0 to 7 bytes more.

    Four things for each: split the data into first block and rest (and the last block, when the
    fourth thing, the padding, was added), join the two again, take the last block of the outcome.
    """
    body, marked = Struct(f">Q{rest}s"), Struct(f">Q{rest}sQ")
    end = Struct(f">{rest}xQ").unpack
    whole = (body.unpack, body.pack, end, b"")
    return [whole, *((marked.unpack, body.pack, end, tail) for tail in _TAILS[1:])]


_shape_of: Final = {
    rest + BLOCK + odd: shape
    for rest in range(0, 0x108, BLOCK)
    for odd, shape in enumerate(_shapes(rest))
}.get
"""By length, from a whole block to the longest command with what scripts put before it."""


class TdesKey(BlockKey):
    """A key of 8, 16 or 24 bytes; its MAC is the retail MAC."""

    __slots__ = ()

    def mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """MAC algorithm 3 of ISO/IEC 9797-1 (retail MAC); for a key of 8 bytes algorithm 1.

        CBC under the first key alone, and the last block under the whole key. Written out,
        because every script, cryptogram and session of a 3DES card passes here.
        """
        shape = _shape_of(len(data))
        if shape and padding is method_2:
            split, join, end, tail = shape
            if tail:
                first, rest, final = split(data + tail)
            else:
                first, rest = split(data)
                final = _MARKED
        else:
            blocks = without(padding(data, BLOCK), BLOCK)
            if len(blocks) == BLOCK:
                return self.encrypt(blocks)
            split, join, end, _ = _shapes(len(blocks) - 2 * BLOCK)[1]
            first, rest, final = split(blocks)
        free = self._macs
        try:
            kept = free.pop() if free else self._mac_contexts()
        except IndexError:
            kept = self._mac_contexts()
        chain, last, whole = kept
        (last,) = end(chain(join(first ^ last, rest)))
        kept[1] = last
        mac: bytes = whole((final ^ last).to_bytes(BLOCK))
        free.append(kept)
        return mac

    def _mac_contexts(self) -> list[Any]:
        """A CBC context of the first key, its last block as a number, and the whole key."""
        chain = self.suite._cipher(self._value[:BLOCK], zero_cbc(BLOCK)).encryptor().update
        return [chain, 0, self._encryptor()]


class PassingTdesKey(PassingKey):
    """A key that keeps nothing, with the retail MAC."""

    __slots__ = ()

    def mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        if padding is method_2:
            blocks = data + _TAILS[len(data) % BLOCK]
        else:
            blocks = without(padding(data, BLOCK), BLOCK)
        final = blocks[-BLOCK:]
        if len(blocks) > BLOCK:
            chain = self.suite._cipher(self._value[:BLOCK], zero_cbc(BLOCK)).encryptor().update
            last = int.from_bytes(chain(blocks[:-BLOCK])[-BLOCK:])
            final = (last ^ int.from_bytes(final)).to_bytes(BLOCK)
        mac: bytes = self._encryptor()(final)
        return mac


class Tdes(Suite):
    name, number, block, key_lengths = "3DES", 1, BLOCK, (16, 8, 24)

    def _make(self, value: bytes) -> TdesKey:
        return TdesKey(self, value)

    def _make_passing(self, value: bytes) -> PassingTdesKey:
        return PassingTdesKey(self, value)

    def mac_once(self, value: bytes, data: bytes) -> bytes:
        """As above, written out for keys of 16 bytes: sessions of payment cards pass here."""
        if len(value) != KEY:
            return super().mac_once(value, data)
        build, cipher, first = builder(), _library(), value[:BLOCK]
        blocks = data + _TAILS[len(data) % BLOCK]
        final = blocks[-BLOCK:]
        if len(blocks) > BLOCK:
            chain = build(cipher, first * 3, zero_cbc(BLOCK)).encryptor().update
            last = int.from_bytes(chain(blocks[:-BLOCK])[-BLOCK:])
            final = (last ^ int.from_bytes(final)).to_bytes(BLOCK)
        mac: bytes = build(cipher, value + first, ecb()).encryptor().update(final)
        return mac

    def _library(self) -> Any:
        return _library()

    def _expanded(self, value: bytes) -> bytes:
        if len(value) == BLOCK:
            return value * 3
        return value + value[:BLOCK] if len(value) == KEY else value

    def remarks(self, value: bytes) -> tuple[str, ...]:
        found = list(super().remarks(value))
        parts = [value[at : at + BLOCK] for at in range(0, len(value), BLOCK)]
        if value != odd_parity(value):
            found.append("parity is not odd")
        if any(odd_parity(part) in _WEAK for part in parts):
            found.append("a part is a weak or semi-weak DES key")
        if any(odd_parity(a) == odd_parity(b) for a, b in pairwise(parts)):
            found.append("parts beside each other are equal, so it is single DES")
        return tuple(found)


_PARITY: Final = bytes(byte & 0xFE | (byte >> 1).bit_count() & 1 ^ 1 for byte in range(0x100))
_WEAK: Final = frozenset(
    bytes.fromhex(each)
    for each in (
        # weak (NIST SP 800-67 3.3.2), then semi-weak
        "0101010101010101 FEFEFEFEFEFEFEFE E0E0E0E0F1F1F1F1 1F1F1F1F0E0E0E0E "
        "011F011F010E010E 1F011F010E010E01 01E001E001F101F1 E001E001F101F101 "
        "01FE01FE01FE01FE FE01FE01FE01FE01 1FE01FE00EF10EF1 E01FE01FF10EF10E "
        "1FFE1FFE0EFE0EFE FE1FFE1FFE0EFE0E E0FEE0FEF1FEF1FE FEE0FEE0FEF1FEF1"
    ).split()
)


def odd_parity(key: bytes) -> bytes:
    """The key with every lowest bit set so that each byte has an odd number of ones."""
    return key.translate(_PARITY)


@cache
def _library() -> Any:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

    return TripleDES


TDES: Final = Tdes()
