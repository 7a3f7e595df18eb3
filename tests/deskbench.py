# SPDX-License-Identifier: Apache-2.0
"""A desk for payments from the command line: images of cards, a bank's books, a fixed day.

desk = Desk(tmp_path)                       # the working directory is to be tmp_path
card = desk.card()                          # an image, its account open, active and with money
desk.pay(card, "12.34")["outcome"]          # what the command said, as JSON
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from commandline import sscard

from card_os import image
from card_os.chip import Chip
from host.cli import orders
from host.cli.banks import issuer_keys
from host.cli.testcard import issue_test_card

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from host.issuer.accounts import AccountView
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank

PASSWORD: Final = "271828"  # noqa: S105 - of accounts for tests
CARD_PIN: Final = "123456"
"""The offline PIN of the shipped profiles but the published one."""
NOON: Final = datetime(2026, 3, 2, 12, 0, 0)


@cache
def _bytes_of(profile: str) -> bytes:
    return bytes(issue_test_card(bank=profile)._flash.cells)


def save(chip: Chip, path: Path) -> Path:
    """A chip of memory as an image."""
    image.save(path, chip._flash.cells)
    return path


@dataclass
class Desk:
    """A directory in which commands are called; its books are `bank.db`."""

    directory: Path

    def image(self, profile: str = "rsa-1152", name: str = "card.img") -> Path:
        """A card without an account."""
        path = self.directory / name
        image.save(path, memoryview(_bytes_of(profile)))
        return path

    def card(self, profile: str = "rsa-1152", yuan: str = "1000", name: str = "card.img") -> Path:
        """A card whose holder has activated the account and paid money in."""
        card = self.image(profile, name)
        self.said("bank", "open", "--card", card)
        self.said("bank", "activate", "--card", card, stdin=f"{PASSWORD}\n{PASSWORD}\n")
        self.said("bank", "deposit", "--card", card, "--amount", yuan)
        return card

    def said(self, *words: object, stdin: str | None = None, status: int = 0) -> dict[str, Any]:
        """What a command says with --json."""
        result = sscard(*words, "--json", stdin=stdin)
        assert status == result.exit_code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def pay(self, card: Path, yuan: str, *more: object, **how: Any) -> dict[str, Any]:
        return self.said("pay", "--card", card, "--amount", yuan, *more, **how)

    def load(self, card: Path, yuan: str, *more: object, **how: Any) -> dict[str, Any]:
        return self.said("load", "--card", card, "--amount", yuan, *more, **how)

    def cash(self, card: Path) -> int:
        """The electronic cash that the card tells of, in fen."""
        found = self.said("balance", "--card", card)["electronic_cash"]["balance"]
        assert isinstance(found, int)
        return found

    def pan(self, card: Path) -> str:
        """The whole number of the card's account."""
        found = self.said("bank", "statement", "--card", card)["pan"]
        assert isinstance(found, str)
        return found

    def account(self, pan: str) -> AccountView:
        """How the account stands in the books, which are found to be in order."""
        bank = Bank(str(self.directory / "bank.db"))
        try:
            assert () == bank.audit()
            return bank.account(pan)
        finally:
            bank.ledger.close()

    def host(self) -> IssuerHost:
        return IssuerHost(Bank(str(self.directory / "bank.db")), issuer_keys())

    @property
    def waiting(self) -> list[str]:
        """The files in the outbox."""
        return sorted(path.name for path in (self.directory / "outbox").glob("*"))


def on_a_fixed_day(directory: Path, patch: pytest.MonkeyPatch) -> Desk:
    """A desk in its own working directory, at noon."""
    patch.chdir(directory)
    patch.setattr(orders, "now", lambda: NOON)
    return Desk(directory)


def steps(said: dict[str, Any], step: str) -> list[tuple[str, str]]:
    """What was decided in a step of the trail, and why."""
    return [(each["outcome"], each["why"]) for each in said["trail"] if each["step"] == step]
