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


class TryCounter:
    """The tries left of one PIN or key."""

    __slots__ = ("_at", "_nvm", "limit")

    def __init__(self, nvm: Nvm, at: int, limit: int) -> None:
        self._nvm = nvm
        self._at = at
        self.limit = limit

    @property
    def left(self) -> int:
        row = int.from_bytes(self._nvm.read(self._at, SIZE))
        return min((row ^ row + 1).bit_length() - 1, self.limit)

    def pay(self, left: int) -> None:
        """Durably make `left` tries one less."""
        at = self._at + (left <= 8)
        row = self._nvm.read(at, 1)[0]
        self._nvm.write(at, bytes((row & ~(1 << (left - 1) % 8),)))

    def restore(self) -> None:
        """All tries again."""
        row = self._nvm.read(self._at, SIZE)
        full = full_row(self.limit)
        # Byte by byte, so that the usual case, one try spent, stays a change of one bit.
        if row[0] == full[0]:
            self._nvm.write(self._at + 1, full[1:])
        elif row[1] == full[1]:
            self._nvm.write(self._at, full[:1])
        else:
            self._nvm.write(self._at, full)


def full_row(limit: int) -> bytes:
    """The bytes of a counter that has all its tries."""
    return ((1 << limit) - 1).to_bytes(SIZE)
