# SPDX-License-Identifier: Apache-2.0
"""A medical purchase as a till makes it: card, PSAM or HSM, and the library between them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from keybench import NEW_PIN, PIN, key
from medicalbench import AT, SUITE_OF, cells, every_generation
from psambench import psam
from testbench import world

from apdu.crypto import purchase as cryptograms
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.df04 import AccountBalance, MedicalTransaction, OfflineTotals
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.medical import DEBIT, INITIALISE_DEBIT
from apdu.wire.iso7816 import SELECT
from apdu.wire.psam_commands import INITIALISE_PURCHASE, VERIFY_MAC2
from apdu.wire.purchase import LocalTime, TacInput
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import (
    CardNotGenuine,
    CardRefused,
    InitialPinInForce,
    KeyUnavailable,
    NotAllowed,
)
from host.hsm import HsmAddresses, HsmKeys, MemoryHsm
from host.keys import CardIdentity, KeySource, MemoryKeys
from host.load import LoadKeys
from host.psam import PsamKeys
from host.terminal.authentication import authenticate, identity
from host.terminal.hrss import begin_transaction
from host.terminal.load import LoadTerms, begin_load, finish_load, load, recover_load
from host.terminal.medical import (
    Receipt,
    Terms,
    begin_purchase,
    finish_purchase,
    purchase,
    recover,
)

ADDRESSES = HsmAddresses({f"DPK{n}": 0x2000 + n for n in (1, 2, 3)})
kinds = pytest.mark.parametrize("kind", ["memory", "PSAM", "HSM"])


class Listening(MemoryChannel):
    """A channel that keeps what it was given."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.heard: list[bytes] = []

    def _exchange(self, command: bytes) -> bytes:
        self.heard.append(command)
        return super()._exchange(command)


def chip_of(generation: str, *, initial: bool = False) -> Chip:
    return Chip(ROM, Flash(bytearray(cells(generation, initial=initial))), world())


def put_in(generation: str, *, initial: bool = False) -> HrssClient:
    return HrssClient(Card(MemoryChannel(chip_of(generation, initial=initial))))


def source_of(kind: str, suite: Suite, card: CardIdentity) -> KeySource:
    keys = MemoryKeys(suite=suite)
    if kind == "memory":
        return keys
    if kind == "PSAM":
        return PsamKeys(Card(MemoryChannel(psam(suite))))
    return HsmKeys(MemoryHsm(keys, card, ADDRESSES).answer, suite, ADDRESSES)


class Counter:
    """A card whose holder has logged in, and somebody with keys."""

    def __init__(self, generation: str, kind: str = "PSAM", balance: int = 100_000) -> None:
        self.has_balance = generation == "1.0"
        self.suite = SUITE_OF[generation]
        self.client = put_in(generation)
        self.card = identity(self.client)
        self.source = source_of(kind, self.suite, self.card)
        self.terms = Terms(1234, 56, 78, AT, "990000000001")
        begin_transaction(self.client, NEW_PIN)
        self.medical = MedicalClient(self.client.card)
        if self.has_balance:
            terms = LoadTerms(balance, AT, self.terms.terminal)
            load(self.client, LoadKeys(MemoryKeys()).allow, self.card, terms)

    def buy(self, **changes: object) -> Receipt:
        terms = replace(self.terms, **changes)  # type: ignore[arg-type]
        return purchase(self.client, self.source, self.card, terms)

    def settles(self, receipt: Receipt) -> bool:
        """Whether the centre, which has the key for it, finds the TAC right."""
        terms = receipt.terms
        terminal, time = bytes.fromhex(terms.terminal), bytes(LocalTime(terms.at))
        amounts = terms.account, terms.own, terms.pool
        booked = TacInput(*amounts, terminal, receipt.terminal_sequence, time)
        return cryptograms.tac(key(self.suite, "DTK"), booked) == receipt.tac

    def money(self) -> AccountBalance | OfflineTotals:
        self.client.enter(DF04)
        authenticate(self.client, MemoryKeys(suite=self.suite), self.card, key_named("RK1DF04"))
        return self.medical.balance() if self.has_balance else self.medical.totals()


