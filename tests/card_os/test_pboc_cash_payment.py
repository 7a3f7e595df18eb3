# SPDX-License-Identifier: Apache-2.0
"""Electronic cash in the slot: paid from its balance alone, to who says what it said to GPO."""

from __future__ import annotations

from dataclasses import replace

import pytest
from acbench import Till
from paymentbench import fci, fen, in_use, state_of, with_pdol
from testbench import sw

from apdu.atr import Interface
from apdu.wire.cryptogram import TwoAmountsIdd, parse_idd
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result, Ttq
from apdu.wire.pboc.groups import CONTACT_FCI
from card_os.chip import Chip

AAC, TC, ARQC = Result
CASH = {tags.EC_INDICATOR: b"\x01"}


def begun(chip: Chip, values: dict[int, bytes] | None = None) -> Till:
    till = Till(chip)
    assert 0x9000 == till.begin(values)
    return till


def cash(balance: int = 5_000, **changes: int) -> Chip:
    return in_use({tags.EC_SINGLE_LIMIT: fen(10**6)}, balance=balance, **changes)


def test_cash_is_paid_from_the_balance_and_logged() -> None:
    till = begun(cash(), {**CASH, tags.AMOUNT: fen(1_234)})
    before = state_of(till.chip)
    assert TC is till.first(TC)
    assert replace(before, balance=3_766) == state_of(till.chip)
    assert 0x9000 == sw(till.reader.record(11, 1))
    found = parse_idd(till.iad.discretionary)
    assert not isinstance(found, TwoAmountsIdd)
    assert fen(3_766)[1:] == found.amount


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (tags.AMOUNT, fen(1)),
        (tags.CURRENCY, bytes.fromhex("0840")),
        (tags.TERMINAL_COUNTRY, bytes.fromhex("0840")),
    ],
)
def test_who_says_otherwise_than_to_gpo_is_paid_nothing(tag: int, value: bytes) -> None:
    till = begun(cash(), CASH)
    before = state_of(till.chip)
    assert AAC is till.first(TC, {tag: value})
    assert before == state_of(till.chip)


def test_what_was_found_meanwhile_may_be_said_otherwise() -> None:
    pdol = bytes.fromhex("9F7A019F02065F2A0295059B029F3704")
    chip = in_use(
        {tags.EC_SINGLE_LIMIT: fen(10**6)}, {CONTACT_FCI: fci(False, pdol)}, balance=5_000
    )
    till = begun(chip, CASH)
    other = {tags.TVR: b"\x80\0\0\0\0", tags.UNPREDICTABLE_NUMBER: b"\x01\x02\x03\x04"}
    assert TC is till.first(TC, other)


def test_cash_that_is_asked_online_is_a_debit_and_leaves_the_balance() -> None:
    till = begun(cash(), CASH)
    before = state_of(till.chip)
    assert ARQC is till.first(ARQC)
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)
    assert replace(before, last_online_atc=before.atc) == state_of(till.chip)


def test_cash_of_the_second_currency_is_paid_from_its_own_balance() -> None:
    parameters = {
        tags.SECOND_EC_CURRENCY: bytes.fromhex("0344"),
        tags.SECOND_EC_SINGLE_LIMIT: fen(10**6),
    }
    chip = in_use(parameters, balance=5_000, second_balance=700)
    till = begun(chip, {**CASH, tags.CURRENCY: bytes.fromhex("0344"), tags.AMOUNT: fen(700)})
    assert TC is till.first(TC)
    assert (5_000, 0) == (state_of(chip).balance, state_of(chip).second_balance)


def test_cash_may_be_paid_over_the_air_in_steps() -> None:
    asks = with_pdol(contactless=bytes.fromhex("9F7A01"))
    chip = in_use({tags.EC_SINGLE_LIMIT: fen(10**6)}, asks, balance=5_000)
    till = Till(chip, Interface.CONTACTLESS)
    step = {**CASH, tags.TTQ: int(Ttq.CONTACTLESS_PBOC).to_bytes(4)}
    assert 0x9000 == till.begin(step)
    assert AAC is till.first(TC, {tags.DATE: bytes.fromhex("260106")})
    assert 0x9000 == till.begin(step)
    assert TC is till.first(TC)
    assert 4_900 == state_of(chip).balance
