# SPDX-License-Identifier: Apache-2.0
"""`edit`: one decoded value of a file is changed, and written as its layout wants it."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Any, Final, get_args, get_type_hints

from apdu.errors import FormatError
from apdu.wire.fields import Coding
from apdu.wire.hrss.spec import EfSpec, Item, items
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, fields_of
from host.amounts import fen
from host.cli.names import condition_words, item_english, value_words
from host.cli.shell.lines import BadLine, nearest
from host.cli.shell.reading import goal
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.cli.text import packed, spaced, visible
from host.cli.typed import typed_bytes
from host.faults import CardRefused, NotAllowed

YES: Final = "--yes"


def edit(session: Session, words: tuple[str, ...]) -> Report:
    """Read an item, change its value, show both, and write it after a question."""
    yes = YES in words
    plain = [word for word in words if word != YES]
    if len(plain) != 3:
        raise BadLine("edit: FILE FIELD VALUE; a value with blanks stands in quotes")
    path, field, text = plain
    file = goal(session, [path])
    content = layout_of(file)
    item = item_called(content, field)
    new = bytes_of(content, item, text)
    if item.tag is None:
        raise BadLine("edit: this field has no tag")
    try:
        old: bytes | None = session.hrss.item(file, item.tag)
    except CardRefused:
        old = None  # one may be allowed to write what one may not read
    name = f"{item.chinese} {item_english(item.name)}"
    told = {
        "file": f"EF{file.fid & 0xFF:02X}",
        "field": item.name,
        "chinese": item.chinese,
        "old": None if old is None else packed(old),
        "new": packed(new),
    }
    if old == new:
        return Report((f"{name}: that is its value already",), told=told | {"written": False})
    before = "(cannot be read)" if old is None else _shown(content, item, old)
    lines = (
        name,
        f"  old  {'' if old is None else spaced(old)}  {before}",
        f"  new  {spaced(new)}  {_shown(content, item, new)}",
    )
    if not (yes or session.user.sure(lines, "Write it?")):
        raise BadLine("edit: nothing was written; --yes answers the question")
    try:
        session.hrss.write_item(file, item.tag, new)
    except NotAllowed:
        session.hint = f"writing it needs: {condition_words(file.update, session.directory)}"
        raise
    return Report((*(lines if yes else ()), "written"), told=told | {"written": True})


def layout_of(file: EfSpec) -> type[Record]:
    """What is in a file whose items can be changed one by one."""
    if file.content is None or file.kind is not FileKind.LINEAR_VARIABLE_TLV:
        raise BadLine("edit: only files of items (TLV records) have values that can be changed")
    return file.content


def item_called(content: type[Record], word: str) -> Item:
    """An item by tag, Chinese or English name."""
    known = items(content)
    lower = word.lower()
    for item in known:
        english = item_english(item.name)
        if lower in (item.name, english, f"{item.tag or 0:02x}") or word == item.chinese:
            if item.parts:
                raise BadLine("edit: a group of items is not changed as one; use `apdu`")
            return item
    names = [name for item in known for name in (item.name, item.chinese)]
    raise BadLine("edit: the file has no item of this name or tag" + nearest(word, names))


def bytes_of(content: type[Record], item: Item, text: str) -> bytes:
    """The value of an item as bytes. Raises FormatError, which names the field and the rule."""
    try:
        value = typed_value(content, item, text)
    except ValueError as error:
        raise FormatError(f"{content.__name__}.{item.name}: {error}") from None
    return content.build_field(item.name, value)[2:]


def typed_value(content: type[Record], item: Item, text: str) -> Any:
    """What a person typed, as the type of the item; nothing typed: the value of an empty one."""
    (wire,) = (each.metadata["wire"] for each in fields_of(content) if each.name == item.name)
    if not text:
        return wire.blank
    hint = get_type_hints(content)[item.name]
    kinds = get_args(hint) or (hint,)
    lists = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]
    if lists:
        return _of_list(lists[0], text)
    if datetime in kinds:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("must be a time such as 2026-01-05 12:30:00") from None
    if date in kinds:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError("must be a date such as 2026-01-05") from None
    if bytes in kinds:
        found = typed_bytes(text, f"{content.__name__}.{item.name}")
        if len(found) != item.size:
            raise ValueError(f"{len(found)} bytes, must be {item.size}")
        return found
    if int in kinds:
        return fen(text) if item.coding is Coding.DEC else _whole(text)
    return text


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError("must be a number")
    return int(text)


def _of_list(kind: type[Any], text: str) -> Any:
    """A member of a code list by its code or one of its names; else text, as a strange code."""
    for member in kind:
        if text in (member.code, member.chinese) or text.lower() == member.english.lower():
            return member
    if text.isascii() and text.isdecimal():
        return text
    raise ValueError("must be a code of its list, or one of the list's names")


def _shown(content: type[Record], item: Item, raw: bytes) -> str:
    head = bytes((item.tag or 0, item.size))
    try:
        value = content.parse_field(item.name, head + raw)
    except FormatError as error:
        return f"raw: {str(error).partition(': ')[2]}"
    shown, meaning = value_words(item.name, value, item.coding)
    return visible(f"{shown or '(empty)'} {meaning}".strip())
