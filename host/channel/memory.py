# SPDX-License-Identifier: Apache-2.0
"""A chip in the same process. An equal of the readers, not a stand-in for them."""

from __future__ import annotations

from typing import Protocol

from apdu.atr import Interface
from host.channel import Channel


class Powered(Protocol):
    """Anything that answers like a chip."""

    def reset(self, interface: Interface = ..., /) -> bytes: ...
    def transmit(self, command: bytes, /) -> bytes: ...


class MemoryChannel(Channel):
    """Calls the chip directly."""

    def __init__(self, chip: Powered, interface: Interface = Interface.CONTACT) -> None:
        """`interface`: whether the chip is in a slot or in a reader's field."""
        self._chip = chip
        self.interface = interface
        self.atr = chip.reset(interface)

    def _exchange(self, command: bytes) -> bytes:
        return self._chip.transmit(command)

    def reset(self) -> bytes:
        self.told.forget()
        self.atr = self._chip.reset(self.interface)
        return self.atr

    def close(self) -> None:
        """Nothing to let go of: the chip belongs to whoever made it."""
