# SPDX-License-Identifier: Apache-2.0
"""What EF06 says after a purchase or a load, against sums without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.errors import StatusError
from apdu.wire.hrss.df04 import AccountBalance, OfflineTotals
from card_os.commands.account import count_of, credited, known, spent

LAST = 0xFFFFFFFE
edges = st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, LAST])
held = edges | st.integers(0, LAST)
given_amount = held | st.just(0xFFFFFFFF)


@given(held, held, held, given_amount, given_amount, given_amount)
def test_a_balance_falls_by_the_accounts_part_and_the_others_add_up(
    balance: int, own: int, pool: int, a: int, o: int, p: int
) -> None:
    before = AccountBalance(balance, own, pool)
    if a > balance:
        expected: object = 0x9401
    elif own + o > LAST or pool + p > LAST:
        expected = 0x6985
    else:
        expected = AccountBalance(balance - a, own + o, pool + p)
    assert expected == outcome(before, a, o, p)


@given(st.sampled_from("0129 "), held, st.integers(0, 99), given_amount, given_amount, given_amount)
def test_totals_rise_by_what_the_insurance_settles(
    permitted: str, total: int, count: int, a: int, o: int, p: int
) -> None:
    before = OfflineTotals(permitted, total, f"{count:02}")
    if permitted != "1" or count == 99 or o > LAST or total + a + p > LAST:
        expected: object = 0x6985
    else:
        expected = OfflineTotals("1", total + a + p, f"{count + 1:02}")
    assert expected == outcome(before, a, o, p)


@given(held, held, held, given_amount)
def test_a_load_raises_the_balance_alone(balance: int, own: int, pool: int, amount: int) -> None:
    before = AccountBalance(balance, own, pool)
    if balance + amount > LAST:
        with pytest.raises(StatusError, match="6985"):
            credited(before, amount)
    else:
        assert AccountBalance(balance + amount, own, pool) == credited(before, amount)


@given(st.text(alphabet="0123456789٣x ", max_size=2))
def test_a_count_is_two_digits(text: str) -> None:
    totals = OfflineTotals("1", 0, text)
    if len(text) == 2 and set(text) <= set("0123456789"):
        assert int(text) == count_of(totals)
    else:
        with pytest.raises(StatusError, match="6985"):
            count_of(totals)


def test_what_is_not_there_is_no_zero() -> None:
    with pytest.raises(StatusError, match="6985"):
        known(None)
    assert 0 == known(0)


def outcome(before: AccountBalance | OfflineTotals, *amounts: int) -> object:
    try:
        return spent(before, *amounts)
    except StatusError as refused:
        return refused.sw
