# SPDX-License-Identifier: Apache-2.0
"""A recording in place of a card: it answers what was answered then, and nothing else.

    channel = ReplayChannel(recording)
    Card(channel)...                # as the program did when it was recorded
    channel.finish()                # raises Strayed unless all of it was said again

For programs whose own bytes are the same in each run: one that chooses a random number, or
computes over the time, strays there.
"""

from __future__ import annotations

from apdu.atr import Interface
from apdu.recording import FIRST_SLOT, Event, Exchanged, Fault, Recording, Reset
from apdu.trace import Exchange, Masking
from host import faults
from host.channel import Channel
from host.faults import CardFault, CardMute


class Strayed(CardFault):
    """The program does not do what it did when it was recorded. No secret is in the text."""


class ReplayCard:
    """Powered like a chip: `reset` and `transmit`.

    A byte that was masked in a command stands for any. What was recorded as a fault is raised
    again: the fault of that name, or CardMute for a name that no fault here has. When the program
    strays nothing moves on: it may go back to what is next.
    """

    def __init__(
        self, recording: Recording, *, slot: str = FIRST_SLOT, resets_at_will: bool = False
    ) -> None:
        """`resets_at_will`: a reader resets the card as it likes, and what was recorded of it is
        left out; otherwise a reset comes when one was recorded, but for one before everything."""
        self._recording = recording
        self._slot = slot
        self._at_will = resets_at_will
        self._next: Event | None = None
        self._begun = False
        self.atr = recording.header.atr
        self.interface = recording.header.interface
        """Of the last reset."""

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        """The ATR that was recorded; `interface` is that of the recording, whatever is given.

        Raises Strayed for a reset that was not recorded, and a fault that was.
        """
        event = self._coming()
        first, self._begun = not self._begun, True
        match event:
            case Reset(_, atr, was) if not self._at_will:
                self._next = None
                self.atr, self.interface = atr, was
            case Fault(exchange=None) if not self._at_will:
                self._next = None
                raise _fault(event)
            case _ if not (self._at_will or first):
                raise Strayed(f"the card is reset, but {self._words(event)}")
        return self.atr

    def transmit(self, command: bytes) -> bytes:
        """The answer that was recorded to this command, if it is the next one.

        Raises Strayed for another one and where the answer was masked, a fault that was recorded.
        """
        self._begun = True
        event = self._coming()
        match event:
            case Exchanged(exchange=exchange) if _is(exchange, command):
                if exchange.hidden_answer:
                    raise Strayed(f"the answer is masked in the recording ({self._where()})")
                self._next = None
                return exchange.answer
            case Fault(exchange=Exchange() as exchange) if _is(exchange, command):
                self._next = None
                raise _fault(event)
        raise Strayed(f"{_shown(command)} was sent, but {self._words(event)}")

    def with_le(self, command: bytes) -> bytes:
        """This command with the Le of the next one of the recording, if that is all it lacks: over
        T=0 none stands behind data."""
        event = self._coming()
        match event:
            case Exchanged(exchange=exchange) | Fault(exchange=Exchange() as exchange):
                longer = command + exchange.command[-1:]
                if 5 < len(command) == 5 + command[4] and _is(exchange, longer):
                    return longer
        return command

    def finish(self) -> None:
        """Raises Strayed when there is more in the recording, or its end was lost."""
        event = self._coming()
        if event is not None:
            raise Strayed(f"the program ended, but {self._words(event)}")
        if self._recording.lost:
            raise Strayed(f"the end of the recording was lost: {self._recording.lost}")

    def _coming(self) -> Event | None:
        """The next event of this slot that is to happen again; None at the end."""
        while self._next is None:
            event = next(iter(self._recording), None)
            if event is None:
                return None
            match event:
                case Exchanged(slot=self._slot) | Fault(exchange=Exchange(), slot=self._slot):
                    self._next = event
                case Reset(_, atr, interface, self._slot) if self._at_will:
                    self.atr, self.interface = atr, interface
                case Reset(slot=self._slot) | Fault(slot=self._slot) if not self._at_will:
                    self._next = event
        return self._next

    def _where(self) -> str:
        return f"line {self._recording.line}" if self._recording.line else "no line"

    def _words(self, event: Event | None) -> str:
        """How the recording goes on."""
        match event:
            case Exchanged(exchange=exchange) | Fault(exchange=Exchange() as exchange):
                words = _shown(exchange.command, exchange.hidden)
                return f"the recording goes on with {words} ({self._where()})"
            case None:
                return "the recording is at its end"
            case _:
                return f"the recording goes on with a reset ({self._where()})"


class ReplayChannel(Channel):
    """A channel to a `ReplayCard`, for tests of programs."""

    def __init__(self, recording: Recording, *, slot: str = FIRST_SLOT) -> None:
        self._card = ReplayCard(recording, slot=slot)
        self.le_with_data = recording.header.protocol != "T=0"
        self._take_over()

    def _take_over(self) -> None:
        self.atr, self.interface = self._card.atr, self._card.interface

    def _exchange(self, command: bytes) -> bytes:
        return self._card.transmit(command)

    def reset(self) -> bytes:
        self.told.forget()
        self._card.reset()
        self._take_over()
        return self.atr

    def finish(self) -> None:
        """Raises Strayed when there is more in the recording, or its end was lost."""
        self._card.finish()

    def close(self) -> None:
        """Nothing to let go of: the recording belongs to whoever opened it."""


def _shown(command: bytes, hidden: range = range(0)) -> str:
    """A command in hex, masked whatever the recording keeps."""
    return Masking().again(Exchange(command, b"", hidden)).command_text


def _is(exchange: Exchange, command: bytes) -> bool:
    """Whether this is the command, but for what is masked of it."""
    wanted, hidden = exchange.command, exchange.hidden
    if not hidden:
        return wanted == command
    return (
        len(wanted) == len(command)
        and wanted[: hidden.start] == command[: hidden.start]
        and wanted[hidden.stop :] == command[hidden.stop :]
    )


def _fault(event: Fault) -> CardFault:
    """The fault that was recorded, raised again as far as its name and text make one."""
    kind = getattr(faults, event.kind, None)
    if isinstance(kind, type) and issubclass(kind, CardFault) and kind.__init__ in _OF_A_TEXT:
        return kind(event.sentence)
    return CardMute(event.sentence)


_OF_A_TEXT = (CardFault.__init__,)
"""Faults that are made of a sentence; those of status words are answers, and never recorded."""
