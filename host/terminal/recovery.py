# SPDX-License-Identifier: Apache-2.0
"""What became of a transaction whose card was lost in the middle, when that card is back.

Only the card can tell: by its load log or, where that does not reach back, by its balance of
electronic cash. What it tells makes an end of the doubt, and of what is outstanding
(JR/T 0025.13).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from host.card import Card
from host.clients.pboc import PbocClient
from host.network.authorisation import RMB, Issuer, Purpose, Reversal
from host.terminal.kernel import initiation, records, reversal
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.data import masked
from host.terminal.kernel.records import LOADS
from host.terminal.kernel.terminal_data import terminal_data
from host.terminal.kernel.trail import Decision, Step
from host.terminal.kernel.transaction import CannotGoOn, Order, Outcome, Transaction
from host.terminal.pboc_log import balance, has_load
from host.terminal.result import Result

PAID: Final = "the card has paid with its electronic cash, and the terminal has no cryptogram of it"
"""The holder must be given it back: nobody can be paid with it."""
_ANY_TIME: Final = datetime(2000, 1, 1)
"""Nothing is judged by it."""


def resolve(card: Card, result: Result, config: TerminalConfig, issuer: Issuer) -> Result:
    """The result as the card shows that it is, and the issuer told.

    A load is approved when the card has it, and reversed when it has not. Electronic cash that
    was not paid is declined; where it was, that is said (`PAID`). What the card does not show
    stays in doubt. Raises CannotGoOn for a result without doubt or another card, a CardFault when
    the card fails again.
    """
    if not result.doubt:
        raise CannotGoOn("this transaction is in no doubt")
    with card.transaction():
        if not _is_same(result, _number(card, result, config)):
            raise CannotGoOn("this is not the card of that transaction")
        if result.purpose in LOADS:
            return _load(card, result, issuer)
        return _purchase(card, result) if result.cash else result


def _load(card: Card, result: Result, issuer: Issuer) -> Result:
    done = has_load(card, result.atc, result.aid)
    if done is None:
        before, now = result.cash_before, _cash(card, result)
        if before is None or now not in (before, before + result.amount):
            return result
        done = now != before
    if done:
        return _ended(result, Outcome.APPROVED_ONLINE, "the card has the load", ())
    left = reversal.deliver(result.outstanding, issuer)
    return _ended(result, Outcome.DECLINED_ONLINE, "the card has not got the load", left)


def _purchase(card: Card, result: Result) -> Result:
    before, now = result.cash_before, _cash(card, result)
    if before is None or now is None:
        return result
    if now == before:
        return _ended(result, Outcome.DECLINED_OFFLINE, "the card has not paid", ())
    if now == before - result.amount:
        return replace(result, doubt=PAID)
    return result


def _cash(card: Card, result: Result) -> int | None:
    """The electronic cash in the currency of the transaction."""
    found = balance(card, result.aid)
    return found.balance if result.currency == RMB else found.second


def _ended(
    result: Result, outcome: Outcome, why: str, outstanding: tuple[reversal.Message, ...]
) -> Result:
    line = Decision(Step.COMPLETION, outcome.value, why)
    trail = (*result.trail, line)
    return replace(
        result, outcome=outcome, outstanding=outstanding, doubt="", fault=None, trail=trail
    )


def _is_same(result: Result, pan: str) -> bool:
    known = [each.pan for each in result.outstanding if isinstance(each, Reversal)]
    return all(each == pan for each in known) and masked(pan) == result.pan


def _number(card: Card, result: Result, config: TerminalConfig) -> str:
    """The number of the card in the slot: a transaction over nothing is begun, and left there."""
    client = PbocClient(card)
    order = Order(0, Purpose.BALANCE, _ANY_TIME, result.reference, 1, bytes(4))
    transaction = Transaction(order, terminal_data(config, order))
    transaction.card.update(client.select(result.aid).elements)
    initiation.initiate_contact(transaction, client)
    records.read(transaction, client)
    return transaction.pan
