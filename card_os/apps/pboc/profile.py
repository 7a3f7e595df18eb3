# SPDX-License-Identifier: Apache-2.0
"""What the chip makes of its data groups: read once, then only sliced.

The profile is kept with the directory while there is power, and made anew when a group changes
(`directory.made` is None then).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apdu.atr import Interface
from apdu.crypto.suite import BlockKey
from apdu.dol import Slice, offsets
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import Tlv, find, parse
from apdu.wire.cryptogram import IssuerApplicationData
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LogEntry, parse_afl
from apdu.wire.pboc.groups import (
    CONTACT_FCI,
    CONTACT_IADS,
    CONTACTLESS_FCI,
    PARAMETERS,
    WAYS,
    Way,
)
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.groups import read_group
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.state import CardState
from card_os.files.tree import Directory


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Elements that are wanted together, one behind the other: their lengths by tag."""

    lengths: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DataList:
    """A data object list of the card's own: where each element lies in what the terminal sends."""

    places: Mapping[int, Slice]
    length: int
    """Bytes of data that the list asks for."""
    _runs: dict[Selection, tuple[slice, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, dol: bytes) -> DataList:
        """Raises FormatError for a list that is broken or names a tag twice."""
        places = offsets(dol)
        return cls(places, sum(each.length for each in places.values()))

    def value(self, tag: int, data: bytes) -> bytes:
        """An element of the data; empty when the list does not ask for it."""
        place = self.places.get(tag)
        return data[place.at : place.at + place.length] if place else b""

    def select(self, selection: Selection, data: bytes) -> bytes:
        """Some elements of the data; empty when the list asks not for all, each in its length."""
        runs = self._runs.get(selection)
        if runs is None:
            runs = self._runs[selection] = tuple(self._find(selection))
        if len(runs) == 2:  # as it is in most lists
            return data[runs[0]] + data[runs[1]]
        return b"".join([data[run] for run in runs])

    def _find(self, selection: Selection) -> list[slice]:
        """Where they lie, those that lie side by side as one."""
        runs: list[slice] = []
        for tag, length in selection.lengths.items():
            place = self.places.get(tag)
            if place is None or place.length != length:
                return []
            end = place.at + length
            if runs and runs[-1].stop == place.at:
                runs[-1] = slice(runs[-1].start, end)
            else:
                runs.append(slice(place.at, end))
        return runs


@dataclass(frozen=True, slots=True)
class Route:
    """One way that a transaction may go, under one algorithm."""

    way: Way
    algorithm: Algorithm
    aip: int
    afl: bytes
    iad: bytes
    """Template of 9F10: the CVR in it is written over at run time."""
    elements: Mapping[int, bytes]
    """What stands in the records that the AFL names, by tag."""
    cdol1: DataList
    cdol2: DataList
    ddol: DataList
    last: tuple[int, int]
    """SFI and number of the last record; 0, 0 where no record is named."""
    signed: tuple[int, int]
    """The record in which fDDA's 9F4B stands when GPO's answer has no room for it: one that was
    personalised with a 9F4B to be filled in, or the last."""
    keys: dict[int, BlockKey] = field(default_factory=dict, repr=False, compare=False)
    """The card's keys of this algorithm at work, by KID, taken when they are first needed."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log of the card: its file, how many records it keeps, and of what."""

    sfi: int
    records: int
    layout: DataList


@dataclass(frozen=True, slots=True)
class Profile:
    """All that the application was personalised with, but for its secrets."""

    contact_fci: bytes
    contactless_fci: bytes
    contact_pdol: DataList
    contactless_pdol: DataList
    routes: Mapping[tuple[Algorithm, Way], Route]
    parameters: Mapping[int, bytes]
    """The application's own elements (groups 0D01 and 0E01), as they are now."""
    places: Mapping[int, tuple[int, int]]
    """Where a parameter's value stands: its group, and the offset in that."""
    transaction_log: Log | None
    load_log: Log | None
    limits: Limits
    """What of the parameters card risk management asks."""
    signers: dict[Algorithm, Any] = field(default_factory=dict, repr=False, compare=False)
    """The card's private keys at work, made when they are first needed."""
    states: dict[bytes, CardState] = field(default_factory=dict, repr=False, compare=False)
    """The state that was read or written last, by its bytes."""

    def pdol(self, interface: Interface) -> DataList:
        """What GPO must bring: the list in the FCI that SELECT answered."""
        if interface is Interface.CONTACTLESS:
            return self.contactless_pdol
        return self.contact_pdol

    def amount(self, tag: int) -> int | None:
        """A parameter that is an amount or another number in BCD; None when the card has none."""
        value = self.parameters.get(tag)
        return None if value is None else amount_of(value)

    def number(self, tag: int) -> int | None:
        """A parameter that is a number in binary; None when the card has none."""
        value = self.parameters.get(tag)
        return None if value is None else int.from_bytes(value)

    def bits(self, tag: int) -> int:
        """A parameter that is bits; no bit when the card has none."""
        return int.from_bytes(self.parameters.get(tag, b""))


_EMPTY: Final = DataList({}, 0)
_LONGEST_IAD: Final = 32
"""Bytes of 9F10 (EMV 4.3 Book 3 annex A)."""


def profile_of(directory: Directory) -> Profile:
    """The profile of the application in this directory.

    Raises StatusError 6985 when its groups are not whole: it is not personalised then.
    """
    made: Profile | None = directory.made
    if made is None:
        try:
            made = directory.made = _read(directory)
        except FormatError as error:
            raise StatusError.of(SW.CONDITIONS_NOT_SATISFIED, error) from None
    return made


def _read(directory: Directory) -> Profile:
    contact = read_group(directory, CONTACT_FCI) or b""
    contactless = read_group(directory, CONTACTLESS_FCI) or b""
    parameters: dict[int, bytes] = {}
    places: dict[int, tuple[int, int]] = {}
    for number in PARAMETERS:
        at = 0
        for item in parse(read_group(directory, number) or b""):
            if item.tag in parameters:
                raise FormatError(f"group {number:04X}: tag {item.tag:X} is there twice")
            end = at + len(bytes(item))
            parameters[item.tag] = item.value
            places[item.tag] = (number, end - len(item.value))
            at = end
    routes = {
        (algorithm, way): _route(directory, algorithm, way, group)
        for (algorithm, way), number in WAYS.items()
        if (group := read_group(directory, number)) is not None
    }
    return Profile(
        contact,
        contactless,
        _pdol(contact),
        _pdol(contactless),
        routes,
        parameters,
        places,
        _log((contact, contactless), tags.LOG_ENTRY, parameters.get(tags.LOG_FORMAT)),
        _log((contact, contactless), tags.LOAD_LOG_ENTRY, parameters.get(tags.LOAD_LOG_FORMAT)),
        Limits.of(parameters),
    )


def _log(images: tuple[bytes, ...], entry: int, layout: bytes | None) -> Log | None:
    """A log, when an FCI says where it is and the parameters what it holds."""
    for fci in images:
        found = _in_fci(fci, tags.FCI_DISCRETIONARY, entry)
        if found is not None and layout is not None:
            place = LogEntry.parse(found)
            return Log(place.sfi, place.records, DataList.of(layout))
    return None


def _pdol(fci: bytes) -> DataList:
    """The PDOL in an FCI; without one nothing is asked for."""
    found = _in_fci(fci, tags.PDOL)
    return _EMPTY if found is None else DataList.of(found)


def _in_fci(fci: bytes, *path: int) -> bytes | None:
    """A value in an FCI, by the tags that lead to it from its proprietary template."""
    found = find(parse(fci), tags.FCI_TEMPLATE)
    for tag in (tags.FCI_PROPRIETARY, *path):
        found = found and found.find(tag)
    return None if found is None else found.value


def _route(directory: Directory, algorithm: Algorithm, way: Way, group: bytes) -> Route:
    given = {item.tag: item.value for item in parse(group)}
    afl = given.get(tags.AFL, b"")
    iad = given.get(tags.IAD)
    if iad is None:
        template = parse(read_group(directory, CONTACT_IADS[algorithm]) or b"")
        found = find(template, tags.IAD)
        iad = found.value if found else b""
    if iad:
        IssuerApplicationData.parse(iad)
        if len(iad) > _LONGEST_IAD:
            raise FormatError(f"9F10: {len(iad)} bytes, {_LONGEST_IAD} at most")
    entries = parse_afl(afl) if afl else ()
    elements: dict[int, bytes] = {}
    last = signed = (entries[-1].sfi, entries[-1].last) if entries else (0, 0)
    for entry in entries:
        for number in range(entry.first, entry.last + 1):
            for item in _inside(read_group(directory, entry.sfi << 8 | number) or b""):
                elements[item.tag] = item.value
                if item.tag == tags.SIGNED_DYNAMIC_DATA:
                    signed = (entry.sfi, number)
    aip = int.from_bytes(given.get(tags.AIP, b""))
    return Route(
        way,
        algorithm,
        aip,
        afl,
        iad,
        elements,
        DataList.of(elements.get(tags.CDOL1, b"")),
        DataList.of(elements.get(tags.CDOL2, b"")),
        DataList.of(elements.get(tags.DDOL, b"")),
        last,
        signed,
    )


def _inside(record: bytes) -> tuple[Tlv, ...]:
    """What stands in a record's template 70."""
    template = find(parse(record), tags.RECORD_TEMPLATE)
    return template.children if template else ()
