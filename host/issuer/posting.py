# SPDX-License-Identifier: Apache-2.0
"""What each order does to the accounts, and when it is refused: within one transaction.

A function looks first and writes then: once it has written it refuses nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.issuer.accounts import Kind, Operation, Posted, State
from host.issuer.faults import Reason, Refused
from host.issuer.journal import Order, card_of, move, record, rows_of, unuse, use, used
from host.issuer.limits import Limits
from host.issuer.prepared import Prepared, adding
from host.issuer.schema import accounts, cards, holds, journal, moves


class Side(Enum):
    """Whose money moves, seen from the card that an order names."""

    ACCOUNT = "its account"
    PURSE = "the float of its electronic cash"
    TARGET = "the account of the card that a transfer goes to"


WAYS: Final[dict[Operation, tuple[Side | Kind, Side | Kind]]] = {
    Operation.DEPOSIT: (Kind.CASH, Side.ACCOUNT),
    Operation.WITHDRAWAL: (Side.ACCOUNT, Kind.CASH),
    Operation.PURCHASE: (Side.ACCOUNT, Kind.SETTLEMENT),
    Operation.TRANSFER: (Side.ACCOUNT, Side.TARGET),
    Operation.LOAD: (Side.ACCOUNT, Side.PURSE),
    Operation.CASH_LOAD: (Kind.CASH, Side.PURSE),
    Operation.UNLOAD: (Side.PURSE, Side.ACCOUNT),
    Operation.SETTLEMENT: (Side.PURSE, Kind.SETTLEMENT),
}
"""From where to where the amount goes."""


def known(connection: Connection, pan: str) -> Any:
    """The card, or Refused."""
    card = card_of(connection, pan)
    if card is None:
        raise Refused(Reason.UNKNOWN_CARD)
    return card


def check_usable(card: Any, day: str) -> None:
    """Raises Refused unless money may leave: active, not frozen, not expired on that day."""
    if card.state == State.INACTIVE.value:
        raise Refused(Reason.INACTIVE)
    check_open(card)
    if card.frozen:
        raise Refused(Reason.FROZEN)
    if card.expires and day > card.expires:
        raise Refused(Reason.EXPIRED)


def check_open(card: Any) -> None:
    """Raises Refused when the account is closed."""
    if card.state == State.CLOSED.value:
        raise Refused(Reason.CLOSED)


def standing(card: Any, asked: Order, own: int = 0, cash: int = 0) -> Posted:
    """The answer to an order after which the account has `own` more, the float `cash` more."""
    balance = card.balance + own
    return Posted(
        asked.reference,
        asked.operation,
        asked.amount,
        balance,
        balance - card.held,
        card.cash + cash,
    )


def post(connection: Connection, house: Mapping[Kind, int], limits: Limits, asked: Order) -> Posted:
    """Move the money of a deposit, withdrawal, purchase, transfer, load or unload."""
    card = known(connection, asked.pan)
    if asked.operation is Operation.DEPOSIT:
        # 存款: whatever state the account is in, but for a closed one.
        check_open(card)
    else:
        check_usable(card, asked.day)
    payer, payee = WAYS[asked.operation]
    numbers: dict[Side | Kind, int] = {kind: number for kind, number in house.items()}
    numbers |= {Side.ACCOUNT: card.account, Side.PURSE: card.cash_account}
    if payee is Side.TARGET:
        target = _target(connection, asked)
        numbers[Side.TARGET] = target.account
        _check_room(target.balance, asked.amount)
    daily = limits.of(asked.operation)
    before = None
    if daily is not None:
        before = used(connection, asked)
        daily.check(*(before or (0, 0)), asked.amount)
    sides = {Side.ACCOUNT: card.balance, Side.PURSE: card.cash}
    free = {Side.ACCOUNT: card.balance - card.held, Side.PURSE: card.cash}
    if isinstance(payer, Side) and free[payer] < asked.amount:
        raise Refused(Reason.NO_FUNDS)
    if payee in sides:
        _check_room(sides[payee], asked.amount)
    own, cash = (
        asked.amount * ((payee is side) - (payer is side)) for side in (Side.ACCOUNT, Side.PURSE)
    )
    done = standing(card, asked, own, cash)
    number = record(connection, asked, done)
    move(connection, number, numbers[payer], numbers[payee], asked.amount)
    if daily is not None:
        use(connection, asked, before)
    return done


def _target(connection: Connection, asked: Order) -> Any:
    """What a transfer goes to: any account that is not closed, for there it is a deposit."""
    target = known(connection, asked.content)
    check_open(target)
    if target.pan == asked.pan:
        raise Refused(Reason.INVALID)
    return target


def _check_room(balance: int, amount: int) -> None:
    if balance + amount > LARGEST_AMOUNT:
        raise Refused(Reason.TOO_MUCH)


_HIGHER: Final = Prepared(
    update(cards)
    .where(cards.c.pan == bindparam("of"), cards.c.atc < bindparam("number"))
    .values(atc=bindparam("number"))
    .returning(cards.c.atc)
)


def raise_counter(connection: Connection, pan: str, atc: int) -> bool:
    """Keep a card's transaction counter as the highest seen; False when it is not higher."""
    return bool(_HIGHER(connection, of=pan, number=atc))


