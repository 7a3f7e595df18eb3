# SPDX-License-Identifier: Apache-2.0
"""When electronic cash is spent in the slot (电子现金): GPO's choice, condition by condition."""

from __future__ import annotations

import pytest
from paymentbench import (
    Reader,
    context,
    fci,
    fen,
    in_use,
    lose_pin,
    state_of,
)
from waybench import CARD, DOLLARS, way

from apdu.wire.pboc import tags
from apdu.wire.pboc.groups import CONTACT_FCI
from card_os.apps.pboc.state import Flag
from card_os.apps.pboc.transaction import current


@pytest.mark.parametrize("amount", [0, 1, 1000])
def test_cash_is_spent_where_the_terminal_wants_it_and_there_is_enough(amount: int) -> None:
    assert "cash" == way(Reader(in_use(CARD)), {tags.AMOUNT: fen(amount)})


NO_CASH = {
    "not wanted": {tags.EC_INDICATOR: b"\x00"},
    "wanted otherwise": {tags.EC_INDICATOR: b"\x02"},
    "another currency": {tags.CURRENCY: DOLLARS},
    "above the single limit": {tags.AMOUNT: fen(1001)},
}


@pytest.mark.parametrize("name", NO_CASH)
def test_what_the_terminal_says_may_make_it_a_debit(name: str) -> None:
    assert "debit" == way(Reader(in_use(CARD)), NO_CASH[name])


def test_more_than_there_is_makes_it_a_debit() -> None:
    card = {tags.EC_BALANCE: fen(99)}
    assert "debit" == way(Reader(in_use(card)))
    assert "cash" == way(Reader(in_use(card)), {tags.AMOUNT: fen(99)})


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        (Flag.ISSUER_AUTHENTICATION_FAILED, "debit"),
        (Flag.SCRIPT_FAILED, "debit"),
        (Flag.ONLINE_REQUESTED, "cash"),
        (Flag.SDA_FAILED, "cash"),
        (Flag.DDA_FAILED, "cash"),
    ],
)
def test_what_the_last_transaction_left_behind_may_make_it_a_debit(
    flag: Flag, expected: str
) -> None:
    assert expected == way(Reader(in_use(CARD, flags=int(flag))))


def test_a_blocked_pin_makes_it_a_debit() -> None:
    chip = in_use(CARD)
    lose_pin(chip)
    assert "debit" == way(Reader(chip))


def test_a_card_without_a_pin_spends_cash() -> None:
    assert "cash" == way(Reader(in_use(CARD, {0x8010: None, 0x9010: None})))


def test_a_card_without_a_single_limit_or_the_way_spends_none() -> None:
    assert "debit" == way(Reader(in_use({**CARD, tags.EC_SINGLE_LIMIT: None})))
    assert "debit" == way(Reader(in_use(CARD, {0x9203: None})))


@pytest.mark.parametrize("left_out", [tags.EC_INDICATOR, tags.AMOUNT, tags.CURRENCY])
def test_a_card_that_does_not_ask_for_it_spends_no_cash(left_out: int) -> None:
    pdol = {tags.EC_INDICATOR: "9F7A01", tags.AMOUNT: "9F0206", tags.CURRENCY: "5F2A02"}
    asked = bytes.fromhex("".join(each for tag, each in pdol.items() if tag != left_out))
    chip = in_use(CARD, {CONTACT_FCI: fci(False, asked)})
    assert "debit" == way(Reader(chip))


SECOND = {
    tags.SECOND_EC_CURRENCY: DOLLARS,
    tags.SECOND_EC_SINGLE_LIMIT: fen(300),
    tags.SECOND_EC_BALANCE: fen(250),
}


@pytest.mark.parametrize(("amount", "expected"), [(250, "cash"), (251, "debit"), (301, "debit")])
def test_cash_of_a_second_currency_has_its_own_balance_and_limit(
    amount: int, expected: str
) -> None:
    chip = in_use({**CARD, **SECOND})
    reader = Reader(chip)
    assert expected == way(reader, {tags.CURRENCY: DOLLARS, tags.AMOUNT: fen(amount)})
    assert (expected == "cash") == current(context(chip)).second_currency


def test_the_second_single_limit_counts_alone() -> None:
    chip = in_use({**CARD, **SECOND, tags.SECOND_EC_BALANCE: fen(900)})
    values = {tags.CURRENCY: DOLLARS, tags.AMOUNT: fen(301)}
    assert "debit" == way(Reader(chip), values)


def test_cash_of_the_own_currency_is_not_that_of_the_second() -> None:
    chip = in_use({**CARD, **SECOND})
    assert "cash" == way(Reader(chip))
    assert not current(context(chip)).second_currency


def test_gpo_itself_spends_nothing() -> None:
    chip = in_use(CARD)
    before = state_of(chip)
    assert "cash" == way(Reader(chip))
    assert (before.balance, before.atc + 1) == (state_of(chip).balance, state_of(chip).atc)
