# SPDX-License-Identifier: Apache-2.0
"""What is on an issued card, read file by file, against the table of vectors/cards.

The table (`accesstable`) says tags, lengths, order and what is there before anybody has filled
anything in; what the holder and the issuer bring stands here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from accessbench import card_of, mounted, prove
from accesstable import GENERATIONS, PLACES, TableFile, TableItem, files, keys, provable
from keybench import Desk, external

from apdu.wire.hrss.generations import GENERATIONS as SPECIFIED
from apdu.wire.hrss.spec import Item, items
from apdu.wire.perso import FileHeader, FileKind
from card_os.files.tree import Directory

every_place = pytest.mark.parametrize(("generation", "label"), PLACES)
KINDS = {
    "tlv": FileKind.LINEAR_VARIABLE_TLV,
    "records": FileKind.LINEAR_VARIABLE,
    "cyclic": FileKind.CYCLIC,
    "transparent": FileKind.TRANSPARENT,
}
ISSUER: dict[int, bytes] = {
    0x01: bytes.fromhex("430200D156000005"),
    0x02: b"3",
    0x04: bytes.fromhex("9156000002430200430100"),
    0x05: bytes.fromhex("20260105"),
    0x06: bytes.fromhex("20360104"),
    0x07: b"B00000131",
}
HOLDER: dict[int, bytes] = {
    0x08: b"430200199003070015",
    0x09: "测试持卡人".encode("gb18030") + bytes(20),
    0x0A: b"1",
    0x0B: b"\x01",
    0x0C: bytes.fromhex("430200"),
    0x0D: bytes.fromhex("19900307"),
}
FILLED: dict[tuple[str, str], dict[int, bytes]] = {
    ("SSSE", "EF05"): ISSUER,
    ("SSSE", "EF06"): HOLDER,
    ("SSSE", "EF0D"): {0xEB: bytes.fromhex("430200")},
}
"""What the values of the test holder's card begin with."""
OWN = {0x01: 8, 0x04: 1}
"""Bytes at the end of EF05's values that are each card's: chip number and MAC; a check."""
VERSIONS = {"1.0": b"1.0\0", "2.0": b"2.00", "3.0": b"3.00"}


def desk_at(generation: str, label: str) -> Desk:
    """In a directory, with everything proven that can be."""
    desk = card_of(generation)
    desk.go(label)
    prove(desk, {"PIN", *provable(generation, label)})
    return desk


def read(desk: Desk, file: TableFile) -> bytes:
    """All of a file: its records one behind the other."""
    binary = file.structure == "transparent"
    raw = bytes((0x00, 0xB0, 0x80 | file.sfi, 0x00) if binary else (0, 0xB2, 1, file.sfi << 3 | 5))
    answer = desk.chip.transmit(raw + bytes(3))
    assert answer[-2:] in (b"\x90\x00", b"\x6a\x83"), file.ef
    return answer[:-2]


@cache
def directory(generation: str, label: str) -> Directory:
    """As the chip finds it in its memory."""
    return mounted(card_of(generation).flash)[label]


# Contents


def issued(generation: str, file: TableFile) -> list[bytes]:
    """The records of the test card's file, or its bytes as one."""
    filled = FILLED.get((file.label, file.ef), {})
    if filled is ISSUER:
        filled = filled | {0x03: VERSIONS[generation]}
    return [
        record[:2] + value + record[2 + len(value) :]
        for record in file.contents()
        for value in [filled.get(record[0], record[2:])]
    ]


@every_place
def test_every_file_holds_the_items_of_the_table_in_its_order_and_blank(
    generation: str, label: str
) -> None:
    desk = desk_at(generation, label)
    for file in files(generation, label):
        if file.read:
            found = read(desk, file)
            for record in issued(generation, file):
                own = OWN.get(record[0], 0) if (label, file.ef) == ("SSSE", "EF05") else 0
                fixed = len(record) - own
                assert record[:fixed] == found[:fixed], file.ef
                found = found[len(record) :]
            assert b"" == found


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_identification_code_has_the_last_bytes_of_the_chips_number(generation: str) -> None:
    desk = desk_at(generation, "SSSE")
    (issuer,) = (file for file in files(generation, "SSSE") if file.ef == "EF05")
    code = read(desk, issuer)[2:18]
    assert desk.chip.reset()[-4:] == code[8:12]


