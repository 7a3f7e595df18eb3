# SPDX-License-Identifier: Apache-2.0
"""`sscard balance` and `sscard log`: what a card tells of its money, without a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from apdu.errors import FormatError
from apdu.wire.iso7816 import SELECT, Selection
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import SIZE, amount_of
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.cli.banks import is_there, opened_bank
from host.cli.opening import Where, opened
from host.cli.yuan import with_yuan
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardMisspoke, CardRefused, NotFound
from host.issuer.faults import Reason, Refused
from host.network.authorisation import RMB
from host.terminal.card_face import CardFace, card_face
from host.terminal.kernel.data import masked
from host.terminal.pboc_log import (
    CashBalance,
    LoggedLoad,
    LoggedTransaction,
    loads,
    transactions,
)
from host.terminal.pboc_log import balance as cash_balance

if TYPE_CHECKING:
    from host.issuer.accounts import AccountView

_COUNTERS: Final = (
    ("atc", tags.ATC, "transaction counter", "交易计数器"),
    (
        "last_online_atc",
        tags.LAST_ONLINE_ATC,
        "at the last online transaction",
        "上次联机交易计数器",
    ),
    ("lower_limit", tags.LOWER_LIMIT, "offline in a row, lower limit", "连续脱机交易下限"),
    ("upper_limit", tags.UPPER_LIMIT, "offline in a row, upper limit", "连续脱机交易上限"),
    ("pin_tries", tags.PIN_TRIES, "PIN tries left", "PIN 重试次数"),
)
_AMOUNTS: Final = (
    ("available", tags.AVAILABLE_AMOUNT, "available offline", "脱机可用余额"),
    ("amount_limit", tags.CTTAL, "offline amount in all, limit", "累计脱机交易金额限制"),
    (
        "amount_upper_limit",
        tags.CTTAUL,
        "offline amount in all, upper limit",
        "累计脱机交易金额上限",
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the card counts; None: it does not tell."""

    name: str
    english: str
    chinese: str
    value: int | None
    amount: bool
    """Whether it is an amount in fen."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What money a card has. Amounts in the minor unit of their currency."""

    face: CardFace
    cash: CashBalance
    second_currency: str
    """ISO 4217, 3 digits; empty without a second electronic cash."""
    facts: tuple[Fact, ...]
    account: AccountView | None
    """None: the bank's books are not at hand, or do not know the card."""

    def as_json(self) -> dict[str, Any]:
        cash, account = self.cash, self.account
        return {
            "card": {
                "pan": masked(self.face.pan),
                "psn": self.face.psn,
                "expires": self.face.expires.isoformat(),
                "blocked": self.face.blocked,
            },
            "electronic_cash": with_yuan(
                {
                    "currency": RMB,
                    "balance": cash.balance,
                    "limit": cash.limit,
                    "single_limit": cash.single_limit,
                },
                "balance",
                "limit",
                "single_limit",
            ),
            "second_electronic_cash": {"currency": self.second_currency, "balance": cash.second}
            if self.second_currency
            else None,
            "counters": with_yuan(
                {each.name: each.value for each in self.facts},
                *(each.name for each in self.facts if each.amount),
            ),
            "account": account
            and with_yuan(
                {
                    "state": account.state.value,
                    "frozen": account.frozen,
                    "balance": account.balance,
                    "available": account.available,
                    "electronic_cash": account.cash,
                },
                "balance",
                "available",
                "electronic_cash",
            ),
        }


@dataclass(frozen=True, slots=True)
class Logged:
    """A card's own logs, the newest first."""

    transactions: list[LoggedTransaction]
    loads: list[LoggedLoad]

    def as_json(self) -> dict[str, Any]:
        return {
            "transactions": [
                with_yuan(each.as_json(), "amount", "other_amount") for each in self.transactions
            ],
            "loads": [
                with_yuan(each.as_json(), "before", "after", "amount", "other_amount")
                for each in self.loads
            ],
        }


def holdings(where: Where, bank: str | None) -> Holdings:
    """Ask the card, and the bank where its books are at hand.

    Raises what `opened` raises, CardFault for a card without a bank's application, and for a
    `bank` that was named what `opened_bank` raises.
    """
    with bank_card(where) as card, card.transaction():
        face = card_face(card)
        cash = cash_balance(card)
        client = PbocClient(card)
        second = _told(client, tags.SECOND_EC_CURRENCY) if cash.second is not None else None
        facts = [
            Fact(name, english, chinese, _number(_told(client, tag)), False)
            for name, tag, english, chinese in _COUNTERS
        ]
        facts += [
            Fact(name, english, chinese, _amount(tag, _told(client, tag)), True)
            for name, tag, english, chinese in _AMOUNTS
        ]
    known = second.hex()[-3:] if second else ""
    return Holdings(face, cash, known, tuple(facts), _account(bank, face.pan))


def logged(where: Where) -> Logged:
    """Read the logs. Raises as `holdings` does."""
    with bank_card(where) as card, card.transaction():
        return Logged(transactions(card), loads(card))


@contextmanager
def bank_card(where: Where) -> Iterator[Card]:
    """The card of a command that is about the bank's application, which must be there."""
    with opened(where) as channel:
        card = Card(channel)
        try:
            reply = card.ask(SELECT, Selection(), DEBIT_AID)
        except NotFound:
            raise CardFault("this card has no bank's application (借记应用)") from None
        if not reply.data:
            raise CardFault("the bank has not personalised its application (借记应用) yet")
        yield card


def _account(bank: str | None, pan: str) -> AccountView | None:
    if bank is None and not is_there(bank):
        return None
    with opened_bank(bank) as found:
        try:
            return found.account(pan)
        except Refused as refused:
            if refused.reason is Reason.UNKNOWN_CARD:
                return None
            raise


def _told(client: PbocClient, tag: int) -> bytes | None:
    try:
        return client.data(tag)
    except CardRefused:
        return None


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value)


def _amount(tag: int, value: bytes | None) -> int | None:
    if value is None:
        return None
    try:
        if len(value) != SIZE:
            raise FormatError(f"{len(value)} bytes, must be {SIZE}")
        return amount_of(value)
    except FormatError as error:
        raise CardMisspoke(f"{tag:X}: {error}") from None
