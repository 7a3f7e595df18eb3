# SPDX-License-Identifier: Apache-2.0
"""The medical account's commands in words: what is paid or loaded, where, when, and each MAC."""

from __future__ import annotations

from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire.form import CommandForm
from apdu.wire.hrss import medical
from apdu.wire.hrss.keys import SSSE_KEYS
from apdu.wire.hrss.medical import DebitTerms, LoadTerms, TransactionKind
from apdu.wire.perso import KeyUsage
from apdu.wire.purchase import LocalTime, PurchaseAlgorithm
from host.amounts import yuan
from host.cli.explanation import Told
from host.cli.layouts import Word, Words, shown_fields
from host.cli.names import Shown
from host.cli.text import packed

MEDICAL_FORMS: Final = (
    medical.INITIALISE_DEBIT,
    medical.DEBIT,
    medical.GET_TRANSACTION_PROVE,
    medical.INITIALISE_LOAD,
    medical.CREDIT_LOAD,
)
_KINDS: Final[dict[int, str]] = {
    TransactionKind.PURCHASE: "purchase 消费",
    TransactionKind.LOAD: "load 划入",
}
_ALGORITHMS: Final = {
    PurchaseAlgorithm.TDES: "3DES",
    PurchaseAlgorithm.DES: "DES",
    PurchaseAlgorithm.SM4: "SM4",
}


def _money(fen: int | None) -> tuple[str, str]:
    return ("", "") if fen is None else (str(yuan(fen)), "yuan 元")


def _number(value: int | bytes) -> tuple[str, str]:
    return str(value if isinstance(value, int) else int.from_bytes(value)), ""


def _kind(value: bytes) -> tuple[str, str]:
    return packed(value), _KINDS.get(int.from_bytes(value), "")


def _time(value: bytes) -> tuple[str, str]:
    try:
        at = LocalTime.parse(value).at
    except FormatError:
        return packed(value), "no such time"
    return ("", "") if at is None else (at.isoformat(" "), "")


def _algorithm(value: PurchaseAlgorithm) -> tuple[str, str]:
    return f"{value:02X}", _ALGORITHMS[value]


def _key(usage: KeyUsage) -> Any:
    names = {key.kid: key.name for key in SSSE_KEYS if key.usage is usage}
    return lambda kid: (f"{kid:02X}", names.get(kid, ""))


def _mac(whose: str) -> Any:
    return lambda value: (packed(value), whose)


_CARD_NUMBER: Final = Word("card's number", "卡交易序号", _number)
_TAC: Final = Word("TAC", "交易验证码", _mac("for the centre, to settle by"))
MAC1: Final = Word("MAC1", "报文鉴别码", _mac("by the PSAM: a genuine terminal"))
MAC2: Final = Word("MAC2", "报文鉴别码", _mac("by the card: it has booked"))

TERMS: Final[Words] = {
    "key_index": Word("purchase key", "消费密钥", _key(KeyUsage.PURCHASE)),
    "account": Word("from the account", "个人账户支付", _money),
    "own": Word("by the holder", "个人自付", _money),
    "pool": Word("from the pool", "统筹基金支付", _money),
    "amount": Word("amount", "划入金额", _money),
    "kind": Word("kind", "交易类型", _kind),
    "terminal": Word("terminal number", "终端机编号"),
    "time": Word("time", "交易时间", _time),
    "random": Word("card's random number", "卡随机数"),
    "card_sequence": _CARD_NUMBER,
    "terminal_sequence": Word("terminal's number", "终端交易序号", _number),
    "version": Word("key version", "密钥版本", _number),
    "algorithm": Word("algorithm", "算法标识", _algorithm),
    "balance": Word("balance", "账户余额", _money),
    "offline_amount": Word("settled off line", "脱网累计金额", _money),
    "offline_count": Word("times off line", "脱网累计次数", _number),
    "mac1": MAC1,
    "mac2": MAC2,
    "tac": _TAC,
}
"""The fields of a purchase, and of the answers that purchases and loads have in common."""
_LOAD: Final[Words] = {
    **TERMS,
    "key_index": Word("load key", "圈存密钥", _key(KeyUsage.LOAD)),
    "mac1": Word("MAC1", "报文鉴别码", _mac("by the card: it has this balance")),
    "mac2": Word("MAC2", "报文鉴别码", _mac("by the centre: it may be credited")),
}
ENTRY: Final[Words] = {
    "sequence": Word("number"),
    "kind": Word("kind", "", _kind),
    "terminal": Word("terminal number"),
    "at": Word("time"),
    "account": Word("from the account"),
    "own": Word("by the holder"),
    "pool": Word("from the pool"),
}
"""The fields of the log (EF08); what they are called in Chinese, the layout says."""


def medical_told(form: CommandForm[Any, Any, Any], params: Any, data: bytes, reply: bytes) -> Told:
    """What one of `MEDICAL_FORMS` is about, and what is in it."""
    if form is medical.GET_TRANSACTION_PROVE:
        number = Shown("", _CARD_NUMBER.english, _CARD_NUMBER.chinese, *_number(data))
        got = _fields(form.reply, reply, TERMS)
        return Told(f"the proof of a {_KINDS[params.kind]}", (number,) if data else (), got)
    words = _LOAD if form in (medical.INITIALISE_LOAD, medical.CREDIT_LOAD) else TERMS
    sent, got = _fields(form.data, data, words), _fields(form.reply, reply, words)
    return Told(_meaning(form, data), sent, got)


def _fields(layout: Any, raw: bytes, words: Words) -> tuple[Shown, ...]:
    return shown_fields(layout, raw, words) if raw else ()


def _meaning(form: CommandForm[Any, Any, Any], data: bytes) -> str:
    if form is medical.DEBIT:
        return "books the purchase that was begun"
    if form is medical.CREDIT_LOAD:
        return "credits the load that was begun"
    try:
        terms = form.data.parse(data)
    except FormatError:
        return "a transaction of the medical account"
    match terms:
        case DebitTerms(account=account, own=own, pool=pool):
            return f"begins a purchase of {yuan(account + own + pool)} yuan, and books nothing yet"
        case LoadTerms(amount=amount):
            return f"begins a load of {yuan(amount)} yuan, and books nothing yet"
    return "a transaction of the medical account"
