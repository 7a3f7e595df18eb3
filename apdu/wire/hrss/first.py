# SPDX-License-Identifier: Apache-2.0
"""What was otherwise on cards of generation 1.0.

Their tags and lengths are known from two drivers, not all of what they mean. Texts that 2.0 has
in 80 and 70 bytes stand here in two items of 62 and 18, 62 and 8, so the second is taken to go on
with the first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.fields import amount, coded, day, digits, item, text, wire
from apdu.wire.hrss import df01, df02, df03, df04, ssse
from apdu.wire.hrss.application import by_key, pin_or
from apdu.wire.hrss.spec import tlv_file, transparent_file
from apdu.wire.record import Record, record


@record
class FirstHolderData(Record):
    """SSSE EF06, 持卡人基本信息 (1.0): six TLV records, no extension of the name."""

    number: str = wire(item(0x08, 18, text(18), "社会保障号码"))
    name: str = wire(item(0x09, 30, text(30), "姓名"))
    sex: Sex | str = wire(item(0x0A, 1, coded(Sex, text(1)), "性别"))
    ethnic_group: EthnicGroup | str = wire(item(0x0B, 1, coded(EthnicGroup, digits(1)), "民族"))
    birthplace: str = wire(item(0x0C, 3, digits(3), "出生地"))
    born: date | None = wire(item(0x0D, 4, day(), "出生日期"))

    @property
    def full_name(self) -> str:
        return self.name


@record
class FirstHouseholdData(Record):
    """DF01 EF05, 户籍信息 (1.0)."""

    category: str = wire(item(0x20, 1, text(1), "户口类别"))
    address: str = wire(item(0x21, 62, text(62), "户口所在地地址"))
    address_extension: str = wire(item(0x22, 18, text(18), "户口所在地地址（续）"))


@record
class FirstResidenceData(Record):
    """DF01 EF06, 常住地信息 (1.0)."""

    address: str = wire(item(0x25, 62, text(62), "常住所在地地址"))
    address_extension: str = wire(item(0x26, 18, text(18), "常住所在地地址（续）"))
    region: str = wire(item(0x27, 3, digits(3), "常住所在地行政区划"))
    telephone: str = wire(item(0x28, 15, text(15), "联系电话"))


@record
class FirstEmployerData(Record):
    """DF01 EF09, 单位信息 (1.0)."""

    name: str = wire(item(0x2E, 62, text(62), "单位名称"))
    name_extension: str = wire(item(0x2F, 8, text(8), "单位名称（续）"))
    organisation: str = wire(item(0x30, 9, text(9), "组织机构代码"))
    kind: str = wire(item(0x31, 1, text(1), "单位类型"))
    status: str = wire(item(0x32, 3, text(3), "人员身份类别"))


@record
class WageData(Record):
    """DF01 EF0A, 工资信息 (1.0). Amounts in fen."""

    contribution_base: int | None = wire(item(0x37, 4, amount(), "缴费基数"))
    wages: int | None = wire(item(0x38, 4, amount(), "上年工资总额"))
    renewed: date | None = wire(item(0x39, 4, day(), "更新日期"))


_BY_SFI = {file.sfi: file for file in df01.FILES}
_READ1, _READ2 = pin_or("RK1DF01"), pin_or("RK1DF02")
SSSE_FILES: Final = (
    ssse.ISSUER,
    replace(ssse.HOLDER, content=FirstHolderData),
    replace(ssse.FINGERPRINT, size=0x300),
    *ssse.FILES[3:],
)
DF01_FILES: Final = (
    replace(_BY_SFI[0x05], content=FirstHouseholdData),
    replace(_BY_SFI[0x06], content=FirstResidenceData),
    _BY_SFI[0x07],
    _BY_SFI[0x08],
    replace(_BY_SFI[0x09], content=FirstEmployerData),
    tlv_file(0xEF0A, "工资信息", "wages", WageData, _READ1, by_key("UK5DF01")),
)
MIGRANT: Final = 0x128
"""Bytes of a file about migrant work: its contents are not known, its size is our choice."""
DF02_FILES: Final = (
    df02.SKILLS,
    df02.EMPLOYMENT,
    df02.SPELLS,
    transparent_file(0xEF08, "农民工信息1", "migrant work", MIGRANT, _READ2, by_key("UK4DF02")),
    transparent_file(0xEF09, "农民工信息2", "migrant work", MIGRANT, _READ2, by_key("UK5DF02")),
)
DF03_FILES: Final = df03.FILES[:3]
DF04_FILES: Final = (
    df04.INSURANCE,
    replace(
        df04.TOTALS, content=df04.AccountBalance, chinese="个人账户信息", english="account balance"
    ),
    replace(df04.TRANSACTIONS, records=10),
    df04.STATE,
)
