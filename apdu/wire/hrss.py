# SPDX-License-Identifier: Apache-2.0
"""The HRSS application (人力资源和社会保障应用): names, files and items.

Layouts and codes as observed on cards of LD/T 32-2015, generation 2.0. This is the one place
that knows them: the personaliser creates from these tables, clients read by them, the README
prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import NamedTuple

from apdu.errors import FormatError
from apdu.tlv import build as build_tlv
from apdu.tlv import tlv
from apdu.wire.access import ALWAYS, NEVER, Access, Key, Pin, any_of
from apdu.wire.codes import CHARSET
from apdu.wire.fields import day, digits, item, raw, text, wire
from apdu.wire.hrss_keys import (
    DF01_KEYS,
    DF02_KEYS,
    DF03_KEYS,
    DF04_KEYS,
    DF05_KEYS,
    DF06_KEYS,
    DF07_KEYS,
    SSSE_KEYS,
    KeySpec,
)
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, record

SSSE_NAME = "sx1.sh.社会保障".encode(CHARSET)
"""DF name of the social security environment, 15 bytes."""
RID = bytes.fromhex("D156000005")
PIN_REFERENCE = 0x00
INITIAL_PIN = "123456"
PIN_TRIES = 6
"""Wrong tries until the PIN is blocked; issuers choose 3 to 15."""
MF_FID, SSSE_FID = 0x3F00, 0xDDF1


@record
class IssuerData(Record):
    """SSSE EF05, 发卡机构基本数据文件: seven TLV records, 64 bytes in all."""

    identification: bytes = wire(item(0x01, 16, raw(16), "卡的识别码"))
    card_class: str = wire(item(0x02, 1, text(1), "卡的类别"))
    version: str = wire(item(0x03, 4, text(4), "规范版本"))
    issuer: bytes = wire(item(0x04, 12, raw(12), "初始化机构编号"))
    issued: date | None = wire(item(0x05, 4, day(), "发卡日期"))
    expires: date | None = wire(item(0x06, 4, day(), "卡有效期"))
    card_number: str = wire(item(0x07, 9, text(9), "卡号"))


@record
class HolderData(Record):
    """SSSE EF06, 持卡人基本信息 (2.0 and 3.0): seven TLV records, 91 bytes in all."""

    number: str = wire(item(0x08, 18, text(18), "社会保障号码"))
    name: str = wire(item(0x09, 30, text(30), "姓名"))
    name_extension: str = wire(item(0x4E, 20, text(20), "姓名扩展"))
    sex: str = wire(item(0x0A, 1, text(1), "性别"))
    ethnic_group: str = wire(item(0x0B, 1, digits(1), "民族"))
    birthplace: str = wire(item(0x0C, 3, digits(3), "出生地"))
    born: date | None = wire(item(0x0D, 4, day(), "出生日期"))

    @property
    def full_name(self) -> str:
        return self.name + self.name_extension


@record
class HouseholdData(Record):
    """DF01 EF05, 户籍信息."""

    category: str = wire(item(0x20, 2, text(2), "户口类别"))
    address: str = wire(item(0x21, 80, text(80), "户口所在地地址"))
    region: str = wire(item(0x0E, 3, digits(3), "户口所在地行政区划"))


NAME_BYTES, EXTENSION_BYTES = 30, 20


def split_name(name: str) -> tuple[str, str]:
    """A name as 姓名 (30 bytes of GB 18030) and 姓名扩展 (20 bytes); no character is cut in two.

    Raises FormatError with the limit and the first character that does not fit.
    """
    parts = ["", ""]
    used, field = 0, 0
    for at, character in enumerate(name, start=1):
        try:
            size = len(character.encode(CHARSET))
        except UnicodeEncodeError:
            raise FormatError(
                f"character {at} (U+{ord(character):04X}) has no code in GB 18030"
            ) from None
        if field == 0 and used + size > NAME_BYTES:
            field, used = 1, 0
        if field == 1 and used + size > EXTENSION_BYTES:
            raise FormatError(
                f"{len(name.encode(CHARSET, 'replace'))} bytes of GB 18030, but the card holds "
                f"{NAME_BYTES} and {EXTENSION_BYTES}; character {at} (U+{ord(character):04X} "
                f"{character}, {size} bytes) does not fit any more"
            )
        parts[field] += character
        used += size
    return parts[0], parts[1]


class Item(NamedTuple):
    """One data item of an EF, for tables and explanations."""

    name: str
    tag: int
    size: int
    chinese: str


def items(content: type[Record]) -> tuple[Item, ...]:
    """The items of a file's content, in record order."""
    found = []
    for field in fields(content):  # type: ignore[arg-type]
        kind = field.metadata["wire"]
        size = content.declaration()._subcons[field.name].sizeof() - 2
        found.append(Item(field.name, kind.tag, size, kind.chinese))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class EfSpec:
    """An elementary file of the application; its SFI is the low byte of its FID."""

    fid: int
    chinese: str
    english: str
    kind: FileKind
    read: Access
    update: Access
    content: type[Record] | None = None
    size: int = 0
    """Bytes of a transparent file; record files take their size from `content`."""

    @property
    def sfi(self) -> int:
        return self.fid & 0x1F


