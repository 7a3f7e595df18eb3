# SPDX-License-Identifier: Apache-2.0
"""Captures that Wireshark opens: the pcap file format, and exported PDUs in it.

Layouts are those of the pcap file format (IETF opsawg, draft-ietf-opsawg-pcap) in its big-endian
form, and of Wireshark's exported PDUs (epan/exported_pdu.h): tags with lengths, each value a
multiple of four bytes, the end, and then the bytes that the dissector which is named is given.
`apdu.pcap` is what runs.
"""

from __future__ import annotations

from enum import IntEnum

from apdu.wire.fields import choice, const, fixed, rest, uint, wire
from apdu.wire.record import Record, record

_END = bytes(4)
"""The tag that ends the list, of no bytes."""


@record
class CaptureHead(Record):
    """The beginning of a file: version 2.4, microseconds, the longest packet, the link type."""

    magic: bytes = fixed(const(b"\xa1\xb2\xc3\xd4"))
    version: bytes = fixed(const(b"\x00\x02\x00\x04"))
    reserved: bytes = fixed(const(bytes(8)))
    longest: int = wire(uint(4))
    link: int = wire(uint(4))


@record
class PacketHead(Record):
    """In front of a packet: seconds and microseconds since 1970, its bytes in the file, and those
    that it had."""

    seconds: int = wire(uint(4))
    microseconds: int = wire(uint(4))
    captured: int = wire(uint(4))
    original: int = wire(uint(4))


class Direction(IntEnum):
    """From the terminal's side."""

    SENT = 0
    RECEIVED = 1


@record
class ExportedApdu(Record):
    """An APDU for the dissector `iso7816`, and its direction."""

    name: bytes = fixed(const(b"\x00\x0c\x00\x08iso7816\x00"))
    direction_tag: bytes = fixed(const(b"\x00\x23\x00\x04"))
    direction: Direction = wire(choice(Direction, 4))
    end: bytes = fixed(const(_END))
    apdu: bytes = wire(rest())


@record
class ExportedAtr(Record):
    """An answer to reset for the dissector `iso7816.atr`."""

    name: bytes = fixed(const(b"\x00\x0c\x00\x0ciso7816.atr\x00"))
    end: bytes = fixed(const(_END))
    atr: bytes = wire(rest())
