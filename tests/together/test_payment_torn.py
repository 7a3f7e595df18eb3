# SPDX-License-Identifier: Apache-2.0
"""One purchase, one tap, one load, one script: pulled at every command and torn at every write.
Each time everybody agrees on the money afterwards, and the next transaction is as good as any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest
from mishaps import Loss, Mishap
from moneybench import (
    ALONE,
    CASH,
    CASH_LOAD,
    DOINGS,
    LOAD,
    NOON,
    ONLINE,
    PAN,
    TAP,
    TAP_ALONE,
    Doing,
    Market,
)
from powercuts import DAMAGES
from slots import slot

from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes, amount_of
from apdu.wire.pboc.application import DEBIT_AID
from host.clients.pboc import PbocClient
from host.issuer import scripts
from host.terminal.kernel.transaction import Outcome
from host.terminal.recovery import resolve
from host.terminal.result import Result

KINDS = {
    "purchase": (ONLINE, ONLINE),
    "cash": (CASH, ONLINE),
    "tap": (TAP, ONLINE),
    "load": (LOAD, ONLINE),
    # Then the card's counter of script commands has not been set back.
    "load after a load": (LOAD, LOAD),
}
"""What ends early, and what comes behind."""
WAYS: dict[str, Callable[[int], Mishap]] = {
    "pulled before": lambda at: Mishap(pulled=at),
    "pulled after": lambda at: Mishap(pulled=at, done=True),
    "torn": lambda at: Mishap(torn=at),
    "torn half": lambda at: Mishap(torn=at, damage=DAMAGES[4]),
    "torn, not yet written": lambda at: Mishap(torn=at, damage=DAMAGES[8], unsynced=at),
}


@pytest.fixture
def market() -> Iterator[Market]:
    made = Market()
    made.happen(LOAD, 20_000)
    yield made
    made.close()


def everywhere(market: Market, doing: Doing, amount: int, way: str) -> Iterator[int]:
    """The transaction with its mishap at every place that it has; the number of each."""
    for at in count():
        result = market.happen(doing, amount, WAYS[way](at))
        assert result is not None
        if not market.slot.gone:
            assert at > 5
            return
        yield at


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_it_ends_everybody_agrees_and_the_next_one_succeeds(
    market: Market, kind: str, way: str
) -> None:
    doing, behind = KINDS[kind]
    for _ in everywhere(market, doing, 30, way):
        market.settle()
        market.agree()
        result = market.happen(behind, 1)
        assert result is not None
        assert Outcome.APPROVED_ONLINE is result.outcome
        market.agree()


@pytest.mark.parametrize("way", WAYS)
def test_wherever_it_ends_a_script_gets_to_the_card_in_the_end(market: Market, way: str) -> None:
    outbox = market.host.scripts.outbox
    wanted = count(1_000)
    limit = next(wanted)

    def want() -> None:
        wish = scripts.put_data(tags.CARD_CVM_LIMIT, amount_bytes(limit))
        market.host.scripts.commands(PAN, [wish], NOON)

    want()
    for _ in everywhere(market, ONLINE, 30, way):
        market.settle()
        market.agree()
        for _ in range(2):  # one may bring it, and the next tells that it did
            assert Outcome.APPROVED_ONLINE is market.happen(ONLINE, 1).outcome
        client = PbocClient(slot(market.chip))
        client.select(DEBIT_AID)
        assert limit == amount_of(client.data(tags.CARD_CVM_LIMIT))
        assert {"done"} == {each.outcome for each in outbox.all(PAN)}
        limit = next(wanted)
        want()


# What was found once, and must not come again


def test_a_load_is_not_counted_twice_when_the_line_fails_often(market: Market) -> None:
    """The card's counter of script commands stood at 1 before a load and stands there after it; a
    transaction that fails then hides which of the two it is."""
    market.happen(ONLINE, 50, Mishap(losses=(Loss.ANSWER,)))
    assert Outcome.APPROVED_ONLINE is market.happen(CASH_LOAD, 100).outcome
    market.happen(TAP_ALONE, 100)
    market.happen(LOAD, 100, Mishap(losses=(Loss.REQUEST,)))
    market.happen(CASH_LOAD, 2_000_000, Mishap(stops=True))
    market.happen(CASH_LOAD, 2_000_000)
    market.happen(LOAD, 1, Mishap(stops=True))
    market.settle()
    market.agree()


def test_a_tap_between_two_loads_tells_nothing_of_the_first(market: Market) -> None:
    market.happen(LOAD, 500, Mishap(losses=(Loss.ANSWER, Loss.REQUEST)))
    market.happen(DOINGS["tap online"], 1)
    market.happen(ONLINE, 1)
    market.settle()
    market.agree()


def doubtful_load(market: Market) -> Result:
    """A load of 5 yuan that the card was pulled out of too early, and nobody knows."""
    for at in count(1):
        lost = market.begin(LOAD, 500, Mishap(pulled=at))
        assert lost is not None
        if lost.doubt:
            return lost
        market.end(LOAD, lost)
    raise AssertionError


def test_a_load_in_doubt_is_told_by_the_log_when_the_balance_has_moved(market: Market) -> None:
    lost = doubtful_load(market)
    assert Outcome.APPROVED_OFFLINE is market.happen(ALONE, 99).outcome
    assert not market.end(LOAD, lost).approved
    market.settle()
    market.agree()


def test_a_load_that_the_log_does_not_reach_back_to_stays_in_doubt(market: Market) -> None:
    lost = doubtful_load(market)
    for _ in range(10):
        assert Outcome.APPROVED_ONLINE is market.happen(LOAD, 1).outcome
    found = resolve(slot(market.chip), lost, market.config, market.line)
    assert found.doubt
    market.agree()  # the bank has undone it, by what the card's next transaction told


def test_a_reversal_that_comes_after_another_load_takes_nothing_from_the_card(
    market: Market,
) -> None:
    market.happen(LOAD, 5_000, Mishap(stops=True))
    assert Outcome.APPROVED_ONLINE is market.happen(LOAD, 100).outcome
    market.settle()
    market.agree()


def test_a_load_whose_terminal_never_comes_back_is_undone_by_the_card_s_next_word(
    market: Market,
) -> None:
    market.happen(LOAD, 5_000, Mishap(stops=True))
    market.owed.clear()
    assert Outcome.APPROVED_ONLINE is market.happen(ONLINE, 1).outcome
    market.agree()


def test_what_a_card_proved_once_is_paid_once_under_whatever_reference(market: Market) -> None:
    for doing in (ONLINE, TAP):
        market.happen(doing, 700, Mishap(losses=(Loss.TWICE,)))
        message = market.line.last
        assert message is not None
        again = replace(message, reference=f"7{message.reference[1:]}")
        verb = market.host.advise if message.advice else market.host.authorise
        assert not verb(again).approved
        market.agree()


def test_a_world_in_which_money_is_lost_would_be_seen(market: Market) -> None:
    market.expected = replace(market.expected, account=market.expected.account - 1)
    with pytest.raises(AssertionError):
        market.agree()
