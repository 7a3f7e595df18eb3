# SPDX-License-Identifier: Apache-2.0
"""Access conditions as values, and their compact bytes.

CREATE FILE carries them and a file's header keeps them, so both ends must agree. Only the chip
judges (`card_os.access`). The coding is this project's own (profile choice `access-coding`):

    00          always            FF           never
    10 ref      PIN proven        20 kid       key authenticated
    A0 n ...    all of n          B0 n ...     any of n conditions (n 2 to 8, nested 4 deep)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apdu.errors import FormatError
from apdu.wire.fields import Field


@dataclass(frozen=True, slots=True)
class Always:
    def __str__(self) -> str:
        return "free"


@dataclass(frozen=True, slots=True)
class Never:
    def __str__(self) -> str:
        return "never"


@dataclass(frozen=True, slots=True)
class Pin:
    """The PIN with this reference (P2 of VERIFY) has been verified."""

    reference: int

    def __str__(self) -> str:
        return "PIN" if not self.reference else f"PIN {self.reference:02X}"


@dataclass(frozen=True, slots=True)
class Key:
    """The key with this KID has authenticated the terminal; 80 and above: of the current DF."""

    kid: int

    def __str__(self) -> str:
        return f"key {self.kid:02X}"


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Access, ...]

    def __str__(self) -> str:
        return "(" + " and ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Access, ...]

    def __str__(self) -> str:
        return "(" + " or ".join(map(str, self.parts)) + ")"


Access = Always | Never | Pin | Key | AllOf | AnyOf

ALWAYS, NEVER = Always(), Never()
MAX_PARTS, MAX_DEPTH = 8, 4

_CODES: dict[int, type[Any]] = {
    0x00: Always,
    0xFF: Never,
    0x10: Pin,
    0x20: Key,
    0xA0: AllOf,
    0xB0: AnyOf,
}


def all_of(*parts: Access) -> Access:
    return AllOf(parts)


def any_of(*parts: Access) -> Access:
    return AnyOf(parts)


def depth(condition: Access) -> int:
    """1 for a plain condition, one more for each level of nesting."""
    if isinstance(condition, AllOf | AnyOf):
        return 1 + max(map(depth, condition.parts))
    return 1


def condition() -> Field[Access]:
    """A field that holds an access condition."""
    return Field(lambda codecs: _declaration(codecs))


def parse(raw: bytes) -> Access:
    """The condition of these bytes, or FormatError."""
    from construct import ConstructError

    from apdu.wire import codecs

    try:
        found: Access = _declaration(codecs).parse(raw)
    except (ConstructError, codecs.FieldError):
        raise FormatError("access condition: not in the shape of one") from None
    if build(found) != raw:
        raise FormatError("access condition: bytes are left over")
    return found


def build(value: Access) -> bytes:
    """The bytes of a condition, or FormatError."""
    from construct import ConstructError

    from apdu.wire import codecs

    try:
        return bytes(_declaration(codecs).build(value))
    except (ConstructError, codecs.FieldError, TypeError, AttributeError):
        raise FormatError("access condition: not a value that can be written") from None


_MADE: list[Any] = []


def _declaration(codecs: Any) -> Any:
    if not _MADE:
        from construct import Int8ub, Pass, PrefixedArray, Struct, Switch

        class Condition(codecs.Codec):  # type: ignore[misc]
            def read(self, found: Any) -> Access:
                kind = _CODES.get(found.code)
                if kind is None:
                    raise ValueError("no such kind of condition")
                if found.body is None and kind in (AllOf, AnyOf):
                    raise ValueError(f"nested deeper than {MAX_DEPTH}")
                if found.body is None:
                    return kind()  # type: ignore[no-any-return]
                body = found.body if isinstance(found.body, int) else tuple(found.body)
                return _bounded(kind(body))

            def write(self, value: Access) -> Any:
                _bounded(value)
                for code, kind in _CODES.items():
                    if isinstance(value, kind):
                        return {"code": code, "body": _body(value)}
                raise ValueError("not an access condition")

        # One shape a level, the innermost without parts: no bytes can lead deeper than that.
        made, shapes = None, {0x00: Pass, 0xFF: Pass, 0x10: Int8ub, 0x20: Int8ub}
        for _ in range(MAX_DEPTH):
            if made is not None:
                several = PrefixedArray(Int8ub, made)
                shapes = {**shapes, 0xA0: several, 0xB0: several}
            switch = Switch(lambda this: this.code, shapes)
            made = Condition(Struct("code" / Int8ub, "body" / switch))
        _MADE.append(made)
    return _MADE[0]


def _body(value: Access) -> Any:
    match value:
        case Pin(reference):
            return reference
        case Key(kid):
            return kid
        case AllOf(parts) | AnyOf(parts):
            return parts
        case _:
            return None


def _bounded(value: Access) -> Access:
    if isinstance(value, AllOf | AnyOf) and not 2 <= len(value.parts) <= MAX_PARTS:
        raise ValueError(f"2 to {MAX_PARTS} parts make a condition")
    if depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return value
