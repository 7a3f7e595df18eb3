# SPDX-License-Identifier: Apache-2.0
"""Looks for keys and PINs in what was said, in every form in which they may slip out."""

from __future__ import annotations

import re
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pytest

from apdu.crypto.pinblock import build_iso_0, build_iso_2
from apdu.wire.codes import pin_bytes

PAN = "6217001234567890"
PART = 8
"""Bytes of a key that must not be seen: half of it is enough for an attacker."""
_BLANKS = re.compile(r"\s+")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Of an object in memory: by chance it may have any digits."""
_BETWEEN = re.compile(r"[\s:_,;-]+|0x|\\x", re.IGNORECASE)

Search = tuple[str, str]
"""Which of the prepared texts, and what in it."""


def prepared(said: Iterable[str | bytes]) -> dict[str, str]:
    """All that was said as one text: as it is, without blanks, and what is left of hex digits."""
    parts = (each.decode("latin-1") if isinstance(each, bytes) else each for each in said)
    whole = _ADDRESS.sub("", "\n".join(parts))
    dense = _BLANKS.sub("", whole)
    return {"whole": whole, "dense": dense, "digits": _BETWEEN.sub("", whole).casefold()}


def forms(value: bytes) -> Iterator[tuple[str, Search]]:
    """How bytes can be written."""
    yield "raw", ("whole", value.decode("latin-1"))
    yield "repr", ("whole", repr(value)[2:-1])
    yield "escapes", ("digits", value.hex())
    yield "numbers", ("dense", ",".join(map(str, value)))
    if len(value) >= PART:
        yield "one number", ("dense", str(int.from_bytes(value)))
    for before in range(3):
        # What is before and behind it goes into its first and last letters.
        coded = b64encode(bytes(before) + value + bytes(-(before + len(value)) % 3)).decode()
        end = len(coded) - (0 if (before + len(value)) % 3 == 0 else 4)
        inside = coded[0 if before == 0 else 4 : end]
        if len(inside) >= 4 and (before == 0 or len(value) >= PART):
            yield "base64", ("dense", inside)


def key_forms(key: bytes) -> Iterator[tuple[str, Search]]:
    parts = [key[at : at + PART] for at in range(0, len(key), PART)]
    for part in {key, *(part for part in parts if len(part) == PART)}:
        yield from forms(part)


def pin_forms(pin: str) -> Iterator[tuple[str, Search]]:
    """Digits, packed, and in PIN blocks."""
    packed = pin_bytes(pin)
    codings = {
        "ASCII": pin.encode(),
        "BCD": packed,
        "stored": bytes((len(packed),)) + packed.ljust(8, b"\xff"),
        "format 0": build_iso_0(pin, PAN),
        "format 2": build_iso_2(pin),
    }
    yield "digits", ("digits", pin)
    for name, coded in codings.items():
        for form, search in forms(coded):
            yield f"{name}, {form}", search


def is_random(value: bytes) -> bool:
    """Long and varied enough to be found nowhere by chance."""
    return len(value) >= PART and len(set(value)) > 4


def leaks(said: Iterable[str | bytes], keys: Iterable[bytes], pins: Iterable[str]) -> list[str]:
    """The forms in which secrets were found. Only the form is told: the list may be printed."""
    texts = prepared(said)
    searches = chain(
        chain.from_iterable(map(key_forms, filter(is_random, set(keys)))),
        chain.from_iterable(map(pin_forms, pins)),
    )
    return sorted({form for form, (which, needle) in searches if needle in texts[which]})


_CHANCE = frozenset({"created", "msecs", "relativeCreated", "thread", "process"})
"""Of a log record: clocks and numbers of the system, in which any digits may stand by chance."""


def logged(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """What was logged during a test, for fixtures when it is over: `text` is empty by then."""
    for record in caplog.get_records("call"):
        yield record.getMessage()
        told = {name: value for name, value in vars(record).items() if name not in _CHANCE}
        yield f"{told}"


class Watch:
    """Notes every value that goes into one of some classes, and what is said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *classes: Any) -> None:
        self.keys: set[bytes] = set()
        self.said: list[str | bytes] = []
        for each in classes:
            monkeypatch.setattr(each, "__init__", self._noting(each.__init__))

    def _noting(self, make: Callable[..., None]) -> Callable[..., None]:
        def noting(made: Any, *given: Any, **named: Any) -> None:
            self.keys.update(v for v in (*given, *named.values()) if isinstance(v, bytes))
            make(made, *given, **named)

        return noting

    def hear(self, *said: object) -> None:
        self.said += [each if isinstance(each, bytes) else str(each) for each in said]

    def refused(self, call: Callable[..., object], *given: Any, **named: Any) -> BaseException:
        """The exception that a call ends with, after all its texts were heard."""
        try:
            call(*given, **named)
        except Exception as error:
            self.hear(error, repr(error), *traceback.format_exception(error), *error.args)
            return error
        raise AssertionError(f"{call} was expected to refuse")

    def leaks(self, *pins: str) -> list[str]:
        assert self.keys
        assert self.said
        return leaks(self.said, self.keys, pins)
