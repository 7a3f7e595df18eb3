# SPDX-License-Identifier: Apache-2.0
"""The bits that terminal, card and issuer tell each other with, each element as one number.

Bit `n` of byte `k` is written `_bit(k, n, size)`: b8 is the most significant of its byte, byte 1
the first. What each bit says in words is in `apdu.wire.pboc.meanings`.
EMV 4.3 Book 3 annex C; JR/T 0025.5, 0025.12; card elements as a public card implementation of
JR/T 0025 has them.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


def _bit(byte: int, number: int, size: int) -> int:
    return 1 << 8 * (size - byte) + number - 1


class Aip(IntFlag):
    """应用交互特征 (82), 2 bytes."""

    SDA = _bit(1, 7, 2)
    DDA = _bit(1, 6, 2)
    CARDHOLDER_VERIFICATION = _bit(1, 5, 2)
    TERMINAL_RISK_MANAGEMENT = _bit(1, 4, 2)
    ISSUER_AUTHENTICATION = _bit(1, 3, 2)
    """By EXTERNAL AUTHENTICATE."""
    CDA = _bit(1, 1, 2)


class Tvr(IntFlag):
    """终端验证结果 (95), 5 bytes."""

    ODA_NOT_PERFORMED = _bit(1, 8, 5)
    SDA_FAILED = _bit(1, 7, 5)
    ICC_DATA_MISSING = _bit(1, 6, 5)
    ON_EXCEPTION_FILE = _bit(1, 5, 5)
    DDA_FAILED = _bit(1, 4, 5)
    CDA_FAILED = _bit(1, 3, 5)
    SDA_SELECTED = _bit(1, 2, 5)
    DIFFERENT_VERSIONS = _bit(2, 8, 5)
    EXPIRED = _bit(2, 7, 5)
    NOT_YET_EFFECTIVE = _bit(2, 6, 5)
    SERVICE_NOT_ALLOWED = _bit(2, 5, 5)
    NEW_CARD = _bit(2, 4, 5)
    CARDHOLDER_VERIFICATION_FAILED = _bit(3, 8, 5)
    UNRECOGNISED_CVM = _bit(3, 7, 5)
    PIN_TRIES_EXCEEDED = _bit(3, 6, 5)
    PIN_PAD_MISSING = _bit(3, 5, 5)
    PIN_NOT_ENTERED = _bit(3, 4, 5)
    ONLINE_PIN_ENTERED = _bit(3, 3, 5)
    FLOOR_LIMIT_EXCEEDED = _bit(4, 8, 5)
    LOWER_LIMIT_EXCEEDED = _bit(4, 7, 5)
    UPPER_LIMIT_EXCEEDED = _bit(4, 6, 5)
    SELECTED_AT_RANDOM = _bit(4, 5, 5)
    MERCHANT_FORCED_ONLINE = _bit(4, 4, 5)
    DEFAULT_TDOL_USED = _bit(5, 8, 5)
    ISSUER_AUTHENTICATION_FAILED = _bit(5, 7, 5)
    SCRIPT_FAILED_BEFORE_FINAL = _bit(5, 6, 5)
    SCRIPT_FAILED_AFTER_FINAL = _bit(5, 5, 5)


class Tsi(IntFlag):
    """交易状态信息 (9B), 2 bytes."""

    ODA_PERFORMED = _bit(1, 8, 2)
    CARDHOLDER_VERIFIED = _bit(1, 7, 2)
    CARD_RISK_MANAGED = _bit(1, 6, 2)
    ISSUER_AUTHENTICATED = _bit(1, 5, 2)
    TERMINAL_RISK_MANAGED = _bit(1, 4, 2)
    SCRIPTS_PROCESSED = _bit(1, 3, 2)


class Auc(IntFlag):
    """应用用途控制 (9F07), 2 bytes."""

    DOMESTIC_CASH = _bit(1, 8, 2)
    INTERNATIONAL_CASH = _bit(1, 7, 2)
    DOMESTIC_GOODS = _bit(1, 6, 2)
    INTERNATIONAL_GOODS = _bit(1, 5, 2)
    DOMESTIC_SERVICES = _bit(1, 4, 2)
    INTERNATIONAL_SERVICES = _bit(1, 3, 2)
    AT_ATM = _bit(1, 2, 2)
    ELSEWHERE = _bit(1, 1, 2)
    DOMESTIC_CASHBACK = _bit(2, 8, 2)
    INTERNATIONAL_CASHBACK = _bit(2, 7, 2)


class Result(IntEnum):
    """Two bits of the CVR, and b8-b7 of CID and of P1 of GENERATE AC: which cryptogram."""

    AAC = 0
    TC = 1
    ARQC = 2
    """In the CVR of the second GENERATE AC: not requested."""


class Cvr(IntFlag):
    """卡片验证结果, the 3 bytes behind the length 03 in 9F10 (JR/T 0025.5).

    Bytes are counted as the specification does, the length being byte 1. Three fields are numbers:
    see `with_first`, `with_second` and `with_scripts`.
    """

    SECOND = 0xC00000
    """2.8-7: `Result` of the second GENERATE AC."""
    FIRST = 0x300000
    """2.6-5: `Result` of the first GENERATE AC, or of GPO in qPBOC."""
    ISSUER_AUTHENTICATION_FAILED = 0x080000
    PIN_VERIFICATION_PERFORMED = 0x040000
    PIN_VERIFICATION_FAILED = 0x020000
    UNABLE_TO_GO_ONLINE = 0x010000
    LAST_ONLINE_NOT_COMPLETED = 0x008000
    PIN_TRIES_EXCEEDED = 0x004000
    VELOCITY_EXCEEDED = 0x002000
    NEW_CARD = 0x001000
    LAST_ISSUER_AUTHENTICATION_FAILED = 0x000800
    NO_ISSUER_AUTHENTICATION = 0x000400
    """Not performed after an online authorisation."""
    BLOCKED_FOR_PIN = 0x000200
    """The card blocked the application, because PIN tries were exceeded."""
    LAST_SDA_FAILED = 0x000100
    SCRIPTS = 0x0000F0
    """4.8-5: script commands that came after the last second GENERATE AC."""
    LAST_SCRIPT_FAILED = 0x000008
    LAST_DDA_FAILED = 0x000004
    DDA_PERFORMED = 0x000002


def with_first(cvr: int, result: int) -> int:
    """The CVR with the result of the first GENERATE AC."""
    return cvr & ~0x300000 | result << 20


def with_second(cvr: int, result: int) -> int:
    """The CVR with the result of the second GENERATE AC."""
    return cvr & ~0xC00000 | result << 22


def with_scripts(cvr: int, count: int) -> int:
    """The CVR with the number of script commands, 15 at most."""
    return cvr & ~0x0000F0 | min(count, 15) << 4


def first_of(cvr: int) -> Result:
    """The result of the first GENERATE AC. Raises ValueError for the value that is reserved."""
    return Result(cvr >> 20 & 3)


def second_of(cvr: int) -> Result:
    """The result of the second GENERATE AC. Raises ValueError for the value that is reserved."""
    return Result(cvr >> 22 & 3)


def scripts_of(cvr: int) -> int:
    return cvr >> 4 & 0xF


class Ada(IntFlag):
    """应用缺省行为 (9F52), 2 bytes; absent: no bit."""

    ONLINE_AFTER_FAILED_AUTHENTICATION = _bit(1, 8, 2)
    DECLINE_ON_FAILED_AUTHENTICATION = _bit(1, 7, 2)
    DECLINE_WITHOUT_AUTHENTICATION = _bit(1, 6, 2)
    """Where it is mandatory and no ARPC came."""
    ADVICE_ON_DECLINE = _bit(1, 5, 2)
    ADVICE_ON_PIN_TRIES = _bit(1, 4, 2)
    ADVICE_ON_AUTHENTICATION = _bit(1, 3, 2)
    ONLINE_FOR_NEW_CARD = _bit(1, 2, 2)
    DECLINE_NEW_CARD_OFFLINE = _bit(1, 1, 2)
    BLOCK_ON_PIN_TRIES = _bit(2, 8, 2)
    """Exceeded in this transaction."""
    DECLINE_ON_EARLIER_PIN_TRIES = _bit(2, 7, 2)
    ONLINE_ON_EARLIER_PIN_TRIES = _bit(2, 6, 2)
    DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES = _bit(2, 5, 2)
    ONLINE_AFTER_FAILED_SCRIPT = _bit(2, 4, 2)
    BLOCK_ON_EARLIER_PIN_TRIES = _bit(2, 3, 2)


class CardProcessing(IntFlag):
    """卡片附加处理 (9F68), 4 bytes: how a card decides a qPBOC transaction."""

    CASH_CHECK = _bit(1, 8, 4)
    CASH_AND_CTTA_CHECK = _bit(1, 7, 4)
    CASH_OR_CTTA_CHECK = _bit(1, 6, 4)
    NEW_CARD_CHECK = _bit(1, 5, 4)
    PIN_TRIES_CHECK = _bit(1, 4, 4)
    OFFLINE_IN_OTHER_CURRENCY = _bit(1, 3, 4)
    CONTACT_INSTEAD_OF_ONLINE = _bit(1, 2, 4)
    TELL_AVAILABLE_AMOUNT = _bit(1, 1, 4)
    PREPAID = _bit(2, 8, 4)
    REJECT_OTHER_CURRENCY = _bit(2, 7, 4)
    DECLINE_NEW_CARD_OFFLINE = _bit(2, 6, 4)
    LOG_TRANSACTIONS = _bit(2, 5, 4)
    ONLINE_PIN = _bit(3, 8, 4)
    """For the card's currency."""
    ONLINE_PIN_IN_OTHER_CURRENCY = _bit(3, 7, 4)
    CVM_IN_OTHER_CURRENCY = _bit(3, 6, 4)
    SIGNATURE = _bit(3, 5, 4)


