# SPDX-License-Identifier: Apache-2.0
"""Card, terminal and bank together: whatever happens in between, all three agree on the money."""

from __future__ import annotations

from itertools import count

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from bankbench import NOON, PASSWORD
from paymentbench import state_of
from paymentdesk import CONFIG, Typing, order
from slots import Pulled, slot

from apdu.wire.pboc.flags import Tvr
from card_os.chip import Chip
from host.card import Card
from host.cli.testcard import issue_test_card
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.keys import IssuerKeys
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Purpose
from host.terminal.kernel.data import masked
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.transaction import Order, Outcome
from host.terminal.pboc import pay, settle
from host.terminal.recovery import resolve
from host.terminal.result import Result

PANS = {"rsa-1152": "6228004302000000015", "sm2": "6228004234567890126"}
MONEY = 100_000


class Shop:
    """A card, its bank, and a terminal between them."""

    def __init__(self, profile: str = "rsa-1152") -> None:
        self.pan = PANS[profile]
        self.chip: Chip = issue_test_card(bank=profile)
        self.bank = Bank()
        self.host = IssuerHost(self.bank, IssuerKeys(TEST_IMKS))
        self.bank.open("900000000001", self.pan, "01", "ZHANG SAN", NOON)
        self.bank.activate("900000000002", self.pan, PASSWORD, NOON)
        self.bank.deposit("900000000003", self.pan, MONEY, NOON)
        self.pad = PinPad(Typing(PASSWORD), self.bank.pin_keys.pin.encrypt)
        self.numbers = count(1)

    def order(self, amount: int, purpose: Purpose = Purpose.PURCHASE) -> Order:
        number = next(self.numbers)
        return order(amount, purpose, reference=f"{number:012d}", trace=number)

    def pay(self, amount: int, purpose: Purpose = Purpose.PURCHASE, online: bool = True) -> Result:
        issuer = self.host if online else None
        return pay(slot(self.chip), self.order(amount, purpose), CONFIG, issuer, pad=self.pad)

    def torn(self, command: str, done: bool, amount: int, purpose: Purpose) -> Result:
        card = Card(Pulled(self.chip, command, done))
        return pay(card, self.order(amount, purpose), CONFIG, self.host, pad=self.pad)

    def sums(self) -> tuple[int, int, int]:
        """On the account, as electronic cash in the bank's books, and on the card."""
        account = self.bank.account(self.pan)
        return account.balance, account.cash, state_of(self.chip).balance


@pytest.mark.parametrize("profile", PANS)
def test_card_terminal_and_bank_agree_on_a_day_of_payments(profile: str) -> None:
    shop = Shop(profile)
    bought = shop.pay(1_234)
    assert (Outcome.APPROVED_ONLINE, masked(shop.pan)) == (bought.outcome, bought.pan)
    assert Tvr.ONLINE_PIN_ENTERED & bought.tvr
    assert (98_766, 0, 0) == shop.sums()
    assert 98_766 == shop.pay(0, Purpose.BALANCE).balance

    assert shop.pay(20_000, Purpose.LOAD).approved
    assert (78_766, 20_000, 20_000) == shop.sums()

    assert Outcome.APPROVED_OFFLINE is shop.pay(500).outcome
    assert (78_766, 19_500, 19_500) == shop.sums()
    alone = shop.pay(700, online=False)
    assert Outcome.APPROVED_OFFLINE is alone.outcome
    assert (78_766, 19_500, 18_800) == shop.sums()
    assert () == settle(alone, shop.host)
    assert () == settle(alone, shop.host)
    assert (78_766, 18_800, 18_800) == shop.sums()

    assert shop.pay(100, Purpose.WITHDRAWAL).approved
    assert Outcome.DECLINED_ONLINE is shop.pay(78_667, Purpose.WITHDRAWAL).outcome
    assert (78_666, 18_800, 18_800) == shop.sums()
    assert shop.pay(0, Purpose.PIN_CHANGE).approved


@pytest.mark.parametrize("done", [False, True])
def test_a_load_whose_card_was_pulled_comes_out_right(done: bool) -> None:
    shop = Shop()
    result = shop.torn("04DA", done, 3_000, Purpose.LOAD)
    assert result.doubt
    ended = resolve(slot(shop.chip), result, CONFIG, shop.host)
    assert done is ended.approved
    assert ((97_000, 3_000, 3_000) if done else (100_000, 0, 0)) == shop.sums()


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("command", ["80A8", "00B2", "80AE90", "0082", "80AE40"])
def test_a_purchase_whose_card_was_pulled_costs_nothing(command: str, done: bool) -> None:
    shop = Shop()
    result = shop.torn(command, done, 3_000, Purpose.PURCHASE)
    assert Outcome.TERMINATED is result.outcome
    assert (MONEY, 0, 0) == shop.sums()
    assert () == result.outstanding
    assert shop.pay(1_000).approved


def test_a_card_that_is_not_activated_pays_nothing_but_takes_a_deposit() -> None:
    shop = Shop()
    shop.bank = Bank()
    shop.host = IssuerHost(shop.bank, IssuerKeys(TEST_IMKS))
    shop.bank.open("900000000001", shop.pan, "01", "ZHANG SAN", NOON)
    shop.pad = PinPad(Typing(None), shop.bank.pin_keys.pin.encrypt)
    refused = shop.pay(1_000)
    assert Outcome.DECLINED_ONLINE is refused.outcome
    assert shop.pay(1_000, Purpose.DEPOSIT).approved
    assert (1_000, 0, 0) == shop.sums()
