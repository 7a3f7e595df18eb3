# SPDX-License-Identifier: Apache-2.0
"""What is on the bench: directories, PINs, files and conditions, as plain data.

`testbench` makes a chip of it. From the data alone a model can say what that chip must do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from apdu.tlv import SimpleTlv
from apdu.wire.access import (
    ALWAYS,
    NEVER,
    Access,
    AllOf,
    Always,
    AnyOf,
    Key,
    Never,
    Pin,
    all_of,
    any_of,
)
from apdu.wire.hrss.application import RID, SSSE_NAME
from apdu.wire.pboc.application import DEBIT_AID, DEBIT_FID
from apdu.wire.perso import FileKind

MF_FID, SSSE_FID = 0x3F00, 0xDDF1


@dataclass(frozen=True)
class BenchPin:
    value: str
    limit: int


@dataclass(frozen=True)
class BenchDirectory:
    """A DF, the label of the one it stands in, and the PINs and keys in it."""

    label: str
    fid: int
    name: bytes
    parent: str | None
    pins: dict[int, BenchPin] = field(default_factory=dict)
    keys: tuple[int, ...] = ()


@dataclass(frozen=True)
class BenchFile:
    """An EF. Content is bytes, or the records in the order in which they were appended."""

    where: str
    number: int
    kind: FileKind
    read: Access
    update: Access
    content: bytes | tuple[bytes, ...] = field(repr=False)
    size: int
    records: int = 0
    has_sfi: bool = True

    @property
    def fid(self) -> int:
        return (0x2F00 if self.where == "MF" else 0xEF00) | self.number

    @property
    def sfi(self) -> int:
        return self.number if self.has_sfi else 0


def noise(label: str, n: int) -> bytes:
    """Bytes that are nowhere else on the bench."""
    return b"".join(sha256(f"{label} {at}".encode()).digest() for at in range(0, n, 32))[:n]


def _file(
    where: str,
    number: int,
    kind: FileKind,
    read: Access,
    update: Access,
    *,
    size: int = 16,
    has_sfi: bool = True,
) -> BenchFile:
    label = f"{where} {number}"
    if kind is FileKind.TRANSPARENT:
        content: bytes | tuple[bytes, ...] = noise(label, size)
        return BenchFile(where, number, kind, read, update, content, size, 0, has_sfi)
    if kind in (FileKind.LINEAR_FIXED, FileKind.CYCLIC):
        content = (noise(label, 8), noise(label + "b", 8))
        return BenchFile(where, number, kind, read, update, content, 24, 3, has_sfi)
    if kind is FileKind.LINEAR_VARIABLE_TLV:
        content = (
            bytes(SimpleTlv(0x08, noise(label, 9))),
            bytes(SimpleTlv(0x4E, noise(label + "b", 4))),
        )
    else:
        content = (noise(label, 11), noise(label + "b", 6))
    return BenchFile(where, number, kind, read, update, content, 40, 4, has_sfi)


HOLDER, SECOND, LOCAL = Pin(0x00), Pin(0x01), Pin(0x81)
WINDOW, DESK = Key(0x04), Key(0x83)
"""A key of the application, and one of a DF."""
_T, _F, _V = FileKind.TRANSPARENT, FileKind.LINEAR_FIXED, FileKind.LINEAR_VARIABLE
_TLV, _C = FileKind.LINEAR_VARIABLE_TLV, FileKind.CYCLIC

DIRECTORIES = (
    BenchDirectory("MF", MF_FID, b"", None),
    BenchDirectory(
        "SSSE",
        SSSE_FID,
        SSSE_NAME,
        "MF",
        {0x00: BenchPin("123456", 6), 0x01: BenchPin("65432100", 3)},
        (0x04, 0x06),
    ),
    BenchDirectory("DF01", 0xDF01, RID + b"\x00", "SSSE", {0x81: BenchPin("1111111", 15)}, (0x83,)),
    BenchDirectory("DF11", 0xDF11, RID + b"\x00\x11", "DF01"),
    BenchDirectory("DF02", 0xDF02, RID + b"\x01", "SSSE", {0x81: BenchPin("222222", 2)}, (0x83,)),
    BenchDirectory("DF03", 0xDF03, b"", "SSSE"),  # no name: reached by its identifier only
    BenchDirectory("DEBIT", DEBIT_FID, DEBIT_AID, "MF"),
    BenchDirectory("DEBIT DF", 0xDF01, DEBIT_AID + b"\x01", "DEBIT"),
)
FILES = (
    _file("MF", 1, _T, ALWAYS, NEVER),
    _file("MF", 2, _T, HOLDER, HOLDER),
    _file("SSSE", 1, _T, ALWAYS, HOLDER, size=700),
    _file("SSSE", 2, _F, ALWAYS, HOLDER),
    _file("SSSE", 3, _V, ALWAYS, HOLDER),
    _file("SSSE", 4, _TLV, ALWAYS, HOLDER),
    _file("SSSE", 5, _C, ALWAYS, HOLDER),
    _file("SSSE", 6, _T, HOLDER, HOLDER),
    _file("SSSE", 7, _T, WINDOW, WINDOW),
    _file("SSSE", 8, _T, NEVER, NEVER),
    _file("SSSE", 9, _F, all_of(HOLDER, SECOND), all_of(HOLDER, WINDOW)),
    _file("SSSE", 10, _F, any_of(SECOND, WINDOW), all_of(any_of(HOLDER, SECOND), WINDOW)),
    _file("SSSE", 11, _C, HOLDER, NEVER),
    _file("SSSE", 12, _T, NEVER, SECOND),
    _file("SSSE", 13, _V, HOLDER, NEVER, has_sfi=False),
    _file("DF01", 1, _T, HOLDER, LOCAL),
    _file("DF01", 2, _TLV, LOCAL, LOCAL),
    _file("DF01", 3, _C, any_of(HOLDER, DESK), all_of(HOLDER, DESK)),
    _file("DF11", 1, _T, HOLDER, LOCAL),
    _file("DF11", 4, _T, LOCAL, DESK),
    _file("DF02", 1, _T, LOCAL, all_of(HOLDER, LOCAL)),
    _file("DF02", 2, _V, DESK, any_of(DESK, all_of(LOCAL, SECOND))),
    _file("DF03", 1, _T, HOLDER, HOLDER),
    _file("DEBIT", 1, _V, ALWAYS, NEVER),
    _file("DEBIT", 2, _T, HOLDER, HOLDER),
    _file("DEBIT", 6, _T, WINDOW, WINDOW),
    _file("DEBIT DF", 1, _T, HOLDER, LOCAL),
    _file("DEBIT DF", 2, _TLV, ALWAYS, DESK),
)
BY_LABEL = {directory.label: directory for directory in DIRECTORIES}


def path_to(label: str) -> tuple[BenchDirectory, ...]:
    """The directories from below the MF down to this one."""
    directory = BY_LABEL[label]
    return () if directory.parent is None else (*path_to(directory.parent), directory)


def files_in(label: str) -> tuple[BenchFile, ...]:
    return tuple(file for file in FILES if file.where == label)


def root_of(label: str) -> str:
    """The application that a directory belongs to."""
    directory = BY_LABEL[label]
    return label if directory.parent in (None, "MF") else root_of(directory.parent)


def found_by_id(label: str, fid: int) -> tuple[str, int | None] | None:
    """Where SELECT by file identifier leads: a directory, and the EF in it when that was meant."""
    here = BY_LABEL[label]
    children = {each.fid: each.label for each in DIRECTORIES if each.parent == label}
    siblings = {each.fid: each.label for each in DIRECTORIES if each.parent == here.parent}
    if fid == MF_FID:
        return "MF", None
    if fid in {file.fid for file in files_in(label)}:
        return label, fid
    if fid in children:
        return children[fid], None
    if fid == here.fid:
        return label, None
    if here.parent is not None and fid == BY_LABEL[here.parent].fid:
        return here.parent, None
    return (siblings[fid], None) if here.parent is not None and fid in siblings else None


def holds(condition: Access, proven: Iterable[Pin | Key]) -> bool:
    """Whether a condition is met, read off its shape."""
    match condition:
        case Always():
            return True
        case Never():
            return False
        case AllOf(parts):
            return all(holds(part, proven) for part in parts)
        case AnyOf(parts):
            return any(holds(part, proven) for part in parts)
        case _:
            return condition in proven
