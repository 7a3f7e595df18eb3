# SPDX-License-Identifier: Apache-2.0
"""The tables of the bank's store. Only this file and its neighbours of the store know SQLAlchemy.

Double entry by construction: a row of `moves` takes an amount from one account and gives it to
another, so it *is* both entries, and none can be written without the other; the view `entries`
shows them one by one. Triggers, and nothing else, carry moves into the balances and refuse every
change of a move; checks keep customers' accounts from going below zero. Times are text, ISO 8601
to the second without a zone, days their first ten characters; amounts are whole fen.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    event,
    text,
)

from apdu.wire.pboc.amounts import LARGEST_AMOUNT

VERSION: Final = 1
"""Of this layout. A store of another one is refused."""

TABLES: Final = MetaData()
_Number = BigInteger().with_variant(Integer, "sqlite")
layout = Table("layout", TABLES, Column("version", Integer, primary_key=True), sqlite_strict=True)

accounts = Table(
    "accounts",
    TABLES,
    Column("id", _Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("balance", _Number, nullable=False, server_default="0"),
    Column("held", _Number, nullable=False, server_default="0"),
    CheckConstraint("kind IN ('customer', 'float', 'cash', 'settlement', 'suspense')", "kinds"),
    CheckConstraint(
        "kind NOT IN ('customer', 'float')"
        f" OR (held >= 0 AND balance >= held AND balance <= {LARGEST_AMOUNT})",
        "no_overdraft",
    ),
    sqlite_strict=True,
)

cards = Table(
    "cards",
    TABLES,
    Column("pan", Text, primary_key=True),
    Column("psn", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("frozen", Integer, nullable=False, server_default="0"),
    Column("account", _Number, ForeignKey(accounts.c.id), nullable=False, unique=True),
    Column("cash_account", _Number, ForeignKey(accounts.c.id), nullable=False, unique=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("pvv", Text, nullable=False, server_default=""),
    Column("pin_offset", Text, nullable=False, server_default=""),
    Column("atc", Integer, nullable=False, server_default="0"),
    CheckConstraint("state IN ('inactive', 'active', 'closed')", "states"),
    CheckConstraint("tries >= 0", "tries_left"),
    sqlite_strict=True,
)
"""`expires`: the last day, or an empty text. `tries`: of the password, paid before it is looked
at."""

_TAKEN: Final = text("refused = ''")
journal = Table(
    "journal",
    TABLES,
    Column("id", _Number, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("reversal", Integer, nullable=False),
    Column("operation", Text, nullable=False),
    Column("pan", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("asked", _Number, nullable=False),
    Column("atc", Integer),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("refused", Text, nullable=False),
    Column("amount", _Number, nullable=False),
    Column("balance", _Number, nullable=False),
    Column("available", _Number, nullable=False),
    Column("cash", _Number, nullable=False),
    Column("short", _Number, nullable=False),
    CheckConstraint("length(reference) = 12", "reference_of_12"),
    Index("journal_reference", "reference", "reversal", unique=True),
    Index(
        "journal_settled",
        "pan",
        "atc",
        unique=True,
        sqlite_where=_TAKEN,
        postgresql_where=_TAKEN,
    ),
    sqlite_strict=True,
)
"""Everything that was asked, once: who, where, when, which card, and what came of it. A reference
has at most two rows, the order itself and its reversal. `refused`: the name of the reason, or an
empty text. `atc`: of an offline purchase, which is taken once."""

moves = Table(
    "moves",
    TABLES,
    Column("id", _Number, primary_key=True),
    Column("journal", _Number, ForeignKey(journal.c.id), nullable=False, index=True),
    Column("payer", _Number, ForeignKey(accounts.c.id), nullable=False, index=True),
    Column("payee", _Number, ForeignKey(accounts.c.id), nullable=False, index=True),
    Column("amount", _Number, nullable=False),
    CheckConstraint("amount > 0", "something_moves"),
    CheckConstraint("payer <> payee", "two_accounts"),
    sqlite_strict=True,
)

holds = Table(
    "holds",
    TABLES,
    Column("reference", Text, primary_key=True),
    Column("account", _Number, ForeignKey(accounts.c.id), nullable=False, index=True),
    Column("amount", _Number, nullable=False),
    CheckConstraint("amount > 0", "something_is_held"),
    sqlite_strict=True,
)
"""What is put aside and not yet released."""

usage = Table(
    "usage",
    TABLES,
    Column("pan", Text, ForeignKey(cards.c.pan), primary_key=True),
    Column("day", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("times", Integer, nullable=False),
    Column("total", _Number, nullable=False),
    sqlite_strict=True,
)
"""How much and how often, by day: what daily limits are held against."""

queue = Table(
    "queue",
    TABLES,
    Column("id", _Number, primary_key=True),
    Column("pan", Text, ForeignKey(cards.c.pan), nullable=False, index=True),
    Column("content", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    sqlite_strict=True,
)
"""What is to be sent to a card when it next comes online. `outcome`: empty while it waits."""


# What the dialects say differently

_SQLITE: Final = (
    "CREATE TRIGGER moves_post AFTER INSERT ON moves BEGIN"
    " UPDATE accounts SET balance = balance - NEW.amount WHERE id = NEW.payer;"
    " UPDATE accounts SET balance = balance + NEW.amount WHERE id = NEW.payee;"
    " END",
    "CREATE TRIGGER moves_stay BEFORE UPDATE ON moves BEGIN"
    " SELECT RAISE(ABORT, 'moves are never changed'); END",
    "CREATE TRIGGER moves_remain BEFORE DELETE ON moves BEGIN"
    " SELECT RAISE(ABORT, 'moves are never deleted'); END",
)
_POSTGRESQL: Final = (
    "CREATE FUNCTION post_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " UPDATE accounts SET balance = balance - NEW.amount WHERE id = NEW.payer;"
    " UPDATE accounts SET balance = balance + NEW.amount WHERE id = NEW.payee;"
    " RETURN NULL; END $$",
    "CREATE TRIGGER moves_post AFTER INSERT ON moves FOR EACH ROW EXECUTE FUNCTION post_move()",
    "CREATE FUNCTION keep_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'moves are never changed'; END $$",
    "CREATE TRIGGER moves_stay BEFORE UPDATE OR DELETE ON moves"
    " FOR EACH ROW EXECUTE FUNCTION keep_move()",
)
_ENTRIES: Final = (
    "CREATE VIEW entries AS"
    " SELECT journal, payee AS account, amount FROM moves"
    " UNION ALL SELECT journal, payer, -amount FROM moves"
)

for _dialect, _statements in ("sqlite", _SQLITE), ("postgresql", _POSTGRESQL):
    for _statement in _statements:
        _made = DDL(_statement).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call]
        event.listen(moves, "after_create", _made)
event.listen(moves, "after_create", DDL(_ENTRIES))  # type: ignore[no-untyped-call]
