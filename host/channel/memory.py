# SPDX-License-Identifier: Apache-2.0
"""A chip in the same process. An equal of the readers, not a stand-in for them."""

from __future__ import annotations

from typing import Protocol

from host.channel import Channel


class Powered(Protocol):
    """Anything that answers like a chip."""

    def reset(self) -> bytes: ...
    def transmit(self, command: bytes, /) -> bytes: ...


class MemoryChannel(Channel):
    """Calls the chip directly."""

    def __init__(self, chip: Powered) -> None:
        self._chip = chip
        self.atr = chip.reset()

    def _exchange(self, command: bytes) -> bytes:
        return self._chip.transmit(command)

    def reset(self) -> bytes:
        self.atr = self._chip.reset()
        return self.atr

    def close(self) -> None:
        """Nothing to let go of: the chip belongs to whoever made it."""
