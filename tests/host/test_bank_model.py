# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked of the bank, it answers as a short ledger in plain Python does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from bankbench import NOON, OTHER, PAN, PASSWORD, UNKNOWN, WRONG, new
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.issuer.accounts import Posted
from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused
from host.issuer.limits import Daily, Limits

LIMITS = Limits(
    withdrawal=Daily(total=500, count=3),
    purchase=Daily(total=900),
    transfer=Daily(count=2),
)
MOVES = {
    "deposit": ("house", "own"),
    "withdraw": ("own", "house"),
    "purchase": ("own", "house"),
    "load": ("own", "purse"),
    "cash_load": ("house", "purse"),
    "unload": ("purse", "own"),
    "transfer": ("own", "other"),
}
LIMITED = {"withdraw": LIMITS.withdrawal, "purchase": LIMITS.purchase, "transfer": LIMITS.transfer}

pans = st.sampled_from([PAN] * 6 + [OTHER] * 3 + [UNKNOWN])
amounts = st.integers(1, 300)
days = st.sampled_from([0, 0, 0, 0, 1, 2])


@dataclass
class Book:
    """What the model knows of one card."""

    state: str = "inactive"
    frozen: bool = False
    own: int = 0
    held: int = 0
    purse: int = 0
    tries: int = 0
    expires: int | None = None
    used: dict[tuple[str, int], list[int]] = field(default_factory=dict)


