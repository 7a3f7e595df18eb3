# SPDX-License-Identifier: Apache-2.0
"""DF03, social insurance area one (社会保险信息区一): all insurances but the medical one."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.wire.fields import amount, day, digits, group, item, text, wire
from apdu.wire.hrss.application import by_key, pin_or
from apdu.wire.hrss.spec import tlv_file
from apdu.wire.record import Record, record


@record
class UnemploymentInsurance(Record):
    """DF03 EF05, 失业保险. Years and months are digits as text."""

    region: str = wire(item(0x61, 3, digits(3), "参保地"))
    registered: date | None = wire(item(0x60, 4, day(), "失业登记日期"))
    claimed: date | None = wire(item(0x98, 4, day(), "申领日期"))
    renewed: date | None = wire(item(0x62, 4, day(), "更新日期"))
    years_paid: str = wire(item(0x63, 3, text(3), "累计缴费年限"))
    years_counted: str = wire(item(0x64, 3, text(3), "有效缴费年限"))
    months_due: str = wire(item(0x65, 3, text(3), "应领月数"))
    months_drawn: str = wire(item(0x66, 3, text(3), "已领月数"))


@record
class EarlierAssessment(Record):
    """A part of EF06, 历次鉴定."""

    matter: str = wire(item(0x13, 2, text(2), "鉴定事项代码"))
    conclusion: str = wire(item(0x14, 1, text(1), "鉴定结论"))
    number: str = wire(item(0x15, 20, text(20), "鉴定编号"))
    assessed: date | None = wire(item(0x16, 4, day(), "鉴定日期"))
    body: str = wire(item(0x17, 60, text(60), "鉴定机构"))


@record
class AbilityAssessment(Record):
    """DF03 EF06, 劳动能力鉴定."""

    number: str = wire(item(0x45, 20, text(20), "鉴定编号"))
    matter: str = wire(item(0x46, 2, text(2), "鉴定事项代码"))
    disability: str = wire(item(0x47, 2, text(2), "伤残等级"))
    self_care: str = wire(item(0x48, 1, text(1), "生活自理障碍等级"))
    conclusion: str = wire(item(0x49, 1, text(1), "鉴定结论"))
    assessed: date | None = wire(item(0x67, 4, day(), "鉴定日期"))
    body: str = wire(item(0x6B, 60, text(60), "鉴定机构"))
    earlier: tuple[EarlierAssessment, ...] = wire(group(0x4A, 3, EarlierAssessment, "历次鉴定"))


@record
class PensionInsurance(Record):
    """DF03 EF07, 养老保险."""

    kind: str = wire(item(0x70, 3, text(3), "险种类型"))
    region: str = wire(item(0x71, 3, digits(3), "参保地"))
    opened: date | None = wire(item(0x6E, 4, day(), "个人账户建立日期"))
    retired: date | None = wire(item(0x6C, 4, day(), "离退休日期"))
    drawn_since: date | None = wire(item(0x6F, 4, day(), "待遇开始日期"))
    renewed: date | None = wire(item(0x73, 4, day(), "更新日期"))


@record
class InjuryInsurance(Record):
    """DF03 EF15, 工伤保险."""

    region: str = wire(item(0x7A, 3, digits(3), "参保地"))
    drawn_since: date | None = wire(item(0x7B, 4, day(), "待遇开始日期"))
    renewed: date | None = wire(item(0x7C, 4, day(), "更新日期"))


@record
class MaternityInsurance(Record):
    """DF03 EF16, 生育保险."""

    region: str = wire(item(0x51, 3, digits(3), "参保地"))
    spouse: str = wire(item(0x5F, 1, text(1), "未就业配偶标识"))


@record
class InjuryRecognition(Record):
    """DF03 EF17, 工伤认定."""

    number: str = wire(item(0x3B, 20, text(20), "认定编号"))
    employer: str = wire(item(0x3C, 70, text(70), "用人单位"))
    conclusion: str = wire(item(0x3D, 1, text(1), "认定结论"))
    recognised: date | None = wire(item(0x3E, 4, day(), "认定日期"))
    body: str = wire(item(0x3F, 60, text(60), "认定部门"))


@record
class SurvivorBenefit(Record):
    """DF03 EF18, 供养亲属."""

    kind: str = wire(item(0x74, 3, text(3), "险种类型"))
    region: str = wire(item(0x75, 3, digits(3), "参保地"))
    relation: str = wire(item(0x76, 1, digits(1), "与参保人关系"))
    drawn_since: date | None = wire(item(0x77, 4, day(), "待遇开始日期"))
    renewed: date | None = wire(item(0x78, 4, day(), "更新日期"))


@record
class Contribution(Record):
    """A part of EF19, 参保缴费凭证. `paid` in fen."""

    kind: str = wire(item(0x18, 3, text(3), "险种类型"))
    region: str = wire(item(0x19, 3, digits(3), "参保地"))
    begin: date | None = wire(item(0x1A, 4, day(), "起始日期"))
    end: date | None = wire(item(0x1B, 4, day(), "终止日期"))
    paid: int | None = wire(item(0x1C, 4, amount(), "缴费金额"))
    months: str = wire(item(0x1D, 3, text(3), "缴费月数"))
    issued: date | None = wire(item(0x1E, 4, day(), "出具日期"))


@record
class ContributionProof(Record):
    """DF03 EF19, 参保凭证: pension, medical, unemployment, reserved."""

    contributions: tuple[Contribution, ...] = wire(group(0x79, 4, Contribution, "参保缴费凭证"))


_READ = pin_or("RK1DF03")
UNEMPLOYMENT: Final = tlv_file(
    0xEF05,
    "失业保险",
    "unemployment insurance",
    UnemploymentInsurance,
    pin_or("RK2DF03"),
    by_key("UK1DF03"),
)
ASSESSMENT: Final = tlv_file(
    0xEF06, "劳动能力鉴定", "ability assessment", AbilityAssessment, _READ, by_key("UK2DF03")
)
PENSION: Final = tlv_file(
    0xEF07, "养老保险", "pension insurance", PensionInsurance, _READ, by_key("UK3DF03")
)
FILES: Final = (
    UNEMPLOYMENT,
    ASSESSMENT,
    PENSION,
    tlv_file(
        0xEF15, "工伤保险", "work injury insurance", InjuryInsurance, _READ, by_key("UK4DF03")
    ),
    tlv_file(
        0xEF16, "生育保险", "maternity insurance", MaternityInsurance, _READ, by_key("UK5DF03")
    ),
    tlv_file(
        0xEF17, "工伤认定", "work injury recognised", InjuryRecognition, _READ, by_key("UK6DF03")
    ),
    tlv_file(0xEF18, "供养亲属", "survivor benefit", SurvivorBenefit, _READ, by_key("UK7DF03")),
    tlv_file(0xEF19, "参保凭证", "contributions", ContributionProof, _READ, by_key("UK8DF03")),
)
