# SPDX-License-Identifier: Apache-2.0
"""Cutting the power at every write of a command, and of the recovery: what memory then holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from powercuts import DAMAGES, Damage, TornFlash, cells_after
from testbench import boot, command, sealed_cells, send_all, sw, tries, unsealed_cells

from apdu.wire.iso7816 import READ_BINARY, SfiOffset
from card_os.chip import Chip
from card_os.nvm import JOURNAL_SIZE, Flash, Nvm


@dataclass(frozen=True)
class Scenario:
    """Commands on the way, and the command that is torn."""

    name: str
    setup: tuple[bytes, ...]
    torn: tuple[bytes, ...]
    """One command, or the parts of a chain."""
    answer: int = 0x9000
    before: tuple[bytes, ...] = ()
    """Commands of another day: what they proved is forgotten, what they changed is there."""
    sealed: bool = True
    pays: bytes | None = None
    """A command that pays a try of the same PIN or key and fails: one less, and no more, is then
    a state that it may leave."""
    guarded: tuple[bytes, ...] = (tries(), command(READ_BINARY, SfiOffset(6)))
    """What succeeds in the application only when something has been proven."""

    def boot(self, flash: Flash) -> Chip:
        """A chip under power on cells that may hold anything."""
        return boot(flash)

    def cells(self) -> bytes:
        """Memory before anything of the scenario."""
        flash = Flash(bytearray(self.blank_cells()))
        chip = self.boot(flash)
        for each in self.before:
            chip.transmit(each)
        return bytes(flash.cells)

    def blank_cells(self) -> bytes:
        """Memory before anything at all."""
        return sealed_cells() if self.sealed else unsealed_cells()

    def prepare(self, flash: Flash) -> Chip:
        """A chip under power that has had the commands on the way."""
        chip = self.boot(flash)
        send_all(chip, self.setup)
        return chip

    def run(self, chip: Chip) -> int:
        """The command itself; the status word of its answer."""
        *parts, last = self.torn
        send_all(chip, parts)
        return sw(chip.transmit(last))


# Memory, and what it becomes


def digest(cells: bytes) -> bytes:
    """Memory as it is after power came back, the journal left out."""
    flash = Flash(bytearray(cells))
    Nvm(flash).recover()
    return sha256(flash.cells[JOURNAL_SIZE:]).digest()


# Each damage by itself, and some of them when writes that no sync made safe are lost as well.
TEARS = [
    *((damage, None) for damage in DAMAGES),
    *((DAMAGES[n], seed) for n in (0, 4, 8, 11) for seed in range(3)),
]
Tear = tuple[Damage, int | None]


def cut_everywhere(run: Callable[[int, Tear], bytes | None], tears: Sequence[Tear]) -> set[bytes]:
    """The different cells that `run` leaves, cut at its first write, its second, to the last."""
    found: set[bytes] = set()
    cut = 0
    while True:
        left = {run(cut, tear) for tear in tears}
        if left == {None}:
            return found
        found |= {each for each in left if each is not None}
        cut += 1


@cache
def torn_cells(scenario: Scenario) -> frozenset[bytes]:
    """All cells that a power cut at some write of the command can leave."""
    cells = scenario.cells()

    def run(cut: int, tear: Tear) -> bytes | None:
        flash = TornFlash(cells)
        chip = scenario.prepare(flash)
        flash.arm(cut, *tear)
        return cells_after(flash, lambda: scenario.run(chip))

    return frozenset(cut_everywhere(run, TEARS))


def torn_recoveries(cells: bytes) -> set[bytes]:
    """All cells that a power cut at some write of the recovery can leave."""

    def run(cut: int, tear: Tear) -> bytes | None:
        flash = TornFlash(cells, cut, *tear)
        return cells_after(flash, Nvm(flash).recover)

    return cut_everywhere(run, TEARS[::2])


def outcomes(scenario: Scenario, cells: bytes) -> dict[bytes, bytes]:
    """The states that the command may leave, torn or not: digest and cells of each."""
    found = {digest(cells): cells}
    if scenario.pays is not None:
        flash = Flash(bytearray(cells))
        chip = scenario.prepare(flash)
        chip.transmit(scenario.pays)
        found[digest(bytes(flash.cells))] = bytes(flash.cells)
    flash = Flash(bytearray(cells))
    assert scenario.answer == scenario.run(scenario.prepare(flash))
    found[digest(bytes(flash.cells))] = bytes(flash.cells)
    return found


def run_again(scenario: Scenario, cells: bytes) -> tuple[list[int], bytes]:
    """What trying the whole scenario answers, and what it leaves."""
    flash = Flash(bytearray(cells))
    chip = scenario.boot(flash)
    answers = [sw(chip.transmit(each)) for each in (*scenario.setup, *scenario.torn)]
    return answers, digest(bytes(flash.cells))


def done_or_not_and_tried_again(scenario: Scenario) -> None:
    """Wherever the command is torn, all of it has happened or nothing, each somewhere; and tried
    again it does what it does after that."""
    allowed = outcomes(scenario, scenario.cells())
    again = {state: run_again(scenario, left) for state, left in allowed.items()}
    seen = set()
    for torn in torn_cells(scenario):
        found = digest(torn)
        assert found in allowed
        assert again[found] == run_again(scenario, torn)
        seen.add(found)
    assert allowed.keys() == seen
