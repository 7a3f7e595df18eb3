# SPDX-License-Identifier: Apache-2.0
"""The issuer against real cards at a real terminal: money, scripts, and what the card makes of
them, with the issuer in the same process and behind a connection."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("iso8583")

from issuerbench import NOON, PASSWORD
from paymentbench import payment_cells, published
from powercuts import DAMAGES, PowerCut, TornFlash

from apdu.crypto.pinblock import build_iso_2
from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import Algorithm
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY
from host.clients.pboc import PbocClient
from host.faults import CardGone, CardRefused
from host.issuer import scripts
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.cryptograms import Proven, verify
from host.issuer.keys import IssuerKeys, keys_in
from host.issuer.profile import shipped_profile
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Issuer, Purpose
from host.network.link import TcpIssuer
from host.network.server import serve
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.pin_entry import DocumentKind, PinPad
from host.terminal.kernel.transaction import Order, Outcome
from host.terminal.pboc import pay, settle
from host.terminal.pboc_log import balance, loads
from host.terminal.recovery import resolve
from host.terminal.result import Result

PAN = "6228000100001117"
CONFIG = load_config(None)
MONEY = 1_000_000
OFFLINE_PIN = "1234"


class People:
    """A holder who knows both PINs."""

    def offline_pin(self, tries_left: int | None, /) -> str | None:
        return OFFLINE_PIN

    def online_pin(self) -> str | None:
        return PASSWORD

    def document(self, kind: DocumentKind, number: str, /) -> bool:
        return True


class TornSlot(MemoryChannel):
    """A slot from which the card is gone as soon as its power is."""

    def _exchange(self, command: bytes) -> bytes:
        try:
            return super()._exchange(command)
        except PowerCut:
            raise CardGone("the power went") from None


def of_card(base: str) -> tuple[str, str]:
    """PAN and sequence number in the records of a shipped profile."""
    found = {
        item.tag: item.value.hex()
        for number, value in published(base).items()
        if 0x0100 < number < 0x0B00
        for template in parse(value)
        for item in template.children
    }
    return found[tags.PAN].rstrip("f"), found[tags.PSN]


class Shop:
    """A bank with one card's account, the card, and a terminal between them."""

    def __init__(self, base: str = "published") -> None:
        self.pan, psn = of_card(base)
        own = {
            (PAN, "01", algorithm): keys
            for algorithm, keys in keys_in(shipped_profile("published")).items()
        }
        self.bank = Bank()
        self.host = IssuerHost(self.bank, IssuerKeys(TEST_IMKS, own))
        self.issuer: Issuer = self.host
        self.bank.open("000000000001", self.pan, psn, "测试持卡人", NOON)
        self.bank.activate("000000000002", self.pan, PASSWORD, NOON)
        self.bank.deposit("000000000003", self.pan, MONEY, NOON)
        cells = payment_cells({tags.EC_BALANCE: bytes(6)}, base=base)
        self.flash = TornFlash(cells)
        self.chip = Chip.boot(self.flash, seeded(7, TEST_DAY))
        self._numbers = count(11)

    def card(self) -> Card:
        return Card(TornSlot(self.chip))

    def pay(self, amount: int, purpose: Purpose = Purpose.PURCHASE, pad: bool = False) -> Result:
        number = next(self._numbers)
        order = Order(
            amount,
            purpose,
            NOON,
            f"{number:012d}",
            number,
            number.to_bytes(4),
            force_online=True,
        )
        encipher = self.bank.pin_keys.pin.encrypt
        people = PinPad(People(), encipher) if pad else None
        return pay(self.card(), order, CONFIG, self.issuer, pad=people)

    def power_again(self) -> None:
        self.flash = TornFlash(bytes(self.flash.cells))
        self.chip = Chip.boot(self.flash, seeded(8, TEST_DAY))

    def money(self) -> int:
        return self.bank.account(self.pan).balance

    def float(self) -> int:
        return self.bank.account(self.pan).cash

    def cash(self) -> int | None:
        return balance(self.card()).balance


