# SPDX-License-Identifier: Apache-2.0
"""What `sscard key check` found, on a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from host.cli.key_check import CheckedKey
from host.cli.render import console, put
from host.cli.text import spaced


def show(checked: CheckedKey) -> None:
    """Write the findings to standard output."""
    out = console()
    out.print(Text(f"A key (密钥) of {checked.length} bytes", "bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row("suite", "check value 校验值", "remarks", style="dim")
    for each in checked.findings:
        remarks = Text("; ".join(each.remarks), "yellow") if each.remarks else Text("none", "dim")
        table.add_row(Text(each.suite, "bold"), Text(spaced(each.check_value), "bold"), remarks)
    put(out, table)
