# SPDX-License-Identifier: Apache-2.0
"""Purchases from the medical account (医保消费) and loads of it (账户划入).

Each takes two commands. The first hands out a random number and says under which key and number;
the second must bring a MAC under the session key of these, and books. What was begun serves once,
whatever comes of it, and not beyond the selection in which it was begun. When the answer with the
cryptograms goes out, everything is booked; whoever did not hear it asks with GET TRANSACTION PROVE.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Final, TypeVar

from apdu.crypto import purchase as cryptograms
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.hrss.application import PIN, PIN_REFERENCE
from apdu.wire.hrss.df04 import MedicalTransaction, OfflineTotals
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.medical import (
    CREDIT_LOAD,
    DEBIT,
    GET_TRANSACTION_PROVE,
    INITIALISE_DEBIT,
    INITIALISE_LOAD,
    LAST_SEQUENCE,
    DebitDone,
    DebitInitialised,
    DebitOrder,
    DebitTerms,
    LoadDone,
    LoadInitialised,
    LoadOrder,
    LoadTerms,
    TransactionProof,
    TransactionRef,
)
from apdu.wire.perso import KeyUsage
from apdu.wire.psam import TerminalNumber
from apdu.wire.purchase import (
    CARD_SEQUENCE,
    LOAD,
    MAC,
    PURCHASE,
    PURCHASE_ALGORITHM_OF,
    RANDOM,
    LoadMac1Input,
    LoadMac2Input,
    LoadTacInput,
    Mac1Input,
    Mac2Input,
    PurchaseAlgorithm,
    TacInput,
)
from card_os.access import Rule, rule
from card_os.commands.account import Account, Held, count_of, credited, known, spent
from card_os.dispatch import CommandTable, Context
from card_os.secrets.keys import KeyObject
from card_os.session import Stage

commands = CommandTable()

_TAC: Final = key_named("DTK").kid
_NO_MAC2: Final = bytes(MAC)
_PIN_SHOWN: Final = rule(PIN)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase whose MAC1 is awaited."""

    key: KeyObject
    sequence: bytes
    random: bytes
    terms: DebitTerms = field(repr=False)


@dataclass(frozen=True, slots=True)
class Load:
    """A load whose MAC2 is awaited."""

    key: KeyObject
    sequence: bytes
    random: bytes
    terms: LoadTerms = field(repr=False)


B = TypeVar("B", Purchase, Load)


def by_holder(ctx: Context, _: None) -> Rule:
    """The holder has proven the PIN."""
    return _PIN_SHOWN


# Purchases


@commands.on(INITIALISE_DEBIT, access=by_holder, life=Stage.OPERATIONAL)
def initialise_debit(ctx: Context, _: None, given: DebitTerms) -> bytes:
    """Begin a purchase; nothing is booked yet.

    Refused in this order: 6985 outside DF04 and with the initial PIN; 6A80 when there is nothing
    to pay, or the terminal's number is no number; 6985 at the last sequence number; 9403 without
    the purchase key; 9401 and 6985 as booking it would be (`account.spent`).
    """
    account = _begin(ctx, given.terminal)
    if not (given.account or given.own or given.pool):
        raise StatusError(SW.WRONG_DATA, "there is nothing to pay")
    sequence = _number(account.state.next_sequence)
    key = _key(ctx, given.key_index, KeyUsage.PURCHASE, SW.KEY_INDEX_NOT_SUPPORTED)
    spent(account.held, given.account, given.own, given.pool)
    random = ctx.random(RANDOM)
    ctx.session.scratch = Purchase(key, sequence, random, given)
    version, algorithm = key.header.version, _algorithm(key)
    shown = _shown(account.held)
    return bytes(DebitInitialised(*shown, sequence, version, algorithm, random))


