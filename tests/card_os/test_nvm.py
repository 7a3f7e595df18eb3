# SPDX-License-Identifier: Apache-2.0
"""Memory that survives: whatever the moment the power goes, a change happened or it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from powercuts import DAMAGES, FOR_EVER, Damage, FaultyFlash, PowerCut, TornFlash, some_bits

from apdu.errors import StatusError
from card_os.nvm import (
    JOURNAL_SIZE,
    Flash,
    FlashFault,
    JournalEntry,
    JournalHead,
    MemoryDamaged,
    Nvm,
)

ROOM = 24
"""Bytes behind the journal that these tests write to; few, so that writes overlap."""
BLANK = bytes(JOURNAL_SIZE + ROOM)
Write = tuple[int, bytes]


@dataclass(frozen=True)
class Step:
    """What is done in one go: several writes in a block, or one without."""

    writes: tuple[Write, ...]
    block: bool

    def do(self, nvm: Nvm) -> None:
        if not self.block:
            nvm.write(*self.writes[0])
            return
        with nvm.atomic():
            for at, data in self.writes:
                nvm.write(at, data)

    def model(self, memory: bytes) -> bytes:
        changed = bytearray(memory)
        for at, data in self.writes:
            changed[at : at + len(data)] = data
        return bytes(changed)


@st.composite
def a_write(draw: st.DrawFn) -> Write:
    data = draw(st.binary(max_size=6))
    return JOURNAL_SIZE + draw(st.integers(0, ROOM - len(data))), data


blocks = st.builds(Step, st.lists(a_write(), max_size=4).map(tuple), st.just(True))
singles = st.builds(Step, a_write().map(lambda write: (write,)), st.just(False))
steps = st.lists(blocks | singles, min_size=1, max_size=4)
damages = st.sampled_from(DAMAGES) | st.integers(0, 10_000).map(some_bits)
unsynced = st.none() | st.integers(0, 1000)


def content(cells: bytes) -> bytes:
    return cells[JOURNAL_SIZE:]


def recovered(cells: bytes) -> bytes:
    flash = Flash(bytearray(cells))
    Nvm(flash).recover()
    return bytes(flash.cells)


def tears_of_recovery(cells: bytes, damage: Damage, seed: int | None) -> Iterator[bytes]:
    """The cells after the power went at each write of a recovery from `cells`."""
    cut = 0
    while True:
        flash = TornFlash(cells, cut, damage, seed)
        try:
            Nvm(flash).recover()
            return
        except PowerCut:
            yield bytes(flash.cells)
        cut += 1


@given(steps, damages, damages, unsynced)
def test_a_step_torn_anywhere_has_happened_wholly_or_not_at_all(
    steps: list[Step], damage: Damage, again: Damage, seed: int | None
) -> None:
    cut = 0
    while True:
        flash = TornFlash(BLANK, cut, damage, seed)
        nvm = Nvm(flash)
        before = after = BLANK
        try:
            for step in steps:
                before, after = after, step.model(after)
                step.do(nvm)
            assert after == BLANK[:JOURNAL_SIZE] + content(bytes(flash.cells))
            break
        except PowerCut:
            torn = bytes(flash.cells)
        allowed = (content(before), content(after))
        expected = content(recovered(torn))
        assert expected in allowed
        # What the first recovery would find, every other one finds, however often it is torn.
        for once in tears_of_recovery(torn, again, seed):
            assert expected == content(recovered(once))
            for twice in tears_of_recovery(once, damage, seed):
                assert expected == content(recovered(twice))
        cut += 1


@given(steps, st.integers(0, 20), damages)
def test_recovering_twice_changes_nothing_more(steps: list[Step], cut: int, damage: Damage) -> None:
    flash = TornFlash(BLANK, cut, damage)
    try:
        for step in steps:
            step.do(Nvm(flash))
    except PowerCut:
        pass
    once = recovered(bytes(flash.cells))
    again = Flash(bytearray(once))
    assert not Nvm(again).recover()
    assert once == bytes(again.cells)


@given(steps, st.integers(0, ROOM), st.integers(0, ROOM))
def test_reads_inside_a_block_see_its_writes_and_the_flash_does_not(
    steps: list[Step], at: int, n: int
) -> None:
    flash = Flash(bytearray(BLANK))
    nvm = Nvm(flash)
    memory = BLANK
    with nvm.atomic():
        for step in steps:
            for write in step.writes:
                nvm.write(*write)
            memory = step.model(memory)
            n = min(n, ROOM - at)
            place = JOURNAL_SIZE + at
            assert memory[place : place + n] == nvm.read(place, n)
            assert BLANK == bytes(flash.cells)
    assert content(memory) == content(bytes(flash.cells))


@given(blocks)
def test_an_exception_inside_a_block_discards_its_writes(block: Step) -> None:
    flash = Flash(bytearray(BLANK))
    nvm = Nvm(flash)
    with pytest.raises(LookupError), nvm.atomic():
        for write in block.writes:
            nvm.write(*write)
        raise LookupError
    assert BLANK == bytes(flash.cells)
    assert BLANK[-4:] == nvm.read(len(BLANK) - 4, 4)
    nvm.write(JOURNAL_SIZE, b"next")
    assert b"next" == nvm.read(JOURNAL_SIZE, 4)


def test_the_later_of_two_writes_to_the_same_place_wins() -> None:
    nvm = Nvm(Flash(bytearray(BLANK)))
    with nvm.atomic():
        nvm.write(JOURNAL_SIZE, b"aaaa")
        nvm.write(JOURNAL_SIZE + 1, b"bb")
        assert b"abba" == nvm.read(JOURNAL_SIZE, 4)
    assert b"abba" == nvm.read(JOURNAL_SIZE, 4)


def test_blocks_do_not_nest() -> None:
    nvm = Nvm(Flash(bytearray(BLANK)))
    with nvm.atomic(), pytest.raises(RuntimeError), nvm.atomic():
        pass


def most_in_one_write() -> int:
    """The most bytes that fit the journal as one write, found by trying."""
    large = Flash(bytearray(3 * JOURNAL_SIZE))
    low, high = 0, JOURNAL_SIZE
    while low < high:
        middle = (low + high + 1) // 2
        try:
            Nvm(large).write(JOURNAL_SIZE, noise_of(middle, large))
            low = middle
        except StatusError:
            high = middle - 1
    return low


def noise_of(n: int, flash: Flash) -> bytes:
    """`n` bytes that differ from the cells at the start of the room."""
    return bytes(cell ^ 0xFF for cell in flash.cells[JOURNAL_SIZE : JOURNAL_SIZE + n])


def test_what_exceeds_the_journal_is_refused_and_changes_nothing() -> None:
    most = most_in_one_write()
    assert 4096 <= most < JOURNAL_SIZE
    flash = Flash(bytearray(3 * JOURNAL_SIZE))
    nvm = Nvm(flash)
    with pytest.raises(StatusError) as refused:
        nvm.write(JOURNAL_SIZE, b"\x55" * (most + 1))
    assert 0x6A84 == refused.value.sw
    with pytest.raises(StatusError) as refused, nvm.atomic():
        for at in range(3):
            nvm.write(JOURNAL_SIZE + at * 2000, b"\x55" * 2000)
    assert 0x6A84 == refused.value.sw
    assert not any(flash.cells)
    nvm.write(JOURNAL_SIZE, b"\x55" * most)
    assert b"\x55" * most == nvm.read(JOURNAL_SIZE, most)


def test_the_longest_write_torn_anywhere_is_whole_or_absent() -> None:
    most = most_in_one_write()
    cells = bytes(3 * JOURNAL_SIZE)
    old, new = bytes(most), b"\x55" * most
    for damage in DAMAGES:
        cut, done = 0, False
        while not done:
            flash = TornFlash(cells, cut, damage)
            try:
                Nvm(flash).write(JOURNAL_SIZE, new)
                done = True
            except PowerCut:
                after = recovered(bytes(flash.cells))
                assert after[JOURNAL_SIZE : JOURNAL_SIZE + most] in (old, new)
            cut += 1
        assert cut > 3


def test_writing_what_is_there_already_wears_nothing() -> None:
    flash = TornFlash(BLANK)
    nvm = Nvm(flash)
    nvm.write(JOURNAL_SIZE, b"same")
    writes = flash.writes
    nvm.write(JOURNAL_SIZE, b"same")
    with nvm.atomic():
        nvm.write(JOURNAL_SIZE + 1, b"am")
    assert writes == flash.writes


@settings(max_examples=50)
@given(blocks | singles, st.integers(0, 8), st.booleans())
def test_after_a_write_fault_a_recovery_finds_a_whole_state(
    step: Step, first: int, for_ever: bool
) -> None:
    flash = FaultyFlash(BLANK, range(first, FOR_EVER if for_ever else first + 1))
    try:
        step.do(Nvm(flash))
    except FlashFault:
        assert content(recovered(bytes(flash.cells))) in (
            content(BLANK),
            content(step.model(BLANK)),
        )
    else:
        assert content(step.model(BLANK)) == content(bytes(flash.cells))


def committed(entries: bytes) -> bytearray:
    """Cells with a journal that is whole by its commit byte and checksum."""
    head = bytes(JournalHead(crc32(entries), len(entries)))
    cells = bytearray(BLANK)
    journal = b"\xa5" + head + entries
    cells[: len(journal)] = journal
    return cells


entries = st.builds(
    lambda at, data, claimed: bytes(JournalEntry(at, claimed or len(data))) + data,
    st.integers(JOURNAL_SIZE - 4, len(BLANK) + 4) | st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=8),
    st.none() | st.integers(0, 0xFFFF),
)


@settings(max_examples=300)
@given(st.lists(entries, max_size=3).map(b"".join) | st.binary(max_size=40), st.binary(max_size=4))
def test_a_whole_journal_of_any_content_is_replayed_or_refused(whole: bytes, rest: bytes) -> None:
    flash = Flash(committed(whole + rest))
    try:
        Nvm(flash).recover()
    except MemoryDamaged:
        assert not any(flash.cells[JOURNAL_SIZE:])  # refused before the first write
    else:
        assert not flash.cells[0]


@given(blocks, st.integers(0, 100), st.integers(0, 7))
def test_a_committed_journal_with_a_flipped_bit_is_forgotten(
    block: Step, place: int, bit: int
) -> None:
    journal = b"".join(bytes(JournalEntry(at, len(data))) + data for at, data in block.writes)
    flash = Flash(committed(journal))
    flash.cells[1 + place % (6 + len(journal))] ^= 1 << bit
    before = content(bytes(flash.cells))
    Nvm(flash).recover()
    assert before == content(bytes(flash.cells))


@settings(max_examples=300)
@given(st.binary(max_size=64), st.binary(max_size=ROOM))
def test_a_journal_of_any_bytes_is_forgotten_or_refused(journal: bytes, rest: bytes) -> None:
    cells = bytearray(BLANK)
    cells[: len(journal)] = journal
    cells[JOURNAL_SIZE : JOURNAL_SIZE + len(rest)] = rest
    flash = Flash(cells)
    Nvm(flash).recover()
    assert not flash.cells[0]
    assert rest == bytes(flash.cells[JOURNAL_SIZE : JOURNAL_SIZE + len(rest)])
