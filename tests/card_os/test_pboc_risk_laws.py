# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, a card makes nothing better than it was asked, and no money comes or goes unseen;
and what the issuer laid down is what its decisions go by."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from riskbench import (
    AAC,
    ARQC,
    ASKED,
    NO_LIMITS,
    OTHER,
    OWN,
    PASSED,
    REQUESTED,
    SECOND,
    STANDING,
    STATE,
    TC,
    WAITING,
    amounts,
    any_asked,
    any_limits,
    any_said,
    any_standing,
    any_state,
    factors,
)

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_bytes
from apdu.wire.pboc.flags import Aip, Cvr, Result, first_of, second_of
from card_os.apps.pboc.completion import APPROVALS, IssuerSaid, completion
from card_os.apps.pboc.conversion import converted
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.risk import Standing, cash_action, first_action
from card_os.apps.pboc.state import CardState, packed, unpacked
from card_os.apps.pboc.velocity import Asked

NO_BETTER = {AAC: {AAC}, ARQC: {AAC, ARQC}, TC: {AAC, ARQC, TC}}
MONEY = ("balance", "second_balance", "deducted", "atc")


def of(state: CardState, *names: str) -> list[int]:
    return [getattr(state, name) for name in names]


@given(any_limits, any_state, any_asked, any_standing)
def test_the_first_decision_is_never_better_than_asked_and_tells_itself(
    limits: Limits, state: CardState, asked: Asked, standing: Standing
) -> None:
    found = first_action(limits, state, asked, standing)
    assert found.result in NO_BETTER[Result(asked.wanted)]
    if not found.blocks:
        assert (ARQC, found.result) == (second_of(found.cvr), first_of(found.cvr))
    assert standing.cvr == found.cvr & standing.cvr
    assert not standing.blocked or found.result == AAC
    assert found.state == unpacked(packed(found.state))
    kept = (*MONEY, "last_online_atc", "scripts")
    assert of(state, *kept) == of(found.state, *kept)
    if found.result == ARQC:
        assert replace(state, flags=state.flags | REQUESTED) == found.state
    if found.result == TC:
        assert state.spent <= found.state.spent
        assert state.spent_dual <= found.state.spent_dual
    else:
        assert of(state, "spent", "spent_dual") == of(found.state, "spent", "spent_dual")


@given(any_limits, any_state, any_asked, any_standing, st.booleans(), st.booleans())
def test_cash_leaves_the_card_by_approved_amounts_alone(
    limits: Limits, state: CardState, asked: Asked, standing: Standing, agrees: bool, second: bool
) -> None:
    found = cash_action(limits, state, asked, standing, agrees=agrees, second=second)
    assert found.result in NO_BETTER[Result(asked.wanted)]
    paid = asked.amount if found.result == TC else 0
    name = "second_balance" if second else "balance"
    assert getattr(state, name) - paid == getattr(found.state, name) >= 0
    others = {each.name for each in fields(CardState)} - {name, "flags"}
    assert of(state, *others) == of(found.state, *others)
    if found.result == TC:
        assert agrees
        assert state.flags == found.state.flags


@given(any_limits, any_state, any_asked, any_standing, any_said)
def test_the_second_decision_is_final_and_needs_an_approval(
    limits: Limits, state: CardState, asked: Asked, standing: Standing, said: IssuerSaid
) -> None:
    asked = asked._replace(wanted=asked.wanted & 1)
    standing = standing._replace(cvr=standing.cvr | WAITING)
    found = completion(limits, state, asked, standing, said)
    assert found.result in (AAC, TC)
    assert found.result <= asked.wanted
    assert (found.result, ARQC) == (second_of(found.cvr), first_of(found.cvr))
    assert found.state == unpacked(packed(found.state))
    assert of(state, *MONEY) == of(found.state, *MONEY)
    if found.cvr & Cvr.UNABLE_TO_GO_ONLINE:
        assert state.last_online_atc == found.state.last_online_atc
        assert state.flags == found.state.flags & state.flags
        assert state.spent <= found.state.spent
    elif found.result == TC:
        assert said.arc in APPROVALS
    in_order = said.authentication is PASSED or not standing.aip & Aip.ISSUER_AUTHENTICATION
    if not in_order and limits.authentication_mandatory:
        assert state.last_online_atc == found.state.last_online_atc


@given(any_limits, any_state, any_asked, any_standing)
def test_more_against_a_transaction_never_makes_it_better(
    limits: Limits, state: CardState, asked: Asked, standing: Standing
) -> None:
    rank = {AAC: 0, ARQC: 1, TC: 2}
    found = rank[Result(first_action(limits, state, asked, standing).result)]
    worse = [
        (replace(limits, lower=0), state, asked, standing),
        (limits, replace(state, flags=state.flags | REQUESTED), asked, standing),
        (limits, state, asked._replace(wanted=AAC), standing),
        (limits, state, asked, standing._replace(blocked=True)),
    ]
    assert all(rank[Result(first_action(*each).result)] <= found for each in worse)


