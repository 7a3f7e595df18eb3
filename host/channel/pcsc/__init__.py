# SPDX-License-Identifier: Apache-2.0
"""Real readers over PC/SC: the only package that imports pyscard; bytes become lists and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from enum import IntFlag
from typing import Any, Final, Self
from weakref import finalize

from apdu.atr import Interface, interface_of
from host.channel import Channel
from host.channel.pcsc.context import BROKE_OFF, NOT_ANSWERING, Context, PcscUnavailable
from host.channel.pcsc.turns import Turns
from host.faults import CardBusy, CardFault, CardGone, CardMute, CardReset, ReaderGone

__all__ = ["PcscChannel", "PcscUnavailable", "Protocol", "readers"]

_ASK_UID: Final = bytes.fromhex("FFCA000000")
"""GET DATA to the reader itself: the card's identifier (PC/SC part 3, 3.2.2.1.3)."""

_PCSC_LITE: Final = "pcsclite"
"""What pyscard calls the service of Linux."""
_POWERED: Final = 0x10
"""SCARD_POWERED of pcsc-lite's pcsclite.h, which pyscard does not have: a bit of the card's state.
On Windows states are numbers in a row, and the service powers a card on by itself."""


class Protocol(IntFlag):
    """Transmission protocols, with the numbers of PC/SC."""

    T0 = 1
    T1 = 2


def readers(*, deadline: float = 10.0) -> list[str]:
    """The names of the readers plugged in, within `deadline` seconds.

    Raises PcscUnavailable without pyscard, ReaderGone without a PC/SC service.
    """
    context = Context(deadline)
    try:
        return context.within(context.readers, ReaderGone, NOT_ANSWERING)
    finally:
        context.close()


