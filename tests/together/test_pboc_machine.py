# SPDX-License-Identifier: Apache-2.0
"""Any order of a transaction's commands: a card answers what is due and nothing else, never better
than asked, no number stands in two transactions, and cash goes by approved amounts alone."""

from __future__ import annotations

from random import Random

from acbench import Till
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from paymentbench import TERMINAL, fen, in_use, lived, payment_cells, state_of
from powercuts import PowerCut, TornFlash, some_bits
from testbench import sw

from apdu import dol
from apdu.wire.cryptogram import IssuerAuthentication
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import EXTERNAL_AUTHENTICATE
from apdu.wire.pboc.flags import Result
from card_os.apps.pboc.transaction import Phase
from card_os.chip import Chip
from card_os.world import seeded
from host.cli.testcard import TEST_DAY

AAC, TC, ARQC = Result
BALANCE = 5_000
RANK = {AAC: 0, ARQC: 1, TC: 2}
PARAMETERS = {
    tags.EC_SINGLE_LIMIT: fen(10**6),
    tags.LOWER_LIMIT: b"\xff",
    tags.ADA: b"\0\0",
}
"""A card that would rather approve than not, so that much is to be had."""
REFUSED = 0x6985


class Transactions(RuleBasedStateMachine):
    """One card, whatever comes; the model is what a terminal would know of it."""

    @initialize()
    def take_a_card(self) -> None:
        self.till = Till(in_use(PARAMETERS, balance=BALANCE))
        self.lists = {
            tag: dol.fill(self._list(tag), {**TERMINAL, tags.ARC: b"00"})
            for tag in (tags.CDOL1, tags.CDOL2)
        }
        self.phase = Phase.SELECTED
        self.number = state_of(self.till.chip).atc
        self.answered = False
        """EXTERNAL AUTHENTICATE was sent."""
        self.paid = 0
        self.amount = 0
        self.cash = False
        self.seen: dict[int, list[Result]] = {}
        """Cryptograms by the number that is in them."""

    def _list(self, tag: int) -> bytes:
        self.till.begin()
        found = self.till.route.elements[tag]
        self.till.reader.select()
        return found

    # What may come

    @rule(reset=st.booleans())
    def begin_anew(self, reset: bool) -> None:
        if reset:
            self.till.chip.reset()
        assert 0x9000 == self.till.reader.select()
        self.phase = Phase.SELECTED

    @precondition(lambda self: self.phase is Phase.SELECTED)
    @rule(amount=st.integers(0, 2_000), cash=st.booleans())
    def options(self, amount: int, cash: bool) -> None:
        said = {tags.AMOUNT: fen(amount), tags.EC_INDICATOR: bytes((cash,))}
        self.till.said = {**TERMINAL, **said}
        assert 0x9000 == sw(self.till.reader.ask(said))
        self.number += 1
        self.phase, self.answered, self.amount = Phase.INITIATED, False, amount
        state = state_of(self.till.chip)
        self.cash = cash and amount <= BALANCE - self.paid and not state.flags & 0x02

    @precondition(lambda self: self.phase is Phase.INITIATED)
    @rule(wanted=st.sampled_from(Result))
    def first(self, wanted: Result) -> None:
        found = self.till.first(wanted)
        assert RANK[found] <= RANK[wanted]
        self.seen.setdefault(int.from_bytes(self.till.answer.atc), []).append(found)
        self.phase = Phase.CARD_ACTION if found is ARQC else Phase.ENDED
        if found is TC and self.cash:
            self.paid += self.amount

    @precondition(lambda self: self.phase is Phase.CARD_ACTION and not self.answered)
    @rule(right=st.booleans())
    def authenticate(self, right: bool) -> None:
        assert (0x9000 if right else 0x6300) == self.till.authenticate(wrong=0 if right else 1)
        self.answered = True

    @precondition(lambda self: self.phase is Phase.CARD_ACTION)
    @rule(wanted=st.sampled_from([AAC, TC]), arc=st.sampled_from([b"00", b"05", b"Y3"]))
    def second(self, wanted: Result, arc: bytes) -> None:
        found = self.till.second(wanted, arc)
        assert found in (AAC, wanted)
        assert arc != b"05" or found is AAC
        self.seen[int.from_bytes(self.till.answer.atc)].append(found)
        self.phase = Phase.ONLINE

    # What holds

    @invariant()
    def the_card_is_where_it_should_be(self) -> None:
        assert self.phase is self.till.transaction.phase

    @invariant()
    def what_is_not_due_is_refused_and_changes_nothing(self) -> None:
        till, phase = self.till, self.phase
        before = till.chip.snapshot(), till.transaction
        due: list[int] = []
        if phase is not Phase.SELECTED:
            due.append(sw(till.reader.ask()))
        if phase is not Phase.CARD_ACTION or self.answered:
            shown = IssuerAuthentication(bytes(8), b"00")
            due.append(sw(till.reader.send(EXTERNAL_AUTHENTICATE, None, shown)))
        for wanted in Result:
            if phase is Phase.CARD_ACTION and wanted is ARQC:
                due.append(sw(till.ask(wanted, self.lists[tags.CDOL2])))
            if phase not in (Phase.INITIATED, Phase.CARD_ACTION):
                due += [sw(till.ask(wanted, data)) for data in self.lists.values()]
        assert {REFUSED} >= set(due)
        assert before == (till.chip.snapshot(), till.transaction)

    @invariant()
    def a_number_stands_in_one_transaction(self) -> None:
        assert self.number == state_of(self.till.chip).atc
        for found in self.seen.values():
            assert found in ([AAC], [TC], [ARQC], [ARQC, AAC], [ARQC, TC])

    @invariant()
    def cash_goes_by_approved_amounts_alone(self) -> None:
        assert BALANCE - self.paid == state_of(self.till.chip).balance