@dataclass
class Done:
    """An order as it was given, and what came of it."""

    name: str
    arguments: tuple[Any, ...]
    came: Posted | Reason
    day: int
    back: Posted | None = None

    @property
    def amount(self) -> int:
        """What the order names; 0 where an order has none."""
        if self.name == "settle":
            return int(self.arguments[1])
        return int(self.arguments[-1]) if self.name in {*MOVES, "hold"} else 0


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank(limits=LIMITS)
        self.books: dict[str, Book] = {}
        self.done: dict[str, Done] = {}
        self.unseen: set[str] = set()
        self.holds: dict[str, tuple[str, int]] = {}
        self.settled: set[tuple[str, int]] = set()

    def teardown(self) -> None:
        self.bank.ledger.close()

    # The bank is asked, and held to what the model expects

    def ask(self, name: str, reference: str, *arguments: Any, day: int) -> Posted | Reason:
        at = NOON + timedelta(days=day)
        try:
            came: Posted | Reason = getattr(self.bank, name)(reference, *arguments, at)
        except Refused as error:
            came = error.reason
        return came

    def order(self, name: str, *arguments: Any, day: int, expected: Reason | None) -> Posted | None:
        """A new order; None when it was refused, as expected."""
        reference = new()
        came = self.ask(name, reference, *arguments, day=day)
        self.done[reference] = Done(name, arguments, came, day)
        if expected is not None:
            assert expected is came
            return None
        assert isinstance(came, Posted), came
        assert (reference, False) == (came.reference, came.again)
        return came

    def said(self, came: Posted, pan: str) -> None:
        book = self.books[pan]
        found = came.balance, came.available, came.cash
        assert (book.own, book.own - book.held, book.purse) == found

    # Whether money may leave

    def usable(self, pan: str, day: int) -> Reason | None:
        book = self.books.get(pan)
        if book is None:
            return Reason.UNKNOWN_CARD
        if book.state != "active":
            return Reason.INACTIVE if book.state == "inactive" else Reason.CLOSED
        if book.frozen:
            return Reason.FROZEN
        if book.expires is not None and day > book.expires:
            return Reason.EXPIRED
        return None

    def there(self, pan: str) -> Reason | None:
        if pan not in self.books:
            return Reason.UNKNOWN_CARD
        return Reason.CLOSED if self.books[pan].state == "closed" else None

    # Orders

    @initialize()
    def begin(self) -> None:
        for pan in PAN, OTHER, PAN:
            self.open(pan)
        self.activate(PAN, 0)
        self.transact("deposit", PAN, "", 1000, 0)
        self.transact("load", PAN, "", 200, 0)

    def open(self, pan: str) -> None:
        expected = Reason.INVALID if pan in self.books else None
        if self.order("open", pan, "01", "ZHANG SAN", day=0, expected=expected):
            self.books[pan] = Book()

    def activate(self, pan: str, day: int) -> None:
        expected = self.there(pan)
        if expected is None and self.books[pan].state != "inactive":
            expected = Reason.INVALID
        if self.order("activate", pan, PASSWORD, day=day, expected=expected):
            self.books[pan].state, self.books[pan].tries = "active", 3

    @rule(pan=pans, name=st.sampled_from(["deposit", "cash_load"]), amount=amounts, day=days)
    def bring(self, pan: str, name: str, amount: int, day: int) -> None:
        self.transact(name, pan, "", amount, day)

    @rule(pan=pans, name=st.sampled_from(["withdraw", "purchase"]), amount=amounts, day=days)
    def spend(self, pan: str, name: str, amount: int, day: int) -> None:
        self.transact(name, pan, "", amount, day)

    @rule(pan=pans, name=st.sampled_from(["load", "unload"]), amount=amounts, day=days)
    def shift_cash(self, pan: str, name: str, amount: int, day: int) -> None:
        self.transact(name, pan, "", amount, day)

    @rule(pan=pans, goal=pans, amount=amounts, day=days)
    def transfer(self, pan: str, goal: str, amount: int, day: int) -> None:
        self.transact("transfer", pan, goal, amount, day)

    def transact(self, name: str, pan: str, target: str, amount: int, day: int) -> None:
        expected = self.there(pan) if name == "deposit" else self.usable(pan, day)
        if expected is None and target:
            expected = self.there(target) or (Reason.INVALID if target == pan else None)
        book = self.books.get(pan, Book())
        used = book.used.setdefault((name, day), [0, 0])
        if expected is None and name in LIMITED:
            daily = LIMITED[name]
            if daily.total is not None and used[0] + amount > daily.total:
                expected = Reason.OVER_SUM
            elif daily.count is not None and used[1] >= daily.count:
                expected = Reason.OVER_COUNT
        source, goal = MOVES[name]
        free = {"own": book.own - book.held, "purse": book.purse}
        if expected is None and free.get(source, amount) < amount:
            expected = Reason.NO_FUNDS
        arguments = (pan, target, amount) if target else (pan, amount)
        came = self.order(name, *arguments, day=day, expected=expected)
        if came:
            used[0], used[1] = used[0] + amount, used[1] + 1
            self.shift(pan, target, source, goal, amount)
            assert amount == came.amount
            self.said(came, pan)

    def shift(self, pan: str, target: str, source: str, goal: str, amount: int) -> None:
        for side, change in (source, -amount), (goal, amount):
            if side == "other":
                self.books[target].own += change
            elif side != "house":
                book = self.books[pan]
                setattr(book, side, getattr(book, side) + change)

    @rule(pan=pans, amount=amounts, atc=st.integers(1, 9), day=days)
    def settle(self, pan: str, amount: int, atc: int, day: int) -> None:
        expected = None
        if pan not in self.books:
            expected = Reason.UNKNOWN_CARD
        elif (pan, atc) in self.settled:
            expected = Reason.SETTLED
        came = self.order("settle", pan, amount, atc, day=day, expected=expected)
        if came:
            self.settled.add((pan, atc))
            covered = min(amount, self.books[pan].purse)
            self.books[pan].purse -= covered
            assert amount - covered == came.short
            self.said(came, pan)

    @rule(pan=pans, amount=amounts, day=days)
    def hold(self, pan: str, amount: int, day: int) -> None:
        expected = self.usable(pan, day)
        book = self.books.get(pan, Book())
        if expected is None and book.own - book.held < amount:
            expected = Reason.NO_FUNDS
        came = self.order("hold", pan, amount, day=day, expected=expected)
        if came:
            book.held += amount
            self.holds[came.reference] = pan, amount
            self.said(came, pan)

    def freeze(self, pan: str, freeze: bool, day: int) -> None:
        expected = self.there(pan)
        if expected is None and self.books[pan].frozen == freeze:
            expected = Reason.INVALID
        name = "freeze" if freeze else "unfreeze"
        if self.order(name, pan, day=day, expected=expected):
            self.books[pan].frozen = freeze

    def renew(self, pan: str, until: int | None, day: int) -> None:
        expires = None if until is None else (NOON + timedelta(days=until)).date()
        if self.order("renew", pan, expires, day=day, expected=self.there(pan)):
            self.books[pan].expires = until

    def close(self, pan: str, day: int) -> None:
        expected = self.there(pan)
        book = self.books.get(pan, Book())
        if expected is None and (book.own or book.purse or book.frozen):
            expected = Reason.INVALID
        if self.order("close", pan, day=day, expected=expected):
            book.state, book.tries = "closed", 0

    # Passwords

    @rule(pan=pans, right=st.booleans())
    def verify(self, pan: str, right: bool) -> None:
        expected = self.there(pan)
        book = self.books.get(pan, Book())
        if expected is None and book.state == "inactive":
            expected = Reason.INACTIVE
        if expected is None and not book.tries:
            expected = Reason.PIN_BLOCKED
        if expected is None:
            book.tries = 3 if right else book.tries - 1
            expected = None if right else Reason.WRONG_PIN
        block = self.bank.pin_keys.enciphered(PASSWORD if right else WRONG, pan)
        try:
            self.bank.verify_pin(pan, block)
            found = None
        except Refused as error:
            found = error.reason
        assert expected is found

    def reset_password(self, pan: str, day: int) -> None:
        expected = self.there(pan)
        if expected is None and self.books[pan].state == "inactive":
            expected = Reason.INACTIVE
        if self.order("reset_password", pan, PASSWORD, day=day, expected=expected):
            self.books[pan].tries = 3

    @rule(
        pan=pans,
        what=st.sampled_from(["activate", "freeze", "thaw", "renew", "close", "reset_password"]),
        until=st.sampled_from([None, None, 0, 1]),
        day=days,
    )
    def manage(self, pan: str, what: str, until: int | None, day: int) -> None:
        if what in ("freeze", "thaw"):
            self.freeze(pan, what == "freeze", day)
        elif what == "renew":
            self.renew(pan, until, day)
        else:
            getattr(self, what)(pan, day)

    # The same again, and undone

    @precondition(lambda self: self.done)
    @rule(data=st.data(), later=days)
    def again(self, data: st.DataObject, later: int) -> None:
        """Whatever has changed since, and at whatever time it comes."""
        reference = data.draw(st.sampled_from(sorted(self.done)))
        done = self.done[reference]
        came = self.ask(done.name, reference, *done.arguments, day=later)
        assert done.came == came
        assert not isinstance(came, Posted) or came.again

    @precondition(lambda self: self.done)
    @rule(data=st.data(), name=st.sampled_from(["purchase", "deposit"]), amount=st.just(401))
    def misused(self, data: st.DataObject, name: str, amount: int) -> None:
        reference = data.draw(st.sampled_from(sorted(self.done)))
        assert Reason.DUPLICATE is self.ask(name, reference, PAN, amount, day=0)

    @precondition(lambda self: self.done)
    @rule(data=st.data(), more=st.sampled_from([0, 0, 0, 1]))
    def reverse(self, data: st.DataObject, more: int) -> None:
        reference = data.draw(st.sampled_from(sorted(self.done)))
        done = self.done[reference]
        pan, amount = done.arguments[0], done.amount
        came = self.ask("reverse", reference, pan, (amount or 1) + more, day=2)
        if done.back is not None:
            assert (Reason.DUPLICATE if more else done.back) == came
        elif more or not amount:
            assert Reason.NO_ORIGINAL is came
        elif isinstance(done.came, Reason) and pan not in self.books:
            assert Reason.UNKNOWN_CARD is came
        elif isinstance(done.came, Posted) and done.name == "settle":
            assert Reason.INVALID is came
        elif isinstance(done.came, Posted) and not self.can_undo(done):
            assert Reason.NO_FUNDS is came
        else:
            assert isinstance(came, Posted), came
            if isinstance(done.came, Posted):
                self.undo(reference, done)
                assert amount == came.amount
            else:
                assert 0 == came.amount
            done.back = came
            self.said(came, pan)

    def sides(self, done: Done) -> tuple[str, str, str]:
        target = done.arguments[1] if done.name == "transfer" else ""
        return (target, *MOVES[done.name])

    def can_undo(self, done: Done) -> bool:
        """Whether the money is still where it went."""
        if done.name == "hold":
            return True
        target, _, goal = self.sides(done)
        book = self.books[target or done.arguments[0]]
        free = {"own": book.own - book.held, "other": book.own - book.held, "purse": book.purse}
        return free.get(goal, done.amount) >= done.amount

    def undo(self, reference: str, done: Done) -> None:
        pan = done.arguments[0]
        if done.name == "hold":
            self.books[pan].held -= self.holds.pop(reference)[1]
            return
        target, source, goal = self.sides(done)
        self.shift(pan, target, goal, source, done.amount)
        used = self.books[pan].used[done.name, done.day]
        used[0], used[1] = used[0] - done.amount, used[1] - 1

    @rule(pan=st.sampled_from([PAN, OTHER]), amount=amounts)
    def reversed_before_it_came(self, pan: str, amount: int) -> None:
        reference = new()
        came = self.ask("reverse", reference, pan, amount, day=0)
        assert isinstance(came, Posted)
        assert 0 == came.amount
        self.said(came, pan)
        late = self.ask("deposit", reference, pan, amount, day=0)
        assert Reason.REVERSED is late
        self.done[reference] = Done("deposit", (pan, amount), late, 0, came)

    # What holds after every step

    @invariant()
    def the_books_are_good(self) -> None:
        assert () == self.bank.audit()

    @invariant()
    def every_account_is_what_the_model_says(self) -> None:
        for pan, book in self.books.items():
            found = self.bank.account(pan)
            assert (book.own, book.held, book.purse) == (found.balance, found.held, found.cash)
            assert min(found.available, found.balance, found.cash) >= 0
            assert (book.state, book.frozen) == (found.state.value, found.frozen)
            assert book.tries == found.pin_tries

    @invariant()
    def every_statement_ends_at_the_balance(self) -> None:
        for pan, book in self.books.items():
            found = self.bank.statement(pan, NOON.date(), (NOON + timedelta(days=3)).date())
            assert (0, book.own) == (found.opening, found.closing)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=30)
