# SPDX-License-Identifier: Apache-2.0
"""The keys of the HRSS application (密钥表): where each stands, what it is for, what it is called.

KIDs, PSAM usage bytes and PSAM key ids as two vendors' drivers for cards of LD/T 32 have them;
HSM addresses as seen on the wire, where one was seen. A KID from 80 on belongs to its DF, one
below to the whole application. `usage` is what the chip lets a key do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apdu.wire.perso import KeyUsage

LEVELS_SHIFT: Final = 5
"""The upper three bits of a PSAM usage byte are the levels of diversification."""
IRK, STK, BK, PUK = 0x00, 0x02, 0x05, 0x06
LOCAL_STK, LOCAL_LK = 0x82, 0x83
"""KIDs that commands name by themselves; STK is in every DF below SSSE, LK in DF03 and DF04."""


@dataclass(frozen=True, slots=True)
class PsamName:
    """How a PSAM names the master of a key: usage byte (levels and type) and key id."""

    usage: int
    id: int

    @property
    def levels(self) -> int:
        """1: card, 2: city and card, 3: province, city and card."""
        return self.usage >> LEVELS_SHIFT


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key slot of a card."""

    name: str
    kid: int
    usage: KeyUsage
    psam: PsamName | None = None
    """None: the terminal never computes with this key."""
    hsm: int | None = None
    """Address of its master in a key centre's HSM, two bytes. None: not known."""
    version: int = 1


_INTERNAL, _EXTERNAL = KeyUsage.INTERNAL_AUTHENTICATE, KeyUsage.EXTERNAL_AUTHENTICATE
_MESSAGING, _LOCK = KeyUsage.MESSAGING, KeyUsage.LOCK


def _key(
    name: str,
    kid: int,
    usage: KeyUsage,
    psam_usage: int,
    psam_id: int,
    hsm: int | None = None,
    version: int = 1,
) -> KeySpec:
    return KeySpec(name, kid, usage, PsamName(psam_usage, psam_id), hsm, version)


SSSE_KEYS: Final = (
    _key("IRK", 0x00, _INTERNAL, 0x67, 0x08),
    _key("STK", 0x02, _MESSAGING, 0x48, 0x09),
    _key("UKSSSE", 0x04, _EXTERNAL, 0x48, 0x12, 0x0094),
    _key("BK", 0x05, KeyUsage.CARD_BLOCK, 0x48, 0x11),
    _key("PUK", 0x06, _EXTERNAL, 0x48, 0x10, 0x0090),
    _key("UK1DDF1", 0x07, _EXTERNAL, 0x48, 0x5D),
    _key("RKSSSE", 0x0A, _EXTERNAL, 0x67, 0x0A, 0x004C),
    _key("UK2DDF1", 0x0D, _EXTERNAL, 0x48, 0x13),
    _key("DPK1", 0x01, KeyUsage.PURCHASE, 0x22, 0x01),
    _key("DPK2", 0x02, KeyUsage.PURCHASE, 0x22, 0x02, version=2),
    _key("DPK3", 0x03, KeyUsage.PURCHASE, 0x22, 0x03, version=3),
    KeySpec("DLK", 0x01, KeyUsage.LOAD),
    KeySpec("DTK", 0x01, KeyUsage.TAC),
)
"""The keys of the medical account (DPK, DLK, DTK) have KIDs of the application, so they stand
here; they share numbers with others, but not the usage. The drivers also list a "PK" with
RKSSSE's KID, probably of another generation: left out."""

