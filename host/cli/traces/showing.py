# SPDX-License-Identifier: Apache-2.0
"""`sscard trace show`: a recording in words, for people or as JSON, event by event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.text import Text

from apdu.recording import (
    FIRST_SLOT,
    VERSION,
    Event,
    Exchanged,
    Fault,
    Header,
    Recording,
    Remark,
    Reset,
    Unknown,
)
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.render import INDENT, Teller, put
from host.cli.text import packed, spaced, visible
from host.cli.traces.differing import PSAM


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, and what it means. `number`: of resets, exchanges and faults, from 1; else 0."""

    number: int
    event: Event
    told: Explanation | None = None
    """Of an exchange, and of a command that was not answered."""

    def as_json(self) -> dict[str, object]:
        event = self.event
        told: dict[str, object] = {"number": self.number, "at": event.at}
        match event:
            case Reset(_, atr, interface, slot):
                more: dict[str, Any] = {"slot": slot, "atr": packed(atr)}
                return told | {"event": "reset", "interface": interface.value} | more
            case Exchanged(_, _, took, reason, slot):
                told |= {"event": "exchange", "took": took, "slot": slot, "reason": reason}
            case Fault(_, kind, sentence, _, took, slot):
                told |= {"event": "fault", "took": took, "slot": slot}
                told |= {"kind": kind, "fault": sentence}
            case Remark(_, text):
                return told | {"event": "remark", "text": text}
            case Unknown(_, kind, fields):
                return told | {"event": kind, "unknown": True, "fields": dict(fields)}
        return told | (self.told.as_json() if self.told is not None else {})


def seen(recording: Recording) -> Iterator[Seen]:
    """The events of a recording, explained. Raises what taking them raises."""
    explainers: dict[str, Explainer] = {}
    number = 0
    for event in recording:
        if isinstance(event, Remark | Unknown):
            yield Seen(0, event)
            continue
        number += 1
        explainer = explainers.get(event.slot)
        if explainer is None:
            psam = event.slot.startswith(PSAM)
            explainer = explainers[event.slot] = Explainer(psam=psam)
        exchange = None if isinstance(event, Reset) else event.exchange
        if exchange is None:
            explainer.reset()
            yield Seen(number, event)
            continue
        told = explainer.explain(exchange)
        if event.slot.startswith(PSAM):
            told = replace(told, to="psam")
        yield Seen(number, event, told)


def header_as_json(header: Header) -> dict[str, object]:
    return {
        "version": VERSION,
        "by": header.by,
        "atr": packed(header.atr),
        "interface": header.interface.value,
        "protocol": header.protocol,
        "secrets": "kept" if header.kept else "masked",
        "remark": header.remark,
    }


class Shower:
    """Shows a recording on a terminal, as the demo shows its exchanges."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._teller = Teller(out, every_apdu=True)

    def head(self, header: Header) -> None:
        words = [header.interface.value, header.protocol, f"made by {header.by or 'nobody knows'}"]
        words.append("PINs and keys are in it" if header.kept else "PINs and keys masked")
        self._print(Text(visible(", ".join(filter(None, words))), "bold"), 0)
        if header.remark:
            self._print(Text(visible(header.remark), "italic"), 0)
        if header.atr:
            self._print(Text(f"ATR {spaced(header.atr)}"), 0)
        self._out.print()

    def event(self, seen: Seen) -> None:
        event = seen.event
        match event:
            case Remark(text=text):
                self._print(Text(f"# {visible(text)}", "italic"), 0)
                return
            case Unknown(_, kind, fields):
                words = f"an event of another kind: {kind} {dict(fields)}"
                self._print(Text(visible(words), "dim"), 0)
                return
        self._print(Text(_place(seen.number, event), "dim"), 0)
        if isinstance(event, Reset):
            self._print(Text.assemble(("reset", "bold cyan"), f"  {event.interface.value}"))
            self._print(Text(f"ATR {spaced(event.atr)}"))
            self._out.print()
            return
        if seen.told is not None:
            self._teller.exchange(seen.told)
        if isinstance(event, Exchanged) and event.reason:
            self._print(Text(f"because: {visible(event.reason)}", "yellow"))
            self._out.print()
        if isinstance(event, Fault):
            self._print(Text(visible(f"{event.kind}: {event.sentence}"), "bold red"))
            self._out.print()

    def lost(self, sentence: str) -> None:
        self._print(Text(visible(sentence), "bold red"), 0)

    def _print(self, what: Text, indent: int = INDENT) -> None:
        put(self._out, what, indent)


def _place(number: int, event: Reset | Exchanged | Fault) -> str:
    """Which event it is, when it began, and how long it took."""
    words = f"{number}  {event.at:.6f} s"
    took = None if isinstance(event, Reset) else event.took
    if took is not None:
        words += f", took {took * 1000:.3f} ms"
    return words if event.slot == FIRST_SLOT else f"{words}, {visible(event.slot)}"