class Ctq(IntFlag):
    """卡片交易属性 (9F6C), 2 bytes."""

    ONLINE_PIN = _bit(1, 8, 2)
    SIGNATURE = _bit(1, 7, 2)
    ONLINE_IF_ODA_FAILS = _bit(1, 6, 2)
    CONTACT_IF_ODA_FAILS = _bit(1, 5, 2)


class Ttq(IntFlag):
    """终端交易属性 (9F66), 4 bytes."""

    CONTACTLESS_PBOC = _bit(1, 7, 4)
    QPBOC = _bit(1, 6, 4)
    CONTACT_PBOC = _bit(1, 5, 4)
    OFFLINE_ONLY = _bit(1, 4, 4)
    ONLINE_PIN = _bit(1, 3, 4)
    SIGNATURE = _bit(1, 2, 4)
    CRYPTOGRAM_REQUIRED = _bit(2, 8, 4)
    CVM_REQUIRED = _bit(2, 7, 4)
    FDDA_01 = _bit(4, 8, 4)


class TerminalCapabilities(IntFlag):
    """终端性能 (9F33), 3 bytes."""

    MANUAL_KEY_ENTRY = _bit(1, 8, 3)
    MAGNETIC_STRIPE = _bit(1, 7, 3)
    CONTACT = _bit(1, 6, 3)
    PLAINTEXT_PIN = _bit(2, 8, 3)
    ONLINE_PIN = _bit(2, 7, 3)
    SIGNATURE = _bit(2, 6, 3)
    ENCIPHERED_PIN = _bit(2, 5, 3)
    NO_CVM = _bit(2, 4, 3)
    HOLDER_DOCUMENT = _bit(2, 1, 3)
    """持卡人证件, an extension of PBOC."""
    SDA = _bit(3, 8, 3)
    DDA = _bit(3, 7, 3)
    CARD_CAPTURE = _bit(3, 6, 3)
    CDA = _bit(3, 4, 3)


class Cid(IntFlag):
    """密文信息数据 (9F27), 1 byte, below its two bits of `Result`."""

    ADVICE = 0x08
    REASON_PIN_TRIES = 0x02


def result_of(cid: int) -> Result:
    """b8-b7 of the CID. Raises ValueError for the value that is reserved."""
    return Result(cid >> 6)
