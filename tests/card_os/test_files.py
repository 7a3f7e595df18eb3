# SPDX-License-Identifier: Apache-2.0
"""Files hold what was written, in each structure, and nothing beyond their bounds.

All through the chip's commands, while it is being personalised: conditions do not apply yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from benchplan import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from testbench import FLASH_SIZE, bench, blank, boot, command, send_all, sw

from apdu.tlv import SimpleTlv
from apdu.wire.access import ALWAYS
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    AppendTarget,
    Offset,
    PreviousTarget,
    ReadMode,
    RecordRef,
    RecordTarget,
    SfiOffset,
    UpdateMode,
)
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind
from card_os.chip import Chip
from card_os.nvm import Flash

KINDS = [kind for kind in FileKind if kind is not FileKind.DF]
RECORDS = [kind for kind in KINDS if kind is not FileKind.TRANSPARENT]
OF_ONE_LENGTH = (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
SFI = 3


def chip_with(kind: FileKind, size: int, records: int = 0) -> Chip:
    chip = blank()
    header = FileHeader(kind, 0x2F03, ALWAYS, ALWAYS, SFI, size, records)
    send_all(chip, [command(CREATE_FILE, None, header)])
    return chip


def item(tag: int, value: bytes) -> bytes:
    return bytes(SimpleTlv(tag, value))


def append(data: bytes, sfi: int = SFI) -> bytes:
    return command(APPEND_RECORD, AppendTarget(sfi), data)


def read(p1: int, mode: ReadMode = ReadMode.NUMBER, sfi: int = SFI, *, ne: int = 256) -> bytes:
    return command(READ_RECORD, RecordRef(p1, sfi, mode), ne=ne)


def update(p1: int, data: bytes, mode: UpdateMode = UpdateMode.NUMBER, sfi: int = SFI) -> bytes:
    return command(UPDATE_RECORD, RecordTarget(p1, sfi, mode), data)


def push(data: bytes, sfi: int = SFI) -> bytes:
    return command(UPDATE_RECORD, PreviousTarget(sfi), data)


def read_bytes(offset: int, ne: int = 256) -> bytes:
    return command(READ_BINARY, Offset(offset), ne=ne)


def update_bytes(offset: int, data: bytes) -> bytes:
    return command(UPDATE_BINARY, Offset(offset), data)


def ok(data: bytes) -> bytes:
    return data + b"\x90\x00"


# Record files against lists


@dataclass
class ListOfRecords:
    """What a record file is: a list with rules. In a cyclic one the newest stands first."""

    kind: FileKind
    size: int
    most: int
    records: list[bytes] = field(default_factory=list)
    rooms: list[int] = field(default_factory=list)

    @property
    def length(self) -> int:
        return self.size // self.most

    def add(self, data: bytes) -> int:
        """The status word of APPEND RECORD, and its effect."""
        if self.kind in OF_ONE_LENGTH:
            if len(data) != self.length:
                return 0x6700
            if self.kind is FileKind.CYCLIC:
                self.records = [data, *self.records][: self.most]
                return 0x9000
            if len(self.records) == self.most:
                return 0x6A84
        else:
            if self.kind is FileKind.LINEAR_VARIABLE_TLV and not is_one_item(data):
                return 0x6A80
            if len(self.records) == self.most or sum(self.rooms) + len(data) > self.size:
                return 0x6A84
            self.rooms.append(len(data))
        self.records.append(data)
        return 0x9000

    def put(self, number: int, data: bytes) -> int:
        """The status word of UPDATE RECORD by number, and its effect."""
        if self.kind is FileKind.LINEAR_VARIABLE_TLV and not is_one_item(data):
            return 0x6A80
        if self.kind is FileKind.CYCLIC and number == 1 and not self.records:
            return self.add(data)
        if not 1 <= number <= len(self.records):
            return 0x6A83
        old = self.records[number - 1]
        if self.kind in OF_ONE_LENGTH and len(data) != self.length:
            return 0x6700
        if self.kind is FileKind.LINEAR_VARIABLE and len(data) > self.rooms[number - 1]:
            return 0x6A84
        if self.kind is FileKind.LINEAR_VARIABLE_TLV and data[:2] != old[:2]:
            return 0x6A80
        self.records[number - 1] = data
        return 0x9000

    def number_of(self, tag: int) -> int:
        return next((n for n, each in enumerate(self.records, 1) if each[0] == tag), 0)


def is_one_item(data: bytes) -> bool:
    return len(data) >= 2 and data[0] not in (0x00, 0xFF) and data[1] == len(data) - 2


datas = st.binary(min_size=1, max_size=9) | st.builds(
    item, st.sampled_from([0x08, 0x4E, 0x09]), st.binary(max_size=6)
)
numbers = st.integers(0, 6) | st.sampled_from([0x08, 0x4E, 0xFE, 0xFF])


class RecordFileAgainstList(RuleBasedStateMachine):
    """Whatever is appended and updated, the file holds what a list would."""

    @initialize(kind=st.sampled_from(RECORDS), most=st.integers(1, 4))
    def create(self, kind: FileKind, most: int) -> None:
        self.kind, self.most = kind, most
        size = 6 * most if kind in OF_ONE_LENGTH else 16
        self.model = ListOfRecords(kind, size, most)
        self.flash = Flash(bytearray(FLASH_SIZE))
        self.chip = blank(self.flash)
        header = FileHeader(kind, 0x2F03, ALWAYS, ALWAYS, SFI, size, most)
        after = FileHeader(FileKind.TRANSPARENT, 0x2F04, ALWAYS, ALWAYS, 4, 8)
        send_all(self.chip, [command(CREATE_FILE, None, each) for each in (header, after)])
        send_all(self.chip, [update_bytes(0, b"neighbor")])

    def fit(self, data: bytes) -> bytes:
        """Mostly data of the length that the file wants."""
        return data.ljust(6, b"\x01")[:6] if self.kind in OF_ONE_LENGTH and data[0] & 1 else data

    @rule(data=datas)
    def append(self, data: bytes) -> None:
        data = self.fit(data)
        assert self.model.add(data) == sw(self.chip.transmit(append(data)))

    @rule(number=numbers, data=datas)
    def update(self, number: int, data: bytes) -> None:
        data = self.fit(data)
        assert self.model.put(number, data) == sw(self.chip.transmit(update(number, data)))

    @rule(tag=numbers, data=datas)
    def update_by_tag(self, tag: int, data: bytes) -> None:
        data = self.fit(data)
        number = self.model.number_of(tag)
        expected = self.model.put(number, data) if number else 0x6A83
        if self.kind in OF_ONE_LENGTH:
            expected = 0x6981
        assert expected == sw(self.chip.transmit(update(tag, data, UpdateMode.TAG)))

    @rule(data=datas)
    def update_previous(self, data: bytes) -> None:
        data = self.fit(data)
        expected = self.model.add(data) if self.kind is FileKind.CYCLIC else 0x6981
        assert expected == sw(self.chip.transmit(push(data)))

    @rule(reset=st.booleans())
    def lose_power(self, reset: bool) -> None:
        if reset:
            self.chip.reset()
        else:
            self.flash = Flash(bytearray(self.flash.cells))
            self.chip = boot(self.flash)

    @invariant()
    def the_file_reads_as_the_list(self) -> None:
        records = self.model.records
        for number in range(0, len(records) + 2):
            there = 1 <= number <= len(records)
            one = ok(records[number - 1]) if there else b"\x6a\x83"
            rest = ok(b"".join(records[number - 1 :])) if there else b"\x6a\x83"
            assert one == self.chip.transmit(read(number))
            assert rest == self.chip.transmit(read(number, ReadMode.ALL_FROM))
        for tag in (0x00, 0x08, 0x4E, 0xFF, *(record[0] for record in records)):
            number = self.model.number_of(tag)
            by_tag = ok(records[number - 1]) if number else b"\x6a\x83"
            if self.kind in OF_ONE_LENGTH:  # records without tags
                by_tag = b"\x69\x81"
            assert by_tag == self.chip.transmit(read(tag, ReadMode.TAG))

    @invariant()
    def the_neighbour_is_untouched(self) -> None:
        assert ok(b"neighbor") == self.chip.transmit(command(READ_BINARY, SfiOffset(4)))


TestRecordFileAgainstList = RecordFileAgainstList.TestCase
TestRecordFileAgainstList.settings = settings(stateful_step_count=25)


# The transparent file against bytes


@given(
    st.integers(1, 700),
    st.lists(st.tuples(st.integers(0, 720), st.binary(min_size=1, max_size=300)), max_size=4),
    st.integers(0, 720),
    st.integers(1, 65_536),
)
def test_a_transparent_file_is_bytes_with_an_end(
    size: int, writes: list[tuple[int, bytes]], offset: int, ne: int
) -> None:
    chip = chip_with(FileKind.TRANSPARENT, size)
    model = bytearray(size)
    for at, data in writes:
        if at >= size:
            expected = 0x6B00
        elif at + len(data) > size:
            expected = 0x6A84
        else:
            expected = 0x9000
            model[at : at + len(data)] = data
        assert expected == sw(chip.transmit(update_bytes(at, data)))
    answer = chip.transmit(read_bytes(offset, ne))
    if offset >= size:
        assert b"\x6b\x00" == answer
        return
    assert model[offset : offset + ne] == answer[:-2]
    # Ne 256 and 65536 ask for all there is; another one was meant.
    short = ne not in (256, 65_536) and offset + ne > size
    assert (0x6282 if short else 0x9000) == sw(answer)


@pytest.mark.parametrize("ne", [1, 15, 16, 17, 255, 256, 257, 65_535, 65_536])
def test_le_beyond_the_end_of_a_file_is_told_by_6282_unless_it_asks_for_all(ne: int) -> None:
    chip = chip_with(FileKind.TRANSPARENT, 16)
    answer = chip.transmit(read_bytes(0, ne))
    assert min(ne, 16) == len(answer) - 2
    asked = ne > 16 and ne not in (256, 65_536)
    assert (0x6282 if asked else 0x9000) == sw(answer)


def test_bytes_are_reached_by_sfi_and_offset_as_well() -> None:
    chip = chip_with(FileKind.TRANSPARENT, 300)
    chip.reset()
    assert b"\x69\x86" == chip.transmit(read_bytes(0))
    send_all(chip, [command(UPDATE_BINARY, SfiOffset(SFI, 255), b"end of it")])
    assert ok(b"end of it") == chip.transmit(command(READ_BINARY, SfiOffset(SFI, 255), ne=9))
    assert ok(b"nd") == chip.transmit(read_bytes(256, 2))  # by SFI, the file became current


def test_a_file_that_may_not_be_read_does_not_become_current_by_trying() -> None:
    chip = bench()
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(2)))
    assert b"\x69\x86" == chip.transmit(read_bytes(0))
    send_all(chip, [command(READ_BINARY, SfiOffset(1), ne=16)])
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(2)))
    assert ok(noise("MF 1", 16)) == chip.transmit(read_bytes(0))


@pytest.mark.parametrize("kind", RECORDS)
def test_binary_commands_do_not_fit_record_files(kind: FileKind) -> None:
    chip = chip_with(kind, 16, 2)
    for each in (read_bytes(0), update_bytes(0, b"\x01"), command(READ_BINARY, SfiOffset(SFI))):
        assert b"\x69\x81" == chip.transmit(each)


def test_record_commands_do_not_fit_a_transparent_file() -> None:
    chip = chip_with(FileKind.TRANSPARENT, 16)
    for mode in ReadMode:
        assert b"\x69\x81" == chip.transmit(read(1, mode))
    for target in UpdateMode:
        assert b"\x69\x81" == chip.transmit(update(1, bytes(16), target))
    for each in (append(bytes(16)), push(bytes(16))):
        assert b"\x69\x81" == chip.transmit(each)


def test_all_records_come_in_one_answer_and_the_rest_of_it_by_get_response() -> None:
    chip = chip_with(FileKind.LINEAR_FIXED, 400, 4)
    records = [noise(f"record {n}", 100) for n in range(4)]
    send_all(chip, map(append, records))
    whole = b"".join(records)
    assert ok(whole) == chip.transmit(read(1, ReadMode.ALL_FROM, ne=65_536))
    first = chip.transmit(read(1, ReadMode.ALL_FROM))
    assert whole[:256] + b"\x61\x90" == first
    assert ok(whole[256:]) == chip.transmit(bytes.fromhex("00C0000090"))


@pytest.mark.parametrize("ne", [1, 7, 9, 255])
def test_read_record_with_another_le_names_the_right_one(ne: int) -> None:
    chip = chip_with(FileKind.LINEAR_FIXED, 16, 2)
    send_all(chip, [append(b"8 bytes.")])
    assert b"\x6c\x08" == chip.transmit(read(1, ne=ne))
    assert ok(b"8 bytes.") == chip.transmit(read(1, ne=8))


def test_a_record_of_a_variable_file_keeps_the_room_it_began_with() -> None:
    chip = chip_with(FileKind.LINEAR_VARIABLE, 20, 3)
    send_all(chip, [append(b"longest"), append(b"other"), update(1, b"a")])
    assert ok(b"a") == chip.transmit(read(1))
    assert b"\x6a\x84" == chip.transmit(update(1, b"longest+"))
    send_all(chip, [update(1, b"LONGEST")])
    assert ok(b"LONGESTother") == chip.transmit(read(1, ReadMode.ALL_FROM))


@pytest.mark.parametrize(
    "data",
    [b"\x08", b"\x08\x03ab", b"\x08\x02abc", b"\x00\x01a", b"\xff\x01a", item(8, b"a") * 2],
    ids=["no length", "short", "left over", "tag 00", "tag FF", "two items"],
)
def test_a_tlv_file_takes_whole_items_only(data: bytes) -> None:
    chip = chip_with(FileKind.LINEAR_VARIABLE_TLV, 40, 4)
    send_all(chip, [append(item(8, b"value"))])
    assert b"\x6a\x80" == chip.transmit(append(data))
    assert b"\x6a\x80" == chip.transmit(update(1, data))
    assert ok(item(8, b"value")) == chip.transmit(read(1, ReadMode.ALL_FROM))


def test_tag_and_length_of_an_item_are_fixed() -> None:
    chip = chip_with(FileKind.LINEAR_VARIABLE_TLV, 40, 4)
    send_all(chip, [append(item(8, b"value"))])
    for other in (item(9, b"value"), item(8, b"valu"), item(8, b"values")):
        assert b"\x6a\x80" == chip.transmit(update(1, other))
    send_all(chip, [update(8, item(8, b"VALUE"), UpdateMode.TAG)])
    assert ok(item(8, b"VALUE")) == chip.transmit(read(8, ReadMode.TAG))


@pytest.mark.parametrize("kind", KINDS)
def test_an_sfi_without_a_file_is_not_found_and_no_current_file_is_said_so(kind: FileKind) -> None:
    chip = chip_with(kind, 16, 0 if kind is FileKind.TRANSPARENT else 2)
    chip.reset()
    for sfi in (1, 2, 30, 31):
        assert b"\x6a\x82" == chip.transmit(read(1, sfi=sfi))
        assert b"\x6a\x82" == chip.transmit(append(b"x", sfi))
        assert b"\x6a\x82" == chip.transmit(command(READ_BINARY, SfiOffset(sfi)))
    assert b"\x69\x86" == chip.transmit(read(1, sfi=0))
    assert b"\x69\x86" == chip.transmit(append(b"x", 0))
    assert b"\x69\x86" == chip.transmit(read_bytes(0))
