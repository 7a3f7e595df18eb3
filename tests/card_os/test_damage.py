# SPDX-License-Identifier: Apache-2.0
"""Memory that was altered is mounted as something whole, or refused: never anything else.

Who can alter the cells has the keys anyway. What is guarded against here is damage: the chip must
not crash, hang, or give more tries than there were.
"""

from __future__ import annotations

from functools import cache
from zlib import crc32

import pytest
from benchplan import DIRECTORIES, FILES
from hypothesis import given
from hypothesis import strategies as st
from testbench import (
    boot,
    command,
    go_to,
    sealed_cells,
    send_all,
    sw,
    tries,
    unsealed_cells,
    verify,
)

from apdu.wire.access import ALWAYS
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    AppendTarget,
    ReadMode,
    RecordRef,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.perso import FileHeader, FileKind, Life
from card_os.chip import Chip
from card_os.files.layout import (
    MASTER_AT,
    OBJECTS_AT,
    MasterBlock,
    ObjectHead,
    ObjectKind,
    object_check,
)
from card_os.nvm import JOURNAL_SIZE, Flash, MemoryDamaged

MASTER = MasterBlock.parse(sealed_cells()[MASTER_AT : MASTER_AT + MasterBlock.byte_length()])
END = MASTER.end


def with_master(cells: bytes | bytearray, life: int, end: int) -> bytes:
    """Cells whose master block says this, with a checksum that fits."""
    body = bytes((life,)) + end.to_bytes(4) + MASTER.historical
    raw = MASTER.mark.to_bytes(4) + body + crc32(body).to_bytes(4)
    return bytes(cells[:MASTER_AT]) + raw + bytes(cells[MASTER_AT + len(raw) :])


"""Where the objects of the bench end."""
LIMITS = {
    (directory.label, reference): pin.limit
    for directory in DIRECTORIES
    for reference, pin in directory.pins.items()
}


@cache
def other_cells() -> bytes:
    """A bench that has lived: other tries, other content."""
    flash = Flash(bytearray(sealed_cells()))
    chip = boot(flash)
    send_all(chip, [*go_to("SSSE"), verify("123456")])
    send_all(chip, [command(UPDATE_BINARY, SfiOffset(1), bytes(200))])
    send_all(chip, [command(APPEND_RECORD, AppendTarget(5), b"appended")])
    send_all(chip, [command(APPEND_RECORD, AppendTarget(3), b"appended")])
    for _ in range(4):
        chip.transmit(verify("000000"))
    return bytes(flash.cells)


def use(chip: Chip) -> None:
    """Whatever a terminal can ask of a mounted chip is answered."""
    atr = chip.reset()
    for directory in DIRECTORIES:
        for each in go_to(directory.label):
            assert len(chip.transmit(each)) >= 2
        for reference in (0x00, 0x01, 0x81):
            answer = sw(chip.transmit(tries(reference)))
            limit = LIMITS.get((directory.label, reference), 15)
            assert answer >> 4 != 0x63C or answer & 15 <= limit
        for sfi in range(1, 14):
            for raw in (
                command(READ_BINARY, SfiOffset(sfi)),
                command(READ_RECORD, RecordRef(1, sfi, ReadMode.ALL_FROM)),
                command(READ_RECORD, RecordRef(2, sfi)),
                command(UPDATE_RECORD, RecordTarget(1, sfi), b"12345678"),
                command(APPEND_RECORD, AppendTarget(sfi), b"12345678"),
                command(UPDATE_BINARY, SfiOffset(sfi), b"12345678"),
            ):
                assert len(chip.transmit(raw)) >= 2
    assert atr == chip.reset()


def mounted(cells: bytes) -> Chip | None:
    """The chip on these cells, None when they are refused as they should be."""
    try:
        return boot(Flash(bytearray(cells)))
    except MemoryDamaged as damage:
        assert str(damage)
        return None


bases = st.sampled_from([sealed_cells, unsealed_cells, other_cells])
places = (
    st.integers(0, END - 1)
    | st.integers(MASTER_AT, OBJECTS_AT - 1)
    | st.integers(OBJECTS_AT, END - 1)
    | st.integers(0, 32)
)


