# SPDX-License-Identifier: Apache-2.0
"""A small world of money: one card, a terminal, the card's bank with its books in a file, and
between them a slot that lets the card go and a line that loses messages. After whatever happened
everybody is asked, and all must agree.

market = Market(folder)
market.happen(LOAD, 5000, Mishap(pulled=14, done=True))
market.agree()
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from issuerbench import PASSWORD
from mishaps import CALM, Line, Mishap, Slot, TerminalStops
from paymentbench import payment_cells, state_of
from paymentdesk import Typing, config, parse_elements
from powercuts import TornFlash

from apdu.atr import Interface
from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result as Kind
from apdu.wire.pboc.flags import TerminalCapabilities
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel import Channel
from host.cli.testcard import TEST_DAY
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.keys import IssuerKeys
from host.issuer.limits import UNLIMITED
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import (
    Purpose,
    Reversal,
)
from host.terminal import recovery
from host.terminal import tap as taps
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.reversal import Message, deliver
from host.terminal.kernel.transaction import Order
from host.terminal.pboc import pay
from host.terminal.pboc_log import balance, has_load
from host.terminal.result import Result

PAN = "6228004302000000015"
NOON = datetime(2026, 1, 5, 12)
MONEY = 1_000_000
CONTACT, FIELD = Interface.CONTACT, Interface.CONTACTLESS
PINS = TerminalCapabilities.PLAINTEXT_PIN | TerminalCapabilities.ONLINE_PIN


# What is bought, and how


@dataclass(frozen=True)
class Doing:
    """One kind of transaction."""

    purpose: Purpose = Purpose.PURCHASE
    where: Interface = CONTACT
    force_online: bool = False
    offline: bool = False
    """The terminal has no line at all."""
    signed: bool = False
    """The terminal has no PIN pad, and takes no electronic cash; the holder signs."""


ONLINE = Doing(force_online=True)
CASH = Doing()
"""With electronic cash where there is enough of it, else online."""
ALONE = Doing(offline=True)
SIGNED = Doing(signed=True)
"""As above; without an answer of the issuer the card may approve it by itself."""
SIGNED_ALONE = Doing(signed=True, offline=True)
WITHDRAWAL = Doing(Purpose.WITHDRAWAL)
DEPOSIT = Doing(Purpose.DEPOSIT)
LOAD = Doing(Purpose.LOAD)
CASH_LOAD = Doing(Purpose.CASH_LOAD)
TAP = Doing(where=FIELD)
TAP_ALONE = Doing(where=FIELD, offline=True)
TAP_ONLINE = Doing(where=FIELD, force_online=True)
DOINGS = {
    "online": ONLINE,
    "cash": CASH,
    "cash, no line": ALONE,
    "signed": SIGNED,
    "signed, no line": SIGNED_ALONE,
    "withdrawal": WITHDRAWAL,
    "deposit": DEPOSIT,
    "load": LOAD,
    "cash load": CASH_LOAD,
    "tap": TAP,
    "tap, no line": TAP_ALONE,
    "tap online": TAP_ONLINE,
}


# The world


@dataclass
class Expected:
    """What must be where, by what the terminal has made of each transaction."""

    account: int = MONEY
    cash: int = 0
    loaded: int = 0
    merchants: int = 0
    """Of electronic cash, what they hold cryptograms for."""
    given_back: int = 0
    """Of electronic cash, what a card paid and nobody can be paid with."""


class Market:
    """`folder`: for the books; without one they are in memory."""

    def __init__(self, folder: Path | None = None, base: str = "rsa-1152") -> None:
        self.bank = Bank(str(folder / "bank.db") if folder else "sqlite://", limits=UNLIMITED)
        self.host = IssuerHost(self.bank, IssuerKeys(TEST_IMKS))
        self.line = Line(self.host)
        self._own = count(1)
        self.bank.open(self._reference(), PAN, "01", "测试持卡人", NOON)
        self.bank.activate(self._reference(), PAN, PASSWORD, NOON)
        self.bank.deposit(self._reference(), PAN, MONEY, NOON)
        self.flash = TornFlash(payment_cells(base=base))
        self.chip = Chip.boot(self.flash, seeded(7, TEST_DAY))
        # A floor limit, so that something may be approved without an answer.
        self.config = config({"risk": {"floor_limit": 100_000}})
        self.padless = config(
            {"risk": {"floor_limit": 100_000}, "cash_limit": None},
            capabilities=self.config.capabilities & ~PINS,
        )
        self.pad = PinPad(Typing(PASSWORD), self.bank.pin_keys.pin.encrypt)
        self.expected = Expected()
        self.owed: list[Message] = []
        """What the terminal must still tell the bank."""
        self.numbers = count(1)
        self.atc = 0
        self.cryptograms: dict[bytes, tuple[int, int]] = {}
        self.slot = Slot(self.chip, CONTACT, CALM, self.watch)
        """Of the last transaction."""

    def close(self) -> None:
        self.bank.ledger.close()

    def _reference(self) -> str:
        return f"9{next(self._own):011d}"

    # Transactions

    def happen(self, doing: Doing, amount: int, mishap: Mishap = CALM) -> Result | None:
        """A transaction, and what the terminal makes of it afterwards; None when the terminal
        was switched off in the middle of it."""
        result = self.begin(doing, amount, mishap)
        return None if result is None else self.end(doing, result)

    def begin(self, doing: Doing, amount: int, mishap: Mishap = CALM) -> Result | None:
        """A transaction as it happens."""
        number = next(self.numbers)
        order = Order(
            amount,
            doing.purpose,
            NOON,
            f"{number:012d}",
            number,
            number.to_bytes(4),
            force_online=doing.force_online,
        )
        slot = self.slot = Slot(self.chip, doing.where, mishap, self.watch)
        self.line.losses, self.line.stops = list(mishap.losses), mishap.stops
        issuer = None if doing.offline else self.line
        if mishap.torn is not None:
            self.flash.arm(mishap.torn, mishap.damage, mishap.unsynced)
        verb = pay if doing.where is CONTACT else taps.tap
        setup, pad = (self.padless, None) if doing.signed else (self.config, self.pad)
        try:
            result = verb(Card(self.cabled(slot)), order, setup, issuer, pad=pad)
        except TerminalStops:
            result = None
        finally:
            self.line.losses, self.line.stops = [], False
            self._power_again()
        if result is None:
            self._remember()
        else:
            self.line.asked.clear()
        return result

    def cabled(self, slot: Slot) -> Channel:
        """What stands between the terminal and a transaction's slot: nothing, here."""
        return slot

    def end(self, doing: Doing, result: Result) -> Result:
        """Ask the card what it did, where that is not known, and book what came of it."""
        found, lost = result, 0
        if result.doubt == taps.MAY_HAVE_PAID:
            found = taps.resolve(self._card(FIELD), result, self.config, self.line)
        elif result.doubt and result.doubt != taps.PAID:
            found = recovery.resolve(self._card(), result, self.config, self.line)
        if found.doubt in (taps.PAID, recovery.PAID):
            lost = found.amount
        else:
            assert "" == found.doubt
        self.owed += found.outstanding
        self._book(doing, found, lost)
        return found

    def _book(self, doing: Doing, found: Result, lost: int) -> None:
        expected, amount = self.expected, found.amount
        if lost:
            # The holder gets it back: from the electronic cash that the bank still owes.
            self.bank.unload(self._reference(), PAN, lost, NOON)
            expected.account += lost
            expected.cash -= lost
            expected.given_back += lost
        if not found.approved:
            return
        assert not lost
        tapped = doing.where is FIELD and found.cid >> 6 == Kind.TC
        match doing.purpose:
            case Purpose.DEPOSIT:
                expected.account += amount
            case Purpose.LOAD:
                expected.account -= amount
                expected.cash += amount
                expected.loaded += amount
            case Purpose.CASH_LOAD:
                expected.cash += amount
                expected.loaded += amount
            case _ if found.cash or tapped:
                expected.cash -= amount
                expected.merchants += amount
            case _:
                expected.account -= amount

    def _remember(self) -> None:
        """The terminal is switched on again. What it asked and knows no end of did not come about,
        unless the card shows that it did."""
        for request in self.line.asked:
            atc = int.from_bytes(parse_elements(request.icc)[tags.ATC])
            assert has_load(self._card(), atc) is False
            self.owed.append(
                Reversal(
                    request.reference,
                    request.trace,
                    request.time,
                    request.amount,
                    request.pan,
                    request.terminal_id,
                    request.merchant_id,
                    "98",
                )
            )
        self.line.asked.clear()

    def settle(self) -> None:
        """Tell the bank what it must still hear, and let late messages arrive."""
        self.owed = list(deliver(self.owed, self.line))
        assert [] == self.owed
        late, self.line.late = self.line.late, []
        for each in late:
            each()

    # Looking

    def watch(self, command: bytes, answer: bytes) -> None:
        """Every answer of the card: its counter only rises, and no cryptogram comes twice."""
        if command[1] not in (0xA8, 0xAE) or answer[-2:] != b"\x90\x00":
            return
        if command[1] == 0xA8:
            atc = state_of(self.chip).atc
            assert atc > self.atc
            self.atc = atc
        (template,) = parse(answer[:-2])
        if template.tag == tags.FORMAT_1:
            found = template.value[3:11] if command[1] == 0xAE else b""
        else:
            item = template.find(tags.AC)
            found = item.value if item else b""
        if found:
            assert found not in self.cryptograms
            self.cryptograms[found] = self.atc, -1

    def cash(self) -> int:
        """What the card says that it has."""
        found = balance(self._card()).balance
        assert found is not None
        return found

    def agree(self) -> None:
        """Everybody agrees on the money."""
        expected, account = self.expected, self.bank.account(PAN)
        for cryptogram, atc, cid in self.line.proven:
            # Told over and over it is the same transaction's.
            known, said = self.cryptograms.setdefault(cryptogram, (atc, cid))
            assert atc == known
            assert said in (-1, cid)
            self.cryptograms[cryptogram] = atc, cid
        self.line.proven.clear()
        assert () == self.bank.audit()
        assert account.balance == expected.account
        assert account.balance >= 0
        assert expected.cash == account.cash == self.cash()
        assert expected.loaded == self.cash() + expected.merchants + expected.given_back
        counted = state_of(self.chip).atc
        assert counted >= self.atc  # more, when the power went before GPO was answered
        self.atc = counted

    def _card(self, where: Interface = CONTACT) -> Card:
        return Card(Slot(self.chip, where, CALM, self.watch))

    def _power_again(self) -> None:
        self.flash = TornFlash(bytes(self.flash.cells))
        self.chip = Chip.boot(self.flash, seeded(8 + next(self._own), TEST_DAY))
