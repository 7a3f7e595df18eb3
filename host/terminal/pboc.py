# SPDX-License-Identifier: Apache-2.0
"""The conductor of a contact transaction (借记交易): the kernel's steps in their order, and what
becomes of it when a card or an issuer fails in the middle.

Nothing that a card does gets through as an exception: the result says what came of it, with the
trail so far, and what the issuer must still be told. JR/T 0025.6; 0025.13 for electronic cash.
"""

from __future__ import annotations

from collections.abc import Callable

from apdu.wire.pboc.flags import Result as Kind
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardFault, NotAllowed
from host.network.authorisation import EntryMode, Issuer
from host.terminal.kernel import (
    action,
    cardholder,
    completion,
    cryptogram,
    initiation,
    oda,
    online,
    records,
    restrictions,
    reversal,
    risk,
    selection,
)
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.selection import Choose
from host.terminal.kernel.terminal_data import terminal_data
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Order, Outcome, Transaction
from host.terminal.result import APPROVED, Result, result_of

SpentBefore = Callable[[str], int]
"""What a card (its PAN) paid here before, in fen, as the terminal's log has it."""


def pay(
    card: Card,
    order: Order,
    config: TerminalConfig,
    issuer: Issuer | None = None,
    *,
    pad: PinPad | None = None,
    choose: Choose | None = None,
    spent_before: SpentBefore | None = None,
) -> Result:
    """Make a transaction with a card in the slot, whatever its purpose.

    `issuer` None: it cannot be reached. `pad` None: there is no PIN pad. `choose`: how the holder
    is asked which application; without it the card's order decides. Raises FormatError for an
    order that cannot be written, or a PIN that is none, before any money has moved.
    """
    transaction = Transaction(order, terminal_data(config, order))
    outcome, fault = None, None
    try:
        with card.transaction():
            outcome = _conduct(
                transaction, config, PbocClient(card), issuer, pad, choose, spent_before
            )
    except CardFault as error:
        # A card that is lost when all is done, and only to be let go, changes nothing.
        if outcome is None:
            fault, outcome = error, Outcome.TERMINATED
            transaction.note(_where(transaction), "terminated", str(error))
    doubt = doubt_of(transaction, outcome, fault)
    message = reversal.owed(transaction, config, outcome)
    outstanding: tuple[reversal.Message, ...] = ()
    if message is not None:
        if isinstance(fault, completion.CardLost):
            # `recovery` asks the card first. Of a new PIN only its next CVR tells the issuer.
            outstanding = (message,) if order.purpose in records.LOADS else ()
        elif issuer is None:
            outstanding = (message,)
        else:
            outstanding = reversal.tell(transaction, message, issuer)
    return result_of(transaction, outcome, outstanding, doubt, fault)


def _conduct(
    transaction: Transaction,
    config: TerminalConfig,
    client: PbocClient,
    issuer: Issuer | None,
    pad: PinPad | None,
    choose: Choose | None,
    spent_before: SpentBefore | None,
) -> Outcome:
    _begin(transaction, config, client, choose)
    return go_on(transaction, config, client, issuer, pad, spent_before)


def _begin(
    transaction: Transaction, config: TerminalConfig, client: PbocClient, choose: Choose | None
) -> None:
    """Select and GPO; an application that says 6985 to that is left for the next one (EMV Book 3
    10.1)."""
    refused: set[bytes] = set()
    while True:
        selection.select(transaction, config, client, choose, refused)
        try:
            initiation.initiate_contact(transaction, client)
        except NotAllowed as refusal:
            transaction.note(Step.INITIATION, "application left", str(refusal))
            refused.add(transaction.aid)
            transaction.card.clear()
        else:
            return


def go_on(
    transaction: Transaction,
    config: TerminalConfig,
    client: PbocClient,
    issuer: Issuer | None,
    pad: PinPad | None,
    spent_before: SpentBefore | None = None,
    entry: EntryMode = EntryMode.CHIP,
) -> Outcome:
    """All that follows GPO, whichever way the card was read."""
    online_capable = issuer is not None and config.online_capable
    records.read(transaction, client)
    records.read_cash(transaction, client)
    if not transaction.cash:
        records.read_counters(transaction, client)
    oda.authenticate(transaction, config, client)
    restrictions.restrict(transaction, config)
    if not transaction.cash:
        cardholder.verify(transaction, config, client, pad)
    risk.manage(transaction, config, spent_before(transaction.pan) if spent_before else 0)
    kind = action.analyse(transaction, online_capable)
    if transaction.cash and kind is Kind.ARQC:
        # Electronic cash wants nobody verified; the debit side, which it goes over to, does.
        cardholder.verify(transaction, config, client, pad)
        kind = action.analyse(transaction, online_capable)
    cryptogram.first(transaction, client, kind)
    if transaction.result is not Kind.ARQC or cryptogram.combined_failed(transaction):
        return completion.complete_offline(transaction, client)
    if issuer is None or not online_capable:
        return completion.complete_unable(transaction, client)
    answered = online.go_online(transaction, config, issuer, entry)
    if answered is None:
        return completion.complete_unable(transaction, client)
    return completion.complete(transaction, client, answered)


def settle(result: Result, issuer: Issuer) -> tuple[reversal.Message, ...]:
    """Send again what was outstanding; returns what still is.

    A result in doubt is not for this: what the card did must be known first.
    """
    if result.doubt:
        raise CannotGoOn("the card must say first what it did")
    return reversal.deliver(result.outstanding, issuer)


def _where(transaction: Transaction) -> Step:
    return transaction.trail[-1].step if transaction.trail else Step.SELECTION


def doubt_of(transaction: Transaction, outcome: Outcome, fault: CardFault | None) -> str:
    """What the card may have done although the transaction did not come about."""
    if isinstance(fault, completion.CardLost):
        return f"the card may have carried out the script: {transaction.order.purpose.value}"
    if not transaction.cash or transaction.asked is not Kind.TC or outcome in APPROVED:
        return ""
    if transaction.answer and transaction.result is not Kind.TC:
        return ""
    return "the card may have paid with its electronic cash"
