# SPDX-License-Identifier: Apache-2.0
"""A purchase from the medical account (医保消费), and what became of it when the card was pulled.

The PIN must have been verified, and not be the initial one (`host.terminal.hrss`). `purchase` does
all of it with a key source at hand. Where a program carries the question to a key centre, what
`begin_purchase` returns is the question, and `finish_purchase` takes the answer.

The command that books is sent once and never again. When no answer came, PurchaseInDoubt says so,
and has what `recover` needs to ask the card, whenever it is there again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Final

from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.wire.hrss.df04 import TRANSACTIONS, MedicalTransaction
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.keys import SSSE_KEYS, KeySpec
from apdu.wire.hrss.medical import LARGEST, TransactionKind
from apdu.wire.perso import KeyUsage
from apdu.wire.psam import TerminalNumber
from apdu.wire.purchase import (
    PURCHASE,
    PURCHASE_ALGORITHM_OF,
    TERMINAL,
    LocalTime,
    Mac1Input,
    PurchaseAlgorithm,
)
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import CardFault, CardGone, CardMisspoke, CardRefused
from host.keys import CardIdentity, KeySource, Purchase, PurchaseBegun

_KEYS: Final = {key.version: key for key in SSSE_KEYS if key.usage is KeyUsage.PURCHASE}
_SUITE_OF: Final = {code: SUITES[known] for known, code in PURCHASE_ALGORITHM_OF.items()}
_UNDECIDED: Final = frozenset({0x62, 0x63, 0x65, 0x6F})
"""First bytes of status words after which the card may have booked all the same: warnings, memory
that failed meanwhile, and no diagnosis."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be paid, in fen, and where and when.

    `account`: from the personal account (个人账户), `own`: by the holder (个人自付), `pool`: by
    the pool (统筹基金); `at`: local time in whole seconds; `terminal`: its number, 12 digits;
    `key_index`: which purchase key (DPK). Raises FormatError naming the field and the rule.
    """

    account: int
    own: int
    pool: int
    at: datetime
    terminal: str
    key_index: int = 1

    def __post_init__(self) -> None:
        for name in ("account", "own", "pool"):
            check_amount(name, getattr(self, name))
        if not (self.account or self.own or self.pool):
            raise FormatError("account, own, pool: there is nothing to pay")
        check_place(self.at, self.terminal)
        check_key_index(self.key_index)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the card has booked. The centre settles by the TAC, which it alone can check.

    `sequence`: the card's number of it; `terminal_sequence`: the terminal's, 4 bytes; `tac`,
    `mac2`: 4 bytes each; `judged`: whether the key source has found MAC2 right. After `recover`
    bytes that are not known any more are empty.
    """

    sequence: int
    terminal_sequence: bytes
    tac: bytes
    mac2: bytes
    judged: bool
    terms: Terms


class PurchaseInDoubt(CardFault):
    """Whether the card has booked is not known, or it has and this could not be judged.

    `request` and `begun` are what `recover` asks the card with. Its cause is the fault that
    happened: CardGone when the card was pulled.
    """

    def __init__(self, request: Purchase, begun: PurchaseBegun) -> None:
        super().__init__("the purchase may have been booked: ask the card before it is tried anew")
        self.request = request
        self.begun = begun


def purchase(client: HrssClient, source: KeySource, card: CardIdentity, terms: Terms) -> Receipt:
    """Buy. Leaves DF04 selected.

    Raises PurchaseInDoubt as `finish_purchase` does, and when the source went away before it
    judged MAC2; CardNotGenuine when MAC2 is wrong, which an honest card's never is.
    """
    with client.card.transaction():
        request = begin_purchase(client, card, terms)
        begun = source.begin_purchase(request)
        receipt = finish_purchase(client, request, begun)
        try:
            judged = source.end_purchase(request, begun, receipt.mac2)
        except CardGone as gone:
            raise PurchaseInDoubt(request, begun) from gone
    return replace(receipt, judged=judged)


def begin_purchase(client: HrssClient, card: CardIdentity, terms: Terms) -> Purchase:
    """Go to DF04 and begin: what the key source has to be asked. Nothing is booked yet."""
    terminal = bytes(TerminalNumber(terms.terminal))
    with client.card.transaction():
        client.enter(DF04)
        found = MedicalClient(client.card).initialise_debit(
            terms.key_index, terms.account, terms.own, terms.pool, terminal
        )
    check_suite(found.algorithm, card)
    if found.balance > LARGEST:
        raise CardMisspoke("MEDICAL DEBIT INIT: a balance that cannot be")
    time = bytes(LocalTime(terms.at))
    asked = Mac1Input(terms.account, terms.own, terms.pool, terminal, time)
    return Purchase(_key(found.version), card, found.random, found.card_sequence, asked)


