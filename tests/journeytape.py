# SPDX-License-Identifier: Apache-2.0
"""A journey as text: what a program calls, and what passes between the reader and the cards in it.

    # call iReadCardBas iType=1
    ^ 3B 6D 00 00 ...           the card is powered on or reset, and this is its ATR
    > 00 A4 04 00 ...           a command to the card
    < 6F 16 ... 90 00           its answer
    >! B0 2C 01 00 ...          a command that came too late: the card had been pulled
    <! 5A 3C ... 90 00          an answer that nobody heard: the card was pulled meanwhile
    psam> 00 A4 ...             the same for the PSAM in the second slot,
    psam-440300< 61 08          for one that is not the nation's but of this region,
    psam-2.0^ 3B 6D 00 00 ...   and for one that is for cards of this generation
    field^ 3B 6D 00 00 ...      the same card, held to a contactless reader
    # answer 0 430200|...|      what the program is told

Other remarks tell what the holder types, and what goes to the key centre. Journeys hold test PINs
in the clear, so `apdu.trace`, which masks them, is not what reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

CARD: Final = ""
"""The name of the card's slot."""
FIELD: Final = "field"
"""The same card in a reader's field."""
POWER, COMMAND, ANSWER = "^", ">", "<"
LATE, UNHEARD = ">!", "<!"
_LINE: Final = re.compile(
    r"(psam(?:-[0-9]{6}|-[0-9]\.[0-9])?|field|)([><]!?|\^) ([0-9A-F]{2}(?: [0-9A-F]{2})*)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What passed at one of the slots."""

    slot: str
    mark: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.slot}{self.mark} {self.raw.hex(' ').upper()}"


@dataclass(frozen=True, slots=True)
class Remark:
    """What is told beside it: on one line."""

    text: str

    def __str__(self) -> str:
        assert self.text.isprintable(), self.text
        return f"# {self.text}"


Entry = Line | Remark


def write(entries: Iterable[Entry]) -> str:
    return "".join(f"{entry}\n" for entry in entries)


def read(text: str) -> Iterator[Entry]:
    """The entries of a journey; ValueError for a line that is none, or a command unanswered."""
    asked: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("# "):
            yield Remark(line[2:])
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number}: neither a remark nor what passed at a slot")
        slot, mark, digits = found.groups()
        if (slot if mark in (ANSWER, UNHEARD) else None) != asked:
            raise ValueError(f"line {number}: {mark} out of turn")
        asked = slot if mark == COMMAND else None
        yield Line(slot, mark, bytes.fromhex(digits))
    if asked is not None:
        raise ValueError("the last command has no answer")


def functions(text: str) -> set[str]:
    """The functions that are called in a journey."""
    return set(re.findall(r"^# call (\w+)", text, re.MULTILINE))
