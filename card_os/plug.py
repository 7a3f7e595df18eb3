# SPDX-License-Identifier: Apache-2.0
"""A card in a virtual reader: frames of vpcd over TCP. The second place in `card_os`, beside
`image`, that touches the world.

The card is the client: it connects to the reader, which has the port, and listens nowhere. Rules
that readers have been seen to need (vsmartcard 3.3 in pcscd 1.9.9):

- An answer leaves in one send. Half a length followed by the end of the connection crashes pcscd.
- An answer has a status word, whatever happens in the chip: one without lets every client wait for
  ever. This is the only place that answers 6F00.
- The reader sends length and body apart and waits for our acknowledgement between them, so that is
  hastened (TCP_QUICKACK) before every receive: else a command takes 40 ms longer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from time import perf_counter_ns
from typing import Final, NamedTuple, Protocol

from apdu.sw import SW
from apdu.vpcd import LONGEST, PORT, Frames, Signal, frame

FIRST_WAIT: Final = 0.05
"""Seconds before the second attempt to connect; each further wait is twice as long, ..."""
LONGEST_WAIT: Final = 1.0
"""... up to this one."""
PATIENCE: Final = 2.0
"""Seconds that connecting may take, that a reader may leave an answer untaken before it counts as
gone, and that it may say nothing at first before that is told."""
_PIECE: Final = 8192
"""Bytes asked for at a time."""
_ATR_LENGTHS: Final = range(2, 34)
_FAILED: Final = SW.NO_DIAGNOSIS.to_bytes(2)
_QUICK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Linux alone has it."""


class Silent(Exception):
    """Raised by a card that gives no answer, on purpose."""


class Pulled(Exception):
    """Raised by a card that leaves the reader now, on purpose."""

    def __init__(self, away: float | None = None) -> None:
        """`away`: seconds until it comes back; None: until `Plug.insert`."""
        super().__init__()
        self.away = away


class Powered(Protocol):
    """Anything that answers like a chip, without a mind where it is."""

    def reset(self) -> bytes: ...
    def transmit(self, command: bytes, /) -> bytes: ...


class What(Enum):
    """What can happen to a card in a reader."""

    ABSENT = "absent"
    """The reader is not there; said once until it is."""
    CONNECTED = "connected"
    UNHEARD = "unheard"
    """Connected, but the reader says nothing: another card may be in it."""
    ON = "on"
    RESET = "reset"
    OFF = "off"
    LOST = "lost"
    """The reader went away."""
    PULLED = "pulled"
    """The card left by itself."""
    FAILED = "failed"
    """A fault in the chip: `detail` says which and where, without the data it had."""


class Event(NamedTuple):
    """Something happened."""

    what: What
    detail: str = ""


class Answered(NamedTuple):
    """A command was answered; `sw` is None where the card stayed silent."""

    cla: int
    ins: int
    sw: int | None
    microseconds: float


class _Dead(Exception):
    """The card cannot be reset: it has to leave, for it would answer nothing."""


Told = Callable[[Event | Answered], None]


