# SPDX-License-Identifier: Apache-2.0
"""Finding what SELECT names (ISO 7816-4 7.2.2 and 11.1.1)."""

from __future__ import annotations

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.iso7816 import By, Occurrence, Selection
from card_os.files.records import ElementaryFile
from card_os.files.tree import MF_FID, Directory, Tree

Found = tuple[Directory, ElementaryFile | None]
"""A directory, and the EF in it when that was named."""


def find(tree: Tree, current: Directory, selection: Selection, data: bytes) -> Found:
    """What the data names, or StatusError 6A82 when there is none such, 6700 for its length."""
    match selection.by:
        case By.NAME:
            return _by_name(tree, current, selection.occurrence, data), None
        case By.FILE_ID:
            return _by_id(tree, current, _fid(data) if data else MF_FID)
        case By.CHILD_DF:
            return _child(current, _fid(data)), None
        case By.EF_OF_DF:
            return current, _ef(current, _fid(data))
        case By.PARENT:
            if data:
                raise _wrong_length("SELECT of the parent comes without data", data)
            if current.parent is None:
                raise StatusError(SW.FILE_NOT_FOUND, "there is nothing above the MF")
            return current.parent, None
        case By.PATH_FROM_MF:
            return _by_path(tree.mf, data)
        case By.PATH_FROM_DF:
            return _by_path(current, data)


def _fid(data: bytes) -> int:
    if len(data) != 2:
        raise _wrong_length("a file identifier has 2 bytes, these are {length}", data)
    return int.from_bytes(data)


def _wrong_length(text: str, data: bytes) -> StatusError:
    return StatusError(SW.WRONG_LENGTH, text, length=len(data))


def _no_file(text: str, fid: int) -> StatusError:
    return StatusError(SW.FILE_NOT_FOUND, text, fid=fid)


def _child(directory: Directory, fid: int) -> Directory:
    child = directory.children.get(fid)
    if child is None:
        raise _no_file("there is no DF {fid:04X} in the directory", fid)
    return child


def _ef(directory: Directory, fid: int) -> ElementaryFile:
    file = directory.by_fid.get(fid)
    if file is None:
        raise _no_file("there is no EF {fid:04X} in {place}", fid)
    return file


def _by_id(tree: Tree, current: Directory, fid: int) -> Found:
    """The MF, an EF or DF in the current DF, the current DF, its parent, or a DF beside it."""
    if fid == MF_FID:
        return tree.mf, None
    if fid in current.by_fid:
        return current, current.by_fid[fid]
    parent = current.parent
    for candidate in (current.children.get(fid), current, parent):
        if candidate is not None and candidate.header.fid == fid:
            return candidate, None
    if parent is not None and fid in parent.children:
        return parent.children[fid], None
    raise _no_file("seen from {place} there is no file {fid:04X}", fid)


def _by_path(start: Directory, data: bytes) -> Found:
    if not data or len(data) % 2:
        raise _wrong_length("a path is identifiers of 2 bytes each, these are {length}", data)
    *way, last = (int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    for fid in way:
        start = _child(start, fid)
    if last in start.by_fid:
        return start, start.by_fid[last]
    return _child(start, last), None


def _by_name(tree: Tree, current: Directory, which: Occurrence, name: bytes) -> Directory:
    """The DF with this name, or one whose name begins with it; a whole name comes first."""
    if not name:
        raise _wrong_length("SELECT by name comes with a name", name)
    exact = tree.names.get(name)
    if exact is not None and which is Occurrence.FIRST:
        return exact
    alike = [df for df in tree.directories if df.header.name.startswith(name)]
    alike.sort(key=lambda df: df is not exact)
    match which:
        case Occurrence.FIRST:
            place = 0
        case Occurrence.LAST:
            place = len(alike) - 1
        case Occurrence.NEXT:
            place = alike.index(current) + 1 if current in alike else 0
        case Occurrence.PREVIOUS:
            place = alike.index(current) - 1 if current in alike else len(alike) - 1
    if not 0 <= place < len(alike):
        text = "{count} DFs have a name that begins so, and the {which} of them is not there"
        which_one = which.name.lower()
        raise StatusError(SW.FILE_NOT_FOUND, text, count=len(alike), which=which_one)
    return alike[place]
