# SPDX-License-Identifier: Apache-2.0
"""The story on a terminal: colours, tables, hex in columns. Without colour nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from apdu.sw import SW, remaining, tries_left
from apdu.trace import HIDDEN
from apdu.wire.iso7816 import SELECT
from host.cli.explanation import Explanation, Made
from host.cli.names import Shown, directory_words
from host.cli.stage import Played
from host.cli.text import spaced

INDENT: Final = 3
_NAME, _VALUE = 20, 30
"""Columns that names and values have at least, if they need them."""
_NARROWEST, _WIDEST = 80, 120
"""Columns: with fewer, columns would be cut, so the terminal may wrap; more are harder to read."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The few signs that not every terminal can show."""

    sent: str = "→"
    got: str = "←"
    good: str = "✓"
    bad: str = "✗"
    bar: str = "│"
    hidden: str = HIDDEN

    @classmethod
    def for_encoding(cls, encoding: str) -> Signs:
        try:
            "→←✓✗•│".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return cls(">", "<", "OK:", "WRONG:", "|", "**")
        return cls()


def console() -> Console:
    """Standard output: colour only on a terminal, and none if NO_COLOR is set."""
    made = Console(highlight=False, markup=False, emoji=False)
    made.width = min(max(made.width, _NARROWEST), _WIDEST)
    return made


class Teller:
    """Shows the steps of a story as they are played."""

    def __init__(self, out: Console, every_apdu: bool) -> None:
        self._out = out
        self._signs = Signs.for_encoding(out.encoding)
        self._every_apdu = every_apdu
        self._made: list[Made] = []
        self._fcis: set[bytes] = set()

    def open(self, name: str) -> None:
        """The first lines: what this is, and how to read it."""
        signs = self._signs
        self._out.print(Text(f"A social security card (社会保障卡) for {name}", "bold"))
        self._print(
            Text(
                "The chip lives in memory, and all its keys are published test keys."
                f" {signs.sent} is what the terminal sends, {signs.got} what the card answers,"
                f" {signs.hidden} a byte of a PIN or key. The bar {signs.bar} stands beside what is"
                " said to the PSAM (终端安全存取模块), the terminal's own card."
            )
        )
        self._out.print()

    def tell(self, played: Played) -> None:
        step, exchanges = played.step, played.exchanges
        title = Text.assemble((f"{played.number:<2} {step.title}", "bold"), f"  {step.chinese}")
        if not played.begun:
            self._out.print(Text.assemble(title, f": {played.seen}", style="dim"))
            return
        self._out.print(Rule(title, align="left", style="cyan"))
        self._print(Text(step.expected, "italic"))
        self._out.print()
        if step.long and not self._every_apdu:
            told = [each for each in exchanges if played.ok and each.name in step.shown]
            told = told or list(exchanges[-2:])
            self._condensed([each for each in exchanges if each not in told])
            exchanges = tuple(told)
        for exchange in exchanges:
            self.exchange(exchange)
        self._verdict(played.ok, played.seen)

    def close(self, steps: int, well: int) -> None:
        """The last line: how the story went."""
        self._out.print(Rule(style="cyan"))
        if well == steps:
            self._verdict(True, f"all {steps} steps did what they had to")
            self._print(
                Text("Next: sscard issue HOLDER.json -o CARD.img, sscard info --card CARD.img")
            )
        else:
            self._verdict(False, f"only {well} of {steps} steps did what they had to")

    def _verdict(self, ok: bool, words: str) -> None:
        style = "green" if ok else "red"
        sign = Text(self._signs.good if ok else self._signs.bad, f"bold {style}")
        self._print(_beside(sign, Text(words, style)))
        self._out.print()

    def exchange(self, told: Explanation) -> None:
        """Command and answer, in hex and in words."""
        signs = self._signs
        to_psam = told.to == "psam"
        bar = Text(f"{signs.bar} " if to_psam else "", "magenta")
        width = self._out.width - bar.cell_len

        def show(what: RenderableType, indent: int = 0) -> None:
            put(self._out, what, INDENT, bar + Text(" " * indent))

        words = Text(told.meaning)
        if told.remark:
            words.append(f" ({told.remark})", "italic")
        name = Text.assemble(("PSAM: " if to_psam else "", "magenta"), (told.name, "bold cyan"))
        show(_beside(name, words))
        command = told.exchange.command_text.replace(HIDDEN, signs.hidden)
        show(_beside(Text(signs.sent, "cyan"), hex_lines(command, width)))
        self._items(told.sent, show)
        got = Text(signs.got, "cyan")
        if told.answer_words:
            data = " ".join(told.answer_words).replace(HIDDEN, signs.hidden)
            show(_beside(got, hex_lines(data, width, "dim")))
            if not self._is_known(told):
                self._items(told.got, show)
            got = Text(" ")
        if told.sw is None:
            status = Text(told.sentence, _style(None))
        else:
            sw = spaced(told.exchange.answer[-2:])
            status = Text.assemble((sw, _style(told.sw)), f"  {told.sentence}")
        show(_beside(got, status))
        self._out.print()

    def _is_known(self, told: Explanation) -> bool:
        """Whether it is an FCI that was taken apart before: terminals select again and again."""
        if told.name != SELECT.name:
            return False
        known = told.exchange.answer in self._fcis
        self._fcis.add(told.exchange.answer)
        return known

    @staticmethod
    def _items(items: Sequence[Shown], show: Callable[[RenderableType, int], None]) -> None:
        if items:
            show(items_table(items), 2)

    def _condensed(self, told: Sequence[Explanation]) -> None:
        """Personalisation: how many commands, and what they created."""
        counts = Counter(each.name for each in told)
        words = ", ".join(f"{count} {name}" for name, count in counts.items())
        self._print(Text(f"{len(told)} commands (--all shows them): {words}."))
        self._out.print()
        made = [each.made for each in told if each.made]
        if not made:
            return
        if made == self._made:
            self._print(Text("The same files, PIN and keys as before."))
        else:
            self._made = made
            self._creation(made)
        self._out.print()

    def _creation(self, made: Sequence[Made]) -> None:
        """The files that were created, and the secrets in each directory."""
        headings: tuple[str, ...] = _HEADINGS
        cells = [_HEADINGS, *(_cells(each) for each in made if each.read)]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        for directory, group in groupby(made, lambda each: each.directory):
            things = list(group)
            self._print(Text(directory_words(directory), "bold"))
            secrets = Counter(f"{each.what} {each.name}" for each in things if each.secret)
            if secrets:
                # What may be one of several, and came as often, is all of them.
                words = (
                    each.replace(" or ", " and ") if n > 1 else each for each, n in secrets.items()
                )
                self._print(Text(", ".join(words)), INDENT + 2)
            files = [each for each in things if each.read]
            if files:
                table = _grid(*widths)
                if headings:
                    table.add_row(*headings, style="dim")
                    headings = ()
                for each in files:
                    table.add_row(*_cells(each))
                self._print(table, INDENT + 2)

    def _print(self, what: RenderableType, indent: int = INDENT) -> None:
        put(self._out, what, indent)


