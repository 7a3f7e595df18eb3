# SPDX-License-Identifier: Apache-2.0
"""`Suite`: a block cipher with its MAC, and `BlockKey`: one key of it, ready for work.

A key is scheduled once and its contexts are kept, for that is what costs: a fresh context takes
ten times as long as a block. Contexts remember; so each one is handed to one caller at a time,
and one key may be used by many threads. A context in which anything failed is dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from apdu.crypto.padding import Padding, method_2
from apdu.errors import FormatError
from apdu.secret import MASK

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher

CHECK_VALUE: Final = 3
"""Bytes of a check value (校验值) as keys are compared by."""


class BlockKey(ABC):
    """A key of one suite. Every text form of it is `•••`, and it cannot be pickled.

    Data is whole blocks; anything else raises FormatError, nothing is cut off or filled.
    """

    __slots__ = ("_chains", "_decryptors", "_encryptors", "_value", "suite")

    def __init__(self, suite: Suite, value: bytes) -> None:
        self.suite = suite
        self._value = value
        self._encryptors: list[Any] = []
        self._decryptors: list[Any] = []
        self._chains: list[Chain] = []

    @abstractmethod
    def _ecb(self) -> Cipher[Any]: ...

    def encrypt(self, data: bytes) -> bytes:
        """Encipher block by block (ECB)."""
        if len(data) % self.suite.block:
            raise self._not_blocks(data)
        try:
            update = self._encryptors.pop()
        except IndexError:
            update = self._ecb().encryptor().update
        done: bytes = update(data)
        self._encryptors.append(update)
        return done

    def decrypt(self, data: bytes) -> bytes:
        """Decipher block by block (ECB)."""
        if len(data) % self.suite.block:
            raise self._not_blocks(data)
        try:
            update = self._decryptors.pop()
        except IndexError:
            update = self._ecb().decryptor().update
        done: bytes = update(data)
        self._decryptors.append(update)
        return done

    @abstractmethod
    def mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """The suite's MAC, one whole block, zero IV. Commands carry its first 4 or 8 bytes."""

    @abstractmethod
    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """MAC algorithm 1 of ISO/IEC 9797-1: the last block of CBC with zero IV."""

    def check_value(self, length: int = CHECK_VALUE) -> bytes:
        """The first bytes of an enciphered zero block: tells keys apart, gives none away.

        `length`: 1 to the bytes of a block; banks show 3. Raises FormatError for others.
        """
        block = self.suite.block
        if not 0 < length <= block:
            raise FormatError(f"check value: {length} bytes, must be 1 to {block}")
        return self.encrypt(bytes(block))[:length]

    def _padded(self, data: bytes, padding: Padding) -> bytes:
        """One or more whole blocks, or FormatError: a kept chain must never see less."""
        blocks = padding(data, self.suite.block)
        if len(blocks) % self.suite.block or not blocks:
            raise self._not_blocks(blocks)
        return blocks

    def _not_blocks(self, data: bytes) -> FormatError:
        block = self.suite.block
        return FormatError(f"data: {len(data)} bytes, must be whole blocks of {block} bytes")

    def __repr__(self) -> str:
        return f"{self.suite.name} key {MASK}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be copied or stored")


class Chain:
    """A CBC context that is kept: what it chained last is taken out of the next first block."""

    __slots__ = ("_block", "_context", "_last")

    def __init__(self, cipher: Cipher[Any], block: int) -> None:
        self._context: Any = cipher.encryptor()
        self._block = block
        self._last = 0

    def run(self, blocks: bytes) -> int:
        """The last block of CBC with zero IV over one or more blocks, as a number."""
        block = self._block
        first = int.from_bytes(blocks[:block]) ^ self._last
        done = self._context.update(first.to_bytes(block) + blocks[block:])
        self._last = last = int.from_bytes(done[-block:])
        return last


class Suite(ABC):
    """A block cipher as cards use it. What differs between suites beyond it is said here."""

    name: str
    number: int
    """How key headers name the suite."""
    block: int
    """Bytes of a block; the MAC is as long."""
    key_lengths: tuple[int, ...]
    """Bytes a key may have; the first is the usual one."""

    def key(self, value: bytes) -> BlockKey:
        """A key of this suite. Raises FormatError when `value` has a wrong length."""
        if len(value) not in self.key_lengths:
            allowed = " or ".join(map(str, self.key_lengths))
            raise FormatError(f"{self.name} key: {len(value)} bytes, must be {allowed}")
        return self._make(value)

    @abstractmethod
    def _make(self, value: bytes) -> BlockKey: ...

    def remarks(self, value: bytes) -> tuple[str, ...]:
        """What is odd about a key that is accepted all the same, in words; nothing of its value."""
        self.key(value)
        return ("all bytes are equal",) if len(set(value)) == 1 else ()

    def __repr__(self) -> str:
        return self.name


@cache
def zero_cbc(block: int) -> Any:
    """CBC with a zero IV; the mode object is shared by all keys."""
    from cryptography.hazmat.primitives.ciphers import modes

    return modes.CBC(bytes(block))


@cache
def ecb() -> Any:
    from cryptography.hazmat.primitives.ciphers import modes

    return modes.ECB()  # noqa: S305 - blocks are what cards are made of
