# SPDX-License-Identifier: Apache-2.0
"""What the parts of a payment are called in Chinese, and what response codes say."""

from __future__ import annotations

from typing import Final

from host.issuer.accounts import Operation, State
from host.issuer.faults import Reason
from host.network.authorisation import Purpose
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome

STEPS: Final = {
    Step.SELECTION: "应用选择",
    Step.INITIATION: "应用初始化",
    Step.READ_DATA: "读应用数据",
    Step.ODA: "脱机数据认证",
    Step.RESTRICTIONS: "处理限制",
    Step.CARDHOLDER_VERIFICATION: "持卡人验证",
    Step.TERMINAL_RISK: "终端风险管理",
    Step.TERMINAL_ACTION: "终端行为分析",
    Step.CARD_ACTION: "卡片行为分析",
    Step.ONLINE: "联机处理",
    Step.ISSUER_AUTHENTICATION: "发卡行认证",
    Step.SCRIPTS: "发卡行脚本处理",
    Step.COMPLETION: "交易结束",
    Step.REVERSAL: "冲正与通知",
}
OUTCOMES: Final = {
    Outcome.APPROVED_OFFLINE: "脱机批准",
    Outcome.APPROVED_ONLINE: "联机批准",
    Outcome.DECLINED_OFFLINE: "脱机拒绝",
    Outcome.DECLINED_ONLINE: "联机拒绝",
    Outcome.USE_CONTACT: "请插卡",
    Outcome.TERMINATED: "交易终止",
}
PURPOSES: Final = {
    Purpose.PURCHASE: "消费",
    Purpose.WITHDRAWAL: "取现",
    Purpose.DEPOSIT: "存款",
    Purpose.BALANCE: "余额查询",
    Purpose.TRANSFER: "转账",
    Purpose.LOAD: "圈存",
    Purpose.CASH_LOAD: "现金圈存",
    Purpose.PIN_CHANGE: "修改密码",
}
OPERATIONS: Final = {
    Operation.DEPOSIT: "存款",
    Operation.WITHDRAWAL: "取款",
    Operation.PURCHASE: "消费",
    Operation.TRANSFER: "转账",
    Operation.LOAD: "圈存",
    Operation.CASH_LOAD: "现金圈存",
    Operation.UNLOAD: "圈提",
    Operation.SETTLEMENT: "脱机消费入账",
    Operation.HOLD: "预授权",
    Operation.OPEN: "开户",
    Operation.ACTIVATE: "激活",
    Operation.REVERSAL: "冲正",
}
STATES: Final = {
    State.INACTIVE: ("not activated", "未激活"),
    State.ACTIVE: ("active", "正常"),
    State.CLOSED: ("closed", "销户"),
}
_IN_SHORT: Final = {
    "Y1": ("approved by the card offline", "脱机批准"),
    "Z1": ("declined offline", "脱机拒绝"),
    "Y3": ("the issuer could not be asked, approved offline", "不能联机，脱机批准"),
    "Z3": ("the issuer could not be asked, declined offline", "不能联机，脱机拒绝"),
    "00": ("approved", "批准"),
    Reason.INACTIVE.code: (
        "the account is not activated, frozen or closed",
        "账户未激活、已冻结或已销户",
    ),
}


def code_words(code: str) -> tuple[str, str]:
    """What a response code (8A) says, in English and Chinese; a code of several reasons names
    them all, for a terminal is told no more. Empty for one that is not known."""
    if code in _IN_SHORT:
        return _IN_SHORT[code]
    reasons = [reason for reason in Reason if reason.code == code]
    english = ", or ".join(reason.english for reason in reasons)
    return english, "或".join(reason.chinese for reason in reasons)
