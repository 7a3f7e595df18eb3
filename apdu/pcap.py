# SPDX-License-Identifier: Apache-2.0
"""A recording as a capture that Wireshark decodes: link type 252, exported PDUs of `iso7816`.

Masked bytes are zeros there. Times are those of the recording, whose beginning stands at 1970.
Wireshark (4.0) takes an answer that begins with 3B or 3F for an ATR, and says so wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apdu.recording import FIRST_SLOT, Exchanged, Fault, Recording, Reset
from apdu.wire.pcap import CaptureHead, Direction, ExportedApdu, ExportedAtr, PacketHead

EXPORTED_PDU: Final = 252
"""LINKTYPE_WIRESHARK_UPPER_PDU."""
LONGEST: Final = 0x4_0000
"""Bytes of a packet, at most: what Wireshark takes."""


def capture(recording: Recording, slot: str = FIRST_SLOT) -> Iterator[bytes]:
    """The bytes of a file, piece by piece: its head, then a packet at a time.

    Of one slot, since Wireshark pairs each answer with the command before it. A command that was
    not answered stands alone; remarks are left out. Raises what taking the events raises.
    """
    yield bytes(CaptureHead(LONGEST, EXPORTED_PDU))
    if recording.header.atr and slot == FIRST_SLOT:
        yield _packet(0.0, bytes(ExportedAtr(recording.header.atr)))
    for event in recording:
        match event:
            case Reset(at, atr) if event.slot == slot:
                yield _packet(at, bytes(ExportedAtr(atr)))
            case Exchanged(at, exchange, took) if event.slot == slot:
                yield _packet(at, bytes(ExportedApdu(Direction.SENT, exchange.command)))
                answered = ExportedApdu(Direction.RECEIVED, exchange.answer)
                yield _packet(at + (took or 0.0), bytes(answered))
            case Fault(at, exchange=exchange) if exchange is not None and event.slot == slot:
                yield _packet(at, bytes(ExportedApdu(Direction.SENT, exchange.command)))


def _packet(at: float, body: bytes) -> bytes:
    seconds, microseconds = divmod(round(at * 1_000_000), 1_000_000)
    length = len(body)
    return bytes(PacketHead(seconds & 0xFFFF_FFFF, microseconds, length, length)) + body
