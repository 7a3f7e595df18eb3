# SPDX-License-Identifier: Apache-2.0
"""GET TRANSACTION PROVE: what the card says of its last transaction, and of no other."""

from __future__ import annotations

import pytest
from medicalbench import Sum, Till, begin_debit, every_generation, prove, rich
from testbench import SELECT_HRSS, command, select_df, send_all

from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.medical import TransactionKind, TransactionProof
from apdu.wire.iso7816 import UPDATE_BINARY, SfiOffset

PURCHASE, LOAD = TransactionKind.PURCHASE, TransactionKind.LOAD


@every_generation
@pytest.mark.parametrize("kind", TransactionKind)
def test_a_card_that_has_booked_nothing_proves_nothing(
    generation: str, kind: TransactionKind
) -> None:
    till = rich(generation)
    assert {0x9406} == {till.prove(number, kind) for number in (0, 1, 2, 0xFFFF)}


@every_generation
def test_the_last_purchase_alone_is_proven(generation: str) -> None:
    till = rich(generation)
    for number in range(1, 4):
        done = till.buy(Sum(account=number))
        proof = TransactionProof(done.mac2, done.tac)
        assert proof == till.prove(number)
        assert proof == till.prove(number)  # as often as it is asked
        others = {0, 1, 2, 3, 4, 0x100 + number, number << 8, 0xFFFF} - {number}
        assert {0x9406} == {till.prove(other) for other in others}
        assert 0x9406 == till.prove(number, LOAD)


def test_a_load_and_a_purchase_with_one_number_are_told_apart() -> None:
    till = Till("1.0")
    tac = till.load(5000).tac
    assert [TransactionProof(bytes(4), tac), 0x9406] == [till.prove(1, LOAD), till.prove(1)]
    done = till.buy()
    assert [0x9406, TransactionProof(done.mac2, done.tac)] == [till.prove(1, LOAD), till.prove(1)]


@every_generation
def test_it_needs_no_pin(generation: str) -> None:
    till = rich(generation)
    done = till.buy()
    till.chip.reset()
    send_all(till.chip, [SELECT_HRSS, select_df(DF04.fid)])
    assert TransactionProof(done.mac2, done.tac) == till.prove(1)


@every_generation
def test_it_does_not_disturb_a_purchase(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    assert 0x9406 == till.prove(1)
    assert 0x9000 == till.send(order)


@every_generation
def test_beginning_or_failing_changes_no_proof(generation: str) -> None:
    till = rich(generation)
    proof = till.prove(1), till.buy(), till.prove(1)
    till.begin()
    assert proof[2] == till.prove(1)
    assert 0x9302 == till.send(till.order(till.begin(), mask=b"\0\0\0\1"))
    assert (proof[2], 0x9406) == (till.prove(1), till.prove(2))
    till.send(begin_debit(Sum(0, 0, 0)))
    assert proof[2] == till.prove(1)


@every_generation
def test_who_may_write_the_numbers_makes_no_proof_of_what_was_not_booked(generation: str) -> None:
    till = rich(generation)
    assert 0x9000 == till.authenticate("DSK")
    forged = bytes.fromhex("0009 0009 0008 A1A2A3A4 B1B2B3B4")
    send_all(till.chip, [command(UPDATE_BINARY, SfiOffset(0x1B, 0), forged)])
    assert {0x9406} == {
        till.prove(number, kind) for number in range(10) for kind in (PURCHASE, LOAD)
    }


@every_generation
def test_a_proof_whose_number_was_written_over_is_none(generation: str) -> None:
    till = rich(generation)
    till.buy()
    assert 0x9000 == till.authenticate("DSK")
    send_all(till.chip, [command(UPDATE_BINARY, SfiOffset(0x1B, 4), b"\x00\x02")])
    assert [0x9406] * 2 == [till.prove(1), till.prove(2)]


def test_the_kind_is_one_of_two() -> None:
    till = rich("2.0")
    till.buy()
    for p2 in range(256):
        expected = {0x32: 0x9000, 0x31: 0x9406}.get(p2, 0x6A86)
        raw = prove(1)
        assert expected == till.send(raw[:3] + bytes((p2,)) + raw[4:])
