# SPDX-License-Identifier: Apache-2.0
"""DF01, the public area (公共应用信息区): where the holder lives, works and learned."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.wire.access import ALWAYS
from apdu.wire.fields import day, digits, group, item, text, wire
from apdu.wire.hrss.application import by_key, pin_or
from apdu.wire.hrss.spec import tlv_file, transparent_file
from apdu.wire.record import Record, record


@record
class HouseholdData(Record):
    """DF01 EF05, 户籍信息."""

    category: str = wire(item(0x20, 2, text(2), "户口类别"))
    address: str = wire(item(0x21, 80, text(80), "户口所在地地址"))
    region: str = wire(item(0x0E, 3, digits(3), "户口所在地行政区划"))


@record
class ResidenceData(Record):
    """DF01 EF06, 常住地信息."""

    address: str = wire(item(0x23, 80, text(80), "常住所在地地址"))
    region: str = wire(item(0x24, 3, digits(3), "常住所在地行政区划"))
    telephone: str = wire(item(0x28, 15, text(15), "联系电话"))
    contact: str = wire(item(0x2C, 50, text(50), "联系人姓名"))
    contact_telephone: str = wire(item(0x2D, 15, text(15), "联系人电话"))


@record
class EmploymentState(Record):
    """DF01 EF07, 个人状况."""

    state: str = wire(item(0x29, 1, text(1), "就业或离退休状态"))


@record
class MaritalState(Record):
    """DF01 EF08, 婚姻状况."""

    state: str = wire(item(0x2B, 1, text(1), "婚姻状况"))


@record
class EmployerData(Record):
    """DF01 EF09, 单位信息."""

    name: str = wire(item(0x2E, 70, text(70), "单位名称"))
    organisation: str = wire(item(0x30, 9, text(9), "组织机构代码"))
    status: str = wire(item(0x32, 2, text(2), "人员身份类别"))


@record
class NationalityData(Record):
    """DF01 EF0A, 国籍与政治面貌."""

    nationality: str = wire(item(0x37, 3, text(3), "国籍"))
    affiliation: str = wire(item(0x38, 2, text(2), "政治面貌"))
    joined: date | None = wire(item(0x39, 4, day(), "参加党派日期"))


@record
class Degree(Record):
    """A part of EF15, 学位信息."""

    code: str = wire(item(0x57, 3, text(3), "学位代码"))
    subject: str = wire(item(0x58, 3, digits(3), "所学专业"))
    school: str = wire(item(0x59, 40, text(40), "毕业学校"))


@record
class EducationData(Record):
    """DF01 EF15, 学历学位."""

    level: str = wire(item(0x2A, 1, digits(1), "学历"))
    degrees: tuple[Degree, ...] = wire(group(0x40, 3, Degree, "学位信息"))


RESERVED: Final = 0x128
"""Bytes of a reserved file."""
HOUSEHOLD: Final = tlv_file(
    0xEF05, "户籍信息", "household", HouseholdData, pin_or("RK1DF01"), by_key("UK1DF01")
)
EDUCATION: Final = tlv_file(
    0xEF15, "学历学位信息", "education", EducationData, pin_or("RK1DF01"), by_key("UK6DF01")
)
FILES: Final = (
    HOUSEHOLD,
    tlv_file(
        0xEF06, "常住地信息", "residence", ResidenceData, pin_or("RK1DF01"), by_key("UK4DF01")
    ),
    tlv_file(
        0xEF07, "个人状况", "occupation", EmploymentState, pin_or("RK1DF01"), by_key("UK2DF01")
    ),
    tlv_file(
        0xEF08, "婚姻状况", "marital status", MaritalState, pin_or("RK1DF01"), by_key("UK3DF01")
    ),
    tlv_file(0xEF09, "单位信息", "employer", EmployerData, pin_or("RK1DF01"), by_key("UK2DF01")),
    tlv_file(
        0xEF0A,
        "国籍与政治面貌",
        "nationality",
        NationalityData,
        pin_or("RK1DF01"),
        by_key("UK5DF01"),
    ),
    EDUCATION,
    *(
        transparent_file(fid, f"预留{number}", "reserved", RESERVED, ALWAYS, by_key(key))
        for number, (fid, key) in enumerate(
            (
                (0xEF16, "UK7DF01"),
                (0xEF17, "UK8DF01"),
                (0xEF18, "UK9DF01"),
                (0xEF19, "UKADF01"),
                (0xEF1A, "UKBDF01"),
            ),
            start=1,
        )
    ),
)
