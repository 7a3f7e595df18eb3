# SPDX-License-Identifier: Apache-2.0
"""A channel that takes down what passes through another one, secrets masked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apdu.trace import Exchange, has_secret_answer
from apdu.wire.iso7816 import GET_RESPONSE
from host.channel import Channel

_GET_RESPONSE = bytes((GET_RESPONSE.ins,))


class RecordingChannel(Channel):
    """Hands every exchange to `sink` after it happened."""

    def __init__(self, inner: Channel, sink: Callable[[Exchange], None]) -> None:
        self._inner = inner
        self._sink = sink
        self._fetching = False
        self._follow()

    def _follow(self) -> None:
        self.atr = self._inner.atr
        self.interface = self._inner.interface
        self.le_with_data = self._inner.le_with_data

    def _exchange(self, command: bytes) -> bytes:
        answer = self._inner.transmit(command)
        if command[1:2] != _GET_RESPONSE:
            self._fetching = has_secret_answer(command)
        self._sink(Exchange.of(command, answer, secret_answer=self._fetching))
        return answer

    def reset(self) -> bytes:
        self.told.forget()
        self._inner.reset()
        self._follow()
        return self.atr

    def close(self) -> None:
        self._inner.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._inner.transaction():
            yield

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        with self._inner.patience(seconds):
            yield