DF01_KEYS: Final = (
    _key("STKDF01", 0x82, _MESSAGING, 0x46, 0x20),
    _key("UK1DF01", 0x83, _EXTERNAL, 0x48, 0x42, 0x0097),
    _key("UK2DF01", 0x84, _EXTERNAL, 0x48, 0x43, 0x009A),
    _key("UK3DF01", 0x85, _EXTERNAL, 0x47, 0x24, 0x0176),
    _key("UK4DF01", 0x86, _EXTERNAL, 0x47, 0x25, 0x0179),
    _key("UK5DF01", 0x87, _EXTERNAL, 0x48, 0x44),
    _key("RK1DF01", 0x88, _EXTERNAL, 0x67, 0x2E, 0x004F),
    _key("UK6DF01", 0x89, _EXTERNAL, 0x47, 0x2F),
    _key("UK7DF01", 0x8A, _EXTERNAL, 0x47, 0x30),
    _key("UK8DF01", 0x8B, _EXTERNAL, 0x47, 0x31),
    _key("UK9DF01", 0x8C, _EXTERNAL, 0x47, 0x32),
    _key("UKADF01", 0x8D, _EXTERNAL, 0x47, 0x33),
    _key("UKBDF01", 0x8E, _EXTERNAL, 0x47, 0x34),
)
DF02_KEYS: Final = (
    _key("STKDF02", 0x82, _MESSAGING, 0x46, 0x21),
    _key("UK1DF02", 0x83, _EXTERNAL, 0x47, 0x26),
    _key("UK2DF02", 0x84, _EXTERNAL, 0x48, 0x45),
    _key("UK3DF02", 0x85, _EXTERNAL, 0x48, 0x46),
    _key("UK4DF02", 0x86, _EXTERNAL, 0x47, 0x27),
    _key("UK5DF02", 0x87, _EXTERNAL, 0x47, 0x28),
    _key("RK1DF02", 0x88, _EXTERNAL, 0x67, 0x35, 0x0064),
    _key("UK6DF02", 0x89, _EXTERNAL, 0x47, 0x36),
)
DF03_KEYS: Final = (
    _key("STKDF03", 0x82, _MESSAGING, 0x46, 0x22),
    _key("LKDF03", 0x83, _LOCK, 0x48, 0x40),
    _key("RK1DF03", 0x84, _EXTERNAL, 0x67, 0x2B, 0x0193),
    _key("RK2DF03", 0x85, _EXTERNAL, 0x67, 0x2C, 0x0196),
    _key("UK1DF03", 0x86, _EXTERNAL, 0x48, 0x47),
    _key("UK2DF03", 0x87, _EXTERNAL, 0x47, 0x29),
    _key("UK3DF03", 0x88, _EXTERNAL, 0x48, 0x48),
    _key("UK4DF03", 0x89, _EXTERNAL, 0x47, 0x37),
    _key("UK5DF03", 0x8A, _EXTERNAL, 0x47, 0x38),
    _key("UK6DF03", 0x8B, _EXTERNAL, 0x47, 0x39),
    _key("UK7DF03", 0x8C, _EXTERNAL, 0x47, 0x3A),
    _key("UK8DF03", 0x8D, _EXTERNAL, 0x47, 0x3B),
)
DF04_KEYS: Final = (
    _key("STKDF04", 0x82, _MESSAGING, 0x46, 0x23),
    _key("LKDF04", 0x83, _LOCK, 0x48, 0x41),
    _key("RK1DF04", 0x84, _EXTERNAL, 0x67, 0x2D, 0x0182),
    _key("UK1DF04", 0x85, _EXTERNAL, 0x48, 0x49),
    _key("UK2DF04", 0x86, _EXTERNAL, 0x47, 0x2A),
    _key("DSK", 0x8C, _EXTERNAL, 0x28, 0x4A),
)
DF05_KEYS: Final = (
    _key("STKDF05", 0x82, _MESSAGING, 0x48, 0xB3),
    _key("UK1DF05", 0x83, _EXTERNAL, 0x27, 0xB4),
)
DF06_KEYS: Final = (
    _key("STKDF06", 0x82, _MESSAGING, 0x48, 0x59),
    _key("RK1DF06", 0x83, _EXTERNAL, 0x48, 0x5A),
    _key("UK1DF06", 0x84, _EXTERNAL, 0x48, 0x5B),
    _key("UK2DF06", 0x85, _EXTERNAL, 0x48, 0x5C),
)
DF07_KEYS: Final = (
    _key("STKDF07", 0x82, _MESSAGING, 0x48, 0x3C),
    _key("RK1DF07", 0x83, _EXTERNAL, 0x67, 0x3D, 0x007A),
    _key("RK2DF07", 0x84, _EXTERNAL, 0x67, 0x3F, 0x0080),
    _key("RK3DF07", 0x85, _EXTERNAL, 0x67, 0xB1, 0x0086),
    _key("UK1DF07", 0x86, _EXTERNAL, 0x47, 0x3E),
    _key("UK2DF07", 0x87, _EXTERNAL, 0x47, 0xB0),
    _key("UK3DF07", 0x88, _EXTERNAL, 0x47, 0xB2),
)
TABLES: Final = (
    SSSE_KEYS,
    DF01_KEYS,
    DF02_KEYS,
    DF03_KEYS,
    DF04_KEYS,
    DF05_KEYS,
    DF06_KEYS,
    DF07_KEYS,
)
"""Of every DF, in the order of their FIDs."""
_BY_NAME: Final = {spec.name: spec for table in TABLES for spec in table}


def key_named(name: str) -> KeySpec:
    """The slot with this name. KeyError when there is none."""
    return _BY_NAME[name]
