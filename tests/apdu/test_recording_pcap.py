# SPDX-License-Identifier: Apache-2.0
"""A recording as a capture: packets in their order, whole, with their directions."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from recordings import any_exchanges, events_of, headers

from apdu.pcap import EXPORTED_PDU, LONGEST, capture
from apdu.recording import Event, Exchanged, Fault, Header, Recording, Remark, Reset
from apdu.trace import Exchange
from apdu.wire.pcap import Direction, ExportedApdu, ExportedAtr

Packets = list[tuple[int, bytes]]
"""Microseconds, and the body."""


def packets(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """A second reading of the format, by hand."""
    magic, major, minor, zone, digits, longest, link = struct.unpack(">IHHIIII", raw[:24])
    assert (0xA1B2C3D4, 2, 4, 0, 0) == (magic, major, minor, zone, digits)
    assert (LONGEST, EXPORTED_PDU) == (longest, link)
    at = 24
    while at < len(raw):
        seconds, micros, captured, original = struct.unpack(">IIII", raw[at : at + 16])
        assert captured == original
        assert micros < 1_000_000
        yield seconds * 1_000_000 + micros, raw[at + 16 : at + 16 + captured]
        at += 16 + captured
    assert at == len(raw)


def expected(header: Header, events: list[Event], slot: str) -> Packets:
    found: Packets = []
    if header.atr and slot == "card":
        found.append((0, bytes(ExportedAtr(header.atr))))
    for event in events:
        if isinstance(event, Remark) or getattr(event, "slot", None) != slot:
            continue
        at = round(event.at * 10**6)
        if isinstance(event, Reset):
            found.append((at, bytes(ExportedAtr(event.atr))))
        elif isinstance(event, Exchanged | Fault) and event.exchange is not None:
            sent = ExportedApdu(Direction.SENT, event.exchange.command)
            found.append((at, bytes(sent)))
        if isinstance(event, Exchanged):
            got = ExportedApdu(Direction.RECEIVED, event.exchange.answer)
            found.append((round((event.at + (event.took or 0)) * 10**6), bytes(got)))
    return found


@pytest.mark.parametrize("slot", ["card", "psam"])
@given(header=headers, events=events_of(any_exchanges))
def test_a_capture_has_a_packet_for_each_atr_command_and_answer_of_a_slot(
    slot: str, header: Header, events: list[Event]
) -> None:
    raw = b"".join(capture(Recording(header, events), slot))
    assert expected(header, events, slot) == list(packets(raw))


def test_masked_bytes_are_zeros() -> None:
    verify = Exchange.of(bytes.fromhex("0020000003123456"), b"\x90\x00")
    raw = b"".join(capture(Recording(Header(), [Exchanged(0.0, verify)])))
    assert bytes.fromhex("0020000003000000") in raw
    assert bytes.fromhex("123456") not in raw
