# SPDX-License-Identifier: Apache-2.0
"""`Suite`: a block cipher with its MAC, and `BlockKey`: one key of it, ready for work.

A key is scheduled once and its contexts are kept, for that is what costs: a fresh context takes
ten times as long as a block. Contexts remember; so each one is handed to one caller at a time,
and one key may be used by many threads. A context in which anything failed is dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from apdu.crypto.padding import Padding, method_2
from apdu.errors import FormatError
from apdu.secret import MASK

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher

CHECK_VALUE: Final = 3
"""Bytes of a check value (校验值) as keys are compared by."""


class BlockKey:
    """A key of one suite. Every text form of it is `•••`, and it cannot be pickled.

    Data is whole blocks; anything else raises FormatError, nothing is cut off or filled.
    """

    __slots__ = ("_block", "_chains", "_decryptors", "_encryptors", "_macs", "_value", "suite")

    def __init__(self, suite: Suite, value: bytes) -> None:
        self.suite = suite
        self._block = suite.block
        self._value = value
        self._encryptors: list[Any] = []
        self._decryptors: list[Any] = []
        self._chains: list[list[Any]] = []
        self._macs: list[list[Any]] = []  # of a MAC that is not CBC-MAC

    # Contexts are taken out of a list, which one thread can do at a time, and put back. The list
    # is looked at before, for an exception would cost a fresh key as much as its context.

    def encrypt(self, data: bytes) -> bytes:
        """Encipher block by block (ECB)."""
        if len(data) % self._block:
            raise self._not_blocks(data)
        free = self._encryptors
        try:
            update = free.pop() if free else self._encryptor()
        except IndexError:  # another thread took the last one
            update = self._encryptor()
        done: bytes = update(data)
        free.append(update)
        return done

    def decrypt(self, data: bytes) -> bytes:
        """Decipher block by block (ECB)."""
        if len(data) % self._block:
            raise self._not_blocks(data)
        free = self._decryptors
        try:
            update = free.pop() if free else self._decryptor()
        except IndexError:
            update = self._decryptor()
        done: bytes = update(data)
        free.append(update)
        return done

    def mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """The suite's MAC, one whole block, zero IV. Commands carry its first 4 or 8 bytes.

        CBC-MAC (JR/T 0025.17 for SM4), unless a suite has another.
        """
        return self.cbc_mac(data, padding)

    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """MAC algorithm 1 of ISO/IEC 9797-1: the last block of CBC with zero IV, whole key."""
        size = self._block
        blocks = padding(data, size)
        if len(blocks) % size or not blocks:
            raise self._not_blocks(blocks)
        free = self._chains
        try:
            kept = free.pop() if free else self._chain()
        except IndexError:
            kept = self._chain()
        update, last = kept
        # The context goes on from its last block, so that is taken out of the first one.
        first = int.from_bytes(blocks[:size]) ^ last
        mac: bytes = update(first.to_bytes(size) + blocks[size:])[-size:]
        kept[1] = int.from_bytes(mac)
        free.append(kept)
        return mac

    def _encryptor(self) -> Any:
        return self.suite._cipher(self._value, ecb()).encryptor().update

    def _decryptor(self) -> Any:
        return self.suite._cipher(self._value, ecb()).decryptor().update

    def _chain(self) -> list[Any]:
        """A CBC context, and its last block as a number."""
        return [self.suite._cipher(self._value, zero_cbc(self.suite.block)).encryptor().update, 0]

    def check_value(self, length: int = CHECK_VALUE) -> bytes:
        """The first bytes of an enciphered zero block: tells keys apart, gives none away.

        `length`: 1 to the bytes of a block; banks show 3. Raises FormatError for others.
        """
        block = self.suite.block
        if not 0 < length <= block:
            raise FormatError(f"check value: {length} bytes, must be 1 to {block}")
        return self.encrypt(bytes(block))[:length]

    def folded(self) -> BlockKey:
        """The key of one block that this one makes: its halves XORed, or itself if it is one block.

        Raises FormatError for a key of more than two blocks.
        """
        value, block = self._value, self._block
        if len(value) == block:
            return self
        if len(value) != 2 * block:
            raise FormatError(
                f"key: {len(value)} bytes, must be {block} or {2 * block} to be folded"
            )
        left, right = int.from_bytes(value[:block]), int.from_bytes(value[block:])
        return self.suite.key((left ^ right).to_bytes(block))

    def _not_blocks(self, data: bytes) -> FormatError:
        block = self.suite.block
        return FormatError(f"data: {len(data)} bytes, must be whole blocks of {block} bytes")

    def __repr__(self) -> str:
        return f"{self.suite.name} key {MASK}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be copied or stored")


class PassingKey(BlockKey):
    """A key that keeps no context: for one block or one MAC, after which it is dropped.

    An issuer has two of them for every card it verifies, and would pay for the keeping.
    """

    __slots__ = ()

    def __init__(self, suite: Suite, value: bytes) -> None:
        self.suite = suite
        self._block = suite.block
        self._value = value

    def encrypt(self, data: bytes) -> bytes:
        if len(data) % self._block:
            raise self._not_blocks(data)
        done: bytes = self._encryptor()(data)
        return done

    def decrypt(self, data: bytes) -> bytes:
        if len(data) % self._block:
            raise self._not_blocks(data)
        done: bytes = self._decryptor()(data)
        return done

    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        blocks = padding(data, self._block)
        if len(blocks) % self._block or not blocks:
            raise self._not_blocks(blocks)
        update, _ = self._chain()
        mac: bytes = update(blocks)[-self._block :]
        return mac


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
            raise self._wrong_length(value)
        return self._make(bytes(value))

    def once(self, value: bytes) -> BlockKey:
        """As `key`, for one block or one MAC: it may be used longer, but is slow then."""
        if len(value) not in self.key_lengths:
            raise self._wrong_length(value)
        return self._make_passing(value)

    def mac_once(self, value: bytes, data: bytes) -> bytes:
        """What `once(value).mac(data)` is: the MAC of a key that has nothing else to do."""
        return self.once(value).mac(data)

    def _wrong_length(self, value: bytes) -> FormatError:
        allowed = " or ".join(map(str, self.key_lengths))
        return FormatError(f"{self.name} key: {len(value)} bytes, must be {allowed}")

    def _make(self, value: bytes) -> BlockKey:
        return BlockKey(self, value)

    def _make_passing(self, value: bytes) -> BlockKey:
        return PassingKey(self, value)

    @abstractmethod
    def _library(self) -> Any:
        """The library's class of this cipher."""

    def _expanded(self, value: bytes) -> bytes:
        """A key of a right length as the library takes it."""
        return value

    def _cipher(self, value: bytes, mode: Any) -> Cipher[Any]:
        """A key of a right length in one mode of the library."""
        made: Cipher[Any] = builder()(self._library(), self._expanded(value), mode)
        return made

    def remarks(self, value: bytes) -> tuple[str, ...]:
        """What is odd about a key that is accepted all the same, in words; nothing of its value."""
        self.key(value)
        return ("all bytes are equal",) if len(set(value)) == 1 else ()

    def __repr__(self) -> str:
        return self.name


