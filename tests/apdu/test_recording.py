# SPDX-License-Identifier: Apache-2.0
"""Recordings: what is written reads back, and what is not as it should be is named by its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import (
    any_exchanges,
    events_of,
    headers,
    open_exchanges,
    read,
    text_of,
    unknowns,
)

from apdu.errors import FormatError
from apdu.jsonline import LONGEST_LINE, unhex
from apdu.recording import (
    NAME,
    VERSION,
    Event,
    Exchanged,
    Fault,
    Header,
    Recording,
    Unknown,
    event_line,
    header_line,
)
from apdu.trace import HIDDEN, Exchange

HEAD = header_line(Header(by="a test"))
EXCHANGE = '{"event":"exchange","at":1.000000,"command":"00B2012D00","answer":"9000"}\n'


# Round trips


@given(headers, events_of(open_exchanges))
def test_what_is_written_reads_back(header: Header, events: list[Event]) -> None:
    assert (header, events, "") == read(text_of(header, events))


@given(headers, events_of(any_exchanges))
def test_what_was_kept_reads_back_where_it_is_asked_for(
    header: Header, events: list[Event]
) -> None:
    masked = [event for event in events if not isinstance(event, Exchanged | Fault)]
    _, found, _ = read(text_of(header, events), keep=True)
    if header.kept:
        assert events == found
    else:
        assert masked == [event for event in found if not isinstance(event, Exchanged | Fault)]


@given(unknowns)
def test_an_event_of_an_unknown_kind_is_kept_as_it_stood_there(event: Unknown) -> None:
    _, (found,), _ = read(text_of(Header(), [event]))
    assert isinstance(found, Unknown)
    assert (event.at, event.kind) == (found.at, found.kind)
    assert event_line(event) == event_line(found)


@given(st.binary(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_bytes_and_what_is_masked_of_them_read_back(raw: bytes, one: int, other: int) -> None:
    start, stop = sorted((min(one, len(raw)), min(other, len(raw))))
    text = raw[:start].hex() + HIDDEN * (stop - start) + raw[stop:].hex()
    found = unhex(text)
    hidden = range(start, stop) if stop > start else range(0)
    assert found == (raw[:start] + bytes(stop - start) + raw[stop:], hidden)


@given(headers, events_of(open_exchanges))
def test_every_event_is_one_line(header: Header, events: list[Event]) -> None:
    lines = text_of(header, events).split(b"\n")
    assert 2 + len(events) == len(lines)
    assert b"" == lines[-1]
    assert all(isinstance(json.loads(line), dict) for line in lines[:-1])


def test_fields_that_are_not_known_are_passed_over() -> None:
    head = HEAD.replace('"remark"', '"colour":["red",1],"remark"')
    line = EXCHANGE.replace('"command"', '"weather":{"rain":null},"command"')
    assert read((HEAD + EXCHANGE).encode()) == read((head + line).encode())


def test_the_format_is_what_its_description_says() -> None:
    """Held to the letter, since others may have written it."""
    raw = (
        '{"sscard-recording":1,"by":"x","card":{"atr":"3B00","interface":"contactless",'
        '"protocol":"T=1"},"secrets":"masked","remark":"r"}\n'
        '{"event":"reset","at":0.000000,"atr":"3B00","interface":"contact"}\n'
        '{"event":"exchange","at":0.001203,"took":0.000071,"command":"0084000008","answer":"9000"}\n'
        '{"event":"exchange","at":0.002,"command":"0020000003••••••","answer":"63C2","reason":"w"}\n'
        '{"event":"fault","at":3,"took":10,"command":"00B2012D00","kind":"CardMute",'
        '"sentence":"s"}\n'
        '{"event":"fault","at":3,"kind":"CardGone","slot":"psam"}\n'
        '{"event":"remark","at":4,"text":"t"}\n'
    )
    header, events, lost = read(raw.encode())
    assert "" == lost
    assert header_line(header) + "".join(map(event_line, events)) == (
        raw.replace('"card":{"atr":"3B00","interface":"contactless"', "CARD")
        .replace("CARD", '"card":{"interface":"contactless","atr":"3B00"')
        .replace('"at":0.002,', '"at":0.002000,')
        .replace('"at":3,"took":10,', '"at":3.000000,"took":10.000000,')
        .replace('"at":3,"kind":"CardGone","slot":"psam"', "GONE")
        .replace("GONE", '"at":3.000000,"slot":"psam","kind":"CardGone","sentence":""')
        .replace('"at":4', '"at":4.000000')
    )


# What is secret


@given(headers, events_of(any_exchanges))
def test_who_reads_masks_whatever_the_file_says(header: Header, events: list[Event]) -> None:
    _, found, _ = read(text_of(header, events))
    again = read(text_of(header, found))[1]
    assert found == again
    for event in found:
        if isinstance(event, Exchanged | Fault) and event.exchange is not None:
            exchange = event.exchange
            assert not any(exchange.command[at] for at in exchange.hidden)
            assert Exchange.of(exchange.command, b"").hidden in (exchange.hidden, range(0))


def test_what_the_writer_masked_beyond_the_rule_stays_masked() -> None:
    line = EXCHANGE.replace("00B2012D00", "00DC012D04AA••••BB").replace("9000", "••••9000")
    _, (event,), _ = read((HEAD + line).encode())
    assert isinstance(event, Exchanged)
    assert "00 DC 01 2D 04 AA •• •• BB" == event.exchange.command_text
    assert "•• •• 90 00" == event.exchange.answer_text


def test_masks_of_writer_and_reader_are_joined() -> None:
    """The writer masked a PIN and Le, the reader knows of the PIN; and the other way round."""
    for written, shown in (
        ("0020000003••••••••", "00 20 00 00 03 •• •• •• ••"),
        ("002000000311••3300", "00 20 00 00 03 •• •• •• 00"),
    ):
        _, (event,), _ = read((HEAD + EXCHANGE.replace("00B2012D00", written)).encode())
        assert isinstance(event, Exchanged)
        assert shown == event.exchange.command_text


def test_a_pin_in_a_recording_that_says_it_is_masked_is_masked_even_if_it_is_asked_for() -> None:
    line = EXCHANGE.replace("00B2012D00", "0020000003123456")
    _, (event,), _ = read((HEAD + line).encode(), keep=True)
    assert isinstance(event, Exchanged)
    assert "00 20 00 00 03 •• •• ••" == event.exchange.command_text


def test_the_answer_that_a_get_response_fetches_is_masked_by_whoever_reads() -> None:
    lines = "".join(
        f'{{"event":"exchange","at":{at},"slot":"{slot}","command":"{command}","answer":"{answer}"}}\n'
        for at, slot, command, answer in (
            (1, "card", "804E000108" + "11" * 8, "6110"),
            (2, "psam", "00C0000002", "22229000"),
            (3, "card", "00C0000002", "33339000"),
        )
    )
    _, events, _ = read((HEAD + lines).encode())
    shown = [each.exchange.answer_text for each in events if isinstance(each, Exchanged)]
    assert ["61 10", "22 22 90 00", "•• •• 90 00"] == shown


# What is not whole


@given(headers, events_of(open_exchanges), st.data())
def test_a_recording_that_breaks_off_is_read_as_far_as_it_is_whole(
    header: Header, events: list[Event], data: st.DataObject
) -> None:
    head, whole = text_of(header, []), text_of(header, events)
    at = data.draw(st.integers(len(head), len(whole)))
    _, found, lost = read(whole[:at])
    lines = whole[:at].count(b"\n") - 1
    assert events[: len(found)] == found
    assert len(found) - lines in (0, 1)
    # A line that lacks its end alone is whole; a half one is said to be lost.
    rest = whole[:at].rpartition(b"\n")[2]
    assert bool(lost) == (bool(rest) and len(found) == lines)
    if lost:
        assert f"line {lines + 2} breaks off: what it said is lost" == lost


def test_a_recording_without_its_first_line_is_none() -> None:
    for raw in (b"", b"\n", b"{", HEAD.encode()[:20], EXCHANGE.encode(), b"3B00\n"):
        with pytest.raises(FormatError):
            read(raw)


# What was edited


def altered(**fields: Any) -> str:
    """The line of an exchange with some fields changed; None takes one away."""
    told = json.loads(EXCHANGE) | fields
    return json.dumps({k: v for k, v in told.items() if v is not None}) + "\n"


BAD_LINES = {
    "not JSON": ("{not json}\n", "not JSON"),
    "a blank line": ("\n", "not JSON"),
    "not an object": ("[1,2]\n", "not a JSON object"),
    "a text": ('"exchange"\n', "not a JSON object"),
    "deep": ("[" * 100_000 + "\n", "not JSON"),
    "an odd digit": (altered(command="00B2012D0"), "command: not pairs of hex digits"),
    "no hex": (altered(answer="90ZZ"), "answer: not pairs of hex digits"),
    "blanks": (altered(command="00 B2 01 2D 00"), "command: not pairs of hex digits"),
    "half a mask": (altered(command="0020000002••5•"), "command: not pairs of hex digits"),
    "two masks": (altered(command="002000000311••22••"), "command: not pairs"),
    "full-width digits": (altered(command="00B2012D０0"), "command: not pairs of hex digits"),
    "a number": (altered(command=12), "command: not text"),
    "no command": (altered(command=None), "command: missing"),
    "a short command": (altered(command="00B201"), "command: 3 bytes, must be 4 to"),
    "a long command": (altered(command="00" * 65_538), "command: 65538 bytes, must be 4 to"),
    "a masked header": (altered(command="00B2••00"), "command: its header is masked"),
    "no status word": (altered(answer="90"), "answer: 1 bytes, must be 2 to"),
    "no answer": (altered(answer=""), "answer: 0 bytes, must be 2 to"),
    "a masked status word": (altered(answer="00••00"), "answer: its status word is masked"),
    "no time": (altered(at=None), "at: missing"),
    "a time in words": (altered(at="1.0"), "at: not a number"),
    "a truth for a time": (altered(at=True), "at: not a number"),
    "a negative time": (altered(at=-0.5), "at: not a time in seconds from 0"),
    "a time beyond": (altered(at=1e12), "at: not a time in seconds from 0"),
    "a negative duration": (altered(took=-1), "took: not a time in seconds"),
    "NaN": (EXCHANGE.replace("1.000000", "NaN"), "NaN is not a number of JSON"),
    "infinity": (EXCHANGE.replace("1.000000", "-Infinity"), "-Infinity is not a number"),
    "overflow": (EXCHANGE.replace("1.000000", "1e999"), "a number beyond all numbers"),
    "many digits": (EXCHANGE.replace("1.000000", "1" * 5000), "a number of more than 20 digits"),
    "no kind": (altered(event=None), "event: missing"),
    "a kind that is no text": (altered(event=7), "event: not text"),
    "a slot that is no text": (altered(slot=1), "slot: not text"),
    "a field twice": (EXCHANGE.replace("}", ',"at":2}'), "a field stands there twice"),
    "a second header": (HEAD, "a second header"),
    "half a character": (
        '{"event":"remark","at":1,"text":"\\ud800"}\n',
        "text: half a character",
    ),
    "a masked ATR": ('{"event":"reset","at":1,"atr":"3B••"}\n', "atr: masked"),
    "no ATR": ('{"event":"reset","at":1}\n', "atr: missing"),
    "an unknown interface": (
        '{"event":"reset","at":1,"atr":"3B00","interface":"wire"}\n',
        "interface: neither contact nor contactless",
    ),
    "a fault without a kind": ('{"event":"fault","at":1,"sentence":"s"}\n', "kind: missing"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_an_edited_line_is_refused_by_its_number_and_the_rule(name: str) -> None:
    line, rule = BAD_LINES[name]
    with pytest.raises(FormatError) as refused:
        read((HEAD + EXCHANGE.replace('"at":1', '"at":0') + line + EXCHANGE).encode())
    assert str(refused.value).startswith("recording, line 3")
    assert rule in str(refused.value)
    assert len(str(refused.value)) < 120


def test_events_out_of_order_are_refused() -> None:
    with pytest.raises(FormatError, match=r"line 3, at: out of order: 0\.500000 after 1\.000000"):
        read((HEAD + EXCHANGE + altered(at=0.5)).encode())


def test_a_line_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FormatError, match="line 2: not UTF-8"):
        read(HEAD.encode() + b'{"event":"remark","at":1,"text":"\xff"}\n')


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_refused_even_as_the_last(end: bytes) -> None:
    line = b'{"event":"remark","at":1,"text":"' + b"x" * LONGEST_LINE + b'"}' + end
    with pytest.raises(FormatError, match=f"line 2: longer than {LONGEST_LINE} bytes"):
        read(HEAD.encode() + line)


def test_the_longest_exchange_fits_a_line() -> None:
    whole = bytes.fromhex("00A4000000FFF8") + bytes(65_528)
    longest = Exchange(whole, bytes(65_535) + b"\x90\x00")
    masked = Exchange(bytes(65_535), bytes(65_537), range(4, 65_535), range(65_535))
    for exchange in (longest, masked):
        line = event_line(Exchanged(0.0, exchange, 1.0, "why")).encode()
        assert len(line) <= LONGEST_LINE
        _, (event,), _ = read(HEAD.encode() + line)
        assert Exchanged(0.0, exchange, 1.0, "why") == event


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({NAME: VERSION + 1}, f"version {VERSION + 1}, which is newer than version {VERSION}"),
        ({NAME: 0}, "no header"),
        ({NAME: "1"}, "no header"),
        ({NAME: True}, "no header"),
        ({NAME: None}, "no header"),
        ({"secrets": None}, "secrets: missing"),
        ({"secrets": "some"}, "secrets: neither masked nor kept"),
        ({"card": []}, "card: not a JSON object"),
        ({"card": {"atr": "3B0"}}, "atr: not pairs of hex digits"),
        ({"card": {"interface": "wire"}}, "interface: neither contact nor contactless"),
        ({"card": {"protocol": 1}}, "protocol: not text"),
        ({"by": 1}, "by: not text"),
    ],
    ids=str,
)
def test_a_header_that_is_not_as_it_should_be_is_refused(change: dict[str, Any], rule: str) -> None:
    told = {k: v for k, v in (json.loads(HEAD) | change).items() if v is not None}
    with pytest.raises(FormatError) as refused:
        read(json.dumps(told).encode() + b"\n")
    assert rule in str(refused.value)


def test_a_newer_version_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(FormatError, match="version 2"):
        read(b'{"sscard-recording":2,"secrets":{"all":"new"}}\n')


def test_what_is_refused_is_not_repeated() -> None:
    pin = "31415926"
    lines: list[Callable[[], object]] = [
        lambda: read((HEAD + altered(command=f"0020000004{pin}X")).encode()),
        lambda: read((HEAD + altered(answer=f"{pin}X")).encode()),
        lambda: read((HEAD + f'{{"event":"{pin}"\n').encode()),
        lambda: read(f"{pin}\n".encode()),
        lambda: read((HEAD + altered(command=int(pin))).encode()),
    ]
    for line in lines:
        with pytest.raises(FormatError) as refused:
            line()
        assert pin not in str(refused.value)
        assert refused.value.__cause__ is None


@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_bytes_are_read_or_refused(junk: bytes, at: int) -> None:
    whole = (HEAD + EXCHANGE * 2).encode()
    raw = whole[:at] + junk + whole[at:]
    try:
        read(raw)
    except FormatError:
        pass


# What streams


def test_events_are_read_only_as_they_are_asked_for() -> None:
    def lines() -> Any:
        yield HEAD.encode()
        yield EXCHANGE.encode()
        raise AssertionError("nobody asked for this")

    recording = Recording.read(lines())
    assert 1 == recording.line
    assert isinstance(next(iter(recording)), Exchanged)
    assert 2 == recording.line
