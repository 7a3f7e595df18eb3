# SPDX-License-Identifier: Apache-2.0
"""Every command that reads or writes a file of the table (`accesstable`), byte by byte.

They are written here as a terminal sends them, not with the forms that the card goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from accesstable import LABELS, Proofs, TableFile, is_open
from keybench import PIN, SM4, TDES, Desk, issued_cells
from testbench import verify

from apdu.wire.hrss.application import SSSE_FID, SSSE_NAME
from card_os.chip import ROM
from card_os.files.tree import Directory, Tree
from card_os.nvm import Flash, Nvm

OK, NO_RECORD, NO_SPACE, REFUSED = 0x9000, 0x6A83, 0x6A84, 0x6982
Build = Callable[[TableFile, int], bytes]
"""A command to a file, by its SFI or (0) as the current EF."""


def p2(sfi: int, mode: int) -> int:
    return sfi << 3 | mode


def written(ins: int, p1: int, p2: int, data: bytes) -> bytes:
    return bytes((0x00, ins, p1, p2, len(data))) + data


def read_record(p1: int, mode: int) -> Build:
    """With an extended Le, for the files that are longer than 256 bytes."""
    return lambda file, sfi: bytes((0x00, 0xB2, p1, p2(sfi, mode), 0, 0, 0))


def read_by_tag(file: TableFile, sfi: int) -> bytes:
    return bytes((0x00, 0xB2, file.items[0].tag, p2(sfi, 0), 0))


def read_binary(file: TableFile, sfi: int) -> bytes:
    return bytes((0x00, 0xB0, 0x80 | sfi if sfi else 0x00, 0x00, 0x00))


def record_of(file: TableFile) -> bytes:
    """A record that fits: the first item of a TLV file as it is, or zeros."""
    return file.contents()[0] if file.structure == "tlv" else bytes(file.size if file.items else 8)


def update_record(p1: int, mode: int) -> Build:
    return lambda file, sfi: written(0xDC, p1, p2(sfi, mode), record_of(file))


def update_by_tag(file: TableFile, sfi: int) -> bytes:
    return written(0xDC, file.items[0].tag, p2(sfi, 0), record_of(file))


def append_record(file: TableFile, sfi: int) -> bytes:
    return written(0xE2, 0x00, p2(sfi, 0), record_of(file))


def update_binary(file: TableFile, sfi: int) -> bytes:
    return written(0xD6, 0x80 | sfi if sfi else 0x00, 0x00, file.contents()[0][:8])


READS: dict[str, dict[str, tuple[Build, set[int]]]] = {
    "tlv": {
        "READ RECORD by number": (read_record(1, 4), {OK}),
        "READ RECORD by tag": (read_by_tag, {OK}),
        "READ RECORD all": (read_record(1, 5), {OK}),
    },
    "transparent": {"READ BINARY": (read_binary, {OK})},
    "cyclic": {
        "READ RECORD by number": (read_record(1, 4), {OK, NO_RECORD}),
        "READ RECORD all": (read_record(1, 5), {OK, NO_RECORD}),
    },
    "records": {
        "READ RECORD by number": (read_record(1, 4), {OK, NO_RECORD}),
        "READ RECORD all": (read_record(1, 5), {OK, NO_RECORD}),
    },
}
UPDATES: dict[str, dict[str, tuple[Build, set[int]]]] = {
    "tlv": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK}),
        "UPDATE RECORD by tag": (update_by_tag, {OK}),
        "APPEND RECORD": (append_record, {NO_SPACE}),
    },
    "transparent": {"UPDATE BINARY": (update_binary, {OK})},
    "cyclic": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK, NO_RECORD}),
        "UPDATE RECORD previous": (update_record(0, 3), {OK}),
        "APPEND RECORD": (append_record, {OK}),
    },
    "records": {
        "UPDATE RECORD by number": (update_record(1, 4), {OK, NO_RECORD}),
        "APPEND RECORD": (append_record, {OK}),
    },
}
"""By structure: what reads and what writes, and what the card says to who may."""


def operations(file: TableFile) -> Iterator[tuple[str, Build, set[int], bool]]:
    """Name, command, expected words and whether it only reads."""
    for name, (build, words) in READS[file.structure].items():
        yield name, build, words, True
    for name, (build, words) in UPDATES[file.structure].items():
        yield name, build, words, False


def card_of(generation: str, flash: Flash | None = None) -> Desk:
    """The test card of a generation, or one that has this memory."""
    suite = SM4 if generation == "3.0" else TDES
    return Desk(suite, flash or Flash(bytearray(issued_cells(suite, generation))))


def fid(label: str) -> int:
    return SSSE_FID if label == "SSSE" else int(label, 16)


def mounted(flash: Flash) -> dict[str, Directory]:
    """The directories of the application by label, as a chip finds them in its memory."""
    tree = Tree(Nvm(flash), len(flash.cells), tuple(application.name for application in ROM))
    ssse = tree.names[SSSE_NAME]
    return {label: ssse if label == "SSSE" else ssse.children[fid(label)] for label in LABELS}


def prove(desk: Desk, names: Iterable[str]) -> None:
    """Prove keys of the current DF and of the application, and "PIN"."""
    for name in sorted(names):
        assert OK == (desk.send(verify(PIN)) if name == "PIN" else desk.authenticate(name)), name


Outcome = tuple[str, str, bool]
"""An EF, an operation, and whether it was granted."""


def attempt(
    desk: Desk, files: Iterable[TableFile], proven: Proofs, *, granted: bool
) -> Iterator[tuple[Outcome, set[int]]]:
    """Try all operations on files of the current DF that the table refuses, or that it grants.

    Each by SFI and as the current EF; yields what was tried, and words that should not have come.
    """
    for file in files:
        for name, build, words, reads in operations(file):
            if granted == is_open(file.read if reads else file.update, proven):
                desk.send(bytes.fromhex(f"00A4020002{file.ef}"))
                found = {desk.send(build(file, sfi)) for sfi in (file.sfi, 0)}
                yield (file.ef, name, granted), found - (words if granted else {REFUSED})
