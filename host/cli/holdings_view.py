# SPDX-License-Identifier: Apache-2.0
"""What money a card has, and what it did with it, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from apdu.wire.pboc import tags
from host.cli.holdings import Holdings, Logged
from host.cli.names import Shown
from host.cli.payment_names import PURPOSES, STATES
from host.cli.render import console, items_table, put
from host.cli.text import visible
from host.cli.yuan import said
from host.network.authorisation import RMB
from host.network.purposes import TRANSACTION_TYPES
from host.terminal.kernel.data import masked
from host.terminal.pboc_log import LoggedLoad, LoggedTransaction

_TYPES = {code.hex(): purpose for purpose, code in TRANSACTION_TYPES.items()}


def show_balance(found: Holdings) -> None:
    out = console()
    face = found.face
    state = ", the application is blocked 应用已锁定" if face.blocked else ""
    put(out, Text(f"{masked(face.pan)}, good until {face.expires.isoformat()}{state}", "bold"), 0)
    out.print()
    _section(out, "Electronic cash  电子现金", list(_cash(found)))
    told = [
        Shown("", each.english, each.chinese, said(each.value), "yuan")
        if each.amount
        else Shown("", each.english, each.chinese, str(each.value))
        for each in found.facts
        if each.value is not None
    ]
    _section(out, "Counters  计数器", told)
    if found.account is not None:
        account = found.account
        english, chinese = STATES[account.state]
        frozen = ", frozen 已冻结" if account.frozen else ""
        rows = [
            Shown("", "state", "状态", f"{english} {chinese}{frozen}"),
            Shown("", "balance", "账户余额", said(account.balance), "yuan"),
            Shown("", "available", "可用余额", said(account.available), "yuan"),
            Shown("", "held for electronic cash", "电子现金资金", said(account.cash), "yuan"),
        ]
        _section(out, "Account  账户", rows)


def show_log(found: Logged) -> None:
    out = console()
    _table(
        out,
        "Transactions  交易日志",
        ("time", "type", "amount", "merchant", "counter"),
        [_transaction(each) for each in found.transactions],
    )
    _table(
        out,
        "Loads  圈存日志",
        ("time", "before", "after", "merchant", "counter"),
        [_load(each) for each in found.loads],
    )


def _cash(found: Holdings) -> Iterator[Shown]:
    cash = found.cash
    if cash.balance is None:
        yield Shown("", "none", "无", "this card has no electronic cash")
        return
    yield Shown("", "balance", "余额", said(cash.balance), "yuan")
    if cash.limit is not None:
        yield Shown("", "balance limit", "余额上限", said(cash.limit), "yuan")
    if cash.single_limit is not None:
        yield Shown("", "limit of one transaction", "单笔交易限额", said(cash.single_limit), "yuan")
    if found.second_currency and cash.second is not None:
        value = f"{cash.second} in the minor unit of {found.second_currency}"
        yield Shown("", "second currency", "第二币种余额", value)


def _transaction(each: LoggedTransaction) -> tuple[str, ...]:
    return (
        _time(each),
        _type(each.kind),
        _money(each.amount, each.currency),
        visible(each.merchant or ""),
        "" if each.atc is None else str(each.atc),
    )


def _load(each: LoggedLoad) -> tuple[str, ...]:
    code = RMB if each.tag == tags.EC_BALANCE else None
    logged = each.transaction
    return (
        _time(logged),
        _money(each.before, code),
        _money(each.after, code),
        visible(logged.merchant or ""),
        "" if logged.atc is None else str(logged.atc),
    )


def _time(each: LoggedTransaction) -> str:
    return each.time.isoformat(" ") if each.time else ""


def _type(code: str | None) -> str:
    purpose = _TYPES.get(code or "")
    return f"{purpose.value} {PURPOSES[purpose]}" if purpose else code or ""


def _money(amount: int | None, currency: str | None) -> str:
    """Yuan; of another currency the minor unit, for how many decimals it has nobody told us."""
    if amount is None:
        return ""
    if currency in (RMB, None):
        return f"{said(amount)}"
    return f"{amount} ({currency})"


def _section(out: Console, title: str, rows: list[Shown]) -> None:
    out.print(Rule(Text(title, "bold"), align="left", style="cyan"))
    put(out, items_table(rows))
    out.print()


def _table(out: Console, title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    out.print(Rule(Text(title, "bold"), align="left", style="cyan"))
    if not rows:
        put(out, Text("empty 无记录", "dim"))
    else:
        table = Table.grid(padding=(0, 2, 0, 0))
        for head in heads:
            table.add_column(justify="right" if head in _NUMBERS else "left", overflow="fold")
        table.add_row(*heads, style="dim")
        for row in rows:
            table.add_row(*row)
        put(out, table)
    out.print()


_NUMBERS = frozenset({"amount", "before", "after", "counter"})
