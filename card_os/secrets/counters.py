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
_LEFT: Final = {row: left for left, row in enumerate(_ROWS)}


class TryCounter:
    """The tries left of one PIN or key."""

    __slots__ = ("_at", "_nvm", "limit")

    def __init__(self, nvm: Nvm, at: int, limit: int) -> None:
        self._nvm = nvm
        self._at = at
        self.limit = limit

    @property
    def left(self) -> int:
        row = self._nvm.read(self._at, SIZE)
        left = _LEFT.get(row)
        if left is None:
            number = int.from_bytes(row)
            left = (number ^ number + 1).bit_length() - 1
        return left if left < self.limit else self.limit

    def pay(self, left: int) -> None:
        """Durably make `left` tries one less."""
        byte = left <= 8
        self._nvm.write(self._at + byte, _ROWS[left - 1][byte : byte + 1])

    def restore(self, left: int) -> None:
        """All tries again, from `left` and one that was paid."""
        full = _ROWS[self.limit]
        if left == self.limit:  # the usual case changes one bit
            byte = left <= 8
            self._nvm.write(self._at + byte, full[byte : byte + 1])
        else:
            self._nvm.write(self._at, full)


def full_row(limit: int) -> bytes:
    """The bytes of a counter that has all its tries."""
    return _ROWS[limit]
