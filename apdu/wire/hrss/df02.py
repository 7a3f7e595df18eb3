# SPDX-License-Identifier: Apache-2.0
"""DF02, employment and unemployment (就业与失业信息区)."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.wire.fields import day, digits, group, item, named, text, wire
from apdu.wire.hrss.application import by_key, pin_or
from apdu.wire.hrss.spec import cyclic_file, tlv_file
from apdu.wire.record import Record, record


@record
class WorkerGrade(Record):
    """A part of EF05, 工人技术等级."""

    trade: str = wire(item(0x5A, 7, text(7), "职业（工种）代码"))
    grade: str = wire(item(0x5B, 1, text(1), "技术等级"))
    body: str = wire(item(0x5C, 70, text(70), "发证机构"))
    issued: date | None = wire(item(0x5D, 4, day(), "发证日期"))
    certificate: str = wire(item(0x5E, 16, text(16), "证书编号"))


@record
class Qualification(Record):
    """A part of EF05, 专业技术人员资格."""

    code: str = wire(item(0x33, 3, text(3), "资格名称代码"))
    body: str = wire(item(0x34, 70, text(70), "发证机构"))
    issued: date | None = wire(item(0x35, 4, day(), "发证日期"))
    certificate: str = wire(item(0x36, 16, text(16), "证书编号"))


@record
class SkillData(Record):
    """DF02 EF05, 职业技能."""

    title: str = wire(item(0x42, 3, text(3), "专业技术职务代码"))
    title_level: str = wire(item(0x41, 3, text(3), "专业技术职务级别"))
    grades: tuple[WorkerGrade, ...] = wire(group(0x43, 2, WorkerGrade, "工人技术等级"))
    qualifications: tuple[Qualification, ...] = wire(
        group(0x44, 2, Qualification, "专业技术人员资格")
    )


@record
class EmploymentData(Record):
    """DF02 EF06, 就业状况."""

    employed: date | None = wire(item(0x4C, 4, day(), "就业登记日期"))
    kind: str = wire(item(0x4B, 5, text(5), "就业登记类型及就业形式"))
    employed_at: str = wire(item(0x4D, 3, digits(3), "就业登记地"))
    unemployed: date | None = wire(item(0x60, 4, day(), "失业登记日期"))
    reason: str = wire(item(0x4F, 6, text(6), "失业类型、原因及注销"))
    unemployed_at: str = wire(item(0x50, 3, digits(3), "失业登记地"))
    occupation: str = wire(item(0x3A, 7, text(7), "现从事职业"))


@record
class EmploymentSpell(Record):
    """A record of DF02 EF07, 就业记录: 85 bytes without tags."""

    occupation: str = wire(named("从事职业", text(7)))
    begin: date | None = wire(named("起始日期", day()))
    end: date | None = wire(named("终止日期", day()))
    employer: str = wire(named("单位名称", text(70)))


@record
class UnemploymentCertificate(Record):
    """DF02 EF09, 就业失业登记证."""

    number: str = wire(item(0x55, 16, text(16), "登记证编号"))
    body: str = wire(item(0x56, 70, text(70), "发放机构"))
    issued: date | None = wire(item(0x96, 4, day(), "发证（年检）日期"))
    region: str = wire(item(0x97, 3, digits(3), "发证地"))


@record
class Hardship(Record):
    """A part of EF15, 就业援助对象认定."""

    kind: str = wire(item(0x10, 3, text(3), "援助对象类型"))
    recognised: date | None = wire(item(0x11, 4, day(), "认定日期"))
    region: str = wire(item(0x12, 3, digits(3), "认定地"))


@record
class AssistanceData(Record):
    """DF02 EF15, 就业援助对象."""

    hardships: tuple[Hardship, ...] = wire(group(0x99, 4, Hardship, "援助对象认定"))
    ended: date | None = wire(item(0x0F, 4, day(), "退出日期"))
    ended_at: str = wire(item(0x1F, 3, digits(3), "退出认定地"))


@record
class SupportPolicy(Record):
    """A record of DF02 EF16, 享受扶持政策: 18 bytes without tags."""

    kind: str = wire(named("政策类型", text(3)))
    approved: date | None = wire(named("核准日期", day()))
    begin: date | None = wire(named("开始日期", day()))
    end: date | None = wire(named("终止日期", day()))
    region: str = wire(named("享受地", digits(3)))


_READ = pin_or("RK1DF02")
SKILLS: Final = tlv_file(0xEF05, "职业技能", "skills", SkillData, _READ, by_key("UK1DF02"))
EMPLOYMENT: Final = tlv_file(
    0xEF06, "就业状况", "employment", EmploymentData, _READ, by_key("UK2DF02")
)
SPELLS: Final = cyclic_file(
    0xEF07, "就业记录", "employment record", EmploymentSpell, 4, _READ, by_key("UK3DF02")
)
FILES: Final = (
    SKILLS,
    EMPLOYMENT,
    SPELLS,
    tlv_file(
        0xEF09,
        "就业失业登记证",
        "unemployment certificate",
        UnemploymentCertificate,
        _READ,
        by_key("UK4DF02"),
    ),
    tlv_file(0xEF15, "就业援助对象", "assistance", AssistanceData, _READ, by_key("UK5DF02")),
    cyclic_file(
        0xEF16, "享受扶持政策", "support policies", SupportPolicy, 4, _READ, by_key("UK6DF02")
    ),
)