@cache
def builder() -> Callable[[Any, bytes, Any], Any]:
    """Builds the library's Cipher from a class of ciphers, a key and a mode.

    Where the library lets itself be built that way, without asking of each key anew whether all
    are of the right kinds: it takes a quarter of the time of making a context, and ours are.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    plain: Any = object.__new__

    def unchecked(algorithm: Any, value: bytes, mode: Any) -> Any:
        key = plain(algorithm)
        key.key = value
        made = plain(Cipher)
        made.algorithm = key
        made.mode = mode
        return made

    def checked(algorithm: Any, value: bytes, mode: Any) -> Any:
        return Cipher(algorithm(value), mode)

    block = bytes(16)
    ways = (way(AES, block, ecb()) for way in (unchecked, checked))
    try:
        one, other = (cipher.encryptor().update(block) for cipher in ways)
    except (TypeError, AttributeError):
        return checked
    return unchecked if one == other else checked


@cache
def zero_cbc(block: int) -> Any:
    """CBC with a zero IV; the mode object is shared by all keys."""
    from cryptography.hazmat.primitives.ciphers import modes

    return modes.CBC(bytes(block))


@cache
def ecb() -> Any:
    from cryptography.hazmat.primitives.ciphers import modes

    return modes.ECB()  # noqa: S305 - blocks are what cards are made of
