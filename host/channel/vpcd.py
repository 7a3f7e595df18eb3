# SPDX-License-Identifier: Apache-2.0
"""Be the reader of a virtual card, without PC/SC: any card that plugs itself into a vpcd.

with VpcdChannel.listen() as channel:       # `sscard serve`, vsmartcard's vpicc, jCardSim, ...
    channel.transmit(bytes.fromhex("0084000008"))

vpcd's protocol knows no names and no passwords: whoever connects first is the card. So nothing
listens but while a card is awaited, and not beyond this machine unless another address is given.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, Self

from apdu.atr import Atr, Transmission, interface_of
from apdu.errors import FormatError
from apdu.vpcd import PORT, Frames, Signal, frame
from host.channel import Channel
from host.faults import CardFault, CardGone, CardMisspoke, CardMute

ANEW: Final = "open the channel anew"
PULLED: Final = "the card was pulled"
_CHUNK: Final = 65_537
"""Bytes taken from the stream at once: the longest frame."""

Waiting = Callable[[str, int], None]
"""Is told the address and the port when a card can come."""


class VpcdChannel(Channel):
    """A card that has plugged itself in, for one thread at a time. No command is ever sent twice.

    When the card has left, `reset()` takes up the next one that comes. Once a deadline has passed,
    or the card has spoken out of turn, the channel is dead (CardGone) and must be opened anew.
    """

    deadline: float
    """Seconds that a call may take."""

    @classmethod
    def listen(
        cls,
        port: int = PORT,
        host: str = "127.0.0.1",
        deadline: float = 10.0,
        waiting: Waiting | None = None,
    ) -> Self:
        """Wait for a card on an address of this machine, and power it on.

        `port`: 0 for any that is free, each time another. `deadline` is in seconds, for this and
        for each later call. Raises FormatError for what is no port, CardFault when nobody can
        listen there, CardGone when no card comes, CardMute when it gives no ATR, CardMisspoke when
        that is none.
        """
        return cls(port, host, deadline, waiting)

    def __init__(self, port: int, host: str, deadline: float, waiting: Waiting | None) -> None:
        if not 0 <= port <= 0xFFFF:
            raise FormatError(f"port: {port}, must be 0 to 65535")
        self._port, self._host = port, host
        self.deadline = deadline
        self._place = f"{host}:{port}"
        self._waiting = waiting
        self._link: _Link | None = None
        self._dead = ""  # why nothing goes any more
        self._take_up(self._ends())

    def _exchange(self, command: bytes) -> bytes:
        self._alive()
        return self._of_the_card(lambda link: link.ask(command, self._ends()))

    def reset(self) -> bytes:
        """As every channel's; also takes up the next card, when there is none or it has left."""
        self._alive()
        self.told.forget()
        ends = self._ends()
        with suppress(_Pulled):
            return self._of_the_card(lambda link: self._restart(link, Signal.RESET, ends))
        return self._take_up(ends)

    def close(self) -> None:
        self._dead = "the channel is closed"
        if self._link is not None:
            self._link.leave(self._ends())
            self._link = None

    # Cards come and go

    def _take_up(self, ends: float) -> bytes:
        """Wait for a card; its ATR."""
        self._link = _Link(self._accepted(ends))
        return self._of_the_card(lambda link: self._restart(link, Signal.ON, ends))

    def _accepted(self, ends: float) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listener = socket.create_server((self._host, self._port), family=family, backlog=1)
        except OSError as error:
            said = str(error.strerror).partition(" (while")[0]  # then Python says the address again
            why = f"cannot wait for a card here ({said}): is another reader there?"
            raise CardFault(f"{self._place}: {why}") from None
        with listener:
            if self._waiting is not None:
                self._waiting(*listener.getsockname()[:2])
            try:
                listener.settimeout(_seconds_to(ends))
                return listener.accept()[0]
            except TimeoutError:
                why = f"no card plugged itself in within {self.deadline:g} s"
                raise CardGone(f"{self._place}: {why}") from None

    def _restart(self, link: _Link, how: Signal, ends: float) -> bytes:
        link.say(how, ends)
        raw = link.ask(bytes((Signal.ATR,)), ends)
        try:
            atr = Atr.parse(raw)
        except FormatError as error:
            raise CardMisspoke(str(error)) from None
        self.interface = interface_of(raw)
        self.le_with_data = atr.protocols != (Transmission.T0.value,)
        self.atr = raw
        return raw

    # Calls

    def _ends(self) -> float:
        return monotonic() + self.deadline

    def _alive(self) -> None:
        if self._dead:
            raise CardGone(f"{self._place}: {self._dead}")

    def _of_the_card(self, call: Callable[[_Link], bytes]) -> bytes:
        """What a call gives. One that ends without an answer, late or interrupted, ends the link:
        the answer to it must never be taken for that to the next."""
        if self._link is None:
            raise _Pulled(f"{self._place}: {PULLED}, reset() waits for the next one")
        dead = f"an earlier call was not answered in time, {ANEW}"
        try:
            found = call(self._link)
            dead = ""
            return found
        except _Pulled as pulled:
            self._drop()
            dead = ""
            raise _Pulled(f"{self._place}: {pulled}") from None
        except TimeoutError:
            why = f"the card did not answer for {self.deadline:g} s"
            raise CardMute(f"{self._place}: {why}") from None
        except CardMisspoke as error:
            dead = f"the card misspoke, {ANEW}"
            raise CardMisspoke(f"{self._place}: {error}") from None
        finally:
            self._dead = dead
            if dead:
                self._drop()

    def _drop(self) -> None:
        if self._link is not None:
            self._link.cut()
            self._link = None


