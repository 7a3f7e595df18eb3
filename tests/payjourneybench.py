# SPDX-License-Identifier: Apache-2.0
"""Where payment journeys take place: a card of a shipped profile, a terminal, and its bank.

What passes between reader and card is taken down, or was taken down once (`journeybench`); the
issuer is the real one over books in memory, so a journey needs SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from journeybench import Slot, Wire, interface_of
from journeytape import CARD, FIELD

from apdu.atr import Interface
from apdu.command import CommandAPDU
from apdu.wire.pboc.flags import TerminalCapabilities
from card_os.chip import Chip
from card_os.world import seeded
from host.amounts import yuan
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, issue_test_card
from host.issuer.profile import pan_in, shipped_profile
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Issuer, Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.pin_entry import DocumentKind, PinPad
from host.terminal.kernel.transaction import Order
from host.terminal.pboc import pay, settle
from host.terminal.result import Result
from host.terminal.tap import tap

CARD_SEED, TERMINAL_SEED = 7, 11
MORNING = datetime(2026, 1, 5, 8, 0)
PASSWORD, OFFLINE_PIN, MISTYPED = "271828", "123456", "654312"
"""The account's transaction password, the card's own PIN, and a wrong one."""
DEPOSIT = 100_000
"""Fen on the account when a journey begins."""


def chip_of(profile: str) -> Chip:
    """The card that a journey begins with."""
    return issue_test_card(seed=CARD_SEED, bank=profile)


class People:
    """The holder, who types what the journey says, in its order."""

    def __init__(self, wire: Wire, typed: tuple[str, ...]) -> None:
        self._wire, self._typed = wire, list(typed)

    def _types(self, which: str) -> str | None:
        pin = self._typed.pop(0) if self._typed else None
        self._wire.remark(f"types the {which} PIN {pin or 'not at all'}")
        return pin

    def offline_pin(self, tries_left: int | None) -> str | None:
        return self._types("offline")

    def online_pin(self) -> str | None:
        return self._types("online")

    def document(self, kind: DocumentKind, number: str) -> bool:
        return False

    @property
    def done(self) -> bool:
        return not self._typed


class Desk:
    """What a payment journey can do."""

    def __init__(self, wire: Wire, profile: str) -> None:
        from host.issuer.authorisation import IssuerHost
        from host.issuer.bank import Bank
        from host.issuer.keys import IssuerKeys

        self.pan = pan_in(shipped_profile(profile))
        self.bank = Bank()
        self.issuer = IssuerHost(self.bank, IssuerKeys(TEST_IMKS))
        self._wire = wire
        self._random = seeded(TERMINAL_SEED, TEST_DAY).random
        self._number = 0
        self.config = load_config()
        self.bank.open(self._reference(), self.pan, "01", "测试持卡人", MORNING)
        self.bank.activate(self._reference(), self.pan, PASSWORD, MORNING)
        self.bank.deposit(self._reference(), self.pan, DEPOSIT, MORNING)

    # The terminal

    def without(self, *capabilities: TerminalCapabilities) -> None:
        """From now on it is a terminal that cannot do these."""
        for each in capabilities:
            self._wire.remark(f"terminal without {str(each.name).lower().replace('_', ' ')}")
            self.config = replace(self.config, capabilities=self.config.capabilities & ~each)

    def pay(self, amount: int, *typed: str, online: bool = True, cash: bool = False) -> Result:
        """Buy with the card in the slot. `cash`: the terminal takes electronic cash."""
        config = self.config if cash else without_cash(self.config)
        return self._made(pay, CARD, Purpose.PURCHASE, amount, typed, online, config)

    def tap(self, amount: int, *typed: str, online: bool = True, force: bool = False) -> Result:
        """Buy with the card in the field. `force`: the merchant wants the issuer asked."""
        return self._made(tap, FIELD, Purpose.PURCHASE, amount, typed, online, self.config, force)

    def load(self, amount: int, *typed: str) -> Result:
        """Load electronic cash from the account."""
        return self._made(pay, CARD, Purpose.LOAD, amount, typed, True, self.config)

    def settle(self, *results: Result) -> None:
        """Tell the issuer what it could not be told."""
        for each in results:
            self._wire.remark(f"advice of {yuan(each.amount)} yuan")
            assert () == settle(each, self.issuer)

    def counter(self, *commands: CommandAPDU) -> None:
        """The bank's own counter: scripts for a card that no terminal takes."""
        from host.issuer.counter import give

        self._wire.remark("at the bank's counter")
        order = self._order(0, Purpose.BALANCE)
        give(self.card(CARD), commands, self.issuer.keys, self.config, order)

    def card(self, slot: str) -> Card:
        """Put the card there."""
        where: Interface = interface_of(slot)
        return Card(MemoryChannel(Slot(self._wire, slot), where))

    def _made(
        self,
        make: Callable[..., Result],
        slot: str,
        purpose: Purpose,
        amount: int,
        typed: tuple[str, ...],
        online: bool,
        config: TerminalConfig,
        force: bool = False,
    ) -> Result:
        how = "" if online else ", the issuer cannot be reached"
        self._wire.remark(f"{purpose.value} of {yuan(amount)} yuan{how}")
        people = People(self._wire, typed)
        pad = PinPad(people, self.bank.pin_keys.pin.encrypt)
        order = replace(self._order(amount, purpose), force_online=force)
        issuer: Issuer | None = self.issuer if online else None
        result = make(self.card(slot), order, config, issuer, pad=pad)
        assert people.done, "a PIN was not asked for"
        code = f", {result.response_code}" if result.response_code else ""
        self._wire.remark(f"{result.outcome.value}{code}")
        return result

    def _order(self, amount: int, purpose: Purpose) -> Order:
        reference = self._reference()
        at = MORNING + timedelta(minutes=self._number)
        return Order(amount, purpose, at, reference, self._number, self._random(4))

    def _reference(self) -> str:
        self._number += 1
        return f"{self._number:012d}"

    # The bank

    def wants(self, command: CommandAPDU) -> None:
        """A script waits for the card's next online transaction."""
        self._wire.remark("the bank has a script for the card")
        self.issuer.scripts.commands(self.pan, [command], MORNING)

    def holds(self, balance: int, cash: int) -> bool:
        """Whether the account and the float of electronic cash are so, in fen."""
        found = self.bank.account(self.pan)
        return (balance, cash) == (found.balance, found.cash)


def without_cash(config: TerminalConfig) -> TerminalConfig:
    """A terminal that takes no electronic cash in its slot."""
    applications = tuple(replace(each, cash_limit=None) for each in config.applications)
    return replace(config, applications=applications)
