# SPDX-License-Identifier: Apache-2.0
"""A load of a card's balance, on the chip, and where there is none to load."""

from __future__ import annotations

import pytest
from medicalbench import (
    LAST,
    Till,
    begin_debit,
    begin_load,
    cells,
    credit_load,
    debit,
    entry,
    every_generation,
    loaded,
    rich,
)
from testbench import command, select_df, send_all

from apdu.wire.hrss.df04 import AccountBalance, AccountState
from apdu.wire.hrss.generations import DF01, DF04
from apdu.wire.hrss.medical import TransactionKind, TransactionProof
from apdu.wire.iso7816 import UPDATE_BINARY, SfiOffset
from card_os.nvm import Flash

AMOUNTS = [1, 0x7FFFFFFF, 0x80000000, LAST, 0xFFFFFFFF]


def first(balance: int = 0) -> Till:
    till = Till("1.0")
    till.put(AccountBalance(balance, 3, 4))
    return till


def test_a_load_begins_with_balance_number_key_and_the_cards_own_mac() -> None:
    till = first(5000)
    till.put(next_load=0x0102)
    answer = till.ask(begin_load(700))
    assert bytes.fromhex("00001388 0102 01 00") == answer[:8]
    assert 16 == len(answer)
    till.begin_load(700)  # which holds MAC1 to the rules


def test_a_load_is_booked_and_proven() -> None:
    till = first(5000)
    done = till.load(700)
    held, state = till.files()
    assert AccountBalance(5700, 3, 4) == held
    assert AccountState(1, 2, 1, done.tac, bytes(4)) == state
    assert [loaded(1, 700)] == till.log()
    till.power()
    assert TransactionProof(bytes(4), done.tac) == till.prove(1, TransactionKind.LOAD)


def test_loads_and_purchases_have_numbers_of_their_own() -> None:
    till = first()
    for _ in range(3):
        till.load(2000)
    till.buy()
    till.load(1)
    assert [4, 1, 3, 2, 1] == [each.sequence for each in till.log()]
    assert [loaded(4, 1), entry(1)] == till.log()[:2]
    assert bytes(4) == till.files()[1].mac2  # that of the purchase is gone
    assert AccountBalance(6000 - 1234 + 1, 3 + 56, 4 + 78) == till.files()[0]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("balance", [0, *AMOUNTS[:-1]])
def test_no_balance_grows_beyond_its_field(balance: int, amount: int) -> None:
    """Q30."""
    till = first(balance)
    if balance + amount > LAST:
        assert 0x6985 == till.send(begin_load(amount))
        assert AccountBalance(balance, 3, 4) == till.files()[0]
    else:
        till.load(amount)
        assert AccountBalance(balance + amount, 3, 4) == till.files()[0]


def test_a_balance_that_was_erased_takes_no_load() -> None:
    till = first()
    till.put(AccountBalance(None, 0, 0))
    assert 0x6985 == till.send(begin_load(1))


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_cards_without_a_balance_take_no_load(generation: str) -> None:
    till = rich(generation)
    assert 0x6985 == till.send(begin_load(1))
    assert 0x6985 == till.send(credit_load(bytes(4)))


def test_a_wrong_mac2_changes_nothing_and_ends_the_load() -> None:
    till = first()
    before = till.chip.snapshot()
    for bit in range(32):
        begun = till.begin_load(100)
        assert 0x9302 == till.send(till.credit(begun, 100, (1 << bit).to_bytes(4)))
        assert 0x6985 == till.send(till.credit(begun, 100))
        assert before == till.chip.snapshot()


def test_mac2_is_for_this_amount() -> None:
    till = first()
    begun = till.begin_load(100)
    assert 0x9302 == till.send(till.credit(begun, 101))


def test_mac2_is_for_this_time() -> None:
    till = first()
    right = till.credit(till.begin_load(100), 100)
    assert 0x9302 == till.send(right[:11] + b"\x01" + right[12:])


def test_a_credit_serves_once() -> None:
    till = first()
    raw = till.credit(till.begin_load(100), 100)
    till.ask(raw)
    after = till.chip.snapshot()
    assert 0x6985 == till.send(raw)
    till.begin_load(100)
    assert 0x9302 == till.send(raw)
    assert after == till.chip.snapshot()


@every_generation
def test_what_was_begun_is_ended_by_its_own_command_alone(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    assert 0x6985 == till.send(credit_load(bytes(4)))
    assert 0x6985 == till.send(order)
    if generation == "1.0":
        credit = till.credit(till.begin_load(100), 100)
        assert 0x6985 == till.send(debit(bytes(4)))
        assert 0x6985 == till.send(credit)


def test_a_load_takes_the_place_of_a_purchase_and_the_other_way_round() -> None:
    till = first(5000)
    order = till.order(till.begin())
    credit = till.credit(till.begin_load(100), 100)
    assert 0x6985 == till.send(order)
    assert 0x6985 == till.send(credit)
    credit = till.credit(till.begin_load(100), 100)
    till.ask(begin_debit())
    assert 0x6985 == till.send(credit)


def test_a_load_does_not_outlive_its_selection() -> None:
    till = first()
    credit = till.credit(till.begin_load(100), 100)
    send_all(till.chip, [select_df(DF01.fid), select_df(DF04.fid)])
    assert 0x6985 == till.send(credit)


def test_nothing_is_no_load_and_a_terminal_has_a_number() -> None:
    till = first()
    assert 0x6A80 == till.send(begin_load(0))
    assert 0x6A80 == till.send(begin_load(1, terminal=b"\xaa" * 6))


@pytest.mark.parametrize("index", [0, 2, 3, 0x82, 0xFF])
def test_an_index_without_a_load_key_is_refused(index: int) -> None:
    assert 0x9403 == first().send(begin_load(1, index))


def test_without_the_key_for_the_tac_nothing_is_loaded() -> None:
    till = Till("1.0", Flash(bytearray(cells("1.0", "DTK"))))
    before = till.chip.snapshot()
    credit = till.credit(till.begin_load(100), 100)
    assert 0x9406 == till.send(credit)
    assert before == till.chip.snapshot()


def test_load_numbers_have_an_end_and_no_zero() -> None:
    till = first()
    for number in (0, 0xFFFF):
        till.put(next_load=number)
        assert 0x6985 == till.send(begin_load(1))
    till.put(next_load=0xFFFE)
    till.load(1)
    assert 0x6985 == till.send(begin_load(1))
    till.hold(5000)
    till.buy()  # its numbers are others


def test_a_number_that_was_set_in_between_ends_the_load() -> None:
    till = first()
    assert 0x9000 == till.authenticate("DSK")
    credit = till.credit(till.begin_load(100), 100)
    send_all(till.chip, [command(UPDATE_BINARY, SfiOffset(0x1B, 2), b"\x00\x02")])
    assert 0x6985 == till.send(credit)


def test_a_balance_that_grew_in_between_ends_the_load() -> None:
    till = first()
    credit = till.credit(till.begin_load(100), 100)
    till.put(AccountBalance(LAST - 99, 0, 0))
    assert 0x6985 == till.send(credit)


@pytest.mark.parametrize("time", ["20261305093000", "FF" * 7])
def test_a_time_that_is_none_is_refused_though_the_mac_is_right(time: str) -> None:
    till = first()
    before = till.chip.snapshot()
    credit = till.credit(till.begin_load(100), 100, time=bytes.fromhex(time))
    assert 0x6A80 == till.send(credit)
    assert 0x6985 == till.send(credit)
    assert before == till.chip.snapshot()