@commands.on(DEBIT, access=by_holder, life=Stage.OPERATIONAL)
def debit(ctx: Context, _: None, order: DebitOrder) -> bytes:
    """Book a purchase for a terminal that has shown MAC1, and prove it.

    Raises StatusError 6985 when none was begun, 9302 when MAC1 is wrong, 9406 without the TAC key,
    6A80 when the time is none, else as INIT did: the account may have been changed in between.
    """
    begun = _take(ctx, Purchase)
    account = _open(ctx)
    given = begun.terms
    terms = Mac1Input(given.account, given.own, given.pool, given.terminal, order.time)
    session = cryptograms.purchase_key(
        begun.key.cipher, begun.random, begun.sequence, order.terminal_sequence
    )
    if not compare_digest(cryptograms.mac1(session, terms), order.mac1):
        raise _wrong_mac("MAC1", begun)
    dtk = _key(ctx, _TAC, KeyUsage.TAC, SW.MAC_NOT_AVAILABLE)
    held = spent(account.held, given.account, given.own, given.pool)
    number = _same(account.state.next_sequence, begun.sequence)
    entry = _entry(begun.sequence, PURCHASE, given.terminal, order.time, bytes(terms)[:_AMOUNTS])
    booked = Mac2Input(begun.sequence, order.terminal_sequence, order.mac1)
    mac2 = cryptograms.mac2(session, booked)
    tac = cryptograms.tac(
        dtk.cipher,
        TacInput(
            given.account,
            given.own,
            given.pool,
            given.terminal,
            order.terminal_sequence,
            order.time,
        ),
    )
    state = replace(account.state, next_sequence=number + 1, proven=number, tac=tac, mac2=mac2)
    account.book(ctx.nvm, held, entry, state)
    return bytes(DebitDone(tac, mac2))


@commands.on(GET_TRANSACTION_PROVE, life=Stage.OPERATIONAL)
def get_transaction_prove(ctx: Context, ref: TransactionRef, number: bytes) -> bytes:
    """MAC2 and TAC of the last transaction, if it has this kind and number; else 9406.

    Anybody may ask, as in PBOC's purse: they are of use to nobody but who has the transaction.
    """
    account = Account.current(ctx)
    state = account.state
    last = account.newest()[: CARD_SEQUENCE + 1]
    if last != number + bytes((ref.kind,)) or state.proven.to_bytes(CARD_SEQUENCE) != number:
        text = "only the last transaction is proven: its number is {last}, or it is of another kind"
        raise StatusError(SW.MAC_NOT_AVAILABLE, text, last=state.proven)
    return bytes(TransactionProof(state.mac2, state.tac))


# Loads


@commands.on(INITIALISE_LOAD, access=by_holder, life=Stage.OPERATIONAL)
def initialise_load(ctx: Context, _: None, given: LoadTerms) -> bytes:
    """Begin a load, and prove to the centre what the account has.

    Refused as a purchase is; 6985 on a card without a balance, and when it would be too large.
    """
    account = _begin(ctx, given.terminal)
    if not given.amount:
        raise StatusError(SW.WRONG_DATA, "there is nothing to load")
    sequence = _number(account.state.next_load)
    key = _key(ctx, given.key_index, KeyUsage.LOAD, SW.KEY_INDEX_NOT_SUPPORTED)
    before = known(credited(account.held, given.amount).balance) - given.amount
    random = ctx.random(RANDOM)
    session = cryptograms.load_key(key.cipher, random, sequence)
    asked = LoadMac1Input(before, given.amount, given.terminal)
    mac1 = cryptograms.load_mac1(session, asked)
    ctx.session.scratch = Load(key, sequence, random, given)
    version, algorithm = key.header.version, _algorithm(key)
    return bytes(LoadInitialised(before, sequence, version, algorithm, random, mac1))


