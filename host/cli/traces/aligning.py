# SPDX-License-Identifier: Apache-2.0
"""Which event of one recording belongs to which of another: by what was sent.

Read as a stream: however long the recordings are, only a window of each is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import Final, Protocol, TypeVar

WINDOW: Final = 256
"""Events of each side in which the two are found to agree again."""


class Keyed(Protocol):
    """What can be aligned."""

    @property
    def key(self) -> bytes:
        """Events with the same key are the same."""

    @property
    def kin(self) -> bytes:
        """Between two places where all is the same, events of one kin belong together."""


K = TypeVar("K", bound=Keyed)
Pair = tuple[K | None, K | None]


def align(left: Iterable[K], right: Iterable[K], window: int = WINDOW) -> Iterator[Pair[K]]:
    """The events of both in pairs, in their order; None beside one that stands alone."""
    sides = iter(left), iter(right)
    held: tuple[deque[K], deque[K]] = (deque(), deque())
    while True:
        for source, waiting in zip(sides, held, strict=True):
            waiting.extend(islice(source, window - len(waiting)))
        a, b = held
        if not a or not b:
            yield from ((each, None) for each in a)
            yield from ((None, each) for each in b)
            if not a and not b:
                return
            a.clear()
            b.clear()
        elif a[0].key == b[0].key:
            yield a.popleft(), b.popleft()
        else:
            first, second = _agreement(a, b)
            yield from _of_kin(
                [a.popleft() for _ in range(first)], [b.popleft() for _ in range(second)]
            )


def _agreement(a: Iterable[K], b: Iterable[K]) -> tuple[int, int]:
    """How many events of each to pass over until both go on alike; all, where they do not."""
    where: dict[bytes, int] = {}
    count = 0
    for count, event in enumerate(b, start=1):
        where.setdefault(event.key, count - 1)
    best: tuple[int, int] | None = None
    total = 0
    for total, event in enumerate(a, start=1):
        at = where.get(event.key)
        if at is not None and (best is None or total - 1 + at < sum(best)):
            best = total - 1, at
    return best or (total, count)


def _of_kin(a: Sequence[K], b: Sequence[K]) -> Iterator[Pair[K]]:
    matcher = SequenceMatcher(
        None, [each.kin for each in a], [each.kin for each in b], autojunk=False
    )
    i = j = 0
    for block in matcher.get_matching_blocks():
        yield from ((each, None) for each in a[i : block.a])
        yield from ((None, each) for each in b[j : block.b])
        i, j = block.a + block.size, block.b + block.size
        yield from zip(a[block.a : i], b[block.b : j], strict=True)
