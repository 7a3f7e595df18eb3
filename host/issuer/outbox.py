# SPDX-License-Identifier: Apache-2.0
"""What waits in the store to be sent to a card when it next comes online (发卡行脚本队列)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from apdu.errors import FormatError
from apdu.wire.digits import check_pan
from host.issuer.journal import moment
from host.issuer.ledger import Ledger
from host.issuer.posting import known
from host.issuer.prepared import Prepared, adding
from host.issuer.schema import queue

_ADD: Final = Prepared(adding(queue, "pan", "content", "at").returning(queue.c.id))
_WAITING: Final = Prepared(
    select(queue.c.id, queue.c.content)
    .where(queue.c.pan == bindparam("of"), queue.c.outcome == "")
    .order_by(queue.c.id)
)
_ALL: Final = Prepared(
    select(queue.c.id, queue.c.content, queue.c.outcome)
    .where(queue.c.pan == bindparam("of"))
    .order_by(queue.c.id)
)
_REWRITE: Final = Prepared(
    update(queue)
    .where(queue.c.id == bindparam("of"), queue.c.outcome == "")
    .values(content=bindparam("now"))
    .returning(queue.c.id)
)
_CLOSE: Final = Prepared(
    update(queue)
    .where(queue.c.id == bindparam("of"), queue.c.outcome == "")
    .values(outcome=bindparam("came"))
    .returning(queue.c.id)
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits. `content` is whatever was put there."""

    number: int
    content: str = field(repr=False)
    outcome: str = ""
    """What came of it; empty while it waits."""


def put(connection: Connection, pan: str, content: str, at: str) -> int:
    """Put something there within a transaction, for a card that is known; its number."""
    return int(_ADD.one(connection, pan=pan, content=content, at=at).id)


def waiting_in(connection: Connection, pan: str) -> tuple[Waiting, ...]:
    """What waits for a card, the oldest first, within a transaction."""
    return tuple(Waiting(row.id, row.content) for row in _WAITING(connection, of=pan))


class Outbox:
    """The queue of each card, in the order in which things were put there."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def add(self, pan: str, content: str, at: datetime) -> int:
        """Put something there; its number. Never a PIN or key in clear: it is stored as it is.
        Raises Refused for a card that is not known."""
        check_pan(pan)
        if not content:
            raise FormatError("content: must not be empty")
        with self.ledger.writing() as connection:
            known(connection, pan)
            return put(connection, pan, content, moment(at))

    def waiting(self, pan: str) -> tuple[Waiting, ...]:
        """What waits for a card, the oldest first."""
        with self.ledger.reading() as connection:
            return waiting_in(connection, pan)

    def all(self, pan: str) -> tuple[Waiting, ...]:
        """What waits and what waited for a card, the oldest first."""
        check_pan(pan)
        with self.ledger.reading() as connection:
            return tuple(Waiting(*row) for row in _ALL(connection, of=pan))

    def rewrite(self, number: int, content: str) -> bool:
        """Put other content in its place. False when it did not wait."""
        if not content:
            raise FormatError("content: must not be empty")
        with self.ledger.writing() as connection:
            return bool(_REWRITE(connection, of=number, now=content))

    def close(self, number: int, outcome: str) -> bool:
        """It waits no more; `outcome` says what came of it. False when it did not wait."""
        if not outcome:
            raise FormatError("outcome: must not be empty")
        with self.ledger.writing() as connection:
            return bool(_CLOSE(connection, of=number, came=outcome))