@every_place
def test_a_file_that_nobody_reads_holds_what_the_table_says(generation: str, label: str) -> None:
    for file in files(generation, label):
        if not file.read:
            assert file.contents() == [
                directory(generation, label).by_sfi[file.sfi].read_binary(0, 0x1000)
            ]


@every_place
def test_every_tlv_record_has_its_number_and_its_tag(generation: str, label: str) -> None:
    desk = desk_at(generation, label)
    for file in files(generation, label):
        if file.structure != "tlv":
            continue
        tags = [item.tag for item in file.items for _ in range(item.times)]
        whole = b""
        for number, tag in enumerate(tags, start=1):
            record = desk.chip.transmit(bytes((0, 0xB2, number, file.sfi << 3 | 4, 0)))[:-2]
            assert tag == record[0]
            assert len(record) == 2 + record[1]
            first = desk.chip.transmit(bytes((0, 0xB2, tag, file.sfi << 3, 0)))[:-2]
            assert (
                first
                == desk.chip.transmit(bytes((0, 0xB2, 1 + tags.index(tag), file.sfi << 3 | 4, 0)))[
                    :-2
                ]
            )
            whole += record
        assert read(desk, file) == whole
        beyond = bytes((0, 0xB2, len(tags) + 1, file.sfi << 3 | 4, 0))
        assert b"\x6a\x83" == desk.chip.transmit(beyond)


# Structure and size


@every_place
def test_every_file_has_the_structure_and_size_of_the_table(generation: str, label: str) -> None:
    found = directory(generation, label)
    assert {file.sfi for file in files(generation, label)} == set(found.by_sfi)
    assert {int(file.ef, 16) for file in files(generation, label)} == set(found.by_fid)
    for file in files(generation, label):
        header: FileHeader = found.by_sfi[file.sfi].header
        wanted: tuple[Any, ...] = (file.size, file.records)
        if file.structure == "tlv":
            records = file.contents()
            wanted = (sum(map(len, records)), len(records))
        elif file.structure == "cyclic":
            wanted = (file.size * file.records, file.records)
        assert (KINDS[file.structure], *wanted) == (header.kind, header.size, header.records)


@every_place
def test_a_ring_keeps_as_many_records_as_the_table_says(generation: str, label: str) -> None:
    desk = desk_at(generation, label)
    for file in files(generation, label):
        if file.structure != "cyclic" or not file.update:
            continue
        written = [bytes((n,)) * file.size for n in range(1, file.records + 3)]
        for record in written:
            head = bytes((0x00, 0xDC, 0x00, file.sfi << 3 | 3, len(record)))
            assert 0x9000 == desk.send(head + record)
        newest = written[: -file.records - 1 : -1]
        assert b"".join(newest) == read(desk, file)
        for wrong in (file.size - 1, file.size + 1):
            head = bytes((0x00, 0xDC, 0x00, file.sfi << 3 | 3, wrong))
            assert 0x6700 == desk.send(head + bytes(wrong))
        assert b"".join(newest) == read(desk, file)


