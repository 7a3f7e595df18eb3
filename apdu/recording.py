# SPDX-License-Identifier: Apache-2.0
"""A recording: what passed between a terminal and a card, as lines of JSON in UTF-8.

    {"sscard-recording":1,"by":"sscard 0.6.0","card":{"atr":"3B6D...","interface":"contact",
     "protocol":"T=1"},"secrets":"masked","remark":""}                  (all on one line)
    {"event":"reset","at":0.000000,"atr":"3B6D...","interface":"contact"}
    {"event":"exchange","at":0.001203,"took":0.000071,"command":"00A40400...","answer":"6F...9000"}
    {"event":"exchange","at":0.002110,"took":0.000066,"command":"0020000003••••••","answer":"9000"}
    {"event":"fault","at":0.003001,"took":10.000000,"command":"00B2012D00","kind":"CardMute",
     "sentence":"the card did not answer within 10 s"}                  (all on one line)
    {"event":"remark","at":0.003900,"text":"the holder took the card out"}

- `at`: when it began, in seconds since the recording did; never less than on the line before.
  `took`: how long the answer, or the fault, took to come. Both with six digits.
- `command`, `answer`: the APDUs in hex, a `••` for each byte that is masked; those of one APDU
  stand together. `reason` beside them is why a card refused, where it can say that.
- A `fault` came in place of the answer to its `command`, or where it has none, to a reset. Its
  `kind` is the name of the exception.
- `slot`: which card of several, where it is not the first one (`card`).
- `secrets`: `masked`, or `kept` where PINs and keys were left in; whoever reads masks them too
  (`apdu.trace`) unless it asks for them.

Within a version fields may be added, which are ignored, and kinds of events, which are kept as
`Unknown`. Every event ends its line; what was being written when a program died is lost, and is
said to be. The versions are this project's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.jsonline import LONGEST_LINE, Line
from apdu.trace import HIDDEN, Exchange, Masking

VERSION: Final = 1
NAME: Final = "sscard-recording"
FIRST_SLOT: Final = "card"
MASKED, KEPT = "masked", "kept"


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording is of. `protocol`: T=0 or T=1, empty where nobody knows."""

    atr: bytes = b""
    interface: Interface = Interface.CONTACT
    protocol: str = ""
    kept: bool = False
    """Whether PINs and keys were left in."""
    by: str = ""
    """The program, and its version."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """The card was powered on or reset."""

    at: float
    atr: bytes
    interface: Interface = Interface.CONTACT
    slot: str = FIRST_SLOT


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A command and its answer."""

    at: float
    exchange: Exchange
    took: float | None = None
    reason: str = ""
    """Why the card refused, where it can say that."""
    slot: str = FIRST_SLOT


