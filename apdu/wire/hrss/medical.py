# SPDX-License-Identifier: Apache-2.0
"""The commands of the medical account (医保个人账户) in DF04.

INS, lengths and the last eight bytes of the answer to MEDICAL DEBIT INIT are as two or three
vendors' drivers have them. What GET TRANSACTION PROVE and the load look like is taken from PBOC's
purse (JR/T 0025.1): no source shows them on this card.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.wire.fields import bit_choice, bit_const, choice, const, fixed, raw, uint, wire
from apdu.wire.form import RAW, CommandForm, Fixed
from apdu.wire.purchase import (
    CARD_SEQUENCE,
    LOAD,
    MAC,
    PURCHASE,
    RANDOM,
    TERMINAL,
    TERMINAL_SEQUENCE,
    TIME,
    PurchaseAlgorithm,
)
from apdu.wire.record import BitRecord, Record, record

LARGEST: Final = 0xFFFFFFFE
"""The largest amount, and the largest sum, in fen: FFFFFFFF is an amount that was erased."""
LAST_SEQUENCE: Final = 0xFFFF
"""A sequence number that is never used: numbers do not begin anew."""
MAX_COUNT: Final = 99
"""Purchases off line (脱网累计次数) until the card wants to see its issuer: two digits."""


class TransactionKind(IntEnum):
    """交易类型."""

    LOAD = LOAD[0]
    PURCHASE = PURCHASE[0]


@record
class DebitTerms(Record):
    """Data of MEDICAL DEBIT INIT. Amounts in fen; `terminal`: cn, its number.

    `key_index`: the KID of the purchase key (DPK); `account`: from the personal account
    (个人账户), `own`: the holder's (个人自付), `pool`: the pool's (统筹基金).
    """

    key_index: int = wire(uint(1))
    account: int = wire(uint(4))
    own: int = wire(uint(4))
    pool: int = wire(uint(4))
    terminal: bytes = wire(raw(TERMINAL))


@record
class DebitInitialised(Record):
    """What MEDICAL DEBIT INIT answers. Amounts in fen.

    `balance`: of the personal account, 0 on cards that have none; `offline_amount` and
    `offline_count`: 脱网累计金额 and 脱网累计次数, 0 on cards that have a balance. These 14 bytes
    are profile choice `debit-init`; drivers read what follows them.
    """

    balance: int = wire(uint(4))
    offline_amount: int = wire(uint(4))
    offline_count: int = wire(uint(2))
    reserved: bytes = fixed(const(bytes(4)))
    card_sequence: bytes = wire(raw(CARD_SEQUENCE))
    version: int = wire(uint(1))
    algorithm: PurchaseAlgorithm = wire(choice(PurchaseAlgorithm))
    random: bytes = wire(raw(RANDOM))


@record
class DebitOrder(Record):
    """Data of MEDICAL DEBIT: what the PSAM gave. `time`: cn, YYYYMMDDhhmmss."""

    terminal_sequence: bytes = wire(raw(TERMINAL_SEQUENCE))
    time: bytes = wire(raw(TIME))
    mac1: bytes = wire(raw(MAC))


@record
class DebitDone(Record):
    """What MEDICAL DEBIT answers when it has booked."""

    tac: bytes = wire(raw(MAC))
    mac2: bytes = wire(raw(MAC))


@record
class TransactionRef(BitRecord):
    """P1-P2 of GET TRANSACTION PROVE: the kind of transaction."""

    p1: int = fixed(bit_const(0, 8))
    kind: TransactionKind = wire(bit_choice(TransactionKind, 8))


@record
class TransactionProof(Record):
    """What GET TRANSACTION PROVE answers; `mac2` of a load is zeros, the card makes none."""

    mac2: bytes = wire(raw(MAC))
    tac: bytes = wire(raw(MAC))


@record
class LoadTerms(Record):
    """Data of INITIALIZE FOR LOAD. `amount` in fen; `terminal`: cn, its number.

    `key_index`: the KID of the load key (DLK).
    """

    key_index: int = wire(uint(1))
    amount: int = wire(uint(4))
    terminal: bytes = wire(raw(TERMINAL))


@record
class LoadInitialised(Record):
    """What INITIALIZE FOR LOAD answers. `balance` in fen, as it is before."""

    balance: int = wire(uint(4))
    card_sequence: bytes = wire(raw(CARD_SEQUENCE))
    version: int = wire(uint(1))
    algorithm: PurchaseAlgorithm = wire(choice(PurchaseAlgorithm))
    random: bytes = wire(raw(RANDOM))
    mac1: bytes = wire(raw(MAC))


@record
class LoadOrder(Record):
    """Data of CREDIT FOR LOAD: what the centre gave. `time`: cn, YYYYMMDDhhmmss."""

    time: bytes = wire(raw(TIME))
    mac2: bytes = wire(raw(MAC))


@record
class LoadDone(Record):
    """What CREDIT FOR LOAD answers when it has booked."""

    tac: bytes = wire(raw(MAC))


_OBSERVED: Final = "LD/T 32.5, coding observed"
_AS_PBOC: Final = "JR/T 0025.1, profile choice"

INITIALISE_DEBIT = CommandForm(
    "MEDICAL DEBIT INIT",
    0x28,
    Fixed(0x0101),
    DebitTerms,
    DebitInitialised,
    cases=frozenset({3, 4}),
    cla=0xB0,
    lc=range(19, 20),
    spec=_OBSERVED,
)
DEBIT = CommandForm(
    "MEDICAL DEBIT",
    0x2C,
    Fixed(0x0100),
    DebitOrder,
    DebitDone,
    cases=frozenset({3, 4}),
    cla=0xB0,
    lc=range(15, 16),
    spec=_OBSERVED,
)
GET_TRANSACTION_PROVE = CommandForm(
    "GET TRANSACTION PROVE",
    0x5A,
    TransactionRef,
    RAW,
    TransactionProof,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(CARD_SEQUENCE, CARD_SEQUENCE + 1),
    spec=_AS_PBOC,
)
"""Its data is the number of the transaction."""
INITIALISE_LOAD = CommandForm(
    "INITIALIZE FOR LOAD",
    0x50,
    Fixed(LOAD[0]),
    LoadTerms,
    LoadInitialised,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(11, 12),
    spec=_AS_PBOC,
)
CREDIT_LOAD = CommandForm(
    "CREDIT FOR LOAD",
    0x52,
    Fixed(),
    LoadOrder,
    LoadDone,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(11, 12),
    spec=_AS_PBOC,
)
