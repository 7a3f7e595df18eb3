# SPDX-License-Identifier: Apache-2.0
"""The PSAM (终端安全存取模块): the terminal's own card, which holds the masters of cards' keys.

Its files, and what it lets a terminal do under which key, as two or three vendors' drivers have
it. It never lets a key out; it derives a card's key, makes a session key of that, and enciphers
or computes MACs under it (`apdu.wire.psam_commands`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.tlv import build as build_tlv
from apdu.tlv import tlv
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.fields import choice, digits, raw, uint, wire
from apdu.wire.hrss.application import MF_FID, RID, SSSE_NAME
from apdu.wire.hrss.keys import LEVELS_SHIFT, PsamName
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.perso import Algorithm, FileKind
from apdu.wire.record import Record, record

MAX_LEVELS: Final = 3
"""Levels of diversification: province, city, card."""

# Keys


class PsamType(IntEnum):
    """The lower five bits of a PSAM usage byte: what a terminal may do under the key."""

    MASTER = 0
    MAINTENANCE = 1
    PURCHASE = 2
    PIN_UNBLOCK = 3
    PIN_RELOAD = 4
    CARD_MAINTENANCE = 5
    MAC = 6
    ENCIPHER = 7
    MAC_AND_ENCIPHER = 8


class CryptMode(IntEnum):
    """P1 of CRYPT."""

    ENCIPHER = 0x00
    MAC = 0x05


MAY: Final = {
    PsamType.MAC: frozenset({CryptMode.MAC}),
    PsamType.ENCIPHER: frozenset({CryptMode.ENCIPHER}),
    PsamType.MAC_AND_ENCIPHER: frozenset(CryptMode),
}
"""What CRYPT does under a key of these types. Keys of all others make no session for it; what
types 3 to 5 would let a terminal do, no source says, and no key of the table has them."""


def levels(usage: int) -> int:
    """Levels of diversification in a usage byte, which are the factors that must be given."""
    return usage >> LEVELS_SHIFT


def with_levels(name: PsamName, count: int) -> PsamName:
    """What a PSAM calls the same master when only so many levels of it are still to be gone."""
    return PsamName(count << LEVELS_SHIFT | _kind(name.usage), name.id)


def may(usage: int) -> frozenset[CryptMode]:
    """What CRYPT does under a key with this usage byte."""
    kind = _kind(usage)
    return next((modes for each, modes in MAY.items() if each == kind), frozenset())


def _kind(usage: int) -> int:
    """The type in a usage byte, which need not be one of `PsamType`."""
    return usage & (1 << LEVELS_SHIFT) - 1


def purchase_usage(factors: int) -> int:
    """The usage byte of a purchase key with so many levels."""
    return factors << LEVELS_SHIFT | PsamType.PURCHASE


# Files


class AlgorithmCode(IntEnum):
    """What the FCI, and a key centre, call an algorithm."""

    TDES = 1
    SSF33 = 2
    SM4 = 3


CODE_OF: Final = {Algorithm.TDES: AlgorithmCode.TDES, Algorithm.SM4: AlgorithmCode.SM4}
"""The codes of the algorithms that keys have here; SSF33 is not built."""


@record
class AlgorithmMark(Record):
    """9F0C in the FCI: the algorithm, and two bytes of version.

    Profile choice `fci-algorithm`: drivers look for it, but where exactly no source shows.
    """

    code: AlgorithmCode = wire(choice(AlgorithmCode))
    version: bytes = wire(raw(2), default=b"\x01\x00")


@record
class PsamInfo(Record):
    """EF15 of the MF (公共信息文件): 14 bytes, as PSAMs of PBOC have it.

    `serial`: cn; `issuer`: two bytes that the issuer of the PSAM is free in.
    """

    serial: str = wire(digits(10))
    version: int = wire(uint(1), default=1)
    kind: int = wire(uint(1), default=1)
    issuer: bytes = wire(raw(2), default=b"\x00\x00")


@record
class TerminalNumber(Record):
    """EF16 of the MF (终端信息文件): the number of the terminal, 12 digits."""

    number: str = wire(digits(6))


PSAM_AID: Final = RID + b"\x90"
_TRANSPARENT: Final = FileKind.TRANSPARENT

INFO: Final = EfSpec(0x0015, "PSAM 公共信息", "PSAM serial", _TRANSPARENT, ALWAYS, NEVER, size=14)
TERMINAL: Final = EfSpec(0x0016, "终端信息", "terminal number", _TRANSPARENT, ALWAYS, NEVER, size=6)
SEQUENCE: Final = EfSpec(
    0x0019, "终端交易序号", "terminal sequence", _TRANSPARENT, ALWAYS, NEVER, size=4
)
"""The number that the next purchase will have (profile choice `terminal-sequence`)."""
KEY_INDEX: Final = EfSpec(
    0x001C, "消费密钥索引", "purchase key index", _TRANSPARENT, ALWAYS, NEVER, size=1
)
PSAM_MF: Final = DfSpec(MF_FID, SSSE_NAME, "PSAM MF", "主文件", files=(INFO, TERMINAL))
PSAM: Final = DfSpec(0xDF01, PSAM_AID, "PSAM", "社会保障 PSAM 应用", files=(SEQUENCE, KEY_INDEX))
_FCI, _NAME, _PROPRIETARY, _ALGORITHM = 0x6F, 0x84, 0xA5, 0x9F0C


def psam_fci(code: AlgorithmCode) -> bytes:
    """What SELECT of the PSAM's application answers: its name and its algorithm."""
    mark = tlv(_ALGORITHM, bytes(AlgorithmMark(code)))
    return build_tlv([tlv(_FCI, [tlv(_NAME, PSAM_AID), tlv(_PROPRIETARY, [mark])])])
