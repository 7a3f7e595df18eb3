# SPDX-License-Identifier: Apache-2.0
"""When the medical account stays shut: PIN, keys, sums, and what changed in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from keybench import NEW_PIN, PIN, WRONG_PIN
from medicalbench import (
    LAST,
    SUITE_OF,
    SUM,
    Held,
    Sum,
    Till,
    begin_debit,
    begin_load,
    cells,
    credit_load,
    debit,
    every_generation,
    prove,
    rich,
)
from testbench import (
    SELECT_HRSS,
    change_pin,
    command,
    select_df,
    send_all,
    verify,
)

from apdu.tlv import parse_simple
from apdu.wire.hrss.df04 import AccountBalance, OfflineTotals
from apdu.wire.hrss.generations import DF04
from apdu.wire.iso7816 import (
    UPDATE_BINARY,
    UPDATE_RECORD,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.perso import Life
from card_os.nvm import Flash
from card_os.world import World

FIRST = [begin_debit(), begin_load(1)]
"""The commands that begin something."""
ALL = [*FIRST, debit(bytes(4)), credit_load(bytes(4))]


# The PIN


@every_generation
def test_nothing_moves_without_the_pin(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    assert 0x63C5 == till.send(verify(WRONG_PIN))
    before = till.chip.snapshot()
    assert [0x6982] * 5 == [till.send(raw) for raw in (*ALL, order)]
    assert before == till.chip.snapshot()
    send_all(till.chip, [verify(NEW_PIN)])
    till.buy()


@every_generation
def test_the_keys_of_df04_do_not_stand_in_for_the_pin(generation: str) -> None:
    till = Till(generation)
    send_all(till.chip, [SELECT_HRSS, select_df(DF04.fid)])
    assert [0x9000] * 2 == [till.authenticate("RK1DF04"), till.authenticate("UK2DF04")]
    assert [0x6982] * 4 == [till.send(raw) for raw in ALL]


@every_generation
def test_the_initial_pin_opens_no_account(generation: str) -> None:
    till = Till(generation, Flash(bytearray(cells(generation, initial=True))), PIN)
    till.hold(1_000_000)
    assert [0x6985] * 4 == [till.send(raw) for raw in ALL]
    send_all(till.chip, [change_pin(PIN, NEW_PIN), verify(NEW_PIN)])
    till.buy()


@every_generation
def test_a_pin_that_was_set_back_to_the_initial_one_closes_the_account(generation: str) -> None:
    """Even for a purchase that was begun before."""
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    assert 0x9000 == till.authenticate("PUK")
    send_all(till.chip, [till.reload(PIN), verify(PIN)])
    before = till.chip.snapshot()
    assert [0x6985] * 2 == [till.send(order), till.send(begin_debit())]
    assert before == till.chip.snapshot()


def test_a_pin_that_begins_as_the_initial_one_is_another() -> None:
    till = rich("2.0")
    send_all(till.chip, [change_pin(NEW_PIN, PIN + "0"), verify(PIN + "0")])
    till.buy()


# What is given

AMOUNTS = [0, 1, 0x7FFFFFFF, 0x80000000, LAST, 0xFFFFFFFF]


@every_generation
def test_nothing_is_no_purchase(generation: str) -> None:
    till = rich(generation)
    assert 0x6A80 == till.send(begin_debit(Sum(0, 0, 0)))
    assert 0x6A80 == till.send(begin_debit(replace(SUM, terminal=b"terminal"[:6])))


@pytest.mark.parametrize("time", ["20261305093000", "20260230093000", "20260105240000", "FF" * 7])
@every_generation
def test_a_time_that_is_none_is_refused_though_the_mac_is_right(generation: str, time: str) -> None:
    till = rich(generation)
    terms = replace(SUM, time=bytes.fromhex(time))
    begun = till.begin(terms)
    before = till.chip.snapshot()
    assert 0x6A80 == till.send(till.order(begun, terms))
    assert 0x6985 == till.send(till.order(begun, terms))
    assert before == till.chip.snapshot()


@pytest.mark.parametrize("index", [0, 4, 5, 0x0A, 0x82, 0x8C, 0xFF])
@every_generation
def test_an_index_without_a_purchase_key_is_refused(generation: str, index: int) -> None:
    till = rich(generation)
    assert 0x9403 == till.send(begin_debit(replace(SUM, index=index)))


@every_generation
def test_without_the_key_for_the_tac_nothing_is_booked(generation: str) -> None:
    flash = Flash(bytearray(cells(generation, "DTK")))
    till = Till(generation, flash)
    till.hold(1_000_000)
    begun = till.begin()
    before = till.chip.snapshot()
    assert 0x9406 == till.send(till.order(begun))
    assert before == till.chip.snapshot()


# What the card holds


@pytest.mark.parametrize("number", [0, 0xFFFF])
@every_generation
def test_sequence_numbers_have_an_end_and_no_zero(generation: str, number: int) -> None:
    till = rich(generation)
    till.put(next_sequence=number)
    assert 0x6985 == till.send(begin_debit())


@every_generation
def test_the_last_number_but_one_is_the_last_that_serves(generation: str) -> None:
    till = rich(generation)
    till.put(next_sequence=0xFFFE)
    till.buy()
    assert 0xFFFE == till.log()[0].sequence
    for _ in range(3):
        assert 0x6985 == till.send(begin_debit())
    assert 0xFFFF == till.files()[1].next_sequence


HELD: list[tuple[str, Held, int]] = [
    ("1.0", AccountBalance(1233, 0, 0), 0x9401),
    ("1.0", AccountBalance(0, 0, 0), 0x9401),
    ("1.0", AccountBalance(None, 0, 0), 0x6985),
    ("1.0", AccountBalance(1234, LAST - 55, 0), 0x6985),
    ("1.0", AccountBalance(1234, 0, LAST - 77), 0x6985),
    ("1.0", AccountBalance(1234, None, 0), 0x6985),
    ("1.0", AccountBalance(1234, 0, None), 0x6985),
    ("1.0", AccountBalance(1234, LAST - 56, LAST - 78), 0x9000),
    ("2.0", OfflineTotals("0", 0, "00"), 0x6985),
    ("2.0", OfflineTotals("2", 0, "00"), 0x6985),
    ("2.0", OfflineTotals("", 0, "00"), 0x6985),
    ("2.0", OfflineTotals("1", 0, "99"), 0x6985),
    ("2.0", OfflineTotals("1", 0, "98"), 0x9000),
    ("2.0", OfflineTotals("1", 0, "0A"), 0x6985),
    ("2.0", OfflineTotals("1", 0, "7"), 0x6985),
    ("2.0", OfflineTotals("1", 0, "中"), 0x6985),
    ("2.0", OfflineTotals("1", 0, ""), 0x6985),
    ("2.0", OfflineTotals("1", None, "00"), 0x6985),
    ("2.0", OfflineTotals("1", LAST - 1311, "00"), 0x6985),
    ("2.0", OfflineTotals("1", LAST - 1312, "00"), 0x9000),
]


@pytest.mark.parametrize(("generation", "held", "expected"), HELD)
def test_the_card_pays_what_it_has_and_no_more(generation: str, held: Held, expected: int) -> None:
    till = Till(generation)
    till.put(held)
    before = till.chip.snapshot()
    assert expected == till.send(begin_debit())
    assert before == till.chip.snapshot()


@pytest.mark.parametrize(
    ("generation", "held", "expected"), [each for each in HELD if each[2] != 0x9000]
)
def test_what_changes_between_init_and_debit_counts(
    generation: str, held: Held, expected: int
) -> None:
    """With the key for it a terminal may write EF06 at any time."""
    till = rich(generation)
    assert 0x9000 == till.authenticate("UK2DF04")
    begun = till.begin()
    for number, item in enumerate(parse_simple(bytes(held)), start=1):
        send_all(till.chip, [command(UPDATE_RECORD, RecordTarget(number, 6), bytes(item))])
    before = till.chip.snapshot()
    assert expected == till.send(till.order(begun))
    assert before == till.chip.snapshot()


@every_generation
def test_a_number_that_was_set_between_init_and_debit_ends_the_purchase(generation: str) -> None:
    till = rich(generation)
    assert 0x9000 == till.authenticate("DSK")
    begun = till.begin()
    send_all(till.chip, [command(UPDATE_BINARY, SfiOffset(0x1B, 0), b"\x00\x02")])
    assert 0x6985 == till.send(till.order(begun))
    assert [] == till.log()


@pytest.mark.parametrize("account", AMOUNTS)
@pytest.mark.parametrize("balance", AMOUNTS[:-1])
def test_no_balance_wraps(balance: int, account: int) -> None:
    """Q30."""
    till = Till("1.0")
    till.put(AccountBalance(balance, 0, 0))
    answer = till.send(begin_debit(Sum(account, 1, 0)))
    assert (0x9000 if account <= balance else 0x9401) == answer
    if answer == 0x9000:
        till.buy(Sum(account, 1, 0))
        assert AccountBalance(balance - account, 1, 0) == till.files()[0]


@pytest.mark.parametrize("own", [1, 0xFFFFFFFF])
@pytest.mark.parametrize("pool", AMOUNTS)
@pytest.mark.parametrize("account", AMOUNTS)
@pytest.mark.parametrize("total", [0, 1, 0x7FFFFFFF, LAST])
def test_no_total_wraps(total: int, account: int, pool: int, own: int) -> None:
    """Q30."""
    till = Till("2.0")
    till.put(OfflineTotals("1", total, "00"))
    fits = total + account + pool <= LAST and own <= LAST
    assert (0x9000 if fits else 0x6985) == till.send(begin_debit(Sum(account, own, pool)))


# What may be missing


def end(till: Till, sfi: int) -> None:
    till.chip._ctx.tree.set_life(till.directory_object().by_sfi[sfi], Life.DEACTIVATED)


def swap(till: Till, sfi: int, other: int) -> None:
    by_sfi = till.directory_object().by_sfi
    by_sfi[sfi] = by_sfi[other]


DAMAGES: dict[str, Callable[[Till], object]] = {
    "no log": lambda till: end(till, 8),
    "no totals": lambda till: end(till, 6),
    "no state": lambda till: till.directory_object().by_sfi.pop(0x1B),
    "a log that is none": lambda till: swap(till, 8, 5),
    "totals of another layout": lambda till: swap(till, 6, 5),
}


@pytest.mark.parametrize("damage", DAMAGES)
@every_generation
def test_a_df04_without_its_files_has_no_account(generation: str, damage: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    DAMAGES[damage](till)
    commands = (order, begin_debit(), begin_load(1), prove(1))
    assert [0x6985] * 4 == [till.send(raw) for raw in commands]


@every_generation
def test_without_chance_there_is_no_purchase(generation: str) -> None:
    till = rich(generation)

    def none(_: int) -> bytes:
        raise OSError

    till.chip._ctx.world = World(none, till.world.today)
    assert [0x6400] == [till.send(begin_debit())]
    assert 0x6985 == till.send(debit(bytes(4)))


def test_all_generations_are_tried() -> None:
    assert {"1.0", "2.0", "3.0"} == set(SUITE_OF)