@pytest.fixture(params=["in process", "over TCP"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop()
    if request.param == "in process":
        yield made
        return
    with serve(made.host, today=NOON.date) as server:
        with TcpIssuer("127.0.0.1", server.port) as line:
            made.issuer = line
            yield made


def test_a_purchase_is_approved_and_both_sides_believe_each_other(shop: Shop) -> None:
    result = shop.pay(1234)
    assert (Outcome.APPROVED_ONLINE, "00") == (result.outcome, result.response_code)
    assert "issuer authentication failed" not in str(result.trail)
    assert MONEY - 1234 == shop.money()
    assert ("51", MONEY - 1234) == (shop.pay(MONEY).response_code, shop.money())


def test_a_load_is_on_the_card_and_in_the_float(shop: Shop) -> None:
    for loaded in (5000, 7000):
        result = shop.pay(loaded if loaded == 5000 else 2000, Purpose.LOAD)
        assert Outcome.APPROVED_ONLINE is result.outcome
        assert (MONEY - loaded, loaded, loaded) == (shop.money(), shop.float(), shop.cash())


def test_a_load_that_the_card_does_not_take_is_undone(shop: Shop) -> None:
    result = shop.pay(500_000, Purpose.LOAD)
    assert Outcome.APPROVED_ONLINE is not result.outcome
    assert (MONEY, 0, 0) == (shop.money(), shop.float(), shop.cash())
    assert Outcome.APPROVED_ONLINE is shop.pay(100).outcome
    assert (MONEY - 100, 0, 0) == (shop.money(), shop.float(), shop.cash())


def test_the_offline_pin_becomes_the_password(shop: Shop) -> None:
    shop.host.scripts.pin(PAN, "01", "864209", NOON)
    assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
    client = PbocClient(shop.card())
    client.select(DEBIT_AID)
    client.processing_options(bytes(31))
    client.verify(build_iso_2("864209"))


def test_a_blocked_application_is_given_back(shop: Shop) -> None:
    shop.host.scripts.commands(PAN, [scripts.application_block()], NOON)
    assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
    assert PbocClient(shop.card()).select(DEBIT_AID).blocked


def test_a_blocked_card_is_of_no_use_any_more(shop: Shop) -> None:
    shop.host.scripts.commands(PAN, [scripts.card_block()], NOON)
    assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
    with pytest.raises(CardRefused):
        PbocClient(shop.card()).select(DEBIT_AID)


def test_a_limit_is_changed_and_the_next_cvr_confirms_it(shop: Shop) -> None:
    limit = scripts.put_data(tags.EC_SINGLE_LIMIT, amount_bytes(777))
    number = shop.host.scripts.commands(PAN, [limit], NOON)
    assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
    found = balance(shop.card())
    assert 777 == found.single_limit
    shop.pay(1)
    assert [(number, "done")] == [
        (each.number, each.outcome) for each in shop.host.scripts.outbox.all(PAN)
    ]


@pytest.mark.parametrize("base", ["rsa-1152", "sm2"])
def test_cards_of_the_test_masters_are_served_under_their_own_algorithm(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spied(*asked: Any) -> Proven:
        seen.append(verify(*asked))
        return seen[-1]

    monkeypatch.setattr("host.issuer.authorisation.verify", spied)
    shop = Shop(base=base)
    assert Outcome.APPROVED_ONLINE is shop.pay(1234).outcome
    assert Outcome.APPROVED_ONLINE is shop.pay(5000, Purpose.LOAD).outcome
    assert (MONEY - 6234, 5000, 5000) == (shop.money(), shop.float(), shop.cash())
    assert 1 == len(loads(shop.card()))
    expected = Algorithm.SM4 if base == "sm2" else Algorithm.TDES
    assert [expected] * 2 == [each.algorithm for each in seen]


# Power that goes


def writes_of_a_load() -> int:
    shop = Shop()
    before = shop.flash.writes
    assert Outcome.APPROVED_ONLINE is shop.pay(5000, Purpose.LOAD).outcome
    return shop.flash.writes - before


WRITES = writes_of_a_load()


@pytest.mark.parametrize("damage", [DAMAGES[0], DAMAGES[4]], ids=["nothing", "half"])
@pytest.mark.parametrize("cut", range(WRITES))
def test_a_load_torn_at_any_write_leaves_bank_and_card_of_one_mind(
    cut: int, damage: object
) -> None:
    shop = Shop()
    shop.flash.arm(cut, damage)  # type: ignore[arg-type]
    result = shop.pay(5000, Purpose.LOAD)
    shop.power_again()
    if result.doubt:
        result = resolve(shop.card(), result, CONFIG, shop.issuer)
    assert () == settle(result, shop.issuer)
    agreed = (shop.money(), shop.float(), shop.cash())
    assert agreed in [(MONEY, 0, 0), (MONEY - 5000, 5000, 5000)]
    # Whatever it was: the next transaction changes nothing of it, and the one after neither.
    for paid in (1, 2):
        assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
        assert (agreed[0] - paid, *agreed[1:]) == (shop.money(), shop.float(), shop.cash())
    assert () == shop.bank.audit()
    assert "" not in [each.outcome for each in shop.host.scripts.outbox.all(PAN)]


def writes_of_a_purchase() -> int:
    shop = Shop()
    before = shop.flash.writes
    shop.pay(100)
    return shop.flash.writes - before


@pytest.mark.parametrize("cut", range(writes_of_a_purchase()))
def test_a_purchase_torn_at_any_write_is_paid_or_undone(cut: int) -> None:
    shop = Shop()
    shop.flash.arm(cut)
    result = shop.pay(100)
    shop.power_again()
    assert () == settle(result, shop.issuer)
    paid = 100 if result.outcome is Outcome.APPROVED_ONLINE else 0
    assert MONEY - paid == shop.money()
    assert Outcome.APPROVED_ONLINE is shop.pay(1).outcome
    assert MONEY - paid - 1 == shop.money()
