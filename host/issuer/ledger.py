# SPDX-License-Identifier: Apache-2.0
"""The bank's store and its transactions: SQLite in a file or in memory, PostgreSQL by URL.

SQLite runs in WAL mode, and whoever writes takes the store at once (BEGIN IMMEDIATE), so that two
processes never work on the same old balance. With `synchronous=NORMAL` a transaction that was
answered survives the end of the process whatever way it comes, but a power cut of the whole
machine may take back the last ones (never half of one, never the ledger's sum); `durable=True`
waits for the disk at each of them. PostgreSQL locks the cards a transaction is about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

try:
    from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
    from sqlalchemy.exc import TimeoutError as PoolTimeout
    from sqlalchemy.pool import QueuePool
except ImportError as missing:
    from host.issuer.faults import BankUnavailable

    raise BankUnavailable(
        "the bank's ledger needs SQLAlchemy: pip install 'sscard[bank]'"
    ) from missing

from host.issuer.accounts import Kind
from host.issuer.faults import BankUnavailable
from host.issuer.schema import TABLES, VERSION, accounts, layout

HOUSE: Final = (Kind.CASH, Kind.SETTLEMENT, Kind.SUSPENSE)
"""The bank's own accounts, one of each."""
IN_MEMORY: Final = "sqlite://"
_READING: Final = "sscard_reading"


class Ledger:
    """An open store. Threads may share it; each transaction has a connection to itself."""

    def __init__(self, url: str = IN_MEMORY, *, durable: bool = False, wait: float = 5.0) -> None:
        """Open a store, and make it where there is none.

        `url`: of SQLAlchemy, or the path of an SQLite file, which is made for its owner alone.
        `wait`: seconds until a store that others keep busy is given up. Raises BankUnavailable.
        """
        self.engine = _engine(url, durable, wait)
        driver: Any = self.engine.dialect.loaded_dbapi
        self.broken_rule: Final[type[Exception]] = driver.IntegrityError
        """What the driver raises when a constraint is not met."""
        self.locks_rows: Final = self.engine.dialect.name != "sqlite"
        """Whether rows are locked one by one; SQLite is locked as a whole."""
        with self.writing() as connection:
            self.house: Final = _prepare(connection)
            """The numbers of the bank's own accounts."""

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or, when anything is raised, nothing."""
        with self._known_failures(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees the store as it was at one moment."""
        with self._known_failures(), self.engine.connect() as connection:
            calm = connection.execution_options(**{_READING: True})
            if self.locks_rows:
                calm = calm.execution_options(isolation_level="REPEATABLE READ")
            with calm.begin():
                yield calm

    @contextmanager
    def _known_failures(self) -> Iterator[None]:
        """Failures of the store become BankUnavailable; a broken rule of the ledger, a bug or
        another connection that was first, surfaces as the driver says it."""
        driver: Any = self.engine.dialect.loaded_dbapi
        surface = (driver.IntegrityError, driver.ProgrammingError, driver.DataError)
        try:
            yield
        except PoolTimeout as error:
            raise _failed(error) from error
        except (DBAPIError, driver.Error) as error:
            own = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(own, surface):
                raise own from None
            raise _failed(own) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _failed(error: BaseException | None) -> BankUnavailable:
    return BankUnavailable(f"the bank's store failed ({type(error).__name__})")


def _engine(url: str, durable: bool, wait: float) -> Engine:
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, durable, wait)
        return create_engine(parsed, hide_parameters=True, pool_timeout=wait, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise BankUnavailable("the bank's store: no such database, or no driver for it") from None


def _sqlite(url: URL, durable: bool, wait: float) -> Engine:
    options: dict[str, Any] = {"poolclass": QueuePool, "pool_timeout": wait}
    if url.database in (None, "", ":memory:"):
        # One connection is the store; threads take turns.
        options |= {"pool_size": 1, "max_overflow": 0}
    else:
        _only_for_the_owner(str(url.database))
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": wait},
        **options,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        reading = _READING in connection.get_execution_options()
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _only_for_the_owner(path: str) -> None:
    with suppress(FileExistsError):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise
        except OSError as error:
            raise BankUnavailable(f"the bank's store: {error.strerror}") from None


def _prepare(connection: Connection) -> dict[Kind, int]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7700025)")
    if not connection.dialect.has_table(connection, layout.name):
        TABLES.create_all(connection)
        connection.execute(insert(layout).values(version=VERSION))
        connection.execute(insert(accounts), [{"kind": kind.value} for kind in HOUSE])
    if [VERSION] != list(connection.scalars(select(layout.c.version))):
        raise BankUnavailable(f"the bank's store is not of layout {VERSION}")
    found = select(accounts.c.kind, func.min(accounts.c.id)).where(
        accounts.c.kind.in_([kind.value for kind in HOUSE])
    )
    return {
        Kind(kind): number
        for kind, number in connection.execute(found.group_by(accounts.c.kind)).all()
    }