class Plug:
    """A card and the reader that it goes into. `run` is its life; the rest may be called from any
    thread, `stop` and `insert` from a signal handler too."""

    def __init__(
        self,
        card: Powered,
        address: tuple[str, int] = ("127.0.0.1", PORT),
        told: Told | None = None,
    ) -> None:
        """`told` is called from the thread of `run` and must not raise."""
        self.card = card
        self.address = address
        self._told = told
        self._stopped = False
        self._calls: SimpleQueue[None] = SimpleQueue()  # may be put into by a signal handler
        self._reader: socket.socket | None = None
        self._atr = b""
        """What the card said when it was reset last; empty: it has to be, before all else."""
        self._fresh = False
        """Whether it has been given no command since."""
        self._on = False

    def run(self) -> None:
        """Connect, serve, connect again, until `stop`."""
        wait, missed = FIRST_WAIT, False
        while not self._stopped:
            try:
                reader = socket.create_connection(self.address, timeout=PATIENCE)
            except OSError as error:
                if not missed:
                    self._tell(What.ABSENT, error.strerror or type(error).__name__)
                missed = True
            else:
                missed = False
                self._tell(What.CONNECTED)
                try:
                    if self._serve(reader):
                        wait = FIRST_WAIT
                    if not self._stopped:
                        self._tell(What.LOST)
                except _Dead:
                    pass
                except Pulled as leaving:
                    while not self._calls.empty():
                        self._calls.get()  # it was for earlier
                    self._tell(What.PULLED)
                    self._pause(leaving.away)
                    continue
            self._pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def insert(self) -> None:
        """Back into the reader, at once, where the card left or is waiting."""
        self._calls.put(None)

    def stop(self) -> None:
        """Leave the reader and end `run`; an answer that is on its way is finished."""
        self._stopped = True
        self._calls.put(None)
        reader = self._reader
        if reader is not None:
            with suppress(OSError):  # gone already
                reader.shutdown(socket.SHUT_RD)  # wakes the receiver, lets the sender finish

    def _pause(self, seconds: float | None) -> None:
        if not self._stopped:
            with suppress(Empty):
                self._calls.get(timeout=seconds)

    def _tell(self, what: What, detail: str = "") -> None:
        if self._told is not None:
            self._told(Event(what, detail))

    def _serve(self, reader: socket.socket) -> bool:
        """Serve until the connection ends, for whatever reason. Whether a frame came at all."""
        frames, heard, told = Frames(), False, False
        self._reader = reader
        try:
            reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._stopped:
                if _QUICK is not None:
                    reader.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
                try:
                    piece = reader.recv(_PIECE)
                except TimeoutError:
                    if not heard and not told:
                        self._tell(What.UNHEARD)
                        told = True
                    continue
                if not piece:
                    break
                for body in frames.feed(piece):
                    heard = True
                    answer = self._answer(body)
                    if answer:
                        reader.sendall(frame(answer))
                    if self._stopped:
                        break
        except OSError:
            pass  # gone: the same as an end
        finally:
            self._reader = None
            reader.close()
            self._on = False
            self._forget()
        return heard

    def _answer(self, body: bytes) -> bytes:
        """The answer to this body, empty where there is none."""
        if len(body) > 1:
            return self._command(body)
        if not body:
            return b""
        signal = body[0]
        if signal == Signal.ATR:  # also asked, over and over, of a card without power
            return self._atr or self._reset()
        if signal == Signal.OFF:
            if self._on:
                self._tell(What.OFF)
            self._on = False
            self._forget()
        elif signal in (Signal.ON, Signal.RESET):
            self._power(What.ON if signal == Signal.ON else What.RESET)
        return b""

    def _command(self, command: bytes) -> bytes:
        if not self._on:
            self._power(What.ON)
        elif not self._atr:
            self._reset()
        self._fresh = False
        begun = perf_counter_ns()
        try:
            answer = self.card.transmit(command)
            if not 2 <= len(answer) <= LONGEST:
                raise ValueError(f"an answer of {len(answer)} bytes")
        except Silent:
            answer = b""
        except Pulled:
            raise
        except Exception as error:
            self._tell(What.FAILED, _place(error))
            self._atr = b""  # who knows what it is in the middle of
            answer = _FAILED
        if self._told is not None:
            took = (perf_counter_ns() - begun) / 1000
            sw = int.from_bytes(answer[-2:]) if answer else None
            self._told(Answered(command[0], command[1], sw, took))
        return answer

    def _power(self, what: What) -> None:
        self._reset()
        self._on = True
        self._tell(what)

    def _forget(self) -> None:
        """Without power nothing that was proven stays, also when none comes again."""
        if not self._fresh:
            with suppress(_Dead, Pulled):  # it has no power to say so
                self._reset()

    def _reset(self) -> bytes:
        """The ATR, empty where the card stays silent. Raises _Dead, Pulled."""
        self._atr = b""
        try:
            atr = self.card.reset()
            if len(atr) not in _ATR_LENGTHS:
                raise ValueError(f"an ATR of {len(atr)} bytes")
        except Silent:
            return b""
        except Pulled:
            raise
        except Exception as error:
            self._tell(What.FAILED, _place(error))
            raise _Dead from None
        self._atr, self._fresh = atr, True
        return atr


def _place(error: Exception) -> str:
    """The kind of an error and where it was raised: its text might have data of a command."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{type(error).__name__} in {module}, line {trace.tb_lineno}"