@kinds
@pytest.mark.parametrize("index", [1, 2, 3])
@every_generation
def test_a_purchase_is_booked_judged_and_settled(generation: str, index: int, kind: str) -> None:
    counter = Counter(generation, kind)
    receipt = counter.buy(key_index=index)
    assert (1, kind != "HSM") == (receipt.sequence, receipt.judged)
    assert replace(counter.terms, key_index=index) == receipt.terms
    assert counter.settles(receipt)
    terms = receipt.terms
    entry = counter.medical.transactions()[0]
    expected = (1, b"\x32", terms.terminal, AT, terms.account, terms.own, terms.pool)
    assert MedicalTransaction(*expected) == entry


@every_generation
def test_money_falls_or_totals_rise(generation: str) -> None:
    counter = Counter(generation)
    counter.buy()
    counter.buy(account=1, own=2, pool=3)
    expected: object = OfflineTotals("1", 1234 + 78 + 1 + 3, "02")
    if generation == "1.0":
        expected = AccountBalance(100_000 - 1235, 58, 81)
    assert expected == counter.money()


@every_generation
def test_a_purchase_through_a_psam_is_these_commands(generation: str) -> None:
    channel, psam_channel = Listening(chip_of(generation)), Listening(psam(SUITE_OF[generation]))
    client, source = HrssClient(Card(channel)), PsamKeys(Card(psam_channel))
    card = identity(client)
    begin_transaction(client, NEW_PIN)
    channel.heard, psam_channel.heard = [], []
    receipt = purchase(client, source, card, Terms(0, 56, 78, AT, source.terminal))
    said, asked = channel.heard, psam_channel.heard
    assert [SELECT.ins, INITIALISE_DEBIT.ins, DEBIT.ins] == [raw[1] for raw in said]
    assert [SELECT.ins, INITIALISE_PURCHASE.ins, VERIFY_MAC2.ins] == [raw[1] for raw in asked]
    time = bytes(LocalTime(AT))
    amounts = bytes.fromhex("00000000 00000038 0000004E")
    terminal = bytes.fromhex(source.terminal)
    assert bytes.fromhex("B028010113 01") + amounts + terminal + b"\x16" == said[1]
    assert bytes.fromhex("B02C01000F") + receipt.terminal_sequence + time == said[2][:16]
    assert amounts + b"\x32" + time == asked[1][11:31]


@every_generation
def test_psam_and_card_count_each_for_itself(generation: str) -> None:
    counter = Counter(generation)
    receipts = [counter.buy(own=n) for n in range(1, 6)]
    assert [1, 2, 3, 4, 5] == [each.sequence for each in receipts]
    assert [1, 2, 3, 4, 5] == [int.from_bytes(each.terminal_sequence) for each in receipts]
    assert all(counter.settles(each) for each in receipts)
    assert 5 == len({each.tac for each in receipts})


@every_generation
def test_the_halves_for_an_hsm_are_the_whole(generation: str) -> None:
    counter = Counter(generation)
    suite = counter.suite
    centre = MemoryHsm(MemoryKeys(suite=suite), counter.card, ADDRESSES)
    source = HsmKeys(suite=suite, addresses=ADDRESSES)
    request = begin_purchase(counter.client, counter.card, counter.terms)
    answer = centre.answer(source.line(request))  # a program carries these there and back
    receipt = finish_purchase(counter.client, request, source.begun(request, answer))
    assert (1, b"\x00\x00\x00\x01", False) == (
        receipt.sequence,
        receipt.terminal_sequence,
        receipt.judged,
    )
    assert counter.settles(receipt)
    found = recover(counter.client, request, source.begun(request, answer))
    assert receipt == found


