# SPDX-License-Identifier: Apache-2.0
"""Whole files come complete, however they are asked for: at once, in pieces, record by record."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import accumulate, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import DF_OF, EXTERNAL, Desk
from test_hrss_commands import desk, every_generation
from testbench import command, select_df, send_all, sw

from apdu.wire.access import NEVER
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.spec import EfSpec, items
from apdu.wire.iso7816 import READ_BINARY, READ_RECORD, Offset, ReadMode, RecordRef
from apdu.wire.perso import FileKind
from card_os.chip import Chip

FILES = [
    pytest.param(name, directory.label, file, id=f"{name} {directory.label} {file.sfi:02X}")
    for name, generation in GENERATIONS.items()
    for directory in generation.directories
    for file in directory.files
    if file.read != NEVER and file.content is not None
    if file.kind is FileKind.LINEAR_VARIABLE_TLV
]
LONGEST = {"2.0": ("DF02", 5, 436), "3.0": ("DF03", 6, 401)}
"""Where 61xx comes more than once, and how many bytes there are."""


@cache
def opened(generation: str, label: str) -> Desk:
    """A desk in a directory, with everything proven that opens a file in it."""
    keys = [name for name in EXTERNAL if DF_OF[name].label in ("SSSE", label)]
    return desk(generation, label, "PIN", *keys)


def whole(chip: Chip, raw: bytes, sizes: Iterator[int]) -> bytes:
    """What a command brings, and GET RESPONSE after it, at most so many bytes at a time."""
    answer = chip.transmit(raw)
    found = answer[:-2]
    while answer[-2] == 0x61:
        size = min(next(sizes), answer[-1] or 0x100)
        answer = chip.transmit(bytes((0x00, 0xC0, 0x00, 0x00, size & 0xFF)))
        assert size == len(answer) - 2
        found += answer[:-2]
    assert 0x9000 == sw(answer)
    return found


def read(p1: int, mode: ReadMode = ReadMode.NUMBER, sfi: int = 0, ne: int = 256) -> bytes:
    return command(READ_RECORD, RecordRef(p1, sfi, mode), ne=ne)


def records_of(file: EfSpec) -> list[tuple[int, int]]:
    """Tag and length of each record, as the file is described."""
    assert file.content is not None
    found = []
    for item in items(file.content):
        assert item.tag is not None
        found += [(item.tag, item.size)] * item.repeats
    return found


@pytest.mark.parametrize(("generation", "label", "file"), FILES)
def test_a_file_of_items_is_the_same_in_every_way_of_reading_it(
    generation: str, label: str, file: EfSpec
) -> None:
    chip = opened(generation, label).chip
    send_all(chip, [select_df(file.fid)])
    records = records_of(file)
    one_by_one = []
    for number, (tag, size) in enumerate(records, start=1):
        answer = chip.transmit(read(number, ne=2 + size))
        assert bytes((tag, size)) == answer[:2]
        assert 0x9000 == sw(answer)
        one_by_one.append(answer[:-2])
        assert bytes((0x6C, 2 + size)) == chip.transmit(read(number, ne=1))
    assert b"\x6a\x83" == chip.transmit(read(len(records) + 1))
    assert b"\x6a\x83" == chip.transmit(read(0))
    content = b"".join(one_by_one)
    for sfi in (0, file.sfi):
        assert content + b"\x90\x00" == chip.transmit(read(1, ReadMode.ALL_FROM, sfi, 65_536))
        assert content == whole(chip, read(1, ReadMode.ALL_FROM, sfi), repeat(256))
        for start in range(2, len(records) + 1):
            rest = b"".join(one_by_one[start - 1 :])
            assert rest == whole(chip, read(start, ReadMode.ALL_FROM, sfi), repeat(256))
        for tag in {tag for tag, _ in records}:
            first = next(each for each in one_by_one if each[0] == tag)
            assert first + b"\x90\x00" == chip.transmit(read(tag, ReadMode.TAG, sfi))
    assert b"\x6a\x83" == chip.transmit(read(0xEE, ReadMode.TAG))


@pytest.mark.parametrize("generation", LONGEST)
@given(data=st.data())
def test_a_long_answer_comes_whole_in_pieces_of_any_size(
    generation: str, data: st.DataObject
) -> None:
    label, sfi, size = LONGEST[generation]
    chip = opened(generation, label).chip
    ne = data.draw(st.integers(1, 700) | st.sampled_from([255, 256, 257, size - 1, size, size + 1]))
    raw = read(1, ReadMode.ALL_FROM, sfi, ne)
    sizes = iter(lambda: data.draw(st.integers(1, 256)), None)
    expected = chip.transmit(read(1, ReadMode.ALL_FROM, sfi, 65_536))[:-2]
    assert size == len(expected)
    assert expected == whole(chip, raw, sizes)
    # Each byte was handed out once.
    assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C0000000"))


@every_generation
def test_what_waits_is_gone_with_the_next_command(generation: str) -> None:
    chip = opened(generation, "DF02").chip
    for between in ("0084000008", "00A4000002EF06", "00B2013400", "00", "0070000000"):
        assert 0x61B4 == sw(chip.transmit(read(1, ReadMode.ALL_FROM, 5)))
        chip.transmit(bytes.fromhex(between))
        assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C00000B4"))


@every_generation
def test_a_photo_is_read_at_once_or_piece_by_piece(generation: str) -> None:
    at = opened(generation, "SSSE")
    chip, content = at.chip, bytes(n * 7 & 0xFF for n in range(0x1000))
    send_all(chip, [select_df(0xEF08)])
    for start in range(0, 0x1000, 0xF8):
        part = content[start : start + 0xF8]
        send_all(chip, [bytes((0x00, 0xD6)) + start.to_bytes(2) + bytes((len(part),)) + part])
    assert content + b"\x90\x00" == chip.transmit(command(READ_BINARY, Offset(0), ne=65_536))
    assert content + b"\x90\x00" == chip.transmit(command(READ_BINARY, Offset(0), ne=0x1000))
    assert content + b"\x62\x82" == chip.transmit(command(READ_BINARY, Offset(0), ne=0x1001))
    for size in (1000, 256, 255, 99):
        found = b""
        for start in accumulate(repeat(size), initial=0):
            answer = chip.transmit(command(READ_BINARY, Offset(start), ne=size))
            if sw(answer) == 0x6B00:
                break
            short = len(answer) - 2 < size and size != 256
            assert (0x6282 if short else 0x9000) == sw(answer)
            found += answer[:-2]
        assert content == found
