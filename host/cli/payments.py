# SPDX-License-Identifier: Apache-2.0
"""The commands with which a card pays and is loaded, and those that look at its money."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from host.cli.banks import bank_option
from host.cli.opening import Where, card_options, reading_options
from host.cli.refusals import DONE, REFUSED
from host.cli.text import say_json
from host.cli.yuan import YUAN

F = TypeVar("F", bound=Callable[..., Any])
as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
amount_option = click.option(
    "--amount", metavar="YUAN", type=YUAN, required=True, help="Such as 12.34."
)


def _desk_options(verb: F) -> F:
    """What a terminal is told besides the card."""
    path = click.Path(path_type=Path)
    options = (
        bank_option,
        click.option("--host", metavar="HOST:PORT", help="The issuer's host, instead of --bank."),
        click.option("--pin", is_flag=True, help="The terminal has a PIN pad: PINs are asked for."),
        click.option("--terminal", metavar="FILE", type=path, help="A terminal.toml of your own."),
        click.option(
            "--outbox",
            metavar="DIR",
            type=path,
            help="Where messages to the issuer wait.  [default: outbox]",
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


@click.command()
@card_options
@amount_option
@click.option("--contactless", is_flag=True, help="Tap the card (qPBOC) instead of inserting it.")
@click.option("--offline", is_flag=True, help="The terminal cannot reach the issuer.")
@click.option("--cash", is_flag=True, help="The terminal takes electronic cash in its slot.")
@_desk_options
@as_json_option
def pay(amount: int, as_json: bool, **given: Any) -> int:
    """Buy something with the card's debit application (消费), and see who decided what, and why.

    The card in the image changes as a real one would. The issuer is the bank over its books
    (--bank, made by `sscard bank open`), or its host over TCP. What it cannot be told at once, as
    a purchase that was approved offline, waits in the outbox and is told before the next one.

    PINs are asked for without being shown, or taken from standard input, a line each, where that
    is no terminal; an empty line is no PIN.

    Exit status 0 when approved, else 1. With --json an object: outcome, approved, reason, amounts
    in fen and in yuan, tvr, tsi, cvr and ctq with their bits, cryptogram, trail and more.
    """
    from host.network.authorisation import Purpose

    return _transact(given, amount, Purpose.PURCHASE, as_json)


@click.command()
@card_options
@amount_option
@click.option("--cash", is_flag=True, help="Pay in notes (现金圈存) instead of from the account.")
@_desk_options
@as_json_option
def load(amount: int, cash: bool, as_json: bool, **given: Any) -> int:
    """Load electronic cash (圈存): the issuer sends the card its new balance in a script.

    Everything else is as in `sscard pay`.
    """
    from host.network.authorisation import Purpose

    purpose = Purpose.CASH_LOAD if cash else Purpose.LOAD
    return _transact(given, amount, purpose, as_json)


def _transact(given: dict[str, Any], amount: int, purpose: Any, as_json: bool) -> int:
    from host.cli.paying import Desk, transact

    paid = transact(Desk(**given), amount, purpose)
    if as_json:
        from host.cli.reasons import reason

        say_json(paid.as_json() | {"reason": reason(paid.result)})
    else:
        from host.cli.pay_view import show

        show(paid)
    return DONE if paid.result.approved else REFUSED


@click.command()
@reading_options
@bank_option
@as_json_option
def balance(where: Where, bank: str | None, as_json: bool) -> int:
    """Show what money a card has: electronic cash (电子现金), counters, and its account.

    Nothing is begun on the card. The account is shown where the bank's books are at hand.
    With --json an object: card, electronic_cash, counters and account (or null).
    """
    from host.cli.holdings import holdings

    found = holdings(where, bank)
    if as_json:
        say_json(found.as_json())
    else:
        from host.cli.holdings_view import show_balance

        show_balance(found)
    return DONE


@click.command()
@reading_options
@as_json_option
def log(where: Where, as_json: bool) -> int:
    """Show a card's own logs, the newest first: transactions (交易日志) and loads (圈存日志).

    With --json an object: transactions and loads.
    """
    from host.cli.holdings import logged

    found = logged(where)
    if as_json:
        say_json(found.as_json())
    else:
        from host.cli.holdings_view import show_log

        show_log(found)
    return DONE
