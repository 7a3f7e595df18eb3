# SPDX-License-Identifier: Apache-2.0
"""What one can say to a running `sscard serve`: the same words in its terminal and by `control`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from card_os.image import ImageError
from card_os.plug import What
from host.cli.virtual.faults import SlotError
from host.cli.virtual.slots import Slots

HELP: Final = (
    "list                 which cards are in which slots",
    "insert SLOT [IMAGE]  put a card in; without IMAGE the one that was there last",
    "remove SLOT          take the card out; its image is closed",
    "swap SLOT IMAGE      another card; if it cannot be used, the old one stays",
    "help                 these words",
    "quit                 take all cards out and end",
)
_STATES: Final = {
    What.ABSENT: "no reader yet",
    What.CONNECTED: "in the reader",
    What.UNHEARD: "in the reader, which says nothing",
    What.ON: "in the reader, powered",
    What.RESET: "in the reader, powered",
    What.OFF: "in the reader, without power",
    What.LOST: "no reader any more",
    What.PULLED: "out of the reader",
    What.FAILED: "had a fault",
}
_WORDS: Final = {each.split()[0]: each.split("  ")[0] for each in HELP}
"""How each is to be said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    ok: bool
    lines: tuple[str, ...] = ()
    slots: tuple[dict[str, object], ...] | None = None
    """Of `list`: slot, host, port, card, state."""
    ends: bool = False
    """Whether all is to end now."""

    def as_json(self) -> dict[str, object]:
        said: dict[str, object] = {"ok": self.ok, "lines": list(self.lines)}
        return said if self.slots is None else said | {"slots": list(self.slots)}


def steer(line: str, slots: Slots) -> Answer:
    """Do what a line says. Never raises for what is typed."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        return Answer(False, (f"not understood: {error}",))
    try:
        return _done(words, slots)
    except (SlotError, ImageError) as error:
        return Answer(False, (str(error),))
    except OSError as error:
        return Answer(False, (error.strerror or str(error),))


def _done(words: list[str], slots: Slots) -> Answer:
    match words:
        case []:
            return Answer(True)
        case ["help"]:
            return Answer(True, HELP)
        case ["quit"]:
            return Answer(True, ("takes all cards out",), ends=True)
        case ["list"]:
            return _listed(slots)
        case ["insert", slot]:
            return Answer(True, (f"slot {slot}: {slots.insert(_number(slot), None)}",))
        case ["insert", slot, image]:
            return Answer(True, (f"slot {slot}: {slots.insert(_number(slot), Path(image))}",))
        case ["remove", slot]:
            return Answer(True, (f"slot {slot}: {slots.remove(_number(slot))} is out",))
        case ["swap", slot, image]:
            return Answer(True, (f"slot {slot}: {slots.swap(_number(slot), Path(image))}",))
        case [known, *_] if known in _WORDS:
            return Answer(False, (f"to be said as: {_WORDS[known]}",))
    return Answer(False, ("not understood: `help` says what there is",))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise SlotError("a slot is a number, from 1")
    return int(text)


def _listed(slots: Slots) -> Answer:
    lines, found = [], []
    for slot, (host, port), seated in slots.listed():
        state = _STATES[seated.watcher.state]
        path = seated.opened.path
        lines.append(f"slot {slot}  {host}:{port}  {path}  {state}")
        facts: dict[str, object] = {"slot": slot, "host": host, "port": port, "card": str(path)}
        found.append(facts | {"state": seated.watcher.state.value})
    return Answer(True, tuple(lines) or ("no cards",), tuple(found))
