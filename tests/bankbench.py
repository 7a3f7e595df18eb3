# SPDX-License-Identifier: Apache-2.0
"""A bank to try things with: two cards, a clock that stands still, and references one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from host.issuer.accounts import Posted
from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused

PAN = "6228000100001117"
OTHER = "6228000100002222"
UNKNOWN = "6228000100009999"
PASSWORD, WRONG = "135790", "135791"
"""The wrong one differs where a PVV does not look."""
NOON = datetime(2026, 1, 5, 12)
MONEY = 100_000

_numbers = count(1)


def new() -> str:
    """A reference that nothing had before."""
    return f"{next(_numbers):012d}"


def opened(bank: Bank, pan: str = PAN, balance: int = MONEY) -> Bank:
    """An active account with money."""
    bank.open(new(), pan, "01", "ZHANG SAN", NOON)
    bank.activate(new(), pan, PASSWORD, NOON)
    if balance:
        bank.deposit(new(), pan, balance, NOON)
    return bank


@contextmanager
def refused(reason: Reason) -> Iterator[None]:
    """What is done within is refused for this reason, and the books are good afterwards."""
    with pytest.raises(Refused) as caught:
        yield
    assert reason is caught.value.reason


def standing(bank: Bank, pan: str = PAN) -> tuple[int, int, int]:
    """Balance, what is held of it, and electronic cash."""
    found = bank.account(pan)
    return found.balance, found.held, found.cash


ORDERS: dict[str, Callable[[Bank, str], Posted]] = {
    "open": lambda bank, ref: bank.open(ref, UNKNOWN, "01", "LI SI", NOON),
    "activate": lambda bank, ref: bank.activate(ref, OTHER, PASSWORD, NOON),
    "deposit": lambda bank, ref: bank.deposit(ref, PAN, 700, NOON),
    "withdraw": lambda bank, ref: bank.withdraw(ref, PAN, 700, NOON),
    "purchase": lambda bank, ref: bank.purchase(ref, PAN, 700, NOON),
    "transfer": lambda bank, ref: bank.transfer(ref, PAN, OTHER, 700, NOON),
    "load": lambda bank, ref: bank.load(ref, PAN, 700, NOON),
    "cash_load": lambda bank, ref: bank.cash_load(ref, PAN, 700, NOON),
    "unload": lambda bank, ref: bank.unload(ref, PAN, 100, NOON),
    "settle": lambda bank, ref: bank.settle(ref, PAN, 700, 9, NOON),
    "hold": lambda bank, ref: bank.hold(ref, PAN, 700, NOON),
    "freeze": lambda bank, ref: bank.freeze(ref, PAN, NOON),
    "renew": lambda bank, ref: bank.renew(ref, PAN, NOON.date(), NOON),
    "reset_password": lambda bank, ref: bank.reset_password(ref, PAN, PASSWORD, NOON),
    "reverse": lambda bank, ref: bank.reverse(ref, PAN, 700, NOON),
}


def prepared() -> Bank:
    """A bank at which every order of the table passes."""
    bank = opened(Bank())
    bank.open(new(), OTHER, "01", "LI SI", NOON)
    bank.load(new(), PAN, 100, NOON)
    return bank
