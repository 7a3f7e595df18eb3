# SPDX-License-Identifier: Apache-2.0
"""Judging access conditions. Only the chip does; `apdu.wire.access` says what they look like.

What has been proven is a set of proofs, one number each. A condition is brought once, when its
file is mounted, into the form that is quick to judge: the sets of proofs of which one must be
wholly there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, product
from math import prod

from apdu.errors import FormatError
from apdu.wire.access import Access, AllOf, Always, AnyOf, Key, Never, Pin

Proof = int
SecurityStatus = frozenset[Proof]
"""What has been proven since the application was selected. A value: never changed, replaced."""
Rule = tuple[SecurityStatus, ...]
"""Alternatives; each is a set of proofs that would do. Empty: never. One empty set: always."""

NOTHING_PROVEN: SecurityStatus = frozenset()
FREE: Rule = (NOTHING_PROVEN,)
MAX_WAYS = 256
"""Alternatives that a rule may have: bounds the work of mounting a file."""
_KEY = 0x100
LOCAL = 0x80
"""A reference with this bit belongs to the current DF, one without it to the application."""


def pin_proof(reference: int) -> Proof:
    return reference


def key_proof(kid: int) -> Proof:
    return _KEY | kid


def proven_key(proof: Proof) -> int | None:
    """The KID that a proof is of; None for that of a PIN, which is its reference."""
    return proof & ~_KEY if proof & _KEY else None


def without_local(status: SecurityStatus) -> SecurityStatus:
    """What is left of a status when its DF is left for another of the same application."""
    return frozenset(proof for proof in status if not proof & LOCAL)


@lru_cache(maxsize=256)
def rule(condition: Access) -> Rule:
    """A condition in the form that is quick to judge. FormatError when it has too many ways."""
    match condition:
        case Always():
            return FREE
        case Never():
            return ()
        case Pin(reference):
            return (frozenset({pin_proof(reference)}),)
        case Key(kid):
            return (frozenset({key_proof(kid)}),)
        case AnyOf(parts):
            rules = [rule(part) for part in parts]
            _bounded(sum(map(len, rules)))
            return _shortest(chain.from_iterable(rules))
        case AllOf(parts):
            rules = [rule(part) for part in parts]
            _bounded(prod(map(len, rules)))
            return _shortest(frozenset().union(*way) for way in product(*rules))


def _bounded(ways: int) -> None:
    if ways > MAX_WAYS:
        raise FormatError(f"access condition: more than {MAX_WAYS} ways to meet it")


def _shortest(ways: Iterable[SecurityStatus]) -> Rule:
    """Without doubles, and without alternatives that ask for more than another one does."""
    kept: list[SecurityStatus] = []
    for way in sorted(set(ways), key=lambda way: (len(way), sorted(way))):
        if not any(other <= way for other in kept):
            kept.append(way)
    return tuple(kept)


def met(rule: Rule, status: SecurityStatus) -> bool:
    """Whether what has been proven is enough."""
    for way in rule:
        if way <= status:
            return True
    return False
