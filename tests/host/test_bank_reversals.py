# SPDX-License-Identifier: Apache-2.0
"""Orders are undone once, or kept from being done, whichever comes first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bankbench import (
    MONEY,
    NOON,
    ORDERS,
    OTHER,
    PAN,
    new,
    opened,
    prepared,
    refused,
    standing,
)

from host.issuer.accounts import Operation
from host.issuer.bank import Bank
from host.issuer.faults import Reason

TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def bank() -> Bank:
    return opened(Bank())


@pytest.mark.parametrize(
    "name", ["deposit", "withdraw", "purchase", "transfer", "load", "cash_load", "unload", "hold"]
)
def test_a_reversal_restores_all_accounts_once(name: str) -> None:
    bank, reference = prepared(), new()
    before = [standing(bank, pan) for pan in (PAN, OTHER)]
    amount = ORDERS[name](bank, reference).amount
    assert before != [standing(bank, pan) for pan in (PAN, OTHER)]
    first = bank.reverse(reference, PAN, amount, NOON)
    assert amount == first.amount
    assert before == [standing(bank, pan) for pan in (PAN, OTHER)]
    assert first == bank.reverse(reference, PAN, amount, TOMORROW)
    assert before == [standing(bank, pan) for pan in (PAN, OTHER)]
    assert () == bank.audit()
    assert ORDERS[name](bank, reference).again


def test_an_order_that_comes_after_its_reversal_is_refused(bank: Bank) -> None:
    reference = new()
    assert (Operation.REVERSAL, 0) == (
        (posted := bank.reverse(reference, PAN, 5, NOON)).operation,
        posted.amount,
    )
    with refused(Reason.REVERSED):
        bank.purchase(reference, PAN, 5, NOON)
    assert posted == bank.reverse(reference, PAN, 5, NOON)
    assert MONEY == bank.account(PAN).balance


def test_a_reversal_must_name_the_card_and_the_amount_of_its_original(bank: Bank) -> None:
    opened(bank, OTHER)
    reference = new()
    bank.purchase(reference, PAN, 5, NOON)
    for pan, amount in (OTHER, 5), (PAN, 6):
        with refused(Reason.NO_ORIGINAL):
            bank.reverse(reference, pan, amount, NOON)
    assert 5 == bank.reverse(reference, PAN, 5, NOON).amount
    with refused(Reason.DUPLICATE):
        bank.reverse(reference, PAN, 6, NOON)


def test_an_offline_purchase_is_not_reversed(bank: Bank) -> None:
    reference = new()
    bank.settle(reference, PAN, 5, 1, NOON)
    with refused(Reason.INVALID):
        bank.reverse(reference, PAN, 5, NOON)


def test_money_that_is_gone_is_not_taken_back_until_it_is_there_again(bank: Bank) -> None:
    reference = new()
    bank.load(reference, PAN, 300, NOON)
    bank.settle(new(), PAN, 200, 1, NOON)
    with refused(Reason.NO_FUNDS):
        bank.reverse(reference, PAN, 300, NOON)
    bank.cash_load(new(), PAN, 200, NOON)
    assert 300 == bank.reverse(reference, PAN, 300, NOON).amount


def test_a_reversal_reaches_a_frozen_account(bank: Bank) -> None:
    reference = new()
    bank.purchase(reference, PAN, 300, NOON)
    bank.freeze(new(), PAN, NOON)
    bank.reverse(reference, PAN, 300, NOON)
    assert MONEY == bank.account(PAN).balance
