# SPDX-License-Identifier: Apache-2.0
"""The commands of the HRSS application that are its own, or that it codes in its own way."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.wire.fields import bit_choice, bit_const, bits, fixed, raw, rest, terminated, wire
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed
from apdu.wire.record import BitRecord, Record, record

CRYPTOGRAM: Final = 8
"""Bytes of a challenge, of authentication data and of a cryptogram."""


@record
class KeyNumber(BitRecord):
    """P1-P2 of the authentication commands: the KID; which algorithm, the key knows."""

    p1: int = fixed(bit_const(0, 8))
    kid: int = wire(bits(8))


@record
class InternalData(Record):
    """Data of INTERNAL AUTHENTICATE: key factor R1, data R2, perhaps the key's version."""

    factor: bytes = wire(raw(CRYPTOGRAM))
    data: bytes = wire(raw(CRYPTOGRAM))
    version: bytes = wire(rest(), default=b"")


@record
class ExternalData(Record):
    """Data of EXTERNAL AUTHENTICATE: cryptogram, the data it is over, perhaps the key's version.

    The key factor is not in it: that is what the last GET CHALLENGE gave.
    """

    cryptogram: bytes = wire(raw(CRYPTOGRAM))
    data: bytes = wire(raw(CRYPTOGRAM))
    version: bytes = wire(rest(), default=b"")


@record
class PinChange(Record):
    """Data of CHANGE PIN: the old PIN, FF, the new PIN, both packed BCD."""

    old: bytes = wire(terminated(0xFF), secret=True)
    new: bytes = wire(rest(), secret=True)


class PinService(IntEnum):
    """P2 of PIN CHANGE/UNBLOCK."""

    UNBLOCK = 0x00
    """All tries again (PIN 解锁)."""
    RELOAD = 0x01
    """A new PIN, and all tries again (PIN 重装)."""


@record
class PinServiceRef(BitRecord):
    """P1-P2 of PIN CHANGE/UNBLOCK."""

    p1: int = fixed(bit_const(0, 8))
    service: PinService = wire(bit_choice(PinService, 8))


class BlockKind(IntEnum):
    """P2 of APPLICATION BLOCK."""

    TEMPORARY = 0x00
    """Until APPLICATION UNBLOCK (临时锁定)."""
    PERMANENT = 0x01
    """For good (永久锁定)."""


@record
class BlockRef(BitRecord):
    """P1-P2 of APPLICATION BLOCK."""

    p1: int = fixed(bit_const(0, 8))
    kind: BlockKind = wire(bit_choice(BlockKind, 8))


INTERNAL_AUTHENTICATE = CommandForm(
    "INTERNAL AUTHENTICATE",
    0x88,
    KeyNumber,
    InternalData,
    RAW,
    cases=frozenset({3, 4}),
    lc=range(16, 18),
    spec="LD/T 32.5, coding observed",
)
EXTERNAL_AUTHENTICATE = CommandForm(
    "EXTERNAL AUTHENTICATE",
    0x82,
    KeyNumber,
    ExternalData,
    NOTHING,
    cases=frozenset({3}),
    lc=range(16, 18),
    spec="LD/T 32.5, coding observed",
)
CHANGE_PIN = CommandForm(
    "CHANGE PIN",
    0x5E,
    Fixed(0x0100),
    PinChange,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(1, 18),
    secret=True,
    spec="LD/T 32.5, coding observed",
)
PIN_CHANGE_UNBLOCK = CommandForm(
    "PIN CHANGE/UNBLOCK",
    0x24,
    PinServiceRef,
    RAW,
    NOTHING,
    cases=frozenset({1, 3}),
    cla=0x80,
    lc=range(1, 9),
    secret=True,
    spec="LD/T 32.5, coding observed",
)
"""Before its protection: no data to unblock, the new PIN in packed BCD to reload."""

APPLICATION_BLOCK = CommandForm(
    "APPLICATION BLOCK",
    0x1E,
    BlockRef,
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="LD/T 32.5, coding of PBOC",
)
"""Before its protection, as the two below: a MAC is all that they carry. Of the current DF."""
APPLICATION_UNBLOCK = CommandForm(
    "APPLICATION UNBLOCK",
    0x18,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="PBOC, coding of PBOC",
)
CARD_BLOCK = CommandForm(
    "CARD BLOCK",
    0x16,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="LD/T 32.5, coding of PBOC",
)