@dataclass(frozen=True, slots=True)
class Fault:
    """What came in place of an answer. `exchange` has the command and no answer; None at a reset.

    `kind` is the name of the exception, `sentence` its text.
    """

    at: float
    kind: str
    sentence: str
    exchange: Exchange | None = None
    took: float | None = None
    slot: str = FIRST_SLOT


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said of it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of a kind that this program does not know, as it stood there."""

    at: float
    kind: str
    fields: Mapping[str, Any] = field(repr=False)


Event = Reset | Exchanged | Fault | Remark | Unknown


class Recording:
    """A header, and the events behind it, which are read as they are asked for, once."""

    def __init__(self, header: Header, events: Iterable[Event] = ()) -> None:
        self.header = header
        self.line = 0
        """The line of the last event, of 1 upwards; 0 where events have none."""
        self.lost = ""
        """What of the end is not whole, as a sentence; known when all events were read."""
        self._events = iter(events)

    def __iter__(self) -> Iterator[Event]:
        return self._events

    @classmethod
    def read(cls, lines: Iterable[bytes], *, keep: bool = False) -> Self:
        """A recording from its lines with their ends, which may have more than `LONGEST_LINE`
        bytes only to be refused. `keep`: do not mask what was kept.

        Raises FormatError naming the line and the rule, here or while events are taken.
        """
        numbered = enumerate(lines, start=1)
        number, first = next(numbered, (1, b""))
        if not first:
            raise FormatError("recording: it is empty")
        made = cls(_header(Line.read(first, number)))
        made.line = number
        made._events = made._following(numbered, keep and made.header.kept)
        return made

    def _following(self, lines: Iterable[tuple[int, bytes]], keep: bool) -> Iterator[Event]:
        masks = None if keep else _Masks()
        last = 0.0
        for number, line in lines:
            try:
                event = _event(Line.read(line, number), last, masks)
            except FormatError:
                if line.endswith(b"\n") or len(line) > LONGEST_LINE:
                    raise
                self.lost = f"line {number} breaks off: what it said is lost"
                return
            self.line, last = number, event.at
            yield event


# Writing


def header_line(header: Header) -> str:
    """The first line, with its end."""
    card = {"interface": header.interface.value}
    if header.atr:
        card["atr"] = _hex(header.atr)
    if header.protocol:
        card["protocol"] = header.protocol
    told: dict[str, object] = {NAME: VERSION, "by": header.by, "card": card}
    told |= {"secrets": KEPT if header.kept else MASKED, "remark": header.remark}
    return _json(told) + "\n"


def event_line(event: Event) -> str:
    """The line of an event, with its end."""
    match event:
        case Exchanged(at, exchange, took, reason, slot):
            more = "" if took is None else f',"took":{took:.6f}'
            command = _hex(exchange.command, exchange.hidden)
            answer = _hex(exchange.answer, exchange.hidden_answer)
            rest = _rest(slot, {"reason": reason} if reason else {})
            return (
                f'{{"event":"exchange","at":{at:.6f}{more},"command":"{command}",'
                f'"answer":"{answer}"{rest}}}\n'
            )
        case Reset(at, atr, interface, slot):
            told = {"atr": _hex(atr), "interface": interface.value}
            return f'{{"event":"reset","at":{at:.6f}{_rest(slot, told)}}}\n'
        case Fault(at, kind, sentence, of, took, slot):
            more = "" if took is None else f',"took":{took:.6f}'
            told = {} if of is None else {"command": _hex(of.command, of.hidden)}
            told |= {"kind": kind, "sentence": sentence}
            return f'{{"event":"fault","at":{at:.6f}{more}{_rest(slot, told)}}}\n'
        case Remark(at, text):
            return f'{{"event":"remark","at":{at:.6f}{_rest(FIRST_SLOT, {"text": text})}}}\n'
        case Unknown(at, kind, fields):
            told = {"event": kind} | {k: v for k, v in fields.items() if k not in ("event", "at")}
            return f'{{"at":{at:.6f},{_json(told)[1:]}\n'


def _hex(raw: bytes, hidden: range = range(0)) -> str:
    text = raw.hex().upper()
    if not hidden:
        return text
    return text[: 2 * hidden.start] + HIDDEN * len(hidden) + text[2 * hidden.stop :]


def _rest(slot: str, told: Mapping[str, object]) -> str:
    """More fields behind those that are written by hand."""
    if slot != FIRST_SLOT:
        told = {"slot": slot} | dict(told)
    return "," + _json(told)[1:-1] if told else ""


def _json(told: Mapping[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


# Reading


class _Masks:
    """Masks each slot's conversation."""

    def __init__(self) -> None:
        self._slots: dict[str, Masking] = {}

    def again(self, slot: str, exchange: Exchange) -> Exchange:
        return self._slots.setdefault(slot, Masking()).again(exchange)


def _header(line: Line) -> Header:
    version = line.told.get(NAME)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FormatError(f'recording, line 1: no header, which has "{NAME}" and a version')
    if version != VERSION:
        raise FormatError(
            f"recording of version {version}, which is newer than version {VERSION},"
            " the one that this program reads"
        )
    card = line.inner("card")
    secrets = line.text("secrets")
    if secrets not in (MASKED, KEPT):
        raise line.wrong("secrets", f"neither {MASKED} nor {KEPT}")
    return Header(
        card.raw("atr") if "atr" in card.told else b"",
        card.interface(),
        card.text("protocol", ""),
        secrets == KEPT,
        line.text("by", ""),
        line.text("remark", ""),
    )


def _event(line: Line, last: float, masks: _Masks | None) -> Event:
    """The event on a line; without `masks` what is secret is kept."""
    if NAME in line.told:
        raise FormatError(f"recording, line {line.number}: a second header")
    kind = line.text("event")
    at = line.seconds("at")
    if at < last:
        raise line.wrong("at", f"out of order: {at:.6f} after {last:.6f}")
    make = _EVENTS.get(kind)
    return Unknown(at, kind, line.told) if make is None else make(line, at, masks)


def _exchanged(line: Line, at: float, masks: _Masks | None) -> Event:
    slot = line.text("slot", FIRST_SLOT)
    command, hidden = line.command()
    answer, hidden_answer = line.answer()
    exchange = Exchange(command, answer, hidden, hidden_answer)
    if masks is not None:
        exchange = masks.again(slot, exchange)
    return Exchanged(at, exchange, line.optional_seconds("took"), line.text("reason", ""), slot)


def _fault(line: Line, at: float, masks: _Masks | None) -> Event:
    slot = line.text("slot", FIRST_SLOT)
    exchange: Exchange | None = None
    if "command" in line.told:
        command, hidden = line.command()
        exchange = Exchange(command, b"", hidden)
        if masks is not None:
            exchange = masks.again(slot, exchange)
    kind, sentence = line.text("kind"), line.text("sentence", "")
    return Fault(at, kind, sentence, exchange, line.optional_seconds("took"), slot)


def _reset(line: Line, at: float, masks: _Masks | None) -> Event:
    return Reset(at, line.raw("atr"), line.interface(), line.text("slot", FIRST_SLOT))


def _remark(line: Line, at: float, masks: _Masks | None) -> Event:
    return Remark(at, line.text("text"))


_EVENTS: Final[dict[str, Callable[[Line, float, _Masks | None], Event]]] = {
    "exchange": _exchanged,
    "fault": _fault,
    "reset": _reset,
    "remark": _remark,
}
