# SPDX-License-Identifier: Apache-2.0
"""What payment cryptograms are computed over, and what a card says about how it did (9F10).

Fields are the bytes of data elements as they stand in the transaction, each with its tag;
amounts are 6 bytes of packed BCD. Inputs of JR/T 0025.5 annex E; those of VIS beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import choice, const, fixed, raw, rest, uint, wire
from apdu.wire.pboc import tags
from apdu.wire.record import Record, record


class Cvn(IntEnum):
    """Cryptogram version (密文版本号), the third byte of PBOC's 9F10; its digits are the byte's."""

    CVN_01 = 0x01
    CVN_17 = 0x17


class VisCvn(IntEnum):
    """Cryptogram versions of VIS, whose names are decimal. No PBOC card has them."""

    CVN_10 = 0x0A
    CVN_18 = 0x12
    CVN_22 = 0x16


class IadAlgorithm(IntEnum):
    """Algorithm of the cryptogram (算法标识), byte 8 of PBOC's 9F10.

    04 for SM4 is profile choice `iad-algorithm`: two public programs, a card test tool and a POS
    test application, take it so; no text of JR/T 0025.17 was at hand.
    """

    TDES = 0x01
    SM4 = 0x04


# Inputs of application cryptograms

CVR_LENGTH: Final = b"\x03"
"""The first byte of the card verification results (CVR), which tells that three follow."""


@record
class Cvn01Input(Record):
    """Input of CVN 01, 37 bytes; CVN 10 of VIS has the same."""

    amount: bytes = wire(raw(6))  # 9F02
    other_amount: bytes = wire(raw(6))  # 9F03
    country: bytes = wire(raw(2))  # 9F1A
    tvr: bytes = wire(raw(5))  # 95
    currency: bytes = wire(raw(2))  # 5F2A
    day: bytes = wire(raw(3))  # 9A
    kind: bytes = wire(raw(1))  # 9C
    unpredictable: bytes = wire(raw(4))  # 9F37
    aip: bytes = wire(raw(2))  # 82
    atc: bytes = wire(raw(2))  # 9F36
    cvr_length: bytes = fixed(const(CVR_LENGTH))
    cvr: bytes = wire(raw(3))  # bytes 5 to 7 of 9F10


@record
class Cvn17Input(Record):
    """Input of CVN 17, 13 bytes: what a qPBOC card can do quickly."""

    amount: bytes = wire(raw(6))  # 9F02
    unpredictable: bytes = wire(raw(4))  # 9F37
    atc: bytes = wire(raw(2))  # 9F36
    cvr: bytes = wire(raw(1))  # byte 5 of 9F10: the first of the three that tell results


TERMINAL_PART: Final[Mapping[Cvn, Mapping[int, int]]] = {
    Cvn.CVN_01: {
        tags.AMOUNT: 6,
        tags.OTHER_AMOUNT: 6,
        tags.TERMINAL_COUNTRY: 2,
        tags.TVR: 5,
        tags.CURRENCY: 2,
        tags.DATE: 3,
        tags.TRANSACTION_TYPE: 1,
        tags.UNPREDICTABLE_NUMBER: 4,
    },
    Cvn.CVN_17: {tags.AMOUNT: 6, tags.UNPREDICTABLE_NUMBER: 4},
}
"""What the terminal has a part in, of PBOC's inputs: tags in their order, and bytes."""
CARD_PART: Final[Mapping[Cvn, tuple[int, ...]]] = {
    Cvn.CVN_01: (tags.AIP, tags.ATC),
    Cvn.CVN_17: (tags.ATC,),
}
"""What stands behind it; then CVN 01 has the CVR, CVN 17 the first byte of its results."""


@record
class VisInput(Record):
    """Input of CVN 18 and 22 of VIS: it ends with the whole of 9F10."""

    amount: bytes = wire(raw(6))  # 9F02
    other_amount: bytes = wire(raw(6))  # 9F03
    country: bytes = wire(raw(2))  # 9F1A
    tvr: bytes = wire(raw(5))  # 95
    currency: bytes = wire(raw(2))  # 5F2A
    day: bytes = wire(raw(3))  # 9A
    kind: bytes = wire(raw(1))  # 9C
    unpredictable: bytes = wire(raw(4))  # 9F37
    aip: bytes = wire(raw(2))  # 82
    atc: bytes = wire(raw(2))  # 9F36
    iad: bytes = wire(rest())  # 9F10


