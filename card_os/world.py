# SPDX-License-Identifier: Apache-2.0
"""What comes to the chip from outside and cannot be computed: chance, and the date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import chain, count, islice


@dataclass(frozen=True, slots=True)
class World:
    """Random bytes (how many) and today's date, handed in by whoever owns the chip."""

    random: Callable[[int], bytes]
    today: Callable[[], date]


def seeded(seed: int, today: date) -> World:
    """A world in which everything is known: for tests and test cards only.

    The bytes are SHA-256 of the seed and a block counter, so they are the same on every machine
    and Python version.
    """
    blocks = (sha256(f"sscard test world {seed} {n}".encode()).digest() for n in count())
    stream = chain.from_iterable(blocks)

    def random(n: int) -> bytes:
        return bytes(islice(stream, n))

    return World(random, lambda: today)
