# SPDX-License-Identifier: Apache-2.0
"""What `sscard info` found, on a terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from host.cli.info import CardReport, Content, Presence
from host.cli.names import DIRECTORY_ENGLISH, file_words
from host.cli.psam_info import PsamReport
from host.cli.render import Signs, console, hex_lines, items_table, put
from host.cli.text import spaced, visible


def show(report: CardReport | PsamReport) -> None:
    """Write the report to standard output."""
    out = console()

    def section(title: str, *parts: RenderableType) -> None:
        out.print(Rule(Text(title, "bold"), align="left", style="cyan"))
        for part in parts:
            put(out, part)
        out.print()

    signs = Signs.for_encoding(out.encoding)
    section(
        "Answer to reset  复位应答",
        hex_lines(spaced(report.atr), out.width),
        items_table(report.reset),
    )
    if isinstance(report, PsamReport):
        section("PSAM  终端安全存取模块", *_facts(report))
        return
    section("Applications  应用", _applications(report.applications, signs))
    for content in report.files:
        section(file_words(content.file), *_content(content, out.width))
    if report.pin is None:
        section(
            "This is no social security card",
            Text("It does not have the application sx1.sh.社会保障.", "bold red"),
        )
    else:
        section("PIN  个人密码", Text(report.pin.words, "bold"))


def _facts(report: PsamReport) -> list[RenderableType]:
    if report.facts is None:
        return [Text(visible(report.trouble), "bold red")]
    return [items_table(list(report.facts.words()))]


def _applications(found: tuple[Presence, ...], signs: Signs) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for each in found:
        application = each.application
        sign = Text(signs.good, "green") if each.found else Text("-", "dim")
        style = "" if each.found else "dim"
        english = DIRECTORY_ENGLISH.get(application.label, "")
        table.add_row(
            sign,
            Text(application.label, "bold" if each.found else "dim"),
            Text(english, style),
            Text(application.chinese, style),
            Text(visible(each.remark), "yellow"),
        )
    return table


def _content(content: Content, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if content.items:
        parts.append(items_table(content.items))
    if content.trouble:
        parts.append(Text(visible(content.trouble), "bold red"))
    if content.trouble and content.raw:
        parts.append(hex_lines(spaced(content.raw), width))
    return parts
