# SPDX-License-Identifier: Apache-2.0
"""CREATE FILE makes files that make sense, and refuses others before memory changes."""

from __future__ import annotations

import pytest
from benchplan import noise
from testbench import SELECT_MF, blank, command, select_df, send_all, sw

from apdu.wire.access import ALWAYS
from apdu.wire.iso7816 import READ_BINARY, UPDATE_BINARY, Offset
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind


@pytest.mark.parametrize(
    ("kind", "size", "records", "expected"),
    [
        (FileKind.TRANSPARENT, 0, 0, 0x6A80),
        (FileKind.TRANSPARENT, 1, 0, 0x9000),
        (FileKind.TRANSPARENT, 16, 1, 0x6A80),
        (FileKind.TRANSPARENT, 0xFFFF, 0, 0x6A84),
        (FileKind.LINEAR_FIXED, 16, 0, 0x6A80),
        (FileKind.LINEAR_FIXED, 0, 2, 0x6A80),
        (FileKind.LINEAR_FIXED, 17, 2, 0x6A80),
        (FileKind.LINEAR_FIXED, 510, 2, 0x9000),
        (FileKind.LINEAR_FIXED, 512, 2, 0x6A80),
        (FileKind.LINEAR_FIXED, 254, 254, 0x9000),
        (FileKind.LINEAR_FIXED, 255, 255, 0x6A80),
        (FileKind.CYCLIC, 254, 254, 0x9000),
        (FileKind.CYCLIC, 256, 1, 0x6A80),
        (FileKind.LINEAR_VARIABLE, 0, 1, 0x6A80),
        (FileKind.LINEAR_VARIABLE, 1, 0, 0x6A80),
        (FileKind.LINEAR_VARIABLE, 1, 254, 0x9000),
        (FileKind.LINEAR_VARIABLE_TLV, 1, 255, 0x6A80),
        (FileKind.DF, 1, 0, 0x6A80),
        (FileKind.DF, 0, 1, 0x6A80),
    ],
)
def test_a_file_is_created_when_its_numbers_make_sense(
    kind: FileKind, size: int, records: int, expected: int
) -> None:
    chip = blank()
    before = chip.snapshot()
    header = FileHeader(kind, 0x2F03, ALWAYS, ALWAYS, 0, size, records)
    assert expected == sw(chip.transmit(command(CREATE_FILE, None, header)))
    assert (expected != 0x9000) == (before == chip.snapshot())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (FileHeader(FileKind.TRANSPARENT, 0x2F03, ALWAYS, ALWAYS, size=1), 0x6A89),
        (FileHeader(FileKind.DF, 0x2F03, ALWAYS, ALWAYS), 0x6A89),
        (FileHeader(FileKind.TRANSPARENT, 0x2F09, ALWAYS, ALWAYS, 3, size=1), 0x6A89),
        (FileHeader(FileKind.TRANSPARENT, 0x2F09, ALWAYS, ALWAYS, 30, size=1), 0x9000),
        (FileHeader(FileKind.TRANSPARENT, 0x2F09, ALWAYS, ALWAYS, 31, size=1), 0x6A80),
        (FileHeader(FileKind.TRANSPARENT, 0x2F09, ALWAYS, ALWAYS, size=1, name=b"n"), 0x6A80),
        (FileHeader(FileKind.TRANSPARENT, 0x2F09, ALWAYS, ALWAYS, size=1, fci=b"f"), 0x6A80),
        *(
            (FileHeader(FileKind.TRANSPARENT, fid, ALWAYS, ALWAYS, size=1), 0x6A80)
            for fid in (0x0000, 0x3F00, 0x3FFF, 0xFFFF)
        ),
        (FileHeader(FileKind.DF, 0xDF09, ALWAYS, ALWAYS, name=b"the only one"), 0x6A8A),
        (FileHeader(FileKind.DF, 0xDF09, ALWAYS, ALWAYS, name=bytes(16)), 0x9000),
        (FileHeader(FileKind.DF, 0xDF09, ALWAYS, ALWAYS, name=bytes(17)), 0x6A80),
        (FileHeader(FileKind.DF, 0xDF09, ALWAYS, ALWAYS, sfi=1), 0x6A80),
    ],
)
def test_a_file_needs_an_identifier_sfi_and_name_of_its_own(
    header: FileHeader, expected: int
) -> None:
    chip = blank()
    there = FileHeader(FileKind.TRANSPARENT, 0x2F03, ALWAYS, ALWAYS, 3, 8)
    named = FileHeader(FileKind.DF, 0xDF01, ALWAYS, ALWAYS, name=b"the only one")
    for each in (there, named):
        send_all(chip, [SELECT_MF, command(CREATE_FILE, None, each)])
    send_all(chip, [SELECT_MF])
    assert expected == sw(chip.transmit(command(CREATE_FILE, None, header)))


def test_directories_nest_and_are_many_only_up_to_a_bound() -> None:
    chip = blank()
    answers = []
    for n in range(12):
        header = FileHeader(FileKind.DF, 0xDF01 + n, ALWAYS, ALWAYS)
        answers.append(sw(chip.transmit(command(CREATE_FILE, None, header))))
    assert [0x9000] * 7 + [0x6A84] * 5 == answers  # the MF is the first of eight
    chip = blank()
    created = 0
    for n in range(300):
        send_all(chip, [SELECT_MF])
        header = FileHeader(FileKind.DF, 0x5000 + n, ALWAYS, ALWAYS)
        if chip.transmit(command(CREATE_FILE, None, header)) != b"\x90\x00":
            break
        created += 1
    assert 127 == created
    chip.reset()
    send_all(chip, [select_df(0x5000 + 126)])


def test_memory_that_is_full_refuses_more_and_stays_whole() -> None:
    chip = blank()
    fid = 0x2F00
    while True:
        fid += 1
        header = FileHeader(FileKind.TRANSPARENT, fid, ALWAYS, ALWAYS, size=900)
        before = chip.snapshot()
        answer = chip.transmit(command(CREATE_FILE, None, header))
        if answer != b"\x90\x00":
            break
        send_all(chip, [command(UPDATE_BINARY, Offset(0), noise(f"{fid}", 255))])
    assert b"\x6a\x84" == answer
    assert before == chip.snapshot()
    chip.reset()
    for each in range(0x2F01, fid):
        send_all(chip, [select_df(each)])
        found = chip.transmit(command(READ_BINARY, Offset(0), ne=255))
        assert noise(f"{each}", 255) + b"\x90\x00" == found