class _Pulled(CardGone):
    """The card has closed its connection."""


class _Link:
    """The stream to one card. Its methods raise TimeoutError once `ends` has passed, and _Pulled.

    `ends` is on the clock of `time.monotonic`.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._frames = Frames()
        self._unasked = False
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, signal: Signal, ends: float) -> None:
        """Send what has no answer."""
        self._listen_back()
        self._send(bytes((signal,)), ends)

    def ask(self, body: bytes, ends: float) -> bytes:
        """The answer to a body. CardMisspoke when the card had said something before, so that no
        answer is taken for another's: then nothing is sent."""
        self._listen_back()
        self._send(body, ends)
        while not (found := self._hear(_seconds_to(ends))):
            pass
        answer, *more = found
        self._unasked = bool(more)
        return answer

    def leave(self, ends: float) -> None:
        """Power the card off and let go of it, whether it is still there or not."""
        with suppress(TimeoutError, CardGone):
            self._send(bytes((Signal.OFF,)), ends)
        self.cut()

    def cut(self) -> None:
        self._stream.close()

    def _listen_back(self) -> None:
        """Whether the card is still there, and silent."""
        try:
            self._hear(0)
            self._unasked = True
        except BlockingIOError:
            pass
        except _Pulled:
            raise _Pulled(PULLED) from None
        if self._unasked or self._frames.broken_off:
            raise CardMisspoke("the card spoke unasked")

    def _send(self, body: bytes, ends: float) -> None:
        self._stream.settimeout(_seconds_to(ends))
        try:
            self._stream.sendall(frame(body))
        except TimeoutError:
            raise
        except OSError:
            raise _Pulled(PULLED) from None

    def _hear(self, seconds: float) -> list[bytes]:
        """The bodies that are whole with what comes next; BlockingIOError when nothing is there
        and there are no seconds to wait."""
        self._stream.settimeout(seconds)
        try:
            piece = self._stream.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            piece = b""
        if not piece:
            raise _Pulled(f"{PULLED}, what it did with the last command is not known")
        _acknowledge(self._stream)
        return self._frames.feed(piece)


def _acknowledge(stream: socket.socket) -> None:
    """Have what came acknowledged at once: a card that writes a frame in two pieces waits for that
    (40 ms). Linux alone has it, and forgets it after a piece."""
    if hasattr(socket, "TCP_QUICKACK"):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _seconds_to(ends: float) -> float:
    """How long there is to wait, or TimeoutError."""
    left = ends - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
