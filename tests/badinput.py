# SPDX-License-Identifier: Apache-2.0
"""Bad input in rows, and what must become of it: words that name the field, not the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from secretscan import forms

from apdu.command import CommandAPDU
from apdu.errors import FormatError

KEY = bytes.fromhex("8E2B90D7354CF1A6691DE04CB87352FA")

Row = tuple[Callable[..., object], tuple[Any, ...], str]
"""What is called, with what, and how the error begins or what it says."""
Rows = Callable[[], Iterator[Row]]


def chance(size: int) -> bytes:
    return bytes(range(1, size + 1))


def cut(*sizes: int) -> list[bytes]:
    """Some bytes of a secret, of lengths that are wrong."""
    return [(KEY * 20)[:size] for size in sizes]


def secrets(given: Any) -> Iterator[bytes]:
    """What a text must not repeat, if it is long enough to be known again."""
    if isinstance(given, (bytes, str)):
        value = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
        if len(set(value)) > 3:
            yield value
    elif isinstance(given, (list, tuple)):
        for each in given:
            yield from secrets(each)
    elif isinstance(given, CommandAPDU):
        yield given.data


def refused(call: Callable[..., object], given: tuple[Any, ...], pattern: str) -> None:
    with pytest.raises(FormatError, match=pattern) as error:
        call(*given)
    assert isinstance(error.value, ValueError)
    text = str(error.value)
    assert text.strip()
    for value in secrets(given):
        for form, (_, needle) in forms(value):
            assert needle.casefold() not in text.casefold(), form
