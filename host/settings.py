# SPDX-License-Identifier: Apache-2.0
"""Reading a table of settings: each value taken by name and judged, nothing unknown left behind.

Every error is a FormatError of one line that begins with where the value stands, such as
`applications[1].tac_denial`, and says the rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NoReturn

from apdu.errors import FormatError

_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_HEXADECIMAL: Final = re.compile(r"[0-9A-F]*", re.ASCII)


def shipped_text(package: str, *names: str) -> str:
    """A file of settings that comes with this library."""
    return files(package).joinpath(*names).read_text(encoding="utf-8")


def text_in(path: Path, what: str) -> str:
    """A file of settings. Raises OSError, and FormatError about `what` when it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{what}: must be UTF-8") from None


def table_of(text: str, what: str) -> dict[str, Any]:
    """The table that a text in TOML is, or FormatError about `what`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{what}: {error}") from None


class Settings:
    """One table. What is not taken from it is an error at `end`."""

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self._values = dict(values)
        self._where = where

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, sizes: Collection[int]) -> str:
        """Characters of ASCII that can be printed."""
        value = self._take(name)
        good = isinstance(value, str) and value.isascii() and value.isprintable()
        if not good or len(value) not in sizes:
            self.fail(name, f"must be {_count(sizes)} printable characters of ASCII")
        return str(value)

    def encoded(self, name: str, encoding: str, most: int) -> bytes:
        """Text as the bytes of an encoding, at most so many."""
        value = self._take(name)
        if isinstance(value, str) and value.isprintable():
            try:
                found = value.encode(encoding)
            except UnicodeEncodeError:
                found = b""
            if 0 < len(found) <= most:
                return found
        self.fail(name, f"must be text of 1 to {most} bytes in {encoding.upper()}")

    def digits(self, name: str, sizes: Collection[int]) -> str:
        value = self._take(name)
        if not _is_digits(value, sizes):
            self.fail(name, f"must be {_count(sizes)} digits")
        return str(value)

    def octets(self, name: str, sizes: Collection[int]) -> bytes:
        """Bytes, written as hexadecimal digits in capitals."""
        value = self._take(name)
        if isinstance(value, str) and _HEXADECIMAL.fullmatch(value) and not len(value) % 2:
            found = bytes.fromhex(value)
            if len(found) in sizes:
                return found
        self.fail(name, f"must be {_count(sizes)} bytes in hexadecimal digits, A to F in capitals")

    def whole(self, name: str, allowed: range) -> int:
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            self.fail(name, f"must be a whole number from {allowed[0]} to {allowed[-1]}")
        return int(value)

    def fraction(self, name: str, least: float, most: float) -> float:
        """A number, whole or not, from `least` to `most`."""
        value = self._take(name)
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not least <= value <= most:
            self.fail(name, f"must be a number from {least:g} to {most:g}")
        return float(value)

    def whole_list(self, name: str, allowed: range) -> tuple[int, ...]:
        """A list of whole numbers, one at least."""
        value = self._take(name)
        good = isinstance(value, list) and value
        if not good or any(type(each) is not int or each not in allowed for each in value):
            rule = f"must be a list of whole numbers from {allowed[0]} to {allowed[-1]}"
            self.fail(name, rule)
        return tuple(value)

    def one_of(self, name: str, words: Collection[str]) -> str:
        value = self._take(name)
        if not isinstance(value, str) or value not in words:
            self.fail(name, f"must be one of {', '.join(words)}")
        return value

    def flag(self, name: str) -> bool:
        value = self._take(name)
        if not isinstance(value, bool):
            self.fail(name, "must be true or false")
        return bool(value)

    def day(self, name: str) -> date:
        """A date, written YYYY-MM-DD between quotation marks."""
        value = self._take(name)
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.fail(name, "must be a date, YYYY-MM-DD")

    def month(self, name: str) -> str:
        """MMYY."""
        value = self.digits(name, {4})
        if not "01" <= value[:2] <= "12":
            self.fail(name, "must be a month and a year, MMYY")
        return value

    def digit_list(self, name: str, sizes: Collection[int]) -> tuple[str, ...]:
        """A list of digits; no list at all is an empty one."""
        value = self._values.pop(name, [])
        if not isinstance(value, list):
            self.fail(name, "must be a list")
        for at, each in enumerate(value):
            if not _is_digits(each, sizes):
                self.fail(f"{name}[{at}]", f"must be {_count(sizes)} digits")
        return tuple(value)

    def table(self, name: str) -> Settings:
        value = self._take(name)
        if not isinstance(value, dict):
            self.fail(name, f"must be a table, [{self._where}{name}]")
        return Settings(value, f"{self._where}{name}.")

    def tables(self, name: str) -> Sequence[Settings]:
        """Tables of one kind; none at all is an empty sequence."""
        value = self._values.pop(name, [])
        if not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
            self.fail(name, f"must be tables, [[{self._where}{name}]]")
        return [Settings(each, f"{self._where}{name}[{at}].") for at, each in enumerate(value)]

    def end(self) -> None:
        """FormatError when the table has names that nobody took."""
        for name in self._values:
            self.fail(name, "there is no such setting")

    def fail(self, name: str, rule: str) -> NoReturn:
        """Raise the error of a value."""
        raise FormatError(f"{self._where}{name}: {rule}")

    def _take(self, name: str) -> Any:
        if name not in self._values:
            self.fail(name, "is missing")
        return self._values.pop(name)


def _is_digits(value: object, sizes: Collection[int]) -> bool:
    return isinstance(value, str) and bool(_DIGITS.fullmatch(value)) and len(value) in sizes


def _count(sizes: Collection[int]) -> str:
    least, most = min(sizes), max(sizes)
    return str(least) if least == most else f"{least} to {most}"
