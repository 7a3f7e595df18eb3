# SPDX-License-Identifier: Apache-2.0
"""The audit (审计): whether the store says of itself what must be true of every ledger."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Integer, column, func, select, table

from host.issuer.accounts import Kind
from host.issuer.posting import WAYS
from host.issuer.schema import accounts, cards, holds, journal, moves

_entries = table("entries", column("journal"), column("account"), column("amount", Integer))
_OWED = (Kind.CUSTOMER.value, Kind.CASH_FLOAT.value)


def findings(connection: Connection) -> tuple[str, ...]:
    """A sentence for each account or reference that is not as it must be; it names no holder."""
    return tuple(_findings(connection))


def _findings(connection: Connection) -> Iterator[str]:
    total = connection.execute(select(func.coalesce(func.sum(_entries.c.amount), 0))).scalar_one()
    if total:
        yield f"the sum of all entries is {total}, not 0"
    total = connection.execute(select(func.coalesce(func.sum(accounts.c.balance), 0))).scalar_one()
    if total:
        yield f"the sum of all balances is {total}, not 0"
    yield from _balances(connection)
    yield from _journal(connection)


def _balances(connection: Connection) -> Iterator[str]:
    entered = (
        select(_entries.c.account, func.sum(_entries.c.amount).label("amount"))
        .group_by(_entries.c.account)
        .subquery()
    )
    held = (
        select(holds.c.account, func.sum(holds.c.amount).label("amount"))
        .group_by(holds.c.account)
        .subquery()
    )
    rows = connection.execute(
        select(
            accounts,
            func.coalesce(entered.c.amount, 0).label("entered"),
            func.coalesce(held.c.amount, 0).label("aside"),
            func.count(cards.c.pan).label("owners"),
        )
        .outerjoin(entered, entered.c.account == accounts.c.id)
        .outerjoin(held, held.c.account == accounts.c.id)
        .outerjoin(
            cards, (cards.c.account == accounts.c.id) | (cards.c.cash_account == accounts.c.id)
        )
        .group_by(accounts.c.id, entered.c.amount, held.c.amount)
        .order_by(accounts.c.id)
    )
    for row in rows:
        name = f"account {row.id} ({row.kind})"
        if row.balance != row.entered:
            yield f"{name}: the balance is {row.balance}, its entries make {row.entered}"
        if row.held != row.aside:
            yield f"{name}: {row.held} are held, its holds make {row.aside}"
        if row.kind in _OWED and not 0 <= row.held <= row.balance:
            yield f"{name}: the balance is {row.balance}, of which {row.held} are held"
        if row.owners != (row.kind in _OWED):
            yield f"{name}: belongs to {row.owners} cards"


def _journal(connection: Connection) -> Iterator[str]:
    """What the journal says was moved, and what its moves are."""
    moved = (
        select(moves.c.journal, func.sum(moves.c.amount).label("amount"))
        .group_by(moves.c.journal)
        .subquery()
    )
    rows = connection.execute(
        select(journal, func.coalesce(moved.c.amount, 0).label("moved"))
        .outerjoin(moved, moved.c.journal == journal.c.id)
        .order_by(journal.c.id)
    )
    ways = {operation.value for operation in WAYS}
    refused: dict[str, bool] = {}
    for row in rows:
        expected = row.amount if row.operation in ways else 0
        if row.moved != expected:
            yield f"reference {row.reference}: {row.moved} moved, must be {expected}"
        if row.refused and row.amount:
            yield f"reference {row.reference}: refused, and yet it has an amount"
        if row.reversal and row.amount and refused.get(row.reference, True):
            yield f"reference {row.reference}: reversed, but there is no original"
        if not row.reversal:
            refused[row.reference] = bool(row.refused)