def finish_purchase(client: HrssClient, request: Purchase, begun: PurchaseBegun) -> Receipt:
    """Let the card book; nothing else may have been sent to it since it began.

    Raises CardRefused when it did not, and PurchaseInDoubt when it did not say.
    """
    medical = MedicalClient(client.card)
    try:
        done = medical.debit(begun.terminal_sequence, request.terms.time, begun.mac1)
    except CardRefused as refusal:
        if not is_undecided(refusal):
            raise
        raise PurchaseInDoubt(request, begun) from refusal
    except (CardGone, CardMisspoke) as fault:
        raise PurchaseInDoubt(request, begun) from fault
    return _receipt(request, begun.terminal_sequence, done.tac, done.mac2)


def recover(
    client: HrssClient, request: Purchase, begun: PurchaseBegun | None = None
) -> Receipt | None:
    """Whether a purchase happened, from the card alone: its receipt, or None when it did not.

    The PIN must be verified anew. The card's log decides; MAC2 and TAC come along unless another
    transaction was booked since. With `begun` the source can still judge MAC2: `end_purchase`.
    Sends nothing that books.
    """
    terminal_sequence = begun.terminal_sequence if begun else b""
    with client.card.transaction():
        client.enter(DF04)
        medical = MedicalClient(client.card)
        if not is_logged(medical, _entry(request)):
            return None
        tac, mac2 = proof_of(medical, request.card_sequence, TransactionKind.PURCHASE)
    return _receipt(request, terminal_sequence, tac, mac2)


def is_logged(medical: MedicalClient, entry: MedicalTransaction) -> bool:
    """Whether the card's log has this very record. Needs the PIN."""
    numbers = range(1, TRANSACTIONS.records + 1)
    found = takewhile(lambda each: each is not None, map(medical.transaction, numbers))
    return any(each == entry for each in found)


def proof_of(medical: MedicalClient, sequence: bytes, kind: TransactionKind) -> tuple[bytes, bytes]:
    """TAC and MAC2 of a transaction; both empty when the card has them no more."""
    try:
        found = medical.transaction_prove(sequence, kind)
    except CardRefused as refusal:
        if refusal.sw != SW.MAC_NOT_AVAILABLE:
            raise
        return b"", b""
    return found.tac, found.mac2


def check_amount(name: str, fen: int) -> None:
    """Raise FormatError unless it is an amount that a card can hold."""
    if not isinstance(fen, int) or isinstance(fen, bool) or not 0 <= fen <= LARGEST:
        raise FormatError(f"{name}: must be an amount in fen, 0 to {LARGEST}")


def check_place(at: datetime, terminal: str) -> None:
    """Raise FormatError unless a card can write down this time and this terminal."""
    if at.tzinfo is not None or at.microsecond:
        raise FormatError("time: must be a local time in whole seconds")
    if not (terminal.isascii() and terminal.isdecimal() and len(terminal) == 2 * TERMINAL):
        raise FormatError(f"terminal: must be {2 * TERMINAL} digits")


def check_key_index(index: int) -> None:
    """Raise FormatError for what is no KID."""
    if index not in range(0x100):
        raise FormatError("key index: must be 0 to 255")


def check_suite(algorithm: PurchaseAlgorithm, card: CardIdentity) -> None:
    """Raise CardMisspoke when the key is of another algorithm than the card as a whole."""
    if _SUITE_OF.get(algorithm) is not card.suite:
        raise CardMisspoke("the account's key is of another algorithm than the card's others")


def is_undecided(refusal: CardRefused) -> bool:
    """Whether the card may have booked although its answer was no 9000."""
    return refusal.sw >> 8 in _UNDECIDED


def _key(version: int) -> KeySpec:
    if version not in _KEYS:
        raise CardMisspoke("MEDICAL DEBIT INIT: a version that no purchase key has")
    return _KEYS[version]


def _terms(request: Purchase) -> Terms:
    terms = request.terms
    at = LocalTime.parse(terms.time).at
    if at is None:
        raise FormatError("time: is missing")
    terminal = TerminalNumber.parse(terms.terminal).number
    return Terms(terms.account, terms.own, terms.pool, at, terminal, request.key.kid)


def _entry(request: Purchase) -> MedicalTransaction:
    """What the log says of this purchase."""
    terms, sequence = _terms(request), int.from_bytes(request.card_sequence)
    amounts = terms.account, terms.own, terms.pool
    return MedicalTransaction(sequence, PURCHASE, terms.terminal, terms.at, *amounts)


def _receipt(request: Purchase, terminal_sequence: bytes, tac: bytes, mac2: bytes) -> Receipt:
    sequence = int.from_bytes(request.card_sequence)
    return Receipt(sequence, terminal_sequence, tac, mac2, False, _terms(request))
