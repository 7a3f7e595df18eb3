# SPDX-License-Identifier: Apache-2.0
"""The cable: bytes to a card and back. Each file here is one way to reach one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from math import inf
from types import TracebackType
from typing import Self

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.wire.repeating import SELECT
from host.channel.told import Told
from host.faults import CardMisspoke

SHORTEST, LONGEST = 4, 65_535
"""C-APDU lengths in bytes that go to the wire: a shorter one is a control code to some readers,
a longer one does not fit their frames."""


class Channel(ABC):
    """A connected card. `transmit` is the whole of it; the rest is beginning and end."""

    atr: bytes
    """The answer to the last reset, TS first."""
    interface: Interface = Interface.CONTACT
    """How the card is reached; a contactless one has other names and other data."""
    le_with_data: bool = True
    """Whether a command may carry both data and Le; over T=0 it may not (ISO 7816-3 12.2.4)."""

    deadline: float = inf
    """Seconds that a call may take; of a layer, the channel below keeps it."""

    @cached_property
    def told(self) -> Told:
        """What the card was told since the last `reset()`, which forgets it (`Told.forget`)."""
        return Told()

    def transmit(self, command: bytes) -> bytes:
        """Send one C-APDU of 4 to 65 535 bytes and return the R-APDU, two bytes or more.

        Raises FormatError for a C-APDU of another length (nothing is sent), CardMisspoke for an
        answer without a status word, CardGone or CardMute when none came.
        """
        if not SHORTEST <= len(command) <= LONGEST:
            raise FormatError(
                f"C-APDU of {len(command)} bytes: must be {SHORTEST} to {LONGEST} bytes long"
            )
        told = self.told
        if told.only_reads:
            told.sending(command)
        answer = self._exchange(command)
        if len(answer) < 2:
            raise CardMisspoke(f"answer of {len(answer)} bytes: shorter than a status word")
        if command[1] == SELECT:
            told.selected(command, answer)
        return answer

    @abstractmethod
    def _exchange(self, command: bytes) -> bytes:
        """Carry the bytes there and back, unaltered."""

    @abstractmethod
    def reset(self) -> bytes:
        """Reset the card (warm) and return its ATR; everything proven is forgotten."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the card. A second call does nothing."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs away from the card for the commands inside. May be nested."""
        yield

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait at least so long for each answer inside: for commands that are known to be slow."""
        before = self.deadline
        self.deadline = max(seconds, before)
        try:
            yield
        finally:
            self.deadline = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
