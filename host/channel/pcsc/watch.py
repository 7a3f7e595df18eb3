# SPDX-License-Identifier: Apache-2.0
"""Readers and cards as they come and go: a look at all of them, and a poller without surprises.

for event in watch(deadline=60):            # or stop=threading.Event(), from any thread
    ...
reader = wait_for_card("acr", deadline=30)  # then PcscChannel.open(reader.name)

Every wait is a short one in the context's own thread: there is nothing to cancel, and nothing is
left behind when a deadline passes, the iterator is closed or Ctrl-C is pressed. The reader list is
asked for anew each time, for the notification of plugged readers is not to be had everywhere.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from threading import Event as Stop
from time import monotonic
from typing import Any, Final

from host.channel.pcsc.context import NOT_ANSWERING, Context
from host.faults import CardGone, ReaderGone

SLICE: Final = 0.25
"""Seconds of one wait: how late a reader, a lost service or a stop may be noticed; cards are
noticed as soon as the service tells."""
ANSWERS_WITHIN: Final = 10.0
"""Seconds that the service may take for an answer."""


class Presence(Enum):
    """What is in a reader."""

    EMPTY = "no card"
    CARD = "card"
    MUTE = "mute card"
    """It gives no ATR: the wrong way round, or broken."""


class Use(Enum):
    """Who is connected to the card."""

    FREE = "nobody"
    SHARED = "shared"
    """One program or more, which others may join."""
    EXCLUSIVE = "exclusive"
    """One program alone."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader at one moment."""

    name: str
    presence: Presence = Presence.EMPTY
    atr: bytes = b""
    """Empty unless there is a card that gave one."""
    use: Use = Use.FREE
    count: int = 0
    """Insertions and removals that the service counted, modulo 65 536; 0 where it counts none."""


class Happened(Enum):
    """What an event is about."""

    READER_ADDED = "reader added"
    READER_REMOVED = "reader removed"
    CARD_INSERTED = "card inserted"
    CARD_REMOVED = "card removed"
    CARD_MUTE = "card mute"
    CARD_FREE = "card free"
    CARD_SHARED = "card in use"
    CARD_EXCLUSIVE = "card in exclusive use"
    SERVICE_LOST = "service lost"
    """Nothing is known of the readers until it is back; what is there then is told anew."""
    SERVICE_BACK = "service back"


