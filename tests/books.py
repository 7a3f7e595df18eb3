# SPDX-License-Identifier: Apache-2.0
"""The books of cases under vectors/: reads them, names their cases, and makes their values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from apdu.wire import access
from apdu.wire.record import Layout

VECTORS = Path(__file__).parents[1] / "vectors"
SCHEMA = VECTORS / "schema" / "cases.json"


@cache
def book(path: str) -> dict[str, Any]:
    """A book by its path below vectors/."""
    found: dict[str, Any] = json.loads((VECTORS / path).read_text(encoding="utf-8"))
    return found


def paths() -> list[str]:
    """The paths of all books."""
    found = (path for path in VECTORS.rglob("*.json") if path.parent != SCHEMA.parent)
    return sorted(path.relative_to(VECTORS).as_posix() for path in found)


def cases(path: str, **where: Any) -> list[Any]:
    """The cases of a book as pytest parameters, those alone whose fields are as in `where`."""
    return [
        pytest.param(case, id=case["id"])
        for case in book(path)["cases"]
        if where.items() <= case.items()
    ]


def of_format(*formats: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every case of these formats, with the kind of its source."""
    for path in paths():
        whole = book(path)
        if whole["format"] in formats:
            for case in whole["cases"]:
                own = case.get("source")
                yield case, (own if isinstance(own, dict) else whole["source"])["kind"]


def unhex(case: Mapping[str, Any], *names: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(case[name]) for name in names)


def layout_value(layout: type[Layout], fields: Mapping[str, Any]) -> Any:
    """The value of a layout whose fields are written as JSON."""
    kinds = get_type_hints(layout)
    return layout(**{name: _value(kinds[name], found) for name, found in fields.items()})


def _value(kind: Any, found: Any) -> Any:
    if kind == access.Access:
        return condition(found)
    if found is None or kind in (int, str):
        return found
    if kind is bytes:
        return bytes.fromhex(found)
    inside = get_args(kind)
    if isinstance(found, list):
        return tuple(layout_value(inside[0], each) for each in found)
    if datetime in inside:
        return datetime.fromisoformat(found)
    if date in (kind, *inside):
        return date.fromisoformat(found)
    if isinstance(found, int) and int in inside:
        return found
    if str in inside:  # a code of a list, by its member's name, or text that is none
        return next((member for member in inside[0] if member.name == found), found)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind[found]
    raise TypeError(f"a book cannot hold a {kind}")


def condition(found: Any) -> access.Access:
    """An access condition that is written as JSON."""
    if isinstance(found, str):
        return {"always": access.ALWAYS, "never": access.NEVER}[found]
    ((word, inside),) = found.items()
    match word:
        case "pin":
            return access.Pin(inside)
        case "key":
            return access.Key(inside)
        case "all":
            return access.all_of(*map(condition, inside))
        case _:
            return access.any_of(*map(condition, inside))
