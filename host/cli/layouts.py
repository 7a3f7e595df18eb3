# SPDX-License-Identifier: Apache-2.0
"""What has no tags, in words: records of rings, and the data of commands, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from apdu.errors import FormatError
from apdu.wire.hrss.erased import canonical
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, fields_of
from host.cli.names import Shown, item_english, value_words
from host.cli.text import spaced


class Word(NamedTuple):
    """What a field is called, and how its value is put; without `words` as an item's."""

    english: str
    chinese: str = ""
    words: Callable[[Any], tuple[str, str]] | None = None


Words = Mapping[str, Word]
"""By the name of the field."""


def shown_fields(layout: type[Record], raw: bytes, words: Words) -> tuple[Shown, ...]:
    """The fields of a layout, those only that `words` has; nothing of bytes in another shape."""
    try:
        value = layout.parse(raw)
    except FormatError:
        return ()
    return tuple(
        _shown(value, field, words[field.name]) for field in fields_of(value) if field.name in words
    )


def shown_ring(file: EfSpec, raw: bytes, words: Words) -> tuple[Shown, ...]:
    """The records of a ring, the newest first; one that is not as declared raw, with the reason.

    Nothing of a file that is none, or of bytes that are no whole records.
    """
    if file.kind is not FileKind.CYCLIC or file.content is None:
        return ()
    size = file.content.byte_length()
    if len(raw) % size:
        return ()
    several = len(raw) > size
    return tuple(
        shown
        for at in range(0, len(raw), size)
        for shown in _record(file.content, raw[at : at + size], words, several and at // size + 1)
    )


def _record(content: type[Record], raw: bytes, words: Words, number: int) -> Iterator[Shown]:
    """A record, behind its number where there are several (else 0)."""
    if number:
        newest = "newest" if number == 1 else ""
        yield Shown("", f"record {number}", "最新" if newest else "", None, newest)
    try:
        value = content.parse(canonical(content, raw))
    except FormatError as error:
        yield Shown("", "record", "", spaced(raw), f"raw: {str(error).partition(': ')[2]}")
        return
    for field in fields_of(value):
        yield _shown(value, field, words.get(field.name))


def _shown(value: Record, field: Any, word: Word | None) -> Shown:
    found, kind = getattr(value, field.name), field.metadata["wire"]
    word = word or Word(item_english(field.name))
    text, meaning = word.words(found) if word.words else value_words(field.name, found, kind.coding)
    return Shown("", word.english, word.chinese or kind.chinese, text, meaning)
