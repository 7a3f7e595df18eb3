# SPDX-License-Identifier: Apache-2.0
"""One JSON object on a line, as a recording has them: its fields are checked as they are taken.

What is wrong is said by line, field and rule; values are not repeated, since they may be secret.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Final, Self

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.trace import HIDDEN

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line with its end, at most: more than twice the longest APDU in hex, all masked."""
LONGEST_TIME: Final = (1 << 32) - 1
"""Seconds, 136 years: what captures can say."""
_SHORTEST: Final = 4
"""Bytes of a C-APDU."""
_LONGEST: Final = 65_535 + 2
"""Bytes of an APDU that goes to a reader, and of an answer with its status word."""
_DOT: Final = HIDDEN[0]
_DIGITS: Final = re.compile("[0-9A-Fa-f]*")


class Line:
    """The fields of a line."""

    __slots__ = ("number", "told")

    def __init__(self, told: dict[str, Any], number: int) -> None:
        self.told = told
        self.number = number
        """Of 1 upwards."""

    @classmethod
    def read(cls, line: bytes, number: int) -> Self:
        """The object on a line. Raises FormatError for a line that is none."""
        return cls(_fields(line, number), number)

    def wrong(self, name: str, rule: str) -> FormatError:
        return FormatError(f"recording, line {self.number}, {name}: {rule}")

    def text(self, name: str, default: str | None = None) -> str:
        found = self.told.get(name, default)
        if not isinstance(found, str):
            raise self.wrong(name, "missing" if name not in self.told else "not text")
        try:
            found.encode()
        except UnicodeEncodeError:
            raise self.wrong(name, "half a character (a lone surrogate)") from None
        return found

    def inner(self, name: str) -> Line:
        """An object within; without it, one without fields."""
        found = self.told.get(name, {})
        if not isinstance(found, dict):
            raise self.wrong(name, "not a JSON object")
        return Line(found, self.number)

    def seconds(self, name: str) -> float:
        found = self.told.get(name)
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise self.wrong(name, "missing" if name not in self.told else "not a number")
        if not 0 <= found <= LONGEST_TIME:
            raise self.wrong(name, f"not a time in seconds from 0 to {LONGEST_TIME}")
        return float(found)

    def optional_seconds(self, name: str) -> float | None:
        return self.seconds(name) if name in self.told else None

    def interface(self) -> Interface:
        found = self.text("interface", Interface.CONTACT.value)
        try:
            return Interface(found)
        except ValueError:
            raise self.wrong("interface", "neither contact nor contactless") from None

    def bytes_of(self, name: str) -> tuple[bytes, range]:
        """Bytes, those that are masked as 00, and where those are."""
        found = unhex(self.text(name))
        if found is None:
            raise self.wrong(name, f"not pairs of hex digits, with one row of {HIDDEN} at most")
        return found

    def raw(self, name: str) -> bytes:
        found, hidden = self.bytes_of(name)
        if hidden:
            raise self.wrong(name, "masked, which it never is")
        return found

    def answer(self) -> tuple[bytes, range]:
        """An R-APDU, as `bytes_of`: its status word is there, and never masked."""
        found, hidden = self.bytes_of("answer")
        if not 2 <= len(found) <= _LONGEST:
            raise self.wrong("answer", f"{len(found)} bytes, must be 2 to {_LONGEST}")
        if hidden.stop > len(found) - 2:
            raise self.wrong("answer", "its status word is masked")
        return found, hidden

    def command(self) -> tuple[bytes, range]:
        """A C-APDU, as `bytes_of`: its header is never masked."""
        found, hidden = self.bytes_of("command")
        if not _SHORTEST <= len(found) <= _LONGEST:
            raise self.wrong("command", f"{len(found)} bytes, must be {_SHORTEST} to {_LONGEST}")
        if hidden and hidden.start < _SHORTEST:
            raise self.wrong("command", "its header is masked")
        return found, hidden


def unhex(text: str) -> tuple[bytes, range] | None:
    """Bytes from hex, masked ones as 00, and where those are; None for what is no such text."""
    first, end = text.find(_DOT), text.rfind(_DOT) + 1
    if first < 0:
        if len(text) % 2 or not _DIGITS.fullmatch(text):
            return None
        return bytes.fromhex(text), range(0)
    before, hidden, behind = text[:first], text[first:end], text[end:]
    if len(before) % 2 or len(hidden) % 2 or len(behind) % 2:
        return None
    if hidden != _DOT * len(hidden) or not _DIGITS.fullmatch(before + behind):
        return None
    raw = bytes.fromhex(f"{before}{'0' * len(hidden)}{behind}")
    return raw, range(first // 2, end // 2)


def _fields(line: bytes, number: int) -> dict[str, Any]:
    """The object on a line."""
    if len(line) > LONGEST_LINE:
        raise FormatError(f"recording, line {number}: longer than {LONGEST_LINE} bytes")
    try:
        found = json.loads(
            line.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_real,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise FormatError(f"recording, line {number}: not UTF-8") from None
    except FormatError as error:
        raise FormatError(f"recording, line {number}: {error}") from None
    except (ValueError, RecursionError):
        raise FormatError(f"recording, line {number}: not JSON") from None
    if not isinstance(found, dict):
        raise FormatError(f"recording, line {number}: not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FormatError("a field stands there twice")
    return found


def _no_number(name: str) -> Any:
    raise FormatError(f"{name} is not a number of JSON")


def _real(digits: str) -> float:
    found = float(digits)
    if not isfinite(found):
        raise FormatError("a number beyond all numbers")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise FormatError("a number of more than 20 digits")
    return int(digits)
