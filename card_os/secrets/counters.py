# SPDX-License-Identifier: Apache-2.0
"""Tries that are left, as a row of bits.

Paying a try clears one bit, which cannot be half done, whatever the moment the power goes. A
row with a gap (damage) counts only up to the gap.
"""

from __future__ import annotations

from typing import Final

from card_os.nvm import Nvm

SIZE: Final = 2
"""Bytes in memory; 15 tries at most."""
MAX_TRIES: Final = 15

_ROWS: Final = [((1 << left) - 1).to_bytes(SIZE) for left in range(MAX_TRIES + 1)]
"""The row of each number of tries."""
_STEPS: Final = [(0, b"", b"")] + [
    (byte, _ROWS[left - 1][byte : byte + 1], _ROWS[left][byte : byte + 1])
    for left in range(1, MAX_TRIES + 1)
    for byte in [1 if left <= 8 else 0]
]
"""For each number of tries: which byte has its bit, that byte without the bit and with it."""


class TryCounter:
    """The tries left of one PIN or key. `left` is what memory says, read when power came."""

    __slots__ = ("_at", "_nvm", "left", "limit")

    def __init__(self, nvm: Nvm, at: int, limit: int) -> None:
        self._nvm = nvm
        self._at = at
        self.limit = limit
        row = int.from_bytes(nvm.read(at, SIZE))
        self.left = min((row ^ row + 1).bit_length() - 1, limit)

    def pay(self) -> None:
        """Durably make it one try less."""
        left = self.left
        byte, without, _ = _STEPS[left]
        self._nvm.write_bit(self._at + byte, without)
        self.left = left - 1

    def give_back(self) -> None:
        """All tries again, after one was paid."""
        limit = self.limit
        if self.left == limit - 1:  # the usual case changes one bit
            byte, _, whole = _STEPS[limit]
            self._nvm.write_bit(self._at + byte, whole)
            self.left = limit
        else:
            self.fill()

    def fill(self) -> None:
        """All tries again; inside a block, together with the rest of it."""
        self._nvm.write(self._at, _ROWS[self.limit])
        self.left = self.limit


def full_row(limit: int) -> bytes:
    """The bytes of a counter that has all its tries."""
    return _ROWS[limit]
