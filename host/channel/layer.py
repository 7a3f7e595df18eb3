# SPDX-License-Identifier: Apache-2.0
"""A channel around another one. Which layer does what with a command, `_exchange` of each says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host.channel import Channel


class Layer(Channel):
    """Hands everything on to `inner`."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner
        self._follow()

    def _follow(self) -> None:
        """Be what the card is since its last reset."""
        self.atr = self._inner.atr
        self.interface = self._inner.interface
        self.le_with_data = self._inner.le_with_data

    def _exchange(self, command: bytes) -> bytes:
        return self._inner.transmit(command)

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
