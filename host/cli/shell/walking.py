# SPDX-License-Identifier: Apache-2.0
"""`select`, `ls` and `tree`: from place to place, and what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from apdu.sw import SW, sentence
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.iso7816 import (
    READ_BINARY,
    READ_RECORD,
    SELECT,
    By,
    Offset,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.perso import FileKind
from apdu.wire.psam import PSAM, PSAM_MF
from host.card import Reply
from host.cli.contents import objects
from host.cli.names import (
    CERTIFICATES,
    MF,
    PAYMENT,
    PKI,
    condition_words,
    directory_words,
    file_words,
)
from host.cli.payment_elements import payment_objects
from host.cli.shell.places import Step, children_of, file_word, in_hrss, steps
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.faults import CardMisspoke, CardRefused, NotFound

BY_IDENTIFIER: Final = (PKI, CERTIFICATES, PSAM, PSAM_MF)
"""Directories whose files are selected by identifier: 0012 and the like are no short ones."""
OPEN, NOT_THERE = "open", "not there"
_LAST_SFI: Final = 30
_COUNTED: Final = 30
"""Records of a file that are counted."""
_ABSENT: Final = frozenset({SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND})
_KINDS: Final = {
    FileKind.TRANSPARENT: "bytes",
    FileKind.LINEAR_VARIABLE: "records",
    FileKind.LINEAR_VARIABLE_TLV: "items",
    FileKind.CYCLIC: "ring",
}


# Going there


def select(session: Session, words: tuple[str, ...]) -> Report:
    """Go where a word leads, and show what the card says of it."""
    reply = Reply(b"", SW.OK)
    for step in steps(words[0], session.directory, session.explainer.generation):
        reply = take(session, step)
    pays = session.directory in PAYMENT
    items = payment_objects(reply.data) if pays else objects(reply.data)
    remark = ""
    if reply.sw != SW.OK:
        remark = f"{reply.sw:04X} {sentence(reply.sw)}"
    return Report((place_sentence(session),), items, raw=reply.data, remark=remark)


def place_sentence(session: Session) -> str:
    """Where one is, in words."""
    if session.file is not None:
        return file_words(session.file)
    known = directory_words(session.directory)
    return known if session.directory.fid else f"an application that is not known here ({known})"


def take(session: Session, step: Step) -> Reply:
    """One step. Raises what the card says."""
    if step.name is not None:
        return _by_name(session, step.name)
    if step.directory is not None:
        return enter(session, step.directory)
    fid = step.fid if step.file is None else step.file.fid
    return _by_id(session, fid or 0)


def enter(session: Session, directory: DfSpec) -> Reply:
    """Select a directory, from wherever one is, by way of its application."""
    if directory in (MF, PSAM_MF):
        return _by_id(session, directory.fid)
    if directory is CERTIFICATES and session.directory not in (PKI, CERTIFICATES):
        _by_name(session, PKI.name)
    if in_hrss(directory):
        if directory.fid == SSSE.fid:
            reply = _by_name(session, directory.name)
            session.learn(fresh=True)
            return reply
        if not in_hrss(session.directory):
            _by_name(session, SSSE.name)
            session.learn(fresh=True)
        return _by_id(session, directory.fid)
    return _by_name(session, directory.name)


def _by_name(session: Session, name: bytes) -> Reply:
    return session.card.ask(SELECT, Selection(), name)


def _by_id(session: Session, fid: int) -> Reply:
    return session.card.ask(SELECT, Selection(By.FILE_ID), fid.to_bytes(2))


# Looking around


def ls(session: Session, words: tuple[str, ...]) -> Report:
    """The files here by the specification, and what the card says of each."""
    directory, before = session.directory, session.file
    if directory in PAYMENT or not directory.fid:
        return _scanned(session)
    rows, told = [("file", "", "", "read", "update", "the card says")], []
    for file in directory.files:
        says = asked(session, file)
        read, update = (condition_words(each, directory) for each in (file.read, file.update))
        what = f"{file.chinese} ({file.english})"
        rows.append((file_word(file), what, _size(file), read, update, says))
        told.append(
            {
                "file": file_word(file),
                "fid": f"{file.fid:04X}",
                "name": file.english,
                "chinese": file.chinese,
                "read": read,
                "update": update,
                "card": says,
            }
        )
    below = children_of(directory, session.explainer.generation)
    rows += [(f"{each.label}/", _without_label(each), "", "", "", "") for each in below]
    again(session, before)
    labels = [each.label for each in below]
    if len(rows) == 1:
        return Report(("no files here",), told={"files": told, "below": labels})
    return Report(rows=tuple(rows), told={"files": told, "below": labels})


def _without_label(directory: DfSpec) -> str:
    return directory_words(directory).removeprefix(directory.label).strip()


def asked(session: Session, file: EfSpec) -> str:
    """What the card says when the file's first byte or record is read; costs nothing."""
    try:
        with session.aside():
            _first(session, file)
    except CardRefused as refusal:
        return refused_words(refusal)
    except CardMisspoke as fault:
        return str(fault)
    return OPEN


