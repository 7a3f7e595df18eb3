# SPDX-License-Identifier: Apache-2.0
"""A flash whose power can be cut at any write, whole or partial, and one whose writes fail."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from card_os.nvm import Flash, FlashFault


class PowerCut(BaseException):
    """The power is gone. Not an Exception: no handler may live on."""


Damage = Callable[[bytes, bytes], bytes]
"""From what the cells held and what was to be written: what they hold after the cut."""


def prefix(eighths: int) -> Damage:
    """The first so many eighths of the bytes were written; 8 of 8 is all of them."""

    def apply(old: bytes, new: bytes) -> bytes:
        done = len(new) * eighths // 8
        return new[:done] + old[done:]

    return apply


def some_bits(seed: int) -> Damage:
    """A random part of the bits that were to change has changed."""

    def apply(old: bytes, new: bytes) -> bytes:
        mask = Random(seed).randbytes(len(new))  # noqa: S311 - which bits, not a secret
        return bytes(o ^ ((o ^ n) & m) for o, n, m in zip(old, new, mask, strict=True))

    return apply


NOTHING_DONE = prefix(0)
DAMAGES: tuple[Damage, ...] = (*map(prefix, range(9)), *map(some_bits, range(6)))


class TornFlash(Flash):
    """A flash whose power goes at its n-th write from now on (0: the next one), which does damage.

    With `unsynced` the writes since the last sync, too, may or may not have arrived: each of
    them is as a random choice with that seed decides.
    """

    def __init__(
        self,
        cells: bytes,
        cut: int | None = None,
        damage: Damage = NOTHING_DONE,
        unsynced: int | None = None,
    ) -> None:
        super().__init__(bytearray(cells))
        self.writes = 0
        self.arm(cut, damage, unsynced)

    def arm(
        self, cut: int | None, damage: Damage = NOTHING_DONE, unsynced: int | None = None
    ) -> None:
        """Cut the power at a later write, counted from here."""
        self.cut = None if cut is None else self.writes + cut
        self.damage = damage
        self.unsynced = unsynced
        self._since_sync: list[tuple[int, bytes, bytes]] = []

    def before_write(self, at: int, data: bytes) -> None:
        old = bytes(self.cells[at : at + len(data)])
        if self.cut == self.writes:
            if self.unsynced is not None:
                self._lose_unsynced(self.unsynced)
                old = bytes(self.cells[at : at + len(data)])
            self.cells[at : at + len(data)] = self.damage(old, data)
            raise PowerCut
        self.writes += 1
        self._since_sync.append((at, old, bytes(data)))

    def _lose_unsynced(self, seed: int) -> None:
        for at, old, _ in reversed(self._since_sync):
            self.cells[at : at + len(old)] = old
        chance = Random(seed)  # noqa: S311 - which writes, not a secret
        for at, _, new in self._since_sync:
            if chance.random() < 0.5:
                self.cells[at : at + len(new)] = new

    def sync(self) -> None:
        self._since_sync.clear()

    @property
    def all_synced(self) -> bool:
        """Whether nothing of what was written could be lost now."""
        return not self._since_sync


def cells_after(flash: TornFlash, run: Callable[[], object]) -> bytes | None:
    """What is left when the power goes in `run`; None when it comes to its end."""
    try:
        run()
    except PowerCut:
        return bytes(flash.cells)
    return None


class FaultyFlash(Flash):
    """A flash on which some writes fail: those of the numbers `failing`, counted from `arm`."""

    def __init__(self, cells: bytes, failing: range = range(0)) -> None:
        super().__init__(bytearray(cells))
        self.arm(failing)

    def arm(self, failing: range) -> None:
        self.writes = 0
        self.failing = failing
        self.failed: set[int] = set()

    def before_write(self, at: int, data: bytes) -> None:
        self.writes += 1
        if self.writes - 1 in self.failing:
            self.failed.add(self.writes - 1)
            raise FlashFault


FOR_EVER = 1_000_000
"""As the end of the range of failing writes: none succeeds any more."""
