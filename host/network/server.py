# SPDX-License-Identifier: Apache-2.0
"""An issuer that terminals reach over TCP. Nothing listens until `serve` is called.

Each connection has a thread and asks one question after the other. A message that can be read but
asks for nonsense is answered with code 30; one that cannot be read, or whose MAC is wrong, ends the
connection without an answer, for nobody knows who would get it. So does a failure of the issuer:
what it did is not known then, and the terminal must not take it for a no.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from threading import Lock, Thread
from time import sleep
from types import TracebackType
from typing import Final, Self

from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from host.network.authorisation import (
    APPROVED,
    AuthorisationRequest,
    AuthorisationResponse,
    Issuer,
    Reversal,
)
from host.network.frames import FrameWrong, receive_frame, send_frame
from host.network.iso8583 import Message, decode, encode
from host.network.messages import ANSWER_TO, Asked, answer_to, read_question

log: Final = logging.getLogger("host.network")
LOOPBACK: Final = "127.0.0.1"
WRONG_FORMAT: Final = "30"
_TIRED: Final = 0.1
"""Seconds until another connection is tried, when one could not be taken."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the server waits, in seconds, and how much at once (profile choice
    `issuer-server-limits`)."""

    idle: float = 300.0
    """For the next question on a connection."""
    message: float = 5.0
    """From the first byte of a message to its last, and for the other side to take an answer."""
    connections: int = 64
    """At the same time; further ones are closed as they come."""


class IssuerServer:
    """A running server; `port` is where it listens. Leaving its context stops it."""

    def __init__(
        self,
        issuer: Issuer,
        listening: socket.socket,
        mac_key: BlockKey | None,
        today: Callable[[], date],
        patience: Patience,
    ) -> None:
        self.port: Final[int] = listening.getsockname()[1]
        self._issuer = issuer
        self._listening = listening
        self._mac_key = mac_key
        self._today = today
        self._patience = patience
        self._lock = Lock()
        self._lines: dict[socket.socket, Thread] = {}
        self._stopping = False
        self._accepting = Thread(target=self._accept, name="issuer", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Listen no more, end all connections, and wait for what is being answered."""
        with self._lock:
            self._stopping = True
            lines = dict(self._lines)
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RD)
        self._accepting.join()
        for thread in lines.values():
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                if self._stopping or self._listening.fileno() < 0:
                    return
                sleep(_TIRED)  # no descriptor is free, most likely
                continue
            thread = Thread(target=self._converse, args=(line,), name="issuer line", daemon=True)
            with self._lock:
                welcome = not self._stopping and len(self._lines) < self._patience.connections
                if welcome:
                    self._lines[line] = thread
                    thread.start()
            if not welcome:
                line.close()

    def _converse(self, line: socket.socket) -> None:
        try:
            with line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                patience = self._patience
                while (frame := receive_frame(line, patience.idle, patience.message)) is not None:
                    answer = encode(self._answer(frame), self._mac_key)
                    send_frame(line, answer, patience.message)
        except (OSError, FrameWrong, FormatError) as error:
            log.info("a connection ended: %s", _said(error))
        except Exception as error:  # whatever it was, the others go on
            log.error("the issuer failed: %s", type(error).__name__)
        finally:
            with self._lock:
                self._lines.pop(line, None)

    def _answer(self, frame: bytes) -> Message:
        message = decode(frame, self._mac_key)
        if message.mti not in ANSWER_TO:
            raise FormatError("message type: it asks for nothing")
        try:
            value = read_question(message, self._today())
        except FormatError as error:
            log.info("a message was refused: %s", error)
            return answer_to(message, AuthorisationResponse(WRONG_FORMAT))
        return answer_to(message, self._response(value))

    def _response(self, value: Asked) -> AuthorisationResponse:
        match value:
            case AuthorisationRequest(advice=True):
                return self._issuer.advise(value)
            case AuthorisationRequest():
                return self._issuer.authorise(value)
            case Reversal():
                return self._issuer.reverse(value)
        return AuthorisationResponse(APPROVED)


def serve(
    issuer: Issuer,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    mac_key: BlockKey | None = None,
    today: Callable[[], date] = date.today,
    patience: Patience | None = None,
) -> IssuerServer:
    """Let an issuer be asked over TCP until the server is stopped.

    `port`: 0 takes a free one. `mac_key`: with it only messages with a right MAC are believed.
    `today`: for the year, which messages do not have. Raises OSError for a port in use.
    """
    listening = socket.create_server((host, port))
    return IssuerServer(issuer, listening, mac_key, today, patience or Patience())


def _said(error: Exception) -> str:
    """An error without anything of what was sent."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