def _first(session: Session, file: EfSpec) -> None:
    if session.directory in BY_IDENTIFIER:
        _by_id(session, file.fid)
        session.card.ask(READ_BINARY, Offset(0), None, ne=1)
    elif file.kind is FileKind.TRANSPARENT:
        session.card.ask(READ_BINARY, SfiOffset(file.sfi), None, ne=1)
    else:
        session.card.ask(READ_RECORD, RecordRef(1, file.sfi), None)


def again(session: Session, file: EfSpec | None) -> None:
    """Make a file current again, after which others were. Where none was, the last one stays: to
    select the directory anew could cost what was proven in it."""
    if file is not None and session.file is not file:
        with session.aside(), suppress(CardRefused):
            _by_id(session, file.fid)


def _size(file: EfSpec) -> str:
    kind = _KINDS.get(file.kind, "")
    size = file.content.byte_length() if file.content is not None else file.size
    if file.kind is FileKind.CYCLIC:
        return f"{kind}, {file.records} x {size}"
    return f"{kind}, {size}" if size else kind


def _scanned(session: Session) -> Report:
    """The files of an application that only the card knows: which short identifiers answer."""
    rows, told = [("file", "records", "the card says")], []
    for sfi in range(1, _LAST_SFI + 1):
        with session.aside():
            number, says = _records(session, sfi)
        if says != NOT_THERE:
            rows.append((f"SFI {sfi}", str(number), says))
            told.append({"sfi": sfi, "records": number, "card": says})
    if not told:
        return Report(("no file here answers",), told={"files": told})
    return Report(rows=tuple(rows), told={"files": told})


def _records(session: Session, sfi: int) -> tuple[int, str]:
    """How many records a file has that can be read, and what the card says of it."""
    for number in range(1, _COUNTED + 1):
        try:
            session.card.ask(READ_RECORD, RecordRef(number, sfi), None)
        except CardRefused as refusal:
            if number > 1 and refusal.sw in _ABSENT:
                return number - 1, OPEN
            return number - 1, refused_words(refusal)
    return _COUNTED, f"{OPEN}, perhaps more"


def refused_words(refusal: CardRefused) -> str:
    """What a refusal says of the file that was asked for."""
    if refusal.sw == SW.FILE_NOT_FOUND:
        return NOT_THERE
    if refusal.sw == SW.RECORD_NOT_FOUND:
        return "empty"
    if refusal.sw == SW.SECURITY_NOT_SATISFIED:
        return "closed (6982)"
    return f"{refusal.sw:04X} {sentence(refusal.sw)}"


def tree(session: Session, words: tuple[str, ...]) -> Report:
    """All directories and files of the specification, each asked for."""
    where, file = session.directory, session.file
    stranger = session.stranger
    rows: list[tuple[str, ...]] = [("", "", "the card says")]
    with session.aside():
        if where not in (PSAM, PSAM_MF):
            rows += _branch(session, MF, 0)
        else:
            rows += _branch(session, PSAM_MF, 0)
        with suppress(CardRefused):
            if where.fid:
                enter(session, where)
            elif stranger:
                take(session, Step(name=stranger))
            again(session, file)
    told = [dict(zip(("place", "name", "card"), row, strict=True)) for row in rows[1:]]
    remark = "what was proven before is forgotten: the applications were selected one by one"
    return Report(rows=tuple(rows), told={"tree": told}, remark=remark)


def _branch(session: Session, directory: DfSpec, depth: int) -> Iterator[tuple[str, ...]]:
    indent = "  " * depth
    label = "3F00" if directory in (MF, PSAM_MF) else directory.label
    words = _without_label(directory)
    try:
        reply = enter(session, directory)
        says = OPEN if reply.sw == SW.OK else f"{reply.sw:04X} {sentence(reply.sw)}"
    except NotFound:
        yield f"{indent}{label}", words, NOT_THERE
        return
    except (CardRefused, CardMisspoke) as refusal:
        yield f"{indent}{label}", words, str(refusal)
        return
    yield f"{indent}{label}", words, says
    if directory.label == SSSE.label:
        directory = session.directory  # of the generation that the card turned out to be
    for file in directory.files:
        says = asked(session, file)
        yield f"{indent}  {file_word(file)}", f"{file.chinese} ({file.english})", says
    for child in children_of(directory, session.explainer.generation):
        yield from _branch(session, child, depth + 1)
