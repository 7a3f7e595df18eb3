# SPDX-License-Identifier: Apache-2.0
"""Frames of the virtual reader protocol of vsmartcard's vpcd: read off a stream, and built.

    length, 2 bytes big-endian | body

The card connects to the reader. A body of one byte from the reader is a signal, every other one a
C-APDU, answered with an R-APDU; `Signal.ATR` is answered with the ATR, the other signals with
nothing. This file does not know which side we are; `apdu.wire.vpcd` declares the same format.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.errors import FormatError

HEAD: Final = 2
"""Bytes of length before a body."""
LONGEST: Final = 0xFFFF
"""Bytes of body that the length can say."""
PORT: Final = 35_963
"""TCP port of vpcd's first slot; the port of each further slot is one more."""


class Signal(IntEnum):
    """What a reader says in a body of one byte."""

    OFF = 0
    ON = 1
    RESET = 2
    ATR = 4
    """The only one with an answer."""


SIGNALS: Final = {each.value: each for each in Signal}
"""By their byte; others are to be ignored."""


def frame(body: bytes) -> bytes:
    """The bytes of a frame. Raises FormatError for a body of more than 65 535 bytes."""
    if len(body) > LONGEST:
        raise FormatError(f"frame: {len(body)} bytes, {LONGEST} at most")
    return len(body).to_bytes(HEAD) + body


class Frames:
    """The bodies in a stream that comes in pieces, in which frames begin and end anywhere."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def broken_off(self) -> bool:
        """Whether a frame has begun that is not whole."""
        return bool(self._rest)

    def feed(self, piece: bytes) -> list[bytes]:
        """The bodies that are whole with this piece, also empty ones."""
        rest = self._rest
        rest += piece
        found, at = [], 0
        while len(rest) - at >= HEAD:
            end = at + HEAD + int.from_bytes(rest[at : at + HEAD])
            if len(rest) < end:
                break
            found.append(bytes(rest[at + HEAD : end]))
            at = end
        del rest[:at]
        return found
