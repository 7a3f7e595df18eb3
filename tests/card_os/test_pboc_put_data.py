# SPDX-License-Identifier: Apache-2.0
"""PUT DATA: which elements an issuer may change, by which rules, and the log of loads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import (
    LOAD_LOG,
    debit_directory,
    fen,
    payment_cells,
    payment_chip,
    set_state,
    state_of,
)
from scriptbench import ScriptIssuer, boot_card, facts, finished, torn
from tearing import TEARS

from apdu.wire.elements import BY_TAG, Format
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_of
from apdu.wire.pboc.answers import LoadLogHead
from apdu.wire.pboc.commands import BALANCES, PARAMETERS, PUT_DATA, DataTag
from apdu.wire.pboc.flags import Result
from card_os.apps.pboc.state import CardState
from card_os.chip import Chip
from card_os.nvm import Flash

BALANCE, SECOND = tags.EC_BALANCE, tags.SECOND_EC_BALANCE
ALL = {
    tag: b"\0" * BY_TAG[tag].least for tag in (*PARAMETERS, *BALANCES, tags.SECOND_EC_CURRENCY)
} | {tags.EC_BALANCE_LIMIT: fen(150000), tags.SECOND_EC_BALANCE_LIMIT: fen(70000)}
"""A card that has every element that may be put."""
MAY_BE_PUT = {
    0x9F53, 0x9F54, 0x9F58, 0x9F59, 0x9F5C, 0x9F6B, 0x9F6D, 0x9F72, 0x9F73, 0x9F75, 0x9F77, 0x9F78,
    0x9F79, 0xDF72, 0xDF76, 0xDF77, 0xDF78, 0xDF79, 0xDF61, 0xDF62,
}  # fmt: skip
"""As JR/T 0025.5 annex A has them; DF71 and DF63 are told, but not put."""


def put(bank: ScriptIssuer, tag: int, value: bytes) -> int:
    return bank.script(PUT_DATA, DataTag(tag), value)


def refused(bank: ScriptIssuer, tag: int, value: bytes) -> int:
    """The answer to what must not change a thing."""
    before, ring = facts(bank.chip)[1:], loads(bank.chip)
    state = state_of(bank.chip)
    answer = put(bank, tag, value)
    later = state_of(bank.chip)
    assert replace(later, flags=0, scripts=0) == replace(state, flags=0, scripts=0)
    assert (before, ring) == (facts(bank.chip)[1:], loads(bank.chip))
    assert later.flags
    return answer


def loads(chip: Chip) -> list[bytes]:
    """The records of the load log, the newest first."""
    ring = debit_directory(chip).by_sfi.get(12)
    count = getattr(ring, "count", 0)
    return [ring.record(number) for number in range(1, count + 1)] if ring else []


# Which


def test_what_may_be_put_is_what_the_specification_lists() -> None:
    assert MAY_BE_PUT == PARAMETERS | BALANCES


@given(st.sampled_from(sorted(PARAMETERS)), st.data())
def test_what_was_put_is_what_is_told(tag: int, data: st.DataObject) -> None:
    bank = finished(payment_chip(ALL))
    known = BY_TAG[tag]
    if known.format is Format.NUMERIC:
        size = 2 * known.least
        digits = data.draw(st.text("0123456789", min_size=size, max_size=size))
        value = bytes.fromhex(digits)
    else:
        value = data.draw(st.binary(min_size=known.least, max_size=known.least))
    if tag == tags.DEDUCTION_LIMIT and amount_of(value) + 150000 > LARGEST_AMOUNT:
        assert 0x6985 == put(bank, tag, value)
        return
    before = {other: bank.reader.data(other) for other in PARAMETERS}
    assert 0x9000 == put(bank, tag, value)
    assert {**before, tag: value} == {other: bank.reader.data(other) for other in PARAMETERS}
    bank.chip.reset()
    assert value == ScriptIssuer(bank.chip).reader.data(tag)


@pytest.mark.parametrize("tag", sorted(set(BY_TAG) - MAY_BE_PUT | {0, 0xFFFF, 0x9F7F, 0xDF7F}))
def test_nothing_else_may_be_put(tag: int) -> None:
    bank = finished(payment_chip(ALL))
    assert 0x6A80 == refused(bank, tag, fen(1))


@pytest.mark.parametrize("tag", sorted(MAY_BE_PUT))
def test_what_the_card_has_not_cannot_be_put(tag: int) -> None:
    bank = finished(payment_chip(dict.fromkeys(MAY_BE_PUT)))
    assert 0x6A88 == refused(bank, tag, bytes(BY_TAG[tag].least))


@pytest.mark.parametrize("tag", sorted(MAY_BE_PUT))
def test_an_element_keeps_its_length(tag: int) -> None:
    bank = finished(payment_chip(ALL))
    least = BY_TAG[tag].least
    for length in {1, 2, 4, 5, 6, 7, 8, 247} - {least}:
        assert 0x6700 == refused(bank, tag, bytes(length))
    assert 0x6700 == put(bank, tag, b"")


@pytest.mark.parametrize("tag", sorted(MAY_BE_PUT))
def test_a_number_in_digits_has_digits(tag: int) -> None:
    if BY_TAG[tag].format is Format.NUMERIC:
        bank = finished(payment_chip(ALL))
        least = BY_TAG[tag].least
        for at in range(least):
            for wrong in (0x0A, 0xF0):
                value = bytearray(least)
                value[at] = wrong
                assert 0x6A80 == refused(bank, tag, bytes(value))


def test_a_limit_that_was_put_holds_in_the_next_transaction() -> None:
    bank = ScriptIssuer(payment_chip({tags.ADA: bytes(2)}))
    assert Result.TC is bank.begin(Result.TC)
    bank.online()
    assert 0x9000 == put(bank, tags.LOWER_LIMIT, b"\0")
    assert Result.ARQC is bank.begin(Result.TC)


# Loads


def test_a_load_sets_the_balance_and_writes_what_was_and_what_is() -> None:
    bank = finished(payment_chip(groups=LOAD_LOG))
    assert 0x9000 == put(bank, BALANCE, fen(5000))
    assert 0x9000 == put(bank, BALANCE, fen(12345))
    assert 12345 == bank.reader.amount(BALANCE) == state_of(bank.chip).balance
    newest, first = loads(bank.chip)
    size = LoadLogHead.byte_length()
    assert LoadLogHead(BALANCE, fen(0), fen(5000)) == LoadLogHead.parse(first[:size])
    assert LoadLogHead(BALANCE, fen(5000), fen(12345)) == LoadLogHead.parse(newest[:size])
    date, time, country, name = "260105", "093000", "0156", b"TEST SHOP".ljust(20)
    expected = bytes.fromhex(date + time + country) + name + b"\0" + bank.atc
    assert expected == first[size:] == newest[size:]


def test_the_log_keeps_ten_loads_and_a_card_without_one_loads_all_the_same() -> None:
    bank, bare = finished(payment_chip(groups=LOAD_LOG)), finished()
    for number in range(1, 13):
        assert 0x9000 == put(bank, BALANCE, fen(number)) == put(bare, BALANCE, fen(number))
    assert [fen(n) for n in range(12, 2, -1)] == [record[8:14] for record in loads(bank.chip)]
    assert 12 == state_of(bare.chip).balance
    assert [] == loads(bare.chip)


@given(st.integers(0, 300000), st.integers(0, 200000), st.integers(0, 100000))
def test_a_balance_goes_up_to_its_limit_and_what_deduction_has_used(
    new: int, limit: int, deducted: int
) -> None:
    chip = payment_chip(groups=LOAD_LOG)
    set_state(chip, CardState(balance=7, deducted=deducted))
    bank = finished(chip)
    assert 0x9000 == put(bank, tags.EC_BALANCE_LIMIT, fen(limit))
    if new - deducted > limit:
        assert 0x6A80 == refused(bank, BALANCE, fen(new))
    else:
        assert 0x9000 == put(bank, BALANCE, fen(new))
        assert new == state_of(chip).balance
        assert [fen(7) + fen(new)] == [record[2:14] for record in loads(chip)]


@pytest.mark.parametrize("over", [0, 1])
def test_the_limits_themselves_are_the_edge(over: int) -> None:
    chip = payment_chip(ALL)
    set_state(chip, CardState(deducted=5))
    bank = finished(chip)
    answers = (0x6A80, 0x6985) if over else (0x9000, 0x9000)
    found = put(bank, BALANCE, fen(150005 + over)), put(bank, SECOND, fen(70000 + over))
    assert answers == found


def test_the_second_balance_is_its_own() -> None:
    chip = payment_chip({**ALL, tags.LOAD_LOG_FORMAT: b"\x9f\x36\x02"}, LOAD_LOG)
    set_state(chip, CardState(balance=30, second_balance=40))
    bank = finished(chip)
    assert 0x9000 == put(bank, SECOND, fen(70000))
    assert 0x9000 == put(bank, BALANCE, fen(1))
    state = state_of(bank.chip)
    assert (1, 70000) == (state.balance, state.second_balance)
    assert [b"\x9f\x79", b"\xdf\x79"] == [record[:2] for record in loads(bank.chip)]
    assert [fen(30) + fen(1), fen(40) + fen(70000)] == [each[2:14] for each in loads(bank.chip)]
    assert 0x6985 == refused(bank, SECOND, fen(70001))


@pytest.mark.parametrize(
    ("tag", "limit", "answer"),
    [
        (BALANCE, tags.EC_BALANCE_LIMIT, 0x6A80),
        (SECOND, tags.SECOND_EC_BALANCE_LIMIT, 0x6985),
    ],
)
def test_without_a_limit_nothing_may_be_loaded(tag: int, limit: int, answer: int) -> None:
    bank = finished(payment_chip({**ALL, limit: None}))
    assert answer == refused(bank, tag, fen(1))
    assert 0x9000 == put(bank, tag, fen(0))


def test_the_deduction_limit_covers_what_is_used_and_fits_an_amount() -> None:
    chip = payment_chip({**ALL, tags.DEDUCTION_USED: fen(0)})
    set_state(chip, CardState(deducted=500))
    bank = finished(chip)
    assert 0x6A80 == refused(bank, tags.DEDUCTION_LIMIT, fen(499))
    assert 0x9000 == put(bank, tags.DEDUCTION_LIMIT, fen(500))
    assert 0x9000 == put(bank, tags.DEDUCTION_LIMIT, fen(LARGEST_AMOUNT - 150000))
    assert 0x6985 == refused(bank, tags.DEDUCTION_LIMIT, fen(LARGEST_AMOUNT - 149999))
    assert 0x6A80 == refused(bank, tags.DEDUCTION_USED, fen(0))


def test_what_was_loaded_can_be_spent() -> None:
    values = {tags.EC_INDICATOR: b"\x01", tags.AMOUNT: fen(800)}
    bank = ScriptIssuer(payment_chip())
    bank.online()
    assert 0x9000 == put(bank, BALANCE, fen(1000))
    spender = ScriptIssuer(bank.chip, values=values)
    assert Result.TC is spender.begin(Result.TC)
    assert 200 == state_of(bank.chip).balance


@pytest.mark.parametrize("full", [False, True], ids=["first", "ring full"])
def test_a_torn_load_has_changed_balance_log_and_counter_or_none_of_them(full: bool) -> None:
    def prepare(flash: Flash) -> tuple[Chip, list[bytes]]:
        bank = finished(boot_card(flash))
        for number in range(11 if full else 0):
            put(bank, BALANCE, fen(number))
        return bank.chip, [bank.protect(PUT_DATA, DataTag(BALANCE), fen(4321))]

    before, after, left = torn(payment_cells(groups=LOAD_LOG), prepare, TEARS[::3])
    assert {before, after} == left
