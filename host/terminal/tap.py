# SPDX-License-Identifier: Apache-2.0
"""The conductor of a tap (qPBOC, 非接触交易): a card held to the reader for a moment.

As over contact nothing that a card does gets through as an exception. A card that leaves before its
last record was asked for has paid nothing; from then on only the card can say whether it did, and
`resolve` asks it when it comes again (JR/T 0025.12; 0025.13 for electronic cash in steps).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import parse_afl
from apdu.wire.pboc.flags import CardProcessing, Ctq, TerminalCapabilities, Ttq
from apdu.wire.pboc.flags import Result as Kind
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardRefused
from host.network.authorisation import AuthorisationRequest, EntryMode, Issuer, NoAnswer, Purpose
from host.terminal import pboc
from host.terminal.kernel import contactless, fdda, online, records, reversal
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.contactless import UseContact
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.terminal_data import terminal_data
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Order, Outcome, Transaction
from host.terminal.pboc_log import transactions
from host.terminal.result import APPROVED, Result, result_of

_ENTRY: Final = EntryMode.CONTACTLESS
PAID: Final = "the card has paid, although the transaction was not approved"
MAY_HAVE_PAID: Final = "the card may have paid: it left while its last record was read"


class _TapClient(PbocClient):
    """Remembers how far the records of an approval were read."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        self.decided = False
        """GPO's answer was a cryptogram, so that the last record pays."""
        self.asked: tuple[int, int] | None = None
        self.answered: tuple[int, int] | None = None

    def record(self, sfi: int, number: int) -> bytes:
        self.asked = (sfi, number)
        found = super().record(sfi, number)
        self.answered = self.asked
        return found


def tap(
    card: Card,
    order: Order,
    config: TerminalConfig,
    issuer: Issuer | None = None,
    *,
    pad: PinPad | None = None,
) -> Result:
    """Make a transaction with a card in the field.

    `issuer` None: it cannot be reached. `pad` None: there is no PIN pad. Raises FormatError as
    `host.terminal.pboc.pay` does.
    """
    transaction = Transaction(order, terminal_data(config, order, _ENTRY))
    client = _TapClient(card)
    outcome, fault = None, None
    try:
        with card.transaction():
            outcome = _conduct(transaction, config, client, issuer, pad)
    except UseContact as wish:
        outcome = _elsewhere(transaction, config, str(wish))
    except CardFault as error:
        if outcome is None:
            fault, outcome = error, Outcome.TERMINATED
            step = transaction.trail[-1].step if transaction.trail else Step.SELECTION
            transaction.note(step, "terminated", str(error))
    if client.decided:
        doubt = "" if outcome in APPROVED else _doubt(transaction, client)
    else:
        doubt = pboc.doubt_of(transaction, outcome, fault)
    outstanding: tuple[reversal.Message, ...] = ()
    if doubt == MAY_HAVE_PAID:
        # Should the card say that it paid, the issuer is to be told so.
        contactless.know_number(transaction)
        outstanding = (online.request(transaction, config, _ENTRY, advice=True),)
    else:
        message = reversal.owed(transaction, config, outcome, _ENTRY)
        if message is not None:
            outstanding = (message,)
            if issuer is not None:
                outstanding = reversal.tell(transaction, message, issuer)
    return result_of(transaction, outcome, outstanding, doubt, fault)


def resolve(card: Card, result: Result, config: TerminalConfig, issuer: Issuer | None) -> Result:
    """The end of a tap that was torn (`doubt` is set), when the same card is in the field again.

    Its log says whether it paid: then the transaction is approved, and the issuer told; else it is
    declined. A card that keeps no log of taps leaves the doubt. Raises CannotGoOn for another card,
    or a result that has no such doubt.
    """
    if result.doubt != MAY_HAVE_PAID:
        raise CannotGoOn("this transaction has no doubt that a card could resolve")
    (advice,) = result.outstanding
    if not isinstance(advice, AuthorisationRequest):
        raise CannotGoOn("what is outstanding of it is no advice")
    with card.transaction():
        if _number(card, config, advice) != advice.pan:
            raise CannotGoOn("this is not the card of that transaction")
        paid = _has_paid(card, result)
    if paid is None:
        return result
    if not paid:
        return replace(result, outcome=Outcome.DECLINED_OFFLINE, outstanding=(), doubt="")
    left = (advice,) if issuer is None else reversal.deliver([advice], issuer)
    return replace(result, outcome=Outcome.APPROVED_OFFLINE, outstanding=left, doubt="")


def _conduct(
    transaction: Transaction,
    config: TerminalConfig,
    client: _TapClient,
    issuer: Issuer | None,
    pad: PinPad | None,
) -> Outcome:
    can_ask = issuer is not None and config.online_capable
    contactless.select(client, transaction, config)
    if transaction.parameters is None:
        raise CannotGoOn("the terminal has no parameters for the application")
    ttq = contactless.qualifiers(transaction.parameters, transaction.order, can_ask)
    answered = contactless.initiate(client, transaction, ttq)
    if tags.AC not in answered:
        if ttq & Ttq.CONTACTLESS_PBOC and transaction.afl:
            return pboc.go_on(transaction, config, client, issuer, pad, entry=_ENTRY)
        raise UseContact("GPO's answer has no cryptogram")
    client.decided = True
    kind = contactless.judge(transaction, ttq)
    if kind is Kind.TC:
        return _approved(transaction, config, client, issuer, ttq)
    if kind is Kind.AAC or not contactless.verify_holder(transaction, ttq, pad):
        return Outcome.DECLINED_OFFLINE
    return _ask(transaction, config, issuer)