@every_generation
def test_a_psam_of_other_masters_buys_nothing(generation: str) -> None:
    counter = Counter(generation)
    other = SUITES[3 - counter.suite.number]
    with pytest.raises(KeyUnavailable):
        purchase(
            counter.client, source_of("PSAM", other, counter.card), counter.card, counter.terms
        )
    foreign = replace(counter.card, region="110100")
    memory = MemoryKeys(suite=counter.suite)
    wrong = replace(foreign, unique=bytes(8))
    with pytest.raises(CardRefused, match="9302"):
        purchase(counter.client, memory, wrong, counter.terms)
    assert b"\x32" not in {each.kind for each in counter.medical.transactions()}


@every_generation
def test_the_initial_pin_buys_nothing_at_the_desk_or_at_the_card(generation: str) -> None:
    client = put_in(generation, initial=True)
    card = identity(client)
    with pytest.raises(InitialPinInForce):
        begin_transaction(client, PIN)
    with pytest.raises(NotAllowed, match="6985"):
        begin_purchase(client, card, Terms(1, 0, 0, AT, "990000000001"))


@every_generation
def test_without_the_pin_nothing_is_bought(generation: str) -> None:
    client = put_in(generation)
    card = identity(client)
    with pytest.raises(NotAllowed, match="6982"):
        begin_purchase(client, card, Terms(1, 0, 0, AT, "990000000001"))


def test_a_balance_that_is_too_small_is_said_so() -> None:
    counter = Counter("1.0", balance=1000)
    with pytest.raises(CardRefused, match="9401"):
        counter.buy()
    assert 1 == counter.buy(account=1000).sequence


def test_ninety_nine_purchases_and_no_more() -> None:
    counter = Counter("2.0", "memory")
    for number in range(1, 100):
        assert number == counter.buy(account=1).sequence
    with pytest.raises(NotAllowed, match="6985"):
        counter.buy(account=1)
    assert OfflineTotals("1", 99 * 79, "99") == counter.money()
    assert 30 == len(counter.medical.transactions())


def test_a_purchase_from_another_df_comes_back_to_the_account() -> None:
    counter = Counter("3.0")
    counter.client.select()
    begin_transaction(counter.client, NEW_PIN)
    assert 1 == counter.buy(at=datetime(1999, 12, 31, 23, 59, 59)).sequence
    assert datetime(1999, 12, 31, 23, 59, 59) == counter.medical.transactions()[0].at


# Loads


def test_a_load_is_booked_and_settled() -> None:
    counter = Counter("1.0", balance=500)
    centre = LoadKeys(MemoryKeys())
    request = begin_load(counter.client, counter.card, LoadTerms(700, AT, "990000000001"))
    assert 500 == request.balance
    receipt = finish_load(counter.client, request, centre.allow(request))
    assert (2, 1200, 700) == (receipt.sequence, receipt.balance, receipt.amount)
    centre.settle(request, receipt.tac)
    assert receipt == recover_load(counter.client, request)
    with pytest.raises(CardNotGenuine):
        centre.settle(request, bytes(4))
    assert AccountBalance(1200, 0, 0) == counter.money()


def test_a_centre_allows_nothing_to_a_card_that_has_not_proven_itself() -> None:
    counter = Counter("1.0")
    request = begin_load(counter.client, counter.card, LoadTerms(700, AT, "990000000001"))
    centre = LoadKeys(MemoryKeys())
    for change in (
        {"mac1": bytes(4)},
        {"balance": request.balance - 1},
        {"amount": 701},
        {"random": bytes(4)},
        {"card_sequence": b"\x00\x09"},
        {"terminal": bytes(6)},
        {"card": replace(counter.card, unique=bytes(8))},
    ):
        with pytest.raises(CardNotGenuine):
            centre.allow(replace(request, **change))
    with pytest.raises(KeyUnavailable):
        LoadKeys(MemoryKeys(suite=SUITES[2])).allow(request)
    with pytest.raises(CardRefused, match="9302"):
        finish_load(counter.client, request, bytes(4))
    assert recover_load(counter.client, request) is None


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_later_cards_take_no_load(generation: str) -> None:
    counter = Counter(generation)
    with pytest.raises(NotAllowed, match="6985"):
        begin_load(counter.client, counter.card, LoadTerms(1, AT, "990000000001"))
