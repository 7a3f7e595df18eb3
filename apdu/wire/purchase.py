# SPDX-License-Identifier: Apache-2.0
"""What a purchase from the medical account (医保个人账户消费) and a load of it (账户划入) are
computed over.

Fields and lengths of a purchase are those that drivers hand to a PSAM; that the cryptograms are
over these, in this order, is profile choice `purchase-cryptograms`: no source shows the formulas.
Of the load only its name is known: all of it is as PBOC's purse has it (profile choice `load`).
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Final

from apdu.wire.fields import const, fixed, moment, raw, uint, wire
from apdu.wire.perso import Algorithm
from apdu.wire.record import Record, record

PURCHASE: Final = b"\x32"
"""Transaction type: a purchase."""
LOAD: Final = b"\x31"
"""Transaction type: a load (profile choice `load`)."""
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


@record
class LoadMac1Input(Record):
    """MAC1 of a load is over this: the card's word on its balance. Amounts in fen.

    `terminal`: cn, the number of the terminal, here and below.
    """

    balance: int = wire(uint(4))
    amount: int = wire(uint(4))
    kind: bytes = fixed(const(LOAD))
    terminal: bytes = wire(raw(TERMINAL))


@record
class LoadMac2Input(Record):
    """MAC2 of a load is over this: the centre's word that the card may credit. `time`: cn."""

    amount: int = wire(uint(4))
    kind: bytes = fixed(const(LOAD))
    terminal: bytes = wire(raw(TERMINAL))
    time: bytes = wire(raw(TIME))


@record
class LoadTacInput(Record):
    """The TAC of a load is over this. `balance`: what the account has then; `sequence`: that of
    this load."""

    balance: int = wire(uint(4))
    sequence: bytes = wire(raw(CARD_SEQUENCE))
    amount: int = wire(uint(4))
    kind: bytes = fixed(const(LOAD))
    terminal: bytes = wire(raw(TERMINAL))
    time: bytes = wire(raw(TIME))


@record
class LocalTime(Record):
    """A time as these commands have it: cn, YYYYMMDDhhmmss."""

    at: datetime | None = wire(moment())
