# SPDX-License-Identifier: Apache-2.0
"""What PC/SC says of its readers: who has which card, without touching any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from host.doctor.machine import Machine

if TYPE_CHECKING:
    from host.channel.pcsc.context import Context

VIRTUAL = "Virtual PCD"
"""FRIENDLYNAME of vpcd's readers as it is delivered."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader as PC/SC knows it."""

    name: str
    atr: bytes = b""
    """Of the card in it, empty without one or for a mute one."""
    present: bool = False
    mute: bool = False
    """A card is in it that gives no ATR."""
    exclusive: bool = False
    """A program has the card to itself."""
    in_use: bool = False
    """Programs share the card."""
    unavailable: bool = False
    """The reader does not work: unplugged just now, or its driver failed."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The readers, or why they are not known."""

    readers: tuple[Reader, ...] = ()
    trouble: str = ""
    """Why there was no answer, empty if there was."""
    import_error: str = ""
    """What pyscard said when it did not load."""
    denied: bool = False
    """Whether the trouble is that PC/SC turned this user away."""

    @property
    def own_trouble(self) -> bool:
        """Whether no other check names the trouble."""
        return bool(self.trouble) and not self.trouble.startswith("see ")

    @property
    def answered(self) -> bool:
        return not self.trouble

    @property
    def physical(self) -> tuple[Reader, ...]:
        """The readers that are not vpcd's."""
        return tuple(each for each in self.readers if not each.name.startswith(VIRTUAL))


def ask(machine: Machine) -> Survey:
    """Ask PC/SC for its readers and their state; no card is connected to."""
    from host.channel.pcsc.context import NOT_ANSWERING, Context, PcscUnavailable
    from host.faults import CardFault, ReaderGone

    try:
        context = Context(machine.deadline)
    except PcscUnavailable as error:
        return Survey(trouble="see pyscard", import_error=_cause(error))
    try:
        job = partial(_states, context)
        return Survey(context.within(job, ReaderGone, NOT_ANSWERING))
    except CardFault as error:
        text = str(error)
        denied = any(code in text for code in ("SCARD_W_SECURITY_VIOLATION", "8010006A"))
        return Survey(trouble="see access" if denied else text, denied=denied)
    finally:
        context.close()


def _states(context: Context) -> tuple[Reader, ...]:
    names, scard = context.readers(), context.scard
    if not names:
        return ()
    asked = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
    (states,) = context.call("SCardGetStatusChange", context.id, 0, asked)
    return tuple(
        Reader(
            name,
            bytes(atr),
            present=bool(state & scard.SCARD_STATE_PRESENT),
            mute=bool(state & scard.SCARD_STATE_MUTE),
            exclusive=bool(state & scard.SCARD_STATE_EXCLUSIVE),
            in_use=bool(state & scard.SCARD_STATE_INUSE),
            unavailable=bool(state & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN)),
        )
        for name, state, atr in states
    )


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error)
