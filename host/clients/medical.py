# SPDX-License-Identifier: Apache-2.0
"""The medical account (医保个人账户) from the terminal's side."""

from __future__ import annotations

from apdu.wire.hrss.df04 import (
    TOTALS,
    TRANSACTIONS,
    AccountBalance,
    MedicalTransaction,
    OfflineTotals,
)
from apdu.wire.hrss.medical import (
    CREDIT_LOAD,
    DEBIT,
    GET_TRANSACTION_PROVE,
    INITIALISE_DEBIT,
    INITIALISE_LOAD,
    DebitDone,
    DebitInitialised,
    DebitOrder,
    DebitTerms,
    LoadDone,
    LoadInitialised,
    LoadOrder,
    LoadTerms,
    TransactionKind,
    TransactionProof,
    TransactionRef,
)
from apdu.wire.iso7816 import READ_RECORD, ReadMode, RecordRef
from host.card import Card
from host.faults import NotFound
from host.reading import read_as


class MedicalClient:
    """A card whose DF04 is current. Amounts are in fen.

    All verbs raise the faults of `host.faults`: NotAllowed (6982) when the PIN must be proven
    first, NotAllowed (6985) when the card will not: initial PIN, off-line purchases not permitted
    or too many, another card than one with a balance, no account at all.
    """

    def __init__(self, card: Card) -> None:
        self.card = card

    # Purchases

    def initialise_debit(
        self, key_index: int, account: int, own: int, pool: int, terminal: bytes
    ) -> DebitInitialised:
        """Begin a purchase; `terminal` is its number, 6 bytes of BCD.

        CardRefused: 9401 when the balance is too small, 9403 without this purchase key.
        """
        given = DebitTerms(key_index, account, own, pool, terminal)
        size = DebitInitialised.byte_length()
        return self.card.send(INITIALISE_DEBIT, None, given, ne=size)

    def debit(self, terminal_sequence: bytes, time: bytes, mac1: bytes) -> DebitDone:
        """Book the purchase that was begun last; it cannot be tried twice.

        CardRefused: 9302 when MAC1 is wrong, 9406 when the card has no key for the TAC.
        """
        given = DebitOrder(terminal_sequence, time, mac1)
        return self.card.send(DEBIT, None, given, ne=DebitDone.byte_length())

    def transaction_prove(
        self, sequence: bytes, kind: TransactionKind = TransactionKind.PURCHASE
    ) -> TransactionProof:
        """MAC2 and TAC of the card's last transaction. CardRefused 9406 when it is another one."""
        size = TransactionProof.byte_length()
        return self.card.send(GET_TRANSACTION_PROVE, TransactionRef(kind), sequence, ne=size)

    # Loads

    def initialise_load(self, key_index: int, amount: int, terminal: bytes) -> LoadInitialised:
        """Begin a load, on a card with a balance. CardRefused 9403 without this load key."""
        given = LoadTerms(key_index, amount, terminal)
        return self.card.send(INITIALISE_LOAD, None, given, ne=LoadInitialised.byte_length())

    def credit_load(self, time: bytes, mac2: bytes) -> LoadDone:
        """Book the load that was begun last, with the centre's MAC2; 9302 when that is wrong."""
        return self.card.send(CREDIT_LOAD, None, LoadOrder(time, mac2), ne=LoadDone.byte_length())

    # What the account says

    def transaction(self, number: int) -> MedicalTransaction | None:
        """A record of the log (EF08), 1 being the newest, or None. Needs the PIN."""
        try:
            found = self.card.send(READ_RECORD, RecordRef(number, TRANSACTIONS.sfi), None)
        except NotFound:
            return None
        return read_as(MedicalTransaction, found)

    def transactions(self) -> tuple[MedicalTransaction, ...]:
        """All of the log, the newest first. Needs the PIN."""
        found: list[MedicalTransaction] = []
        # A card that goes on is not followed.
        while len(found) < TRANSACTIONS.records:
            entry = self.transaction(len(found) + 1)
            if entry is None:
                break
            found.append(entry)
        return tuple(found)

    def totals(self) -> OfflineTotals:
        """What was settled off line (EF06, from 2.0 on). Needs the PIN and RK1DF04."""
        return read_as(OfflineTotals, self._money())

    def balance(self) -> AccountBalance:
        """The personal account (EF06, 1.0). Needs the PIN and RK1DF04."""
        return read_as(AccountBalance, self._money())

    def _money(self) -> bytes:
        return self.card.send(READ_RECORD, RecordRef(1, TOTALS.sfi, ReadMode.ALL_FROM), None)