@dataclass(frozen=True, slots=True)
class DfSpec:
    """A directory of the application."""

    fid: int
    name: bytes
    label: str
    chinese: str
    files: tuple[EfSpec, ...] = ()
    keys: tuple[KeySpec, ...] = ()

    @property
    def fci(self) -> bytes:
        """What SELECT answers (shape observed on a 2.0 card; a DF has its name only)."""
        name = tlv(0x84, self.name)
        if self.fid != SSSE_FID:
            return build_tlv([tlv(0x6F, [name])])
        return build_tlv([tlv(0x6F, [name, tlv(0xA5, [tlv(0x88, b"\x1e")])])])


_TLV, _TRANSPARENT = FileKind.LINEAR_VARIABLE_TLV, FileKind.TRANSPARENT
UKSSSE, RK1DF01, UK1DF01, UK7DF01 = Key(0x04), Key(0x88), Key(0x83), Key(0x8A)

SSSE = DfSpec(
    SSSE_FID,
    SSSE_NAME,
    "SSSE",
    "社会保障环境",
    files=(
        EfSpec(0xEF05, "发卡机构基本数据文件", "issuer", _TLV, ALWAYS, UKSSSE, IssuerData),
        EfSpec(0xEF06, "持卡人基本信息", "holder", _TLV, ALWAYS, UKSSSE, HolderData),
    ),
    keys=SSSE_KEYS,
)
DF01 = DfSpec(
    0xDF01,
    RID + b"\x00",
    "DF01",
    "公共应用信息区",
    files=(
        EfSpec(
            0xEF05,
            "户籍信息",
            "household",
            _TLV,
            any_of(Pin(PIN_REFERENCE), RK1DF01),
            UK1DF01,
            HouseholdData,
        ),
        EfSpec(0xEF16, "预留1", "reserved", _TRANSPARENT, ALWAYS, UK7DF01, size=0x128),
    ),
    keys=DF01_KEYS,
)
DIRECTORIES = (
    SSSE,
    DF01,
    DfSpec(0xDF02, RID + b"\x01", "DF02", "就业与失业信息区", keys=DF02_KEYS),
    DfSpec(0xDF03, RID + b"\x02", "DF03", "社会保险信息区一", keys=DF03_KEYS),
    DfSpec(0xDF04, RID + b"\x03", "DF04", "社会保险信息区二（医疗）", keys=DF04_KEYS),
    DfSpec(0xDF05, RID + b"\x05", "DF05", "扩展应用区一", keys=DF05_KEYS),
    DfSpec(0xDF06, RID + b"\x06", "DF06", "扩展应用区二", keys=DF06_KEYS),
    DfSpec(0xDF07, RID + b"\x04", "DF07", "人事人才信息区", keys=DF07_KEYS),
)
"""SSSE first, then the directories below it, in the order in which they are created."""
DF_CONDITION = NEVER
"""A DF is neither read nor updated as such."""
