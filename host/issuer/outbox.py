# SPDX-License-Identifier: Apache-2.0
"""What waits in the store to be sent to a card when it next comes online (发卡行脚本队列)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update

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
            return int(_ADD.one(connection, pan=pan, content=content, at=moment(at)).id)

    def waiting(self, pan: str) -> tuple[Waiting, ...]:
        """What waits for a card, the oldest first."""
        with self.ledger.reading() as connection:
            return tuple(Waiting(row.id, row.content) for row in _WAITING(connection, of=pan))

    def close(self, number: int, outcome: str) -> bool:
        """It waits no more; `outcome` says what came of it. False when it did not wait."""
        if not outcome:
            raise FormatError("outcome: must not be empty")
        with self.ledger.writing() as connection:
            return bool(_CLOSE(connection, of=number, came=outcome))
