# SPDX-License-Identifier: Apache-2.0
"""The journal: each reference is answered once, and what it was answered is found again.

Functions here work within a transaction that their caller holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from apdu.errors import FormatError
from apdu.wire.digits import check_pan
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.issuer.accounts import Operation, Posted
from host.issuer.faults import Reason, Refused
from host.issuer.prepared import Prepared, adding
from host.issuer.schema import accounts, cards, journal, moves, usage

REFERENCE: Final = 12
LARGEST_ATC: Final = 0xFFFF
BY: Final = 64
"""Characters of who or what asked, at most."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the bank, checked: its reference, and all that makes it what it is."""

    operation: Operation
    reference: str
    pan: str
    at: str
    by: str = ""
    amount: int = 0
    content: str = ""
    """What else makes the order: the card that a transfer goes to, what an account is opened
    with."""
    atc: int | None = None
    reversal: bool = False

    @property
    def day(self) -> str:
        """Of the bank: YYYY-MM-DD."""
        return self.at[:10]

    @property
    def cards(self) -> tuple[str, ...]:
        """Whose accounts it may change."""
        return (self.pan, self.content) if self.operation is Operation.TRANSFER else (self.pan,)


def order(
    operation: Operation,
    reference: str,
    pan: str,
    at: datetime,
    by: str,
    amount: int | None = None,
    **more: Any,
) -> Order:
    """An order, or FormatError naming the field. `amount`: None where none belongs."""
    check_reference(reference)
    check_pan(pan)
    if len(by) > BY or not by.isprintable():
        raise FormatError(f"by: must be at most {BY} characters that can be printed")
    if amount is not None:
        check_amount(amount)
    return Order(operation, reference, pan, moment(at), by, amount or 0, **more)


def check_reference(reference: str) -> str:
    """The reference number, when it is 12 digits, or FormatError."""
    if not (len(reference) == REFERENCE and reference.isascii() and reference.isdecimal()):
        raise FormatError(f"reference: must be {REFERENCE} digits")
    return reference


def check_amount(amount: int) -> int:
    """The amount, when it is whole fen from 1 to 12 digits, or FormatError."""
    if type(amount) is not int or not 1 <= amount <= LARGEST_AMOUNT:
        raise FormatError(f"amount: must be 1 to {LARGEST_AMOUNT} fen")
    return amount


def check_atc(atc: int) -> int:
    """A card's transaction counter, when it is 1 to 65535, or FormatError."""
    if type(atc) is not int or not 1 <= atc <= LARGEST_ATC:
        raise FormatError(f"ATC: must be 1 to {LARGEST_ATC}")
    return atc


def moment(at: datetime) -> str:
    """A time of the bank's own, as the store has it. Raises FormatError when it has a zone."""
    if at.tzinfo is not None:
        raise FormatError("at: must be the bank's own time, without a zone")
    return at.isoformat(timespec="seconds")


# What was answered

_FIND: Final = Prepared(select(journal).where(journal.c.reference == bindparam("of")))


def rows_of(connection: Connection, reference: str) -> tuple[Any, Any]:
    """The rows of a reference: the order itself, and its reversal."""
    original = undone = None
    for row in _FIND(connection, of=reference):
        if row.reversal:
            undone = row
        else:
            original = row
    return original, undone


def replayed(asked: Order, row: Any) -> Posted:
    """The first answer to this order. Raises Refused when that was no, or when the reference
    stands for something else."""
    if row.operation == Operation.DECLINE.value:
        raise Refused(Reason[row.refused])
    if asked.reversal:
        same = (row.pan, row.asked) == (asked.pan, asked.amount)
    else:
        found = (row.operation, row.pan, row.content, row.asked, row.atc)
        wanted = (asked.operation.value, asked.pan, asked.content, asked.amount, asked.atc)
        same = found == wanted
    if not same:
        raise Refused(Reason.DUPLICATE)
    answer = recalled(row)
    if isinstance(answer, Refused):
        raise answer
    return answer


