# SPDX-License-Identifier: Apache-2.0
"""The strings of LD/T 33: fields that end with `|`, groups of them that end with `$`, and parts
of a field with `^` between them.

Text may come as str or, from programs in other languages, as bytes of GB 18030. Bytes are decoded
before they are taken apart: 7C and 5E, the codes of `|` and `^`, are also second bytes of
Chinese characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple

from apdu.errors import FormatError
from apdu.wire.codes import CHARSET
from host.amounts import fen
from host.ldt33.codes import Code, DriverFault

FIELD: Final = "|"
GROUP: Final = "$"
PART: Final = "^"
_SEPARATORS: Final = frozenset(FIELD + GROUP + PART)
_RAW_SEPARATORS: Final = re.compile(rb"[|$^]")

Text = str | bytes


def decoded(name: str, given: Text) -> str:
    """A parameter as text. -41 when a character is cut in two or is none."""
    if isinstance(given, bytes):
        try:
            return given.decode(CHARSET)
        except UnicodeDecodeError as error:
            raise DriverFault(
                Code.CHARACTER, f"{name}: not GB 18030 at byte {error.start + 1}"
            ) from None
    if not isinstance(given, str):
        raise DriverFault(Code.PARAMETER, f"{name}: must be text")
    return given


@contextmanager
def cut_in_two(name: str, given: Text) -> Iterator[None]:
    """Inside, bytes that do not fit are looked at again: half a character swallows the separator
    behind it, and what is wrong then is the character (-41), not the number of fields (-14)."""
    try:
        yield
    except DriverFault as fault:
        if fault.code == Code.PARAMETER and isinstance(given, bytes):
            for each in _RAW_SEPARATORS.split(given):
                decoded(name, each)
        raise


def fields(name: str, given: str) -> list[str]:
    """The fields of `a|b|`."""
    if not given.endswith(FIELD):
        raise DriverFault(Code.PARAMETER, f"{name}: every field must end with |")
    return given[:-1].split(FIELD)


def groups(name: str, given: str) -> list[list[str]]:
    """The fields of every group of `a|b|$c|d|$`."""
    if not given.endswith(GROUP):
        raise DriverFault(Code.PARAMETER, f"{name}: every file must end with $")
    return [fields(name, each) for each in given[:-1].split(GROUP)]


def joined(values: Iterable[str]) -> str:
    """The inverse of `fields`."""
    return "".join(value + FIELD for value in values)


def grouped(found: Iterable[Iterable[str]]) -> str:
    """The inverse of `groups`."""
    return "".join(joined(each) + GROUP for each in found)


def has_separator(text: str) -> bool:
    return not _SEPARATORS.isdisjoint(text)


class CardInfo(NamedTuple):
    """pCardInfo, `card identification code|card number|`: the card that is meant."""

    identification: bytes
    number: str

    @classmethod
    def parse(cls, given: Text) -> CardInfo:
        found = fields("pCardInfo", decoded("pCardInfo", given))
        if len(found) != 2:
            raise DriverFault(Code.PARAMETER, "pCardInfo: must be identification code|card number|")
        code, number = found
        return cls(hexadecimal("pCardInfo", code), number)


class PayInfo(NamedTuple):
    """pPayInfo, `amount|amount|YYYYMMDDhhmmss|`, amounts in yuan.

    Profile choice `pay-info`: the first amount is from the personal account (个人账户), the second
    the holder's own (个人自付). Here they are in fen.
    """

    account: int
    own: int
    at: datetime

    @classmethod
    def parse(cls, given: Text) -> PayInfo:
        found = fields("pPayInfo", decoded("pPayInfo", given))
        if len(found) != 3:
            raise DriverFault(Code.PARAMETER, "pPayInfo: must be amount|amount|YYYYMMDDhhmmss|")
        account, own, at = found
        try:
            return cls(fen(account), fen(own), _moment(at))
        except FormatError as error:
            raise DriverFault(Code.PARAMETER, f"pPayInfo: {error}") from None


def _moment(text: str) -> datetime:
    if len(text) == 14 and text.isascii() and text.isdecimal():
        try:
            return datetime.strptime(text, "%Y%m%d%H%M%S")
        except ValueError:
            pass
    raise FormatError("the time must be YYYYMMDDhhmmss")


def hexadecimal(name: str, text: str) -> bytes:
    """Bytes that are written as hex digits, two each."""
    if not set(text) <= set("0123456789ABCDEFabcdef"):
        raise DriverFault(Code.CHARACTER, f"{name}: must be hex digits")
    if len(text) % 2:
        raise DriverFault(Code.LENGTH, f"{name}: two hex digits make a byte")
    return bytes.fromhex(text)
