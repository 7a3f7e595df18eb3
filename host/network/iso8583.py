# SPDX-License-Identifier: Apache-2.0
"""ISO 8583:1987 messages as bytes, by the library pyiso8583: the only file that imports it.

`SPEC` says how each field is written, as terminals of UnionPay do it: message type, numbers and
their lengths in packed BCD, text in ASCII, bitmaps, PIN block, chip data and MAC in binary; no
header (profile choice `message-fields`). A message may end with a MAC over all before it, in the
last field of its last bitmap, DE64 or DE128 (profile choice `message-mac`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Final

from apdu.crypto.padding import method_1
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.secret import MASK
from host.faults import CardFault

LONGEST: Final = 1024
"""Bytes of a message; every one that the fields allow is shorter."""
_MAC: Final = 8
_MTI: Final = "t"
_SECRET: Final = frozenset({"2", "35", "52", "55", "103"})
"""Fields that no text form shows: account numbers, PIN block, chip data."""


class MessageWrong(FormatError):
    """A message is not in its shape, or its MAC is wrong. `field`: `t` for the message type, `p`
    for the bitmap, or the number of the field."""

    def __init__(self, field: str, rule: str) -> None:
        name = {"t": "message type", "p": "bitmap", "1": "bitmap"}.get(field, f"DE{field}")
        super().__init__(f"{name}: {rule}")
        self.field = field


class MessagesUnavailable(CardFault):
    """The library for messages is not installed."""


def _number(digits: int, chinese: str, variable: int = 0, **more: str) -> dict[str, Any]:
    """Digits in BCD; `variable`: bytes of the length in front of them."""
    return _field("b", digits, chinese, variable, len_count="nibbles", **more)


def _text(size: int, chinese: str, variable: int = 0) -> dict[str, Any]:
    return _field("ascii", size, chinese, variable)


def _binary(size: int, chinese: str, variable: int = 0) -> dict[str, Any]:
    return _field("b", size, chinese, variable)


def _field(coding: str, size: int, chinese: str, variable: int, **more: str) -> dict[str, Any]:
    return {
        "data_enc": coding,
        "len_enc": "bcd",
        "len_type": variable,
        "max_len": size,
        "desc": chinese,
        **more,
    }


SPEC: Final[Mapping[str, Mapping[str, Any]]] = {
    "h": _binary(0, "报文头"),
    "t": _binary(2, "消息类型"),
    "p": _binary(8, "位图"),
    "1": _binary(8, "扩展位图"),
    "2": _number(19, "主账号", 1, right_pad="0"),
    "3": _number(6, "交易处理码"),
    "4": _number(12, "交易金额"),
    "11": _number(6, "受卡方系统跟踪号"),
    "12": _number(6, "受卡方所在地时间"),
    "13": _number(4, "受卡方所在地日期"),
    "14": _number(4, "卡有效期"),
    "22": _number(3, "服务点输入方式码", right_pad="0"),
    "23": _number(3, "卡片序列号", left_pad="0"),
    "25": _number(2, "服务点条件码"),
    "35": _number(37, "2磁道数据", 1, right_pad="0"),
    "37": _text(12, "检索参考号"),
    "38": _text(6, "授权标识应答码"),
    "39": _text(2, "应答码"),
    "41": _text(8, "受卡机终端标识码"),
    "42": _text(15, "受卡方标识码"),
    "49": _text(3, "交易货币代码"),
    "52": _binary(8, "个人标识码数据"),
    "53": _number(16, "安全控制信息"),
    "54": _text(20, "余额", 2),
    "55": _binary(255, "IC 卡数据域", 2),
    "60": _number(11, "自定义域", 2, right_pad="0"),
    "64": _binary(8, "MAC"),
    "103": _text(19, "账户标识2", 1),
    "128": _binary(8, "MAC"),
}
"""How each field is written, in the words of pyiso8583. A field that is not here is in no message:
nobody could tell where it ends."""
_NUMERIC: Final = frozenset(
    name
    for name, how in SPEC.items()
    if how["data_enc"] == "b" and how.get("len_count") == "nibbles" and name != "35"
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its type (4 digits) and its fields by number, digits and text as they are, binary
    ones in hexadecimal digits."""

    mti: str
    fields: Mapping[str, str] = field(repr=False)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={MASK if name in _SECRET else value}" for name, value in self.fields.items()
        )
        return f"Message({self.mti}, {shown})"

    def need(self, name: str) -> str:
        """A field that must be there. Raises MessageWrong."""
        try:
            return self.fields[name]
        except KeyError:
            raise MessageWrong(name, "it is missing") from None


def encode(message: Message, mac_key: BlockKey | None = None) -> bytes:
    """The bytes of a message, with a MAC where there is a key. Raises MessageWrong."""
    library = _library()
    fields = {_MTI: message.mti, **message.fields}
    last = ""
    if mac_key is not None:
        last = "128" if any(name.isdecimal() and int(name) > 64 for name in fields) else "64"
        fields[last] = "00" * _MAC
    _check_digits(fields)
    wrong = ""
    try:
        raw = bytes(library.encode(fields, SPEC)[0])
    except library.EncodeError as error:
        wrong, rule = error.field, error.msg
    except KeyError as error:
        wrong, rule = str(error.args[0]), "no field of these messages"
    if wrong:  # raised here, for the library's error holds the whole message
        raise MessageWrong(wrong, rule)
    if mac_key is not None:
        raw = raw[:-_MAC] + message_mac(mac_key, raw[:-_MAC])
    return raw


def decode(raw: bytes, mac_key: BlockKey | None = None) -> Message:
    """The message in these bytes, its MAC verified and taken off where there is a key.

    Raises MessageWrong naming the field.
    """
    library = _library()
    if len(raw) > LONGEST:
        raise MessageWrong(_MTI, f"the message has {len(raw)} bytes, {LONGEST} at most")
    wrong = ""
    try:
        found, _ = library.decode(raw, SPEC)
    except library.DecodeError as error:
        wrong, rule = error.field, error.msg
    except KeyError as error:
        wrong, rule = str(error.args[0]), "no field of these messages"
    if wrong:
        raise MessageWrong(wrong, rule)
    mti = found.pop(_MTI)
    fields = {name: value for name, value in found.items() if name.isdecimal() and name != "1"}
    _check_digits({_MTI: mti, **fields})
    if mac_key is not None:
        last = "128" if found["p"][0] in "89ABCDEF" else "64"
        if last not in fields:
            raise MessageWrong(last, "the MAC is missing")
        if not compare_digest(message_mac(mac_key, raw[:-_MAC]), raw[-_MAC:]):
            raise MessageWrong(last, "the MAC is wrong")
        del fields[last]
    return Message(mti, fields)


def message_mac(key: BlockKey, before: bytes) -> bytes:
    """8 bytes over all of a message that stands before its MAC: the suite's MAC under padding
    method 1, for 3DES that of ANSI X9.19."""
    return key.mac(before, method_1)[:_MAC]


def _check_digits(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if name in _NUMERIC or name == _MTI:
            if not (value.isascii() and value.isdecimal()):
                raise MessageWrong(name, "must be decimal digits")
        elif not value.isascii() or not value.isprintable():
            raise MessageWrong(name, "must be printable characters of ASCII")


def _library() -> Any:
    try:
        import iso8583
    except ImportError:
        raise MessagesUnavailable(
            "ISO 8583 messages need pyiso8583: `pip install 'sscard[bank]'`"
        ) from None
    return iso8583
