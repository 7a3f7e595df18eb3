# SPDX-License-Identifier: Apache-2.0
"""The interindustry commands that this project's cards speak (ISO/IEC 7816-4)."""

from __future__ import annotations

from enum import IntEnum

from apdu.wire.fields import bit_choice, bit_const, bits, fixed, wire
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed, OneOf
from apdu.wire.record import BitRecord, record


class By(IntEnum):
    """P1 of SELECT: what the data field names (7816-4 table 39)."""

    FILE_ID = 0x00
    CHILD_DF = 0x01
    EF_OF_DF = 0x02
    PARENT = 0x03
    NAME = 0x04
    PATH_FROM_MF = 0x08
    PATH_FROM_DF = 0x09


class Answer(IntEnum):
    """b4-b3 of P2 of SELECT: what comes back (7816-4 table 40)."""

    FCI = 0
    NONE = 3


class Occurrence(IntEnum):
    """b2-b1 of P2 of SELECT: which of several names that begin alike."""

    FIRST = 0
    LAST = 1
    NEXT = 2
    PREVIOUS = 3


@record
class Selection(BitRecord):
    """P1-P2 of SELECT."""

    by: By = wire(bit_choice(By, 8), default=By.NAME)
    reserved: int = fixed(bit_const(0, 4))
    answer: Answer = wire(bit_choice(Answer, 2), default=Answer.FCI)
    occurrence: Occurrence = wire(bit_choice(Occurrence, 2), default=Occurrence.FIRST)


class Mode(IntEnum):
    """b3-b1 of P2 of the record commands that this project offers (7816-4 table 49)."""

    TAG = 0
    """P1 is a tag: the first record with it."""
    PREVIOUS = 3
    """Of a cyclic file: overwrite the oldest record, which becomes number 1."""
    NUMBER = 4
    """P1 is a record number; 1 is the first, in a cyclic file the newest."""
    ALL_FROM = 5
    """All records from number P1 to the last."""


class ReadMode(IntEnum):
    TAG = Mode.TAG
    NUMBER = Mode.NUMBER
    ALL_FROM = Mode.ALL_FROM


class UpdateMode(IntEnum):
    TAG = Mode.TAG
    NUMBER = Mode.NUMBER


@record
class RecordRef(BitRecord):
    """P1-P2 of READ RECORD: a number or tag in a file named by its SFI (0: the current EF)."""

    p1: int = wire(bits(8))
    sfi: int = wire(bits(5), default=0)
    mode: ReadMode = wire(bit_choice(ReadMode, 3), default=ReadMode.NUMBER)


@record
class RecordTarget(BitRecord):
    """P1-P2 of UPDATE RECORD: a record that is there, by number or tag."""

    p1: int = wire(bits(8))
    sfi: int = wire(bits(5), default=0)
    mode: UpdateMode = wire(bit_choice(UpdateMode, 3), default=UpdateMode.NUMBER)


@record
class PreviousTarget(BitRecord):
    """P1-P2 of UPDATE RECORD: a new record in front of a cyclic file's others."""

    p1: int = fixed(bit_const(0, 8))
    sfi: int = wire(bits(5), default=0)
    mode: int = fixed(bit_const(Mode.PREVIOUS, 3))


@record
class AppendTarget(BitRecord):
    """P1-P2 of APPEND RECORD: the file alone."""

    p1: int = fixed(bit_const(0, 8))
    sfi: int = wire(bits(5), default=0)
    reserved: int = fixed(bit_const(0, 3))


@record
class Offset(BitRecord):
    """P1-P2 of the binary commands: an offset in bytes in the current EF."""

    by_sfi: int = fixed(bit_const(0, 1))
    offset: int = wire(bits(15))

    @property
    def sfi(self) -> int:
        return 0


@record
class SfiOffset(BitRecord):
    """P1-P2 of the binary commands: a file by SFI and an offset of one byte."""

    by_sfi: int = fixed(bit_const(4, 3))
    sfi: int = wire(bits(5))
    offset: int = wire(bits(8), default=0)


@record
class PinRef(BitRecord):
    """P1-P2 of VERIFY: the PIN's reference."""

    p1: int = fixed(bit_const(0, 8))
    reference: int = wire(bits(8), default=0)


BINARY_REF = OneOf(Offset, SfiOffset)
UPDATE_REF = OneOf(RecordTarget, PreviousTarget)

SELECT = CommandForm(
    "SELECT",
    0xA4,
    Selection,
    RAW,
    RAW,
    cases=frozenset({1, 2, 3, 4}),
    lc=range(1, 17),
    spec="ISO 7816-4 11.1.1",
)
READ_BINARY = CommandForm(
    "READ BINARY", 0xB0, BINARY_REF, NOTHING, RAW, cases=frozenset({2}), spec="ISO 7816-4 11.2.3"
)
UPDATE_BINARY = CommandForm(
    "UPDATE BINARY",
    0xD6,
    BINARY_REF,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    chained=True,
    spec="ISO 7816-4 11.2.5",
)
READ_RECORD = CommandForm(
    "READ RECORD",
    0xB2,
    RecordRef,
    NOTHING,
    RAW,
    cases=frozenset({2}),
    exact=True,
    spec="ISO 7816-4 11.3.3",
)
UPDATE_RECORD = CommandForm(
    "UPDATE RECORD",
    0xDC,
    UPDATE_REF,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(1, 256),
    spec="ISO 7816-4 11.3.5",
)
APPEND_RECORD = CommandForm(
    "APPEND RECORD",
    0xE2,
    AppendTarget,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(1, 256),
    spec="ISO 7816-4 11.3.6",
)
VERIFY = CommandForm(
    "VERIFY",
    0x20,
    PinRef,
    RAW,
    NOTHING,
    cases=frozenset({1, 3}),  # without data: asks for the tries left, and costs none
    lc=range(1, 9),
    secret=True,
    spec="ISO 7816-4 11.5.6",
)
GET_CHALLENGE = CommandForm(
    "GET CHALLENGE",
    0x84,
    Fixed(),
    NOTHING,
    RAW,
    cases=frozenset({2}),
    spec="ISO 7816-4 11.5.3",
)
GET_RESPONSE = CommandForm(
    "GET RESPONSE", 0xC0, Fixed(), NOTHING, RAW, cases=frozenset({2}), spec="ISO 7816-4 11.7.1"
)
