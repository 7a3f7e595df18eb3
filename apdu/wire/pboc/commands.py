# SPDX-License-Identifier: Apache-2.0
"""The commands of the bank's application (JR/T 0025.5 annex B; EMV 4.3 Book 3 clause 6).

The issuer's script commands are declared as they are before their protection: with the messaging
bit in the class, and a MAC of 4 bytes behind their data (JR/T 0025.5 annex C).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.errors import FormatError
from apdu.tlv import build, parse, tlv
from apdu.wire.cryptogram import IssuerAuthentication
from apdu.wire.fields import bit_choice, bit_const, bits, fixed, wire
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed
from apdu.wire.iso7816 import RecordTarget
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result
from apdu.wire.record import BitRecord, record


class _OptionsData:
    """Command template 83 around the data that the PDOL asks for."""

    def parse(self, raw: bytes) -> bytes:
        found = parse(raw)
        if len(found) != 1 or found[0].tag != tags.COMMAND_TEMPLATE:
            raise FormatError("GET PROCESSING OPTIONS: must be one template 83")
        return found[0].value

    def build(self, value: bytes, /) -> bytes:
        return build([tlv(tags.COMMAND_TEMPLATE, value)])


@record
class DataTag(BitRecord):
    """P1-P2 of GET DATA and PUT DATA: the tag, one of one byte with 00 before it."""

    tag: int = wire(bits(16))


@record
class AcRequest(BitRecord):
    """P1-P2 of GENERATE AC: which cryptogram, and whether signed (CDA)."""

    result: Result = wire(bit_choice(Result, 2))
    reserved: int = fixed(bit_const(0, 1))
    cda: int = wire(bits(1), default=0)
    rest: int = fixed(bit_const(0, 4))
    p2: int = fixed(bit_const(0, 8))


class PinChange(IntEnum):
    """P2 of PIN CHANGE/UNBLOCK."""

    UNBLOCK = 0x00
    CHANGE_WITH_CURRENT = 0x01
    """The current PIN is mixed into the data."""
    CHANGE = 0x02


@record
class PinChangeRef(BitRecord):
    """P1-P2 of PIN CHANGE/UNBLOCK."""

    p1: int = fixed(bit_const(0, 8))
    service: PinChange = wire(bit_choice(PinChange, 8))


GET_PROCESSING_OPTIONS = CommandForm(
    "GET PROCESSING OPTIONS",
    0xA8,
    Fixed(),
    _OptionsData(),
    RAW,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(2, 256),
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.8",
)
GET_DATA = CommandForm(
    "GET DATA",
    0xCA,
    DataTag,
    NOTHING,
    RAW,
    cases=frozenset({2}),
    cla=0x80,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.7",
)
VERIFY_OFFLINE_PIN = CommandForm(
    "VERIFY",
    0x20,
    Fixed(0x0080),
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(8, 9),
    secret=True,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.12",
)
"""The plaintext offline PIN, as a PIN block of ISO 9564-1 format 2. An enciphered one (P2 88) is
not supported (profile choice `offline-pin`)."""
INTERNAL_AUTHENTICATE = CommandForm(
    "INTERNAL AUTHENTICATE",
    0x88,
    Fixed(),
    RAW,
    RAW,
    cases=frozenset({3, 4}),
    lc=range(4, 253),
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.9",
)
GENERATE_AC = CommandForm(
    "GENERATE AC",
    0xAE,
    AcRequest,
    RAW,
    RAW,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(1, 253),
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.5",
)
EXTERNAL_AUTHENTICATE = CommandForm(
    "EXTERNAL AUTHENTICATE",
    0x82,
    Fixed(),
    IssuerAuthentication,
    NOTHING,
    cases=frozenset({3}),
    lc=range(10, 11),
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.4",
)

# Issuer scripts

PIN_CHANGE_UNBLOCK = CommandForm(
    "PIN CHANGE/UNBLOCK",
    0x24,
    PinChangeRef,
    RAW,
    NOTHING,
    cases=frozenset({1, 3}),
    cla=0x80,
    lc=range(8, 9),
    secret=True,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.10",
)
APPLICATION_BLOCK = CommandForm(
    "APPLICATION BLOCK",
    0x1E,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.1",
)
APPLICATION_UNBLOCK = CommandForm(
    "APPLICATION UNBLOCK",
    0x18,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.2",
)
CARD_BLOCK = CommandForm(
    "CARD BLOCK",
    0x16,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    cla=0x80,
    spec="JR/T 0025.5 annex B; EMV Book 3 6.5.3",
)
PUT_DATA = CommandForm(
    "PUT DATA",
    0xDA,
    DataTag,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(1, 252),
    spec="JR/T 0025.5 annex B",
)
BALANCES: Final = frozenset({tags.EC_BALANCE, tags.SECOND_EC_BALANCE})
PARAMETERS: Final = frozenset(
    {
        tags.INTERNATIONAL_CURRENCY_LIMIT,
        tags.CTTAL,
        tags.LOWER_LIMIT,
        tags.UPPER_LIMIT,
        tags.CTTAUL,
        tags.CARD_CVM_LIMIT,
        tags.EC_RESET_THRESHOLD,
        tags.INTERNATIONAL_COUNTRY_LIMIT,
        tags.CONVERSION_FACTOR,
        tags.DUAL_LIMIT,
        tags.EC_BALANCE_LIMIT,
        tags.EC_SINGLE_LIMIT,
        tags.SECOND_EC_CVM_LIMIT,
        tags.SECOND_EC_THRESHOLD,
        tags.SECOND_EC_BALANCE_LIMIT,
        tags.SECOND_EC_SINGLE_LIMIT,
        tags.DEDUCTION_INDICATOR,
        tags.DEDUCTION_LIMIT,
    }
)
"""What PUT DATA may write besides balances (JR/T 0025.5 annex A); GET DATA tells all of it."""
UPDATE_RECORD = CommandForm(
    "UPDATE RECORD",
    0xDC,
    RecordTarget,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(1, 252),
    spec="JR/T 0025.5 annex B",
)
