# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197), for PIN blocks of format 4. No key of a card names it, so it is not in SUITES."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from apdu.crypto.padding import Padding, method_2
from apdu.crypto.suite import BlockKey, Chain, Suite, ecb, zero_cbc

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher

BLOCK: Final = 16


class AesKey(BlockKey):
    """An AES key of 16, 24 or 32 bytes; its MAC is plain CBC-MAC, not CMAC."""

    __slots__ = ()

    def _ecb(self) -> Cipher[Any]:
        return _cipher(self._value, ecb())

    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        blocks = padding(data, BLOCK)
        try:
            chain = self._chains.pop()
        except IndexError:
            chain = Chain(_cipher(self._value, zero_cbc(BLOCK)), BLOCK)
        last = chain.run(blocks)
        self._chains.append(chain)
        return last.to_bytes(BLOCK)

    mac = cbc_mac


class Aes(Suite):
    name, number, block, key_lengths = "AES", 0, BLOCK, (16, 24, 32)

    def _make(self, value: bytes) -> AesKey:
        return AesKey(self, value)


@cache
def _library() -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    return Cipher, algorithms.AES


def _cipher(value: bytes, mode: Any) -> Cipher[Any]:
    make, algorithm = _library()
    made: Cipher[Any] = make(algorithm(value), mode)
    return made


AES: Final = Aes()
