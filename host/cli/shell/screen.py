# SPDX-License-Identifier: Apache-2.0
"""What a person or a program sees of a line. Nothing that a card says can steer a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from apdu.sw import SW, remaining, sentence, tries_left
from host.cli.explanation import Explanation
from host.cli.names import Shown
from host.cli.render import Teller, console, hex_lines, items_table, put
from host.cli.shell.expectations import Answer
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.cli.text import packed, say_json, spaced, visible

_MANY: Final = 256
"""Bytes that are shown of a file without being asked for all."""


class Screen:
    """Standard output, for people; `as_json` lines go there too."""

    def __init__(self, out: Console | None = None) -> None:
        self._out = out or console()

    def greet(self, session: Session, completes: bool) -> None:
        """The first lines: which card it is, and how to go on."""
        self._line(Text(f"ATR {spaced(session.cable.atr)}", "dim"))
        self._line(Text("`help` lists the commands, Ctrl-D leaves. Begin with `select HRSS`."))
        if not completes:
            self.note("Tab completes once prompt_toolkit is there: pip install 'sscard[shell]'")

    def exchange(self, told: Explanation) -> None:
        """An exchange in hex and in words."""
        Teller(self._out, every_apdu=True).exchange(told)

    def report(self, report: Report, answer: Answer | None, *, whole: bool = False) -> None:
        """What came of a line. `answer`: the card's, whose status word is shown; `whole`: all
        bytes, however many."""
        for line in report.said:
            self._line(Text(visible_lines(line)))
        if report.exchange is not None:
            self.exchange(report.exchange)
        if report.raw:
            shown = report.raw if whole else report.raw[:_MANY]
            put(self._out, hex_lines(spaced(shown), self._out.width, "dim"), 0)
            if len(shown) < len(report.raw):
                self.note(f"... {len(report.raw) - len(shown)} bytes more (--raw shows all)")
        if report.items:
            put(self._out, items_table([_safe(item) for item in report.items]), 2)
        if report.rows:
            put(self._out, _table(report.rows), 0)
        if report.remark:
            self._line(Text(visible(report.remark), "dim"))
        if answer is not None:
            self.status(answer)

    def status(self, answer: Answer) -> None:
        """A status word and its sentence."""
        self._line(
            Text.assemble((f"{answer.sw:04X}", _style(answer.sw)), f"  {sentence(answer.sw)}")
        )

    def trouble(self, sentence: str, *more: str) -> None:
        """Why a line did not do what it should."""
        self._line(Text(visible(sentence), "red"))
        for line in more:
            if line:
                self._line(Text(visible(line), "yellow"))

    def note(self, words: str) -> None:
        self._line(Text(visible(words), "dim"))

    def _line(self, text: Text) -> None:
        put(self._out, text, 0)


def visible_lines(text: str) -> str:
    """As `visible`, line by line."""
    return "\n".join(visible(line) for line in text.split("\n"))


def as_json(verb: str, report: Report, answer: Answer | None, number: int | None) -> dict[str, Any]:
    """What came of a line, for programs."""
    told: dict[str, Any] = {} if number is None else {"line": number}
    told |= {"command": verb, "ok": True}
    if answer is not None:
        told |= _answer(answer)
    if report.said:
        told["said"] = list(report.said)
    if report.items:
        told["items"] = [item.as_json() for item in report.items]
    return told | dict(report.told)


def trouble_as_json(
    verb: str,
    error: Exception,
    answer: Answer | None,
    number: int | None,
    why: dict[str, object] | None,
) -> dict[str, Any]:
    """Why a line failed, for programs."""
    told: dict[str, Any] = {} if number is None else {"line": number}
    told |= {"command": verb, "ok": False}
    if answer is not None:
        told |= _answer(answer)
    told["error"] = {"kind": type(error).__name__, "message": visible(str(error))}
    return told | {"why": why}


def say(document: dict[str, Any]) -> None:
    say_json(document)


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "data": None if answer.data is None else packed(answer.data),
        "sw": f"{answer.sw:04X}",
        "sentence": sentence(answer.sw),
    }


def _safe(item: Shown) -> Shown:
    value = None if item.value is None else visible(item.value)
    return replace(item, value=value, meaning=visible(item.meaning))


def _table(rows: Sequence[Sequence[str]]) -> Table:
    """Columns two blanks apart, the first row dim."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for at in range(len(rows[0])):
        table.add_column(no_wrap=at == 0, overflow="fold")
    for at, row in enumerate(rows):
        table.add_row(*(Text(visible(cell)) for cell in row), style="dim" if not at else "")
    return table


def _style(sw: int) -> str:
    if sw == SW.OK:
        return "bold green"
    hint = sw >> 8 in (0x62, 0x6C) or tries_left(sw) is not None or remaining(sw) is not None
    return "bold yellow" if hint else "bold red"
