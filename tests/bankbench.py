# SPDX-License-Identifier: Apache-2.0
"""A bank to try things with: two cards, a clock that stands still, and references one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

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
