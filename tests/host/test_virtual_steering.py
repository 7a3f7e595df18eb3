# SPDX-License-Identifier: Apache-2.0
"""Cards that come and go while `sscard serve` runs, and the words for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from fakereader import Reader
from hypothesis import given
from hypothesis import strategies as st
from servebench import SELECT, VERIFY

from card_os.image import Durability, ImageError, ImageFlash
from host.cli.virtual.faults import SlotError
from host.cli.virtual.recordings import Recordings
from host.cli.virtual.seat import Manner
from host.cli.virtual.slots import Slots
from host.cli.virtual.steering import HELP, steer
from host.cli.virtual.watching import Board

_CLOSED_AT = 64


@pytest.fixture
def slots(readers: tuple[Reader, Reader], monkeypatch: pytest.MonkeyPatch) -> Iterator[Slots]:
    monkeypatch.setattr("host.cli.virtual.slots.UNNOTICED", 0.0)
    made = Slots(
        *readers[0].address,
        Manner(),
        Durability.KILL_SAFE,
        Board(as_json=False),
        Recordings(None),
    )
    yield made
    made.close()


def free(path: Path) -> bool:
    """Whether nobody has the image open, and it was closed properly."""
    try:
        ImageFlash(path).close()
    except ImageError:
        return False
    return path.read_bytes()[_CLOSED_AT] == 0


def said(line: str, slots: Slots) -> str:
    """What comes of a line that can be done."""
    answer = steer(line, slots)
    assert answer.ok, answer.lines
    return "\n".join(answer.lines)


def refused(line: str, slots: Slots) -> str:
    answer = steer(line, slots)
    assert not answer.ok, answer.lines
    (sentence,) = answer.lines
    return sentence


# Coming and going


def test_a_card_comes_and_goes(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots
) -> None:
    reader, (image, _) = readers[0], images
    said(f"insert 1 {image}", slots)
    assert reader.accept().atr()
    assert not free(image)
    assert f"slot 1: {image} is out" == said("remove 1", slots)
    assert reader.gone()
    assert free(image)
    said("insert 1", slots)
    assert reader.accept().atr()


def test_a_card_that_was_taken_out_has_forgotten_what_was_proven(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots
) -> None:
    reader, (image, _) = readers[0], images
    said(f"insert 1 {image}", slots)
    reader.accept().transmit(SELECT)
    assert b"\x90\x00" == reader.transmit(VERIFY)
    said("remove 1", slots)
    said("insert 1", slots)
    reader.accept().transmit(SELECT)
    assert b"\x63\xc6" == reader.transmit(bytes.fromhex("00200000"))


def test_a_card_is_swapped_for_another(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots
) -> None:
    reader, (first, second) = readers[0], images
    said(f"insert 1 {first}", slots)
    before = reader.accept().atr()
    said(f"swap 1 '{second}'", slots)
    assert reader.gone()
    assert before != reader.accept().atr()
    assert free(first)


def test_a_slot_stays_empty_until_the_reader_has_noticed(
    images: tuple[Path, Path], slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pcscd would keep the ATR of the first card for the second."""
    waited: list[float] = []
    monkeypatch.setattr(slots._closing, "wait", waited.append)
    monkeypatch.setattr("host.cli.virtual.slots.UNNOTICED", 3600.0)
    first, second = images
    said(f"insert 1 {first}", slots)
    said(f"insert 2 '{second}'", slots)
    assert not waited
    said("remove 2", slots)
    said(f"swap 1 '{second}'", slots)
    said(f"insert 2 {first}", slots)
    assert [True, True] == [3000 < each <= 3600 for each in waited]


