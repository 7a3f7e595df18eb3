# SPDX-License-Identifier: Apache-2.0
"""What vpcd does, for tests: a socket that a card connects to, and frames said over it.

`split` sends a frame as vsmartcard 3.3 does, the length apart from the body.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from apdu.vpcd import Frames, Signal, frame
from card_os.plug import Answered, Event, Plug, What

DEADLINE = 20.0
"""Seconds after which a test fails instead of hanging."""


class Reader:
    """A listening socket on a free port of 127.0.0.1, and the card that came last."""

    def __init__(self, port: int = 0, *, there: bool = True) -> None:
        """`there`: otherwise the port is taken, and refuses cards until `come`."""
        self._listener = socket.socket()
        self.card: socket.socket | None = None
        try:
            self._listener.bind(("127.0.0.1", port))
        except OSError:
            self._listener.close()
            raise
        self._listener.settimeout(DEADLINE)
        self.address: tuple[str, int] = self._listener.getsockname()
        if there:
            self.come()

    def come(self) -> None:
        """Let cards connect."""
        self._listener.listen()

    def empty(self) -> bool:
        """Whether no card waits to be accepted."""
        self._listener.settimeout(0)
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return True
        finally:
            self._listener.settimeout(DEADLINE)
        return False

    def accept(self) -> Self:
        """Take the next card; the one before it is let go of."""
        self.drop()
        self.card, _ = self._listener.accept()
        self.card.settimeout(DEADLINE)
        self.card.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames, self._bodies = Frames(), list[bytes]()
        return self

    def send(self, raw: bytes) -> None:
        """These bytes, framed or not."""
        assert self.card is not None
        self.card.sendall(raw)

    def signal(self, *signals: int) -> None:
        for each in signals:
            self.send(frame(bytes((each,))))

    def say(self, body: bytes, *, split: bool = False) -> None:
        raw = frame(body)
        for piece in (raw[:2], raw[2:]) if split else (raw,):
            self.send(piece)

    def hear(self) -> bytes:
        """The next body that the card sends; EOFError when it went away instead."""
        assert self.card is not None
        while not self._bodies:
            piece = self.card.recv(65_536)
            if not piece:
                assert not self._frames.broken_off, "the card left in the middle of a frame"
                raise EOFError
            self._bodies += self._frames.feed(piece)
        return self._bodies.pop(0)

    def atr(self) -> bytes:
        self.signal(Signal.ATR)
        return self.hear()

    def transmit(self, command: bytes) -> bytes:
        self.say(command)
        return self.hear()

    def gone(self) -> bool:
        """Whether the card leaves, having said nothing more."""
        try:
            said = self.hear()
        except (EOFError, ConnectionError):
            return True
        raise AssertionError(f"the card said {len(said)} bytes instead of leaving")

    def drop(self) -> None:
        if self.card is not None:
            self.card.close()
            self.card = None

    def close(self) -> None:
        self.drop()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def two_readers() -> tuple[Reader, Reader]:
    """Two slots: the port of the second is the next."""
    while True:
        first = Reader()
        try:
            return first, Reader(first.address[1] + 1)
        except (OSError, OverflowError):
            first.close()


class Diary:
    """What a plug told, and a way to wait for it."""

    def __init__(self) -> None:
        self.told: list[Event | Answered] = []
        self._news = threading.Condition()

    def __call__(self, event: Event | Answered) -> None:
        with self._news:
            self.told.append(event)
            self._news.notify_all()

    def until(self, true: Callable[[], Any], what: object = "it") -> None:
        with self._news:
            assert self._news.wait_for(true, DEADLINE), f"no {what}: {self.told}"

    def wait(self, what: What, times: int = 1) -> None:
        """Until this was told so many times."""
        self.until(lambda: self.events.count(what) >= times, what)

    @property
    def events(self) -> list[What]:
        return [each.what for each in self.told if isinstance(each, Event)]

    @property
    def answered(self) -> list[Answered]:
        return [each for each in self.told if isinstance(each, Answered)]


@contextmanager
def plugged(card: Any, address: tuple[str, int], diary: Diary | None = None) -> Iterator[Plug]:
    """A card on its way into a reader; afterwards it has left and its thread has ended."""
    plug = Plug(card, address, diary or Diary())
    thread = threading.Thread(target=plug.run, daemon=True)
    thread.start()
    try:
        yield plug
    finally:
        plug.stop()
        thread.join(DEADLINE)
        assert not thread.is_alive(), "the card did not leave"
