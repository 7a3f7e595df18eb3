# SPDX-License-Identifier: Apache-2.0
"""What a purchase from the medical account (医保个人账户消费) is computed over.

Fields and lengths are those that drivers hand to a PSAM; that the cryptograms are over these, in
this order, is profile choice `purchase-cryptograms`: no source shows the formulas.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.wire.fields import const, fixed, raw, uint, wire
from apdu.wire.perso import Algorithm
from apdu.wire.record import Record, record

PURCHASE: Final = b"\x32"
"""Transaction type: a purchase."""
TERMINAL, TIME, RANDOM = 6, 7, 4
"""Bytes of a terminal's number, of a time YYYYMMDDhhmmss in BCD, and of a card's random number."""
CARD_SEQUENCE, TERMINAL_SEQUENCE, MAC = 2, 4, 4


class PurchaseAlgorithm(IntEnum):
    """How a card names its algorithm to the PSAM. Profile choice `purchase-algorithm`: for SM4 no
    source has a number, and 04 is that of payment cards (JR/T 0025.17)."""

    TDES = 0x00
    DES = 0x01
    """Keys of 8 bytes; no card of this project has any."""
    SM4 = 0x04


PURCHASE_ALGORITHM_OF: Final = {
    Algorithm.TDES: PurchaseAlgorithm.TDES,
    Algorithm.SM4: PurchaseAlgorithm.SM4,
}


@record
class Mac1Input(Record):
    """MAC1 is over this: the PSAM's word that the terminal is a real one. Amounts in fen.

    `account`: from the personal account (个人账户), `own`: the holder's (个人自付), `pool`: the
    pool's (统筹基金). `terminal`: cn, its number; `time`: cn.
    """

    account: int = wire(uint(4))
    own: int = wire(uint(4))
    pool: int = wire(uint(4))
    kind: bytes = fixed(const(PURCHASE))
    terminal: bytes = wire(raw(TERMINAL))
    time: bytes = wire(raw(TIME))


@record
class Mac2Input(Record):
    """MAC2 is over this: the card's word that it has booked."""

    card_sequence: bytes = wire(raw(CARD_SEQUENCE))
    terminal_sequence: bytes = wire(raw(TERMINAL_SEQUENCE))
    mac1: bytes = wire(raw(MAC))


@record
class TacInput(Record):
    """The TAC is over this: what the centre settles by. Amounts in fen, as in `Mac1Input`."""

    account: int = wire(uint(4))
    own: int = wire(uint(4))
    pool: int = wire(uint(4))
    kind: bytes = fixed(const(PURCHASE))
    terminal: bytes = wire(raw(TERMINAL))
    terminal_sequence: bytes = wire(raw(TERMINAL_SEQUENCE))
    time: bytes = wire(raw(TIME))
