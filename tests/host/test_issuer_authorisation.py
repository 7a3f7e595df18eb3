# SPDX-License-Identifier: Apache-2.0
"""The issuer's decisions: the order in which they are made, each no proven, each yes done once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuerbench import NOON, OTHER, PAN, IssuerBench

from apdu.wire.cryptogram import Cvn
from apdu.wire.pboc.flags import Cvr, Result
from apdu.wire.perso import Algorithm
from host.issuer.accounts import Operation
from host.issuer.authorisation import OPERATIONS, IssuerHost
from host.issuer.faults import Reason, Refused
from host.issuer.journal import order
from host.issuer.keys import IssuerKeys
from host.issuer.limits import Daily, Limits
from host.issuer.online import post_online
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import (
    Issuer,
    Purpose,
)

WRONG = "271829"
MONEY = 1_000_000


def of_issuer(host: IssuerHost) -> Issuer:
    return host


def test_the_host_is_an_issuer() -> None:
    bench = IssuerBench()
    assert of_issuer(bench.host) is bench.host


# What is done

DEBITS = {
    Purpose.PURCHASE: (-1234, 0),
    Purpose.WITHDRAWAL: (-1234, 0),
    Purpose.DEPOSIT: (1234, 0),
    Purpose.TRANSFER: (-1234, 0),
    Purpose.LOAD: (-1234, 1234),
    Purpose.CASH_LOAD: (0, 1234),
}


@pytest.mark.parametrize("algorithm", TEST_IMKS)
@pytest.mark.parametrize("cvn", Cvn)
@pytest.mark.parametrize("purpose", DEBITS)
def test_a_yes_moves_the_money_once_and_is_proven(
    purpose: Purpose, cvn: Cvn, algorithm: Algorithm
) -> None:
    bench = IssuerBench()
    card = bench.card(cvn=cvn, algorithm=algorithm)
    target = OTHER if purpose is Purpose.TRANSFER else ""
    request = card.request(purpose, 1234, pin_block=bench.block(), target=target)
    answer = bench.host.authorise(request)
    assert answer.approved
    assert card.believes(request, answer)
    assert 6 == len(answer.authorisation_code)
    assert answer.authorisation_code.isdecimal()
    for _ in range(3):
        own, cash = DEBITS[purpose]
        assert (MONEY + own, cash) == (bench.balance(), bench.cash())
        assert answer == bench.host.authorise(request)
    assert MONEY + 1234 * bool(target) == bench.balance(OTHER)
    assert () == bench.bank.audit()


def test_every_purpose_is_a_movement_or_none() -> None:
    assert set(Purpose) == {*OPERATIONS, Purpose.BALANCE, Purpose.PIN_CHANGE}
    assert set(OPERATIONS) == set(DEBITS)


def test_a_balance_is_told_and_nothing_moves() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.bank.hold(bench.reference(), PAN, 400, NOON)
    request = card.request(Purpose.BALANCE, 0)
    answer = bench.host.authorise(request)
    assert ("00", MONEY - 400) == (answer.response_code, answer.balance)
    assert card.believes(request, answer)
    assert None is bench.host.authorise(card.request()).balance


@pytest.mark.parametrize("purpose", Purpose)
def test_before_activation_deposits_are_accepted_and_everything_else_refused(
    purpose: Purpose,
) -> None:
    bench = IssuerBench()
    pan = "6228000100009979"
    bench.bank.open(bench.reference(), pan, "01", "X", NOON)
    card = bench.card(pan=pan)
    amount = 0 if purpose in (Purpose.BALANCE, Purpose.PIN_CHANGE) else 100
    target = OTHER if purpose is Purpose.TRANSFER else ""
    for block in (b"", bench.block(pan=pan)):
        request = card.request(purpose, amount, pin_block=block, target=target)
        answer = bench.host.authorise(request)
        if purpose is Purpose.DEPOSIT and not block:
            assert "00" == answer.response_code
        elif not block and purpose in (Purpose.WITHDRAWAL, Purpose.TRANSFER, Purpose.PIN_CHANGE):
            assert "55" == answer.response_code
        else:
            assert "62" == answer.response_code
        assert card.believes(request, answer)


# The order of the checks


def every_reason(bench: IssuerBench) -> list[tuple[str, dict[str, Any]]]:
    """Reasons for a no in their order, each with what makes it so; all together give the first."""
    return [
        ("30", {"replace": {"trace": 0}}),
        ("14", {"replace": {"pan": "6228000100000000"}}),
        ("62", {"frozen": True}),
        ("54", {"expired": True}),
        ("05", {"t9F26": bytes(8)}),
        ("05", {"old": True}),
        ("55", {"pin_block": bench.block(WRONG)}),
        ("61", {"limit": True}),
        ("51", {"amount": MONEY + 1}),
    ]


@pytest.mark.parametrize("first", range(9))
def test_the_first_reason_is_the_answer(first: int) -> None:
    bench = IssuerBench()
    card = bench.card()
    if first <= 7:
        bench.bank.limits = Limits(purchase=Daily(total=10))
    reasons = every_reason(bench)[first:]
    made: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for _, how in reasons:
        if "frozen" in how:
            bench.bank.freeze(bench.reference(), PAN, NOON)
        elif "expired" in how:
            bench.bank.renew(bench.reference(), PAN, date(2026, 3, 1), NOON)
        elif "old" in how:
            bench.bank.raise_atc(PAN, 100)
        elif "replace" in how:
            changes |= how["replace"]
        elif "limit" not in how:
            made |= how
    card.atc = 1 if first <= 5 else 100
    request = replace(card.request(**made), **changes)
    answer = bench.host.authorise(request)
    assert reasons[0][0] == answer.response_code
    # Up to the cryptogram the card that asks has a wrong one, and gets no proof in return.
    assert (first > 4) == bool(answer.icc)
    assert MONEY == bench.balance()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reference": "1"}, "30"),
        ({"amount": 1235}, "30"),
        ({"currency": "840"}, "30"),
        ({"psn": "02"}, "30"),
        ({"purpose": Purpose.WITHDRAWAL}, "30"),
        ({"target": OTHER}, "30"),
        ({"icc": b""}, "30"),
        ({"icc": b"\x9f\x26\x07" + bytes(7)}, "30"),
        ({"advice": True}, "30"),
        ({"time": datetime.fromisoformat("2026-03-02T12:00:00+08:00")}, "30"),
        ({"pan": "6228000100000001"}, "14"),
    ],
    ids=str,
)
def test_a_message_that_says_otherwise_than_the_card_is_refused(
    change: dict[str, Any], code: str
) -> None:
    bench = IssuerBench()
    request = replace(bench.card().request(), **change)
    answer = bench.host.authorise(request)
    assert (code, b"", "") == (answer.response_code, answer.icc, answer.authorisation_code)
    assert None is bench.bank.answered("000000000100")


def test_a_sequence_number_of_another_card_is_unknown() -> None:
    bench = IssuerBench()
    card = bench.card(psn="02")
    assert "14" == bench.host.authorise(card.request()).response_code


def test_accounts_are_in_rmb() -> None:
    bench = IssuerBench()
    request = bench.card().request(t5F2A=b"\x08\x40")
    assert "12" == bench.host.authorise(replace(request, currency="840")).response_code


@pytest.mark.parametrize("result", [Result.TC, Result.AAC])
def test_only_an_arqc_asks(result: Result) -> None:
    bench = IssuerBench()
    assert "12" == bench.host.authorise(bench.card().request(result=result)).response_code
    bench.bank.freeze(bench.reference(), PAN, NOON)
    frozen = bench.host.authorise(bench.card().request(result=result))
    assert ("62", b"") == (frozen.response_code, frozen.icc)
    assert MONEY == bench.balance()


@pytest.mark.parametrize("purpose", [Purpose.PURCHASE, Purpose.DEPOSIT, Purpose.LOAD])
def test_nothing_is_no_amount(purpose: Purpose) -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request(purpose, 0)
    answer = bench.host.authorise(request)
    assert "13" == answer.response_code
    assert card.believes(request, answer)


def test_a_transfer_needs_a_target_and_nothing_else_has_one() -> None:
    bench = IssuerBench()
    card = bench.card()
    block = bench.block()
    assert (
        "30" == bench.host.authorise(card.request(Purpose.TRANSFER, pin_block=block)).response_code
    )
    unknown = card.request(Purpose.TRANSFER, pin_block=block, target="6228000100000001")
    assert "14" == bench.host.authorise(unknown).response_code


def test_an_algorithm_without_keys_is_not_believed() -> None:
    bench = IssuerBench()
    keys = IssuerKeys({Algorithm.TDES: TEST_IMKS[Algorithm.TDES]})
    host = IssuerHost(bench.bank, keys)
    assert "05" == host.authorise(bench.card(algorithm=Algorithm.SM4).request()).response_code


# Replays


@given(st.integers(1, 0xFFFF), st.integers(1, 0xFFFF))
@settings(max_examples=30)
def test_a_counter_that_is_not_higher_is_refused(seen: int, now: int) -> None:
    bench = IssuerBench()
    card = bench.card()
    card.atc = seen - 1
    assert bench.host.authorise(card.request(amount=1)).approved
    card.atc = now - 1
    request = card.request(amount=1)
    answer = bench.host.authorise(request)
    assert (now > seen) == answer.approved
    assert card.believes(request, answer)
    assert MONEY - 1 - (now > seen) == bench.balance()


def test_the_same_cryptogram_under_another_reference_moves_nothing() -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request()
    assert bench.host.authorise(request).approved
    replayed = replace(request, reference="000000777777")
    assert "05" == bench.host.authorise(replayed).response_code
    assert MONEY - 1234 == bench.balance()


def test_a_reference_stands_for_one_transaction_of_the_card() -> None:
    bench = IssuerBench()
    card = bench.card()
    first = card.request()
    assert bench.host.authorise(first).approved
    again = card.request(reference=first.reference)
    assert "94" == bench.host.authorise(again).response_code
    assert MONEY - 1234 == bench.balance()


def test_a_no_stays_a_no() -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request(amount=MONEY + 1)
    assert "51" == bench.host.authorise(request).response_code
    bench.bank.deposit(bench.reference(), PAN, MONEY, NOON)
    assert "51" == bench.host.authorise(request).response_code
    assert bench.host.authorise(card.request(amount=MONEY + 1)).approved


def test_of_many_at_once_one_is_done() -> None:
    bench = IssuerBench()
    request = bench.card().request()
    requests = [replace(request, reference=f"{number:012d}") for number in range(500, 508)]
    codes: list[str] = []
    threads = [
        Thread(target=lambda each=each: codes.append(bench.host.authorise(each).response_code))
        for each in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["00"] + ["05"] * 7 == sorted(codes)
    assert MONEY - 1234 == bench.balance()


def test_of_two_that_were_both_looked_at_one_is_posted() -> None:
    bench = IssuerBench()
    first, second = (
        order(Operation.PURCHASE, f"{number:012d}", PAN, NOON, "TERM0001", 10, atc=7)
        for number in (600, 601)
    )
    post_online(bench.bank, first, 7)
    with pytest.raises(Refused) as caught:
        post_online(bench.bank, second, 7)
    assert Reason.SEEN_BEFORE is caught.value.reason
    assert MONEY - 10 == bench.balance()


# Passwords


def test_a_wrong_password_costs_a_try_and_the_third_blocks() -> None:
    bench = IssuerBench()
    card = bench.card()
    codes = []
    for _ in range(4):
        request = card.request(pin_block=bench.block(WRONG))
        answer = bench.host.authorise(request)
        codes.append(answer.response_code)
        assert card.believes(request, answer)
    assert ["55", "55", "55", "75"] == codes
    assert "75" == bench.host.authorise(card.request(pin_block=bench.block())).response_code


def test_a_message_that_comes_twice_costs_one_try() -> None:
    bench = IssuerBench()
    request = bench.card().request(pin_block=bench.block(WRONG))
    for _ in range(5):
        assert "55" == bench.host.authorise(request).response_code
        assert 2 == bench.bank.account(PAN).pin_tries


def test_without_the_card_no_try_is_lost() -> None:
    bench = IssuerBench()
    card = bench.card()
    for how in ({"t9F26": bytes(8)}, {"result": Result.TC}):
        bench.host.authorise(card.request(pin_block=bench.block(WRONG), **how))
    card.atc = 0
    bench.bank.raise_atc(PAN, 9)
    bench.host.authorise(card.request(pin_block=bench.block(WRONG)))
    assert 3 == bench.bank.account(PAN).pin_tries


RIGHT = int(Cvr.PIN_VERIFICATION_PERFORMED)
FALSE = RIGHT | int(Cvr.PIN_VERIFICATION_FAILED)


@pytest.mark.parametrize("purpose", [Purpose.WITHDRAWAL, Purpose.TRANSFER, Purpose.PIN_CHANGE])
@pytest.mark.parametrize("cvr", [0, RIGHT, FALSE])
def test_where_a_password_is_needed_the_card_s_own_word_may_do(purpose: Purpose, cvr: int) -> None:
    bench = IssuerBench()
    amount = 0 if purpose is Purpose.PIN_CHANGE else 10
    target = OTHER if purpose is Purpose.TRANSFER else ""
    request = bench.card().request(purpose, amount, cvr=cvr, target=target)
    good = cvr == RIGHT and purpose is not Purpose.PIN_CHANGE
    assert ("00" if good else "55") == bench.host.authorise(request).response_code
