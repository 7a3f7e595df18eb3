# SPDX-License-Identifier: Apache-2.0
"""What the card decides about a tap: every bit that counts, and that money neither comes nor goes.

The decision is a function, so it is held to a table; `test_pboc_contactless` holds the chip to it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taptable import (
    AAC,
    ABROAD,
    ALLOWED,
    ARQC,
    NEW,
    ONLINE,
    PLAIN,
    TABLE,
    TC,
    TRIES,
    VELOCITY,
    A,
    C,
    O,
    purse,
    tap,
)

from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.flags import Ctq, Ttq
from card_os.apps.pboc.tap import Purse, Tap, decide


@pytest.mark.parametrize("name", TABLE)
def test_the_verdict_is_that_of_the_table(name: str) -> None:
    asked, result, cvr, ctq = TABLE[name]
    found = decide(asked)
    assert (result, int(cvr), int(ctq)) == (found.result, found.cvr, found.ctq)


NOT_DECIDED_HERE = Bit.TELL_AVAILABLE_AMOUNT | Bit.LOG_TRANSACTIONS
ELSEWHERE = Ttq.CONTACTLESS_PBOC | Ttq.QPBOC | Ttq.FDDA_01


@pytest.mark.parametrize("bit", list(Bit))
def test_every_bit_of_9f68_decides_something_in_the_table(bit: Bit) -> None:
    found = any(
        decide(asked) != decide(replace(asked, processing=asked.processing ^ bit))
        for asked, *_ in TABLE.values()
    )
    assert (bit not in NOT_DECIDED_HERE) == found


@pytest.mark.parametrize("bit", list(Ttq))
def test_every_bit_of_the_ttq_decides_something_in_the_table(bit: Ttq) -> None:
    found = any(
        decide(asked) != decide(replace(asked, ttq=asked.ttq ^ bit)) for asked, *_ in TABLE.values()
    )
    assert (bit not in ELSEWHERE) == found


# What is paid, and by which method

PAID = {
    "cash": (tap(C), purse(balance=4900)),
    "both": (tap(A), purse(balance=4900, spent=300)),
    "either, cash": (tap(O), purse(balance=4900)),
    "either, CTTA": (tap(O, purse=purse(balance=99)), purse(balance=99, spent=300)),
    "abroad": (tap(C, ALLOWED, **ABROAD), PLAIN.purse),
    "prepaid, asked": (
        tap(C, Bit.PREPAID, ttq=ONLINE | Ttq.CRYPTOGRAM_REQUIRED),
        purse(balance=4900),
    ),
    "asked": (tap(C, ttq=ONLINE | Ttq.CRYPTOGRAM_REQUIRED), PLAIN.purse),
}


@pytest.mark.parametrize("name", PAID)
def test_the_amount_is_taken_by_the_method_that_the_card_has(name: str) -> None:
    asked, after = PAID[name]
    assert after == decide(asked).purse


@pytest.mark.parametrize(
    ("bits", "available"), [(C, 5000), (A, 500), (O, 5500), (C | A | O, 5000), (Bit(0), 0)]
)
def test_what_is_available_is_told_by_the_method_that_the_card_has(
    bits: Bit, available: int
) -> None:
    assert available == PLAIN.purse.available(int(bits))


def test_nothing_is_available_of_a_limit_that_was_lowered_below_what_is_spent() -> None:
    lowered = purse(limit=100)
    assert 0 == lowered.available(int(A))
    assert not lowered.covers(int(A), 1)


# For any tap

amounts = st.integers(0, 2500) | st.sampled_from((0, 1, 10**12 - 1))
purses = st.builds(Purse, amounts, amounts, amounts, amounts, amounts)


def _some(bits: type[Bit] | type[Ttq]) -> st.SearchStrategy[int]:
    return st.sets(st.sampled_from(list(bits))).map(lambda found: sum(map(int, found)))


taps = st.builds(
    Tap,
    ttq=_some(Ttq),
    amount=amounts,
    own_currency=st.booleans(),
    processing=_some(Bit),
    purse=purses,
    cvm_limit=amounts,
    new_card=st.booleans(),
    pin_blocked=st.booleans(),
    international=st.integers(0, 255),
    international_limit=st.integers(0, 255),
    blocked=st.booleans(),
)


@given(taps)
def test_money_is_taken_once_and_only_where_it_is_approved_or_prepaid(asked: Tap) -> None:
    found = decide(asked)
    before, after = asked.purse, found.purse
    taken, counted = before.balance - after.balance, after.spent - before.spent
    prepaid = found.result is ARQC and bool(asked.processing & Bit.PREPAID)
    if asked.own_currency and (found.result is TC or prepaid):
        both = asked.processing & (C | A) == A
        assert asked.amount * (2 if both else 1) == taken + counted
        assert min(taken, counted) == (asked.amount if both else 0)
    else:
        assert before == after
    assert (found.result is TC and not asked.own_currency) == (
        found.international == asked.international + 1
    )


@given(taps)
def test_no_more_is_spent_than_there_is(asked: Tap) -> None:
    found = decide(asked)
    before, after = asked.purse, found.purse
    assert after.balance >= 0
    assert after.spent <= max(before.spent, before.limit)
    if found.result is TC and asked.own_currency:
        assert asked.amount <= before.single_limit


@given(taps)
def test_an_answer_is_one_that_the_terminal_can_take(asked: Tap) -> None:
    found = decide(asked)
    ttq = Ttq(asked.ttq)
    if Ttq.OFFLINE_ONLY in ttq:
        assert found.result is not ARQC
        assert not found.ctq & Ctq.ONLINE_PIN
    if found.ctq & Ctq.ONLINE_PIN:
        assert found.result in (ARQC, AAC, None)
        assert Ttq.ONLINE_PIN in ttq
    if found.ctq & Ctq.SIGNATURE:
        assert Ttq.SIGNATURE in ttq
    if asked.blocked:
        assert found.result is AAC
    assert found.cvr in (0, VELOCITY, NEW, TRIES)


@given(taps)
def test_who_must_be_verified_is_not_approved_unseen(asked: Tap) -> None:
    found = decide(asked)
    above = asked.own_currency and asked.amount > asked.cvm_limit
    if found.result in (TC, ARQC) and (above or asked.ttq & Ttq.CVM_REQUIRED):
        assert found.ctq