def atc_of(layout: type[Record], data: bytes) -> bytes:
    """The ATC (2 bytes) in an input of this layout; FormatError when its length is wrong.

    Nothing else of the input is looked at, so that an issuer need not take it apart.
    """
    at, size, tail = _PLACES.get(layout) or _places(layout)
    if len(data) <= size if tail else len(data) != size:
        rule = f"more than {size}" if tail else f"{size}"
        raise FormatError(f"{layout.__name__}: {len(data)} bytes, must be {rule}")
    return data[at : at + 2]


_PLACES: dict[type[Record], tuple[int, int, bool]] = {}
"""Where an input has its ATC, its bytes of fixed length, and whether more come behind."""


def _places(layout: type[Record]) -> tuple[int, int, bool]:
    from construct import SizeofError

    at = size = 0
    tail = False
    for part in layout.declaration().subcons:
        at = size if part.name == "atc" else at
        try:
            size += part.sizeof()
        except SizeofError:
            tail = True
    return _PLACES.setdefault(layout, (at, size, tail))


# Issuer application data


class OneAmount(IntEnum):
    """What issuer discretionary data (IDD) with one amount tells."""

    BALANCE = 0x01
    SPENT = 0x02
    """The cumulative offline amount (CTTA)."""
    AVAILABLE = 0x05
    UNNAMED = 0x06
    """Public test tools know it and compute it as the others; none says what it counts."""


class TwoAmounts(IntEnum):
    """What issuer discretionary data with two amounts tells."""

    BALANCE_AND_SPENT = 0x03
    SPENT_AND_LIMIT = 0x04


_ONE, _TWO = b"\x0a", b"\x0f"


@record
class OneAmountIdd(Record):
    """IDD with one amount, its length byte in front: 11 bytes. Amounts are their low 5 bytes."""

    length: bytes = fixed(const(_ONE))
    kind: OneAmount = wire(choice(OneAmount))
    amount: bytes = wire(raw(5))
    mac: bytes = wire(raw(4), default=bytes(4))


@record
class TwoAmountsIdd(Record):
    """IDD with two amounts, its length byte in front: 16 bytes. Amounts are their low 5 bytes."""

    length: bytes = fixed(const(_TWO))
    kind: TwoAmounts = wire(choice(TwoAmounts))
    first: bytes = wire(raw(5))
    second: bytes = wire(raw(5))
    mac: bytes = wire(raw(4), default=bytes(4))


Idd = OneAmountIdd | TwoAmountsIdd


@record
class OneAmountIddInput(Record):
    """What the MAC of an IDD with one amount is over, 8 bytes."""

    atc: bytes = wire(raw(2))
    amount: bytes = wire(raw(5))
    fill: bytes = fixed(const(bytes(1)))


@record
class TwoAmountsIddInput(Record):
    """What the MAC of an IDD with two amounts is over, 16 bytes."""

    atc: bytes = wire(raw(2))
    first: bytes = wire(raw(5))
    second: bytes = wire(raw(5))
    fill: bytes = fixed(const(bytes(4)))


def parse_idd(data: bytes) -> Idd:
    """The IDD in these bytes, its length byte in front, or FormatError."""
    return (TwoAmountsIdd if data[:1] == _TWO else OneAmountIdd).parse(data)


def idd_input(atc: bytes, idd: Idd) -> bytes:
    """What the MAC of an IDD is over, in the transaction with this ATC (2 bytes)."""
    if isinstance(idd, OneAmountIdd):
        return bytes(OneAmountIddInput(atc, idd.amount))
    return bytes(TwoAmountsIddInput(atc, idd.first, idd.second))


@record
class IssuerApplicationData(Record):
    """发卡行应用数据 (9F10) of a PBOC card: 8 bytes, and IDD when the issuer wants it."""

    length: bytes = fixed(const(b"\x07"))
    key_index: int = wire(uint(1))
    """DKI: which of the issuer's keys."""
    cvn: Cvn = wire(choice(Cvn))
    cvr_length: bytes = fixed(const(CVR_LENGTH))
    cvr: bytes = wire(raw(3))
    algorithm: IadAlgorithm = wire(choice(IadAlgorithm))
    discretionary: bytes = wire(rest(), default=b"")

    @property
    def idd(self) -> Idd | None:
        """What the issuer added, None when it did not, or FormatError."""
        return parse_idd(self.discretionary) if self.discretionary else None


# Issuer authentication


@record
class IssuerAuthentication(Record):
    """发卡行认证数据 (91), and the data of EXTERNAL AUTHENTICATE: 10 bytes (ARPC method 1)."""

    arpc: bytes = wire(raw(8))
    arc: bytes = wire(raw(2))
    """Authorisation response code, two ASCII characters."""