@every_place
def test_a_transparent_file_ends_where_the_table_says(generation: str, label: str) -> None:
    desk = desk_at(generation, label)
    for file in files(generation, label):
        if file.structure == "transparent":
            assert 0x9000 == desk.send(bytes.fromhex(f"00A4020002{file.ef}"))
            last, beyond = (file.size - 1).to_bytes(2), file.size.to_bytes(2)
            assert 0x9000 == desk.send(b"\x00\xd6" + last + b"\x01\x5a")
            assert 0x6A84 == desk.send(b"\x00\xd6" + last + b"\x02\x5a\x5a")
            assert 0x6B00 == desk.send(b"\x00\xd6" + beyond + b"\x01\x5a")
            if file.read:
                assert b"\x5a\x90\x00" == desk.chip.transmit(b"\x00\xb0" + last + b"\x01")
                assert 0x6B00 == desk.send(b"\x00\xb0" + beyond + b"\x01")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_local_file_takes_eight_records_of_its_room(generation: str) -> None:
    (file,) = (each for each in files(generation, "SSSE") if each.structure == "records")
    desk = desk_at(generation, "SSSE")
    append = bytes((0x00, 0xE2, 0x00, file.sfi << 3, file.size // file.records))
    record = bytes(file.size // file.records)
    found = [desk.send(append + record) for _ in range(file.records + 1)]
    assert [0x9000] * file.records + [0x6A84] == found
    assert record * file.records == read(desk, file)
    long = desk_at(generation, "SSSE")
    assert 0x9000 == long.send(bytes((0x00, 0xE2, 0x00, file.sfi << 3, 255)) + bytes(255))
    assert 0x6A84 == long.send(bytes((0x00, 0xE2, 0x00, file.sfi << 3, 2)) + bytes(2))
    assert 0x9000 == long.send(bytes((0x00, 0xE2, 0x00, file.sfi << 3, 1)) + bytes(1))


# Keys


@every_place
def test_a_directory_has_the_keys_of_the_table_and_no_others(generation: str, label: str) -> None:
    """EXTERNAL AUTHENTICATE says which numbers there are: 6A88 none, 6985 not for this."""
    desk = card_of(generation)
    desk.go(label)
    found = {}
    for kid in range(0x100):
        desk.challenge()
        answer = desk.send(external(kid, bytes(8)))
        if answer != 0x6A88:
            found[kid] = answer
    here = keys(generation, label) + (keys(generation, "SSSE") if label != "SSSE" else ())
    assert {key.kid for key in here} == set(found)
    assert {key.kid for key in here if key.provable} == {
        kid for kid, answer in found.items() if answer == 0x63CE
    }
    assert {0x63CE, 0x6985} == set(found.values())


@every_place
def test_the_keys_are_numbered_and_named_to_a_psam_as_in_the_table(
    generation: str, label: str
) -> None:
    listed = {(key.name, key.kid, key.psam) for key in keys(generation, label)}
    specified = SPECIFIED[generation].directory(label).keys
    assert len(listed) == len(specified)
    assert listed == {
        (key.name, key.kid, f"{key.psam.usage:02X}{key.psam.id:02X}" if key.psam else None)
        for key in specified
    }


# What both ends go by


def as_table(item: Item) -> TableItem:
    coding = "B-TLV" if item.coding is None else item.coding.value
    inner = tuple(map(as_table, item.parts))
    return TableItem(item.tag or 0, coding, item.size, item.repeats, inner)


@every_place
def test_the_specified_items_have_the_codings_of_the_table(generation: str, label: str) -> None:
    for file in files(generation, label):
        content = SPECIFIED[generation].file(label, file.sfi).content
        if file.items:
            assert content is not None
            assert file.items == tuple(map(as_table, items(content)))


# The table itself


def test_the_table_agrees_with_itself() -> None:
    for place in PLACES:
        for file in files(*place):
            for item in file.items:
                if item.inner:
                    assert item.size == sum(2 + part.size for part in item.inner)
            if file.structure == "cyclic":
                assert file.size == sum(field.size for field in file.items)
            names = {key.name for key in keys(*place)} | {
                key.name for key in keys(place[0], "SSSE")
            }
            assert file.involved <= names | {"PIN"}


def test_the_issuers_values_are_fifty_bytes() -> None:
    for generation in GENERATIONS:
        (issuer,) = (file for file in files(generation, "SSSE") if file.ef == "EF05")
        assert 50 == sum(item.size for item in issuer.items)
