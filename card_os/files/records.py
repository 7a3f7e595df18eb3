# SPDX-License-Identifier: Apache-2.0
"""Elementary files: transparent bytes, and records in four structures (ISO 7816-4 7.3).

A file object knows where its body stands and reads from there each time; what it keeps in RAM
is what its header says, and where each record begins.
"""

from __future__ import annotations

from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import parse_simple
from apdu.wire.perso import FileHeader, FileKind, Life
from card_os.access import Rule, rule
from card_os.nvm import MemoryDamaged, Nvm

_BEHIND = "{file} has {size} bytes: offset {offset} is behind them"


class ElementaryFile:
    """What all EFs have in common. What a structure does not offer is refused with 6981."""

    __slots__ = ("_nvm", "at", "header", "life", "life_at", "read_rule", "update_rule")

    def __init__(self, nvm: Nvm, header: FileHeader, at: int, life: Life, life_at: int) -> None:
        self._nvm = nvm
        self.header = header
        self.at = at
        self.life = life
        self.life_at = life_at
        self.read_rule: Rule = rule(header.read)
        self.update_rule: Rule = rule(header.update)

    def _without(self, what: str) -> StatusError:
        """6981: this is not what a file of its structure has."""
        kind = self.header.kind.name.lower().replace("_", " ")
        text, fid = "{file} is {kind}: it has no {what}", self.header.fid
        return StatusError(SW.WRONG_FILE_STRUCTURE, text, file=fid, kind=kind, what=what)

    def _about(self, sw: int, text: str, **facts: int) -> StatusError:
        return StatusError(sw, text, file=self.header.fid, **facts)

    def read_binary(self, offset: int, ne: int) -> bytes:
        """At most `ne` bytes from `offset`; 6B00 outside the file."""
        raise self._without("bytes by offset")

    def update_binary(self, offset: int, data: bytes) -> None:
        """Overwrite; 6B00 when it begins outside the file, 6A84 when it ends outside."""
        raise self._without("bytes by offset")

    def record(self, number: int) -> bytes:
        """The whole record, or StatusError 6A83."""
        raise self._without("records")

    def number_of(self, tag: int) -> int:
        """The first record that is a TLV with this tag, or StatusError 6A83."""
        raise self._without("records with tags")

    def all_from(self, number: int) -> bytes:
        """The records from this one to the last, one after the other."""
        raise self._without("records")

    def update(self, number: int, data: bytes) -> None:
        """Overwrite a record: 6A83 when there is none, 6700 or 6A80 when the data does not fit."""
        raise self._without("records")

    def append(self, data: bytes) -> None:
        """Add a record: 6A84 when there is no room."""
        raise self._without("records")

    def push(self, data: bytes) -> None:
        """Put a record in front of a ring, in place of the oldest when it is full."""
        raise self._without("ring of records")


class TransparentFile(ElementaryFile):
    """Bytes without further structure."""

    __slots__ = ()

    def read_binary(self, offset: int, ne: int) -> bytes:
        size = self.header.size
        if offset >= size:
            raise self._about(SW.WRONG_OFFSET, _BEHIND, offset=offset, size=size)
        return self._nvm.read(self.at + offset, min(ne, size - offset))

    def update_binary(self, offset: int, data: bytes) -> None:
        size = self.header.size
        if offset >= size:
            raise self._about(SW.WRONG_OFFSET, _BEHIND, offset=offset, size=size)
        if offset + len(data) > size:
            text = "{file} ends at {size}: offset {offset} and {length} bytes reach beyond it"
            facts = {"offset": offset, "length": len(data), "size": size}
            raise self._about(SW.NO_SPACE, text, **facts)
        self._nvm.write(self.at + offset, data)


