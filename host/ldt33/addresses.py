# SPDX-License-Identifier: Apache-2.0
"""pFileAddr: which files of the card, and what in them.

    SSSEEF05|06|07|$SSSEEF06|08|09|$     items by their tags
    3F00EF05|06|07|$DF01EF05|20|$        the directory by its FID; SSSE is 3F00 or DDF1
    DF02EF07|01|02|$                     records of a ring, or of a file without tags, by number
    SSSEEF06|$                           all that is in the file (profile choice `ldt33-whole-file`)
    SSSEEF08|$  or  SSSEEF08|01|$        the bytes of a file without records

What comes back, and what is to be written, has the same shape with values for tags:
`SSSEEF05|20360104|B00000131|$`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from apdu.wire.access import Never
from apdu.wire.hrss.application import MF_FID, SSSE_FID
from apdu.wire.hrss.generations import SSSE, Generation
from apdu.wire.hrss.spec import DfSpec, EfSpec, items
from apdu.wire.perso import FileKind
from host.ldt33.codes import Code, DriverFault
from host.ldt33.syntax import Text, cut_in_two, decoded, groups

_NAME: Final = re.compile(r"(SSSE|3F00|DDF1|DF0[1-7])EF([0-9A-F]{2})")
_TAG: Final = re.compile(r"[0-9A-F]{2}")
_SSSE: Final = frozenset({SSSE.label, f"{MF_FID:04X}", f"{SSSE_FID:04X}"})
"""How programs name the directory of the application: on early cards it is the MF."""


class Named(NamedTuple):
    """A file and tags or record numbers, as they were written."""

    name: str
    """As the program wrote it: it comes back so."""
    label: str
    fid: int
    tags: tuple[int, ...]
    """None at all: everything in the file."""


class Data(NamedTuple):
    """What is to be written: as it was given, and the values file by file."""

    given: Text
    files: list[list[str]]


class Place(NamedTuple):
    """The file that was named, on cards of one generation."""

    name: str
    directory: DfSpec
    file: EfSpec
    tags: tuple[int, ...]
    """None only where records have numbers: those that are there."""


def file_addresses(given: Text) -> list[Named]:
    """What pFileAddr names; -14 for what no card of any generation could have."""
    return [_named(*each) for each in groups("pFileAddr", decoded("pFileAddr", given))]


def file_data(given: Text, addresses: list[Named]) -> Data:
    """The values in pWriteData, file by file, as pFileAddr names them."""
    with cut_in_two("pWriteData", given):
        found = groups("pWriteData", decoded("pWriteData", given))
        if len(found) != len(addresses):
            raise DriverFault(
                Code.PARAMETER, f"pWriteData: {len(found)} files, pFileAddr has {len(addresses)}"
            )
        for (name, *_), address in zip(found, addresses, strict=True):
            if _file_of("pWriteData", name) != (address.label, address.fid):
                raise DriverFault(
                    Code.PARAMETER, f"pWriteData: not {address.name}, as in pFileAddr"
                )
    return Data(given, [values for _, *values in found])


def places(addresses: list[Named], generation: Generation) -> list[Place]:
    """Where these files are. -14 for a file, tag or record number that the generation lacks."""
    return [_place(address, generation) for address in addresses]


def _named(name: str, *tags: str) -> Named:
    label, fid = _file_of("pFileAddr", name)
    if tags == ("",):
        raise DriverFault(Code.PARAMETER, f"pFileAddr: {name}: an empty tag")
    numbers = []
    for tag in tags:
        if not _TAG.fullmatch(tag.upper()):
            raise DriverFault(Code.PARAMETER, f"pFileAddr: {name}: a tag must be two hex digits")
        numbers.append(int(tag, 16))
    if len(set(numbers)) != len(numbers):
        raise DriverFault(Code.PARAMETER, f"pFileAddr: {name}: a tag stands there twice")
    return Named(name, label, fid, tuple(numbers))


def _file_of(parameter: str, name: str) -> tuple[str, int]:
    found = _NAME.fullmatch(name.upper()) if name.isascii() else None
    if found is None:
        raise DriverFault(Code.PARAMETER, f"{parameter}: a file must be named as in SSSEEF05")
    label = SSSE.label if found[1] in _SSSE else found[1]
    return label, 0xEF00 | int(found[2], 16)


def _place(address: Named, generation: Generation) -> Place:
    directory = generation.directory(address.label)
    file = next((each for each in directory.files if each.fid == address.fid), None)
    if file is None or isinstance(file.read, Never):
        raise DriverFault(
            Code.PARAMETER, f"pFileAddr: cards of {generation.name} have no {address.name}"
        )
    known = known_tags(file)
    tags = address.tags or (() if file.records else known)
    for tag in tags:
        if tag not in known:
            raise DriverFault(Code.PARAMETER, f"pFileAddr: {address.name} has no {tag:02X}")
    return Place(address.name, directory, file, tags)


def known_tags(file: EfSpec) -> tuple[int, ...]:
    """The tags of a file's items, the numbers that its records may have, or 1 for all its bytes."""
    if file.kind is FileKind.LINEAR_VARIABLE_TLV and file.content is not None:
        return tuple(item.tag for item in items(file.content) if item.tag is not None)
    return tuple(range(1, 1 + max(file.records, 1)))
