# SPDX-License-Identifier: Apache-2.0
"""The data elements (数据元) of EMV and PBOC payment: tag, name, format and length.

Names, formats and lengths are those of EMV 4.3 Book 3 annex A; of PBOC's own elements (9F5x to
9F7B, DFxx) those of JR/T 0025 as public terminal kernels have them, Chinese names likewise.
Where those kernels disagree on a format, it is BINARY, and the length leaves nothing to fill.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Format(Enum):
    """How a value is written (EMV Book 3 4.3); the value is what specifications call it."""

    ALPHABETIC = "a"
    ALPHANUMERIC = "an"
    SPECIAL = "ans"
    BINARY = "b"
    COMPRESSED = "cn"
    """BCD digits from the left, filled with F on the right."""
    NUMERIC = "n"
    """BCD digits to the right, filled with 0 on the left."""


class Element(NamedTuple):
    """One data element; its value has from `least` to `most` bytes."""

    tag: int
    name: str
    chinese: str
    format: Format
    least: int
    most: int


VARIABLE: Final = 252
"""Bytes of an element that the specifications call variable, at most (EMV Book 3 annex A)."""
CERTIFICATE: Final = 248
"""Bytes of an RSA modulus, and so of a certificate or signature, at most (EMV Book 2 annex B)."""
_A, _AN, _ANS = Format.ALPHABETIC, Format.ALPHANUMERIC, Format.SPECIAL
_B, _CN, _N = Format.BINARY, Format.COMPRESSED, Format.NUMERIC


def _of(
    tag: int, name: str, chinese: str, kind: Format, least: int, most: int | None = None
) -> Element:
    return Element(tag, name, chinese, kind, least, least if most is None else most)


_TEMPLATES: Final = (
    _of(0x61, "Application Template", "应用模板", _B, 0, VARIABLE),
    _of(0x6F, "FCI Template", "文件控制信息模板", _B, 0, VARIABLE),
    _of(0x70, "Record Template", "记录模板", _B, 0, VARIABLE),
    _of(0x71, "Issuer Script Template 1", "发卡行脚本模板1", _B, 0, VARIABLE),
    _of(0x72, "Issuer Script Template 2", "发卡行脚本模板2", _B, 0, VARIABLE),
    _of(0x73, "Directory Discretionary Template", "目录自定义模板", _B, 0, VARIABLE),
    _of(0x77, "Response Message Template Format 2", "响应报文模板格式2", _B, 0, VARIABLE),
    _of(0x80, "Response Message Template Format 1", "响应报文模板格式1", _B, 0, VARIABLE),
    _of(0x83, "Command Template", "命令模板", _B, 0, VARIABLE),
    _of(0xA5, "FCI Proprietary Template", "FCI 专用模板", _B, 0, VARIABLE),
    _of(0xBF0C, "FCI Issuer Discretionary Data", "FCI 发卡行自定义数据", _B, 0, 222),
)

_SELECTION: Final = (
    _of(0x42, "Issuer Identification Number", "发卡行标识代码", _N, 3),
    _of(0x4F, "Application Identifier (ADF Name)", "应用标识符", _B, 5, 16),
    _of(0x50, "Application Label", "应用标签", _ANS, 1, 16),
    _of(0x5F2D, "Language Preference", "首选语言", _AN, 2, 8),
    _of(0x84, "Dedicated File Name", "专用文件名称", _B, 5, 16),
    _of(0x87, "Application Priority Indicator", "应用优先指示器", _B, 1),
    _of(0x88, "Short File Identifier", "短文件标识符", _B, 1),
    _of(0x9D, "Directory Definition File Name", "目录定义文件名称", _B, 5, 16),
    _of(0x9F06, "Application Identifier, Terminal", "应用标识符（终端）", _B, 5, 16),
    _of(0x9F11, "Issuer Code Table Index", "发卡行代码表索引", _N, 1),
    _of(0x9F12, "Application Preferred Name", "应用首选名称", _ANS, 1, 16),
    _of(0x9F38, "Processing Options Data Object List", "处理选项数据对象列表", _B, 0, VARIABLE),
    _of(0x9F4D, "Log Entry", "交易日志入口", _B, 2),
    _of(0xDF4D, "Load Log Entry", "圈存日志入口", _B, 2),
)

_CARD: Final = (
    _of(0x57, "Track 2 Equivalent Data", "磁条2等效数据", _B, 0, 19),
    _of(0x5A, "Application Primary Account Number", "应用主账号", _CN, 0, 10),
    _of(0x5F20, "Cardholder Name", "持卡人姓名", _ANS, 2, 26),
    _of(0x5F24, "Application Expiration Date", "应用失效日期", _N, 3),
    _of(0x5F25, "Application Effective Date", "应用生效日期", _N, 3),
    _of(0x5F28, "Issuer Country Code", "发卡行国家代码", _N, 2),
    _of(0x5F30, "Service Code", "服务码", _N, 2),
    _of(0x5F34, "PAN Sequence Number", "应用主账号序列号", _N, 1),
    _of(0x82, "Application Interchange Profile", "应用交互特征", _B, 2),
    _of(0x8C, "Card Risk Management DOL 1", "卡片风险管理数据对象列表1", _B, 0, VARIABLE),
    _of(0x8D, "Card Risk Management DOL 2", "卡片风险管理数据对象列表2", _B, 0, VARIABLE),
    _of(0x8E, "Cardholder Verification Method List", "持卡人验证方法列表", _B, 10, VARIABLE),
    _of(0x94, "Application File Locator", "应用文件定位器", _B, 0, VARIABLE),
    _of(0x97, "Transaction Certificate DOL", "交易证书数据对象列表", _B, 0, VARIABLE),
    _of(0x9F05, "Application Discretionary Data", "应用自定义数据", _B, 1, 32),
    _of(0x9F07, "Application Usage Control", "应用用途控制", _B, 2),
    _of(0x9F08, "Application Version Number, Card", "应用版本号（卡片）", _B, 2),
    _of(0x9F0B, "Cardholder Name Extended", "持卡人姓名扩展", _ANS, 27, 45),
    _of(0x9F0D, "Issuer Action Code, Default", "发卡行行为代码－缺省", _B, 5),
    _of(0x9F0E, "Issuer Action Code, Denial", "发卡行行为代码－拒绝", _B, 5),
    _of(0x9F0F, "Issuer Action Code, Online", "发卡行行为代码－联机", _B, 5),
    _of(0x9F10, "Issuer Application Data", "发卡行应用数据", _B, 0, 32),
    _of(0x9F13, "Last Online ATC Register", "上次联机 ATC 寄存器", _B, 2),
    _of(0x9F14, "Lower Consecutive Offline Limit, Terminal", "连续脱机交易下限", _B, 1),
    _of(0x9F17, "PIN Try Counter", "PIN 尝试计数器", _B, 1),
    _of(0x9F1F, "Track 1 Discretionary Data", "磁条1自定义数据", _ANS, 0, VARIABLE),
    _of(0x9F20, "Track 2 Discretionary Data", "磁条2自定义数据", _CN, 0, VARIABLE),
    _of(0x9F23, "Upper Consecutive Offline Limit, Terminal", "连续脱机交易上限", _B, 1),
    _of(0x9F26, "Application Cryptogram", "应用密文", _B, 8),
    _of(0x9F27, "Cryptogram Information Data", "密文信息数据", _B, 1),
    _of(0x9F36, "Application Transaction Counter", "应用交易计数器", _B, 2),
    _of(0x9F3B, "Application Reference Currency", "应用参考货币", _N, 2, 8),
    _of(0x9F42, "Application Currency Code", "应用货币代码", _N, 2),
    _of(0x9F43, "Application Reference Currency Exponent", "应用参考货币指数", _N, 1, 4),
    _of(0x9F44, "Application Currency Exponent", "应用货币指数", _N, 1),
    _of(0x9F4F, "Log Format", "交易日志格式", _B, 0, VARIABLE),
)

_AUTHENTICATION: Final = (
    _of(0x8F, "Certification Authority Public Key Index, Card", "认证中心公钥索引", _B, 1),
    _of(0x90, "Issuer Public Key Certificate", "发卡行公钥证书", _B, 0, CERTIFICATE),
    _of(0x92, "Issuer Public Key Remainder", "发卡行公钥余项", _B, 0, CERTIFICATE),
    _of(0x93, "Signed Static Application Data", "签名的静态应用数据", _B, 0, CERTIFICATE),
    _of(0x9F22, "Certification Authority Public Key Index, Terminal", "认证中心公钥索引", _B, 1),
    _of(0x9F2D, "ICC PIN Encipherment Certificate", "IC 卡 PIN 加密公钥证书", _B, 0, CERTIFICATE),
    _of(0x9F2E, "ICC PIN Encipherment Exponent", "IC 卡 PIN 加密公钥指数", _B, 1, 3),
    _of(0x9F2F, "ICC PIN Encipherment Remainder", "IC 卡 PIN 加密公钥余项", _B, 0, CERTIFICATE),
    _of(0x9F32, "Issuer Public Key Exponent", "发卡行公钥指数", _B, 1, 3),
    _of(0x9F45, "Data Authentication Code", "数据认证码", _B, 2),
    _of(0x9F46, "ICC Public Key Certificate", "IC 卡公钥证书", _B, 0, CERTIFICATE),
    _of(0x9F47, "ICC Public Key Exponent", "IC 卡公钥指数", _B, 1, 3),
    _of(0x9F48, "ICC Public Key Remainder", "IC 卡公钥余项", _B, 0, CERTIFICATE),
    _of(0x9F49, "Dynamic Data Authentication DOL", "动态数据认证数据对象列表", _B, 0, VARIABLE),
    _of(0x9F4A, "Static Data Authentication Tag List", "静态数据认证标签列表", _B, 0, VARIABLE),
    _of(0x9F4B, "Signed Dynamic Application Data", "签名的动态应用数据", _B, 0, CERTIFICATE),
    _of(0x9F4C, "ICC Dynamic Number", "IC 卡动态数", _B, 2, 8),
)

_TERMINAL: Final = (
    _of(0x5F2A, "Transaction Currency Code", "交易货币代码", _N, 2),
    _of(0x5F36, "Transaction Currency Exponent", "交易货币指数", _N, 1),
    _of(0x5F57, "Account Type", "账户类型", _N, 1),
    _of(0x81, "Amount, Authorised (Binary)", "授权金额（二进制）", _B, 4),
    _of(0x95, "Terminal Verification Results", "终端验证结果", _B, 5),
    _of(0x98, "Transaction Certificate Hash Value", "交易证书哈希值", _B, 20),
    _of(0x99, "Transaction PIN Data", "交易 PIN 数据", _B, 0, VARIABLE),
    _of(0x9A, "Transaction Date", "交易日期", _N, 3),
    _of(0x9B, "Transaction Status Information", "交易状态信息", _B, 2),
    _of(0x9C, "Transaction Type", "交易类型", _N, 1),
    _of(0x9F01, "Acquirer Identifier", "收单行标识", _N, 6),
    _of(0x9F02, "Amount, Authorised (Numeric)", "授权金额", _N, 6),
    _of(0x9F03, "Amount, Other (Numeric)", "其他金额", _N, 6),
    _of(0x9F04, "Amount, Other (Binary)", "其他金额（二进制）", _B, 4),
    _of(0x9F09, "Application Version Number, Terminal", "应用版本号（终端）", _B, 2),
    _of(0x9F15, "Merchant Category Code", "商户分类码", _N, 2),
    _of(0x9F16, "Merchant Identifier", "商户标识", _ANS, 15),
    _of(0x9F1A, "Terminal Country Code", "终端国家代码", _N, 2),
    _of(0x9F1B, "Terminal Floor Limit", "终端最低限额", _B, 4),
    _of(0x9F1C, "Terminal Identification", "终端标识", _AN, 8),
    _of(0x9F1D, "Terminal Risk Management Data", "终端风险管理数据", _B, 1, 8),
    _of(0x9F1E, "Interface Device Serial Number", "接口设备序列号", _AN, 8),
    _of(0x9F21, "Transaction Time", "交易时间", _N, 3),
    _of(0x9F33, "Terminal Capabilities", "终端性能", _B, 3),
    _of(0x9F34, "Cardholder Verification Method Results", "持卡人验证方法结果", _B, 3),
    _of(0x9F35, "Terminal Type", "终端类型", _N, 1),
    _of(0x9F37, "Unpredictable Number", "不可预知数", _B, 4),
    _of(0x9F39, "Point-of-Service Entry Mode", "销售点输入方式", _N, 1),
    _of(0x9F3A, "Amount, Reference Currency", "参考货币金额", _B, 4),
    _of(0x9F3C, "Transaction Reference Currency Code", "交易参考货币代码", _N, 2),
    _of(0x9F3D, "Transaction Reference Currency Exponent", "交易参考货币指数", _N, 1),
    _of(0x9F40, "Additional Terminal Capabilities", "附加终端性能", _B, 5),
    _of(0x9F41, "Transaction Sequence Counter", "交易序列计数器", _N, 2, 4),
    _of(0x9F4E, "Merchant Name and Location", "商户名称", _ANS, 0, VARIABLE),
    _of(0x9F66, "Terminal Transaction Qualifiers", "终端交易属性", _B, 4),
    _of(0x9F7A, "EC Terminal Support Indicator", "电子现金终端支持指示器", _B, 1),
    _of(0x9F7B, "EC Terminal Transaction Limit", "电子现金终端交易限额", _N, 6),
    _of(0xDF19, "Contactless Offline Floor Limit", "非接触脱机最低限额", _N, 6),
    _of(0xDF20, "Contactless Transaction Limit", "非接触交易限额", _N, 6),
    _of(0xDF21, "Contactless CVM Limit", "非接触 CVM 限额", _N, 6),
    _of(0xDF60, "CAPP Transaction Indicator", "CAPP 交易指示位", _B, 1),
    _of(0xDF69, "SM Algorithm Support Indicator", "SM 算法支持指示器", _B, 1),
)

_ISSUER: Final = (
    _of(0x86, "Issuer Script Command", "发卡行脚本命令", _B, 0, 261),
    _of(0x89, "Authorisation Code", "授权码", _AN, 6),
    _of(0x8A, "Authorisation Response Code", "授权响应代码", _AN, 2),
    _of(0x91, "Issuer Authentication Data", "发卡行认证数据", _B, 8, 16),
    _of(0x9F18, "Issuer Script Identifier", "发卡行脚本标识", _B, 4),
    _of(0xDF31, "Issuer Script Results", "发卡行脚本结果", _B, 0, VARIABLE),
)

_PBOC: Final = (
    _of(0x9F51, "Application Currency Code, Risk Management", "应用货币代码", _N, 2),
    _of(0x9F52, "Application Default Action", "应用缺省行为", _B, 2),
    _of(
        0x9F53,
        "Consecutive Limit, International Currency",
        "连续脱机交易限制数（国际－货币）",
        _B,
        1,
    ),
    _of(0x9F54, "Cumulative Total Amount Limit", "累计脱机交易金额限制数", _N, 6),
    _of(0x9F56, "Issuer Authentication Indicator", "发卡行认证指示位", _B, 1),
    _of(0x9F57, "Issuer Country Code, Risk Management", "发卡行国家代码", _N, 2),
    _of(0x9F58, "Lower Consecutive Offline Limit, Card", "连续脱机交易下限", _B, 1),
    _of(0x9F59, "Upper Consecutive Offline Limit, Card", "连续脱机交易上限", _B, 1),
    _of(0x9F5C, "Cumulative Total Amount Upper Limit", "累计脱机交易金额上限", _N, 6),
    _of(0x9F5D, "Available Offline Spending Amount", "可用脱机消费金额", _N, 6),
    _of(0x9F61, "Cardholder Document Number", "持卡人证件号", _AN, 1, 40),
    _of(0x9F62, "Cardholder Document Type", "持卡人证件类型", _CN, 1),
    _of(0x9F63, "Card Product Identification", "卡产品标识信息", _B, 16),
    _of(0x9F68, "Card Additional Processing", "卡片附加处理", _B, 4),
    _of(0x9F69, "Card Authentication Related Data", "卡片认证相关数据", _B, 8, 16),
    _of(0x9F6B, "Card CVM Limit", "卡片 CVM 限额", _N, 6),
    _of(0x9F6C, "Card Transaction Qualifiers", "卡片交易属性", _B, 2),
    _of(0x9F6D, "EC Reset Threshold", "电子现金重置阈值", _N, 6),
    _of(
        0x9F72,
        "Consecutive Limit, International Country",
        "连续脱机交易限制数（国际－国家）",
        _B,
        1,
    ),
    _of(0x9F73, "Currency Conversion Factor", "货币转换因子", _N, 4),
    _of(0x9F74, "EC Issuer Authorisation Code", "电子现金发卡行授权码", _A, 6),
    _of(
        0x9F75,
        "Cumulative Total Amount Limit, Dual Currency",
        "累计脱机交易金额限制数（双货币）",
        _N,
        6,
    ),
    _of(0x9F76, "Second Application Currency Code", "第2应用货币代码", _N, 2),
    _of(0x9F77, "EC Balance Limit", "电子现金余额上限", _N, 6),
    _of(0x9F78, "EC Single Transaction Limit", "电子现金单笔交易限额", _N, 6),
    _of(0x9F79, "EC Balance", "电子现金余额", _N, 6),
    _of(0xDF4F, "Load Log Format", "圈存日志格式", _B, 0, VARIABLE),
    _of(0xDF61, "Segmented Deduction Identifier", "分段扣费应用标识", _B, 1),
    _of(0xDF62, "Segmented Deduction Limit", "分段扣费抵扣限额", _N, 6),
    _of(0xDF63, "Segmented Deduction Amount Used", "分段扣费已抵扣额", _N, 6),
    _of(0xDF71, "Second EC Currency Code", "第二币种电子现金应用货币代码", _N, 2),
    _of(0xDF72, "Second EC Card CVM Limit", "第二币种卡片 CVM 限额", _N, 6),
    _of(0xDF76, "Second EC Reset Threshold", "第二币种电子现金重置阈值", _N, 6),
    _of(0xDF77, "Second EC Balance Limit", "第二币种电子现金余额上限", _N, 6),
    _of(0xDF78, "Second EC Single Transaction Limit", "第二币种电子现金单笔交易限额", _N, 6),
    _of(0xDF79, "Second EC Balance", "第二币种电子现金余额", _N, 6),
    _of(0xDF7F, "Application Not Activated", "应用未激活标识", _B, 1),
)

ELEMENTS: Final[tuple[Element, ...]] = (
    *_TEMPLATES,
    *_SELECTION,
    *_CARD,
    *_AUTHENTICATION,
    *_TERMINAL,
    *_ISSUER,
    *_PBOC,
)
"""Every element that this project knows."""

BY_TAG: Final[dict[int, Element]] = {element.tag: element for element in ELEMENTS}
