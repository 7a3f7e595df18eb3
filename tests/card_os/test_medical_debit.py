# SPDX-License-Identifier: Apache-2.0
"""A purchase from the medical account, on the chip: what it answers, books and proves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from medicalbench import (
    SUM,
    TERMINAL_SEQUENCE,
    TIME,
    Sum,
    Till,
    begin_debit,
    debit,
    entry,
    every_generation,
    rich,
)
from testbench import sw

from apdu.wire.hrss.df04 import AccountBalance, AccountState, OfflineTotals
from apdu.wire.hrss.medical import DebitDone, TransactionProof
from apdu.wire.purchase import PurchaseAlgorithm

ALGORITHM = {
    "1.0": PurchaseAlgorithm.TDES,
    "2.0": PurchaseAlgorithm.TDES,
    "3.0": PurchaseAlgorithm.SM4,
}
every_version = pytest.mark.parametrize("version", [1, 2, 3])


@every_generation
@every_version
def test_init_answers_money_number_key_and_a_random_number(generation: str, version: int) -> None:
    till = Till(generation)
    till.put(
        AccountBalance(5000, 1, 2) if generation == "1.0" else OfflineTotals("1", 600, "07"),
        next_sequence=0x1234,
    )
    answer = till.ask(begin_debit(replace(SUM, index=version)))
    algorithm = ALGORITHM[generation]
    money = "00001388 00000000 0000" if generation == "1.0" else "00000000 00000258 0007"
    expected = bytes.fromhex(f"{money} 00000000 1234 {version:02x} {algorithm:02x}")
    assert expected == answer[:18]
    assert 22 == len(answer)


@every_generation
def test_each_init_has_another_random_number_and_the_same_sequence_number(generation: str) -> None:
    till = rich(generation)
    begun = [till.begin() for _ in range(20)]
    assert 20 == len({each.random for each in begun})
    assert {b"\x00\x01"} == {each.card_sequence for each in begun}


@every_generation
@every_version
def test_a_purchase_is_booked_and_proven_under_every_key_version(
    generation: str, version: int
) -> None:
    till = rich(generation)
    terms = replace(SUM, index=version)
    held, state = till.files()
    done = till.buy(terms)  # which holds MAC2 and TAC to the rules
    if isinstance(held, AccountBalance):
        expected = AccountBalance(1_000_000 - 1234, 56, 78)
    else:
        expected = OfflineTotals("1", (held.amount or 0) + 1234 + 78, "01")
    assert (expected, AccountState(2, state.next_load, 1, done.tac, done.mac2)) == till.files()
    assert [entry(1)] == till.log()


@every_generation
def test_one_purchase_follows_the_other(generation: str) -> None:
    till = rich(generation)
    wanted = [Sum(account=n, own=10 * n, pool=100 * n, index=1 + n % 3) for n in range(1, 6)]
    for terms in wanted:
        till.buy(terms)
        till.power()
    assert [entry(n, terms) for n, terms in reversed(list(enumerate(wanted, 1)))] == till.log()
    held, state = till.files()
    assert 6 == state.next_sequence
    if isinstance(held, AccountBalance):
        assert AccountBalance(1_000_000 - 15, 150, 1500) == held
    else:
        assert "05" == held.count


@every_generation
def test_the_log_is_a_ring(generation: str) -> None:
    till = rich(generation)
    size = 10 if generation == "1.0" else 30
    for number in range(size + 3):
        till.buy(Sum(account=number + 1))
    found = till.log()
    assert size == len(found)
    assert [size + 3 - n for n in range(size)] == [each.sequence for each in found]


@pytest.mark.parametrize("terms", [Sum(1, 0, 0), Sum(0, 1, 0), Sum(0, 0, 1)])
@every_generation
def test_any_one_part_makes_a_purchase(generation: str, terms: Sum) -> None:
    till = rich(generation)
    till.buy(terms)
    assert [entry(1, terms)] == till.log()


# MAC1 and what was begun


@every_generation
def test_a_wrong_mac1_changes_nothing_and_ends_the_purchase(generation: str) -> None:
    till = rich(generation)
    before = till.chip.snapshot()
    for bit in range(32):
        begun = till.begin()
        mask = (1 << bit).to_bytes(4)
        assert 0x9302 == till.send(till.order(begun, mask=mask))
        assert 0x6985 == till.send(till.order(begun))  # the right one now comes too late
        assert before == till.chip.snapshot()
    till.buy()


CHANGED = [
    replace(SUM, time=bytes.fromhex("20260105093001")),
    replace(SUM, terminal_sequence=bytes.fromhex("00012346")),
]


@every_generation
@pytest.mark.parametrize("told", CHANGED)
def test_mac1_is_for_one_time_and_one_number_of_the_terminal(generation: str, told: Sum) -> None:
    till = rich(generation)
    begun = till.begin()
    assert 0x9302 == till.send(debit(till.mac1(begun), told))


@every_generation
@pytest.mark.parametrize(
    "other",
    [
        replace(SUM, account=1235),
        replace(SUM, own=57),
        replace(SUM, pool=79),
        replace(SUM, terminal=bytes.fromhex("990000000002")),
        replace(SUM, index=2),
    ],
)
def test_mac1_is_for_the_terms_that_were_begun(generation: str, other: Sum) -> None:
    till = rich(generation)
    begun = till.begin(other)
    meant = till.mac1(replace(begun, version=1))
    assert 0x9302 == till.send(debit(meant))


@every_generation
def test_a_debit_serves_once(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    till.ask(order)
    after = till.chip.snapshot()
    assert 0x6985 == till.send(order)
    till.begin()
    assert 0x9302 == till.send(order)  # the random number and the sequence number are others
    assert after == till.chip.snapshot()


def test_a_debit_without_an_init_is_refused() -> None:
    till = rich("2.0")
    assert 0x6985 == till.send(debit(bytes(4)))


@every_generation
def test_an_init_takes_the_place_of_the_one_before(generation: str) -> None:
    till = rich(generation)
    first = till.begin()
    till.begin()
    assert 0x9302 == till.send(till.order(first))


@every_generation
def test_a_refused_init_ends_the_one_before(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    assert 0x9403 == till.send(begin_debit(replace(SUM, index=9)))
    assert 0x6985 == till.send(till.order(begun))


@every_generation
def test_the_whole_mac_must_be_there(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    raw = till.order(begun)
    for size in (0, 4, 11, 14):
        assert 0x6700 == till.send(raw[:4] + bytes((size,)) + raw[5 : 5 + size])
    assert 0x6700 == till.send(raw[:4] + b"\x10" + raw[5:20] + b"\x00")


@every_generation
def test_the_answer_may_be_fetched_afterwards(generation: str) -> None:
    till = rich(generation)
    answer = till.chip.transmit(begin_debit()[:-1])
    assert b"\x61\x16" == answer
    assert 22 + 2 == len(till.chip.transmit(bytes.fromhex("00C0000016")))
    begun = till.begin()
    assert b"\x61\x08" == till.chip.transmit(till.order(begun)[:-1])
    answer = till.chip.transmit(bytes.fromhex("00C0000008"))
    assert till.expected(begun) == DebitDone.parse(answer[:-2])


@every_generation
def test_what_is_answered_can_be_asked_again(generation: str) -> None:
    till = rich(generation)
    done = till.buy()
    till.power()
    assert TransactionProof(done.mac2, done.tac) == till.prove(1)


def test_the_random_number_of_the_account_is_none_that_authenticates() -> None:
    """And a challenge is none that a purchase is made with."""
    till = rich("2.0")
    till.begin()
    assert 0x6984 == till.send(till.proof("RK1DF04", bytes(8)))
    begun = till.begin()
    factor = till.challenge()
    assert 0x9000 == till.send(till.proof("RK1DF04", factor))
    assert 0x9000 == till.send(till.order(begun))


def test_a_terminal_number_and_a_time_go_into_the_log_as_they_are() -> None:
    till = rich("3.0")
    terms = Sum(terminal=bytes.fromhex("012345678901"), time=bytes.fromhex("19991231235959"))
    till.buy(terms)
    (found,) = till.log()
    assert ("012345678901", "1999-12-31T23:59:59") == (
        found.terminal,
        found.at and found.at.isoformat(),
    )


def test_every_purchase_is_told_by_its_status_alone_without_le() -> None:
    till = rich("1.0")
    assert 0x6116 == sw(till.chip.transmit(begin_debit()[:-1]))
    assert (TERMINAL_SEQUENCE, TIME) == (SUM.terminal_sequence, SUM.time)
