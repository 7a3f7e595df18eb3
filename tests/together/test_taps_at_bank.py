# SPDX-License-Identifier: Apache-2.0
"""Taps with the card's own bank behind the terminal: every cryptogram is verified, every fen is in
one place."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from dataclasses import replace

from cardholderbench import People
from issuerbench import NOON, PASSWORD, IssuerBench
from odacards import order
from paymentbench import set_state, state_of
from tapcards import reasons
from terminalfiles import shipped

from apdu.atr import Interface
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card
from host.issuer.bank import Bank
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.transaction import Order, Outcome
from host.terminal.result import Result
from host.terminal.tap import tap

LOADED = 50000
PANS = {"rsa-1152": "6228004302000000015", "sm2": "6228004234567890126"}


class Desk:
    """A card whose electronic cash was loaded from its account, and its bank."""

    def __init__(self, bank: str, config: TerminalConfig | None = None) -> None:
        self.bench = IssuerBench()
        self.pan = PANS[bank]
        books = self.bench.bank
        books.open(self.bench.reference(), self.pan, "01", "测试持卡人", NOON)
        books.activate(self.bench.reference(), self.pan, PASSWORD, NOON)
        books.deposit(self.bench.reference(), self.pan, 1_000_000, NOON)
        books.load(self.bench.reference(), self.pan, LOADED, NOON)
        self.chip: Chip = issue_test_card(bank=bank)
        set_state(self.chip, replace(state_of(self.chip), balance=LOADED, last_online_atc=1, atc=1))
        self.config = config or shipped()

    @property
    def books(self) -> Bank:
        return self.bench.bank

    def tap(self, ordered: Order, pin: str | None = None) -> Result:
        pad = None
        if pin is not None:
            pad = PinPad(People(pins=[pin]), self.books.pin_keys.pin.encrypt)
        card = Card(MemoryChannel(self.chip, Interface.CONTACTLESS))
        return tap(card, ordered, self.config, self.bench.host, pad=pad)

    def money(self) -> tuple[int, int, int]:
        """Account, float of the card's cash at the bank, and cash on the card."""
        view = self.books.account(self.pan)
        return view.balance, view.cash, state_of(self.chip).balance


@pytest.mark.parametrize("bank", PANS)
def test_a_tap_that_the_card_approves_is_settled_from_its_float(bank: str) -> None:
    desk = Desk(bank)
    account, _, _ = desk.money()
    for number in (1, 2):
        found = desk.tap(order(reference=f"{number:012d}", trace=number))
        assert Outcome.APPROVED_OFFLINE is found.outcome, reasons(found)
        assert "advice delivered" in reasons(found)
        left = LOADED - 1234 * number
        assert (account, left, left) == desk.money()
    assert () == desk.books.audit()


@pytest.mark.parametrize("bank", PANS)
def test_a_tap_that_the_bank_approves_is_paid_from_the_account(bank: str) -> None:
    desk = Desk(bank)
    account, _, _ = desk.money()
    found = desk.tap(order(force_online=True))
    assert Outcome.APPROVED_ONLINE is found.outcome, reasons(found)
    assert (account - 1234, LOADED, LOADED) == desk.money()


@pytest.mark.parametrize(
    ("pin", "outcome", "code", "paid"),
    [
        (PASSWORD, Outcome.APPROVED_ONLINE, "00", 40000),
        ("111111", Outcome.DECLINED_ONLINE, "55", 0),
    ],
)
def test_above_the_cards_limit_the_bank_wants_its_password(
    pin: str, outcome: Outcome, code: str, paid: int
) -> None:
    desk = Desk("rsa-1152")
    account, _, _ = desk.money()
    found = desk.tap(order(amount=40000), pin)
    assert (outcome, code) == (found.outcome, found.response_code), reasons(found)
    assert (account - paid, LOADED, LOADED) == desk.money()


def test_a_card_whose_signature_is_not_known_is_proven_by_its_bank() -> None:
    # Without the authority's key nothing can be checked here; the bank knows the card's own keys.
    keys = replace(shipped().keys, keys=())
    desk = Desk("rsa-1152", replace(shipped(), keys=keys))
    account, _, _ = desk.money()
    found = desk.tap(order())
    assert "fDDA failed" in reasons(found)
    assert Outcome.APPROVED_ONLINE is found.outcome, reasons(found)
    assert (account, LOADED - 1234, LOADED - 1234) == desk.money()
    assert () == desk.books.audit()
