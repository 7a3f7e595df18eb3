# SPDX-License-Identifier: Apache-2.0
"""SSSE (社会保障环境): who issued the card, and who holds it."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.errors import FormatError
from apdu.wire.access import ALWAYS
from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.codes import CHARSET
from apdu.wire.fields import coded, day, digits, item, raw, text, wire
from apdu.wire.hrss.application import by_key
from apdu.wire.hrss.spec import EfSpec, tlv_file, transparent_file
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, record


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
    sex: Sex | str = wire(item(0x0A, 1, coded(Sex, text(1)), "性别"))
    ethnic_group: EthnicGroup | str = wire(item(0x0B, 1, coded(EthnicGroup, digits(1)), "民族"))
    birthplace: str = wire(item(0x0C, 3, digits(3), "出生地"))
    born: date | None = wire(item(0x0D, 4, day(), "出生日期"))

    @property
    def full_name(self) -> str:
        return self.name + self.name_extension


@record
class FirstIssueData(Record):
    """SSSE EF0D, local: two items that one city's cards have beside the standard's."""

    person: str = wire(item(0xEA, 12, text(12), "个人编号"))
    first_region: str = wire(item(0xEB, 3, digits(3), "首次发卡地"))


_UKSSSE, _RKSSSE = by_key("UKSSSE"), by_key("RKSSSE")
_UK1DDF1, _UK2DDF1 = by_key("UK1DDF1"), by_key("UK2DDF1")

ISSUER: Final = tlv_file(0xEF05, "发卡机构基本数据文件", "issuer", IssuerData, ALWAYS, _UKSSSE)
HOLDER: Final = tlv_file(0xEF06, "持卡人基本信息", "holder", HolderData, ALWAYS, _UKSSSE)
HOLDER_GUARDED: Final = tlv_file(0xEF06, "持卡人基本信息", "holder", HolderData, _RKSSSE, _UKSSSE)
"""On cards of generation 3.0 a terminal must prove RKSSSE to see who the holder is."""
FINGERPRINT: Final = transparent_file(0xEF07, "指纹", "fingerprint", 0x400, _RKSSSE, _UKSSSE)
PHOTO: Final = transparent_file(0xEF08, "照片", "photo", 0x1000, _RKSSSE, _UKSSSE)
LOCAL: Final = EfSpec(
    0xEF0C,
    "地方信息",
    "local",
    FileKind.LINEAR_VARIABLE,
    _UK1DDF1,
    _UK1DDF1,
    size=0x100,
    records=8,
)
"""Of the place that issues the card. What is in it is local, and so its size is our choice."""
FIRST_ISSUE: Final = tlv_file(
    0xEF0D, "首次发卡信息", "first issue", FirstIssueData, _UK2DDF1, _UK2DDF1
)
"""Its read condition is our choice: the one source at hand only writes it."""
FILES: Final = (ISSUER, HOLDER, FINGERPRINT, PHOTO, LOCAL, FIRST_ISSUE)
"""Of generation 2.0."""
GUARDED_FILES: Final = (ISSUER, HOLDER_GUARDED, FINGERPRINT, PHOTO, LOCAL, FIRST_ISSUE)
"""Of generation 3.0."""

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
