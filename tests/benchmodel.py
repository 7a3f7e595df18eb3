# SPDX-License-Identifier: Apache-2.0
"""What a chip of the bench must remember: selected, proven, tries, PINs and contents."""

from __future__ import annotations

from benchplan import BY_LABEL, DIRECTORIES, FILES, BenchFile, files_in, holds, root_of
from testbench import command, sw, tries

from apdu.wire.access import Key, Pin
from apdu.wire.iso7816 import (
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    Offset,
    ReadMode,
    RecordRef,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.perso import FileKind
from card_os.chip import Chip

REFERENCES = (0x00, 0x01, 0x81)
"""Of the PINs there are."""
WRONG = "555555"
"""A PIN that is never right."""


class BenchModel:
    """The whole model of the bench, in a handful of plain variables."""

    def begin(self) -> None:
        """As it was sealed, and power has just come."""
        self.tries: dict[tuple[str, int], int] = {}
        self.pins: dict[tuple[str, int], str] = {}
        for directory in DIRECTORIES:
            for reference, pin in directory.pins.items():
                self.tries[directory.label, reference] = pin.limit
                self.pins[directory.label, reference] = pin.value
        self.contents = {
            file: file.content[::-1] if file.kind is FileKind.CYCLIC else file.content
            for file in FILES
        }
        self.forget()

    def forget(self) -> None:
        """What was only in RAM is gone."""
        self.place = "MF"
        self.proven: frozenset[Pin | Key] = frozenset()
        self.current: BenchFile | None = None
        self.waiting = b""

    def move(self, label: str, *, fresh: bool) -> None:
        """Make a directory current; `fresh`: its application begins anew."""
        if fresh or root_of(label) != root_of(self.place):
            self.proven = frozenset()
        elif label != self.place:
            self.proven = frozenset(
                each
                for each in self.proven
                if (each.reference if isinstance(each, Pin) else each.kid) < 0x80
            )
        self.place, self.current = label, None

    @property
    def in_hrss(self) -> bool:
        return root_of(self.place) == "SSSE"

    def keeper(self, reference: int) -> tuple[str, int]:
        """Where the PIN or key of a reference stands, seen from the current directory."""
        return (self.place if reference & 0x80 else "SSSE", reference)

    def limit(self, pin: tuple[str, int]) -> int:
        return BY_LABEL[pin[0]].pins[pin[1]].limit

    def digits(self, pin: tuple[str, int], which: str) -> str:
        """The digits of "right" and "wrong"; other digits are themselves."""
        return {"right": self.pins[pin], "wrong": WRONG}.get(which, which)

    def tried(self, pin: tuple[str, int], value: str) -> int | None:
        """A PIN is compared: None when it is right, else the status word."""
        self.proven -= {Pin(pin[1])}
        if not self.tries[pin]:
            return 0x6983
        if value != self.pins[pin]:
            self.tries[pin] -= 1
            return 0x63C0 | self.tries[pin]
        self.tries[pin] = self.limit(pin)
        return None

    def an_update(self, file: BenchFile, data: bytes) -> tuple[bytes, bytes | tuple[bytes, ...]]:
        """A command that changes a file, and what it then holds."""
        content = self.contents[file]
        if isinstance(content, bytes):
            return command(UPDATE_BINARY, SfiOffset(file.sfi), data), data + content[16:]
        first, *rest = content
        if file.kind is FileKind.LINEAR_VARIABLE_TLV:
            data = first[:2] + data
        data = data[: len(first)]
        raw = command(UPDATE_RECORD, RecordTarget(1, file.sfi), data)
        return raw, (data, *rest)


class Guard(BenchModel):
    """A chip beside its model: whether it gives and takes exactly what it should."""

    chip: Chip

    def send(self, raw: bytes) -> int:
        answer = self.chip.transmit(raw)
        assert len(answer) >= 2
        return sw(answer)

    def check(self) -> None:
        """Everything, in this order: each of them disturbs what those before it look at."""
        self.what_waits_is_handed_out_once()
        self.the_current_file_is_the_one_that_was_used_last()
        self.each_file_gives_and_takes_exactly_what_it_should()
        self.the_tries_are_the_models()

    def what_waits_is_handed_out_once(self) -> None:
        expected = self.waiting + b"\x90\x00" if self.waiting else b"\x69\x85"
        assert expected == self.chip.transmit(command(GET_RESPONSE))
        assert b"\x69\x85" == self.chip.transmit(command(GET_RESPONSE))
        self.waiting = b""

    def the_current_file_is_the_one_that_was_used_last(self) -> None:
        file = self.current
        if file is None:
            assert b"\x69\x86" == self.chip.transmit(command(READ_BINARY, Offset(0)))
            assert b"\x69\x86" == self.chip.transmit(command(READ_RECORD, RecordRef(1)))
        else:
            self.reads_and_writes_as_it_should(file, 0)

    def each_file_gives_and_takes_exactly_what_it_should(self) -> None:
        by_sfi = {file.sfi: file for file in files_in(self.place) if file.has_sfi}
        for sfi in (*range(1, 15), 30, 31):
            if sfi in by_sfi:
                self.reads_and_writes_as_it_should(by_sfi[sfi], sfi)
            else:
                assert b"\x6a\x82" == self.chip.transmit(command(READ_BINARY, SfiOffset(sfi)))
                assert b"\x6a\x82" == self.chip.transmit(command(READ_RECORD, RecordRef(1, sfi)))

    def reads_and_writes_as_it_should(self, file: BenchFile, sfi: int) -> None:
        """Read it all; write back what the first bytes or the first record should be."""
        content = self.contents[file]
        if isinstance(content, bytes):
            where = SfiOffset(sfi) if sfi else Offset(0)
            read = command(READ_BINARY, where, ne=65_536)
            update = command(UPDATE_BINARY, where, content[:16])
        else:
            read = command(READ_RECORD, RecordRef(1, sfi, ReadMode.ALL_FROM))
            update = command(UPDATE_RECORD, RecordTarget(1, sfi), content[0])
            content = b"".join(content)
        may_read, may_update = holds(file.read, self.proven), holds(file.update, self.proven)
        assert (content + b"\x90\x00" if may_read else b"\x69\x82") == self.chip.transmit(read)
        assert (0x9000 if may_update else 0x6982) == self.send(update)
        if may_read or may_update:
            self.current = file

    def the_tries_are_the_models(self) -> None:
        for reference in REFERENCES:
            pin = self.keeper(reference)
            if not self.in_hrss:
                expected = 0x6D00
            elif pin not in self.pins:
                expected = 0x6A88
            elif Pin(reference) in self.proven:
                expected = 0x9000
            else:
                expected = 0x63C0 | self.tries[pin] if self.tries[pin] else 0x6983
            assert expected == self.send(tries(reference))