# What the card remembers


@given(any_state)
def test_the_state_is_packed_as_it_is_declared(state: CardState) -> None:
    raw = bytes(state)
    assert raw == packed(state)
    assert state == unpacked(raw) == CardState.parse(raw)


@pytest.mark.parametrize("length", [0, 39, 41])
def test_a_state_of_another_length_is_none(length: int) -> None:
    with pytest.raises(FormatError):
        unpacked(bytes(length))


@pytest.mark.parametrize("name", ["atc", "flags", "scripts", "spent", "balance"])
@pytest.mark.parametrize("value", [-1, 1 << 48])
def test_a_number_that_does_not_fit_is_not_stored(name: str, value: int) -> None:
    with pytest.raises(FormatError):
        packed(replace(STATE, **{name: value}))


# What the issuer lays down


def test_an_absent_limit_is_not_the_limit_zero() -> None:
    zero = Limits.of({tags.LOWER_LIMIT: b"\0", tags.INTERNATIONAL_CURRENCY_LIMIT: b"\0"})
    assert (None, None) == (NO_LIMITS.lower, NO_LIMITS.international_currency)
    assert (0, 0) == (zero.lower, zero.international_currency)


@pytest.mark.parametrize("name", ["lower", "international_currency", "international_country"])
def test_a_limit_of_zero_lets_none_pass(name: str) -> None:
    own = replace(NO_LIMITS, currency=OWN, country=OWN)
    abroad = ASKED._replace(currency=OTHER, country=OTHER)
    assert first_action(own, STATE, abroad, STANDING).result == TC
    assert first_action(replace(own, **{name: 0}), STATE, abroad, STANDING).result == ARQC


def test_limits_are_taken_from_the_elements_that_name_them() -> None:
    parameters = {
        tags.RISK_CURRENCY: OWN,
        tags.RISK_COUNTRY: OTHER,
        tags.SECOND_CURRENCY: SECOND,
        tags.ADA: b"\x82\x40",
        tags.ISSUER_AUTHENTICATION_INDICATOR: b"\x80",
        tags.LOWER_LIMIT: b"\x01",
        tags.UPPER_LIMIT: b"\x02",
        tags.INTERNATIONAL_CURRENCY_LIMIT: b"\x03",
        tags.INTERNATIONAL_COUNTRY_LIMIT: b"\xff",
        tags.CTTAL: amount_bytes(5),
        tags.CTTAUL: amount_bytes(6),
        tags.DUAL_LIMIT: amount_bytes(7),
        tags.CONVERSION_FACTOR: b"\x20\x00\x00\x08",
    }
    factor = b"\x20\x00\x00\x08"
    expected = Limits(OWN, OTHER, SECOND, 0x8240, True, 1, 2, 3, 255, 5, 6, 7, factor)
    assert expected == Limits.of(parameters)


@pytest.mark.parametrize("indicator", [b"", b"\x00", b"\x7f"])
def test_issuer_authentication_is_mandatory_by_its_first_bit_alone(indicator: bytes) -> None:
    assert not Limits.of({tags.ISSUER_AUTHENTICATION_INDICATOR: indicator}).authentication_mandatory


@pytest.mark.parametrize(
    ("amount", "factor", "expected"),
    [
        (100, "00000001", 100),
        (100, "00000007", 700),
        (101, "10000005", 51),
        (100, "70912345", 10),
        (1, "90000001", 1),
        (0, "00000009", 0),
        (LARGEST_AMOUNT, "09999999", LARGEST_AMOUNT),
    ],
)
def test_an_amount_of_the_second_currency_is_converted(
    amount: int, factor: str, expected: int
) -> None:
    assert expected == converted(amount, bytes.fromhex(factor))


@given(amounts, factors)
def test_a_conversion_is_off_by_less_than_one_unit(amount: int, factor: bytes) -> None:
    places, digits = int(factor.hex()[0]), int(factor.hex()[1:])
    found = converted(amount, factor)
    assert 0 <= found <= LARGEST_AMOUNT
    if found < LARGEST_AMOUNT:
        assert 0 <= found * 10**places - amount * digits < 10**places


@pytest.mark.parametrize("factor", ["", "000001", "0000000001", "A0000001", "0000000F"])
def test_a_factor_that_is_none_is_refused(factor: str) -> None:
    with pytest.raises(FormatError):
        converted(1, bytes.fromhex(factor))


def test_a_factor_that_makes_nothing_of_everything_is_as_none() -> None:
    assert b"" == Limits.of({tags.CONVERSION_FACTOR: bytes(4)}).factor
