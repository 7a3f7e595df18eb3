# SPDX-License-Identifier: Apache-2.0
"""Whom a card is made for: the data of one holder, and the JSON file it comes from.

A `Holder` that exists fits on a card and agrees with itself. Every refusal of a file is one
line that names the file, the field and the rule, since it is read by a person at a desk.
"""

from __future__ import annotations

import difflib
import json
import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.hrss.ssse import split_name
from host.numbers import birth_date_of, check_card_number, check_identity_number, sex_of
from host.regions import check_region

# GB/T 2260 has no code for a place abroad, and the card's field holds six digits of it. The value
# is our choice, without a clause: 99 is no province and never will be mistaken for one.
BORN_ABROAD = "990000"

_REQUIRED = (
    "number",
    "name",
    "sex",
    "ethnic_group",
    "birthplace",
    "birth_date",
    "region",
    "issue_date",
    "expiry_date",
)
_OPTIONAL = ("card_number",)  # the personaliser assigns one when there is none

# A holder takes some 400 bytes; a file far beyond that is a wrong file (or /dev/zero).
_LARGEST_FILE = 64 * 1024

# Characters of these kinds cannot be seen in a name, yet make it another name: controls, joiners
# and direction marks, line and paragraph separators, halves of a surrogate pair.
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp", "Cs")

_T = TypeVar("_T")


class HolderFileError(ValueError):
    """A holder file is refused, in one line: file, field, rule."""


@dataclass(frozen=True, repr=False)
class Holder:
    """The holder (持卡人) and the validity of the card. Building one that breaks a rule raises
    ValueError with the field and the rule."""

    number: str
    name: str
    sex: Sex
    ethnic_group: EthnicGroup
    birthplace: str
    birth_date: date
    region: str
    issue_date: date
    expiry_date: date
    card_number: str | None = None

    def __post_init__(self) -> None:
        with _naming("number"):
            check_identity_number(self.number)
        with _naming("name"):
            _check_name(self.name)
        with _naming("sex"):
            if self.sex in (Sex.MALE, Sex.FEMALE) and self.sex is not sex_of(self.number):
                raise ValueError("disagrees with the number, whose position 17 is odd for a male")
        with _naming("birthplace"):
            if self.birthplace != BORN_ABROAD:
                check_region(self.birthplace)
        with _naming("birth_date"):
            if self.birth_date != birth_date_of(self.number):
                raise ValueError("disagrees with the number, whose positions 7-14 are another date")
        with _naming("region"):
            check_region(self.region)
        with _naming("issue_date"):
            if self.issue_date < self.birth_date:
                raise ValueError("must not lie before the birth date")
        with _naming("expiry_date"):
            if self.expiry_date <= self.issue_date:
                raise ValueError("must lie after the issue date")
        if self.card_number is not None:
            with _naming("card_number"):
                check_card_number(self.card_number)

    def __repr__(self) -> str:
        """A log must not name the person; the region is enough to tell test data apart."""
        return f"Holder(<masked>, region={self.region!r})"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "holder") -> Holder:
        """Read the text of a holder file; `source` is what a refusal calls it."""
        try:
            return _holder(_fields(text))
        except ValueError as rule:
            raise HolderFileError(_one_line(f"{source}: {rule}")) from None

    @classmethod
    def load(cls, path: str | Path) -> Holder:
        """Read a holder file."""
        try:
            with open(path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError) as error:  # ValueError: a path no system call accepts
            reason = error.strerror if isinstance(error, OSError) else error
            raise HolderFileError(_one_line(f"{path}: cannot be read: {reason}")) from error
        if len(content) > _LARGEST_FILE:
            raise HolderFileError(_one_line(f"{path}: too large, over {_LARGEST_FILE} bytes"))
        return cls.from_json(content, str(path))


def _fields(text: str | bytes) -> dict[str, str]:
    """The fields of the JSON text: all that are required, none unknown, every one a string."""
    document = _document(text)
    if not isinstance(document, dict):
        raise ValueError(f"must be a JSON object, not {_kind(document)}")
    for key in document:
        if key not in _REQUIRED + _OPTIONAL:
            raise ValueError(f"{_quoted(key)}: unknown field{_suggestion(key)}")
    for key in _REQUIRED:
        if key not in document:
            raise ValueError(f"{key}: missing")
    for key, value in document.items():
        if isinstance(value, float):
            raise ValueError(f"{key}: must be a string in quotes, since a number loses digits")
        if not isinstance(value, str):
            raise ValueError(f"{key}: must be a string, not {_kind(value)}")
    return document


def _document(text: str | bytes) -> Any:
    """What the JSON text says; the byte order mark that Windows editors write is let through."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 at byte {error.start}") from None
    try:
        # Integers become floats because no field is a number: they are only to be recognised,
        # and Python refuses to convert one of several thousand digits.
        return json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_each_key_once, parse_int=float
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise ValueError(f"not JSON at {place}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deeply for a JSON object of strings") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """json keeps the last of two equal keys; which one was meant is not ours to say."""
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"{_quoted(key)}: given twice")
        seen[key] = value
    return seen


def _holder(fields: dict[str, str]) -> Holder:
    def meant(key: str, reading: Callable[[str], _T]) -> _T:
        with _naming(key):
            return reading(fields[key])

    return Holder(
        number=fields["number"],
        name=fields["name"],
        sex=meant("sex", Sex.from_text),
        ethnic_group=meant("ethnic_group", EthnicGroup.from_text),
        birthplace=fields["birthplace"],
        birth_date=meant("birth_date", _date),
        region=fields["region"],
        issue_date=meant("issue_date", _date),
        expiry_date=meant("expiry_date", _date),
        card_number=fields.get("card_number"),
    )


def _date(text: str) -> date:
    parts = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{4})([0-9]{2})([0-9]{2})", text)
    if parts is None:
        raise ValueError("must be written YYYY-MM-DD or YYYYMMDD")
    year, month, day = (int(part) for part in parts.groups() if part is not None)
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{text} is not a date") from None


def _check_name(name: str) -> None:
    """Refuse a name that cannot be seen as it is, or does not fit its two fields on the card."""
    if not name.strip():
        raise ValueError("must not be empty")
    for position, character in enumerate(name, 1):
        if unicodedata.category(character) in _INVISIBLE:
            raise ValueError(f"position {position} is U+{ord(character):04X}, no visible character")
    if name != name.strip():
        raise ValueError("must not begin or end with a blank")
    split_name(name)


@contextmanager
def _naming(field: str) -> Iterator[None]:
    """Put the field's name before the rule it breaks."""
    try:
        yield
    except ValueError as rule:
        raise ValueError(f"{field}: {rule}") from None


def _kind(value: object) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", bool: "true or false"}
    kinds |= {float: "a number", str: "a string", type(None): "null"}
    return kinds[type(value)]


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key.lower(), _REQUIRED + _OPTIONAL, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _quoted(key: str) -> str:
    """A key as it can stand in a line, shortened."""
    return reprlib.repr(key)


def _one_line(text: str) -> str:
    """The text with line ends, surrogates and other unprintable characters written as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
