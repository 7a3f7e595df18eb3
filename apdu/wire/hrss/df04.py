# SPDX-License-Identifier: Apache-2.0
"""DF04, social insurance area two (社会保险信息区二): the medical insurance and its account."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Final

from apdu.wire.access import NEVER, all_of
from apdu.wire.fields import amount, day, digits, item, moment, named, raw, text, uint, wire
from apdu.wire.hrss.application import PIN, by_key, pin_or
from apdu.wire.hrss.spec import EfSpec, cyclic_file, tlv_file
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, record


@record
class MedicalInsurance(Record):
    """DF04 EF05, 医疗保险基本信息."""

    kind: str = wire(item(0x81, 8, text(8), "险种类型及标识"))
    region: str = wire(item(0x84, 3, digits(3), "参保地"))
    health_record: str = wire(item(0x87, 17, text(17), "健康档案编号"))
    category: str = wire(item(0x8C, 1, digits(1), "参保人员类别"))
    opened: date | None = wire(item(0x80, 4, day(), "个人账户建立日期"))
    account: str = wire(item(0x8B, 29, text(29), "个人帐号"))
    certificate: str = wire(item(0x8A, 15, text(15), "医疗证号"))
    hospital_1: str = wire(item(0x83, 9, text(9), "定点医疗机构1"))
    hospital_2: str = wire(item(0x86, 9, text(9), "定点医疗机构2"))
    hospital_3: str = wire(item(0x89, 9, text(9), "定点医疗机构3"))
    injury_hospital_1: str = wire(item(0x7D, 9, text(9), "工伤协议机构1"))
    injury_hospital_2: str = wire(item(0x7E, 9, text(9), "工伤协议机构2"))
    injury_hospital_3: str = wire(item(0x7F, 9, text(9), "工伤协议机构3"))
    maternity_hospital_1: str = wire(item(0x8D, 9, text(9), "生育定点机构1"))
    maternity_hospital_2: str = wire(item(0x8E, 9, text(9), "生育定点机构2"))
    use: str = wire(item(0x8F, 1, text(1), "用卡方式"))


@record
class OfflineTotals(Record):
    """DF04 EF06, 脱网结算 (2.0 and 3.0). `amount` in fen; `count`: two digits of text.

    `permitted`: 1 lets the card book purchases (profile choice `offline-permission`).
    """

    permitted: str = wire(item(0x90, 1, text(1), "准许脱网标识"))
    amount: int | None = wire(item(0x92, 4, amount(), "脱网累计金额"))
    count: str = wire(item(0x93, 2, text(2), "脱网累计次数"))

    PERMITTED: ClassVar[str] = "1"


@record
class AccountBalance(Record):
    """DF04 EF06, 个人账户 (1.0): the balance is on the card. Amounts in fen."""

    balance: int | None = wire(item(0x90, 4, amount(), "个人账户余额"))
    own: int | None = wire(item(0x92, 4, amount(), "年度个人自付累计"))
    pool: int | None = wire(item(0x93, 4, amount(), "年度统筹支付累计"))


@record
class MedicalTransaction(Record):
    """A record of DF04 EF08, 医疗交易明细: 28 bytes without tags. Amounts in fen.

    `account`: from the personal account, `own`: the holder's, `pool`: the pool's.
    """

    sequence: int = wire(named("交易序号", uint(2)))
    kind: bytes = wire(named("交易类型", raw(1)))
    terminal: str = wire(named("终端机编号", digits(6)))
    at: datetime | None = wire(named("交易时间", moment()))
    account: int | None = wire(named("个人账户交易金额", amount()))
    own: int | None = wire(named("个人自付金额", amount()))
    pool: int | None = wire(named("统筹基金支付金额", amount()))


@record
class SpecialSettlement(Record):
    """A record of DF04 EF15, 特殊结算记录: 3 bytes without tags."""

    sequence: int = wire(named("交易序号", uint(2)))
    kind: str = wire(named("结算类别", text(1)))


@record
class AccountState(Record):
    """The transaction file (交易文件, TF) of DF04: what the card needs to go on booking, and the
    proof of what it booked last. Which file it is, and its layout, are ours.

    `next_sequence`, `next_load`: numbers of the next purchase and the next load; `proven`: the
    number of the last one, whose `tac` and `mac2` (4 bytes each) GET TRANSACTION PROVE gives.
    Which of the two that was, the newest record of EF08 says; `mac2` of a load is zeros.
    """

    next_sequence: int = wire(named("下一脱机交易序号", uint(2)))
    next_load: int = wire(named("下一联机交易序号", uint(2)))
    proven: int = wire(named("最近交易序号", uint(2)))
    tac: bytes = wire(named("最近交易TAC", raw(4)))
    mac2: bytes = wire(named("最近交易MAC2", raw(4)))


_READ = pin_or("RK1DF04")
_GUARDED = all_of(PIN, by_key("RK1DF04"))
INSURANCE: Final = tlv_file(
    0xEF05, "医保基本信息", "medical insurance", MedicalInsurance, _READ, by_key("UK1DF04")
)
TOTALS: Final = tlv_file(
    0xEF06, "脱网结算信息", "offline totals", OfflineTotals, _GUARDED, by_key("UK2DF04")
)
TRANSACTIONS: Final = cyclic_file(
    0xEF08, "医疗交易明细", "medical transactions", MedicalTransaction, 30, PIN, NEVER
)
"""Written by the card itself when it books."""
SETTLEMENTS: Final = cyclic_file(
    0xEF15, "特殊结算记录", "special settlements", SpecialSettlement, 8, _READ, by_key("UK2DF04")
)
STATE: Final = EfSpec(
    0xEF1B,
    "交易文件",
    "account state",
    FileKind.TRANSPARENT,
    NEVER,
    by_key("DSK"),
    AccountState,
    size=14,
)
FILES: Final = (INSURANCE, TOTALS, TRANSACTIONS, SETTLEMENTS, STATE)