_OF_USE: Final = {
    Use.FREE: Happened.CARD_FREE,
    Use.SHARED: Happened.CARD_SHARED,
    Use.EXCLUSIVE: Happened.CARD_EXCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """Something happened to a reader, or to the service when `reader` is empty."""

    what: Happened
    reader: str = ""
    atr: bytes = b""
    """Of a card that was inserted."""


def states(name_part: str = "", *, deadline: float = ANSWERS_WITHIN) -> tuple[Reader, ...]:
    """The readers that have `name_part` in their names, in any case, as they are now.

    Raises PcscUnavailable without pyscard, ReaderGone without a PC/SC service or when it does not
    answer within `deadline` seconds. No card is connected to.
    """
    context = Context(deadline)
    try:
        found = context.within(partial(_look, context), ReaderGone, NOT_ANSWERING)
    finally:
        context.close()
    return tuple(each.reader for each in found if _meant(each.reader, name_part))


def watch(
    name_part: str = "", *, deadline: float | None = None, stop: Stop | None = None
) -> Generator[ReaderEvent]:
    """What happens to the readers that have `name_part` in their names, beginning with what is
    there. Ends after `deadline` seconds, or soon after another thread sets `stop`.

    Faults as from `states`, but a service that ends later is an event, and so is its return.
    """
    before: Sequence[Reader] | None = ()
    with closing(_looks(deadline, stop or Stop())) as looks:
        for found in looks:
            if found is None:
                yield ReaderEvent(Happened.SERVICE_LOST)
            else:
                if before is None:
                    yield ReaderEvent(Happened.SERVICE_BACK)
                found = [each for each in found if _meant(each, name_part)]
                yield from changes(before or (), found)
            before = found


def wait_for_card(
    name_part: str = "", *, deadline: float | None = None, stop: Stop | None = None
) -> Reader:
    """The first reader with `name_part` in its name that has a card with an ATR, perhaps now.

    Raises CardGone when there is none within `deadline` seconds, or `stop` was set; faults as from
    `states`.
    """
    with closing(_looks(deadline, stop or Stop())) as looks:
        for found in looks:
            for each in found or ():
                if _meant(each, name_part) and each.presence is Presence.CARD:
                    return each
    raise CardGone(_in_vain("no card came", name_part, deadline, stop))


def wait_for_removal(
    name_part: str = "", *, deadline: float | None = None, stop: Stop | None = None
) -> None:
    """Return when no card is left of those that are in readers with `name_part` in their names
    now, mute ones included; also when they were exchanged for others.

    Raises CardGone when one is there after `deadline` seconds, or `stop` was set; faults as from
    `states`.
    """
    left: dict[str, Reader] | None = None
    with closing(_looks(deadline, stop or Stop())) as looks:
        for found in looks:
            if found is None:
                continue
            now = {each.name: each for each in found if _meant(each, name_part)}
            there = now if left is None else left
            left = {
                name: was for name, was in there.items() if name in now and _stays(was, now[name])
            }
            if not left:
                return
    raise CardGone(_in_vain("the card was not removed", name_part, deadline, stop))


def changes(before: Sequence[Reader], after: Sequence[Reader]) -> Iterator[ReaderEvent]:
    """The events that lead from one state of the readers to another."""
    was, now = ({each.name: each for each in found} for found in (before, after))
    for name in was.keys() - now.keys():
        yield from _of_one(was[name], Reader(name))
        yield ReaderEvent(Happened.READER_REMOVED, name)
    for name, reader in now.items():
        if name not in was:
            yield ReaderEvent(Happened.READER_ADDED, name)
        yield from _of_one(was.get(name, Reader(name)), reader)


def _of_one(was: Reader, now: Reader) -> Iterator[ReaderEvent]:
    stays = _stays(was, now)
    if was.presence is not Presence.EMPTY and not stays:
        yield ReaderEvent(Happened.CARD_REMOVED, now.name)
    if now.presence is Presence.EMPTY:
        return
    if not stays or was.presence is not now.presence:
        there = now.presence is Presence.CARD
        what = Happened.CARD_INSERTED if there else Happened.CARD_MUTE
        yield ReaderEvent(what, now.name, now.atr)
    if now.use is not (was.use if stays else Use.FREE):
        yield ReaderEvent(_OF_USE[now.use], now.name)


def _stays(was: Reader, now: Reader) -> bool:
    """Whether the card that was there is. One may have another ATR when it is reset warm."""
    if Presence.EMPTY in (was.presence, now.presence) or was.count != now.count:
        return False
    return now.count > 0 or not was.atr or not now.atr or was.atr == now.atr


def _meant(reader: Reader, part: str) -> bool:
    return part.casefold() in reader.name.casefold()


def _in_vain(what: str, part: str, deadline: float | None, stop: Stop | None) -> str:
    where = f"'{part}'" if part else "PC/SC"
    if stop is not None and stop.is_set():
        return f"{where}: {what} before the wait was given up"
    return f"{where}: {what} within {deadline:g} s"


# The poller


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reader, and the flags of its state as the service wants them back."""

    reader: Reader
    flags: int


def _looks(deadline: float | None, stop: Stop) -> Generator[list[Reader] | None]:
    """The readers, at first and after every change; None when the service was lost."""
    ends = None if deadline is None else monotonic() + deadline
    context = Context(ANSWERS_WITHIN)
    seen: tuple[_Seen, ...] | None = None
    first = True
    try:
        while True:
            began = monotonic()
            left = SLICE if ends is None else min(SLICE, max(ends - began, 0.0))
            try:
                look = partial(_look, context, seen or (), 0.0 if seen is None else left)
                found = context.within(look, ReaderGone, NOT_ANSWERING)
            except CardGone:
                if first or context.dead:
                    raise  # one that hangs would cost a thread each time
                found = None
                context.close()
                context = Context(ANSWERS_WITHIN)
            changed = first or found != seen
            seen, first = found, False
            if changed:
                yield None if seen is None else [each.reader for each in seen]
            elif monotonic() - began < left:
                stop.wait(left)
            if stop.is_set() or (ends is not None and monotonic() >= ends):
                return
    finally:
        context.close()


def _look(
    context: Context, before: tuple[_Seen, ...] = (), seconds: float = 0.0
) -> tuple[_Seen, ...]:
    """The readers now; when there were some, as soon as anything happens to one, or later.

    Runs in the context's thread.
    """
    ask, scard = context.scard.SCardGetStatusChange, context.scard
    if before and seconds:
        ask(context.id, int(seconds * 1000), [(each.reader.name, each.flags) for each in before])
    while names := context.readers():
        code, found = ask(context.id, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in names])
        if code in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            return tuple(_seen(scard, *each) for each in found)
        if code != scard.SCARD_E_UNKNOWN_READER:  # that one was unplugged in between
            context.refuse("SCardGetStatusChange", code)
    return ()


def _seen(scard: Any, name: str, flags: int, atr: Sequence[int]) -> _Seen:
    flags &= ~scard.SCARD_STATE_CHANGED
    count = flags >> 16 & 0xFFFF
    if flags & scard.SCARD_STATE_MUTE:
        presence = Presence.MUTE
    elif flags & scard.SCARD_STATE_PRESENT and atr:
        presence = Presence.CARD
    else:  # also while it is powered on
        return _Seen(Reader(name, count=count), flags)
    use = Use.SHARED if flags & scard.SCARD_STATE_INUSE else Use.FREE
    if flags & scard.SCARD_STATE_EXCLUSIVE:
        use = Use.EXCLUSIVE
    return _Seen(Reader(name, presence, bytes(atr), use, count), flags)
