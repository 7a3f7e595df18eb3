# SPDX-License-Identifier: Apache-2.0
"""The field formats as constructs. Imported when the first format is used, and only by `fields`.

Each adapter refuses what it would not build itself, so a value that parses has one encoding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date
from enum import Enum
from io import SEEK_CUR
from typing import Any, Final

from construct import (
    Adapter,
    BitsInteger,
    Bytes,
    BytesInteger,
    Const,
    Construct,
    GreedyBytes,
    Prefixed,
)

from apdu.wire.codes import CHARSET

MAX_FILLER: Final = 255


class FieldError(ValueError):
    """A value that its field cannot hold: where, and by which rule. Never the value itself."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Codec(Adapter, ABC):  # type: ignore[misc]
    """A construct adapter whose two ways raise ValueError with the rule that was broken."""

    @abstractmethod
    def read(self, found: Any) -> Any:
        """The value of what the inner construct found."""

    @abstractmethod
    def write(self, value: Any) -> Any:
        """What the inner construct is to write for a value."""

    def _decode(self, obj: Any, context: Any, path: str) -> Any:
        try:
            return self.read(obj)
        except ValueError as error:
            raise FieldError(path, str(error)) from None

    def _encode(self, obj: Any, context: Any, path: str) -> Any:
        try:
            return self.write(obj)
        except ValueError as error:
            raise FieldError(path, str(error)) from None


class Text(Codec):
    """`an`: text, left aligned, filled with 00 on the right (LD/T 32)."""

    def __init__(self, size: int) -> None:
        super().__init__(Bytes(size))
        self.size = size

    def read(self, found: bytes) -> str:
        try:
            text = found.rstrip(b"\0").decode(CHARSET)
        except UnicodeDecodeError:
            raise ValueError("not GB 18030 text") from None
        if "\0" in text:
            raise ValueError("a zero byte stands before the end of the text")
        return text

    def write(self, value: str) -> bytes:
        try:
            found = value.encode(CHARSET)
        except UnicodeEncodeError:
            raise ValueError("a character is not in GB 18030") from None
        if len(found) > self.size:
            raise ValueError(f"{len(found)} bytes of text, {self.size} at most")
        if "\0" in value:
            raise ValueError("text may not contain a zero character")
        return found.ljust(self.size, b"\0")


class Digits(Codec):
    """`cn`: packed BCD digits, left aligned, filled with F on the right (LD/T 32)."""

    def __init__(self, size: int) -> None:
        super().__init__(Bytes(size))
        self.size = size

    def read(self, found: bytes) -> str:
        digits = found.hex().rstrip("f")
        if digits and not digits.isdecimal():
            raise ValueError("not packed decimal digits filled with F")
        return digits

    def write(self, value: str) -> bytes:
        if value and not (value.isascii() and value.isdecimal()):
            raise ValueError("must be decimal digits")
        if len(value) > 2 * self.size:
            raise ValueError(f"{len(value)} digits, {2 * self.size} at most")
        return bytes.fromhex(value.ljust(2 * self.size, "f"))


class BcdDate(Codec):
    """`cn` 4: YYYYMMDD as packed BCD; FFFFFFFF is no date."""

    def __init__(self) -> None:
        super().__init__(Bytes(4))

    def read(self, found: bytes) -> date | None:
        if found == b"\xff\xff\xff\xff":
            return None
        digits = found.hex()
        if not digits.isdecimal():
            raise ValueError("not the digits of a date")
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise ValueError("no such day") from None

    def write(self, value: date | None) -> bytes:
        if value is None:
            return b"\xff\xff\xff\xff"
        return bytes.fromhex(f"{value.year:04}{value.month:02}{value.day:02}")