@commands.on(CREDIT_LOAD, access=by_holder, life=Stage.OPERATIONAL)
def credit_load(ctx: Context, _: None, order: LoadOrder) -> bytes:
    """Credit what the centre has allowed with MAC2, and prove it. Raises as DEBIT does."""
    begun = _take(ctx, Load)
    account = _open(ctx)
    given = begun.terms
    session = cryptograms.load_key(begun.key.cipher, begun.random, begun.sequence)
    allowed = LoadMac2Input(given.amount, given.terminal, order.time)
    if not compare_digest(cryptograms.load_mac2(session, allowed), order.mac2):
        raise _wrong_mac("MAC2", begun)
    dtk = _key(ctx, _TAC, KeyUsage.TAC, SW.MAC_NOT_AVAILABLE)
    held = credited(account.held, given.amount)
    number = _same(account.state.next_load, begun.sequence)
    amounts = given.amount.to_bytes(4) + bytes(8)
    entry = _entry(begun.sequence, LOAD, given.terminal, order.time, amounts)
    balance = known(held.balance)
    booked = LoadTacInput(balance, begun.sequence, given.amount, given.terminal, order.time)
    tac = cryptograms.load_tac(dtk.cipher, booked)
    state = replace(account.state, next_load=number + 1, proven=number, tac=tac, mac2=_NO_MAC2)
    account.book(ctx.nvm, held, entry, state)
    return bytes(LoadDone(tac))


# What both have in common

_AMOUNTS: Final = 12
"""Bytes of the three amounts."""


def _begin(ctx: Context, terminal: bytes) -> Account:
    """What was begun before is over, whatever comes of this."""
    ctx.session.scratch = None
    account = _open(ctx)
    TerminalNumber.parse(terminal)  # the log is to be readable
    return account


def _open(ctx: Context) -> Account:
    """The account, once its holder has chosen a PIN; else StatusError 6985."""
    account = Account.current(ctx)
    if ctx.pin(PIN_REFERENCE).is_initial():
        text = "{pin} still has its initial value: the holder must choose one first"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, pin=PIN_REFERENCE)
    return account


def _take(ctx: Context, kind: type[B]) -> B:
    """What was begun, for one use; StatusError 6985 when it was nothing of this kind."""
    begun, ctx.session.scratch = ctx.session.scratch, None
    if not isinstance(begun, kind):
        text = "no {what} was begun since SELECT, or it is used up"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, what=kind.__name__.lower())
    return begun


def _number(following: int) -> bytes:
    """The number of a transaction that begins. 6985 when they have come to their end, and for 0,
    which a file that nobody has filled in says."""
    if not 0 < following < LAST_SEQUENCE:
        text = "the next transaction would have number {number}: they are 1 to {last}"
        facts = {"number": following, "last": LAST_SEQUENCE - 1}
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, **facts)
    return following.to_bytes(CARD_SEQUENCE)


def _same(following: int, begun: bytes) -> int:
    """The number again; StatusError 6985 when the file was written since."""
    if following.to_bytes(CARD_SEQUENCE) != begun:
        text = "number {begun} was begun, and the account says {number} by now"
        facts = {"begun": int.from_bytes(begun), "number": following}
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, **facts)
    return following


def _key(ctx: Context, kid: int, usage: KeyUsage, missing: SW) -> KeyObject:
    try:
        return ctx.key(kid, usage)
    except StatusError as refused:
        raise refused.told_as(missing) from None


def _wrong_mac(name: str, begun: Purchase | Load) -> StatusError:
    """9302: what was begun is over."""
    header = begun.key.header
    text = "{name} does not match under {key}, version {version}, for number {number}"
    facts = {"key": header.reference, "usage": header.usage, "version": header.version}
    number = int.from_bytes(begun.sequence)
    return StatusError(SW.MAC_INVALID, text, name=name, number=number, **facts)


def _algorithm(key: KeyObject) -> PurchaseAlgorithm:
    return PURCHASE_ALGORITHM_OF[key.header.algorithm]


def _shown(held: Held) -> tuple[int, int, int]:
    """Balance, off-line amount and off-line count, as a terminal is told them."""
    if isinstance(held, OfflineTotals):
        return 0, known(held.amount), count_of(held)
    return known(held.balance), 0, 0


def _entry(sequence: bytes, kind: bytes, terminal: bytes, time: bytes, amounts: bytes) -> bytes:
    """The record for the log; FormatError or StatusError 6A80 when the time is none."""
    entry = sequence + kind + terminal + time + amounts
    if MedicalTransaction.parse(entry).at is None:
        raise StatusError(SW.WRONG_DATA, "the time of the transaction is none")
    return entry
