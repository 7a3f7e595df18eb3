# SPDX-License-Identifier: Apache-2.0
"""The journal: each reference is answered once, and what it was answered is found again.

Functions here work within a transaction that their caller holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from apdu.errors import FormatError
from apdu.wire.digits import check_pan
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.issuer.accounts import Operation, Posted
from host.issuer.faults import Reason, Refused
from host.issuer.schema import accounts, cards, journal, moves, usage

REFERENCE: Final = 12
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


def moment(at: datetime) -> str:
    """A time of the bank's own, as the store has it. Raises FormatError when it has a zone."""
    if at.tzinfo is not None:
        raise FormatError("at: must be the bank's own time, without a zone")
    return at.isoformat(timespec="seconds")


# What was answered

_FIND: Final = select(journal).where(journal.c.reference == bindparam("of"))


def rows_of(connection: Connection, reference: str) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The rows of a reference: the order itself, and its reversal."""
    original = undone = None
    for row in connection.execute(_FIND, {"of": reference}):
        if row.reversal:
            undone = row
        else:
            original = row
    return original, undone


def replayed(asked: Order, row: Row[Any]) -> Posted:
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


def recalled(row: Row[Any]) -> Posted | Refused:
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


_RECORD: Final = insert(journal).returning(journal.c.id)


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
    return int(connection.execute(_RECORD, values).scalar_one())


# Cards and money

_own = accounts.alias("own")
_purse = accounts.alias("purse")
_CARD: Final = (
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
LOCK: Final = (
    select(cards.c.pan)
    .where(cards.c.pan.in_(bindparam("of", expanding=True)))
    .order_by(cards.c.pan)
    .with_for_update()
)
"""In one order, so that no two transactions wait for each other."""


def card_of(connection: Connection, pan: str) -> Row[Any] | None:
    """A card with the balances of its two accounts."""
    return connection.execute(_CARD, {"of": pan}).one_or_none()


_MOVE: Final = insert(moves)


def move(connection: Connection, number: int, payer: int, payee: int, amount: int) -> None:
    """Take an amount from one account and give it to another, under a row of the journal."""
    connection.execute(_MOVE, {"journal": number, "payer": payer, "payee": payee, "amount": amount})


# What was had in a day

_USED: Final = select(usage.c.total, usage.c.times).where(
    usage.c.pan == bindparam("of"),
    usage.c.day == bindparam("on"),
    usage.c.operation == bindparam("doing"),
)
_USE: Final = (
    update(usage)
    .where(
        usage.c.pan == bindparam("of"),
        usage.c.day == bindparam("on"),
        usage.c.operation == bindparam("doing"),
    )
    .values(total=usage.c.total + bindparam("more"), times=usage.c.times + bindparam("often"))
)


def used(connection: Connection, asked: Order) -> tuple[int, int] | None:
    """Fen and times that an operation was done on the day of the order; None: never."""
    of = {"of": asked.pan, "on": asked.day, "doing": asked.operation.value}
    row = connection.execute(_USED, of).one_or_none()
    return None if row is None else (int(row[0]), int(row[1]))


def use(connection: Connection, asked: Order, before: tuple[int, int] | None) -> None:
    """Count one more."""
    day = {"pan": asked.pan, "day": asked.day, "operation": asked.operation.value}
    if before is None:
        connection.execute(insert(usage).values(**day, total=asked.amount, times=1))
    else:
        _count(connection, asked.pan, asked.day, asked.operation.value, asked.amount, 1)


def unuse(connection: Connection, original: Row[Any]) -> None:
    """Count one less, on the day of what is reversed."""
    day = original.at[:10]
    _count(connection, original.pan, day, original.operation, -original.amount, -1)


def _count(
    connection: Connection, pan: str, day: str, operation: str, more: int, often: int
) -> None:
    which = {"of": pan, "on": day, "doing": operation}
    connection.execute(_USE, which | {"more": more, "often": often})