def _approved(
    transaction: Transaction,
    config: TerminalConfig,
    client: _TapClient,
    issuer: Issuer | None,
    ttq: int,
) -> Outcome:
    """The card approves: it pays with its last record, and must prove that it is genuine."""
    contactless.read(client, transaction)
    genuine = fdda.authenticate(transaction, config)
    if transaction.pan in config.exceptions:
        transaction.note(Step.RESTRICTIONS, "declined", "the card is on the exception file")
        return Outcome.DECLINED_OFFLINE
    if not contactless.in_force(transaction):
        return Outcome.DECLINED_OFFLINE
    if not contactless.verify_holder(transaction, ttq, None):
        return Outcome.DECLINED_OFFLINE
    if genuine:
        return Outcome.APPROVED_OFFLINE
    wanted = contactless.card_qualifiers(transaction)
    if wanted & Ctq.ONLINE_IF_ODA_FAILS and not ttq & Ttq.OFFLINE_ONLY:
        transaction.note(Step.TERMINAL_ACTION, "online", "CTQ: where authentication fails")
        return _prove(transaction, config, issuer)
    if wanted & Ctq.CONTACT_IF_ODA_FAILS and ttq & Ttq.CONTACT_PBOC:
        raise UseContact("CTQ: where authentication fails")
    return Outcome.DECLINED_OFFLINE


def _ask(transaction: Transaction, config: TerminalConfig, issuer: Issuer | None) -> Outcome:
    """The issuer decides. What it sends for the card is too late: the card is gone."""
    if issuer is None:
        transaction.note(Step.ONLINE, "declined", "the issuer cannot be reached")
        return Outcome.DECLINED_OFFLINE
    answered = online.go_online(transaction, config, issuer, _ENTRY)
    if answered is None:
        return Outcome.DECLINED_OFFLINE
    if answered.before or answered.after:
        transaction.note(Step.SCRIPTS, "not processed", "a tap is over by then")
    response = transaction.response
    approved = response is not None and response.approved
    return Outcome.APPROVED_ONLINE if approved else Outcome.DECLINED_ONLINE


def _prove(transaction: Transaction, config: TerminalConfig, issuer: Issuer | None) -> Outcome:
    """The issuer says whether the approval is genuine, where the card's signature could not.

    The card has paid with its cash, so this is an advice that is waited for, and no request to
    pay once more (profile choice `tap-online`).
    """
    if issuer is None:
        return Outcome.DECLINED_OFFLINE
    transaction.request = asked = online.request(transaction, config, _ENTRY, advice=True)
    try:
        response = transaction.response = issuer.advise(asked)
    except NoAnswer as fault:
        transaction.note(Step.ONLINE, "no answer", str(fault))
        return Outcome.DECLINED_OFFLINE
    said = "accepted" if response.approved else "declined"
    transaction.note(Step.ONLINE, f"{said} by the issuer", f"code {response.response_code}")
    transaction.response_code = response.response_code
    return Outcome.APPROVED_ONLINE if response.approved else Outcome.DECLINED_ONLINE


def _elsewhere(transaction: Transaction, config: TerminalConfig, why: str) -> Outcome:
    """To the slot, where the terminal has one."""
    if config.can(TerminalCapabilities.CONTACT):
        transaction.note(Step.COMPLETION, "use contact", why)
        return Outcome.USE_CONTACT
    transaction.note(Step.COMPLETION, "declined", f"no contact reader; {why}")
    return Outcome.DECLINED_OFFLINE


def _doubt(transaction: Transaction, client: _TapClient) -> str:
    """What the card did, or may have, of a tap that was not approved."""
    if transaction.result is not Kind.TC or not transaction.afl:
        return ""
    last = parse_afl(transaction.afl)[-1]
    place = last.sfi, last.last
    if client.answered == place:
        return PAID
    return MAY_HAVE_PAID if client.asked == place else ""


# A card that comes again


def _number(card: Card, config: TerminalConfig, advice: AuthorisationRequest) -> str:
    """The number of the card in the field, by a GPO over nothing: no record is read, none pays."""
    order = Order(0, Purpose.PURCHASE, advice.time, advice.reference, advice.trace, bytes(4))
    transaction = Transaction(order, terminal_data(config, order, _ENTRY))
    client = PbocClient(card)
    contactless.select(client, transaction, config)
    if transaction.parameters is None:
        raise CannotGoOn("the terminal has no parameters for the application")
    answered = contactless.initiate(client, transaction, transaction.parameters.ttq)
    return records.check_track_2(answered.get(tags.TRACK_2, b""))


def _has_paid(card: Card, result: Result) -> bool | None:
    """Whether the transaction stands in the card's log; None: the card logs no taps."""
    entries = transactions(card, result.aid)
    client = PbocClient(card)
    try:
        processing = int.from_bytes(client.data(tags.CARD_PROCESSING))
    except CardRefused:
        return None
    if not processing & CardProcessing.LOG_TRANSACTIONS:
        return None
    return any(
        entry.atc == result.atc and entry.amount in (None, result.amount) for entry in entries
    )
