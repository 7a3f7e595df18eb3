# SPDX-License-Identifier: Apache-2.0
"""The bank's receipts and statements on a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from host.cli.banking import Done
from host.cli.names import Shown
from host.cli.payment_names import OPERATIONS
from host.cli.render import Signs, console, items_table, put
from host.cli.text import visible
from host.cli.yuan import said, with_yuan
from host.issuer.accounts import Statement, StatementLine


def show(done: Done) -> None:
    """Write a receipt to standard output."""
    out = console()
    posted = done.posted
    sign = Signs.for_encoding(out.encoding).good
    amount = f"{said(posted.amount)} yuan " if posted.amount else ""
    line = f"{amount}{visible(done.verb)} {done.chinese}"
    put(out, Text.assemble((f"{sign} ", "bold green"), (line, "bold")), 0)
    if posted.again:
        put(out, Text("This order was answered before; nothing was done now.", "yellow"), 2)
    rows = [
        Shown("", "account", "账号", done.pan),
        Shown("", "balance", "账户余额", said(posted.balance), "yuan"),
        Shown("", "available", "可用余额", said(posted.available), "yuan"),
        Shown("", "reference", "参考号", posted.reference),
    ]
    put(out, items_table(rows))
    if done.remark:
        put(out, Text(visible(done.remark), "italic"))


def show_statement(found: Statement) -> None:
    """Write a statement to standard output."""
    out = console()
    head = f"Statement 对账单  {found.pan}  {found.since.isoformat()} to {found.until.isoformat()}"
    put(out, Text(head, "bold"), 0)
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=table.columns == [], overflow="fold")
    table.add_row("time", "what", "amount", "balance", "reference", "by", style="dim")
    table.add_row("", "opening 期初余额", "", said(found.opening), "", "")
    for line in found.lines:
        table.add_row(
            line.at.isoformat(" ", "minutes"),
            _what(line),
            Text(_signed(line.amount), "red" if line.amount < 0 else "green"),
            said(line.balance),
            line.reference,
            visible(line.by),
        )
    table.add_row("", "closing 期末余额", "", said(found.closing), "", "", style="bold")
    put(out, table)


def statement_as_json(found: Statement) -> dict[str, Any]:
    return with_yuan(
        {
            "pan": found.pan,
            "since": found.since.isoformat(),
            "until": found.until.isoformat(),
            "opening": found.opening,
            "closing": found.closing,
            "lines": [
                with_yuan(
                    {
                        "time": line.at.isoformat(),
                        "operation": line.operation.value,
                        "reversal": line.reversal,
                        "amount": line.amount,
                        "balance": line.balance,
                        "reference": line.reference,
                        "by": line.by,
                    },
                    "amount",
                    "balance",
                )
                for line in found.lines
            ],
        },
        "opening",
        "closing",
    )


def _what(line: StatementLine) -> str:
    if line.reversal:
        return f"reversal of {line.operation.value} 冲正"
    return f"{line.operation.value} {OPERATIONS.get(line.operation, '')}".rstrip()


def _signed(fen: int) -> str:
    return f"{'-' if fen < 0 else '+'}{said(abs(fen))}"
