# SPDX-License-Identifier: Apache-2.0
"""A channel that takes down what passes through another one, secrets masked at once."""

from __future__ import annotations

from collections.abc import Callable

from apdu.trace import Exchange, Masking
from host.channel import Channel
from host.channel.layer import Layer


class RecordingChannel(Layer):
    """Hands every exchange to `sink` after it happened."""

    def __init__(self, inner: Channel, sink: Callable[[Exchange], None]) -> None:
        super().__init__(inner)
        self._sink = sink
        self._masking = Masking()

    def _exchange(self, command: bytes) -> bytes:
        answer = self._inner.transmit(command)
        self._sink(self._masking.of(command, answer))
        return answer
