# SPDX-License-Identifier: Apache-2.0
"""What the bank answers with, as values: what was posted, how an account stands, its statement.

Amounts are int fen (分). The money of a customer is what the bank owes: accounts of customers and
of electronic cash are positive, the cash box is the negative of what lies in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum


class Kind(Enum):
    """What an account is for."""

    CUSTOMER = "customer"
    """活期账户: the debit account of a card; never below zero, nor below what is held."""
    CASH_FLOAT = "float"
    """电子现金资金: what the bank holds for the electronic cash of one card; never below zero."""
    CASH = "cash"
    """现金: the boxes of counters and machines."""
    SETTLEMENT = "settlement"
    """商户清算: what is due to merchants."""
    SUSPENSE = "suspense"
    """挂账: what was paid out for electronic cash that no load is known of."""


class State(Enum):
    """Where an account is in its life."""

    INACTIVE = "inactive"
    """未激活: takes deposits, and refuses everything else."""
    ACTIVE = "active"
    """正常."""
    CLOSED = "closed"
    """销户."""


class Operation(Enum):
    """What the journal knows; the first eight move money."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    PURCHASE = "purchase"
    TRANSFER = "transfer"
    LOAD = "load"
    CASH_LOAD = "cash load"
    UNLOAD = "unload"
    """圈提: from the electronic cash back to the account."""
    SETTLEMENT = "settlement"
    """脱机消费入账: an offline purchase with electronic cash is presented."""
    HOLD = "hold"
    """预授权: an amount is put aside."""
    OPEN = "open"
    ACTIVATE = "activate"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    RENEW = "renew"
    """换卡: the same account under a later expiry."""
    CLOSE = "close"
    PASSWORD_CHANGE = "password change"  # noqa: S105 - the name of an operation
    PASSWORD_RESET = "password reset"  # noqa: S105 - the name of an operation
    REVERSAL = "reversal"
    """冲正 of an order that never came."""
    DECLINE = "decline"
    """The issuer refused it for reasons of its own: the reference is spent."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What an order came to. The same order again brings the same value."""

    reference: str
    operation: Operation
    amount: int
    """What was moved; 0 where a reversal found nothing to undo."""
    balance: int
    """账户余额, afterwards."""
    available: int
    """可用余额: the balance less what is held."""
    cash: int
    """What the bank holds for the electronic cash of the card, afterwards."""
    short: int = 0
    """Of a settlement: what the float lacked, and the suspense account bore."""
    again: bool = field(default=False, compare=False)
    """Whether this reference was answered before, and nothing was done now."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """How the account of a card stands."""

    pan: str
    psn: str
    """Sequence number of the card, 2 digits."""
    holder: str = field(repr=False)
    expires: date | None
    state: State
    frozen: bool
    balance: int
    held: int
    cash: int
    pin_tries: int
    """Tries left of the transaction password; 0: blocked, or none set yet."""
    atc: int
    """The highest transaction counter that was seen of the card, 0 before the first."""

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry of an account: `amount` is negative where money left it."""

    reference: str
    operation: Operation
    reversal: bool
    at: datetime
    by: str
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Statement:
    """对账单: the entries of an account from one day to another, both included."""

    pan: str
    since: date
    until: date
    opening: int
    lines: tuple[StatementLine, ...]

    @property
    def closing(self) -> int:
        return self.lines[-1].balance if self.lines else self.opening
