# SPDX-License-Identifier: Apache-2.0
"""Memory that survives.

`Flash` is cells that keep what is written; its `write` is the only thing that touches them.
`Nvm` makes changes atomic on top of it:

Inside `atomic()` writes gather in RAM and reads see them. Leaving the block writes them to the
journal with a checksum, then one commit byte, then home, then clears the byte. Whatever moment
the power goes, the next `recover()` finds either no commit byte (nothing happened) or a whole
journal (it happens again, to the same effect).

A write outside a block is a transaction of its own. `write_bit` needs no journal, because the
change of one bit cannot be half done. Blocks do not nest. The flash is assumed to leave, when power
is lost during a write, any part of the bytes written and any part of the bits changing.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final
from zlib import crc32

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.fields import uint, wire
from apdu.wire.record import Record, record

JOURNAL_SIZE: Final = 4608
"""Bytes at the start of the flash. What one block may change: an UPDATE BINARY of 4 KiB."""
_COMMITTED: Final = 0xA5
_HEAD: Final = 7
"""Commit byte, checksum, length."""


class FlashFault(Exception):
    """A cell could not be written."""


class MemoryDamaged(Exception):
    """What the memory holds was not written by a chip of this layout. Says where."""


class Flash:
    """Cells in memory, and a place to pull the plug."""

    def __init__(self, cells: bytearray | memoryview) -> None:
        self.cells = memoryview(cells)

    before_write: Callable[[int, bytes], None] | None = None
    """Called before the cells change: a test cuts the power or tears the write here."""

    def write(self, at: int, data: bytes) -> None:
        if self.before_write is not None:
            self.before_write(at, data)
        self.cells[at : at + len(data)] = data

    sync: Callable[[], None] | None = None
    """Returns when everything written so far is as safe as this flash makes it. None: at once."""


@record
class JournalHead(Record):
    """What stands behind the commit byte."""

    check: int = wire(uint(4))
    length: int = wire(uint(2))


@record
class JournalEntry(Record):
    """The place and length of one write; the bytes follow."""

    at: int = wire(uint(4))
    length: int = wire(uint(2))


_ENTRY: Final = 6
# Every command that changes something writes a journal, so its two heads are packed as they are
# declared above, without the declarations.
_PACK_HEAD: Final = Struct(">IH").pack
_PACK_ENTRY: Final = Struct(">IH").pack


class _Block:
    """The inside of `Nvm.atomic`: one for each memory, for blocks do not nest."""

    __slots__ = ("_nvm",)

    def __init__(self, nvm: Nvm) -> None:
        self._nvm = nvm

    def __enter__(self) -> None:
        if self._nvm._pending is not None:
            raise RuntimeError("atomic blocks do not nest")
        self._nvm._pending = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        nvm = self._nvm
        writes, nvm._pending = nvm._pending, None
        if kind is None and writes:
            nvm._commit(writes)


class Nvm:
    """Reads and atomic writes over a flash."""

    def __init__(self, flash: Flash) -> None:
        self._flash = flash
        self._cells = flash.cells
        self._sync = flash.sync
        self.write_bit = flash.write if flash.sync is None else self._write_and_wait
        """Change a byte by one bit, at once and for good, even when a block is open.

        This is for counters, which are written before the thing they guard and never taken
        back. It needs no journal: a single bit cannot be half changed.
        """
        self._pending: list[tuple[int, bytes]] | None = None
        self._block = _Block(self)

    def read(self, at: int, n: int) -> bytes:
        """`n` bytes; inside a block, as they will be."""
        if self._pending is None:
            return self._cells[at : at + n].tobytes()
        found = bytearray(self._cells[at : at + n])
        for start, data in self._pending:
            low, high = max(at, start), min(at + n, start + len(data))
            if low < high:
                found[low - at : high - at] = data[low - start : high - start]
        return bytes(found)

    def write(self, at: int, data: bytes) -> None:
        """Change bytes, wholly or not at all; inside a block with the rest of it."""
        if self._pending is not None:
            self._pending.append((at, data))
        else:
            self._commit([(at, data)])

    def _write_and_wait(self, at: int, byte: bytes) -> None:
        self._flash.write(at, byte)
        self._barrier()

    def atomic(self) -> _Block:
        """All writes inside happen together when the block is left, or none of them.

        An exception inside discards them. Raises StatusError 6A84 when they exceed the journal,
        RuntimeError for a block within a block.
        """
        return self._block

    def recover(self) -> bool:
        """Finish or forget what a lost power interrupted. True when something was finished."""
        if len(self._cells) < JOURNAL_SIZE:
            raise MemoryDamaged("smaller than its journal")
        committed = self._cells[0] == _COMMITTED
        done = False
        if committed:
            head = JournalHead.parse(self.read(1, _HEAD - 1))
            entries = self.read(_HEAD, min(head.length, JOURNAL_SIZE - _HEAD))
            if crc32(entries) == head.check and len(entries) == head.length:
                self._replay(entries)
                done = True
        if self._cells[0]:
            self._flash.write(0, b"\0")
            self._barrier()
        return done

    def _barrier(self) -> None:
        """What was written before is safe before anything that is written after."""
        if self._sync is not None:
            self._sync()

    def _replay(self, entries: bytes) -> None:
        writes = []
        at = 0
        while at < len(entries):
            start = at + _ENTRY
            if start > len(entries):
                raise MemoryDamaged("the last journal entry is cut short")
            entry = JournalEntry.parse(entries[at:start])
            at = start + entry.length
            inside = JOURNAL_SIZE <= entry.at <= len(self._cells) - entry.length
            if not inside or at > len(entries):
                raise MemoryDamaged("a journal entry points outside the memory")
            writes.append((entry.at, entries[start:at]))
        for place, data in writes:
            self._flash.write(place, data)
        self._barrier()

    def _commit(self, writes: list[tuple[int, bytes]]) -> None:
        if all(self._cells[at : at + len(data)] == data for at, data in writes):
            return
        size = sum([_ENTRY + len(data) for _, data in writes])
        if size > JOURNAL_SIZE - _HEAD:
            text = "what changes in one step has {size} bytes, and the journal has room for {room}"
            raise StatusError(SW.NO_SPACE, text, size=size, room=JOURNAL_SIZE - _HEAD)
        entries = b"".join([_PACK_ENTRY(at, len(data)) + data for at, data in writes])
        self._flash.write(1, _PACK_HEAD(crc32(entries), len(entries)) + entries)
        self._barrier()
        self._flash.write(0, bytes((_COMMITTED,)))
        self._barrier()
        for at, data in writes:
            self._flash.write(at, data)
        self._barrier()
        self._flash.write(0, b"\0")
        self._barrier()
