# SPDX-License-Identifier: Apache-2.0
"""The words a declaration is written in: one function for each kind of field.

Each returns a `Field` of the Python type it carries; its construct is made on first use, because
importing construct costs more than all the rest of this project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from datetime import date
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

MISSING: Any = object()


class Field(Generic[T]):
    """How one value is written; `only` is the value where just one is right."""

    __slots__ = ("chinese", "construct", "only", "tag")

    def __init__(
        self,
        construct: Callable[[Any], Any],
        only: Any = MISSING,
        tag: int | None = None,
        chinese: str = "",
    ) -> None:
        self.construct = construct
        self.only = only
        self.tag = tag
        self.chinese = chinese


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
    return Field(lambda codecs: codecs.uint(size))


def choice(members: type[E], size: int = 1) -> Field[E]:
    """One of an enumeration, as a number of `size` bytes."""
    return Field(lambda codecs: codecs.choice(members, size))


def raw(size: int) -> Field[bytes]:
    """`b`: exactly `size` bytes."""
    return Field(lambda codecs: codecs.raw(size))


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
    return Field(lambda codecs: codecs.Text(size))


def digits(size: int) -> Field[str]:
    """`cn`: packed BCD digits in `size` bytes, filled with F; empty when all F."""
    return Field(lambda codecs: codecs.Digits(size))


def day() -> Field[date | None]:
    """`cn` 4: a date YYYYMMDD in packed BCD; None when all F."""
    return Field(lambda codecs: codecs.BcdDate())


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
    return Field(
        lambda codecs: codecs.Item(tag, size, kind.construct(codecs)), MISSING, tag, chinese
    )


def counted(kind: Field[T]) -> Field[T]:
    """One byte of length, then the value in that many bytes."""
    return Field(lambda codecs: codecs.counted(kind.construct(codecs)))


def terminated(end: int) -> Field[bytes]:
    """Bytes up to the first `end` byte, which is no part of the value."""
    return Field(lambda codecs: codecs.terminated(end))
