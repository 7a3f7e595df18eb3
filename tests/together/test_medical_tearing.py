# SPDX-License-Identifier: Apache-2.0
"""A card that is pulled while it books: all of it or nothing, and the card itself says which.

防拔. Every write of a purchase and of a load is torn, in many ways; then a terminal that knows only
what it sent asks the card, with the library as a till would use it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from keybench import NEW_PIN
from medicalbench import AT, SUITE_OF, Till, begin_debit, begin_load
from medicaltears import AMOUNT, MedicalScenario, medical_scenarios, used_cells
from powercuts import DAMAGES, Damage, FaultyFlash, PowerCut, TornFlash
from psambench import psam
from tearing import torn_cells
from testbench import world

from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.medical import DEBIT, INITIALISE_DEBIT, TransactionKind
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import CardGone, CardRefused, NotAllowed
from host.keys import MemoryKeys
from host.load import LoadKeys
from host.psam import PsamKeys
from host.terminal.authentication import authenticate, identity
from host.terminal.hrss import begin_transaction
from host.terminal.load import LoadInDoubt, LoadReceipt, LoadTerms, load, recover_load
from host.terminal.medical import PurchaseInDoubt, Receipt, Terms, purchase, recover

SCENARIOS = [pytest.param(each, id=each.name) for each in medical_scenarios()]
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)
every_generation = pytest.mark.parametrize("generation", SUITE_OF)


@dataclass(frozen=True)
class Seen:
    """All that the account says: money, numbers, log, proof, and what the next one would begin."""

    held: object
    state: object
    log: object
    proof: object
    next: object


def seen(scenario: MedicalScenario, cells: bytes) -> Seen:
    till = Till(scenario.generation, Flash(bytearray(cells)))
    held, state = till.files()
    kind = TransactionKind.LOAD if scenario.is_load else TransactionKind.PURCHASE
    number = state.next_load if scenario.is_load else state.next_sequence
    proof = [till.prove(each, kind) for each in range(max(number - 2, 0), number + 1)]
    first = begin_load(AMOUNT) if scenario.is_load else begin_debit()
    begun = till.ask(first)
    return Seen(held, state, till.log(), proof, begun[4:6] if scenario.is_load else begun[14:16])


@every_scenario
def test_money_number_log_and_proof_are_all_old_or_all_new(scenario: MedicalScenario) -> None:
    """Q27."""
    old = seen(scenario, scenario.cells())
    flash = Flash(bytearray(scenario.cells()))
    assert 0x9000 == scenario.run(scenario.prepare(flash))
    new = seen(scenario, bytes(flash.cells))
    assert all(getattr(old, name) != getattr(new, name) for name in Seen.__dataclass_fields__)
    found = [seen(scenario, torn) for torn in torn_cells(scenario)]
    assert {True} == {each in (old, new) for each in found}
    assert old in found
    assert new in found


# A till with the library


class Pulled(MemoryChannel):
    """A reader whose card loses its power when its flash says so; what it has sent, it keeps."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.sent: list[bytes] = []
        self.deaf_to: int | None = None
        """An instruction that the card carries out, and is pulled before it answers."""

    def _exchange(self, command: bytes) -> bytes:
        self.sent.append(command)
        try:
            answer = super()._exchange(command)
        except PowerCut:
            raise CardGone("pulled") from None
        if command[1] == self.deaf_to:
            raise CardGone("pulled")
        return answer


class Desk:
    """A card on a torn flash, a PSAM, and a centre."""

    def __init__(self, generation: str, flash: Flash | None = None) -> None:
        self.flash = flash or TornFlash(used_cells(generation, 1))
        self.suite = SUITE_OF[generation]
        self.source = PsamKeys(Card(MemoryChannel(psam(self.suite))))
        self.centre = LoadKeys(MemoryKeys(suite=self.suite))
        self.terms = Terms(1234, 56, 78, AT, self.source.terminal)
        self.load_terms = LoadTerms(AMOUNT, AT, self.source.terminal)
        self.put_in()

    def put_in(self) -> HrssClient:
        """The card is put in, or again, and its PIN verified."""
        self.channel = Pulled(Chip(ROM, self.flash, world()))
        self.client = HrssClient(Card(self.channel))
        self.card = identity(self.client)
        begin_transaction(self.client, NEW_PIN)
        return self.client

    def buy(self) -> Receipt:
        return purchase(self.client, self.source, self.card, self.terms)

    def load(self) -> LoadReceipt:
        return load(self.client, self.centre.allow, self.card, self.load_terms)


def newest(client: HrssClient) -> int:
    """The number of the last purchase."""
    client.enter(DF04)
    medical = MedicalClient(client.card)
    return next(each.sequence for each in medical.transactions() if each.kind == b"\x32")