@given(bases, st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_are_refused_or_lived_with(
    base: object, changes: list[tuple[int, int]]
) -> None:
    cells = bytearray(base())  # type: ignore[operator]
    for at, value in changes:
        cells[at] = value
    chip = mounted(bytes(cells))
    if chip is not None:
        use(chip)


@given(bases, st.lists(st.tuples(places, st.integers(0, 7)), min_size=1, max_size=3))
def test_flipped_bits_are_refused_or_lived_with(base: object, flips: list[tuple[int, int]]) -> None:
    cells = bytearray(base())  # type: ignore[operator]
    for at, bit in flips:
        cells[at] ^= 1 << bit
    chip = mounted(bytes(cells))
    if chip is not None:
        use(chip)


@given(bases, bases, places, places, st.integers(1, 600))
def test_pieces_of_two_memories_are_refused_or_lived_with(
    base: object, other: object, to: int, start: int, n: int
) -> None:
    cells, piece = bytearray(base()), other()[start : start + n]  # type: ignore[operator]
    size = len(cells)
    cells[to : to + len(piece)] = piece
    chip = mounted(bytes(cells[:size]))
    if chip is not None:
        use(chip)


@given(bases, places, st.integers(1, 3000), st.sampled_from([0x00, 0xFF, 0xA5, 0x5C]))
def test_erased_stretches_are_refused_or_lived_with(
    base: object, at: int, n: int, fill: int
) -> None:
    cells = bytearray(base())  # type: ignore[operator]
    n = min(n, len(cells) - at)
    cells[at : at + n] = bytes((fill,)) * n
    chip = mounted(bytes(cells))
    if chip is not None:
        use(chip)


def test_a_memory_cut_short_anywhere_before_its_last_object_ends_is_refused() -> None:
    cells = sealed_cells()
    for size in (*range(0, 64), *range(64, END, 97), JOURNAL_SIZE, MASTER_AT + 8, END - 1):
        assert mounted(cells[:size]) is None
    assert mounted(cells[:END]) is not None


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(raw: bytes) -> None:
    assert mounted(raw) is None
    assert mounted(bytes(JOURNAL_SIZE) + raw.ljust(4000, b"\0")) is None
    assert mounted(raw.ljust(12_288, b"\xff")) is None


def test_a_blank_memory_is_refused() -> None:
    assert mounted(bytes(12_288)) is None
    assert mounted(b"\xff" * 12_288) is None


def test_no_life_and_no_end_but_those_that_were_written_are_believed() -> None:
    """Two bits would unseal the card, and an end at an earlier object would drop the later ones."""
    length = MasterBlock.byte_length()
    for at in range(MASTER_AT, MASTER_AT + length):
        for value in range(256):
            cells = bytearray(sealed_cells())
            if cells[at] != value:
                cells[at] = value
                assert mounted(bytes(cells)) is None


@pytest.mark.parametrize("value", range(256))
def test_the_life_of_the_chip_is_one_of_three_or_the_memory_is_refused(value: int) -> None:
    known = value in (Life.INITIALISATION, Life.ACTIVATED, Life.TERMINATED)
    assert known == (mounted(with_master(sealed_cells(), value, END)) is not None)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_memory_of_another_layout_is_refused(at: int) -> None:
    """Mark and layout version stand in front of all that could be misread."""
    for value in (0, 2, 0xFF):
        cells = bytearray(sealed_cells())
        if cells[MASTER_AT + at] != value:
            cells[MASTER_AT + at] = value
            assert mounted(bytes(cells)) is None


def test_any_bit_of_a_header_that_flips_is_noticed() -> None:
    """Conditions, identifiers and tries of every object stand under a checksum."""
    for file in FILES:
        header = bytes(
            FileHeader(
                file.kind, file.fid, file.read, file.update, file.sfi, file.size, file.records
            )
        )
        at = sealed_cells().index(header, OBJECTS_AT)
        for place in range(at, at + len(header)):
            for bit in range(8):
                cells = bytearray(sealed_cells())
                cells[place] ^= 1 << bit
                assert mounted(bytes(cells)) is None


@cache
def place_of_the_tries() -> int:
    """Where the counter of the holder's PIN stands: where a wrong PIN leaves its mark."""
    flash = Flash(bytearray(sealed_cells()))
    chip = boot(flash)
    send_all(chip, go_to("SSSE"))
    chip.transmit(verify("000000"))
    return next(n for n in range(END) if sealed_cells()[n] != flash.cells[n]) - 1


@given(st.integers(0, 0xFFFF) | st.sampled_from([0xFFFF, 0x00FF, 0x003F, 0xFF3F, 0x0037, 0x8000]))
def test_tries_never_come_out_above_the_limit_whatever_the_counter_holds(row: int) -> None:
    cells = bytearray(sealed_cells())
    at = place_of_the_tries()
    cells[at : at + 2] = row.to_bytes(2)
    chip = boot(Flash(cells))
    send_all(chip, go_to("SSSE"))
    answer = sw(chip.transmit(tries()))
    left = 0 if answer == 0x6983 else answer & 15
    assert left <= 6
    # However it began, wrong tries go down one by one and then it is blocked.
    for expected in range(left - 1, -1, -1):
        assert 0x63C0 | expected == sw(chip.transmit(verify("000000")))
        chip.reset()
        send_all(chip, go_to("SSSE"))
        assert (0x63C0 | expected if expected else 0x6983) == sw(chip.transmit(tries()))
    assert b"\x69\x83" == chip.transmit(verify("123456"))


def with_one_more_file(condition: bytes) -> bytes:
    """The bench with a file that has this read condition, put there by hand, checksum and all."""
    plain = bytes(FileHeader(FileKind.TRANSPARENT, 0x2F77, ALWAYS, ALWAYS, size=1))
    header = plain[:3] + bytes((len(condition),)) + condition + plain[5:]
    head = ObjectHead(
        ObjectKind.FILE,
        0,
        len(header),
        1,
        object_check(ObjectKind.FILE, 0, header, 1),
        Life.ACTIVATED,
    )
    raw = bytes(head) + header + b"\0"
    cells = bytearray(sealed_cells())
    cells[END : END + len(raw)] = raw
    return with_master(cells, Life.ACTIVATED, END + len(raw))


def test_a_condition_that_cannot_be_judged_is_refused_when_it_is_mounted() -> None:
    assert mounted(with_one_more_file(b"\x10\x00")) is not None
    eight = [bytes((0xB0, 8)) + bytes((0x10, n)) * 8 for n in range(8)]
    assert mounted(with_one_more_file(b"\xa0\x08" + b"".join(eight))) is not None
    many = [
        bytes((0xB0, 8)) + b"".join(bytes((0x10, 8 * i + j)) for j in range(8)) for i in range(8)
    ]
    assert mounted(with_one_more_file(b"\xa0\x08" + b"".join(many))) is None
    assert mounted(with_one_more_file(b"\x77")) is None
