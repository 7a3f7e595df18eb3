# SPDX-License-Identifier: Apache-2.0
"""How much, and how often, may leave an account in one day (日累计限额)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apdu.errors import FormatError
from host.issuer.accounts import Operation
from host.issuer.faults import Reason, Refused


@dataclass(frozen=True, slots=True)
class Daily:
    """The most of one day: `total` in fen, `count` of transactions. None: as much as there is."""

    total: int | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        for name, value in ("total", self.total), ("count", self.count):
            if value is not None and (not isinstance(value, int) or value < 0):
                raise FormatError(f"{name} of a day: must be a whole number from 0 on")

    def check(self, total: int, count: int, amount: int) -> None:
        """Raises Refused when one more of `amount` is beyond it, after `total` in `count`."""
        if self.total is not None and total + amount > self.total:
            raise Refused(Reason.OVER_SUM)
        if self.count is not None and count >= self.count:
            raise Refused(Reason.OVER_COUNT)


@dataclass(frozen=True, slots=True)
class Limits:
    """The daily limits of all cards (profile choice `daily-limits`)."""

    withdrawal: Daily = Daily(total=2_000_000, count=20)
    purchase: Daily = Daily(total=5_000_000, count=200)
    transfer: Daily = Daily(total=5_000_000, count=20)

    def of(self, operation: Operation) -> Daily | None:
        """The limit of an operation, if it has one."""
        match operation:
            case Operation.WITHDRAWAL:
                return self.withdrawal
            case Operation.PURCHASE:
                return self.purchase
            case Operation.TRANSFER:
                return self.transfer
        return None


UNLIMITED: Final = Limits(Daily(), Daily(), Daily())
"""No limits but the balance."""
