# SPDX-License-Identifier: Apache-2.0
"""SM4 (GB/T 32907), the block cipher of the national suite (国密)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from apdu.crypto.padding import Padding, method_2
from apdu.crypto.suite import BlockKey, Chain, Suite, ecb, zero_cbc

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher

BLOCK: Final = 16


class Sm4Key(BlockKey):
    """An SM4 key; its MAC is CBC-MAC, as JR/T 0025.17 has it."""

    __slots__ = ()

    def _ecb(self) -> Cipher[Any]:
        return _cipher(self._value, ecb())

    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        blocks = self._padded(data, padding)
        try:
            chain = self._chains.pop()
        except IndexError:
            chain = Chain(_cipher(self._value, zero_cbc(BLOCK)), BLOCK)
        last = chain.run(blocks)
        self._chains.append(chain)
        return last.to_bytes(BLOCK)

    mac = cbc_mac


class Sm4(Suite):
    name, number, block, key_lengths = "SM4", 2, BLOCK, (16,)

    def _make(self, value: bytes) -> Sm4Key:
        return Sm4Key(self, value)


@cache
def _library() -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    return Cipher, algorithms.SM4


def _cipher(value: bytes, mode: Any) -> Cipher[Any]:
    make, algorithm = _library()
    made: Cipher[Any] = make(algorithm(value), mode)
    return made


SM4: Final = Sm4()
