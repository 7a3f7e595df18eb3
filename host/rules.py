# SPDX-License-Identifier: Apache-2.0
"""What may be done with a physical card, as values; `host.channel.guard` sees to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FLOOR: Final = 1
"""PIN tries that must be left after a wrong one, unless something else is asked for."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Cards that may be written to."""

    atrs: frozenset[bytes] = frozenset()
    numbers: frozenset[str] = frozenset()
    """As the reader of numbers has them: digits and capital letters."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is let through."""

    allowed: AllowList = AllowList()
    floor: int = FLOOR
    """PIN tries; 0: even the last one may be used."""
    dry_run: bool = False
    reads_only: bool = False
    """Nothing but reads, whatever the list says; nobody asks the card for its numbers then."""
