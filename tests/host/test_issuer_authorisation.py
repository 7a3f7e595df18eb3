# SPDX-License-Identifier: Apache-2.0
"""The issuer's decisions: the order in which they are made, each no proven, each yes done once."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from issuerbench import NOON, OTHER, PAN, PASSWORD, IssuerBench, reversal_of

from apdu.wire.cryptogram import Cvn
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Cvr, Result
from apdu.wire.perso import Algorithm
from host.issuer.authorisation import OPERATIONS, IssuerHost
from host.issuer.faults import BankUnavailable, Reason
from host.issuer.keys import IssuerKeys
from host.issuer.limits import Daily, Limits
from host.issuer.offline import own_reference
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import (
    AuthorisationRequest,
    EntryMode,
    Issuer,
    NoAnswer,
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


# Reversals


def test_a_purchase_is_undone_once() -> None:
    bench = IssuerBench()
    request = bench.card().request()
    bench.host.authorise(request)
    for _ in range(3):
        assert "00" == bench.host.reverse(reversal_of(request)).response_code
        assert MONEY == bench.balance()
    assert () == bench.bank.audit()


def test_an_original_that_comes_after_its_reversal_is_refused() -> None:
    bench = IssuerBench()
    request = bench.card().request()
    assert "00" == bench.host.reverse(reversal_of(request)).response_code
    assert "22" == bench.host.authorise(request).response_code
    assert MONEY == bench.balance()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 1}, "25"),
        ({"pan": OTHER}, "25"),
        ({"pan": "6228000100000001"}, "14"),
        ({"reason": "6"}, "30"),
        ({"icc": b"\xdf\x31\x01\x00"}, "30"),
        ({"icc": b"\x9f"}, "30"),
    ],
    ids=str,
)
def test_a_reversal_of_something_else_undoes_nothing(change: dict[str, Any], code: str) -> None:
    bench = IssuerBench()
    request = bench.card().request()
    bench.host.authorise(request)
    reversal = replace(reversal_of(request), **change)
    if code == "14":
        reversal = replace(reversal, reference="000000888888")
    assert code == bench.host.reverse(reversal).response_code
    assert MONEY - 1234 == bench.balance()


def test_a_load_is_not_undone_by_another_amount() -> None:
    bench = IssuerBench()
    request = bench.card().request(Purpose.LOAD)
    bench.host.authorise(request)
    assert "25" == bench.host.reverse(replace(reversal_of(request), amount=1)).response_code
    assert [""] == [each.outcome for each in bench.host.scripts.outbox.all(PAN)]


def test_a_balance_can_be_reversed_like_anything_else() -> None:
    bench = IssuerBench()
    request = bench.card().request(Purpose.BALANCE, 0)
    bench.host.authorise(request)
    assert "00" == bench.host.reverse(reversal_of(request)).response_code


# Offline purchases


def offline(card: Any, amount: int = 300, **how: Any) -> AuthorisationRequest:
    found: AuthorisationRequest = card.request(
        Purpose.PURCHASE, amount, result=how.pop("result", Result.TC), advice=True, **how
    )
    return found


CASH = {tags.EC_AUTHORISATION_CODE: b"ECC001"}


@pytest.mark.parametrize(
    ("how", "paid"),
    [
        ({"more": CASH}, (0, -300)),
        ({"entry_mode": EntryMode.CONTACTLESS}, (0, -300)),
        ({}, (-300, 0)),
    ],
    ids=["e-cash", "tap", "debit"],
)
def test_an_offline_purchase_is_paid_once_from_where_it_came(
    how: dict[str, Any], paid: tuple[int, int]
) -> None:
    bench = IssuerBench()
    bench.bank.cash_load(bench.reference(), PAN, 1000, NOON)
    request = offline(bench.card(), **how)
    for _ in range(3):
        assert "00" == bench.host.advise(request).response_code
        assert (MONEY + paid[0], 1000 + paid[1]) == (bench.balance(), bench.cash())
    again = replace(request, reference="000000999998")
    assert "94" == bench.host.advise(again).response_code
    assert () == bench.bank.audit()


@pytest.mark.parametrize("how", [{"more": CASH}, {}], ids=["e-cash", "debit"])
def test_the_bank_owes_what_the_card_approved_even_without_money(how: dict[str, Any]) -> None:
    bench = IssuerBench()
    bench.bank.withdraw(bench.reference(), PAN, MONEY - 100, NOON)
    bench.bank.freeze(bench.reference(), PAN, NOON)
    request = offline(bench.card(), **how)
    assert "00" == bench.host.advise(request).response_code
    assert (100 if how else 0) == bench.balance()
    posted = bench.bank.answered(request.reference)
    assert (300 if how else 200) == getattr(posted, "short", None)
    assert () == bench.bank.audit()


def test_offline_purchases_come_in_any_order() -> None:
    bench = IssuerBench()
    card = bench.card()
    late = [offline(card, 10) for _ in range(5)]
    assert bench.host.authorise(card.request(amount=1)).approved
    for request in reversed(late):
        assert "00" == bench.host.advise(request).response_code
    assert MONEY - 51 == bench.balance()


def test_what_was_posted_online_is_not_paid_twice() -> None:
    """The answer did not get there, and the card approved offline (Y3)."""
    bench = IssuerBench()
    card = bench.card()
    request = card.request(amount=300)
    assert bench.host.authorise(request).approved
    told = offline(card, same=True, reference=request.reference, final=True)
    for _ in range(2):
        assert "00" == bench.host.advise(told).response_code
    assert MONEY - 300 == bench.balance()
    other = replace(told, reference="000000999997")
    assert "94" == bench.host.advise(other).response_code
    assert MONEY - 300 == bench.balance()


def test_what_was_refused_online_and_approved_offline_is_paid_once() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.bank.limits = Limits(purchase=Daily(total=10))
    request = card.request(amount=300)
    assert "61" == bench.host.authorise(request).response_code
    told = offline(card, same=True, reference=request.reference, final=True)
    for _ in range(2):
        assert "00" == bench.host.advise(told).response_code
    assert MONEY - 300 == bench.balance()
    assert None is not bench.bank.answered(own_reference(PAN, card.atc))


def test_what_was_reversed_is_not_paid() -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request(amount=300)
    bench.host.authorise(request)
    bench.host.reverse(reversal_of(request))
    told = offline(card, same=True, reference=request.reference, final=True)
    assert "94" == bench.host.advise(told).response_code
    assert MONEY == bench.balance()


def test_an_aac_is_taken_note_of() -> None:
    bench = IssuerBench()
    card = bench.card()
    assert "00" == bench.host.advise(offline(card, result=Result.AAC)).response_code
    assert "12" == bench.host.advise(offline(card, result=Result.ARQC)).response_code
    assert MONEY == bench.balance()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"t9F26": bytes(8)}, "05"),
        ({"t9F36": bytes(2)}, "30"),
        ({"t9F36": b"\x77\x77"}, "05"),
        ({"amount": 0}, "12"),
    ],
    ids=str,
)
def test_an_advice_that_proves_nothing_is_not_paid(how: dict[str, Any], code: str) -> None:
    bench = IssuerBench()
    assert code == bench.host.advise(offline(bench.card(), **how)).response_code
    assert MONEY == bench.balance()


@pytest.mark.parametrize(
    ("change", "code"),
    [({"advice": False}, "30"), ({"amount": 5}, "30"), ({"pan": "6228000100000001"}, "05")],
    ids=str,
)
def test_an_advice_that_is_none_is_refused(change: dict[str, Any], code: str) -> None:
    bench = IssuerBench()
    request = replace(offline(bench.card()), **change)
    assert code == bench.host.advise(request).response_code


def test_an_advice_of_a_card_without_an_account_is_refused() -> None:
    bench = IssuerBench()
    assert "14" == bench.host.advise(offline(bench.card(pan="6228000100000001"))).response_code
    assert "14" == bench.host.advise(offline(bench.card(psn="02"))).response_code


# What goes wrong around it


@pytest.mark.parametrize("verb", ["authorise", "reverse", "advise"])
def test_a_store_that_fails_gives_no_answer(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = IssuerBench()
    card = bench.card()
    request = offline(card) if verb == "advise" else card.request()

    def fails(*_: Any) -> Any:
        raise BankUnavailable("busy")

    for name in ("reading", "writing"):
        monkeypatch.setattr(bench.bank.ledger, name, fails)
    asked: Any = reversal_of(request) if verb == "reverse" else request
    with pytest.raises(NoAnswer):
        getattr(bench.host, verb)(asked)


def test_the_bank_s_own_time_counts_where_there_is_one() -> None:
    bench = IssuerBench()
    bench.bank.renew(bench.reference(), PAN, date(2026, 6, 30), NOON)
    host = IssuerHost(bench.bank, bench.keys, now=lambda: datetime(2026, 7, 1))
    card = bench.card()
    assert "54" == host.authorise(card.request()).response_code
    assert "00" == bench.host.authorise(card.request()).response_code


def test_the_log_tells_why_and_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    bench = IssuerBench()
    card = bench.card()
    caplog.set_level(logging.DEBUG)
    block = bench.block(WRONG)
    request = card.request(pin_block=block)
    bench.host.authorise(request)
    bench.host.authorise(card.request(amount=MONEY * 2))
    bench.host.authorise(card.request(t9F26=bytes(8)))
    bench.host.reverse(reversal_of(request))
    text = caplog.text
    for reason in (Reason.WRONG_PIN, Reason.NO_FUNDS):
        assert reason.english in text
    assert "the cryptogram is not the card's" in text
    assert [] == [
        secret for secret in (PAN, WRONG, PASSWORD, block.hex()) if secret in text.lower()
    ]


# Any order of everything


class Terminals(RuleBasedStateMachine):
    """Whatever is asked, repeated and undone in whatever order: the books are as simple sums."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = IssuerBench()
        self.card = self.bench.card()
        self.asked: list[AuthorisationRequest] = []
        self.done: dict[str, int] = {}
        self.undone: set[str] = set()

    def expected(self) -> int:
        return MONEY - sum(
            amount for reference, amount in self.done.items() if reference not in self.undone
        )

    @rule(amount=st.integers(1, 400_000), wrong=st.booleans())
    def ask(self, amount: int, wrong: bool) -> None:
        how = {"t9F26": bytes(8)} if wrong else {}
        request = self.card.request(Purpose.PURCHASE, amount, **how)
        funds = self.expected()
        answer = self.bench.host.authorise(request)
        assert ("05" if wrong else "00" if amount <= funds else "51") == answer.response_code
        if answer.approved:
            self.done[request.reference] = amount
        if not wrong:
            self.asked.append(request)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.asked))
        answer = self.bench.host.authorise(request)
        known = self.done.get(request.reference)
        assert (known == request.amount) == answer.approved

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.asked))
        assert "00" == self.bench.host.reverse(reversal_of(request)).response_code
        self.undone.add(request.reference)

    @rule(amount=st.integers(1, 1000))
    def spend_offline(self, amount: int) -> None:
        request = offline(self.card, amount)
        covered = min(amount, self.expected())
        assert "00" == self.bench.host.advise(request).response_code
        self.done[request.reference] = covered

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.expected() == self.bench.balance()
        assert () == self.bench.bank.audit()


Terminals.TestCase.settings = settings(max_examples=15, stateful_step_count=12)
TestTerminals = Terminals.TestCase
