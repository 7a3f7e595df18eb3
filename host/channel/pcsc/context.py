# SPDX-License-Identifier: Apache-2.0
"""A PC/SC context with a thread of its own, and the one place that loads pyscard.

- The functions of `smartcard.scard`, not pyscard's classes: those power the card off on leaving,
  under the feet of every other program.
- PC/SC knows no deadlines, so one thread per context makes its calls and the caller waits for it.
  pcsc-lite holds a lock of the whole process while it waits for a context in use, so nobody but
  that thread may touch its context; when a call does not come back, both are left to themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, NoReturn, TypeVar

from host.channel.pcsc.turns import Turns
from host.faults import CardBusy, CardFault, CardGone, CardReset, ReaderGone

Result = TypeVar("Result")

INSTALL: Final = (
    "on Debian/Ubuntu `apt-get install gcc libpcsclite-dev pcscd`,"
    " then `pip install 'sscard[pcsc]'`"
)
NOT_ANSWERING: Final = "the PC/SC service does not answer"

BROKE_OFF: Final = "the exchange broke off, what the card did is not known"

REASONS: Final[dict[str, tuple[type[CardGone], str]]] = {
    "SCARD_W_RESET_CARD": (
        CardReset,
        "another program reset the card, what was proven is lost: call reset()",
    ),
    "SCARD_W_UNPOWERED_CARD": (
        CardReset,
        "the card was powered off, what was proven is lost: call reset()",
    ),
    "SCARD_W_REMOVED_CARD": (CardGone, "the card was pulled"),
    "SCARD_W_UNRESPONSIVE_CARD": (
        CardGone,
        "the card gives no ATR: turn it round, or clean its contacts",
    ),
    "SCARD_E_NO_SMARTCARD": (CardGone, "no card in the reader"),
    "SCARD_E_NOT_TRANSACTED": (CardGone, BROKE_OFF),
    "SCARD_F_COMM_ERROR": (CardGone, BROKE_OFF),
    "SCARD_E_PROTO_MISMATCH": (CardGone, "the card does not speak the protocol asked for"),
    "SCARD_E_SHARING_VIOLATION": (CardBusy, "another program has the card to itself"),
    "SCARD_E_READER_UNAVAILABLE": (ReaderGone, "the reader was unplugged"),
    "SCARD_E_UNKNOWN_READER": (ReaderGone, "the reader was unplugged"),
    "SCARD_E_INVALID_HANDLE": (ReaderGone, "the connection is lost: open the channel anew"),
    "SCARD_E_NO_SERVICE": (
        ReaderGone,
        "the PC/SC service does not run: `apt-get install pcscd` and start it",
    ),
    "SCARD_W_SECURITY_VIOLATION": (
        ReaderGone,
        "the PC/SC service does not let this user in: `sscard doctor` says why",
    ),
    "SCARD_E_SERVICE_STOPPED": (
        ReaderGone,
        "the PC/SC service was stopped: start it, open the channel anew",
    ),
}
"""Codes of winscard.h that a desk meets: which fault they are, and in words."""


class PcscUnavailable(CardFault):
    """pyscard is not there or does not load; the text says how to get it."""


class Context:
    """A PC/SC context, at most one connection in it, and the one thread that may touch them.

    `within` and `close` are for callers, the other methods for the jobs in the thread.
    """

    def __init__(self, deadline: float) -> None:
        """`deadline`: seconds that a job may take, unless it is given others."""
        self.scard = _pyscard()
        self.deadline = deadline
        self.reader = "PC/SC"
        self.id: int | None = None
        self.card: int | None = None
        self.turns: Turns | None = None
        self.dead = ""  # why nothing goes any more
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        Thread(target=self._work, name="sscard-pcsc", daemon=True).start()

    def within(self, job: Callable[[], Result], late: type[CardGone], sentence: str) -> Result:
        """The job's result. Not done by the deadline (or interrupted), the context is given up."""
        if self.dead:
            raise CardGone(f"{self.reader}: {self.dead}")
        done = self._give(job)
        try:
            return done.result(self.deadline)
        except TimeoutError:
            raise late(f"{self.reader}: {sentence} for {self.deadline:g} s") from None
        finally:
            if not done.done():
                self.dead = "an earlier call was not answered in time, open the channel anew"
                self._retire()

    def close(self) -> None:
        if not self.dead:
            self.dead = "the channel is closed"
            wait([self._retire()], self.deadline)

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
        self.refuse(function, code)

    def refuse(self, function: str, code: int) -> NoReturn:
        """Raise what a code means."""
        if (function, code) == ("SCardTransmit", self.scard.SCARD_E_PROTO_MISMATCH):
            code = self.scard.SCARD_W_RESET_CARD  # no protocol yet: others reset it just now
        for name, (fault, sentence) in REASONS.items():
            if code == getattr(self.scard, name, None):
                error = fault(f"{self.reader}: {sentence} ({name})")
                if isinstance(error, CardReset):
                    error.off = name == "SCARD_W_UNPOWERED_CARD"
                raise error
        raise CardGone(f"{self.reader}: {function} failed with {code & 0xFFFF_FFFF:08X}")

    def readers(self) -> list[str]:
        """The names of the readers plugged in."""
        if self.id is None:
            (self.id,) = self.call("SCardEstablishContext", self.scard.SCARD_SCOPE_USER)
        (names,) = self.call("SCardListReaders", self.id, [])
        return list(names)

    def has_card(self) -> bool:
        """Whether there is a card in the reader, as far as that can be known; connecting tells."""
        unaware = self.scard.SCARD_STATE_UNAWARE
        code, states = self.scard.SCardGetStatusChange(self.id, 0, [(self.reader, unaware)])
        return code != 0 or bool(states[0][1] & self.scard.SCARD_STATE_PRESENT)

    def _release(self) -> None:
        if self.card is not None:
            self.scard.SCardDisconnect(self.card, self.scard.SCARD_LEAVE_CARD)
        if self.id is not None:
            self.scard.SCardReleaseContext(self.id)
        if self.turns is not None:
            self.turns.close()


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