_SETTLED: Final = Prepared(
    select(journal.c.id).where(
        journal.c.pan == bindparam("of"),
        journal.c.atc == bindparam("number"),
        journal.c.refused == "",
    )
)


def settle(
    connection: Connection, house: Mapping[Kind, int], asked: Order, side: Side = Side.PURSE
) -> Posted:
    """Pay a merchant for an offline purchase, whatever state the account is in.

    The bank owes it for every good cryptogram: what the float lacks, or the account for a purchase
    that was not with electronic cash (`side`), the suspense account bears.
    """
    card = known(connection, asked.pan)
    if _SETTLED(connection, of=asked.pan, number=asked.atc):
        raise Refused(Reason.SETTLED)
    if side is Side.PURSE:
        covered, payer = min(card.cash, asked.amount), card.cash_account
        done = standing(card, asked, cash=-covered)
    else:
        covered, payer = min(card.balance - card.held, asked.amount), card.account
        done = standing(card, asked, own=-covered)
    done = replace(done, short=asked.amount - covered)
    number = record(connection, asked, done)
    due = house[Kind.SETTLEMENT]
    if covered:
        move(connection, number, payer, due, covered)
    if done.short:
        move(connection, number, house[Kind.SUSPENSE], due, done.short)
    return done


# Holds

_ASIDE: Final = Prepared(adding(holds, "reference", "account", "amount"))
_NO_MORE: Final = Prepared(delete(holds).where(holds.c.reference == bindparam("of")))
_HELD: Final = Prepared(
    update(accounts)
    .where(accounts.c.id == bindparam("of"))
    .values(held=accounts.c.held + bindparam("more"))
)


def hold(connection: Connection, asked: Order) -> Posted:
    """Put an amount aside."""
    card = known(connection, asked.pan)
    check_usable(card, asked.day)
    if card.balance - card.held < asked.amount:
        raise Refused(Reason.NO_FUNDS)
    done = standing(card, asked)
    done = replace(done, available=done.available - asked.amount)
    record(connection, asked, done)
    _ASIDE(connection, reference=asked.reference, account=card.account, amount=asked.amount)
    _HELD(connection, of=card.account, more=asked.amount)
    return done


def _release(connection: Connection, card: Any, asked: Order) -> None:
    _NO_MORE(connection, of=asked.reference)
    _HELD(connection, of=card.account, more=-asked.amount)


# Reversals

_MOVED: Final = Prepared(
    select(
        moves.c.payer,
        moves.c.payee,
        moves.c.amount,
        accounts.c.kind,
        accounts.c.balance,
        accounts.c.held,
    )
    .join(accounts, accounts.c.id == moves.c.payee)
    .where(moves.c.journal == bindparam("of"))
)
_CUSTOMERS: Final = (Kind.CUSTOMER.value, Kind.CASH_FLOAT.value)
REVERSIBLE: Final = frozenset(WAYS) - {Operation.SETTLEMENT} | {Operation.HOLD}


def undo(connection: Connection, asked: Order) -> Posted:
    """Undo what was done under the reference, in whatever state the account is now.

    What was refused, or never came, leaves nothing to undo; the reversal is kept all the same,
    so that an order that comes after it is refused. An order of another card or amount is not the
    original; money that was spent meanwhile cannot be taken back.
    """
    original, _ = rows_of(connection, asked.reference)
    if original is not None:
        declined = original.operation == Operation.DECLINE.value
        if original.pan != asked.pan or not (declined or original.asked == asked.amount):
            raise Refused(Reason.NO_ORIGINAL)
    if original is None or original.refused:
        # Of a card that is not known here nothing is kept: it could never be posted.
        done = replace(standing(known(connection, asked.pan), asked), amount=0)
        record(connection, asked, done)
        return done
    asked = replace(asked, operation=Operation(original.operation), content=original.content)
    if asked.operation not in REVERSIBLE:
        raise Refused(Reason.INVALID)
    card = known(connection, asked.pan)
    if asked.operation is Operation.HOLD:
        done = standing(card, asked)
        done = replace(done, available=done.available + asked.amount)
        record(connection, asked, done)
        _release(connection, card, asked)
        return done
    return _move_back(connection, card, asked, original)


def _move_back(connection: Connection, card: Any, asked: Order, original: Any) -> Posted:
    own = cash = 0
    moved = _MOVED(connection, of=original.id)
    for each in moved:
        if each.kind in _CUSTOMERS and each.balance - each.held < each.amount:
            raise Refused(Reason.NO_FUNDS)
        own += each.amount * ((each.payer == card.account) - (each.payee == card.account))
        cash += each.amount * (
            (each.payer == card.cash_account) - (each.payee == card.cash_account)
        )
    _check_room(card.balance, own)
    done = standing(card, asked, own, cash)
    number = record(connection, asked, done)
    for each in moved:
        move(connection, number, each.payee, each.payer, each.amount)
    unuse(connection, original)
    return done
