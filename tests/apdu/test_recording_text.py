# SPDX-License-Identifier: Apache-2.0
"""The text of a conversation as a recording: journeys, traces, and lines that are neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from recordings import open_exchanges, read, text_of

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.jsonline import LONGEST_LINE
from apdu.recording import Event, Exchanged, Fault, Remark, Reset
from apdu.trace import Exchange, write
from apdu.transcript import read_transcript

JOURNEYS = sorted((VECTORS / "journeys").glob("*.apdu"))


def events(text: str, *, keep: bool = False) -> list[Event]:
    return list(read_transcript(text.encode().splitlines(keepends=True), keep=keep))


@given(st.lists(open_exchanges, max_size=8))
def test_a_trace_is_read_as_it_was_written(exchanges: list[Exchange]) -> None:
    found = events(write(exchanges, ["a remark"]))
    assert [Remark(0.0, "a remark"), *(Exchanged(0.0, each) for each in exchanges)] == found


@pytest.mark.parametrize("path", JOURNEYS, ids=lambda path: path.stem)
def test_every_journey_is_a_recording(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    recording = read_transcript(text.encode().splitlines(keepends=True))
    found = list(recording)
    answered = sum(isinstance(each, Exchanged) for each in found)
    unheard = sum("<!" in line.split()[0] for line in lines)
    assert len(lines) == len(found) + answered + unheard
    header, again, lost = read(text_of(recording.header, found))
    assert (recording.header, found, "") == (header, again, lost)


def test_slots_fields_and_cards_that_were_pulled() -> None:
    found = events(
        "^ 3B 00\n"
        "psam-440300^ 3B 01\n"
        "field^ 3B 02\n"
        "field> 00 84 00 00 08\n"
        "field< 11 90 00\n"
        "> B0 2C 01 00\n"
        "<! 90 00\n"
        ">! 00 84 00 00 08\n"
    )
    contactless = Interface.CONTACTLESS
    assert [
        Reset(0.0, b"\x3b\x00"),
        Reset(0.0, b"\x3b\x01", slot="psam-440300"),
        Reset(0.0, b"\x3b\x02", contactless),
        Exchanged(0.0, Exchange(bytes.fromhex("0084000008"), bytes.fromhex("119000"))),
    ] == found[:4]
    unheard, late = found[4:]
    assert isinstance(unheard, Fault)
    assert isinstance(late, Fault)
    assert ("CardGone", "CardGone") == (unheard.kind, late.kind)
    assert Exchange(bytes.fromhex("B02C0100"), b"") == unheard.exchange
    assert Exchange(bytes.fromhex("0084000008"), b"") == late.exchange
    assert "not heard" not in late.sentence
    assert unheard.sentence != late.sentence


def test_a_pin_in_the_text_is_masked_unless_it_is_asked_for() -> None:
    text = "> 00 20 00 00 03 12 34 56\n< 90 00\n"
    (masked,) = events(text)
    (kept,) = events(text, keep=True)
    assert isinstance(masked, Exchanged)
    assert isinstance(kept, Exchanged)
    assert "00 20 00 00 03 •• •• ••" == masked.exchange.command_text
    assert "00 20 00 00 03 12 34 56" == kept.exchange.command_text
    (again,) = events(f"> {masked.exchange.command_text}\n< 90 00\n", keep=True)
    assert masked == again


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("hello\n", 1, "neither a remark"),
        ("> 00 84 00 00 08\n> 00\n", 2, "out of turn"),
        ("# r\n\n< 90 00\n", 3, "out of turn"),
        ("> 00 84 00 00 08\npsam< 90 00\n", 2, "out of turn"),
        ("> 00 84 00 00 08\n^ 3B 00\n", 2, "out of turn"),
        ("> 00 84 00 00 08\n", 1, "the last has no answer"),
        ("> 00 84 00 0G\n", 1, "not pairs of hex digits"),
        ("> 00 84 00\n", 1, "a header of 4 bytes"),
        ("> 00 84 •• 00 08\n", 1, "a header of 4 bytes"),
        ("> 00 84 00 00 08\n< 90\n", 2, "a status word"),
        ("> 00 84 00 00 08\n< 90 ••\n", 2, "a status word"),
        (">\n", 1, "neither a remark"),
        ("# " + "x" * LONGEST_LINE + "\n", 1, "longer than"),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_named(text: str, line: int, rule: str) -> None:
    with pytest.raises(FormatError) as refused:
        events(text)
    assert str(refused.value).startswith(f"text of a conversation, line {line}: ")
    assert rule in str(refused.value)


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FormatError, match="line 2: not UTF-8"):
        list(read_transcript([b"# a\n", b"# \xff\n"]))


@given(st.text("><^!# 0A•\npsam-", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        events(text)
    except FormatError:
        pass
