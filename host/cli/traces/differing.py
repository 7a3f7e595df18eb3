# SPDX-License-Identifier: Apache-2.0
"""What is not the same in two recordings, in words: data elements where they are known, else bytes.

What is chance (`chance`) is not compared, nor are times, remarks and kinds of events that are not
known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from apdu.recording import Exchanged, Fault, Recording, Reset
from apdu.sw import sentence
from apdu.trace import Exchange
from host.cli.names import Shown
from host.cli.text import packed, spaced
from host.cli.traces.aligning import align
from host.cli.traces.chance import Followed, Follower

PSAM: Final = "psam"
"""What the names of slots with a PSAM begin with."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same; what is missing on a side is None there."""

    where: str
    """command, answer, status word, outcome, ATR."""
    first: str | None
    second: str | None
    tag: str = ""
    english: str = ""
    chinese: str = ""

    @property
    def name(self) -> str:
        words = " ".join(filter(None, (self.tag, self.english, self.chinese)))
        return f"{self.where}, {words}" if words else self.where

    def as_json(self) -> dict[str, object]:
        return {
            "where": self.where,
            "tag": self.tag,
            "name": self.english,
            "chinese": self.chinese,
            "first": self.first,
            "second": self.second,
        }


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a recording, made ready to be compared. `number`: of those that are, from 1."""

    number: int
    slot: str
    key: bytes
    kin: bytes
    atr: bytes = b""
    """Of a reset."""
    outcome: str = ""
    """Of a fault: its name."""
    followed: Followed | None = None
    """None of a reset."""

    @property
    def name(self) -> str:
        return "reset" if self.followed is None else self.followed.told.name

    @property
    def meaning(self) -> str:
        return "" if self.followed is None else self.followed.told.meaning

    @property
    def hides(self) -> bool:
        """Whether its answer is masked."""
        return self.followed is not None and bool(self.followed.plain.hidden_answer)


@dataclass(frozen=True, slots=True)
class Apart:
    """Two events that belong together and are not the same, or one that stands alone."""

    first: Happened | None
    second: Happened | None
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, object]:
        one = self.first or self.second
        return {
            "first": None if self.first is None else self.first.number,
            "second": None if self.second is None else self.second.number,
            "slot": one.slot if one else "",
            "name": one.name if one else "",
            "meaning": one.meaning if one else "",
            "differences": [each.as_json() for each in self.differences],
        }


def compare(first: Recording, second: Recording) -> Iterator[Apart]:
    """What differs, as it is found. Raises what taking the events raises."""
    for a, b in align(happened(first), happened(second)):
        found = () if a is None or b is None else tuple(differences(a, b))
        if found or a is None or b is None:
            yield Apart(a, b, found)


def happened(recording: Recording) -> Iterator[Happened]:
    """The events that are compared. The ATR of the header is the first reset."""
    followers: dict[str, Follower] = {}
    number = 0
    if recording.header.atr:
        yield Happened(0, "card", b"card\0", b"card\0", recording.header.atr)
    for event in recording:
        if not isinstance(event, Reset | Exchanged | Fault):
            continue
        number += 1
        slot = event.slot
        follower = followers.get(slot)
        if follower is None:
            follower = followers[slot] = Follower(psam=slot.startswith(PSAM))
        mark = slot.encode() + b"\0"
        exchange = None if isinstance(event, Reset) else event.exchange
        if exchange is None:
            follower.reset()
            atr = event.atr if isinstance(event, Reset) else b""
            outcome = event.kind if isinstance(event, Fault) else ""
            yield Happened(number, slot, mark, mark, atr, outcome)
            continue
        followed = follower.follow(exchange)
        command = followed.plain.command
        outcome = event.kind if isinstance(event, Fault) else ""
        yield Happened(
            number, slot, mark + command, mark + command[:4], outcome=outcome, followed=followed
        )


def differences(a: Happened, b: Happened) -> Iterator[Difference]:
    """What is not the same in two events that belong together."""
    if a.atr != b.atr:
        yield Difference("ATR", spaced(a.atr) or None, spaced(b.atr) or None)
    if a.outcome != b.outcome:
        yield Difference("outcome", a.outcome or "an answer", b.outcome or "an answer")
    if a.followed is not None and b.followed is not None:
        yield from _exchanges(a.followed, b.followed)


def _exchanges(a: Followed, b: Followed) -> Iterator[Difference]:
    first, second = a.plain, b.plain
    if first.command != second.command:
        sent = list(_items("command", a.plainly.sent, b.plainly.sent))
        yield from sent or _bytes("command", first.command, second.command)
    if not first.answer or not second.answer:
        return
    hidden = _hidden(first, second)
    answers = _without(first.answer, hidden), _without(second.answer, hidden)
    if answers[0][:-2] != answers[1][:-2]:
        got = list(_items("answer", a.plainly.got, b.plainly.got))
        yield from got or _bytes("answer", answers[0][:-2], answers[1][:-2])
    words = first.answer[-2:], second.answer[-2:]
    if words[0] != words[1]:
        yield Difference("status word", *(f"{packed(sw)} {_said(sw)}" for sw in words))


def _said(sw: bytes) -> str:
    return sentence(int.from_bytes(sw))


def _hidden(first: Exchange, second: Exchange) -> range:
    """Where either of two answers is masked."""
    return first.hidden_answer or second.hidden_answer


def _without(raw: bytes, hidden: range) -> bytes:
    return raw[: hidden.start] + bytes(len(hidden)) + raw[hidden.stop :] if hidden else raw


def _items(where: str, first: tuple[Shown, ...], second: tuple[Shown, ...]) -> Iterator[Difference]:
    """Those that have another value, or stand on one side only, in the order of the first side."""
    a, b = _by_name(first), _by_name(second)
    for name in dict.fromkeys((*a, *b)):
        one, other = a.get(name), b.get(name)
        values = _value(one), _value(other)
        if values[0] != values[1]:
            known = one or b[name]
            yield Difference(where, *values, known.tag, known.english, known.chinese)


def _by_name(items: tuple[Shown, ...]) -> dict[tuple[str, str, int], Shown]:
    """By tag and name; of several with the same, by how many came before."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for each in items:
        name = each.tag, each.english
        found[*name, seen[name]] = each
        seen[name] += 1
    return found


def _value(item: Shown | None) -> str | None:
    if item is None:
        return None
    return " ".join(filter(None, (item.value, item.meaning)))


def _bytes(where: str, first: bytes, second: bytes) -> Iterator[Difference]:
    """Where bytes differ, piece by piece; bytes are counted from 0."""
    if len(first) != len(second):
        yield Difference(f"{where}, its length", f"{len(first)} bytes", f"{len(second)} bytes")
    shorter = min(len(first), len(second))
    at = 0
    while at < shorter:
        if first[at] == second[at]:
            at += 1
            continue
        end = at
        while end < shorter and first[end] != second[end]:
            end += 1
        place = f"byte {at}" if end == at + 1 else f"bytes {at} to {end - 1}"
        yield Difference(f"{where}, {place}", spaced(first[at:end]), spaced(second[at:end]))
        at = end
