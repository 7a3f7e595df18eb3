# SPDX-License-Identifier: Apache-2.0
"""Thousands of loads, purchases, cuts and resets against a ledger: no fen comes or goes.

Q28. The ledger knows what was committed: what was answered, and of what was torn, what the card
says itself. After every step the card must hold what the ledger says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from keybench import NEW_PIN
from medicalbench import (
    LAST,
    SUM,
    Held,
    Sum,
    Till,
    begin_debit,
    begin_load,
    cells,
    entry,
    loaded,
)
from powercuts import DAMAGES, PowerCut, TornFlash
from testbench import verify

from apdu.wire.hrss.df04 import AccountBalance, MedicalTransaction, OfflineTotals
from apdu.wire.hrss.medical import TransactionKind

STEPS = {"1.0": 1600, "2.0": 600, "3.0": 600}
PURCHASE, LOAD = TransactionKind.PURCHASE, TransactionKind.LOAD


class Ledger:
    """What the card must hold, in numbers without end."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.start, state = till.files()
        self.next = {PURCHASE: state.next_sequence, LOAD: state.next_load}
        self.bought: list[Sum] = []
        self.loads: list[int] = []
        self.log: list[MedicalTransaction] = []
        self.proofs: set[tuple[TransactionKind, int]] = set()

    def commit(self, kind: TransactionKind, what: Sum | int) -> None:
        number = self.next[kind]
        assert (kind, number) not in self.proofs
        self.proofs.add((kind, number))
        self.next[kind] = number + 1
        if isinstance(what, Sum):
            self.bought.append(what)
            self.log.insert(0, entry(number, what))
        else:
            self.loads.append(what)
            self.log.insert(0, loaded(number, what))

    @property
    def held(self) -> Held:
        account, own, pool = (
            sum(getattr(each, name) for each in self.bought) for name in ("account", "own", "pool")
        )
        if isinstance(self.start, AccountBalance):
            balance = (self.start.balance or 0) + sum(self.loads) - account
            return AccountBalance(balance, own, pool)
        count = int(self.start.count) + len(self.bought)
        return OfflineTotals("1", (self.start.amount or 0) + account + pool, f"{count:02}")

    def agree(self) -> None:
        held, state = self.till.files()
        assert self.held == held
        assert (self.next[PURCHASE], self.next[LOAD]) == (state.next_sequence, state.next_load)
        if isinstance(held, AccountBalance):
            assert held.balance is not None
            assert 0 <= held.balance <= LAST
        newest = self.till.log()[:3]
        assert self.log[: len(newest)] == newest
        assert bool(self.log) == bool(newest)


class Play:
    """One till, one ledger, and chance."""

    def __init__(self, generation: str, seed: int) -> None:
        self.generation = generation
        self.flash = TornFlash(cells(generation))
        self.chance = Random(seed)  # noqa: S311 - what is tried, no secret
        self.till = Till(generation, self.flash)
        if generation == "1.0":
            self.till.put(AccountBalance(LAST // 2, 0, 0))
        self.ledger = Ledger(self.till)

    def terms(self) -> Sum:
        top = self.chance.choice([100, 100_000, LAST // 3])
        account, own, pool = (self.chance.randrange(each + 1) for each in (top, 9, 9))
        return replace(SUM, account=account, own=own, pool=pool + 1, index=1 + account % 3)

    def amount(self) -> int:
        return self.chance.choice([1, 10_000, LAST // 3, LAST])

    def fits(self, terms: Sum) -> bool:
        held = self.ledger.held
        if isinstance(held, AccountBalance):
            return terms.account <= (held.balance or 0)
        fits = (held.amount or 0) + terms.account + terms.pool <= LAST
        return fits and held.count != "99"

    # What may happen

    def buy(self) -> None:
        terms = self.terms()
        if self.fits(terms):
            self.till.buy(terms)
            self.ledger.commit(PURCHASE, terms)
        else:
            refusal = 0x9401 if self.generation == "1.0" else 0x6985
            assert refusal == self.till.send(begin_debit(terms))

    def load(self) -> None:
        amount = self.amount()
        if self.generation == "1.0" and (self.ledger.held.balance or 0) + amount <= LAST:  # type: ignore[union-attr]
            self.till.load(amount)
            self.ledger.commit(LOAD, amount)
        else:
            assert 0x6985 == self.till.send(begin_load(amount))

    def torn(self, kind: TransactionKind, what: Sum | int, raw: bytes) -> None:
        """Book with the power going somewhere, and believe what the card says then."""
        self.flash.arm(self.chance.randrange(12), self.chance.choice(DAMAGES))
        answered = False
        try:
            assert 0x9000 == self.till.send(raw)
            answered = True
        except PowerCut:
            pass
        self.flash.arm(None)
        self.till.power()
        proven = not isinstance(self.till.prove(self.ledger.next[kind], kind), int)
        assert proven or not answered
        if proven:
            self.ledger.commit(kind, what)

    def torn_purchase(self) -> None:
        terms = self.terms()
        if self.fits(terms):
            self.torn(PURCHASE, terms, self.till.order(self.till.begin(terms), terms))

    def torn_load(self) -> None:
        if self.generation == "1.0" and (self.ledger.held.balance or 0) < LAST:  # type: ignore[union-attr]
            begun = self.till.begin_load(1)
            self.torn(LOAD, 1, self.till.credit(begun, 1))

    def wrong_mac(self) -> None:
        terms = self.terms()
        if self.fits(terms):
            order = self.till.order(self.till.begin(terms), terms, b"\x00\x00\x01\x00")
            assert 0x9302 == self.till.send(order)

    def twice(self) -> None:
        terms = self.terms()
        if self.fits(terms):
            order = self.till.order(self.till.begin(terms), terms)
            self.till.ask(order)
            self.ledger.commit(PURCHASE, terms)
            assert 0x6985 == self.till.send(order)

    def left_alone(self) -> None:
        terms = self.terms()
        if self.fits(terms):
            self.till.begin(terms)

    def reset(self) -> None:
        self.till.chip.reset()
        self.till.enter()

    def wrong_pin(self) -> None:
        self.till.send(verify("000000"))
        assert 0x6982 == self.till.send(begin_debit())
        self.till.enter(NEW_PIN)

    def step(self) -> None:
        steps: list[Callable[[], None]] = [self.buy, self.load, self.torn_purchase, self.torn_load]
        rare = [self.wrong_mac, self.twice, self.left_alone, self.reset, self.wrong_pin]
        self.chance.choice(steps * 3 + rare)()
        self.ledger.agree()


@pytest.mark.parametrize("generation", STEPS)
def test_the_card_holds_what_was_committed_whatever_happens(generation: str) -> None:
    play = Play(generation, 11)
    for number in range(STEPS[generation]):
        play.step()
        if generation != "1.0" and number % 120 == 119:  # the issuer clears the totals
            play.till.put(OfflineTotals("1", 0, "00"))
            play.ledger.start, play.ledger.bought = OfflineTotals("1", 0, "00"), []
    assert len(play.ledger.log) > STEPS[generation] // 8
    if generation == "1.0":
        kinds = [each.kind for each in play.ledger.log]
        assert min(kinds.count(b"\x31"), kinds.count(b"\x32")) > 150
