# SPDX-License-Identifier: Apache-2.0
"""What `sscard doctor` found, on a terminal: a line a check, what to type below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from host.cli.render import console
from host.cli.text import visible
from host.doctor.finding import Finding, Verdict

_SIGNS: Final[Mapping[Verdict, tuple[str, str, str]]] = {
    Verdict.OK: ("✔", "ok", "green"),
    Verdict.WARNING: ("!", "!", "yellow"),
    Verdict.PROBLEM: ("✘", "NO", "red"),
    Verdict.UNKNOWN: ("?", "?", "yellow"),
    Verdict.NOT_APPLICABLE: ("–", "-", "dim"),
}
"""For terminals that can show them, for those that cannot, and the style."""
_NAME: Final = 13
"""Columns of the longest name of a check."""
_INDENT: Final = 7


def show(findings: tuple[Finding, ...], first: Finding | None) -> None:
    """Write the findings to standard output."""
    out = console()
    for each in findings:
        _line(out, each)
        if each.fix and each.verdict is not Verdict.OK:
            _lines_to_type(out, each)
    out.print()
    if first is None:
        out.print(Text("Nothing keeps PC/SC from working here.", "bold"))
        return
    problems = sum(each.verdict is Verdict.PROBLEM for each in findings)
    more = f" (of {problems} problems; an earlier one is often the cause)" if problems > 1 else ""
    out.print(Text.assemble(("First: ", "bold"), (first.name, "bold red"), more))
    if first.fix:
        _lines_to_type(out, first)
        out.print(Text("Then run `sscard doctor` again."))


def _line(out: Console, finding: Finding) -> None:
    sign, plain, style = _SIGNS[finding.verdict]
    if not _can_show(out.encoding):
        sign = plain
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=2)
    table.add_column(width=_NAME)
    table.add_column(overflow="fold")
    quiet = finding.verdict is Verdict.NOT_APPLICABLE
    table.add_row(
        Text(sign, f"bold {style}"),
        Text(finding.name, "dim" if quiet else "bold"),
        Text(_said(finding), "dim" if quiet else ""),
    )
    out.print(table)


def _lines_to_type(out: Console, finding: Finding) -> None:
    """Not wrapped by us: a line must stay one to be copied."""
    for line in finding.fix:
        style = "dim" if line.startswith("#") else "cyan"
        out.print(Text(" " * _INDENT + visible(line), style), soft_wrap=True)


def _said(finding: Finding) -> str:
    return visible(finding.sentence)


def _can_show(encoding: str) -> bool:
    try:
        "".join(sign for sign, _, _ in _SIGNS.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
