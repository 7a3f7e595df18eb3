# SPDX-License-Identifier: Apache-2.0
"""What the store is asked when a card comes online: one look before, one transaction after.

The card's counter is raised in the same transaction that posts, so that of two requests with one
counter only one is ever posted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection

from host.issuer.accounts import Operation, Posted
from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused
from host.issuer.journal import Order, rows_of
from host.issuer.outbox import Waiting, put, waiting_in
from host.issuer.posting import Side, known, post, raise_counter, settle


class Look(NamedTuple):
    """What is known of a card and a reference before anything is done."""

    card: Any
    """Its row, with the balances of its accounts."""
    waiting: tuple[Waiting, ...]
    """What is to be sent to it."""
    answered: bool
    """This reference was answered before."""
    again: bool
    """The counter is not above the highest that was seen."""


def look(bank: Bank, pan: str, reference: str, atc: int | None) -> Look:
    """Raises Refused for a card that is not known. `atc`: None where none was proven.

    A reference is looked for only where the counter is not new: an answer is never given without
    the counter being kept.
    """
    with bank.ledger.reading() as connection:
        card = known(connection, pan)
        again = atc is not None and atc <= card.atc
        answered = again and rows_of(connection, reference)[0] is not None
        return Look(card, waiting_in(connection, pan), answered, again)


def post_online(bank: Bank, asked: Order, atc: int, wish: str = "") -> Posted:
    """Post what a card proved with this counter, and put a wish into its outbox.

    Done once for a reference, as all of the bank's verbs are. Raises Refused, SEEN_BEFORE when
    the counter is not new.
    """

    def work(connection: Connection, asked: Order) -> Posted:
        if not raise_counter(connection, asked.pan, atc):
            known(connection, asked.pan)
            raise Refused(Reason.SEEN_BEFORE)
        done = post(connection, bank.ledger.house, bank.limits, asked)
        if wish:
            put(connection, asked.pan, wish, asked.at)
        return done

    return bank.answer(asked, work)


def settle_offline(bank: Bank, asked: Order, atc: int, cash: bool) -> Posted:
    """Pay a merchant for what a card approved offline; `cash`: with its electronic cash."""
    side = Side.PURSE if cash else Side.ACCOUNT

    def work(connection: Connection, asked: Order) -> Posted:
        raise_counter(connection, asked.pan, atc)
        return settle(connection, bank.ledger.house, asked, side)

    return bank.answer(asked, work)


class Before(NamedTuple):
    """How a reference was answered before: `done` when by posting this very purchase."""

    done: bool
    refused: bool
    reversed: bool


def before(bank: Bank, asked: Order) -> Before | None:
    """What became of a reference that an offline purchase now comes under, if it was used."""
    with bank.ledger.reading() as connection:
        original, undone = rows_of(connection, asked.reference)
    if original is None:
        return None if undone is None else Before(False, False, True)
    same = (original.pan, original.asked, original.atc) == (asked.pan, asked.amount, asked.atc)
    known_as = {Operation.PURCHASE.value, Operation.SETTLEMENT.value}
    done = same and not original.refused and original.operation in known_as
    return Before(done, bool(original.refused), undone is not None)
