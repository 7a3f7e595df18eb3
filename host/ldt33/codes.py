# SPDX-License-Identifier: Apache-2.0
"""What an LD/T 33 function says when it fails: a negative code and a sentence in two languages.

Codes as four implementations have them. A status word of the card that has no code of its own
is told as its negative: -(SW), so 6A82 is -27266 and a failed key authentication with x tries
left -(63Cx), which is -25536 - x.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu import sw as status
from apdu.errors import FormatError
from host.faults import (
    CardBusy,
    CardFault,
    CardGone,
    CardMisspoke,
    CardMute,
    CardNotGenuine,
    CardRefused,
    CentreMisspoke,
    HeldBack,
    InitialPinInForce,
    KeyUnavailable,
    Lack,
    ReaderGone,
)
from host.terminal.medical import PurchaseInDoubt


class Code(IntEnum):
    """The codes that are no status words."""

    CARD_TYPE = -1
    NO_CARD = -2
    NOT_POWERED = -3
    MUTE = -4
    LIBRARY = -5
    READER = -11
    NOT_CONNECTED = -12
    UNSUPPORTED = -13
    PARAMETER = -14
    CHECKSUM = -15
    CARD_CODE = -20
    NOT_GENUINE = -21
    OTHER_CARD = -22
    ILLEGAL_DATA = -23
    KEY_USE = -24
    CANCELLED = -31
    TIMEOUT = -32
    PIN_LENGTH = -33
    PINS_DIFFER = -34
    INITIAL_PIN = -35
    TO_INITIAL_PIN = -36
    CHARACTER = -41
    LENGTH = -42
    PIN_WRONG = -51
    PIN_BLOCKED = -52
    NO_PSAM = -2201
    PSAM_ALGORITHM = -2202
    PSAM_KEY = -2203
    HSM_NOT_NEEDED = -2204


SENTENCES: Final[dict[int, tuple[str, str]]] = {
    Code.CARD_TYPE: ("the card is no social security card", "卡的类型不对"),
    Code.NO_CARD: ("no card, or it was pulled", "无卡"),
    Code.NOT_POWERED: ("the card has no power", "卡片未上电"),
    Code.MUTE: ("the card does not answer", "卡片无应答"),
    Code.LIBRARY: ("a library could not be loaded", "加载动态库错误"),
    Code.READER: ("the reader failed", "读写器错误"),
    Code.NOT_CONNECTED: ("not connected", "读写器或加密机未连接"),
    Code.UNSUPPORTED: ("not supported", "不支持该功能"),
    Code.PARAMETER: ("a parameter is wrong", "参数错误"),
    Code.CHECKSUM: ("a checksum is wrong", "校验和错误"),
    Code.CARD_CODE: ("the card identification code is none", "卡识别码错误"),
    Code.NOT_GENUINE: ("the card has not proven its key", "内部认证失败"),
    Code.OTHER_CARD: ("pCardInfo is of another card", "传入数据与所操作卡不符"),
    Code.ILLEGAL_DATA: ("an answer is not in the shape that was agreed", "数据非法"),
    Code.KEY_USE: ("the PSAM may not use the key for that", "PSAM卡密钥级别不够"),
    Code.CANCELLED: ("cancelled", "用户取消操作"),
    Code.TIMEOUT: ("nothing was entered in time", "密码输入操作超时"),
    Code.PIN_LENGTH: ("the PIN must have 6 to 8 digits", "密码长度错误"),
    Code.PINS_DIFFER: ("the two entries of the PIN differ", "两次输入密码不一致"),
    Code.INITIAL_PIN: ("the initial PIN cannot transact", "初始密码不能交易"),
    Code.TO_INITIAL_PIN: ("the PIN cannot become the initial one", "不能修改为初始密码"),
    Code.CHARACTER: ("an illegal character", "数据含非法字符"),
    Code.LENGTH: ("a value is too long or too short", "数据长度错误"),
    Code.PIN_WRONG: ("the PIN is wrong", "PIN校验失败"),
    Code.PIN_BLOCKED: ("the PIN is blocked", "PIN已锁定"),
    Code.NO_PSAM: ("no PSAM", "未找到PSAM卡"),
    Code.PSAM_ALGORITHM: ("the PSAM lacks the algorithm of the card", "PSAM卡不支持该算法"),
    Code.PSAM_KEY: ("the PSAM lacks the key", "PSAM卡中无此密钥"),
    Code.HSM_NOT_NEEDED: ("no HSM is needed for this", "不需要使用加密机"),
}
FALL_BACK: Final = frozenset(
    {
        Code.NO_PSAM,
        Code.PSAM_ALGORITHM,
        Code.PSAM_KEY,
        -status.SW.REFERENCE_NOT_FOUND,
        Code.KEY_USE,
    }
)
"""Codes after which a program goes on with the HSM steps."""
_LACKS: Final = {
    Lack.ALGORITHM: Code.PSAM_ALGORITHM,
    Lack.KEY: Code.PSAM_KEY,
    Lack.USE: Code.KEY_USE,
    Lack.ADDRESS: Code.UNSUPPORTED,
}


class DriverFault(Exception):
    """A function came to nothing: `code`, below 0, and why. Never with a PIN or a key in it."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = int(code)
        self.detail = detail
        super().__init__(f"{self.code} {self.sentence}")

    @property
    def sentence(self) -> str:
        """What pOutInfo says then."""
        english, chinese = sentences(self.code)
        told = f"{english}: {self.detail}" if self.detail else english
        return f"{told} ({chinese})"


def sentences(code: int) -> tuple[str, str]:
    """A code in English and in Chinese. A status word has one sentence in Chinese for all."""
    if code in SENTENCES:
        return SENTENCES[code]
    return f"{-code:04X} {status.sentence(-code)}", "卡片返回错误状态字"


def fault_of(error: Exception) -> DriverFault | None:
    """What a function says of an error; None for one that is nobody's but ours.

    What is about the PIN is told apart where the PIN is used (`host.ldt33.pinpad`).
    """
    match error:
        case DriverFault():
            return error
        case FormatError():
            return DriverFault(Code.PARAMETER, str(error))
        case CardMute():
            return DriverFault(Code.MUTE, str(error))
        case ReaderGone():
            return DriverFault(Code.NOT_CONNECTED, str(error))
        case CardBusy():
            return DriverFault(Code.READER, str(error))
        case CardGone():
            return DriverFault(Code.NO_CARD, str(error))
        case CardNotGenuine():
            return DriverFault(Code.NOT_GENUINE, str(error))
        case CardMisspoke() | CentreMisspoke():
            return DriverFault(Code.ILLEGAL_DATA, str(error))
        case InitialPinInForce():
            return DriverFault(Code.INITIAL_PIN)
        case KeyUnavailable():
            return DriverFault(_LACKS[error.lack], str(error))
        case PurchaseInDoubt():
            cause = fault_of(error.__cause__) if isinstance(error.__cause__, Exception) else None
            return DriverFault(cause.code if cause else Code.ILLEGAL_DATA, str(error))
        case CardRefused():
            return DriverFault(-error.sw, str(error).rpartition(": ")[0])
        case TimeoutError():
            return DriverFault(Code.MUTE)
        case HeldBack():  # whoever sits here did not allow it
            return DriverFault(Code.CANCELLED, str(error))
        case CardFault() | OSError():
            return DriverFault(Code.READER, str(error))
    return None