TestTransactions = Transactions.TestCase
TestTransactions.settings = settings(max_examples=60, stateful_step_count=25)

STEPS = 10_000


def test_no_number_comes_twice_in_ten_thousand_steps_and_cuts() -> None:
    """Selections, starts, cryptograms and resets in any order, and the power cut in every tenth
    step at any of its writes: the number never goes down, and no two transactions have the same."""
    chance = Random(21)  # noqa: S311 - which steps, not a secret
    memory = lived(payment_cells(PARAMETERS), atc=1, last_online_atc=1)
    flash = TornFlash(memory)
    till = Till(Chip.boot(flash, seeded(7, TEST_DAY)))
    highest, transaction = 1, 0
    begun: dict[int, int] = {}
    """By the number in a cryptogram: the transaction that gave it."""

    def step() -> None:
        nonlocal transaction
        match chance.randrange(4):
            case 0:
                till.chip.reset()
                till.reader.select()
            case 1:
                till.reader.select()
                transaction += 1
                till.begin({tags.AMOUNT: fen(chance.randrange(2_000))})
            case 2 if till.transaction.phase is Phase.INITIATED:
                till.first(chance.choice(list(Result)))
                given()
            case 3 if till.transaction.phase is Phase.CARD_ACTION:
                till.second(chance.choice([AAC, TC]))
                given()

    def given() -> None:
        number = int.from_bytes(till.answer.atc)
        assert transaction == begun.setdefault(number, transaction)

    for _ in range(STEPS):
        cutting = not chance.randrange(10)
        if cutting:
            flash.arm(chance.randrange(5), some_bits(chance.randrange(6)))
        try:
            step()
        except PowerCut:
            flash.arm(None)
            till = Till(Chip.boot(flash, seeded(7, TEST_DAY)))
        flash.arm(None)
        now = state_of(till.chip).atc
        assert highest <= now
        highest = now
    assert len(begun) > STEPS // 20
