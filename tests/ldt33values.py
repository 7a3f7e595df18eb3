# SPDX-License-Identifier: Apache-2.0
"""Fields that an item of the HRSS application can hold, as the driver writes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from apdu.wire.codes import CHARSET
from apdu.wire.fields import Coding
from apdu.wire.hrss.spec import Item, items
from apdu.wire.record import Record

DAY, MOMENT = 4, 7
"""Sizes of `cn` items that are dates, and times."""
SECONDS = 8000 * 365 * 86400
ALPHABET = "aZ09 -.,;:~" + "张三李四省市县镇村路号（）·" + "\u3000€ÿé𠀀㐀\u4dae" + "\u0100\ue5e5"
"""One, two and four bytes each, and two whose second byte is the code of a separator."""
TRAPS = b"\x81\x7c\x81\x5e".decode(CHARSET)


def fields_of(item: Item) -> st.SearchStrategy[str]:
    """What an item may hold, nothing at all included."""
    return st.integers(0, 1 << 32).map(lambda seed: sample(item, Random(seed)))  # noqa: S311 - test data


def records_of(content: type[Record]) -> st.SearchStrategy[str]:
    """What a record without tags may hold."""
    return st.integers(0, 1 << 32).map(lambda seed: sample_record(content, Random(seed)))  # noqa: S311 - test data


def sample(item: Item, random: Random) -> str:
    if item.parts:
        return _together([sample(p, random) for p in item.parts * item.repeats])
    return _value(item, random) if random.random() > 0.15 else ""


def sample_record(content: type[Record], random: Random) -> str:
    return _together([sample(part, random) for part in items(content)])


def sample_bytes(size: int, random: Random) -> str:
    """Hex digits that are not all alike."""
    return "A5" + random.randbytes(size - 1).hex().upper()


def _together(values: list[str]) -> str:
    return "^".join(values) if any(values) else ""


def _value(item: Item, random: Random) -> str:
    size = item.size
    if item.coding is Coding.DEC:
        return str(random.choice([0, 1, 0xFFFFFFFE, random.randrange(0xFFFFFFFF)]))
    if item.coding is Coding.B:
        return random.choice(["00" * (size - 1) + "01", sample_bytes(size, random)])
    if item.coding is Coding.CN and size in (DAY, MOMENT):
        at = datetime(1000, 1, 1) + timedelta(seconds=random.randrange(SECONDS))
        return f"{at.year}{at:%m%d%H%M%S}"[: 2 * size]
    if item.coding is Coding.CN:
        length = random.randint(1, 2 * size)
        digits = "".join(random.choices("0123456789", k=length))
        return digits if digits.strip("0") or length < 2 * size else "1" * length
    return _text(random.choices(ALPHABET + TRAPS, k=random.randint(1, size)), size)


def _text(characters: list[Any], size: int) -> str:
    text = ""
    for each in characters:
        if len((text + each).encode(CHARSET)) <= size:
            text += each
    return text
