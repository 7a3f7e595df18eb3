# SPDX-License-Identifier: Apache-2.0
"""What the bits of payment data elements say, in English and Chinese, one line a bit."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from typing import Final, NamedTuple

from apdu.wire.pboc.flags import (
    Ada,
    Aip,
    Auc,
    CardProcessing,
    Ctq,
    Cvr,
    TerminalCapabilities,
    Tsi,
    Ttq,
    Tvr,
)


class Meaning(NamedTuple):
    english: str
    chinese: str


def _of(english: str, chinese: str) -> Meaning:
    return Meaning(english, chinese)


_TABLES: Final[Mapping[type[IntFlag], Mapping[IntFlag, Meaning]]] = {
    Aip: {
        Aip.SDA: _of("SDA supported", "支持SDA"),
        Aip.DDA: _of("DDA supported", "支持DDA"),
        Aip.CARDHOLDER_VERIFICATION: _of("cardholder verification supported", "支持持卡人认证"),
        Aip.TERMINAL_RISK_MANAGEMENT: _of(
            "terminal risk management to be performed", "执行终端风险管理"
        ),
        Aip.ISSUER_AUTHENTICATION: _of("issuer authentication supported", "支持发卡行认证"),
        Aip.CDA: _of("CDA supported", "支持CDA"),
    },
    Tvr: {
        Tvr.ODA_NOT_PERFORMED: _of(
            "offline data authentication was not performed", "未进行脱机数据认证"
        ),
        Tvr.SDA_FAILED: _of("SDA failed", "脱机静态数据认证失败"),
        Tvr.ICC_DATA_MISSING: _of("card data missing", "IC卡数据缺失"),
        Tvr.ON_EXCEPTION_FILE: _of("card is on the exception file", "卡片出现在终端异常文件中"),
        Tvr.DDA_FAILED: _of("DDA failed", "脱机动态数据认证失败"),
        Tvr.CDA_FAILED: _of("CDA failed", "复合动态数据认证失败"),
        Tvr.SDA_SELECTED: _of("SDA selected", "已选择SDA"),
        Tvr.DIFFERENT_VERSIONS: _of(
            "card and terminal have different application versions", "卡片和终端应用版本不一致"
        ),
        Tvr.EXPIRED: _of("application has expired", "应用已过有效期"),
        Tvr.NOT_YET_EFFECTIVE: _of("application is not yet effective", "应用尚未生效"),
        Tvr.SERVICE_NOT_ALLOWED: _of(
            "service is not allowed for this card", "卡片不允许所请求的服务"
        ),
        Tvr.NEW_CARD: _of("new card", "新卡"),
        Tvr.CARDHOLDER_VERIFICATION_FAILED: _of("cardholder verification failed", "持卡人验证失败"),
        Tvr.UNRECOGNISED_CVM: _of("CVM not recognised", "未知的CVM"),
        Tvr.PIN_TRIES_EXCEEDED: _of("PIN try limit exceeded", "PIN重试次数超限"),
        Tvr.PIN_PAD_MISSING: _of(
            "PIN required and PIN pad missing or broken", "要求输入PIN但无PIN键盘或键盘故障"
        ),
        Tvr.PIN_NOT_ENTERED: _of("PIN required but not entered", "要求输入PIN但未输入"),
        Tvr.ONLINE_PIN_ENTERED: _of("online PIN entered", "输入联机PIN"),
        Tvr.FLOOR_LIMIT_EXCEEDED: _of("floor limit exceeded", "交易超过最低限额"),
        Tvr.LOWER_LIMIT_EXCEEDED: _of(
            "lower consecutive offline limit exceeded", "超过连续脱机交易下限"
        ),
        Tvr.UPPER_LIMIT_EXCEEDED: _of(
            "upper consecutive offline limit exceeded", "超过连续脱机交易上限"
        ),
        Tvr.SELECTED_AT_RANDOM: _of("selected at random to go online", "交易被随机选择联机处理"),
        Tvr.MERCHANT_FORCED_ONLINE: _of("merchant forced online", "商户要求联机交易"),
        Tvr.DEFAULT_TDOL_USED: _of("default TDOL used", "使用缺省TDOL"),
        Tvr.ISSUER_AUTHENTICATION_FAILED: _of("issuer authentication failed", "发卡行认证失败"),
        Tvr.SCRIPT_FAILED_BEFORE_FINAL: _of(
            "script failed before the final GENERATE AC", "最后一次生成应用密文之前脚本处理失败"
        ),
        Tvr.SCRIPT_FAILED_AFTER_FINAL: _of(
            "script failed after the final GENERATE AC", "最后一次生成应用密文之后脚本处理失败"
        ),
    },
    Tsi: {
        Tsi.ODA_PERFORMED: _of("offline data authentication performed", "执行了脱机数据认证"),
        Tsi.CARDHOLDER_VERIFIED: _of("cardholder verification performed", "执行了持卡人验证"),
        Tsi.CARD_RISK_MANAGED: _of("card risk management performed", "执行了卡片风险管理"),
        Tsi.ISSUER_AUTHENTICATED: _of("issuer authentication performed", "执行了发卡行认证"),
        Tsi.TERMINAL_RISK_MANAGED: _of("terminal risk management performed", "执行了终端风险管理"),
        Tsi.SCRIPTS_PROCESSED: _of("script processing performed", "执行了脚本处理"),
    },
    Auc: {
        Auc.DOMESTIC_CASH: _of("valid for domestic cash", "国内取现有效"),
        Auc.INTERNATIONAL_CASH: _of("valid for international cash", "国际取现有效"),
        Auc.DOMESTIC_GOODS: _of("valid for domestic goods", "国内商品有效"),
        Auc.INTERNATIONAL_GOODS: _of("valid for international goods", "国际商品有效"),
        Auc.DOMESTIC_SERVICES: _of("valid for domestic services", "国内服务有效"),
        Auc.INTERNATIONAL_SERVICES: _of("valid for international services", "国际服务有效"),
        Auc.AT_ATM: _of("valid at ATMs", "ATM有效"),
        Auc.ELSEWHERE: _of("valid at terminals other than ATMs", "除ATM外的终端有效"),
        Auc.DOMESTIC_CASHBACK: _of("domestic cashback allowed", "允许国内返现"),
        Auc.INTERNATIONAL_CASHBACK: _of("international cashback allowed", "允许国际返现"),
    },
    Cvr: {
        Cvr.ISSUER_AUTHENTICATION_FAILED: _of(
            "issuer authentication performed and failed", "发卡行认证执行但失败"
        ),
        Cvr.PIN_VERIFICATION_PERFORMED: _of(
            "offline PIN verification performed", "脱机PIN验证执行"
        ),
        Cvr.PIN_VERIFICATION_FAILED: _of("offline PIN verification failed", "脱机PIN验证失败"),
        Cvr.UNABLE_TO_GO_ONLINE: _of("unable to go online", "不能联机"),
        Cvr.LAST_ONLINE_NOT_COMPLETED: _of(
            "last online transaction not completed", "上次联机交易没有完成"
        ),
        Cvr.PIN_TRIES_EXCEEDED: _of("PIN try limit exceeded", "PIN锁定"),
        Cvr.VELOCITY_EXCEEDED: _of("velocity check exceeded", "频度检查超过"),
        Cvr.NEW_CARD: _of("new card", "新卡"),
        Cvr.LAST_ISSUER_AUTHENTICATION_FAILED: _of(
            "issuer authentication failed on the last online transaction",
            "上次联机交易发卡行认证失败",
        ),
        Cvr.NO_ISSUER_AUTHENTICATION: _of(
            "issuer authentication not performed after online authorisation",
            "联机授权后，发卡行认证没有执行",
        ),
        Cvr.BLOCKED_FOR_PIN: _of(
            "application blocked by the card because PIN tries were exceeded",
            "由于PIN锁定卡片锁定应用",
        ),
        Cvr.LAST_SDA_FAILED: _of(
            "SDA failed on the last transaction, which was declined offline",
            "上次交易SDA失败交易拒绝",
        ),
        Cvr.LAST_SCRIPT_FAILED: _of(
            "issuer script processing failed on the last transaction", "上次交易发卡行脚本处理失败"
        ),
        Cvr.LAST_DDA_FAILED: _of(
            "DDA failed on the last transaction, which was declined offline",
            "上次交易DDA失败交易拒绝",
        ),
        Cvr.DDA_PERFORMED: _of("offline DDA performed", "DDA执行"),
    },
    Ada: {
        Ada.ONLINE_AFTER_FAILED_AUTHENTICATION: _of(
            "go online next time when issuer authentication failed",
            "如果发卡行认证失败，下次交易联机上送",
        ),
        Ada.DECLINE_ON_FAILED_AUTHENTICATION: _of(
            "decline when issuer authentication was performed and failed",
            "如果发卡行认证执行但失败，拒绝交易",
        ),
        Ada.DECLINE_WITHOUT_AUTHENTICATION: _of(
            "decline when issuer authentication is mandatory and no ARPC came",
            "如果发卡行认证必备但没有ARPC，拒绝交易",
        ),
        Ada.ADVICE_ON_DECLINE: _of("create advice when declined", "如果交易拒绝，产生通知"),
        Ada.ADVICE_ON_PIN_TRIES: _of(
            "create advice when declined with PIN tries exceeded in this transaction",
            "如果PIN在本次交易中锁定而且交易拒绝，产生通知",
        ),
        Ada.ADVICE_ON_AUTHENTICATION: _of(
            "create advice when declined because issuer authentication failed or was not performed",
            "如果因为发卡行认证失败或没有执行导致交易拒绝，产生通知",
        ),
        Ada.ONLINE_FOR_NEW_CARD: _of("go online with a new card", "如果是新卡，联机处理"),
        Ada.DECLINE_NEW_CARD_OFFLINE: _of(
            "decline with a new card that cannot go online", "如果是新卡而且交易无法联机，拒绝交易"
        ),
        Ada.BLOCK_ON_PIN_TRIES: _of(
            "block the application when PIN tries are exceeded in this transaction",
            "如果PIN在本次交易中锁定，应用锁定",
        ),
        Ada.DECLINE_ON_EARLIER_PIN_TRIES: _of(
            "decline when PIN tries were exceeded earlier", "如果PIN在前次交易中锁定，拒绝交易"
        ),
        Ada.ONLINE_ON_EARLIER_PIN_TRIES: _of(
            "go online when PIN tries were exceeded earlier", "如果PIN在前次交易中锁定，联机处理"
        ),
        Ada.DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES: _of(
            "decline when PIN tries were exceeded earlier and the card cannot go online",
            "如果PIN在前次交易中锁定而且交易无法联机，拒绝交易",
        ),
        Ada.ONLINE_AFTER_FAILED_SCRIPT: _of(
            "go online when a script failed in the last transaction",
            "如果前次交易中脚本失败，联机处理",
        ),
        Ada.BLOCK_ON_EARLIER_PIN_TRIES: _of(
            "decline and block the application when PIN tries were exceeded earlier",
            "如果PIN在前次交易中锁定，拒绝交易并锁应用",
        ),
    },
    CardProcessing: {
        CardProcessing.CASH_CHECK: _of("electronic cash check", "支持小额检查"),
        CardProcessing.CASH_AND_CTTA_CHECK: _of(
            "electronic cash and CTTA check", "支持小额和CTTA检查"
        ),
        CardProcessing.CASH_OR_CTTA_CHECK: _of(
            "electronic cash or CTTA check", "支持小额或CTTA检查"
        ),
        CardProcessing.NEW_CARD_CHECK: _of("new card check", "支持新卡检查"),
        CardProcessing.PIN_TRIES_CHECK: _of("PIN try limit check", "支持PIN重试次数超过检查"),
        CardProcessing.OFFLINE_IN_OTHER_CURRENCY: _of(
            "offline allowed when the currency differs", "允许货币不匹配的脱机交易"
        ),
        CardProcessing.CONTACT_INSTEAD_OF_ONLINE: _of(
            "contact instead of online, where the terminal can", "卡优先选择接触式PBOC联机"
        ),
        CardProcessing.TELL_AVAILABLE_AMOUNT: _of(
            "available offline amount is told", "返回脱机消费可用余额"
        ),
        CardProcessing.PREPAID: _of("prepaid supported", "支持预付"),
        CardProcessing.REJECT_OTHER_CURRENCY: _of(
            "transactions in another currency rejected", "不允许不匹配货币的交易"
        ),
        CardProcessing.DECLINE_NEW_CARD_OFFLINE: _of(
            "new card declined at an offline terminal", "新卡且读卡器仅支持脱机，拒绝交易"
        ),
        CardProcessing.LOG_TRANSACTIONS: _of("approved taps are logged", "支持交易日志"),
        CardProcessing.ONLINE_PIN: _of(
            "online PIN for the card's currency", "匹配货币的交易支持联机PIN"
        ),
        CardProcessing.ONLINE_PIN_IN_OTHER_CURRENCY: _of(
            "online PIN for another currency", "不匹配货币的交易支持联机PIN"
        ),
        CardProcessing.CVM_IN_OTHER_CURRENCY: _of(
            "CVM required for another currency", "对于不匹配货币的交易，要求CVM"
        ),
        CardProcessing.SIGNATURE: _of("signature supported", "支持签名"),
    },
    Ctq: {
        Ctq.ONLINE_PIN: _of("online PIN required", "需要联机PIN"),
        Ctq.SIGNATURE: _of("signature required", "需要签名"),
        Ctq.ONLINE_IF_ODA_FAILS: _of(
            "go online when data authentication fails and the terminal can",
            "如果脱机数据认证失败且读卡器支持联机，联机",
        ),
        Ctq.CONTACT_IF_ODA_FAILS: _of(
            "use contact when data authentication fails and the terminal can",
            "如果脱机数据认证失败且读卡器支持接触式PBOC，终止交易改用接触",
        ),
    },
    Ttq: {
        Ttq.CONTACTLESS_PBOC: _of("contactless PBOC supported", "支持非接触式PBOC借贷记"),
        Ttq.QPBOC: _of("qPBOC supported", "支持qPBOC"),
        Ttq.CONTACT_PBOC: _of("contact PBOC supported", "支持接触式PBOC借贷记"),
        Ttq.OFFLINE_ONLY: _of("terminal is offline only", "读卡器仅支持脱机"),
        Ttq.ONLINE_PIN: _of("online PIN supported", "支持联机PIN"),
        Ttq.SIGNATURE: _of("signature supported", "支持签名"),
        Ttq.CRYPTOGRAM_REQUIRED: _of("online cryptogram required", "要求联机密文"),
        Ttq.CVM_REQUIRED: _of("CVM required", "要求CVM"),
        Ttq.FDDA_01: _of("fDDA version 01 supported", "支持fDDA 01版本"),
    },
    TerminalCapabilities: {
        TerminalCapabilities.MANUAL_KEY_ENTRY: _of("manual key entry", "手工键盘输入"),
        TerminalCapabilities.MAGNETIC_STRIPE: _of("magnetic stripe", "磁条"),
        TerminalCapabilities.CONTACT: _of("contact chip", "接触式IC卡"),
        TerminalCapabilities.PLAINTEXT_PIN: _of("plaintext PIN for offline", "IC卡明文PIN验证"),
        TerminalCapabilities.ONLINE_PIN: _of("enciphered PIN for online", "加密PIN联机验证"),
        TerminalCapabilities.SIGNATURE: _of("signature", "签名（纸）"),
        TerminalCapabilities.ENCIPHERED_PIN: _of("enciphered PIN for offline", "加密PIN脱机验证"),
        TerminalCapabilities.NO_CVM: _of("no CVM required", "无需CVM"),
        TerminalCapabilities.HOLDER_DOCUMENT: _of("cardholder document", "持卡人证件验证"),
        TerminalCapabilities.SDA: _of("SDA", "静态数据认证"),
        TerminalCapabilities.DDA: _of("DDA", "动态数据认证"),
        TerminalCapabilities.CARD_CAPTURE: _of("card capture", "吞卡"),
        TerminalCapabilities.CDA: _of("CDA", "复合动态数据认证"),
    },
}


def meaning(bit: IntFlag) -> Meaning:
    """What one bit says. KeyError for what is not one bit."""
    return _TABLES[type(bit)][bit]


def spelled_out(kind: type[IntFlag], value: int) -> list[tuple[IntFlag, Meaning]]:
    """The bits that are set in an element, in the order of the specification, with what they say.

    Bits without a meaning are left out, and so are the numbers in the CVR.
    """
    return [(bit, said) for bit, said in _TABLES[kind].items() if value & bit]


def known_bits(kind: type[IntFlag]) -> list[IntFlag]:
    """The bits of an element that say something, in the order of the specification."""
    return list(_TABLES[kind])