class PcscChannel(Channel):
    """A card in a real reader, for one thread at a time. No command is ever sent twice.

    Closing leaves the card as it is for whoever comes next: `reset()` first when a PIN was proven.
    Once a deadline has passed, the channel is dead (CardGone) and has to be opened anew.

    pcsc-lite resets a card, or powers it off, before it says so. A command on its way just then
    does reach the card, which answers as one with nothing selected or proven. Programs that queue
    (`turns`) do not meet this; against others, `transaction()` keeps the card.
    """

    protocol: Protocol
    """Agreed on at the last reset."""

    @classmethod
    def open(
        cls,
        name_part: str = "",
        *,
        deadline: float = 10.0,
        protocol: Protocol = Protocol.T0 | Protocol.T1,
        shared: bool = True,
    ) -> Self:
        """Connect to the card in the one reader that has `name_part` in its name, in any case.

        `deadline` is in seconds, for this and for each later call. Raises PcscUnavailable without
        pyscard, CardFault when no reader or several match, CardGone when there is no card,
        CardBusy when another program has it to itself, ReaderGone without a PC/SC service,
        CardMute when nothing answers.
        """
        context = Context(deadline)
        try:
            return cls(context, name_part, protocol, shared)
        except BaseException:
            context.close()
            raise

    def __init__(self, context: Context, name_part: str, protocol: Protocol, shared: bool) -> None:
        self._context = context
        self._scard = scard = context.scard
        share = scard.SCARD_SHARE_SHARED if shared else scard.SCARD_SHARE_EXCLUSIVE
        self._how = (share, int(protocol))
        self._depth = 0
        self._lost = False
        """Whether another program has reset the card, and it was not taken up since."""

        def connect() -> None:
            context.reader = _the_one(context.readers(), name_part)
            context.turns = Turns(context.reader)
            with self._turn() if context.has_card() else nullcontext():
                try:
                    self._connect()
                except CardReset:  # SCARD_W_UNPOWERED_CARD
                    self._power_on()
                    self._connect()
                try:
                    self._learn()
                except CardReset:  # in between
                    self._take_up()

        context.within(connect, CardMute, "no answer, or another program kept the card to itself,")
        finalize(self, context.close)  # of a channel that was forgotten

    @property
    def reader(self) -> str:
        """The reader's whole name."""
        return self._context.reader

    @property
    def deadline(self) -> float:
        return self._context.deadline

    @deadline.setter
    def deadline(self, seconds: float) -> None:
        self._context.deadline = seconds

    def uid(self) -> bytes:
        """The identifier by which a reader addresses the card in its field, 4, 7 or 10 bytes.

        Empty for a card in a slot, which has none, and where the reader does not tell. Another one
        at each reset (ISO 14443-3: 4 bytes that begin with 08) on cards that do not want to be
        followed about.
        """
        if self.interface is not Interface.CONTACTLESS:
            return b""  # to a reader of such cards it would be a command for the card
        answer = self._exchange(_ASK_UID)
        return answer[:-2] if answer[-2:] == b"\x90\x00" else b""

    def _exchange(self, command: bytes) -> bytes:
        """CardMute also when another program's transaction outlasts the deadline. When that program
        does not queue (`turns`), the command goes out all the same when it ends: what changes the
        card therefore belongs inside `transaction()`.
        """

        def send() -> bytes:
            with self._turn():
                (answer,) = self._call("SCardTransmit", self._pci, list(command))
            if not answer:  # drivers say so when the card is pulled while it works
                raise CardGone(f"{self.reader}: {BROKE_OFF}")
            return bytes(answer)

        try:
            return self._context.within(send, CardMute, "the card did not answer")
        except CardReset as lost:
            lost.kept = self._depth > 0
            raise

    def reset(self) -> bytes:
        """As every channel's; also takes up a card that was put back in.

        One that another program has reset (CardReset) is taken up as that program left it, for what
        was proven here is lost already: programs that answered each reset with one of their own
        would never get to work. One that was left without power is reset, by whoever is first. A
        second call does reset it.
        """

        def reset() -> bytes:
            with self._turn():
                return self._take_up()

        self.told.forget()
        return self._context.within(reset, CardMute, "no answer to reset")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs away from the card for the commands inside. May be nested.

        CardBusy when another program kept the card for the whole deadline; nothing was sent.
        """
        if self._depth == 0:
            self._context.within(self._begin, CardBusy, "another program kept the card to itself")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and not self._context.dead:
                self._context.within(self._end, CardMute, "the reader does not answer")

    def close(self) -> None:
        self._context.close()

    # What follows runs in the context's thread.

    def _call(self, function: str, *arguments: object) -> list[Any]:
        try:
            return self._context.call(function, self._context.card, *arguments)
        except CardReset as lost:
            self._lost = not lost.off
            raise

    def _connect(self) -> None:
        context = self._context
        whom = context.id, context.reader
        context.card, _ = context.call("SCardConnect", *whom, *self._how)

    def _power_on(self) -> None:
        """Reset a card that was powered off, and that one who had it took up as it was.

        pcsc-lite powers a card on for who connects first, but not such a one: it lets nobody
        connect until somebody resets it. A connection to the reader and not to the card it allows.
        """
        context, scard = self._context, self._scard
        protocols = self._how[1]
        whom = context.id, context.reader
        handle, _ = context.call("SCardConnect", *whom, scard.SCARD_SHARE_DIRECT, protocols)
        try:
            how = scard.SCARD_SHARE_SHARED, protocols, scard.SCARD_RESET_CARD
            context.call("SCardReconnect", handle, *how)
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)

    def _take_up(self) -> bytes:
        leave, anew = self._scard.SCARD_LEAVE_CARD, self._scard.SCARD_RESET_CARD
        ways = (leave, anew, anew) if self._lost else (anew, anew)
        for way in ways[:-1]:
            with suppress(CardReset):  # once more, in between
                return self._taken_up(way)
        return self._taken_up(ways[-1])

    def _taken_up(self, way: int) -> bytes:
        self._call("SCardReconnect", *self._how, way)
        atr = self._learn()
        self._lost = False
        return atr

    def _learn(self) -> bytes:
        """What a reset settles: the ATR, the protocol and what follows from them.

        CardReset when the card has no power: pcsc-lite would send it commands all the same.
        """
        _, state, protocol, atr = self._call("SCardStatus")
        if self._scard.resourceManager == _PCSC_LITE and not state & _POWERED:
            self._context.refuse("SCardStatus", self._scard.SCARD_W_UNPOWERED_CARD)
        self.protocol = Protocol(protocol)
        t1 = self.protocol == Protocol.T1
        self._pci = self._scard.SCARD_PCI_T1 if t1 else self._scard.SCARD_PCI_T0
        self.le_with_data = t1
        self.atr = bytes(atr)
        self.interface = interface_of(self.atr)
        return self.atr

    def _begin(self) -> None:
        self._take_turn()
        try:
            self._call("SCardBeginTransaction")
        except BaseException:
            self._give_turn()
            raise

    def _end(self) -> None:
        with suppress(CardGone):  # pulled or reset in between: then it has ended
            self._call("SCardEndTransaction", self._scard.SCARD_LEAVE_CARD)
        self._give_turn()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """For one call, unless a transaction has it."""
        if self._depth:
            yield
            return
        self._take_turn()
        try:
            yield
        finally:
            self._give_turn()

    def _take_turn(self) -> None:
        context = self._context
        if context.turns is not None:
            context.turns.take()
        if context.dead:  # nobody waits for it any more
            self._give_turn()
            raise CardGone(f"{self.reader}: {context.dead}")

    def _give_turn(self) -> None:
        if self._context.turns is not None:
            self._context.turns.give()


def _the_one(names: Sequence[str], part: str) -> str:
    """The reader meant by a part of its name; a whole name means itself even if others have it."""
    found = [name for name in names if part.casefold() in name.casefold()]
    exact = [name for name in found if part.casefold() == name.casefold()]
    if len(exact or found) == 1:
        return (exact or found)[0]
    what = "several readers have" if found else "no reader has"
    there = ", ".join(f"'{name}'" for name in names) or "none"
    raise CardFault(f"{what} '{part}' in the name; readers here: {there}")