def test_the_end_does_not_wait_for_an_empty_slot(
    images: tuple[Path, Path], slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.cli.virtual.slots.UNNOTICED", 3600.0)
    said(f"insert 1 {images[0]}", slots)
    said("remove 1", slots)
    waiting = Thread(target=steer, args=("insert 1", slots), daemon=True)
    waiting.start()
    slots.close()
    waiting.join(20)
    assert not waiting.is_alive()
    assert free(images[0])


def test_a_card_stays_when_the_other_one_cannot_be_used(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots, tmp_path: Path
) -> None:
    reader, (first, second) = readers[0], images
    said(f"insert 1 {first}", slots)
    reader.accept().transmit(SELECT)
    assert b"\x90\x00" == reader.transmit(VERIFY)
    second.write_bytes(second.read_bytes()[:-1])
    for other in second, tmp_path / "missing.img", first:
        refused(f"swap 1 '{other}'", slots)
    assert b"\x90\x00" == reader.transmit(bytes.fromhex("00200000"))


def test_cards_are_in_the_slots_that_were_named(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots
) -> None:
    first, _ = images
    assert "no cards" == said("list", slots)
    said(f"insert 2 {first}", slots)
    assert readers[1].accept().atr()
    assert readers[0].empty()
    answer = steer("list", slots)
    port = readers[1].address[1]
    about = {"slot": 2, "host": "127.0.0.1", "port": port, "card": str(first)}
    assert answer.slots is not None
    assert [about] == [{name: each[name] for name in about} for each in answer.slots]
    assert f"slot 2  127.0.0.1:{port}  {first}  in the reader" == answer.lines[0]
    assert "slots" in answer.as_json()


def test_all_cards_come_out_at_the_end(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots
) -> None:
    for slot, image in enumerate(images, start=1):
        said(f"insert {slot} '{image}'", slots)
        readers[slot - 1].accept()
    slots.close()
    assert all(free(image) for image in images)
    assert all(reader.gone() for reader in readers)
    assert "all cards are being taken out" == refused(f"insert 1 {images[0]}", slots)


# What cannot be done


def test_what_cannot_be_done_is_refused_and_harms_nobody(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], slots: Slots, tmp_path: Path
) -> None:
    first, second = images
    assert "slot 1 has had no card: name an image" == refused("insert 1", slots)
    said(f"insert 1 {first}", slots)
    assert f"slot 1 has a card: {first}" == refused(f"insert 1 '{second}'", slots)
    assert free(second)
    assert f"{first} is in slot 1 already" == refused(f"insert 2 {first}", slots)
    (tmp_path / "link.img").symlink_to(first)
    assert "is in slot 1 already" in refused(f"insert 2 {tmp_path / 'link.img'}", slots)
    assert "slot 2 has no card" == refused("remove 2", slots)
    assert "slot 2 has no card" == refused(f"swap 2 '{second}'", slots)
    assert "cannot be opened" in refused(f"insert 2 {tmp_path / 'missing.img'}", slots)
    with ImageFlash(second):
        assert "in use by another process" in refused(f"insert 2 '{second}'", slots)
    assert readers[0].accept().atr()


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "99999", "999999", "x", "²", "１"])
def test_a_slot_that_cannot_be_is_refused(slots: Slots, number: str) -> None:
    assert "slot" in refused(f"remove {number}", slots)
    assert "slot" in refused(f"insert {number} x.img", slots)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("insert", "to be said as: insert SLOT [IMAGE]"),
        ("insert 1 a b", "to be said as: insert SLOT [IMAGE]"),
        ("swap 1", "to be said as: swap SLOT IMAGE"),
        ("remove", "to be said as: remove SLOT"),
        ("list all", "to be said as: list"),
        ("quit now", "to be said as: quit"),
        ("eject 1", "not understood: `help` says what there is"),
        ("insert 1 'x", "not understood: No closing quotation"),
        ("insert 1 a\0b", "a\0b: cannot be opened: no name of a file"),
    ],
)
def test_what_is_not_understood_is_refused(slots: Slots, line: str, words: str) -> None:
    assert words == refused(line, slots)


def test_nothing_and_help_are_understood(slots: Slots) -> None:
    assert "" == said("", slots)
    assert "\n".join(HELP) == said("help", slots)
    assert steer("quit", slots).ends


@given(st.text(max_size=60))
def test_any_line_gets_an_answer(line: str) -> None:
    there = Slots(
        "127.0.0.1", 65_535, Manner(), Durability.KILL_SAFE, Board(as_json=False), Recordings(None)
    )
    answer = steer(line, there)
    assert json.loads(json.dumps(answer.as_json()))["ok"] is answer.ok


def test_a_card_that_does_not_come_out_is_told_of(
    images: tuple[Path, Path],
    readers: tuple[Reader, Reader],
    slots: Slots,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said(f"insert 1 {images[0]}", slots)
    ((_, _, seated),) = slots.listed()
    with monkeypatch.context() as stuck:
        stuck.setattr(Thread, "join", lambda *_: None)
        stuck.setattr(Thread, "is_alive", lambda _: True)
        assert "still at a command" in refused("remove 1", slots)
        with pytest.raises(SlotError):
            slots.close()
    assert not free(images[0])
    assert seated.opened.flash.cells is not None
