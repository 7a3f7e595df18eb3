# SPDX-License-Identifier: Apache-2.0
"""Messages on a stream: two bytes of length, big-endian, then as many of message.

Whoever sends a length that no message has, or stops in the middle, is not listened to any more:
there is no telling where the next message would begin.
"""

from __future__ import annotations

import socket
from time import monotonic
from typing import Final

from host.network.iso8583 import LONGEST

HEADER: Final = 2
_AT_ONCE: Final = 0.001
"""Seconds."""


class FrameWrong(Exception):
    """The stream holds no message: a length of 0 or too much, an end or a pause in the middle."""


def send_frame(line: socket.socket, message: bytes, seconds: float) -> None:
    """Send one message in one piece. Raises OSError, and FrameWrong for one too long."""
    if not 0 < len(message) <= LONGEST:
        raise FrameWrong(f"a message of {len(message)} bytes, must be 1 to {LONGEST}")
    line.settimeout(seconds)
    line.sendall(len(message).to_bytes(HEADER) + message)


def receive_frame(line: socket.socket, idle: float, seconds: float) -> bytes | None:
    """The next message, or None when the other side has ended between two.

    `idle`: seconds until its first byte, `seconds`: from there to its last one. Raises OSError,
    TimeoutError when it was idle for too long, and FrameWrong.
    """
    line.settimeout(idle)
    first = line.recv(1)
    if not first:
        return None
    end = monotonic() + seconds
    length = int.from_bytes(first + _exactly(line, HEADER - 1, end))
    if not 0 < length <= LONGEST:
        raise FrameWrong(f"a message of {length} bytes, must be 1 to {LONGEST}")
    return _exactly(line, length, end)


def _exactly(line: socket.socket, size: int, end: float) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        # What has arrived is taken even when the time is up: it was us who were late.
        line.settimeout(max(end - monotonic(), _AT_ONCE))
        try:
            part = line.recv(size - len(parts))
        except TimeoutError:
            raise FrameWrong("a pause in the middle of a message") from None
        if not part:
            raise FrameWrong("an end in the middle of a message")
        parts += part
    return bytes(parts)