class RecordFile(ElementaryFile):
    """Records, numbered from 1. The first byte of the body counts those that are there."""

    __slots__ = ("count",)

    def __init__(self, nvm: Nvm, header: FileHeader, at: int, life: Life, life_at: int) -> None:
        super().__init__(nvm, header, at, life, life_at)
        self.load()

    def load(self) -> None:
        """Take from memory what is kept in RAM."""
        self.count = self._nvm.read(self.at, 1)[0]
        if self.count > self.header.records:
            raise MemoryDamaged(f"file {self.header.fid:04X} counts more records than it can have")

    def _no_record(self, number: int) -> StatusError:
        text = "{file} has {count} records, and no number {number}"
        return self._about(SW.RECORD_NOT_FOUND, text, number=number, count=self.count)

    def all_from(self, number: int) -> bytes:
        if not 1 <= number <= self.count:
            raise self._no_record(number)
        return b"".join([self.record(each) for each in range(number, self.count + 1)])


class LinearFixedFile(RecordFile):
    """Records of one length."""

    __slots__ = ("_length",)

    def load(self) -> None:
        super().load()
        self._length = self.header.size // self.header.records

    def _misfit(self, data: bytes) -> StatusError:
        text = "records of {file} have {wanted} bytes, these are {length}"
        return self._about(SW.WRONG_LENGTH, text, wanted=self._length, length=len(data))

    def _place(self, number: int) -> int:
        if not 1 <= number <= self.count:
            raise self._no_record(number)
        return self.at + 1 + (number - 1) * self._length

    def record(self, number: int) -> bytes:
        return self._nvm.read(self._place(number), self._length)

    def update(self, number: int, data: bytes) -> None:
        place = self._place(number)
        if len(data) != self._length:
            raise self._misfit(data)
        self._nvm.write(place, data)

    def append(self, data: bytes) -> None:
        if len(data) != self._length:
            raise self._misfit(data)
        if self.count == self.header.records:
            raise self._about(SW.NO_SPACE, "{file} has all its {count} records", count=self.count)
        with self._nvm.atomic():
            self._nvm.write(self.at + 1 + self.count * self._length, data)
            self._nvm.write(self.at, bytes((self.count + 1,)))
        self.load()


class CyclicFile(LinearFixedFile):
    """Records of one length in a ring; number 1 is the newest. Byte 2 says where it stands."""

    __slots__ = ("_newest",)

    def load(self) -> None:
        super().load()
        self._newest = self._nvm.read(self.at + 1, 1)[0]
        if self._newest >= self.header.records:
            raise MemoryDamaged(f"file {self.header.fid:04X} has its newest record outside")

    def _place(self, number: int) -> int:
        if not 1 <= number <= self.count:
            raise self._no_record(number)
        slot = (self._newest - (number - 1)) % self.header.records
        return self.at + 2 + slot * self._length

    def update(self, number: int, data: bytes) -> None:
        """As above; an empty ring takes number 1 for the first record that is put into it.

        Drivers of one vendor write rings so, those of others with `push` (profile choice
        `ring-by-number`).
        """
        if number == 1 and not self.count:
            self.push(data)
        else:
            super().update(number, data)

    def push(self, data: bytes) -> None:
        with self._nvm.atomic():
            self.write_newest(data)
        self.load()

    def write_newest(self, data: bytes) -> None:
        """The writes of `push`, for a block that has more in it; `load` must follow the block."""
        if len(data) != self._length:
            raise self._misfit(data)
        slot = (self._newest + 1) % self.header.records if self.count else 0
        count = min(self.count + 1, self.header.records)
        self._nvm.write(self.at + 2 + slot * self._length, data)
        self._nvm.write(self.at, bytes((count, slot)))

    append = push


