# SPDX-License-Identifier: Apache-2.0
"""What a script expects of an answer: patterns of status words and of data, and parts of answers.

expect 9000                     expect 63Cx
expect 61xx|9000                expect data 6F .. 84 0F 73*
expect 9000 data *              expect value 姓名 张三
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from apdu.trace import HIDDEN
from host.cli.shell.lines import BadLine
from host.cli.text import packed

_ANY: Final = ("..", "??")
_STATUS: Final = re.compile(r"[0-9A-FX]{4}", re.ASCII)
_PART: Final = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:(sw)|data(?:\[(\d{0,6}):(\d{0,6})\])?)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: data, None where they are a secret, and the status word."""

    data: bytes | None
    sw: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer must be like; an empty one takes any."""

    statuses: tuple[str, ...] = ()
    """Four digits each, x for any."""
    data: tuple[int | None, ...] | None = None
    """Bytes, None for any byte."""
    open_end: bool = False
    """Whether more may follow."""

    def wrong(self, answer: Answer) -> tuple[str, str] | None:
        """What was expected, and what came, where that is not the same."""
        sw = f"{answer.sw:04X}"
        if self.statuses and not any(_fits(each, sw) for each in self.statuses):
            return " or ".join(self.statuses), sw
        if self.data is None:
            return None
        if answer.data is None:
            return f"data {self.data_words}", f"data that are a secret, {HIDDEN}"
        right = len(answer.data) >= len(self.data) and (
            self.open_end or len(answer.data) == len(self.data)
        )
        if right and all(e in (None, b) for e, b in zip(self.data, answer.data, strict=False)):
            return None
        return f"data {self.data_words}", f"data {packed(answer.data) or '(none)'}"

    @property
    def data_words(self) -> str:
        pattern = "".join(".." if each is None else f"{each:02X}" for each in self.data or ())
        return (pattern + "*" * self.open_end) or "(none)"


def expectation(words: Sequence[str]) -> Expectation:
    """`[STATUS[|STATUS]...] [data PATTERN]`. Raises BadLine."""
    at = next((at for at, word in enumerate(words) if word.lower() == "data"), len(words))
    statuses = _statuses("".join(words[:at]))
    if at == len(words):
        if not statuses:
            raise BadLine("expect: a status word such as 9000 or 63Cx, or `data` and a pattern")
        return Expectation(statuses)
    return Expectation(statuses, *_data("".join("".join(words[at + 1 :]).split())))


def _statuses(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    found = tuple(text.upper().split("|"))
    for each in found:
        if not _STATUS.fullmatch(each):
            raise BadLine(
                "expect: a status word is four hex digits, x for any one; | between several"
            )
    return tuple(each.replace("X", "x") for each in found)


def _fits(pattern: str, sw: str) -> bool:
    return all(wanted in ("x", found) for wanted, found in zip(pattern, sw, strict=True))


def _data(text: str) -> tuple[tuple[int | None, ...], bool]:
    pattern, open_end = text.removesuffix("*"), text.endswith("*")
    found: list[int | None] = []
    for at in range(0, len(pattern), 2):
        pair = pattern[at : at + 2]
        if pair in _ANY:
            found.append(None)
        elif len(pair) == 2 and all(each in string.hexdigits for each in pair):
            found.append(int(pair, 16))
        else:
            raise BadLine(
                f"expect data: character {at + 1} begins neither two hex digits nor .. for any"
                " byte; * may stand at the end"
            )
    return tuple(found), open_end


def part_of(words: Sequence[str]) -> tuple[str, str, int | None, int | None]:
    """`NAME = sw`, `NAME = data` or `NAME = data[2:6]`: the name, which of them, from and to."""
    found = _PART.fullmatch(" ".join(words))
    if found is None:
        raise BadLine("let: must be NAME = sw, NAME = data or NAME = data[FROM:TO] (bytes from 0)")
    name, status, start, stop = found.groups()
    return (
        name,
        "sw" if status else "data",
        int(start) if start else None,
        int(stop) if stop else None,
    )
