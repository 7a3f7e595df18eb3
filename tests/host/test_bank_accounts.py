# SPDX-License-Identifier: Apache-2.0
"""What the bank takes and refuses, order by order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from bankbench import (
    MONEY,
    NOON,
    ORDERS,
    OTHER,
    PAN,
    PASSWORD,
    UNKNOWN,
    new,
    opened,
    prepared,
    refused,
    standing,
)

from apdu.errors import FormatError
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.issuer.accounts import Posted, State
from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused
from host.issuer.limits import UNLIMITED, Daily, Limits

TODAY = NOON.date()
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def bank() -> Bank:
    return opened(Bank())


# References


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_given_twice_is_done_once_and_answered_the_same(name: str) -> None:
    bank, reference = prepared(), new()
    first = ORDERS[name](bank, reference)
    after = bank.account(PAN), bank.account(OTHER)
    bank.deposit(new(), PAN, 1, NOON)
    second = ORDERS[name](bank, reference)
    bank.reverse(bank.deposit(new(), PAN, 1, NOON).reference, PAN, 1, NOON)
    assert first == second
    assert (False, True) == (first.again, second.again)
    assert after[1] == bank.account(OTHER)
    assert after[0].balance + 1 == bank.account(PAN).balance
    assert () == bank.audit()


@pytest.mark.parametrize("name", sorted(set(ORDERS) - {"deposit", "reverse"}))
def test_a_reference_stands_for_one_order_only(name: str) -> None:
    bank, reference = prepared(), new()
    bank.deposit(reference, PAN, 5, NOON)
    before = bank.account(PAN)
    with refused(Reason.DUPLICATE):
        ORDERS[name](bank, reference)
    assert before == bank.account(PAN)


@pytest.mark.parametrize(
    "other",
    [
        lambda bank, ref: bank.transfer(ref, PAN, OTHER, 701, NOON),
        lambda bank, ref: bank.transfer(ref, OTHER, PAN, 700, NOON),
        lambda bank, ref: bank.transfer(ref, PAN, UNKNOWN, 700, NOON),
        lambda bank, ref: bank.purchase(ref, PAN, 700, NOON),
    ],
    ids=["amount", "card", "target", "operation"],
)
def test_all_that_makes_an_order_counts(other: Callable[[Bank, str], Posted]) -> None:
    bank, reference = prepared(), new()
    bank.transfer(reference, PAN, OTHER, 700, NOON)
    with refused(Reason.DUPLICATE):
        other(bank, reference)


def test_a_no_is_remembered_too(bank: Bank) -> None:
    reference = new()
    with refused(Reason.NO_FUNDS):
        bank.purchase(reference, PAN, MONEY + 1, NOON)
    bank.deposit(new(), PAN, MONEY, NOON)
    with refused(Reason.NO_FUNDS):
        bank.purchase(reference, PAN, MONEY + 1, NOON)
    assert 2 * MONEY == bank.account(PAN).balance


def test_what_the_issuer_declined_itself_does_not_pass_the_second_time(bank: Bank) -> None:
    reference = new()
    assert bank.answered(reference) is None
    bank.decline(reference, PAN, Reason.WRONG_PIN, NOON)
    bank.decline(reference, PAN, Reason.DECLINED, NOON)
    with refused(Reason.WRONG_PIN):
        bank.purchase(reference, PAN, 5, NOON)
    answer = bank.answered(reference)
    assert isinstance(answer, Refused)
    assert Reason.WRONG_PIN is answer.reason
    assert 0 == bank.reverse(reference, PAN, 5, NOON).amount


def test_an_answer_can_be_asked_for_without_giving_the_order(bank: Bank) -> None:
    reference = new()
    posted = bank.purchase(reference, PAN, 5, NOON)
    assert posted == bank.answered(reference)
    lost = new()
    bank.reverse(lost, PAN, 5, NOON)
    answer = bank.answered(lost)
    assert isinstance(answer, Refused)
    assert Reason.REVERSED is answer.reason


# States


GOING_OUT = ("withdraw", "purchase", "transfer", "load", "cash_load", "unload", "hold")


@pytest.mark.parametrize("name", GOING_OUT)
@pytest.mark.parametrize("state", ["inactive", "frozen", "expired", "closed"])
def test_money_leaves_an_active_account_only(name: str, state: str) -> None:
    bank = Bank()
    bank.open(new(), OTHER, "01", "LI SI", NOON)
    bank.open(new(), PAN, "01", "ZHANG SAN", NOON, TODAY - timedelta(days=1))
    if state != "inactive":
        bank.activate(new(), PAN, PASSWORD, NOON)
    if state == "closed":
        bank.close(new(), PAN, NOON)
    else:
        bank.deposit(new(), PAN, 1000, NOON)
    if state == "frozen":
        bank.freeze(new(), PAN, NOON)
    with refused(Reason[state.upper()]):
        ORDERS[name](bank, new())
    with refused(Reason.UNKNOWN_CARD):
        getattr(bank, name)(new(), UNKNOWN, *([OTHER] if name == "transfer" else []), 1, NOON)


@pytest.mark.parametrize("state", ["inactive", "frozen", "expired"])
def test_money_comes_into_an_account_in_every_state_but_closed(state: str) -> None:
    bank = opened(Bank(), OTHER)
    bank.open(new(), PAN, "01", "ZHANG SAN", NOON, TODAY - timedelta(days=1))
    if state != "inactive":
        bank.activate(new(), PAN, PASSWORD, NOON)
    if state == "frozen":
        bank.freeze(new(), PAN, NOON)
    bank.deposit(new(), PAN, 10, NOON)
    bank.transfer(new(), OTHER, PAN, 5, NOON)
    assert 15 == bank.account(PAN).balance


def test_nothing_comes_into_a_closed_account(bank: Bank) -> None:
    opened(bank, OTHER, 0)
    bank.close(new(), OTHER, NOON)
    with refused(Reason.CLOSED):
        bank.deposit(new(), OTHER, 1, NOON)
    with refused(Reason.CLOSED):
        bank.transfer(new(), PAN, OTHER, 1, NOON)
    assert State.CLOSED is bank.account(OTHER).state


def test_an_account_that_is_not_empty_or_is_frozen_stays_open(bank: Bank) -> None:
    with refused(Reason.INVALID):
        bank.close(new(), PAN, NOON)
    bank.load(new(), PAN, MONEY, NOON)
    with refused(Reason.INVALID):
        bank.close(new(), PAN, NOON)
    bank.settle(new(), PAN, MONEY, 1, NOON)
    bank.freeze(new(), PAN, NOON)
    with refused(Reason.INVALID):
        bank.close(new(), PAN, NOON)
    bank.unfreeze(new(), PAN, NOON)
    bank.close(new(), PAN, NOON)


def test_a_card_is_good_to_the_end_of_its_last_day() -> None:
    bank = opened(Bank())
    bank.renew(new(), PAN, TODAY, NOON)
    bank.purchase(new(), PAN, 1, NOON.replace(hour=23, minute=59))
    with refused(Reason.EXPIRED):
        bank.purchase(new(), PAN, 1, TOMORROW.replace(hour=0))
    bank.renew(new(), PAN, None, NOON)
    bank.purchase(new(), PAN, 1, TOMORROW)


# Money


def test_an_account_cannot_be_overdrawn_by_a_single_fen(bank: Bank) -> None:
    bank.limits = UNLIMITED
    bank.hold(new(), PAN, 1, NOON)
    for name in "withdraw", "purchase", "load":
        with refused(Reason.NO_FUNDS):
            getattr(bank, name)(new(), PAN, MONEY, NOON)
    bank.withdraw(new(), PAN, MONEY - 1, NOON)
    assert (1, 1, 0) == standing(bank)


def test_no_account_holds_more_than_an_amount_can_say(bank: Bank) -> None:
    bank.deposit(new(), PAN, LARGEST_AMOUNT - MONEY, NOON)
    with refused(Reason.TOO_MUCH):
        bank.deposit(new(), PAN, 1, NOON)
    opened(bank, OTHER, 1)
    with refused(Reason.TOO_MUCH):
        bank.transfer(new(), OTHER, PAN, 1, NOON)
    assert LARGEST_AMOUNT == bank.account(PAN).balance


def test_a_load_moves_money_from_the_account_to_the_float(bank: Bank) -> None:
    posted = bank.load(new(), PAN, 300, NOON)
    assert (MONEY - 300, 300) == (posted.balance, posted.cash)
    posted = bank.cash_load(new(), PAN, 50, NOON)
    assert (MONEY - 300, 350) == (posted.balance, posted.cash)
    posted = bank.unload(new(), PAN, 100, NOON)
    assert (MONEY - 200, 250) == (posted.balance, posted.cash)
    with refused(Reason.NO_FUNDS):
        bank.unload(new(), PAN, 251, NOON)


def test_an_offline_purchase_is_paid_once_whatever_its_reference(bank: Bank) -> None:
    bank.load(new(), PAN, 300, NOON)
    assert (0, 200) == ((first := bank.settle(new(), PAN, 100, 7, NOON)).short, first.cash)
    with refused(Reason.SETTLED):
        bank.settle(new(), PAN, 100, 7, NOON)
    assert 200 == bank.account(PAN).cash


def test_the_bank_bears_what_the_float_of_a_card_lacks(bank: Bank) -> None:
    bank.load(new(), PAN, 30, NOON)
    bank.freeze(new(), PAN, NOON)
    posted = bank.settle(new(), PAN, 100, 7, NOON)
    assert (100, 70, 0) == (posted.amount, posted.short, posted.cash)
    assert MONEY - 30 == bank.account(PAN).balance
    assert () == bank.audit()


def test_a_transfer_to_the_same_card_moves_nothing(bank: Bank) -> None:
    with refused(Reason.INVALID):
        bank.transfer(new(), PAN, PAN, 5, NOON)


@pytest.mark.parametrize(
    ("name", "field"),
    [("withdraw", "withdrawal"), ("purchase", "purchase"), ("transfer", "transfer")],
)
def test_a_day_has_its_limits_and_the_next_has_them_anew(name: str, field: str) -> None:
    to = [OTHER] if name == "transfer" else []
    limits: dict[str, Any] = {field: Daily(total=100, count=3)}
    bank = opened(opened(Bank(limits=Limits(**limits))), OTHER)
    spend = getattr(bank, name)
    spend(new(), PAN, *to, 60, NOON)
    with refused(Reason.OVER_SUM):
        spend(new(), PAN, *to, 41, NOON)
    taken = new()
    spend(taken, PAN, *to, 40, NOON)
    with refused(Reason.OVER_SUM):
        spend(new(), PAN, *to, 1, NOON.replace(hour=23))
    spend(new(), PAN, *to, 100, TOMORROW)
    bank.reverse(taken, PAN, 40, TOMORROW)
    spend(new(), PAN, *to, 5, NOON)
    spend(new(), PAN, *to, 5, NOON)
    with refused(Reason.OVER_COUNT):
        spend(new(), PAN, *to, 5, NOON)
    bank.load(new(), PAN, 1000, NOON)


# Looking


def test_a_statement_has_the_entries_of_its_days(bank: Bank) -> None:
    opened(bank, OTHER)
    bank.withdraw(new(), PAN, 10, NOON, by="ATM 7")
    gone = bank.transfer(new(), PAN, OTHER, 20, TOMORROW)
    bank.load(new(), PAN, 30, TOMORROW)
    bank.reverse(gone.reference, PAN, 20, TOMORROW)
    bank.settle(new(), PAN, 5, 1, TOMORROW)
    first = bank.statement(PAN, TODAY, TODAY)
    assert [(MONEY, MONEY, ""), (-10, MONEY - 10, "ATM 7")] == [
        (line.amount, line.balance, line.by) for line in first.lines
    ]
    second = bank.statement(PAN, TODAY + timedelta(days=1), date(2026, 12, 31))
    assert first.closing == second.opening
    assert [-20, -30, 20] == [line.amount for line in second.lines]
    assert [False, False, True] == [line.reversal for line in second.lines]
    assert bank.account(PAN).balance == second.closing
    empty = bank.statement(OTHER, date(2026, 3, 1), date(2026, 3, 2))
    assert (MONEY, (), MONEY) == (empty.opening, empty.lines, empty.closing)


def test_the_highest_counter_of_a_card_only_rises(bank: Bank) -> None:
    assert [True, False, False, True] == [bank.raise_atc(PAN, atc) for atc in (5, 5, 4, 6)]
    assert 6 == bank.account(PAN).atc
    with refused(Reason.UNKNOWN_CARD):
        bank.raise_atc(UNKNOWN, 7)


def test_every_reason_has_a_response_code_of_two_characters() -> None:
    assert all(len(each.code) == 2 and each.code.isalnum() for each in Reason)
    assert all(each.english and each.chinese for each in Reason)
    assert "00" not in {each.code for each in Reason}


# What is not in its shape


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (lambda bank: bank.deposit("1", PAN, 1, NOON), "^reference: "),
        (lambda bank: bank.deposit("１" * 12, PAN, 1, NOON), "^reference: "),
        (lambda bank: bank.deposit("1" * 12, "12", 1, NOON), "^PAN: "),
        (lambda bank: bank.deposit("1" * 12, PAN, 0, NOON), "^amount: "),
        (lambda bank: bank.deposit("1" * 12, PAN, -1, NOON), "^amount: "),
        (lambda bank: bank.deposit("1" * 12, PAN, True, NOON), "^amount: "),
        (lambda bank: bank.deposit("1" * 12, PAN, 1.0, NOON), "^amount: "),
        (lambda bank: bank.deposit("1" * 12, PAN, LARGEST_AMOUNT + 1, NOON), "^amount: "),
        (lambda bank: bank.deposit("1" * 12, PAN, 1, NOON.replace(tzinfo=UTC)), "^at: "),
        (lambda bank: bank.deposit("1" * 12, PAN, 1, NOON, by="\n"), "^by: "),
        (lambda bank: bank.deposit("1" * 12, PAN, 1, NOON, by="x" * 65), "^by: "),
        (lambda bank: bank.transfer("1" * 12, PAN, "x", 1, NOON), "^PAN: "),
        (lambda bank: bank.settle("1" * 12, PAN, 1, 0, NOON), "^ATC: "),
        (lambda bank: bank.settle("1" * 12, PAN, 1, 0x10000, NOON), "^ATC: "),
        (lambda bank: bank.raise_atc(PAN, -1), "^ATC: "),
        (lambda bank: bank.open("1" * 12, OTHER, "1", "X", NOON), "^PSN: "),
        (lambda bank: bank.open("1" * 12, OTHER, "01", "", NOON), "^holder: "),
        (lambda bank: bank.activate("1" * 12, PAN, "123", NOON), "^PIN: "),
        (lambda bank: bank.answered("1"), "^reference: "),
        (lambda bank: Limits(purchase=Daily(total=-1)), "^total "),
    ],
)
def test_what_is_not_in_its_shape_is_named_and_not_kept(
    bank: Bank, order: Callable[[Bank], object], text: str
) -> None:
    with pytest.raises(FormatError, match=text):
        order(bank)
    assert bank.answered("1" * 12) is None
