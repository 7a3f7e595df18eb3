# SPDX-License-Identifier: Apache-2.0
"""The commands `sscard bank ...`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from host.cli.banks import bank_option
from host.cli.opening import card_options, reading_options
from host.cli.refusals import DONE
from host.cli.text import say_json
from host.cli.yuan import YUAN

F = TypeVar("F", bound=Callable[..., Any])
as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
_DAY = click.DateTime(["%Y-%m-%d"])
_WORDS = ("pin-unblock", "block", "unblock", "card-block")


def _account_options(verb: F) -> F:
    """Of what only reads the card, to know whose account it is."""
    return bank_option(reading_options(_account(verb)))


def _giving_options(verb: F) -> F:
    """Of what may change the card, too."""
    return bank_option(card_options(_account(verb)))


def _account(verb: F) -> F:
    account = click.option("--account", metavar="PAN", help="The number, instead of a card.")
    return account(as_json_option(verb))


def _money_options(verb: F) -> F:
    amount = click.option(
        "--amount", metavar="YUAN", type=YUAN, required=True, help="Such as 12.34."
    )
    reference = click.option(
        "--reference", metavar="DIGITS", help="12 digits; an order that comes twice is done once."
    )
    return _account_options(amount(reference(verb)))


@click.group(invoke_without_command=True)
@click.pass_context
def bank(context: click.Context) -> None:
    """The bank of the test cards: accounts, deposits, statements, and scripts for cards.

    Its books are a file (--bank, bank.db unless another is given) or a database by its URL. All
    this needs `pip install 'sscard[bank]'`. Passwords are asked for without being shown, or taken
    from standard input, a line each, where that is no terminal.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@bank.command("open")
@bank_option
@reading_options
@as_json_option
def open_(as_json: bool, **given: Any) -> int:
    """Open an account for a card (开户); it is to be activated by the holder."""
    from host.cli.banking import Place, open_account

    return _receipt(open_account(Place(**given, account=None)), as_json)


@bank.command()
@_giving_options
def activate(as_json: bool, **given: Any) -> int:
    """Activate an account (激活): the holder sets the transaction password, typed twice.

    A card that was made to wait for its holder is set free, if it is given by --card, --reader or
    --vpcd.
    """
    from host.cli import banking

    return _receipt(banking.activate(banking.Place(**given)), as_json)


@bank.command()
@_money_options
def deposit(as_json: bool, amount: int, reference: str | None, **given: Any) -> int:
    """Pay notes into an account (存款), activated or not."""
    from host.cli import banking

    return _receipt(banking.deposit(banking.Place(**given), amount, reference), as_json)


@bank.command()
@_money_options
def withdraw(as_json: bool, amount: int, reference: str | None, **given: Any) -> int:
    """Take notes out of an account (取款); asks for the transaction password."""
    from host.cli import banking

    return _receipt(banking.withdraw(banking.Place(**given), amount, reference), as_json)


@bank.command()
@_money_options
@click.option("--to", "target", metavar="PAN", required=True, help="The number of the other card.")
def transfer(as_json: bool, amount: int, reference: str | None, target: str, **given: Any) -> int:
    """Move money to another account of the bank (转账); asks for the transaction password."""
    from host.cli import banking

    return _receipt(banking.transfer(banking.Place(**given), amount, target, reference), as_json)


@bank.command()
@_account_options
@click.option("--since", metavar="DAY", type=_DAY, help="As 2026-01-31.  [default: 30 days ago]")
@click.option("--until", metavar="DAY", type=_DAY, help="That day too.  [default: today]")
def statement(as_json: bool, since: datetime | None, until: datetime | None, **given: Any) -> int:
    """Show what moved in an account (对账单).

    With --json an object: pan, since, until, opening, closing and lines; amounts in fen and yuan.
    """
    from host.cli import banking
    from host.cli.bank_view import show_statement, statement_as_json

    found = banking.statement(
        banking.Place(**given), since and since.date(), until and until.date()
    )
    if as_json:
        say_json(statement_as_json(found))
    else:
        show_statement(found)
    return DONE


@bank.command()
@click.argument("word", metavar="ORDER", type=click.Choice(_WORDS))
@_giving_options
def script(word: str, as_json: bool, **given: Any) -> int:
    """Have a card do something by an issuer's script (发卡行脚本).

    ORDER is pin-unblock (PIN 解锁), block or unblock (应用锁定, 应用解锁), or card-block (卡片锁定,
    for good). It waits until the card is next online in a slot; unblock is done at once, and needs
    the card.
    """
    from host.cli import banking

    became = banking.send(banking.Place(**given), word)
    if as_json:
        say_json({"order": word, "became": became})
    else:
        click.echo(f"{word}: {became}.")
    return DONE


@bank.command()
@bank_option
@click.option("--port", type=click.IntRange(0, 65535), default=8583, show_default=True)
@as_json_option
def serve(bank: str | None, port: int, as_json: bool) -> int:
    """Answer terminals over TCP on 127.0.0.1 until Ctrl-C: ISO 8583, 2 bytes of length in front.

    `sscard pay --host 127.0.0.1:8583` asks it. With --json the first line has host and port.
    """
    from host.cli.bank_serving import serve as run

    run(bank, port, as_json)
    return DONE


def _receipt(done: Any, as_json: bool) -> int:
    if as_json:
        say_json(done.as_json())
    else:
        from host.cli.bank_view import show

        show(done)
    return DONE