def recalled(row: Any) -> Posted | Refused:
    """What an order was answered."""
    if row.refused:
        return Refused(Reason[row.refused])
    return Posted(
        row.reference,
        Operation(row.operation),
        row.amount,
        row.balance,
        row.available,
        row.cash,
        row.short,
        again=True,
    )


_COLUMNS: Final = [name for name in journal.c.keys() if name != "id"]
_RECORD: Final = Prepared(adding(journal, *_COLUMNS).returning(journal.c.id))


def record(connection: Connection, asked: Order, done: Posted | Refused) -> int:
    """Write down what an order came to; the number of its row."""
    values: dict[str, Any] = {
        "reference": asked.reference,
        "reversal": int(asked.reversal),
        "operation": asked.operation.value,
        "pan": asked.pan,
        "content": asked.content,
        "asked": asked.amount,
        "atc": asked.atc,
        "at": asked.at,
        "by": asked.by,
        "refused": "",
        "amount": 0,
        "balance": 0,
        "available": 0,
        "cash": 0,
        "short": 0,
    }
    if isinstance(done, Refused):
        values["refused"] = done.reason.name
    else:
        for name in ("amount", "balance", "available", "cash", "short"):
            values[name] = getattr(done, name)
    return int(_RECORD.one(connection, **values).id)


# Cards and money

_own = accounts.alias("own")
_purse = accounts.alias("purse")
_CARD: Final = Prepared(
    select(
        cards,
        _own.c.balance,
        _own.c.held,
        _purse.c.balance.label("cash"),
    )
    .join(_own, cards.c.account == _own.c.id)
    .join(_purse, cards.c.cash_account == _purse.c.id)
    .where(cards.c.pan == bindparam("of"))
)
_LOCK: Final = Prepared(select(cards.c.pan).where(cards.c.pan == bindparam("of")).with_for_update())


def lock(connection: Connection, asked: Order) -> None:
    """Have the cards of an order for oneself; in one order, or two might wait for each other."""
    for pan in sorted(asked.cards):
        _LOCK(connection, of=pan)


def card_of(connection: Connection, pan: str) -> Any:
    """A card with the balances of its two accounts."""
    return _CARD.one(connection, of=pan)


_MOVE: Final = Prepared(adding(moves, "journal", "payer", "payee", "amount"))


def move(connection: Connection, number: int, payer: int, payee: int, amount: int) -> None:
    """Take an amount from one account and give it to another, under a row of the journal."""
    _MOVE(connection, journal=number, payer=payer, payee=payee, amount=amount)


# What was had in a day

_DAY: Final = (
    usage.c.pan == bindparam("of"),
    usage.c.day == bindparam("on"),
    usage.c.operation == bindparam("doing"),
)
_USED: Final = Prepared(select(usage.c.total, usage.c.times).where(*_DAY))
_FIRST: Final = Prepared(adding(usage, "pan", "day", "operation", "total", "times"))
_MORE: Final = Prepared(
    update(usage)
    .where(*_DAY)
    .values(total=usage.c.total + bindparam("more"), times=usage.c.times + bindparam("often"))
)


def used(connection: Connection, asked: Order) -> tuple[int, int] | None:
    """Fen and times that an operation was done on the day of the order; None: never."""
    row = _USED.one(connection, of=asked.pan, on=asked.day, doing=asked.operation.value)
    return None if row is None else (int(row.total), int(row.times))


def use(connection: Connection, asked: Order, before: tuple[int, int] | None) -> None:
    """Count one more; `before`: what `used` said."""
    pan, day, doing = asked.pan, asked.day, asked.operation.value
    if before is None:
        _FIRST(connection, pan=pan, day=day, operation=doing, total=asked.amount, times=1)
    else:
        _MORE(connection, of=pan, on=day, doing=doing, more=asked.amount, often=1)


def unuse(connection: Connection, original: Any) -> None:
    """Count one less, on the day of what is reversed."""
    day, doing = original.at[:10], original.operation
    _MORE(connection, of=original.pan, on=day, doing=doing, more=-original.amount, often=-1)
