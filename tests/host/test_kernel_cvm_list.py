# SPDX-License-Identifier: Apache-2.0
"""The card's list of verification methods: when a rule applies, and which rule comes next."""

from __future__ import annotations

import pytest
from cardholderbench import DONE, LOST, NEXT, People, terminal, told, verified
from hypothesis import given
from hypothesis import strategies as st
from odacards import order

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tvr
from host.network.authorisation import Purpose
from host.terminal.kernel.cvm_list import Condition, Method
from host.terminal.kernel.transaction import Order

BUY, CASH = order(), order(purpose=Purpose.WITHDRAWAL)
CASHBACK = order(other_amount=1)


@pytest.mark.parametrize(
    ("condition", "ordered", "unattended", "applies"),
    [
        (Condition.ALWAYS, BUY, False, True),
        (Condition.UNATTENDED_CASH, CASH, True, True),
        (Condition.UNATTENDED_CASH, CASH, False, False),
        (Condition.UNATTENDED_CASH, BUY, True, False),
        (Condition.NOT_CASH, BUY, False, True),
        (Condition.NOT_CASH, BUY, True, True),
        (Condition.NOT_CASH, CASH, True, False),
        (Condition.NOT_CASH, CASH, False, False),
        (Condition.NOT_CASH, CASHBACK, False, False),
        (Condition.NOT_CASH, order(purpose=Purpose.LOAD), False, True),
        (Condition.SUPPORTED, BUY, False, True),
        (Condition.MANUAL_CASH, CASH, False, True),
        (Condition.MANUAL_CASH, CASH, True, False),
        (Condition.MANUAL_CASH, BUY, False, False),
        (Condition.CASHBACK, CASHBACK, False, True),
        (Condition.CASHBACK, BUY, False, False),
        (0x0A, BUY, False, False),
        (0xFF, BUY, False, False),
    ],
)
def test_a_rule_applies_by_its_condition(
    condition: int, ordered: Order, unattended: bool, applies: bool
) -> None:
    config = terminal(type="14" if unattended else "22")
    found = verified((Method.SIGNATURE, condition), config=config, ordered=ordered)
    if applies:
        assert (f"1E{condition:02X}00", Tvr(0), DONE) == told(found)
    else:
        assert ("3F0001", LOST, DONE) == told(found)
        assert "no rule of the list applies" == found.trail[-1].why


@given(
    st.sampled_from([Condition.UNDER_X, Condition.OVER_X, Condition.UNDER_Y, Condition.OVER_Y]),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.sampled_from(["156", "840"]),
    st.sampled_from(["0156", "0840", ""]),
)
def test_amounts_are_looked_at_in_the_applications_own_currency(
    condition: Condition, amount: int, x: int, y: int, currency: str, own: str
) -> None:
    limit = x if condition in (Condition.UNDER_X, Condition.OVER_X) else y
    under = condition in (Condition.UNDER_X, Condition.UNDER_Y)
    met = own == f"0{currency}" and (amount < limit if under else amount > limit)
    found = verified(
        (Method.NO_CVM, condition),
        ordered=order(amount=amount, currency=currency),
        elements=((tags.CURRENCY_CODE, bytes.fromhex(own)),),
        x=x,
        y=y,
    )
    assert met == (found.cvm_results[0] == Method.NO_CVM)


@pytest.mark.parametrize("method", Method)
def test_where_supported_is_the_condition_what_is_not_supported_is_passed_by(
    method: Method,
) -> None:
    config = terminal(0)
    found = verified((method, Condition.SUPPORTED), config=config)
    passed = ("000301", LOST, DONE) if method is Method.FAIL else ("3F0001", LOST, DONE)
    assert passed == told(found)


def test_a_method_that_nobody_knows_is_passed_by_where_it_must_be_supported() -> None:
    found = verified((0x3E, Condition.SUPPORTED), (Method.NO_CVM, 0))
    assert ("1F0002", Tvr(0), DONE) == told(found)


# From rule to rule


def test_the_next_rule_counts_where_one_says_so_and_was_unsuccessful() -> None:
    found = verified(
        (Method.PLAINTEXT_PIN | NEXT, 0),
        (Method.SIGNATURE, 0),
        people=People(pins=[None]),
    )
    assert ("1E0000", Tvr.PIN_NOT_ENTERED, DONE) == told(found)
    stays = verified((Method.PLAINTEXT_PIN, 0), (Method.SIGNATURE, 0), people=People(pins=[None]))
    assert ("010001", LOST | Tvr.PIN_NOT_ENTERED, DONE) == told(stays)


def test_the_last_rule_has_no_next_one() -> None:
    found = verified((Method.PLAINTEXT_PIN | NEXT, 3), people=People(pins=[None]))
    assert ("410301", LOST | Tvr.PIN_NOT_ENTERED, DONE) == told(found)


def test_a_rule_that_fails_is_the_end_though_it_says_next() -> None:
    found = verified((Method.FAIL | NEXT, 0), (Method.NO_CVM, 0))
    assert ("400001", LOST, DONE) == told(found)


def test_rules_that_do_not_apply_are_passed_by_and_not_told() -> None:
    found = verified((Method.PLAINTEXT_PIN, 5), (Method.NO_CVM, 2), (Method.SIGNATURE, 0))
    assert ("1F0202", Tvr(0), DONE) == told(found)


def test_a_signature_of_the_recorded_card_is_result_00() -> None:
    assert ("5E0300", Tvr(0), DONE) == told(verified((0x5E, 3), (0x42, 3), (0x1F, 0)))
