# SPDX-License-Identifier: Apache-2.0
"""Whatever terminals ask in whatever order, and whatever fails around the issuer."""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from issuerbench import NOON, PAN, PASSWORD, IssuerBench, offline, reversal_of

from host.issuer.authorisation import IssuerHost
from host.issuer.faults import BankUnavailable, Reason
from host.network.authorisation import (
    AuthorisationRequest,
    NoAnswer,
    Purpose,
)

WRONG = "271829"
MONEY = 1_000_000


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
