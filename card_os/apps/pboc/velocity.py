# SPDX-License-Identifier: Apache-2.0
"""What the card counts between two visits online (频度检查): transactions, and amounts.

A counter stops at its last number (profile choice `counter-saturation`). JR/T 0025.5 clause 14.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from card_os.apps.pboc.conversion import converted
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.state import CardState

_LARGEST_COUNT: Final = 0xFF


class Asked(NamedTuple):
    """What the terminal wants, and what it says of the transaction."""

    wanted: int
    """A `Result`."""
    amount: int
    """In the minor unit of `currency`."""
    currency: bytes
    country: bytes
    tvr: int
    """The first byte of the TVR: what came of offline data authentication."""


def too_often(limits: Limits, state: CardState, asked: Asked) -> bool:
    """Whether it is one transaction offline too many, in all, or abroad."""
    most = limits.lower
    if most is not None and state.atc - state.last_online_atc > most:
        return True
    most = limits.international_currency
    if most is not None and state.international_currency >= most:
        if _other(limits.currency, asked.currency):
            return True
    most = limits.international_country
    if most is not None and state.international_country >= most:
        return _other(limits.country, asked.country)
    return False


def beyond(limit: int | None, state: CardState) -> bool:
    """Whether more transactions than a limit have come since the card was last online; 00 is a
    limit."""
    return limit is not None and state.atc - state.last_online_atc > limit


def too_much(limits: Limits, state: CardState, asked: Asked) -> bool:
    """Whether with this amount too much is spent offline, in one currency or in both."""
    if limits.spent and asked.currency == limits.currency:
        if state.spent + asked.amount > limits.spent:
            return True
    return bool(limits.dual) and _dual(limits, state, asked) > limits.dual


def too_much_offline(limits: Limits, state: CardState, asked: Asked) -> bool:
    """As above against the upper limit, which holds for both counters."""
    upper = limits.spent_upper
    if not upper:
        return False
    if asked.currency == limits.currency and state.spent + asked.amount > upper:
        return True
    return _dual(limits, state, asked) > upper


def counted(limits: Limits, state: CardState, asked: Asked) -> CardState:
    """One transaction more abroad, when it is one."""
    currency = _other(limits.currency, asked.currency)
    country = _other(limits.country, asked.country)
    if not currency and not country:
        return state
    return replace(
        state,
        international_currency=min(state.international_currency + currency, _LARGEST_COUNT),
        international_country=min(state.international_country + country, _LARGEST_COUNT),
    )


def spent(limits: Limits, state: CardState, asked: Asked) -> CardState:
    """The amount added to what was spent offline."""
    if asked.currency == limits.currency:
        return replace(
            state,
            spent=min(state.spent + asked.amount, LARGEST_AMOUNT),
            spent_dual=min(state.spent_dual + asked.amount, LARGEST_AMOUNT),
        )
    if limits.factor and asked.currency == limits.second_currency:
        dual = state.spent_dual + converted(asked.amount, limits.factor)
        return replace(state, spent_dual=min(dual, LARGEST_AMOUNT))
    return state


def _dual(limits: Limits, state: CardState, asked: Asked) -> int:
    """What would be spent in both currencies with this amount; in a third one it stays 0.

    Without a conversion factor nobody can tell, so it is beyond every limit.
    """
    if asked.currency == limits.currency:
        return state.spent_dual + asked.amount
    if asked.currency != limits.second_currency:
        return 0
    if not limits.factor:
        return LARGEST_AMOUNT + 1
    return state.spent_dual + converted(asked.amount, limits.factor)


def _other(own: bytes, said: bytes) -> bool:
    """Whether the terminal's currency or country is not the card's; one it lacks is never other."""
    return bool(own) and own != said
