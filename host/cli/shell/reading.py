# SPDX-License-Identifier: Apache-2.0
"""`read` and `get`: what is in files and data elements, decoded."""

from __future__ import annotations

from typing import Final

from apdu.command import SHORT_NE
from apdu.wire.elements import BY_TAG, Element
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.iso7816 import READ_BINARY, READ_RECORD, SELECT, By, Offset, RecordRef, Selection
from apdu.wire.pboc.commands import GET_DATA, DataTag
from apdu.wire.perso import FileKind
from host.cli.contents import record_contents
from host.cli.names import Shown, condition_words, file_words
from host.cli.payment_elements import element_words, payment_objects
from host.cli.psam_words import file_told
from host.cli.shell.lines import BadLine, nearest
from host.cli.shell.places import steps
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.cli.shell.walking import BY_IDENTIFIER, take
from host.faults import NotAllowed

RAW: Final = "--raw"
_MOST_BYTES: Final = 0x8000


def read(session: Session, words: tuple[str, ...]) -> Report:
    """A file, or one record of it, or bytes of it from an offset on."""
    raw = RAW in words
    plain = [word for word in words if word != RAW]
    number = _number(plain.pop(), "the record or offset") if len(plain) > 1 else None
    sfi = _sfi(plain)
    if sfi:
        found, items = _record(session, sfi, 1 if number is None else number)
        return Report(raw=found, items=() if raw else items)
    file = goal(session, plain)
    try:
        found, items = contents(session, file, number)
    except NotAllowed:
        session.hint = f"reading it needs: {condition_words(file.read, session.directory)}"
        raise
    words_of_it = file_words(file) + ("" if number is None else f", {number}")
    return Report((words_of_it,), () if raw else items, raw=found)


def goal(session: Session, words: list[str]) -> EfSpec:
    """The file that a path leads to, whose directory is then current; without one, the current."""
    if not words:
        if session.file is None:
            raise BadLine("no file is current: name one, such as EF05")
        return session.file
    for step in steps(words[0], session.directory, session.explainer.generation):
        if step.file is not None:
            return step.file
        take(session, step)
        if step.fid is not None and session.file is not None:
            return session.file
    raise BadLine("that leads to a directory: `ls` shows its files")


def contents(session: Session, file: EfSpec, number: int | None) -> tuple[bytes, tuple[Shown, ...]]:
    """The bytes of a file in the current directory, and what is in them."""
    if session.directory in BY_IDENTIFIER:
        session.card.ask(SELECT, Selection(By.FILE_ID), file.fid.to_bytes(2))
        found = _bytes(session, file, number or 0)
        return found, file_told(file, found) if not number else ()
    if file.kind is FileKind.TRANSPARENT:
        if number is None:
            return session.hrss.binary_file(file), ()
        session.card.ask(SELECT, Selection(By.FILE_ID), file.fid.to_bytes(2))
        return _bytes(session, file, number), ()
    if number is not None:
        found = session.hrss.record_bytes(file.sfi, number)
        return found, record_contents(file, found)
    if file.kind is FileKind.CYCLIC and file.content is not None:
        found = b"".join(session.hrss.ring(file, file.content))
        return found, record_contents(file, found)
    found = session.hrss.raw(file)
    return found, record_contents(file, found)


def _bytes(session: Session, file: EfSpec, offset: int) -> bytes:
    """The bytes of the current file from an offset on."""
    found = b""
    if not 0 <= offset < _MOST_BYTES:
        raise BadLine(f"offset: must be 0 to {_MOST_BYTES - 1}")
    end = max(file.size, offset + 1)
    while offset + len(found) < end:
        at = offset + len(found)
        part = session.card.ask(READ_BINARY, Offset(at), None, ne=min(end - at, SHORT_NE))
        if not part.data:
            break
        found += part.data
    return found


def _record(session: Session, sfi: int, number: int) -> tuple[bytes, tuple[Shown, ...]]:
    """A record of a file that has no name here."""
    found = session.card.send(READ_RECORD, RecordRef(number, sfi), None)
    items = session.last.got if session.last is not None else ()
    return found, items or payment_objects(found)


def _sfi(words: list[str]) -> int:
    """1 to 30 for `SFI7` or `7`, else 0."""
    if not words:
        return 0
    digits = words[0].lower().removeprefix("sfi")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 3 else 0


def _number(word: str, what: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 6):
        raise BadLine(f"{what}: must be a number, such as 1")
    return int(word)


# Data elements


def get(session: Session, words: tuple[str, ...]) -> Report:
    """GET DATA of one element."""
    tag = tag_called(" ".join(word for word in words if word != RAW))
    found = session.card.send(GET_DATA, DataTag(tag), None)
    items = () if RAW in words else payment_objects(found)
    return Report((element_words(tag),), items, raw=found)


def tag_called(word: str) -> int:
    """A tag in hex, or an element by its name in English or Chinese. Raises BadLine."""
    if 2 <= len(word) <= 4:
        try:
            return int(word, 16)
        except ValueError:
            pass
    element = element_called(word)
    if element is None:
        names = [each.name for each in BY_TAG.values()]
        raise BadLine("no data element has such a tag or name" + nearest(word, names))
    return element.tag


def element_called(word: str) -> Element | None:
    lower = word.lower()
    return next(
        (each for each in BY_TAG.values() if lower == each.name.lower() or word == each.chinese),
        None,
    )
