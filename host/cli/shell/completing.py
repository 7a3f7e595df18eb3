# SPDX-License-Identifier: Apache-2.0
"""What may stand at the end of a line: commands, places, files, fields, tags, keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from apdu.wire.elements import BY_TAG
from apdu.wire.hrss.spec import items
from host.cli.names import DIRECTORY_ENGLISH, directory_words, file_words, item_english
from host.cli.shell.lines import BadLine
from host.cli.shell.places import (
    ALIASES,
    children_of,
    directories,
    file_named,
    file_word,
    steps,
)
from host.cli.shell.proving import ADMIN, USER, keys_here
from host.cli.shell.session import Session
from host.cli.shell.table import COMMANDS, Command, Takes, command_called
from host.cli.shell.talking import OFF, ON, STOP

_QUOTES: Final = "'\""
MOST_PATHS: Final = 200


class Candidate(NamedTuple):
    """A word that may stand there, in place of what was typed of it."""

    word: str
    meaning: str = ""


class Completion(NamedTuple):
    """What may stand at the end of a line; `typed`: what of it is there already."""

    typed: str
    candidates: tuple[Candidate, ...]


def completion(session: Session, line: str) -> Completion:
    """What may come next in a line, seen from the place where the session is."""
    words, typed, quote = _split(line)
    if not words:
        found: Iterator[Candidate] = _commands()
    else:
        try:
            command = command_called(words[0])
        except BadLine:
            return Completion(typed, ())
        found = _behind(session, command, words[1:], typed)
    lower = typed.lstrip(_QUOTES).lower()
    fitting: dict[str, Candidate] = {}
    for each in found:
        if each.word.lower().startswith(lower):
            word = _quoted(each.word, quote)
            fitting.setdefault(word, Candidate(word, each.meaning))
    return Completion(typed, tuple(fitting.values()))


def _quoted(word: str, quote: str) -> str:
    """The word as it stands in a line: in quotes where it has blanks, or they were begun."""
    if " " in word or quote:
        quote = quote or '"'
        return f"{quote}{word}{quote}"
    return word


def _split(line: str) -> tuple[list[str], str, str]:
    """The whole words before the last one, that as it is typed, and the quote that is open."""
    words, word, quote = [], "", ""
    inside = False
    for letter in line:
        if quote:
            if letter == quote:
                quote = ""
            word += letter
        elif letter.isspace():
            if inside:
                words.append(word.strip(_QUOTES))
            word, inside = "", False
            continue
        else:
            if letter in _QUOTES:
                quote = letter
            word += letter
        inside = True
    return words, word, quote


def _commands() -> Iterator[Candidate]:
    for command in COMMANDS.values():
        yield Candidate(command.name, command.told)


def _behind(
    session: Session, command: Command, words: list[str], typed: str
) -> Iterator[Candidate]:
    if typed.startswith("-"):
        yield from (Candidate(option) for option in command.options if option not in words)
        return
    plain = [word for word in words if not word.startswith("--")]
    if len(plain) >= len(command.takes):
        yield from (Candidate(option) for option in command.options if option not in words)
        return
    yield from _words(session, command, plain, typed)


def _words(session: Session, command: Command, words: list[str], typed: str) -> Iterator[Candidate]:
    takes = command.takes[len(words)]
    match takes:
        case Takes.PLACE | Takes.FILE:
            yield from _places(session, typed, takes is Takes.PLACE)
        case Takes.FIELD:
            yield from _fields(session, words[0])
        case Takes.TAG:
            yield from _tags()
        case Takes.KEY:
            for spec in keys_here(session):
                yield Candidate(spec.name, spec.usage.name.lower().replace("_", " "))
        case Takes.SWITCH:
            yield from (Candidate(ON), Candidate(OFF))
        case Takes.COMMAND:
            yield from _commands()
        case Takes.PATH:
            yield from _paths(typed.lstrip(_QUOTES))
            if command.name == "record":
                yield Candidate(STOP, "ends the recording")
        case Takes.PIN_NAME:
            yield from (Candidate(USER), Candidate(ADMIN))
        case Takes.INTERFACE:
            yield from (Candidate("contact"), Candidate("contactless"))
        case Takes.VARIABLE:
            yield from (Candidate(name) for name in session.settings.variables)
        case Takes.EXPECTED:
            yield from (Candidate("9000"), Candidate("data"), Candidate("value"))


def _places(session: Session, typed: str, wherever: bool) -> Iterator[Candidate]:
    """Files and directories; behind a path, what is there."""
    generation = session.explainer.generation
    directory, before = session.directory, ""
    path = typed.lstrip(_QUOTES)
    if "/" in path:
        before = path[: path.rindex("/") + 1]
        try:
            for step in steps(before, directory, generation):
                directory = step.directory or directory
        except BadLine:
            return
    for file in directory.files:
        words = file_words(file)
        for name in (file_word(file), file.chinese, file.english.replace(" ", "-")):
            yield Candidate(before + name, words)
    for child in children_of(directory, generation):
        for name in (child.label, child.chinese):
            yield Candidate(before + name, directory_words(child))
    if before:
        return
    if wherever:
        yield Candidate("..", "the directory above")
    for alias, known in ALIASES.items():
        yield Candidate(alias, directory_words(known))
    for known in directories(generation):
        for name in (known.label, known.chinese):
            yield Candidate(name, DIRECTORY_ENGLISH.get(known.label, ""))
    for known in directories(generation):
        if known.name.isascii() and known.name.decode("ascii").isprintable():
            yield Candidate(known.name.decode("ascii"), directory_words(known))
        elif known.name:
            yield Candidate(known.name.hex().upper(), directory_words(known))


def _fields(session: Session, path: str) -> Iterator[Candidate]:
    """The items of the file that a path names, in the current directory or in one that it names."""
    generation, directory = session.explainer.generation, session.directory
    try:
        for step in steps(path, directory, generation):
            directory = step.directory or directory
    except BadLine:
        return
    file = file_named(path.rpartition("/")[2], directory)
    if file is None or file.content is None:
        return
    for item in items(file.content):
        english = item_english(item.name)
        tag = "" if item.tag is None else f"{item.tag:02X}"
        for name in (item.name, item.chinese, tag):
            if name:
                yield Candidate(name, f"{tag} {item.chinese} {english}".strip())


def _tags() -> Iterator[Candidate]:
    for element in BY_TAG.values():
        yield Candidate(f"{element.tag:02X}", f"{element.name} {element.chinese}")
    for element in BY_TAG.values():
        tag = f"{element.tag:02X}"
        yield Candidate(element.name, tag)
        yield Candidate(element.chinese, tag)


def _paths(typed: str) -> Iterator[Candidate]:
    """Files of the machine."""
    folder = Path(typed or ".") if typed.endswith("/") or not typed else Path(typed).parent
    try:
        found = sorted(folder.iterdir())[:MOST_PATHS]
    except OSError:
        return
    for path in found:
        if path.name.isprintable():
            yield Candidate(f"{path}/" if path.is_dir() else str(path))