class LinearVariableFile(RecordFile):
    """Records of their own length. A slot keeps the room that its first content had."""

    __slots__ = ("_end", "_places", "_rooms")

    def load(self) -> None:
        super().load()
        self._places: dict[int, tuple[int, int]] = {}
        self._rooms: dict[int, int] = {}
        at, end = self.at + 1, self.at + body_size(self.header)
        for number in range(1, self.count + 1):
            room, length = self._nvm.read(at, 2)
            self._places[number] = (at + 2, length)
            self._rooms[number] = room
            at += 2 + room
            if length > room or at > end:
                raise MemoryDamaged(f"file {self.header.fid:04X} has a record outside")
        self._end = at

    def record(self, number: int) -> bytes:
        place = self._places.get(number)
        if place is None:
            raise self._no_record(number)
        return self._nvm.read(*place)

    def number_of(self, tag: int) -> int:
        for number in range(1, self.count + 1):
            if self.record(number)[:1] == bytes((tag,)):
                return number
        text = "{file} has no record with tag {tag:02X}"
        raise self._about(SW.RECORD_NOT_FOUND, text, tag=tag)

    def update(self, number: int, data: bytes) -> None:
        if number not in self._places:
            raise self._no_record(number)
        if len(data) > self._rooms[number]:
            text = "record {number} of {file} has room for {room} bytes, these are {length}"
            facts = {"number": number, "room": self._rooms[number], "length": len(data)}
            raise self._about(SW.NO_SPACE, text, **facts)
        at, _ = self._places[number]
        self._nvm.write(at - 1, bytes((len(data),)) + data)
        self.load()

    def append(self, data: bytes) -> None:
        used = sum(self._rooms.values())
        if self.count == self.header.records or used + len(data) > self.header.size:
            text = "{file} has {count} records with {used} bytes, of {records} with {size}"
            facts = {"count": self.count, "used": used, "records": self.header.records}
            raise self._about(SW.NO_SPACE, text, **facts, size=self.header.size)
        with self._nvm.atomic():
            self._nvm.write(self._end, bytes((len(data), len(data))) + data)
            self._nvm.write(self.at, bytes((self.count + 1,)))
        self.load()


class TlvRecordFile(LinearVariableFile):
    """Records that are each one simple TLV, as in the HRSS application."""

    __slots__ = ()

    def update(self, number: int, data: bytes) -> None:
        """As above; tag and length of an item are fixed by its table, so they stay (6A80)."""
        if self._item(data)[:2] != self.record(number)[:2]:
            text = "record {number} of {file} keeps its tag and its length"
            raise self._about(SW.WRONG_DATA, text, number=number)
        super().update(number, data)

    def append(self, data: bytes) -> None:
        super().append(self._item(data))

    def _item(self, data: bytes) -> bytes:
        try:
            items = parse_simple(data)
        except FormatError as error:
            raise StatusError.of(SW.WRONG_DATA, error) from None
        if len(items) != 1:
            text = "a record of {file} is one TLV, these are {count}"
            raise self._about(SW.WRONG_DATA, text, count=len(items))
        return data


KINDS: dict[FileKind, type[ElementaryFile]] = {
    FileKind.TRANSPARENT: TransparentFile,
    FileKind.LINEAR_FIXED: LinearFixedFile,
    FileKind.LINEAR_VARIABLE: LinearVariableFile,
    FileKind.LINEAR_VARIABLE_TLV: TlvRecordFile,
    FileKind.CYCLIC: CyclicFile,
}


def body_size(header: FileHeader) -> int:
    """Bytes that a file's body takes in memory. Raises StatusError 6A80 for a bad header."""
    match header.kind:
        case FileKind.DF:
            fits = not header.size and not header.records and not header.sfi
            size = 0
        case FileKind.TRANSPARENT:
            fits = header.size > 0 and not header.records
            size = header.size
        case FileKind.LINEAR_FIXED | FileKind.CYCLIC:
            fits = 0 < header.records < 0xFF and 0 < header.size <= 0xFF * header.records
            fits = fits and header.size % header.records == 0
            size = header.size + (2 if header.kind is FileKind.CYCLIC else 1)
        case _:
            fits = 0 < header.records < 0xFF and header.size > 0
            size = 1 + header.size + 2 * header.records
    if not fits:
        text = "a file of kind {kind} cannot have {size} bytes, {records} records and SFI {sfi}"
        facts = {"size": header.size, "records": header.records, "sfi": header.sfi}
        raise StatusError(SW.WRONG_DATA, text, kind=header.kind.name, **facts)
    return size
