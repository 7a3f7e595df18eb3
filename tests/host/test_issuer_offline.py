# SPDX-License-Identifier: Apache-2.0
"""What is undone, and what cards approved offline: each once, whatever came before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from issuerbench import NOON, OTHER, PAN, IssuerBench, offline, reversal_of

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result
from host.issuer.limits import Daily, Limits
from host.issuer.offline import own_reference
from host.network.authorisation import (
    EntryMode,
    Purpose,
)

MONEY = 1_000_000


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
