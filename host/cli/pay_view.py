# SPDX-License-Identifier: Apache-2.0
"""A payment on a terminal: what came of it and why, step by step, and the bits spelled out."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from apdu.wire.pboc.flags import Ctq, Cvr, Result, Tsi, Tvr, first_of, scripts_of, second_of
from apdu.wire.pboc.meanings import spelled_out
from apdu.wire.pboc.script_results import parse_script_results
from host.cli.names import Shown
from host.cli.paying import Paid
from host.cli.payment_names import OUTCOMES, PURPOSES, STEPS, code_words
from host.cli.reasons import reason
from host.cli.render import INDENT, Signs, console, items_table, put
from host.cli.text import packed, visible
from host.cli.yuan import said
from host.terminal.kernel.trail import Decision
from host.terminal.result import Result as Outcome

_OUTCOME_WIDTH: Final = 30


def show(paid: Paid) -> None:
    """Write it to standard output."""
    out, result = console(), paid.result
    signs = Signs.for_encoding(out.encoding)
    _headline(out, signs, result)
    put(out, items_table(list(_facts(paid))))
    out.print()
    _heading(out, "Decisions  交易过程")
    _trail(out, result.trail)
    out.print()
    if result.pan:
        _bits(out, "TVR  终端验证结果", Tvr, result.tvr, 5)
        _bits(out, "TSI  交易状态信息", Tsi, result.tsi, 2)
    if result.cryptogram:
        _bits(out, "CVR  卡片验证结果", Cvr, result.cvr, 3, _numbers(result.cvr))
    if result.ctq is not None:
        _bits(out, "CTQ  卡片交易属性", Ctq, result.ctq, 2)


def _headline(out: Console, signs: Signs, result: Outcome) -> None:
    style = "green" if result.approved else "red"
    line = Text.assemble(
        (f"{signs.good if result.approved else signs.bad} ", f"bold {style}"),
        (f"{result.outcome.value} {OUTCOMES[result.outcome]}", f"bold {style}"),
        (f"   {said(result.amount)} yuan", "bold"),
        f"   {result.purpose.value} {PURPOSES[result.purpose]}",
    )
    put(out, line, 0)
    why = reason(result)
    if why:
        put(out, Text(visible(why), style), 2)
    if result.doubt:
        put(out, Text(visible(result.doubt), "bold yellow"), 2)
    out.print()


def _facts(paid: Paid) -> Iterator[Shown]:
    """What stands on a receipt, and what the terminal still has to do."""
    result = paid.result
    if result.pan:
        label = f", {visible(result.label)}" if result.label else ""
        yield Shown("", "card", "卡号", f"{result.pan}{label}")
    if result.response_code:
        english = code_words(result.response_code)[0] if result.approved else ""
        yield Shown("", "response code", "应答码", visible(result.response_code), english)
    if result.authorisation_code:
        yield Shown("", "authorisation code", "授权码", visible(result.authorisation_code))
    if result.cryptogram:
        kind = Result(result.cid >> 6).name
        yield Shown("", "cryptogram", "应用密文", packed(result.cryptogram), kind)
        yield Shown("", "transaction counter", "交易计数器", str(result.atc))
    if result.trail:
        yield Shown("", "reference", "参考号", result.reference)
    if result.signature_wanted and result.approved:
        yield Shown("", "signature", "签名", "the holder signs the receipt")
    if result.balance is not None:
        yield Shown("", "account", "账户可用余额", said(result.balance), "yuan")
    if paid.cash_after is not None:
        yield Shown("", "electronic cash", "电子现金余额", said(paid.cash_after), "yuan")
    if result.available is not None:
        yield Shown("", "available offline", "脱机可用余额", said(result.available), "yuan")
    for each in parse_script_results(result.script_results):
        became = each.outcome.name.lower().replace("_", " ")
        yield Shown("", "script", "发卡行脚本", packed(each.identifier), became)
    for english, chinese, count in (
        ("told the issuer first", "补送", paid.told.taken),
        ("refused by the issuer", "补送被拒", paid.told.refused),
    ):
        if count:
            several = "messages" if count > 1 else "message"
            yield Shown("", english, chinese, f"{count} earlier {several}")
    if paid.kept:
        yield Shown("", "owed to the issuer", "待送", f"{paid.kept} message, kept for later")


def _trail(out: Console, trail: tuple[Decision, ...]) -> None:
    """Each step once, what it decided below it."""
    width = max((len(each.outcome) for each in trail), default=0)
    for step, decisions in groupby(trail, lambda each: each.step):
        put(out, Text.assemble((step.value, "bold cyan"), f"  {STEPS[step]}"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=min(width, _OUTCOME_WIDTH), overflow="fold")
        table.add_column(overflow="fold")
        for each in decisions:
            table.add_row(Text(visible(each.outcome)), Text(visible(each.why), "dim"))
        put(out, table, INDENT + 2)


def _bits(
    out: Console,
    title: str,
    kind: type[IntFlag],
    value: int,
    size: int,
    numbers: tuple[tuple[str, str], ...] = (),
) -> None:
    _heading(out, f"{title}  {value:0{2 * size}X}")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for english, chinese in (*numbers, *(meaning for _, meaning in spelled_out(kind, value))):
        table.add_row(english, chinese)
    if not table.row_count:
        table.add_row(Text("no bit is set", "dim"), Text("无", "dim"))
    put(out, table)
    out.print()


def _numbers(cvr: int) -> tuple[tuple[str, str], ...]:
    """The fields of the CVR that are numbers."""
    found = []
    try:
        first, second = first_of(cvr), second_of(cvr)
    except ValueError:
        return ()
    found.append((f"first cryptogram: {first.name}", f"第一个密文：{first.name}"))
    if second is not Result.ARQC:
        found.append((f"second cryptogram: {second.name}", f"第二个密文：{second.name}"))
    count = scripts_of(cvr)
    if count:
        found.append((f"script commands taken last time: {count}", f"上次处理脚本命令：{count}条"))
    return tuple(found)


def _heading(out: Console, title: str) -> None:
    out.print(Rule(Text(title, "bold"), align="left", style="cyan"))
