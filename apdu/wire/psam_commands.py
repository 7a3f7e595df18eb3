# SPDX-License-Identifier: Apache-2.0
"""The commands of a PSAM, as two or three vendors' drivers send them."""

from __future__ import annotations

from typing import Final

from apdu.wire.fields import (
    before,
    bit_choice,
    bit_const,
    bits,
    choice,
    const,
    fixed,
    raw,
    rest,
    uint,
    wire,
)
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed
from apdu.wire.perso import KeyBlock
from apdu.wire.psam import MAX_LEVELS, CryptMode
from apdu.wire.purchase import (
    CARD_SEQUENCE,
    MAC,
    PURCHASE,
    RANDOM,
    TERMINAL_SEQUENCE,
    TIME,
    PurchaseAlgorithm,
)
from apdu.wire.record import BitRecord, Record, record

FACTOR: Final = 8
"""Bytes of a diversification factor, of a challenge, and of the initial value of a MAC."""


@record
class MasterRef(BitRecord):
    """P1-P2 of the commands that name a master: its usage byte and key id."""

    usage: int = wire(bits(8))
    id: int = wire(bits(8))


@record
class DeriveData(Record):
    """Data of DERIVE SESSION KEY: the factors card, city, province, as many as the usage byte
    says; then the challenge that the session is for."""

    factors: bytes = wire(before(FACTOR))
    challenge: bytes = wire(raw(FACTOR))


@record
class CryptRef(BitRecord):
    """P1-P2 of CRYPT."""

    mode: CryptMode = wire(bit_choice(CryptMode, 8))
    p2: int = fixed(bit_const(0, 8))


@record
class MacData(Record):
    """Data of CRYPT for a MAC: an initial value, then whole blocks.

    The initial value has 8 bytes in every suite; it goes into the beginning of the first block
    (for blocks of 16 bytes profile choice `psam-initial-value`).
    """

    initial: bytes = wire(raw(FACTOR), secret=True)
    blocks: bytes = wire(rest(), secret=True)


@record
class PurchaseData(Record):
    """Data of INITIALISE PURCHASE. Amounts in fen; `time` is YYYYMMDDhhmmss in BCD.

    `random`, `card_sequence`, `version` (of the purchase key) and `algorithm` are what the card
    answered; `factors` are card, or card and city.
    """

    random: bytes = wire(raw(RANDOM))
    card_sequence: bytes = wire(raw(CARD_SEQUENCE))
    account: int = wire(uint(4))
    own: int = wire(uint(4))
    pool: int = wire(uint(4))
    kind: bytes = fixed(const(PURCHASE))
    time: bytes = wire(raw(TIME))
    version: int = wire(uint(1))
    algorithm: PurchaseAlgorithm = wire(choice(PurchaseAlgorithm))
    factors: bytes = wire(rest())


@record
class PurchaseReply(Record):
    """What INITIALISE PURCHASE answers."""

    terminal_sequence: bytes = wire(raw(TERMINAL_SEQUENCE))
    mac1: bytes = wire(raw(MAC))


_SPEC: Final = "PSAM of LD/T 32 cards, coding observed"

DERIVE_SESSION_KEY = CommandForm(
    "DERIVE SESSION KEY",
    0xDE,
    MasterRef,
    DeriveData,
    NOTHING,
    cases=frozenset({3}),
    cla=0xBF,
    lc=range(FACTOR, (MAX_LEVELS + 1) * FACTOR + 1),
    spec=_SPEC,
)
CRYPT = CommandForm(
    "CRYPT",
    0xFA,
    CryptRef,
    RAW,
    RAW,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(FACTOR, 0x100),
    secret=True,
    spec=_SPEC,
)
"""Its data may be a PIN that is to be enciphered, so it counts as secret."""
INITIALISE_PURCHASE = CommandForm(
    "INITIALISE PURCHASE",
    0x70,
    Fixed(0x0100),
    PurchaseData,
    PurchaseReply,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(0x24, 0x2D),
    spec=_SPEC,
)
VERIFY_MAC2 = CommandForm(
    "VERIFY MAC2",
    0x72,
    Fixed(),
    RAW,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(MAC, MAC + 1),
    spec=_SPEC,
)
WRITE_MASTER_KEY = CommandForm(
    "WRITE MASTER KEY",
    0xD4,
    MasterRef,
    KeyBlock,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(5, 37),
    secret=True,
    spec="PBOC COS practice, data field own",
)
"""WRITE KEY as a PSAM takes it while it is personalised."""
