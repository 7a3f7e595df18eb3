# SPDX-License-Identifier: Apache-2.0
"""What the values of payment data elements (数据元) say: amounts in yuan, dates, codes by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from typing import Final

from apdu.errors import FormatError
from apdu.wire.elements import Element, Format
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LogEntry
from apdu.wire.pboc.flags import Cid, Result, result_of
from host.amounts import yuan
from host.cli.names import text_words
from host.cli.text import packed, spaced
from host.network.purposes import TRANSACTION_TYPES
from host.terminal.kernel.capks import full_year

Said = tuple[str, str]
"""A value, and what it stands for."""
RMB_CODE: Final = b"\x01\x56"
_LONG: Final = 32
"""Bytes of a value beyond which only its beginning is shown: all of it stands in the answer."""
_BEGINNING: Final = 8

RESULTS: Final = {
    Result.AAC: "AAC, declined 拒绝",
    Result.TC: "TC, approved 批准",
    Result.ARQC: "ARQC, to go online 联机",
}
"""What kind of cryptogram it is."""
_KINDS: Final = {code: purpose.value for purpose, code in TRANSACTION_TYPES.items()}
_CURRENCIES: Final = {
    b"\x01\x56": "CNY 人民币",
    b"\x03\x44": "HKD 港元",
    b"\x04\x46": "MOP 澳门元",
    b"\x08\x40": "USD 美元",
    b"\x09\x78": "EUR 欧元",
}
_COUNTRIES: Final = {b"\x01\x56": "China 中国"}
_DOCUMENTS: Final = (
    "identity card 身份证",
    "officer's card 军官证",
    "passport 护照",
    "entry permit 入境证",
    "temporary identity card 临时身份证",
    "other 其它",
)
_METHODS: Final = {
    0x00: "fail 失败",
    0x01: "offline PIN 脱机明文PIN",
    0x02: "online PIN 联机PIN",
    0x03: "offline PIN and signature 脱机明文PIN和签名",
    0x04: "enciphered offline PIN 脱机密文PIN",
    0x05: "enciphered offline PIN and signature 脱机密文PIN和签名",
    0x1E: "signature 签名",
    0x1F: "no CVM 无需CVM",
    0x20: "holder's document 持卡人证件",
}
_CONDITIONS: Final = (
    "always",
    "for unattended cash",
    "unless for cash or cashback",
    "if the terminal supports it",
    "for manual cash",
    "for cashback",
    "under X",
    "over X",
    "under Y",
    "over Y",
)
_CVM_RESULTS: Final = ("unknown", "failed", "successful")


def value_words(element: Element | None, value: bytes, currency: bytes = RMB_CODE) -> Said:
    """The value of an element, None: one that nobody here knows. Raises FormatError or ValueError
    for a value that the element cannot have. `currency`: 5F2A that its amount is in."""
    if element is None:
        return short(value), ""
    if not element.least <= len(value) <= element.most:
        wanted = (
            f"{element.least}"
            if element.least == element.most
            else (f"{element.least} to {element.most}")
        )
        raise FormatError(f"{count_words(len(value))}, must be {wanted}")
    said = _SAID.get(element.tag)
    if said is not None:
        return said(value)
    if element.tag in _TRANSACTION_AMOUNTS:
        return amount_words(value, "yuan 元" if currency == RMB_CODE else _currency(currency)[1])
    match element.format:
        case Format.NUMERIC:
            return _digits(value), ""
        case Format.COMPRESSED:
            return _digits(value.rstrip(b"\xff")) if value else "", ""
        case Format.BINARY:
            return short(value), f"{len(value)} bytes" if len(value) > _LONG else ""
    return text_words(value.rstrip(b"\x00")), ""


def count_words(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def short(value: bytes) -> str:
    if len(value) > _LONG:
        return f"{spaced(value[:_BEGINNING])} …"
    return spaced(value)


def _digits(value: bytes) -> str:
    return packed(value).rstrip("F")


def amount_words(value: bytes, currency: str = "yuan 元") -> Said:
    return str(yuan(amount_of(value))), currency


def _in_second(value: bytes) -> Said:
    return amount_words(value, "of the second currency 第二币种")


def _number(value: bytes) -> Said:
    return str(int.from_bytes(value)), ""


def _date(value: bytes) -> Said:
    digits = value.hex()
    year = full_year(int(digits[:2]))
    return date(year, int(digits[2:4]), int(digits[4:])).isoformat(), ""


def _time(value: bytes) -> Said:
    return time.fromisoformat(value.hex()).isoformat(), ""


def _currency(value: bytes) -> Said:
    return packed(value)[1:], _CURRENCIES.get(value, "another currency")


def _country(value: bytes) -> Said:
    return packed(value)[1:], _COUNTRIES.get(value, "")


def _kind(value: bytes) -> Said:
    return packed(value), _KINDS.get(value, "")


def _cid(value: bytes) -> Said:
    try:
        words = RESULTS[result_of(value[0])]
    except ValueError:
        raise FormatError("no kind of cryptogram") from None
    if value[0] & Cid.ADVICE:
        words += ", with advice"
    if value[0] & 7 == Cid.REASON_PIN_TRIES:
        words += ", PIN tries exceeded"
    return packed(value), words


def _document(value: bytes) -> Said:
    number = value[0]
    return packed(value), _DOCUMENTS[number] if number < len(_DOCUMENTS) else ""


def _log_entry(value: bytes) -> Said:
    found = LogEntry.parse(value)
    return packed(value), f"SFI {found.sfi}, {found.records} records"


def _cvm_result(value: bytes) -> Said:
    result = _CVM_RESULTS[value[2]] if value[2] < len(_CVM_RESULTS) else f"{value[2]:02X}"
    return spaced(value), f"{method_words(value[0])}, {condition_words(value[1])}: {result}"


def _choice(*words: str) -> Callable[[bytes], Said]:
    def said(value: bytes) -> Said:
        return packed(value), words[value[0]] if value[0] < len(words) else ""

    return said


def _mandatory(value: bytes) -> Said:
    return packed(value), "mandatory" if value[0] & 0x80 else "optional"


_TRANSACTION_AMOUNTS: Final = frozenset({tags.AMOUNT, tags.OTHER_AMOUNT})
_SAID: Final[dict[int, Callable[[bytes], Said]]] = {
    tags.DF_NAME: lambda value: (text_words(value), ""),
    tags.EXPIRY: _date,
    tags.EFFECTIVE: _date,
    tags.DATE: _date,
    tags.TIME: _time,
    tags.CID: _cid,
    tags.TRANSACTION_TYPE: _kind,
    tags.DOCUMENT_TYPE: _document,
    tags.LOG_ENTRY: _log_entry,
    tags.LOAD_LOG_ENTRY: _log_entry,
    tags.CVM_RESULTS: _cvm_result,
    tags.ISSUER_AUTHENTICATION_INDICATOR: _mandatory,
    tags.EC_INDICATOR: _choice("no electronic cash", "electronic cash 支持电子现金"),
    tags.SM_INDICATOR: _choice("no SM algorithms", "SM2, SM3 and SM4 支持国密算法"),
    tags.NOT_ACTIVATED: _choice("in use", "waits for the holder"),
    **dict.fromkeys(
        (tags.CURRENCY, tags.CURRENCY_CODE, tags.RISK_CURRENCY, tags.SECOND_CURRENCY), _currency
    ),
    tags.SECOND_EC_CURRENCY: _currency,
    **dict.fromkeys((tags.ISSUER_COUNTRY, tags.TERMINAL_COUNTRY, tags.RISK_COUNTRY), _country),
    **dict.fromkeys(
        (
            tags.ATC,
            tags.LAST_ONLINE_ATC,
            tags.PIN_TRIES,
            tags.TERMINAL_LOWER_LIMIT,
            tags.TERMINAL_UPPER_LIMIT,
            tags.LOWER_LIMIT,
            tags.UPPER_LIMIT,
            tags.INTERNATIONAL_CURRENCY_LIMIT,
            tags.INTERNATIONAL_COUNTRY_LIMIT,
            tags.SFI,
        ),
        _number,
    ),
    **dict.fromkeys(
        (
            tags.CTTAL,
            tags.CTTAUL,
            tags.AVAILABLE_AMOUNT,
            tags.CARD_CVM_LIMIT,
            tags.EC_RESET_THRESHOLD,
            tags.DUAL_LIMIT,
            tags.EC_BALANCE_LIMIT,
            tags.EC_SINGLE_LIMIT,
            tags.EC_BALANCE,
            tags.EC_TERMINAL_LIMIT,
            tags.DEDUCTION_LIMIT,
            tags.DEDUCTION_USED,
        ),
        amount_words,
    ),
    **dict.fromkeys(
        (
            tags.SECOND_EC_CVM_LIMIT,
            tags.SECOND_EC_THRESHOLD,
            tags.SECOND_EC_BALANCE_LIMIT,
            tags.SECOND_EC_SINGLE_LIMIT,
            tags.SECOND_EC_BALANCE,
        ),
        _in_second,
    ),
}


def method_words(code: int) -> str:
    return _METHODS.get(code & 0x3F, "an unknown method")


def condition_words(code: int) -> str:
    return _CONDITIONS[code] if code < len(_CONDITIONS) else f"on condition {code:02X}"
