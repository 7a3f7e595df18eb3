# SPDX-License-Identifier: Apache-2.0
"""Statements of account (对账单), from the journal and its entries."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Row, case, func, or_, select

from host.issuer.accounts import Operation, Statement, StatementLine
from host.issuer.schema import journal, moves


def statement_of(connection: Connection, card: Row[Any], since: date, until: date) -> Statement:
    """The entries of a card's account from `since` to the end of `until`, in order of time."""
    account = card.account
    signed = case((moves.c.payee == account, moves.c.amount), else_=-moves.c.amount)
    own = or_(moves.c.payee == account, moves.c.payer == account)
    joined = moves.join(journal, moves.c.journal == journal.c.id)
    first, after = since.isoformat(), (until + timedelta(days=1)).isoformat()
    opening = int(
        connection.execute(
            select(func.coalesce(func.sum(signed), 0))
            .select_from(joined)
            .where(own, journal.c.at < first)
        ).scalar_one()
    )
    rows = connection.execute(
        select(journal, signed.label("signed"))
        .select_from(joined)
        .where(own, journal.c.at >= first, journal.c.at < after)
        .order_by(journal.c.at, moves.c.id)
    ).all()
    balances = accumulate((row.signed for row in rows), initial=opening)
    next(balances)
    lines = tuple(
        StatementLine(
            row.reference,
            Operation(row.operation),
            bool(row.reversal),
            datetime.fromisoformat(row.at),
            row.by,
            row.signed,
            balance,
        )
        for row, balance in zip(rows, balances, strict=True)
    )
    return Statement(card.pan, since, until, opening, lines)
