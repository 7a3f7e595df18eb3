# SPDX-License-Identifier: Apache-2.0
"""The commands of GlobalPlatform by which an application is personalised (Card Specification 2.3
chapter 11 and annex E, its amendment D, and the EMV Card Personalization Specification)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import (
    bit_choice,
    bit_const,
    bits,
    const,
    fixed,
    raw,
    uint,
    wire,
)
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.record import BitRecord, Record, record


class Level(IntEnum):
    """Security level of a channel. Without any, or with protected answers, there is none here
    (profile choice `channel-levels`)."""

    MAC = 0x01
    MAC_AND_ENCIPHERMENT = 0x03
    """C-MAC and C-DECRYPTION."""


class Protocol(IntEnum):
    """Secure channel protocol, by its number."""

    SCP02 = 0x02
    SCP03 = 0x03


OPTION_03: Final = 0x10
"""Implementation option of SCP03: a card challenge that follows from the counter."""


@record
class KeySetRef(BitRecord):
    """P1-P2 of INITIALIZE UPDATE: which version of the keys, 0 for the first there is."""

    version: int = wire(bits(8), default=0)
    p2: int = fixed(bit_const(0, 8))


@record
class LevelRef(BitRecord):
    """P1-P2 of EXTERNAL AUTHENTICATE."""

    level: Level = wire(bit_choice(Level, 8))
    p2: int = fixed(bit_const(0, 8))


@record
class Scp02Begun(Record):
    """What INITIALIZE UPDATE answers under SCP02, 28 bytes (annex E table E-8)."""

    diversification: bytes = wire(raw(10))
    """What the static keys were made from; here the chip's number behind two zeros."""
    version: int = wire(uint(1))
    protocol: bytes = fixed(const(b"\x02"))
    counter: bytes = wire(raw(2))
    challenge: bytes = wire(raw(6))
    cryptogram: bytes = wire(raw(8))


@record
class Scp03Begun(Record):
    """What INITIALIZE UPDATE answers under SCP03, 32 bytes (amendment D 7.1.1)."""

    diversification: bytes = wire(raw(10))
    version: int = wire(uint(1))
    protocol: bytes = fixed(const(b"\x03"))
    option: int = wire(uint(1))
    challenge: bytes = wire(raw(8))
    cryptogram: bytes = wire(raw(8))
    counter: bytes = wire(raw(3))


class _Begun:
    """Either answer, told apart by the protocol's number."""

    def parse(self, raw: bytes, /) -> Scp02Begun | Scp03Begun:
        match raw[11:12]:
            case b"\x02":
                return Scp02Begun.parse(raw)
            case b"\x03":
                return Scp03Begun.parse(raw)
        raise FormatError("INITIALIZE UPDATE: the card speaks neither SCP02 nor SCP03")

    def build(self, value: Scp02Begun | Scp03Begun, /) -> bytes:
        return bytes(value)


@record
class StoreDataRef(BitRecord):
    """P1-P2 of STORE DATA: whether it is the last block, whether its groups are enciphered, and
    the number of the block."""

    last: int = wire(bits(1), default=0)
    enciphered: int = wire(bits(2), default=0)
    """0 no, 3 all groups in it, under the data encryption key."""
    reserved: int = fixed(bit_const(0, 5))
    block: int = wire(bits(8), default=0)


INITIALIZE_UPDATE = CommandForm(
    "INITIALIZE UPDATE",
    0x50,
    KeySetRef,
    RAW,
    _Begun(),
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(8, 9),
    spec="GlobalPlatform 2.3 E.5.1, amendment D 7.1.1",
)
OPEN_CHANNEL = CommandForm(
    "GP EXTERNAL AUTHENTICATE",
    0x82,
    LevelRef,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(8, 9),
    spec="GlobalPlatform 2.3 E.5.2, amendment D 7.1.2",
)
"""EXTERNAL AUTHENTICATE of a secure channel: the host's cryptogram, 8 bytes, under a C-MAC."""
STORE_DATA = CommandForm(
    "STORE DATA",
    0xE2,
    StoreDataRef,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(1, 256),
    secret=True,
    spec="GlobalPlatform 2.3 11.11, EMV CPS",
)
