# SPDX-License-Identifier: Apache-2.0
"""Real readers over PC/SC: the only file that imports pyscard, where bytes become lists and back.

- The functions of `smartcard.scard`, not pyscard's classes: those power the card off on leaving,
  under the feet of every other program.
- PC/SC knows no deadlines, so one thread per channel makes its calls and the caller waits for it.
  pcsc-lite holds a lock of the whole process while it waits for a context in use, so nobody but
  that thread may touch its context; when a call does not come back, both are left to themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from enum import IntFlag
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self, TypeVar
from weakref import finalize

from host.channel import Channel
from host.faults import CardFault, CardGone, CardMute

Result = TypeVar("Result")

INSTALL = (
    "on Debian/Ubuntu `apt-get install gcc libpcsclite-dev pcscd`,"
    " then `pip install 'sscard[pcsc]'`"
)

BROKE_OFF = "the exchange broke off, what the card did is not known"

REASONS = {
    "SCARD_W_RESET_CARD": "another program reset the card, what was proven is lost: call reset()",
    "SCARD_W_REMOVED_CARD": "the card was pulled",
    "SCARD_W_UNPOWERED_CARD": "the card was powered off, what was proven is lost: call reset()",
    "SCARD_W_UNRESPONSIVE_CARD": "the card gives no ATR: turn it round, or clean its contacts",
    "SCARD_E_NO_SMARTCARD": "no card in the reader",
    "SCARD_E_NOT_TRANSACTED": BROKE_OFF,
    "SCARD_F_COMM_ERROR": BROKE_OFF,
    "SCARD_E_PROTO_MISMATCH": "the card does not speak the protocol asked for",
    "SCARD_E_SHARING_VIOLATION": "another program has the card to itself",
    "SCARD_E_READER_UNAVAILABLE": "the reader was unplugged",
    "SCARD_E_INVALID_HANDLE": "the connection is lost: open the channel anew",
    "SCARD_E_NO_SERVICE": "the PC/SC service does not run: `apt-get install pcscd` and start it",
    "SCARD_E_SERVICE_STOPPED": "the PC/SC service was stopped: start it, open the channel anew",
}
"""Codes of winscard.h that a desk meets, in words."""


class PcscUnavailable(CardFault):
    """pyscard is not there or does not load; the text says how to get it."""


class Protocol(IntFlag):
    """Transmission protocols, with the numbers of PC/SC."""

    T0 = 1
    T1 = 2


def readers(*, deadline: float = 10.0) -> list[str]:
    """The names of the readers plugged in, within `deadline` seconds.

    Raises PcscUnavailable without pyscard, CardGone without a PC/SC service.
    """
    context = _Context(deadline)
    try:
        return context.within(context.readers, CardGone, "the PC/SC service does not answer")
    finally:
        context.close()


class PcscChannel(Channel):
    """A card in a real reader, for one thread at a time. No command is ever sent twice.

    Closing leaves the card as it is for whoever comes next: `reset()` first when a PIN was proven.
    Once a deadline has passed, the channel is dead (CardGone) and has to be opened anew.
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
        pyscard, CardFault when no reader or several match, CardGone when there is no card or
        another program has it, CardMute when nothing answers.
        """
        context = _Context(deadline)
        try:
            return cls(context, name_part, protocol, shared)
        except BaseException:
            context.close()
            raise

    def __init__(self, context: _Context, name_part: str, protocol: Protocol, shared: bool) -> None:
        self._context = context
        self._scard = scard = context.scard
        share = scard.SCARD_SHARE_SHARED if shared else scard.SCARD_SHARE_EXCLUSIVE
        self._how = (share, int(protocol))
        self._depth = 0

        def connect() -> None:
            context.reader = _the_one(context.readers(), name_part)
            context.card, _ = context.call("SCardConnect", context.id, context.reader, *self._how)
            self._learn()

        context.within(connect, CardMute, "no answer, or another program kept the card to itself,")
        finalize(self, context.close)  # of a channel that was forgotten

    @property
    def reader(self) -> str:
        """The reader's whole name."""
        return self._context.reader

    def _exchange(self, command: bytes) -> bytes:
        """CardMute also when another program's transaction outlasts the deadline; the command then
        goes out when that ends. What changes the card therefore belongs inside `transaction()`.
        """

        def send() -> bytes:
            (answer,) = self._call("SCardTransmit", self._pci, list(command))
            if not answer:  # drivers say so when the card is pulled while it works
                raise CardGone(f"{self.reader}: {BROKE_OFF}")
            return bytes(answer)

        return self._context.within(send, CardMute, "the card did not answer")

    def reset(self) -> bytes:
        """As every channel's; also takes up a card that others reset, or that was put back in."""

        def reset() -> bytes:
            self._call("SCardReconnect", *self._how, self._scard.SCARD_RESET_CARD)
            return self._learn()

        return self._context.within(reset, CardMute, "no answer to reset")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs away from the card for the commands inside. May be nested.

        CardGone when another program kept the card for the whole deadline; nothing was sent.
        """
        if self._depth == 0:
            begin = partial(self._call, "SCardBeginTransaction")
            self._context.within(begin, CardGone, "another program kept the card to itself")
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
        return self._context.call(function, self._context.card, *arguments)

    def _learn(self) -> bytes:
        """What a reset settles: the ATR and the protocol."""
        _, _, protocol, atr = self._call("SCardStatus")
        self.protocol = Protocol(protocol)
        t1 = self.protocol == Protocol.T1
        self._pci = self._scard.SCARD_PCI_T1 if t1 else self._scard.SCARD_PCI_T0
        self.le_with_data = t1
        self.atr = bytes(atr)
        return self.atr

    def _end(self) -> None:
        with suppress(CardGone):  # pulled or reset in between: then it has ended
            self._call("SCardEndTransaction", self._scard.SCARD_LEAVE_CARD)


class _Context:
    """A PC/SC context, the one connection in it, and the one thread that may touch them.

    `within` and `close` are for callers, the other methods for the jobs in the thread.
    """

    def __init__(self, deadline: float) -> None:
        self.scard = _pyscard()
        self.reader = "PC/SC"
        self.id: int | None = None
        self.card: int | None = None
        self.dead = ""  # why nothing goes any more
        self._deadline = deadline
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        Thread(target=self._work, name="sscard-pcsc", daemon=True).start()

    def within(self, job: Callable[[], Result], late: type[CardGone], sentence: str) -> Result:
        """The job's result. Not done by the deadline (or interrupted), the context is given up."""
        if self.dead:
            raise CardGone(f"{self.reader}: {self.dead}")
        done = self._give(job)
        try:
            return done.result(self._deadline)
        except TimeoutError:
            raise late(f"{self.reader}: {sentence} for {self._deadline:g} s") from None
        finally:
            if not done.done():
                self.dead = "an earlier call was not answered in time, open the channel anew"
                self._retire()

    def close(self) -> None:
        if not self.dead:
            self.dead = "the channel is closed"
            wait([self._retire()], self._deadline)

    def _give(self, job: Callable[[], Result]) -> Future[Result]:
        done: Future[Result] = Future()
        self._jobs.put((done, job))
        return done

    def _retire(self) -> Future[None]:
        """Have the thread clear up and end, now or when a late call comes back after all."""
        done = self._give(self._release)
        self._jobs.put(None)
        return done

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            done, job = given
            try:
                done.set_result(job())
            except BaseException as error:
                done.set_exception(error)
            del given, done, job  # a command is in there, perhaps a PIN

    def call(self, function: str, *arguments: object) -> list[Any]:
        """What a function of winscard.h gives beside its code; another code than success raises."""
        answer = getattr(self.scard, function)(*arguments)
        code, *results = [answer] if isinstance(answer, int) else answer
        if code in (self.scard.SCARD_S_SUCCESS, self.scard.SCARD_E_NO_READERS_AVAILABLE):
            return results
        for name, sentence in REASONS.items():
            if code == getattr(self.scard, name, None):
                raise CardGone(f"{self.reader}: {sentence} ({name})")
        raise CardGone(f"{self.reader}: {function} failed with {code & 0xFFFF_FFFF:08X}")

    def readers(self) -> list[str]:
        (self.id,) = self.call("SCardEstablishContext", self.scard.SCARD_SCOPE_USER)
        (names,) = self.call("SCardListReaders", self.id, [])
        return list(names)

    def _release(self) -> None:
        if self.card is not None:
            self.scard.SCardDisconnect(self.card, self.scard.SCARD_LEAVE_CARD)
        if self.id is not None:
            self.scard.SCardReleaseContext(self.id)


def _the_one(names: Sequence[str], part: str) -> str:
    """The reader meant by a part of its name; a whole name means itself even if others have it."""
    found = [name for name in names if part.casefold() in name.casefold()]
    exact = [name for name in found if part.casefold() == name.casefold()]
    if len(exact or found) == 1:
        return (exact or found)[0]
    what = "several readers have" if found else "no reader has"
    there = ", ".join(f"'{name}'" for name in names) or "none"
    raise CardFault(f"{what} '{part}' in the name; readers here: {there}")


def _pyscard() -> Any:
    """pyscard's `smartcard.scard`, loaded on first use."""
    try:
        import smartcard
        import smartcard.scard
    except ImportError as error:
        blame = {
            "smartcard": "PC/SC needs pyscard",
            "smartcard.scard": "the module `smartcard` here is not pyscard's but that of an"
            " unrelated package: `pip uninstall smartcard`",
        }
        why = blame.get(error.name or "", f"pyscard does not load ({error})")
        raise PcscUnavailable(f"{why}; {INSTALL}") from error
    return smartcard.scard
