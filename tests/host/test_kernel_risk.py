# SPDX-License-Identifier: Apache-2.0
"""Terminal risk management: floor limit, chance, counters, and the lists of the terminal."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import config, order, parameters, transaction

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tsi, Tvr
from host.faults import CardMisspoke
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.risk import manage, selected_at_random
from host.terminal.kernel.transaction import CannotGoOn, Transaction

QUIET = {"floor_limit": 10_000, "random_threshold": 0, "random_target": 0, "random_maximum": 0}
"""Nothing is selected at random."""
LIMITS = {tags.TERMINAL_LOWER_LIMIT: b"\x03", tags.TERMINAL_UPPER_LIMIT: b"\x07"}


def shop(risk: dict[str, int] | None = None, **changes: Any) -> TerminalConfig:
    return config({"risk": QUIET | (risk or {}), "cash_limit": 5_000}, **changes)


def managed(
    card: dict[int, bytes] | None = None,
    setup: TerminalConfig | None = None,
    spent_before: int = 0,
    amount: int = 100,
    cash: bool = False,
    **asked: Any,
) -> Transaction:
    setup = setup or shop()
    made = transaction(card, order(amount, **asked), setup, cash=cash)
    manage(made, setup, spent_before)
    assert Tsi.TERMINAL_RISK_MANAGED == made.tsi
    return made


def test_what_is_small_and_known_is_let_through() -> None:
    made = managed()
    assert 0 == made.tvr
    assert "nothing to object to" == made.trail[-1].outcome


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_the_floor_limit_is_reached_by_all_that_a_card_paid_here(amount: int, before: int) -> None:
    found = managed(amount=amount, spent_before=before).tvr
    assert (Tvr.FLOOR_LIMIT_EXCEEDED if amount + before >= 10_000 else 0) == found


@given(st.integers(0, 20_000))
def test_for_cash_its_own_limit_stands_for_the_floor_limit(amount: int) -> None:
    card = LIMITS | {tags.ATC: b"\x01\x00", tags.LAST_ONLINE_ATC: b"\x00\x00"}
    chance = shop({"random_target": 99, "random_maximum": 99})
    found = managed(card, chance, amount=amount, cash=True).tvr
    assert (Tvr.FLOOR_LIMIT_EXCEEDED if amount > 5_000 else 0) == found


def test_the_exception_file_and_the_merchant_are_heard() -> None:
    listed = shop(exceptions=frozenset({"6228000100001117"}))
    assert Tvr.ON_EXCEPTION_FILE == managed(setup=listed).tvr
    assert Tvr.MERCHANT_FORCED_ONLINE == managed(force_online=True).tvr
    both = Tvr.ON_EXCEPTION_FILE | Tvr.MERCHANT_FORCED_ONLINE
    assert both == managed(setup=listed, cash=True, force_online=True).tvr
    assert "6228000100001117" not in "".join(each.why for each in managed(setup=listed).trail)


def test_without_parameters_nothing_can_be_judged() -> None:
    with pytest.raises(CannotGoOn):
        manage(transaction(parameters=None), shop())


# Chance


@given(
    st.integers(0, 10_000),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 10_000),
    st.integers(0, 98),
)
def test_the_share_rises_from_the_target_at_the_threshold_to_the_maximum_at_the_floor_limit(
    threshold: int, low: int, high: int, amount: int, lot: int
) -> None:
    target, maximum = sorted((low, high))
    limit = 10_001
    risk = parameters(
        risk={
            "floor_limit": limit,
            "random_threshold": threshold,
            "random_target": target,
            "random_maximum": maximum,
        }
    ).risk
    share = Fraction(target)
    if amount > threshold:
        share += Fraction((maximum - target) * (amount - threshold), limit - threshold)
    assert (lot < share) == selected_at_random(risk, amount, lot)


def test_a_lot_of_0_is_below_every_share_and_none_is_below_0() -> None:
    some, none = ({"random_target": share, "random_maximum": share} for share in (1, 0))
    assert Tvr.SELECTED_AT_RANDOM == managed(setup=shop(some)).tvr
    assert 0 == managed(setup=shop(some), lot=1).tvr
    assert 0 == managed(setup=shop(none)).tvr


def test_over_the_floor_limit_chance_is_not_asked() -> None:
    always = shop({"random_target": 99, "random_maximum": 99})
    assert Tvr.FLOOR_LIMIT_EXCEEDED == managed(setup=always, amount=10_000).tvr


# How often offline


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 255))
def test_what_is_since_the_last_online_transaction_is_held_to_the_limits(
    atc: int, last: int, lower: int, upper: int
) -> None:
    card = {
        tags.ATC: atc.to_bytes(2),
        tags.LAST_ONLINE_ATC: last.to_bytes(2),
        tags.TERMINAL_LOWER_LIMIT: bytes((lower,)),
        tags.TERMINAL_UPPER_LIMIT: bytes((upper,)),
    }
    expected = Tvr(0)
    if atc <= last or atc - last > lower:
        expected |= Tvr.LOWER_LIMIT_EXCEEDED
    if atc <= last or atc - last > upper:
        expected |= Tvr.UPPER_LIMIT_EXCEEDED
    if not last:
        expected |= Tvr.NEW_CARD
    assert expected == managed(card).tvr


@pytest.mark.parametrize("told", [{}, {tags.ATC: b"\x00\x05"}, {tags.LAST_ONLINE_ATC: b"\0\1"}])
def test_a_card_that_hides_its_counters_has_exceeded_both_limits(told: dict[int, bytes]) -> None:
    both = Tvr.LOWER_LIMIT_EXCEEDED | Tvr.UPPER_LIMIT_EXCEEDED
    assert both == managed(LIMITS | told).tvr


@pytest.mark.parametrize("alone", sorted(LIMITS))
def test_one_limit_alone_is_none(alone: int) -> None:
    assert 0 == managed({alone: b"\x00"}).tvr


def test_a_limit_of_another_length_is_not_believed() -> None:
    with pytest.raises(CardMisspoke, match="9F14"):
        managed(LIMITS | {tags.TERMINAL_LOWER_LIMIT: b"\x00\x03"})
