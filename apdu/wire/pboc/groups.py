# SPDX-License-Identifier: Apache-2.0
"""Data groups (数据分组, DGI): what the bank's application is personalised with.

A group is a number and bytes. 0101 to 0A1E are records, SFI and record number; the rest has fixed
meanings, as a public personalisation script for such cards has them. Groups of the SM set (国密)
and their numbers are profile choice `sm-groups`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from apdu.errors import FormatError
from apdu.wire.perso import Algorithm

CONTACT_FCI, CONTACTLESS_FCI = 0x9102, 0x9103
CONTACT_IAD: Final = 0x9200
"""Template of 9F10 in both contact ways."""
PARAMETERS: Final = (0x0D01, 0x0E01)
"""The application's own data elements, as TLVs: limits, currencies, log formats, balances."""
PIN, PIN_LIMIT = 0x8010, 0x9010
RSA_QINV, RSA_DQ, RSA_DP, RSA_Q, RSA_P = 0x8201, 0x8202, 0x8203, 0x8204, 0x8205
SM2_PRIVATE: Final = 0x8301
KEYS: Final = {Algorithm.TDES: 0x8000, Algorithm.SM4: 0x8100}
"""UDK-AC, UDK-MAC and UDK-ENC, 16 bytes each."""
CHECK_VALUES: Final = {Algorithm.TDES: 0x9000, Algorithm.SM4: 0x9100}
"""Three check values of 3 bytes, in the order of the keys."""
SECRET: Final = frozenset(
    {PIN, RSA_QINV, RSA_DQ, RSA_DP, RSA_Q, RSA_P, SM2_PRIVATE, *KEYS.values()}
)
"""Groups that come enciphered under the data encryption key."""


class Way(Enum):
    """交易路径: the ways a transaction may go; each has AIP and AFL of its own."""

    DEBIT = "debit"
    CASH = "electronic cash"
    QPBOC = "qPBOC"


WAYS: Final = {
    (Algorithm.TDES, Way.DEBIT): 0x9104,
    (Algorithm.TDES, Way.CASH): 0x9203,
    (Algorithm.TDES, Way.QPBOC): 0x9207,
    (Algorithm.SM4, Way.DEBIT): 0x9114,
    (Algorithm.SM4, Way.CASH): 0x9213,
    (Algorithm.SM4, Way.QPBOC): 0x9217,
}
"""AIP (82), AFL (94), and for qPBOC the template of 9F10, by algorithm: TDES stands for the set
with RSA and SHA-1, SM4 for that with SM2 and SM3."""
CONTACT_IADS: Final = {Algorithm.TDES: CONTACT_IAD, Algorithm.SM4: 0x9210}
_RECORD_SFIS: Final = range(1, 11)
_LONG: Final = 0xFF


class RecordPlace(NamedTuple):
    sfi: int
    number: int


def record_place(dgi: int) -> RecordPlace | None:
    """Which record a group is, None for one that is no record."""
    sfi, number = dgi >> 8, dgi & 0xFF
    return RecordPlace(sfi, number) if sfi in _RECORD_SFIS and number else None


@dataclass(frozen=True, slots=True)
class DataGroup:
    """A group; what is in it is not shown, for it may be a key."""

    number: int
    value: bytes

    def __repr__(self) -> str:
        return f"DataGroup({self.number:04X}, {len(self.value)} bytes)"

    def __bytes__(self) -> bytes:
        """Number (2 bytes), length (1, or FF and 2), value: as STORE DATA carries it."""
        size = len(self.value)
        if not 0 <= self.number <= 0xFFFF or size > 0xFFFF:
            raise FormatError(f"data group {self.number:X}: {size} bytes do not fit STORE DATA")
        length = bytes((size,)) if size < _LONG else bytes((_LONG,)) + size.to_bytes(2)
        return self.number.to_bytes(2) + length + self.value


def take_group(stream: bytes) -> tuple[DataGroup, bytes] | None:
    """The first whole group of a stream and what is behind it; None while it is not whole."""
    if len(stream) < 3:
        return None
    at, size = 3, stream[2]
    if size == _LONG:
        if len(stream) < 5:
            return None
        at, size = 5, int.from_bytes(stream[3:5])
    if len(stream) < at + size:
        return None
    return DataGroup(int.from_bytes(stream[:2]), stream[at : at + size]), stream[at + size :]
