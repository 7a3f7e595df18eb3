# SPDX-License-Identifier: Apache-2.0
"""The words a declaration is written in: one function for each kind of field.

Each returns a `Field` of the Python type it carries; its construct is made on first use, because
importing construct costs more than all the rest of this project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, Literal, Protocol, TypeVar


class Code(Protocol):
    """A member of a code list."""

    code: str


T = TypeVar("T")
E = TypeVar("E", bound=Enum)
C = TypeVar("C", bound=Code)
L = TypeVar("L")

MISSING: Any = object()


class Coding(Enum):
    """How the tables of the HRSS application name the coding of an item."""

    AN = "an"
    """Text, filled with 00."""
    CN = "cn"
    """Packed BCD, filled with F."""
    B = "b"
    """Binary."""
    DEC = "dec"
    """An amount in fen, 4 bytes of binary that people see as a decimal number."""


class Field(Generic[T]):
    """How one value is written; `only` is the value where just one is right.

    What stands in a table of items has a `coding`, a `blank` value for what was never written,
    and by its declaration `tag` and Chinese name; a group has the `layout` of its `count` parts.
    """

    __slots__ = ("blank", "chinese", "coding", "construct", "count", "layout", "only", "tag")

    def __init__(
        self,
        construct: Callable[[Any], Any],
        only: Any = MISSING,
        *,
        coding: Coding | None = None,
        blank: Any = MISSING,
    ) -> None:
        self.construct = construct
        self.only = only
        self.coding = coding
        self.blank = blank
        self.tag: int | None = None
        self.chinese = ""
        self.layout: Any = None
        self.count = 1


def wire(kind: Field[T], *, default: Any = MISSING, secret: bool = False) -> T:
    """A dataclass field with its format. The text form of the value leaves out what is `secret`."""
    options = {} if default is MISSING else {"default": default}
    made: Any = field(metadata={"wire": kind}, repr=not secret, **options)
    return made  # type: ignore[no-any-return]


def fixed(kind: Field[T], *, init: Literal[False] = False) -> T:
    """A field with one right value: it is no argument of the class, and always there."""
    made: Any = field(metadata={"wire": kind}, default=kind.only, init=init)
    return made  # type: ignore[no-any-return]


def uint(size: int) -> Field[int]:
    """An unsigned number of `size` bytes, big-endian."""
    return Field(lambda codecs: codecs.uint(size), coding=Coding.B, blank=0)


def amount() -> Field[int | None]:
    """`dec` 4: an amount in fen, big-endian; None when all FF."""
    return Field(lambda _: _items().Amount(), coding=Coding.DEC, blank=0)


def choice(members: type[E], size: int = 1) -> Field[E]:
    """One of an enumeration, as a number of `size` bytes."""
    return Field(lambda codecs: codecs.choice(members, size))


def raw(size: int) -> Field[bytes]:
    """`b`: exactly `size` bytes."""
    return Field(lambda codecs: codecs.raw(size), coding=Coding.B, blank=bytes(size))


def rest() -> Field[bytes]:
    """All bytes that are left; only as the last field."""
    return Field(lambda codecs: codecs.rest())


def before(behind: int) -> Field[bytes]:
    """All bytes but the last `behind`: what comes after it has a fixed length."""
    return Field(lambda codecs: codecs.before(behind))


def filler(byte: int, behind: int) -> Field[int]:
    """How often `byte` stands there before the last `behind` bytes."""
    return Field(lambda codecs: codecs.Filler(byte, behind))


def const(value: bytes) -> Field[bytes]:
    """Always these bytes."""
    return Field(lambda codecs: codecs.const(value), only=value)


def text(size: int) -> Field[str]:
    """`an`: GB 18030 text of at most `size` bytes, filled with 00; empty when all 00."""
    return Field(lambda codecs: codecs.Text(size), coding=Coding.AN, blank="")


def digits(size: int) -> Field[str]:
    """`cn`: packed BCD digits in `size` bytes, filled with F; empty when all F."""
    return Field(lambda codecs: codecs.Digits(size), coding=Coding.CN, blank="")


def day() -> Field[date | None]:
    """`cn` 4: a date YYYYMMDD in packed BCD; None when all F."""
    return Field(lambda codecs: codecs.BcdDate(), coding=Coding.CN, blank=None)


def moment() -> Field[datetime | None]:
    """`cn` 7: a local time YYYYMMDDhhmmss in packed BCD; None when all F."""
    return Field(lambda _: _items().BcdMoment(), coding=Coding.CN, blank=None)


def coded(members: type[C], kind: Field[str]) -> Field[C | str]:
    """A code of a list, as its member; a code that the list does not have stays text."""
    return Field(
        lambda codecs: _items().Coded(members, kind.construct(codecs)),
        coding=kind.coding,
        blank=kind.blank,
    )


def month() -> Field[str]:
    """`cn` 2: the last month of a certificate, MMYY."""
    return Field(lambda codecs: codecs.Month())


def bits(size: int) -> Field[int]:
    """An unsigned number of `size` bits."""
    return Field(lambda codecs: codecs.bits(size))


def bit_choice(members: type[E], size: int) -> Field[E]:
    """One of an enumeration, as a number of `size` bits."""
    return Field(lambda codecs: codecs.bit_choice(members, size))


def bit_const(value: int, size: int) -> Field[int]:
    """Always this number, in `size` bits."""
    return Field(lambda codecs: codecs.bit_const(value, size), only=value)


def item(tag: int, size: int, kind: Field[T], chinese: str = "") -> Field[T]:
    """An HRSS item: a simple TLV with this tag around a value of `size` bytes."""
    made: Field[T] = Field(
        lambda codecs: _items().Item(tag, size, kind.construct(codecs)),
        coding=kind.coding,
        blank=kind.blank,
    )
    made.tag, made.chinese = tag, chinese
    return made


def group(tag: int, count: int, layout: type[L], chinese: str = "") -> Field[tuple[L, ...]]:
    """`count` HRSS items in a row, each a simple TLV with this tag around the items of `layout`
    (B-TLV)."""
    made: Field[tuple[L, ...]] = Field(lambda _: _items().Group(tag, count, layout))
    made.tag, made.chinese, made.layout, made.count = tag, chinese, layout, count
    return made


def named(chinese: str, kind: Field[T]) -> Field[T]:
    """A field of a record without tags, with its name in the tables."""
    kind.chinese = chinese
    return kind


def counted(kind: Field[T], size: int = 1) -> Field[T]:
    """The length in `size` bytes, then the value in that many bytes."""
    return Field(lambda codecs: codecs.counted(kind.construct(codecs), size))


def terminated(end: int) -> Field[bytes]:
    """Bytes up to the first `end` byte, which is no part of the value."""
    return Field(lambda codecs: codecs.terminated(end))


def _items() -> Any:
    from apdu.wire import itemcodecs

    return itemcodecs