def put(out: Console, what: RenderableType, indent: int = INDENT, lead: Text | None = None) -> None:
    """Print something indented, behind `lead` on every line, and without blanks at the ends."""
    lead = lead or Text()
    options = out.options.update(width=out.width - indent - lead.cell_len)
    for line in out.render_lines(what, options, pad=False):
        text = Text(" " * indent) + lead
        for segment in line:
            text.append(segment.text, segment.style)
        text.rstrip()
        out.print(text, soft_wrap=True)


def hex_lines(text: str, width: int, style: str = "") -> Text:
    """Spaced hex in lines of a multiple of eight bytes."""
    pairs = text.split(" ")
    count = max((width - INDENT - 2) // 24 * 8, 8)
    lines = (" ".join(pairs[at : at + count]) for at in range(0, len(pairs), count))
    return Text("\n".join(lines), style)


@dataclass(frozen=True, slots=True)
class ItemsTable:
    """Items in columns: tag if there are any, English, Chinese, value. Where they are too wide
    for the terminal, names wrap first."""

    items: Sequence[Shown]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        if not self.items:
            return
        tagged = any(item.tag for item in self.items)
        rows = [
            (
                *([Text("  " * item.depth + item.tag, "dim")] if tagged else []),
                Text(item.english),
                Text(item.chinese),
                _value(item),
            )
            for item in self.items
        ]
        natural = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
        table = _grid(*(0 for _ in natural))
        room = options.max_width - sum(natural[:-3]) - 2 * (len(natural) - 1)
        english, chinese, value = natural[-3:]
        if english + chinese + value > room:
            chinese = min(chinese, _NAME)
            english = min(english, max(room - chinese - min(value, _VALUE), _NAME))
            for column, width in zip(table.columns[-3:], (english, chinese, None), strict=True):
                column.no_wrap, column.width, column.overflow = False, width, "fold"
        for row in rows:
            table.add_row(*row)
        yield table


def items_table(items: Sequence[Shown]) -> ItemsTable:
    return ItemsTable(items)


def _value(item: Shown) -> Text:
    if item.value is None:
        return Text()
    if not item.value and not item.meaning:
        return Text("(empty)", "dim")
    return Text.assemble((item.value, "bold"), f" {item.meaning}" if item.meaning else "")


_HEADINGS: Final = ("file", "", "size", "read", "update")


def _cells(made: Made) -> tuple[str, str, str, str, str]:
    return made.what, made.name, made.size, made.read, made.update


def _grid(*widths: int) -> Table:
    """Columns two blanks apart; only the last one may wrap."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in widths[:-1]:
        table.add_column(min_width=width, no_wrap=True)
    table.add_column(min_width=widths[-1], overflow="fold")
    return table


def _beside(first: Text, second: Text) -> Table:
    """Two columns, of which the second one wraps."""
    table = Table.grid(padding=(0, 2 if first.cell_len > 1 else 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(first, second)
    return table


def _style(sw: int | None) -> str:
    """Green for yes, yellow for a warning or a number, red for no."""
    if sw is None:
        return "bold red"
    if sw == SW.OK:
        return "bold green"
    hint = sw >> 8 in (0x62, 0x6C) or tries_left(sw) is not None or remaining(sw) is not None
    return "bold yellow" if hint else "bold red"