class Month(Codec):
    """`cn` 2: MMYY as packed BCD, of which the century is not said."""

    def __init__(self) -> None:
        super().__init__(Bytes(2))

    def read(self, found: bytes) -> str:
        return self._month(found.hex())

    def write(self, value: str) -> bytes:
        return bytes.fromhex(self._month(value))

    @staticmethod
    def _month(digits: str) -> str:
        right = len(digits) == 4 and digits.isascii() and digits.isdecimal()
        if not right or not "01" <= digits[:2] <= "12":
            raise ValueError("must be a month and a year, MMYY")
        return digits


class Choice(Codec):
    """A number that must be one of an enumeration's."""

    def __init__(self, subcon: Construct, members: type[Enum]) -> None:
        super().__init__(subcon)
        self.members = members

    def read(self, found: int) -> Enum:
        return self._member(found)

    def write(self, value: Enum) -> Any:
        return self._member(value).value

    def _member(self, value: Any) -> Enum:
        try:
            return self.members(value)
        except ValueError:
            raise ValueError(f"not one of {self.members.__name__}") from None


class Whole(Codec):
    """Raw bytes; construct alone would turn a number into bytes silently."""

    def read(self, found: bytes) -> bytes:
        return found

    def write(self, value: bytes) -> bytes:
        if not isinstance(value, bytes):
            raise ValueError("must be bytes")
        return value


class Before(Construct):  # type: ignore[misc]
    """All bytes but a fixed number at the end."""

    def __init__(self, behind: int) -> None:
        super().__init__()
        self.behind = behind

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        left: bytes = stream.read()
        size = len(left) - self.behind
        if size < 0:
            raise FieldError(path, "bytes are missing or of the wrong number")
        stream.seek(-self.behind, SEEK_CUR)
        return left[:size]

    def _build(self, obj: bytes, stream: Any, context: Any, path: str) -> bytes:
        stream.write(obj)
        return obj


class Filler(Codec):
    """How often one byte is repeated; no more than fill a short data field."""

    def __init__(self, byte: int, behind: int) -> None:
        super().__init__(Before(behind))
        self.byte = bytes((byte,))

    def read(self, found: bytes) -> int:
        if found.strip(self.byte):
            raise ValueError(f"not filled with {self.byte.hex().upper()}")
        return self._fitting(len(found))

    def write(self, value: int) -> bytes:
        return self.byte * self._fitting(value)

    @staticmethod
    def _fitting(value: int) -> int:
        if not (isinstance(value, int) and 0 <= value <= MAX_FILLER):
            raise ValueError(f"must be 0 to {MAX_FILLER} bytes")
        return value


class Terminated(Construct):  # type: ignore[misc]
    """Bytes up to a byte that ends them."""

    def __init__(self, end: int) -> None:
        super().__init__()
        self.end = end

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        found = bytearray()
        while byte := stream.read(1):
            if byte[0] == self.end:
                return bytes(found)
            found += byte
        raise FieldError(path, f"no {self.end:02X} ends it")

    def _build(self, obj: bytes, stream: Any, context: Any, path: str) -> bytes:
        if self.end in obj:
            raise FieldError(path, f"contains the byte {self.end:02X} that ends it")
        stream.write(obj + bytes((self.end,)))
        return obj


def terminated(end: int) -> Construct:
    return Terminated(end)


def counted(inner: Construct, size: int) -> Construct:
    return Prefixed(BytesInteger(size), inner)


def uint(size: int) -> Construct:
    return BytesInteger(size)


def choice(members: type[Enum], size: int) -> Construct:
    return Choice(BytesInteger(size), members)


def raw(size: int) -> Construct:
    return Whole(Bytes(size))


def before(behind: int) -> Construct:
    return Whole(Before(behind))


def rest() -> Construct:
    return Whole(GreedyBytes)


def const(value: bytes) -> Construct:
    return Const(value)


def bits(size: int) -> Construct:
    return BitsInteger(size)


def bit_choice(members: type[Enum], size: int) -> Construct:
    return Choice(BitsInteger(size), members)


def bit_const(value: int, size: int) -> Construct:
    return Const(value, BitsInteger(size))
