# SPDX-License-Identifier: Apache-2.0
"""DF07, personnel and talent (人事人才信息区): tags and lengths are known, meanings are not."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.wire.fields import day, item, text, wire
from apdu.wire.hrss.application import by_key
from apdu.wire.hrss.spec import tlv_file
from apdu.wire.record import Record, record


@record
class PersonnelData1(Record):
    """DF07 EF05."""

    item_f0: str = wire(item(0xF0, 2, text(2), "（名称未公开）"))
    item_f1: str = wire(item(0xF1, 1, text(1), "（名称未公开）"))
    item_f2: date | None = wire(item(0xF2, 4, day(), "（名称未公开）"))
    item_f3: str = wire(item(0xF3, 3, text(3), "（名称未公开）"))
    item_f4: date | None = wire(item(0xF4, 4, day(), "（名称未公开）"))


@record
class PersonnelData2(Record):
    """DF07 EF06."""

    item_f5: str = wire(item(0xF5, 3, text(3), "（名称未公开）"))
    item_f6: date | None = wire(item(0xF6, 4, day(), "（名称未公开）"))
    item_f7: str = wire(item(0xF7, 70, text(70), "（名称未公开）"))


@record
class PersonnelData3(Record):
    """DF07 EF07."""

    item_f8: date | None = wire(item(0xF8, 4, day(), "（名称未公开）"))
    item_f9: str = wire(item(0xF9, 1, text(1), "（名称未公开）"))


FILES: Final = (
    tlv_file(
        0xEF05,
        "人事人才信息1",
        "personnel",
        PersonnelData1,
        by_key("RK1DF07"),
        by_key("UK1DF07"),
    ),
    tlv_file(
        0xEF06,
        "人事人才信息2",
        "personnel",
        PersonnelData2,
        by_key("RK2DF07"),
        by_key("UK2DF07"),
    ),
    tlv_file(
        0xEF07,
        "人事人才信息3",
        "personnel",
        PersonnelData3,
        by_key("RK3DF07"),
        by_key("UK3DF07"),
    ),
)
