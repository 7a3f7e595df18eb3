# SPDX-License-Identifier: Apache-2.0
"""What `sscard info` found, on a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from host.cli.bank_info import BankReport
from host.cli.info import CardReport, Content, Presence
from host.cli.names import BANK, DIRECTORY_ENGLISH, directory_words, file_words
from host.cli.psam_info import PsamReport
from host.cli.render import Signs, console, hex_lines, items_table, put
from host.cli.text import spaced, visible

_BLANK_CARD: Final = Text(
    "This is no social security card yet: it has no application, and is not sealed."
    " `sscard issue HOLDER.json` makes an image of a finished one.",
    "yellow",
)
_BLANK_PSAM: Final = Text(
    "This is no PSAM yet: it has no masters, and is not sealed."
    " `sscard issue --psam REGION` makes an image of a finished one.",
    "yellow",
)


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
        title = "A blank PSAM  空白 PSAM" if report.blank else "PSAM  终端安全存取模块"
        section(title, *_facts(report))
        return
    if report.blank:
        section("A blank card  空白卡", _BLANK_CARD)
        return
    section("Applications  应用", _applications(report.applications, signs))
    for content in report.files:
        section(file_words(content.file), *_content(content, out.width))
    if report.pin is None:
        section(
            "This is no social security card",
            Text("Its application sx1.sh.社会保障 could not be selected.", "bold red"),
        )
    else:
        section("PIN  个人密码", Text(report.pin.words, "bold"))
    if report.bank is not None:
        section(directory_words(BANK), *_bank(report.bank))


def _bank(report: BankReport) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(report.state, "bold")]
    if report.items:
        parts.append(items_table(report.items))
    if report.trouble:
        parts.append(Text(visible(report.trouble), "bold red"))
    return parts


def _facts(report: PsamReport) -> list[RenderableType]:
    if report.blank:
        return [_BLANK_PSAM]
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
    if content.guarded:
        words = (
            f"guarded by {content.guarded} 受保护: the terminal must prove that key first (6982)"
        )
        parts.append(Text(words))
    if content.trouble:
        parts.append(Text(visible(content.trouble), "bold red"))
    if content.trouble and content.raw:
        parts.append(hex_lines(spaced(content.raw), width))
    return parts
