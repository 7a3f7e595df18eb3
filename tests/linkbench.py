# SPDX-License-Identifier: Apache-2.0
"""An issuer that says what a test wants, behind a server, and lines to it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from threading import Lock
from typing import Any

import pytest

pytest.importorskip("iso8583")

from apdu.crypto.suites import SUITES
from apdu.wire.perso import Algorithm
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    Purpose,
    Reversal,
)
from host.network.link import TcpIssuer
from host.network.server import IssuerServer, serve

DAY = date(2026, 3, 1)
PAN = "6228000100001117"
REQUEST = AuthorisationRequest(
    reference="000000000001",
    trace=1,
    time=datetime(2026, 3, 1, 12, 0, 0),
    purpose=Purpose.PURCHASE,
    amount=1234,
    pan=PAN,
    psn="01",
    terminal_id="TERM0001",
    merchant_id="MERCHANT0000001",
    icc=b"\x9f\x36\x02\x00\x01",
    pin_block=bytes.fromhex("E1A2B3C4D5F60718"),
)
REVERSAL = Reversal(
    reference="000000000001",
    trace=2,
    time=datetime(2026, 3, 1, 12, 0, 1),
    amount=1234,
    pan=PAN,
    terminal_id="TERM0001",
    merchant_id="MERCHANT0000001",
    reason="98",
)
ADVICE = replace(REQUEST, advice=True, pin_block=b"")
KEY = SUITES[Algorithm.TDES].key(bytes(range(16)))
WAIT = 30.0
"""Seconds, for what is to happen at once; nothing is measured by it."""


@dataclass
class Told:
    """An issuer that answers by its trace number, and remembers what it heard."""

    heard: list[Any] = field(default_factory=list)
    answers: Callable[[Any], AuthorisationResponse] | None = None
    lock: Lock = field(default_factory=Lock)

    def _tell(self, value: Any) -> AuthorisationResponse:
        with self.lock:
            self.heard.append(value)
        if self.answers:
            return self.answers(value)
        return AuthorisationResponse(
            "00", f"{value.trace:06d}", value.trace, b"\x91\x08" + bytes(8)
        )

    def authorise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        return self._tell(request)

    def advise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        return self._tell(request)

    def reverse(self, reversal: Reversal, /) -> AuthorisationResponse:
        return self._tell(reversal)


@contextmanager
def served(issuer: Any, **how: Any) -> Iterator[IssuerServer]:
    with serve(issuer, today=lambda: DAY, **how) as server:
        yield server


@contextmanager
def linked(server: IssuerServer, **how: Any) -> Iterator[TcpIssuer]:
    with to(server.port, **how) as line:
        yield line


def to(port: int, timeout: float = WAIT, **how: Any) -> TcpIssuer:
    return TcpIssuer("127.0.0.1", port, timeout=timeout, **how)


def raw(server: IssuerServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), WAIT)


def frame(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def closed(line: socket.socket) -> bool:
    """Whether the other side closes without a word."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True
