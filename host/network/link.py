# SPDX-License-Identifier: Apache-2.0
"""`TcpIssuer`: the issuer at the other end of a TCP connection, as a terminal asks it.

Nothing is ever sent twice. When no answer came, nobody knows what the issuer did: NoAnswer is
raised, the connection closed, so that a late answer can answer nothing else, and the terminal
sends a reversal. A connection that ended while nobody used it is made anew before anything is sent.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Final, Self

from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    NoAnswer,
    Reversal,
)
from host.network.frames import FrameWrong, receive_frame, send_frame
from host.network.iso8583 import decode, encode
from host.network.messages import Asked, Echo, question_of, read_answer

TIMEOUT: Final = 30.0
"""Seconds (profile choice `answer-timeout`)."""


class TcpIssuer:
    """One connection, one question at a time; threads wait for each other."""

    def __init__(
        self, host: str, port: int, *, timeout: float = TIMEOUT, mac_key: BlockKey | None = None
    ) -> None:
        """Connects when it is first asked. `timeout`: seconds for connecting, and for an answer.
        `mac_key`: with it every message has a MAC, and none without is believed."""
        self._address = host, port
        self._timeout = timeout
        self._mac_key = mac_key
        self._line: socket.socket | None = None
        self._turn = Lock()

    def authorise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Ask. Raises NoAnswer, and FormatError for a request that is none."""
        return self._ask(request)

    def advise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Tell what was done offline. Raises NoAnswer; told again it is done once."""
        if not request.advice:
            raise FormatError("advice: must be set in what was done offline")
        return self._ask(request)

    def reverse(self, reversal: Reversal, /) -> AuthorisationResponse:
        """Undo. Raises NoAnswer."""
        return self._ask(reversal)

    def echo(self, trace: int, time: datetime, terminal_id: str, merchant_id: str) -> None:
        """Ask whether the issuer is there. Raises NoAnswer."""
        self._ask(Echo(trace, time, terminal_id, merchant_id))

    def close(self) -> None:
        """End the connection; the next question makes a new one."""
        with self._turn:
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, value: Asked) -> AuthorisationResponse:
        question = question_of(value)
        sent = encode(question, self._mac_key)
        with self._turn:
            line = self._connected()
            try:
                send_frame(line, sent, self._timeout)
                frame = receive_frame(line, self._timeout, self._timeout)
                if frame is None:
                    raise NoAnswer("the issuer ended the connection instead of answering")
                return read_answer(decode(frame, self._mac_key), question)
            except TimeoutError:
                self._drop()
                raise NoAnswer(f"no answer of the issuer in {self._timeout:g} seconds") from None
            except OSError as error:
                self._drop()
                raise NoAnswer(f"the connection to the issuer failed: {error.strerror}") from None
            except FrameWrong as error:
                self._drop()
                raise NoAnswer(f"the issuer's answer is {error}") from None
            except FormatError as error:
                self._drop()
                raise NoAnswer(f"the issuer's answer is not one: {error}") from None
            except BaseException:
                self._drop()
                raise

    def _connected(self) -> socket.socket:
        if self._line is not None and _ended(self._line):
            self._drop()
        if self._line is None:
            try:
                self._line = socket.create_connection(self._address, self._timeout)
            except OSError as error:
                raise NoAnswer(f"the issuer cannot be reached: {error.strerror or error}") from None
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._line

    def _drop(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                self._line.close()
            self._line = None


def _ended(line: socket.socket) -> bool:
    """Whether the other side has closed, or said something that nobody asked for."""
    line.setblocking(False)
    try:
        line.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
