# SPDX-License-Identifier: Apache-2.0
"""The way to the card for as long as the shell runs: opened anew when the card went away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from apdu.atr import Interface
from apdu.trace import Exchange, Masking
from host.channel import Channel
from host.channel.layer import Layer
from host.cli.shell.expectations import Answer
from host.cli.shell.lines import BadLine
from host.faults import CardFault, CardGone

Opener = Callable[[bool], AbstractContextManager[Channel]]
"""Opens the card; of an image, whether it is held to a reader instead of put into a slot."""
Around = Callable[[Channel], Channel]
Heard = Callable[[Exchange, Answer], None]

NOTHING_THERE: Final = "there is no card: `reset` takes up the next one"


class _Unplugged(Channel):
    """No card."""

    atr = b""

    def _exchange(self, command: bytes) -> bytes:
        raise CardGone(NOTHING_THERE)

    def reset(self) -> bytes:
        raise CardGone(NOTHING_THERE)

    def close(self) -> None:
        pass


class Cable(Layer):
    """A channel that can be opened anew, and tells of what passes. It is its own top: what
    `Channel.told` keeps survives a recorder that comes in between."""

    def __init__(self, opener: Opener, heard: Heard, was_reset: Callable[[], None]) -> None:
        """`heard` is told of every exchange, secrets masked; `was_reset` of every reset. Raises
        what opening raises."""
        self._opener, self._heard, self._was_reset = opener, heard, was_reset
        self._stack = ExitStack()
        self._masking = Masking()
        self._recording: Around | None = None
        self._contactless = False
        super().__init__(self._opened())

    def _opened(self) -> Channel:
        self._plain = self._stack.enter_context(self._opener(self._contactless))
        return self._plain if self._recording is None else self._recording(self._plain)

    @property
    def is_recorded(self) -> bool:
        """Whether a recorder is around the card."""
        return self._recording is not None

    def record(self, around: Around | None) -> None:
        """Put a recorder around the card, in place of one that was there; None: none."""
        self._recording = around
        self._inner = self._plain if around is None else around(self._plain)

    def _exchange(self, command: bytes) -> bytes:
        answer = self._inner.transmit(command)
        taken = self._masking.of(command, answer)
        data = None if taken.hidden_answer else answer[:-2]
        self._heard(taken, Answer(data, int.from_bytes(answer[-2:])))
        return answer

    def reset(self) -> bytes:
        """As every channel's; a card that went away, or another one, is taken up."""
        self.told.forget()
        try:
            self._inner.reset()
        except CardGone:
            return self._anew()
        except CardFault:
            self.close()
            raise
        self._follow()
        self._masking = Masking()
        self._was_reset()
        return self.atr

    def reset_as(self, interface: Interface) -> bytes:
        """Reset, and go on by this interface. BadLine for a card whose reader decides that."""
        contactless = interface is Interface.CONTACTLESS
        if interface is self.interface:
            return self.reset()
        self._contactless = contactless
        self._anew()
        if self.interface is not interface:
            raise BadLine(
                f"reset: the reader of this card decides that it is {self.interface.value}"
            )
        return self.atr

    def _anew(self) -> bytes:
        self.told.forget()
        self.close()
        self._inner = self._opened()
        self._follow()
        self._masking = Masking()
        self._was_reset()
        return self.atr

    def close(self) -> None:
        self._stack.close()
        self._inner = self._plain = _Unplugged()
