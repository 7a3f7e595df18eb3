# SPDX-License-Identifier: Apache-2.0
"""DUKPT: a key for every transaction of a terminal, by 3DES (ANSI X9.24-1:2009 annex A).

The host derives a transaction's key from the base key (BDK) and the KSN. The terminal holds
`FutureKeys` and no longer its initial key, so what it held at any time does not show earlier
transactions. All keys here are 16 bytes; a transaction key is never used itself, but in its
variants.
"""

from __future__ import annotations

from threading import Lock
from typing import Final, NoReturn

from apdu.crypto.tdes import KEY, TDES
from apdu.errors import FormatError
from apdu.secret import MASK
from apdu.wire.ksn import COUNTER_BITS, MOST_ONES, Ksn

_HALF: Final = KEY // 2
_OTHER: Final = bytes.fromhex("C0C0C0C000000000") * 2
"""What is XORed to a key to make the second half of the next one."""
_PIN: Final = bytes.fromhex("00000000000000FF") * 2
_MAC: Final = bytes.fromhex("000000000000FF00") * 2, bytes.fromhex("00000000FF000000") * 2
_DATA: Final = bytes.fromhex("0000000000FF0000") * 2, bytes.fromhex("000000FF00000000") * 2
"""Masks for what the terminal sends, and for what it is answered."""


def initial_key(bdk: bytes, ksn: Ksn) -> bytes:
    """The key (IPEK) that is loaded into a device; the counter of `ksn` does not count."""
    block = bytes(ksn.at(0))[:_HALF]
    parts = (_check("BDK", bdk), _xor(bdk, _OTHER))
    return b"".join(TDES.once(part).encrypt(block) for part in parts)


def transaction_key(initial: bytes, ksn: Ksn) -> bytes:
    """The key of one transaction, derived once for each one in its counter.

    Raises FormatError for a counter that no terminal uses: 0, or more than 10 ones.
    """
    key = _check("initial key", initial)
    counter = _check_counter(ksn)
    reached = 0
    for at in reversed(range(COUNTER_BITS)):
        if counter >> at & 1:
            reached |= 1 << at
            key = _next(key, ksn.at(reached))
    return key


def pin_variant(key: bytes) -> bytes:
    """What enciphers the PIN block of a transaction."""
    return _xor(_check("transaction key", key), _PIN)


def mac_variant(key: bytes, response: bool = False) -> bytes:
    """What makes the MAC of a transaction's request, or of its response."""
    return _xor(_check("transaction key", key), _MAC[response])


def data_variant(key: bytes, response: bool = False) -> bytes:
    """What enciphers data of a transaction's request, or of its response: the variant,
    enciphered under itself (A.4.1)."""
    variant = _xor(_check("transaction key", key), _DATA[response])
    return TDES.once(variant).encrypt(variant)


class FutureKeys:
    """What a terminal holds: a key for each bit of the counter, and none of the past.

    Every text form is `•••`, and it cannot be pickled. Threads may share it.
    """

    __slots__ = ("_keys", "_ksn", "_lock")

    def __init__(self, initial: bytes, ksn: Ksn) -> None:
        """`initial`: the initial key, 16 bytes, to be forgotten afterwards."""
        _check("initial key", initial)
        self._lock = Lock()
        self._ksn: Ksn | None = ksn.at(1)
        self._keys: list[bytes | None] = [
            _next(initial, ksn.at(1 << at)) for at in range(COUNTER_BITS)
        ]

    def take(self) -> tuple[Ksn, bytes]:
        """The KSN and the key of the next transaction; the key is forgotten here.

        Raises FormatError when all have been taken.
        """
        with self._lock:
            ksn = self._ksn
            lowest = (ksn.counter & -ksn.counter).bit_length() - 1 if ksn else 0
            key = self._keys[lowest]
            if ksn is None or key is None:
                raise FormatError("KSN: all its transactions are used")
            if ksn.counter.bit_count() < MOST_ONES:
                for at in range(lowest):
                    self._keys[at] = _next(key, ksn.at(ksn.counter | 1 << at))
            self._keys[lowest] = None
            try:
                self._ksn = ksn.next()
            except FormatError:
                self._ksn = None
            return ksn, key

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are not to be copied or stored")


def _next(key: bytes, ksn: Ksn) -> bytes:
    """The key that follows from another at a KSN; the way back is closed (A.2)."""
    block = bytes(ksn)[-_HALF:]
    halves = []
    for part in (_xor(key, _OTHER), key):
        left, right = part[:_HALF], part[_HALF:]
        halves.append(_xor(TDES.once(left).encrypt(_xor(block, right)), right))
    return b"".join(halves)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


def _check(name: str, key: bytes) -> bytes:
    if len(key) != KEY:
        raise FormatError(f"{name}: {len(key)} bytes, must be {KEY}")
    return key


def _check_counter(ksn: Ksn) -> int:
    counter = ksn.counter
    if not 1 <= counter.bit_count() <= MOST_ONES:
        raise FormatError(f"KSN: the counter must have 1 to {MOST_ONES} ones")
    return counter
