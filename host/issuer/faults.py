# SPDX-License-Identifier: Apache-2.0
"""Why the bank says no, each with the response code (DE39, tag 8A) that a terminal is told.

The codes are those of ISO 8583:1987 as UnionPay uses them; where it has none of its own for a
reason, the nearest one stands (profile choice `response-codes`).
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Response code, and the reason in English and Chinese."""

    INVALID = "12", "not possible with this transaction or account", "无效交易"
    TOO_MUCH = "13", "the account cannot hold so much", "无效金额"
    UNKNOWN_CARD = "14", "no such card", "无效卡号"
    REVERSED = "22", "was reversed before it came", "原交易已冲正"
    NO_ORIGINAL = "25", "no such original", "未找到原交易"
    NO_FUNDS = "51", "insufficient funds", "余额不足"
    EXPIRED = "54", "the card has expired", "卡已过期"
    WRONG_PIN = "55", "wrong transaction password", "密码错误"
    OVER_SUM = "61", "exceeds what may be had in a day", "超出当日金额限制"
    INACTIVE = "62", "the account is not activated", "账户未激活"
    FROZEN = "62", "the account is frozen", "账户已冻结"
    CLOSED = "62", "the account is closed", "账户已销户"
    OVER_COUNT = "65", "exceeds how often it may be done in a day", "超出当日次数限制"
    PIN_BLOCKED = "75", "too many wrong transaction passwords", "密码错误次数超限"
    DUPLICATE = "94", "the reference stands for something else", "重复交易"
    SETTLED = "94", "was presented before under another reference", "重复入账"
    DECLINED = "05", "the issuer does not honour it", "不予承兑"
    NOT_GENUINE = "05", "the card did not prove its key", "应用密文验证失败"
    SEEN_BEFORE = "05", "the card's counter was seen before", "交易计数器重复"
    NO_PASSWORD = "55", "the transaction password is missing", "缺少交易密码"
    NO_AMOUNT = "13", "the amount is none", "无效金额"
    FORMAT = "30", "the message is not in its shape", "报文格式错误"

    @property
    def code(self) -> str:
        """2 characters."""
        return self.value[0]

    @property
    def english(self) -> str:
        return self.value[1]

    @property
    def chinese(self) -> str:
        return self.value[2]


class Refused(Exception):
    """The bank's own no. Nothing was posted. `tries_left`: of the transaction password, where
    the reason is about it."""

    def __init__(self, reason: Reason, tries_left: int | None = None) -> None:
        super().__init__(f"{reason.code} {reason.english}")
        self.reason = reason
        self.tries_left = tries_left

    @property
    def code(self) -> str:
        """The response code, 2 characters."""
        return self.reason.code


class BankUnavailable(Exception):
    """The store cannot be reached, is busy for too long, or is of another version; or the
    library for it is not installed. Whether the last order was done is told by asking again."""

    code = "96"
    """Response code: system malfunction (系统异常)."""
