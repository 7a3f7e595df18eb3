# SPDX-License-Identifier: Apache-2.0
"""The items of the HRSS application's files as constructs. Imported when the first is used."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Final

from construct import Bytes, BytesInteger, Construct, ConstructError

from apdu.wire.codecs import Codec, FieldError

NO_AMOUNT: Final = 0xFFFFFFFF


class Item(Codec):
    """A simple TLV of one tag and one length around a field."""

    def __init__(self, tag: int, size: int, inner: Construct) -> None:
        super().__init__(Bytes(2 + size))
        self.head = bytes((tag, size))
        self.inner = inner

    def read(self, found: bytes) -> Any:
        if found[:2] != self.head:
            raise ValueError(f"not the item with tag {self.head[0]:02X} and {self.head[1]} bytes")
        return self._inside(self.inner.parse, found[2:])

    def write(self, value: Any) -> bytes:
        return self.head + bytes(self._inside(self.inner.build, value))

    @staticmethod
    def _inside(way: Any, value: Any) -> Any:
        try:
            return way(value)
        except FieldError as error:
            raise ValueError(error.reason) from None
        except ConstructError:
            raise ValueError("a value does not fit the field") from None


class Group(Codec):
    """Simple TLVs of one tag in a row, each around the fields of a layout."""

    def __init__(self, tag: int, count: int, layout: Any) -> None:
        self.head = bytes((tag, layout.byte_length()))
        self.size = 2 + layout.byte_length()
        super().__init__(Bytes(count * self.size))
        self.count = count
        self.layout = layout

    def read(self, found: bytes) -> tuple[Any, ...]:
        parts = [found[at : at + self.size] for at in range(0, len(found), self.size)]
        if any(part[:2] != self.head for part in parts):
            tag, size = self.head
            raise ValueError(f"not items with tag {tag:02X} and {size} bytes")
        return tuple(self.layout.parse(part[2:]) for part in parts)

    def write(self, value: tuple[Any, ...]) -> bytes:
        right = isinstance(value, tuple) and len(value) == self.count
        if not right or not all(isinstance(each, self.layout) for each in value):
            raise ValueError(f"must be {self.count} of {self.layout.__name__}")
        return b"".join(self.head + bytes(each) for each in value)


class Coded(Codec):
    """A member of a code list by its code; text where the list does not know the code."""

    def __init__(self, members: type[Any], inner: Codec) -> None:
        super().__init__(inner.subcon)
        self.members: dict[str, Any] = {member.code: member for member in members}
        self.inner = inner

    def read(self, found: Any) -> Any:
        code = self.inner.read(found)
        return self.members.get(code, code)

    def write(self, value: Any) -> Any:
        if isinstance(value, str):
            if value in self.members:
                raise ValueError("a code of the list must be given as its member")
            return self.inner.write(value)
        code = getattr(value, "code", "")
        if code not in self.members or self.members[code] is not value:
            raise ValueError("not of the code list")
        return self.inner.write(code)


class Amount(Codec):
    """`dec` 4: an amount in fen; FFFFFFFF is none."""

    def __init__(self) -> None:
        super().__init__(BytesInteger(4))

    def read(self, found: int) -> int | None:
        return None if found == NO_AMOUNT else found

    def write(self, value: int | None) -> int:
        if value is None:
            return NO_AMOUNT
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < NO_AMOUNT:
            raise ValueError("must be an amount in fen, 0 to 4294967294")
        return value


class BcdMoment(Codec):
    """`cn` 7: YYYYMMDDhhmmss as packed BCD; all F is no time."""

    def __init__(self) -> None:
        super().__init__(Bytes(7))

    def read(self, found: bytes) -> datetime | None:
        if found == b"\xff" * 7:
            return None
        digits = found.hex()
        if not digits.isdecimal():
            raise ValueError("not the digits of a time")
        try:
            day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
            hour, minute, second = (int(digits[at : at + 2]) for at in (8, 10, 12))
            return datetime.combine(day, time(hour, minute, second))
        except ValueError:
            raise ValueError("no such time") from None

    def write(self, value: datetime | None) -> bytes:
        if value is None:
            return b"\xff" * 7
        if value.microsecond or value.tzinfo is not None:
            raise ValueError("must be a local time in whole seconds")
        return bytes.fromhex(f"{value.year:04}{value:%m%d%H%M%S}")
