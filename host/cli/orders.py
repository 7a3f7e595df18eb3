# SPDX-License-Identifier: Apache-2.0
"""What makes an order one of its own: the time, a reference, and the terminal's chance."""

from __future__ import annotations

from datetime import datetime
from secrets import randbelow, token_bytes
from typing import Final

from host.network.authorisation import Purpose
from host.terminal.kernel.transaction import Order

_REFERENCES: Final = 10**12
_TRACES: Final = 999_999
_LOTS: Final = 99


def now() -> datetime:
    """The time at this desk, without a zone."""
    return datetime.now().replace(microsecond=0)


def new_reference() -> str:
    """12 digits by chance: so many that none comes twice."""
    return f"{randbelow(_REFERENCES):012d}"


def new_order(amount: int, purpose: Purpose) -> Order:
    """An order of this moment. `amount` in fen."""
    return Order(
        amount,
        purpose,
        now(),
        new_reference(),
        trace=1 + randbelow(_TRACES),
        unpredictable_number=token_bytes(4),
        lot=randbelow(_LOTS),
    )