@every_generation
@pytest.mark.parametrize("damage", DAMAGES[::3])
def test_the_till_learns_from_the_card_whether_a_purchase_happened(
    generation: str, damage: Damage
) -> None:
    found = set()
    whole = Desk(generation)
    expected = whole.buy()
    for cut in range(100):
        desk = Desk(generation)
        desk.flash.arm(cut, damage)
        try:
            assert expected == desk.buy()
            break
        except PurchaseInDoubt as doubt:
            request, begun = doubt.request, doubt.begun
            assert isinstance(doubt.__cause__, CardGone)
        desk.flash.arm(None)
        client = desk.put_in()
        receipt = recover(client, request, begun)
        assert receipt == recover(client, request, begun)
        assert DEBIT.ins not in {raw[1] for raw in desk.channel.sent}
        happened = newest(client) == 2
        assert happened == (receipt is not None)
        found.add(happened)
        if receipt is None:
            with pytest.raises(CardRefused, match="9406"):
                MedicalClient(client.card).transaction_prove(request.card_sequence)
            assert 2 == desk.buy().sequence
        else:
            assert replace(expected, judged=False) == receipt
            assert desk.source.end_purchase(request, begun, receipt.mac2)
            assert 3 == desk.buy().sequence
    else:
        raise AssertionError("the command never came to its end")
    assert {True, False} == found


@pytest.mark.parametrize("damage", DAMAGES[::3])
def test_the_till_learns_from_the_card_whether_a_load_happened(damage: Damage) -> None:
    found = set()
    expected = Desk("1.0").load()
    for cut in range(100):
        desk = Desk("1.0")
        desk.flash.arm(cut, damage)
        try:
            assert expected == desk.load()
            break
        except LoadInDoubt as doubt:
            request = doubt.request
        desk.flash.arm(None)
        client = desk.put_in()
        receipt = recover_load(client, request)
        authenticate(client, MemoryKeys(), desk.card, key_named("RK1DF04"))
        balance = MedicalClient(client.card).balance().balance
        assert (receipt is not None) == (balance == request.balance + AMOUNT)
        found.add(receipt)
        if receipt is not None:
            desk.centre.settle(request, receipt.tac)
    else:
        raise AssertionError("the command never came to its end")
    assert {None, expected} == found


@every_generation
def test_an_answer_that_was_lost_is_found_again(generation: str) -> None:
    desk = Desk(generation)
    desk.channel.deaf_to = DEBIT.ins
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    client = desk.put_in()
    receipt = recover(client, caught.value.request, caught.value.begun)
    assert receipt is not None
    assert replace(Desk(generation).buy(), judged=False) == receipt


@every_generation
def test_without_the_answer_of_the_psam_the_rest_is_found_all_the_same(generation: str) -> None:
    desk = Desk(generation)
    desk.channel.deaf_to = DEBIT.ins
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    receipt = recover(desk.put_in(), caught.value.request)
    assert receipt is not None
    assert (2, b"") == (receipt.sequence, receipt.terminal_sequence)


@every_generation
def test_a_card_pulled_before_it_was_asked_to_book_has_not_booked(generation: str) -> None:
    desk = Desk(generation)
    desk.channel.deaf_to = INITIALISE_DEBIT.ins
    with pytest.raises(CardGone):
        desk.buy()
    assert 1 == newest(desk.put_in())


@every_generation
def test_another_purchase_with_the_number_is_not_taken_for_this_one(generation: str) -> None:
    """It did not happen; then somebody else bought, and the card gave out the number again."""
    desk = Desk(generation)
    desk.flash.arm(0)
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    desk.flash.arm(None)
    desk.put_in()
    desk.terms = replace(desk.terms, own=57)
    assert 2 == desk.buy().sequence
    assert recover(desk.client, caught.value.request, caught.value.begun) is None


@every_generation
def test_a_purchase_is_found_behind_later_ones_though_its_proof_is_gone(generation: str) -> None:
    desk = Desk(generation)
    desk.channel.deaf_to = DEBIT.ins
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    desk.put_in()
    for _ in range(3):
        desk.buy()
    receipt = recover(desk.client, caught.value.request, caught.value.begun)
    assert receipt is not None
    assert (2, b"", b"") == (receipt.sequence, receipt.tac, receipt.mac2)


@every_generation
def test_without_the_pin_nothing_can_be_recovered(generation: str) -> None:
    desk = Desk(generation)
    desk.channel.deaf_to = DEBIT.ins
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    client = HrssClient(Card(MemoryChannel(Chip(ROM, desk.flash, world()))))
    with pytest.raises(NotAllowed):
        recover(client, caught.value.request, caught.value.begun)


@every_generation
def test_memory_that_fails_leaves_a_doubt_which_the_card_resolves(generation: str) -> None:
    """A write that fails behind the commit is made up for, although the answer is 6581."""
    found = set()
    for first in range(100):
        flash = FaultyFlash(used_cells(generation, 1))
        desk = Desk(generation, flash)
        flash.arm(range(first, first + 1))
        try:
            desk.buy()
            if first not in flash.failed:
                break
        except PurchaseInDoubt as doubt:
            assert isinstance(doubt.__cause__, CardRefused)
            assert 0x6581 == doubt.__cause__.sw
            flash.arm(range(0))
            client = desk.put_in()
            found.add(recover(client, doubt.request, doubt.begun) is not None)
    assert {True, False} == found
