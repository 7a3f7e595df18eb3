# SPDX-License-Identifier: Apache-2.0
"""Cards made by others, on a socket: what they send is in the test's hand, byte for byte.

stranger = Stranger(answers={ASK: frame(OK)})
with reader(stranger) as channel:
    channel.transmit(ASK)
stranger.heard                              # all bodies that the reader sent
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread

from apdu.vpcd import Frames, frame
from host.channel.vpcd import VpcdChannel

ATR = bytes.fromhex("3B021450")
OK = b"\x90\x00"
OFF, ON, RESET, GIVE_ATR = b"\x00", b"\x01", b"\x02", b"\x04"
ASK, OTHER = bytes.fromhex("0084000008"), bytes.fromhex("00B0000000")
"""Two commands."""
PATIENCE = 30.0
"""Seconds after which a test that waits for something is lost."""

Act = Callable[[bytes], bytes | None]
"""From a body to the bytes that are sent at once, or None: leave."""


class Stranger:
    """A card that connects to whoever waits for it, and does what it is told to."""

    def __init__(
        self, atr: bytes = ATR, answers: Mapping[bytes, bytes | None] | Act | None = None
    ) -> None:
        """`answers`: what is sent for a body, not framed by anybody; 9000 for those not in it."""
        self._atr = atr
        self._answers = answers or {}
        self.leaves: bytes | None = None
        """The body after which it leaves, whatever it has said to that."""
        self.heard: list[bytes] = []
        self.ended = False
        """Whether the reader closed the connection."""
        self._threads: list[Thread] = []

    def plug_in(self, host: str, port: int) -> None:
        """Connect now; what is heard and answered goes on behind the scenes."""
        stream = socket.create_connection((host, port), PATIENCE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._threads.append(Thread(target=self._live, args=(stream,), daemon=True))
        self._threads[-1].start()

    def gone(self) -> None:
        """Wait until it has left, or was let go of."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _live(self, stream: socket.socket) -> None:
        frames = Frames()
        with stream:
            while piece := self._piece(stream):
                for body in frames.feed(piece):
                    self.heard.append(body)
                    said = self._said(body)
                    if said is None:
                        return
                    with suppress(ConnectionError):
                        stream.sendall(said)
                    if body == self.leaves:
                        return
            self.ended = True

    @staticmethod
    def _piece(stream: socket.socket) -> bytes:
        try:
            return stream.recv(70_000)
        except ConnectionResetError:
            return b""

    def _said(self, body: bytes) -> bytes | None:
        if callable(self._answers):
            return self._answers(body)
        if body in self._answers:
            return self._answers[body]
        if body == GIVE_ATR:
            return frame(self._atr)
        return b"" if len(body) == 1 else frame(OK)


def reader(card: Stranger) -> VpcdChannel:
    """A reader with this card in it."""
    return VpcdChannel.listen(0, waiting=card.plug_in)
