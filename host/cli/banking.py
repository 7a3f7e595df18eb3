# SPDX-License-Identifier: Apache-2.0
"""`sscard bank`: the counter of the bank that the test cards are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import click

from apdu.command import CommandAPDU
from apdu.crypto.pinblock import build_iso_0
from host.card import Card
from host.cli import orders
from host.cli.asking import needed_secret, new_secret
from host.cli.banks import issuer_keys, opened_bank
from host.cli.holdings import bank_card
from host.cli.opening import Where
from host.cli.yuan import with_yuan
from host.issuer.accounts import Posted, Statement
from host.issuer.bank import Bank
from host.issuer.counter import give
from host.issuer.faults import Reason, Refused
from host.issuer.scripts import application_block, application_unblock, card_block, pin_unblock
from host.network.authorisation import Purpose
from host.terminal.card_face import CardFace, card_face
from host.terminal.kernel.config_file import load_config

SCRIPTS: Final[dict[str, Callable[[], CommandAPDU]]] = {
    "pin-unblock": pin_unblock,
    "block": application_block,
    "unblock": application_unblock,
    "card-block": card_block,
}
"""What the bank can have a card do, by the word for it on the command line."""
_AT_THE_COUNTER: Final = frozenset({"unblock"})
"""A blocked application goes online no more, so this one cannot wait for that."""
PASSWORD: Final = "Transaction password 交易密码"  # noqa: S105 - the words of a question
_DAYS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose account it is and where the bank's books are."""

    bank: str | None
    where: Where
    account: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """An order that was carried out."""

    posted: Posted
    pan: str
    verb: str
    """In the words of a receipt."""
    chinese: str
    remark: str = ""

    def as_json(self) -> dict[str, Any]:
        posted = self.posted
        return with_yuan(
            {
                "operation": posted.operation.value,
                "reference": posted.reference,
                "pan": self.pan,
                "amount": posted.amount,
                "balance": posted.balance,
                "available": posted.available,
                "electronic_cash": posted.cash,
                "repeated": posted.again,
                "remark": self.remark,
            },
            "amount",
            "balance",
            "available",
            "electronic_cash",
        )


def open_account(place: Place) -> Done:
    """开户 for the card: number, name and last day are read from it."""
    face = _face(place)
    with opened_bank(place.bank, new=True) as bank:
        if _is_known(bank, face.pan):
            raise click.ClickException(f"the card {face.pan} has an account already.")
        posted = bank.open(
            orders.new_reference(),
            face.pan,
            face.psn,
            face.holder or "?",
            orders.now(),
            face.expires,
        )
    return Done(
        posted,
        face.pan,
        f"opened for {face.holder or 'a holder without a name'}, not activated",
        "已开户，未激活",
        "until `sscard bank activate` the bank takes deposits and refuses everything else",
    )


def activate(place: Place) -> Done:
    """激活: the holder sets the transaction password; a card that was made to wait for this is
    set free at the counter."""
    with _bank_and_pan(place) as (bank, pan, face):
        posted = bank.activate(orders.new_reference(), pan, new_secret(PASSWORD), orders.now())
        remark = ""
        if face is not None and face.blocked:
            _give(place, application_unblock())
            remark = "the card's application waited for this, and is in use now"
    return Done(posted, pan, "activated", "已激活", remark)


def deposit(place: Place, amount: int, reference: str | None) -> Done:
    """存款."""
    with _bank_and_pan(place) as (bank, pan, _):
        posted = bank.deposit(reference or orders.new_reference(), pan, amount, orders.now())
    return Done(posted, pan, "deposited", "存款")


def withdraw(place: Place, amount: int, reference: str | None) -> Done:
    """取款, with the transaction password."""
    with _bank_and_pan(place) as (bank, pan, _):
        known = _proven(bank, pan, reference)
        posted = bank.withdraw(known, pan, amount, orders.now())
    return Done(posted, pan, "withdrawn", "取款")


def transfer(place: Place, amount: int, target: str, reference: str | None) -> Done:
    """转账, with the transaction password."""
    with _bank_and_pan(place) as (bank, pan, _):
        known = _proven(bank, pan, reference)
        posted = bank.transfer(known, pan, target, amount, orders.now())
    return Done(posted, pan, f"transferred to {target}", "转账")


def statement(place: Place, since: date | None, until: date | None) -> Statement:
    """对账单, the last 30 days unless other ones are given."""
    last = until or orders.now().date()
    with _bank_and_pan(place) as (bank, pan, _):
        return bank.statement(pan, since or last - _DAYS, last)


def send(place: Place, word: str) -> str:
    """Have the card do something; returns what became of that, in a sentence."""
    command = SCRIPTS[word]()
    if word in _AT_THE_COUNTER:
        if not place.where.given:
            raise click.UsageError(
                f"{word}: a blocked application goes online no more, so the card itself is needed:"
                " give --card, --reader or --vpcd."
            )
        with _bank_and_pan(place) as (_, _, face):
            if face is None or not face.blocked:
                raise click.ClickException("the card's application is not blocked.")
            _give(place, command)
        return "the card carried it out"
    from host.issuer.delivery import Delivery

    with _bank_and_pan(place) as (bank, pan, _):
        number = Delivery(bank, issuer_keys()).commands(pan, [command], orders.now())
    return f"script {number:08X} waits, and goes to the card when it is next online in a slot"


@contextmanager
def _bank_and_pan(place: Place) -> Iterator[tuple[Bank, str, CardFace | None]]:
    """The bank, the account's card number, and what the card says where there is one."""
    if place.where.places + (place.account is not None) != 1:
        raise click.UsageError(
            "Give one of --card CARD.img, --reader NAME, --vpcd and --account PAN."
        )
    face = None if place.account is not None else _face(place)
    with opened_bank(place.bank) as bank:
        yield bank, face.pan if face else str(place.account), face


def _face(place: Place) -> CardFace:
    with bank_card(place.where) as card:
        return card_face(card)


def _give(place: Place, command: CommandAPDU) -> None:
    with bank_card(place.where) as card:
        _give_to(card, command)


def _give_to(card: Card, command: CommandAPDU) -> None:
    give(card, [command], issuer_keys(), load_config(), orders.new_order(0, Purpose.BALANCE))


def _is_known(bank: Bank, pan: str) -> bool:
    try:
        bank.account(pan)
    except Refused as refused:
        if refused.reason is Reason.UNKNOWN_CARD:
            return False
        raise
    return True


def _proven(bank: Bank, pan: str, reference: str | None) -> str:
    """The reference of an order, once the holder has typed the password; an order that was
    answered before is only told its answer, and costs no try."""
    if reference is not None and bank.answered(reference) is not None:
        return reference
    bank.account(pan)
    block = bank.pin_keys.pin.encrypt(build_iso_0(needed_secret(PASSWORD), pan))
    bank.verify_pin(pan, block)
    return reference or orders.new_reference()
