# SPDX-License-Identifier: Apache-2.0
"""`CommandForm`: what both ends agree on about one command, as a value.

The chip binds a handler and a policy to a form (`card_os.dispatch`); the host sends it
(`host.card`). Its type parameters are the Python types of P1-P2, of the data and of the reply,
so a handler or a call that does not fit is refused by the type checker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from apdu.errors import FormatError
from apdu.wire.record import BitRecord

T = TypeVar("T")
P = TypeVar("P")
D = TypeVar("D")
R = TypeVar("R")


class Codec(Protocol[T]):
    """Bytes to a value and back; every `Record` class is one."""

    def parse(self, raw: bytes, /) -> T: ...
    def build(self, value: T, /) -> bytes: ...


class Params(Protocol[T]):
    """P1-P2 as a number of 16 bits to a value and back; every `BitRecord` class is one."""

    def of(self, number: int, /) -> T: ...
    def number(self, value: T, /) -> int: ...


class _Raw:
    def parse(self, raw: bytes, /) -> bytes:
        return raw

    def build(self, value: bytes, /) -> bytes:
        return value


class _Nothing:
    def parse(self, raw: bytes, /) -> None:
        if raw:
            raise FormatError(f"{len(raw)} bytes where there should be none")

    def build(self, value: None, /) -> bytes:
        return b""


RAW: Codec[bytes] = _Raw()
"""The bytes themselves."""
NOTHING: Codec[None] = _Nothing()
"""No bytes."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """P1-P2 that have one right value."""

    value: int = 0

    def of(self, number: int, /) -> None:
        if number != self.value:
            raise FormatError(f"P1-P2: {number:04X}, must be {self.value:04X}")

    def number(self, value: None, /) -> int:
        return self.value


class OneOf:
    """P1-P2 with several shapes; the first that fits is taken."""

    def __init__(self, *shapes: type[BitRecord]) -> None:
        self.shapes = shapes

    def of(self, number: int, /) -> Any:
        for shape in self.shapes:
            try:
                return shape.of(number)
            except FormatError:
                continue
        raise FormatError(f"P1-P2: {number:04X} has none of the shapes of this command")

    def number(self, value: Any, /) -> int:
        return int(value)


@dataclass(frozen=True, slots=True)
class CommandForm(Generic[P, D, R]):
    """One command: name, code, shape of P1-P2, of the data and of the reply."""

    name: str
    ins: int
    params: Params[P]
    data: Codec[D]
    reply: Codec[R]
    cases: frozenset[int]
    """ISO 7816-3 cases in which it may come: 1 bare, 2 Le, 3 data, 4 both."""
    cla: int = 0x00
    lc: range = range(1, 0x10000)
    """Allowed numbers of data bytes, in the cases that have data."""
    exact: bool = False
    """Le must be 00 or right: another one is answered with 6Cxx."""
    chained: bool = False
    """May come in several parts by command chaining."""
    secret: bool = False
    """Its data is a PIN or a key: masked wherever it would be shown."""
    spec: str = ""
    """Document and clause."""
