# SPDX-License-Identifier: Apache-2.0
"""Where one is on a card, and what words lead elsewhere: names, identifiers, paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from apdu.wire.codes import CHARSET
from apdu.wire.hrss.generations import SSSE, Generation
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.psam import PSAM, PSAM_MF
from host.cli.names import (
    APPLICATIONS,
    BANK,
    CERTIFICATES,
    DIRECTORY_ENGLISH,
    MF,
    PKI,
    PPSE,
    PSE,
)
from host.cli.shell.lines import BadLine, nearest
from host.cli.text import packed

ALIASES: Final = {
    "HRSS": SSSE,
    "DEBIT": BANK,
    "BANK": BANK,
    "CERT": CERTIFICATES,
    "3F00": MF,
}
"""What these directories are called besides their labels, Chinese and English names."""
_HEX: Final = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_EF: Final = re.compile(r"EF([0-9A-Fa-f]{2})", re.ASCII | re.IGNORECASE)
_NAME_BYTES: Final = range(5, 17)
UP: Final = ".."


def text_or_hex(name: bytes) -> str:
    """A DF name as text where it is plain text, else in hex."""
    try:
        text = name.decode(CHARSET)
    except UnicodeDecodeError:
        return packed(name)
    return text if text.isprintable() and "/" not in text else packed(name)


class Step(NamedTuple):
    """One step of a path: what of these is not None."""

    directory: DfSpec | None = None
    file: EfSpec | None = None
    name: bytes | None = None
    fid: int | None = None


def in_hrss(directory: DfSpec) -> bool:
    """Whether it is SSSE or a directory below it, of any generation."""
    return directory.fid == SSSE.fid or (
        directory.label.startswith("DF") and directory is not CERTIFICATES
    )


def parent_of(directory: DfSpec, generation: Generation) -> DfSpec:
    """The directory above; of the master file, itself."""
    if directory is PSAM:
        return PSAM_MF
    if directory is CERTIFICATES:
        return PKI
    if in_hrss(directory) and directory.fid != SSSE.fid:
        return generation.directory("SSSE")
    return directory if directory is PSAM_MF else MF


def children_of(directory: DfSpec, generation: Generation) -> tuple[DfSpec, ...]:
    """The directories right below this one."""
    if directory is MF:
        return generation.directories[0], *APPLICATIONS[1:]
    if directory.fid == SSSE.fid and directory.label == SSSE.label:
        return generation.directories[1:]
    if directory is PKI:
        return (CERTIFICATES,)
    return (PSAM,) if directory is PSAM_MF else ()


def path_words(
    directory: DfSpec, file: EfSpec | None, generation: Generation, stranger: bytes = b""
) -> str:
    """The place as the prompt shows it: 3F00/SSSE/EF05. `stranger`: the name of a directory that
    nobody here knows."""
    parts = []
    while directory not in (MF, PSAM_MF):
        parts.append(directory.label if directory.fid else text_or_hex(stranger) or "?")
        directory = parent_of(directory, generation)
    parts.append("3F00")
    where = "/".join(reversed(parts))
    return f"{where}/{file_word(file)}" if file is not None else where


def file_word(file: EfSpec) -> str:
    return f"EF{file.fid & 0xFF:02X}"


def file_named(word: str, directory: DfSpec) -> EfSpec | None:
    """The file of a directory with this name: EF05, its Chinese or its English one."""
    found = _EF.fullmatch(word)
    low = int(found[1], 16) if found else -1
    for file in directory.files:
        if low == file.fid & 0xFF or word in (file.chinese, file.english.replace(" ", "-")):
            return file
        if word.lower() == file.english.lower():
            return file
    return None


def directories(generation: Generation) -> tuple[DfSpec, ...]:
    """All that have names here, those of the card's generation first."""
    return *generation.directories, BANK, PSE, PPSE, PKI, CERTIFICATES, MF, PSAM


def directory_called(word: str, generation: Generation) -> DfSpec | None:
    """A directory by its label, its Chinese or English name, its DF name in text or hex."""
    upper = word.upper()
    alias = ALIASES.get(upper)
    known = directories(generation)
    if alias is not None:
        return next(each for each in known if each.name == alias.name and each.fid == alias.fid)
    for each in known:
        english = DIRECTORY_ENGLISH.get(each.label, "")
        if upper == each.label.upper() or word == each.chinese or word.lower() == english.lower():
            return each
        if each.name and (upper == packed(each.name) or word == text_or_hex(each.name)):
            return each
    return None


def steps(word: str, current: DfSpec, generation: Generation) -> Iterator[Step]:
    """What a path means, step by step, seen from a directory. Raises BadLine, as late as that."""
    parts = word.split("/")
    if word.startswith("/"):
        yield Step(directory=MF)
        current = MF
        parts = parts[1:]
    for at, part in enumerate(part for part in parts if part):
        step = _step(part, current, generation)
        if at and step.file is None and step.directory is None and step.fid is None:
            raise BadLine("in a path an application stands first")
        yield step
        current = step.directory or current


def _step(word: str, current: DfSpec, generation: Generation) -> Step:
    if word == UP:
        return Step(directory=parent_of(current, generation))
    if word == ".":
        return Step(directory=current)
    file = file_named(word, current)
    if file is not None:
        return Step(file=file)
    directory = directory_called(word, generation)
    if directory is not None:
        return Step(directory=directory)
    if _HEX.fullmatch(word) and len(word) == 4:
        fid = int(word, 16)
        known = next((each for each in current.files if each.fid == fid), None)
        child = next((c for c in children_of(current, generation) if c.fid == fid), None)
        return Step(fid=fid, file=known) if child is None else Step(directory=child)
    if _HEX.fullmatch(word) and len(word) % 2 == 0 and len(word) // 2 in _NAME_BYTES:
        return Step(name=bytes.fromhex(word))
    if _HEX.fullmatch(word) and len(word) > 6:
        raise BadLine(
            f"a DF name has {_NAME_BYTES.start} to {_NAME_BYTES.stop - 1} bytes, which are"
            f" {2 * _NAME_BYTES.start} to {2 * (_NAME_BYTES.stop - 1)} hex digits"
        )
    raise BadLine(
        "no file, directory or application has such a name here"
        + nearest(word, place_words(current, generation))
    )


def place_words(current: DfSpec, generation: Generation) -> Iterator[str]:
    """All words that lead somewhere from a directory."""
    for file in current.files:
        yield from (file_word(file), file.chinese, file.english.replace(" ", "-"))
    for directory in children_of(current, generation):
        yield from (directory.label, directory.chinese)
    yield from ALIASES
    for directory in directories(generation):
        yield from (directory.label, directory.chinese)
