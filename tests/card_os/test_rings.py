# SPDX-License-Identifier: Apache-2.0
"""Cyclic files: a record is put in front, and the oldest goes."""

from __future__ import annotations

import pytest
from benchplan import noise
from test_files import RECORDS, append, chip_with, ok, push, read, update
from testbench import bench, send_all

from apdu.wire.iso7816 import ReadMode
from apdu.wire.perso import FileKind


@pytest.mark.parametrize("kind", [kind for kind in RECORDS if kind is not FileKind.CYCLIC])
def test_only_a_cyclic_file_has_a_previous_record(kind: FileKind) -> None:
    chip = chip_with(kind, 16, 2)
    assert b"\x69\x81" == chip.transmit(push(bytes(8)))


def test_in_a_cyclic_file_the_newest_record_is_number_1() -> None:
    chip = chip_with(FileKind.CYCLIC, 12, 3)
    written = [noise(f"entry {n}", 4) for n in range(8)]
    for n, data in enumerate(written):
        send_all(chip, [append(data) if n % 2 else push(data)])
        newest_first = written[: n + 1][::-1][:3]
        assert ok(b"".join(newest_first)) == chip.transmit(read(1, ReadMode.ALL_FROM))


@pytest.mark.parametrize("p1", [1, 2, 0x80, 0xFF])
def test_the_previous_record_has_no_number_and_that_is_said_before_access_is_judged(
    p1: int,
) -> None:
    chip = bench()
    before = chip.snapshot()
    for sfi in range(31):  # files of every structure and condition, and none
        raw = bytes((0x00, 0xDC, p1, sfi << 3 | 3, 1, 0))
        assert b"\x6a\x86" == chip.transmit(raw)
    assert before == chip.snapshot()


def test_an_empty_ring_takes_number_1_for_its_first_record() -> None:
    chip = chip_with(FileKind.CYCLIC, 12, 3)
    assert b"\x6a\x83" == chip.transmit(update(2, b"none"))
    assert b"\x67\x00" == chip.transmit(update(1, b"short"))
    send_all(chip, [update(1, b"one.")])
    assert ok(b"one.") == chip.transmit(read(1, ReadMode.ALL_FROM))
    send_all(chip, [update(1, b"ONE."), push(b"two."), update(1, b"TWO.")])
    assert ok(b"TWO.ONE.") == chip.transmit(read(1, ReadMode.ALL_FROM))
