# SPDX-License-Identifier: Apache-2.0
"""iReadCard and iWriteCard: the files that pFileAddr names, opened one after the other.

What a file wants is proven when its turn comes. A key of a directory is forgotten by the card when
another directory is entered, so files are best named directory by directory.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, NamedTuple

from apdu.sw import SW
from apdu.wire.access import Pin
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import EfSpec, Item, items
from apdu.wire.perso import FileKind
from host.faults import CardMisspoke, NotFound
from host.ldt33.addresses import Data, Named, Place, file_data, places
from host.ldt33.codes import Code, DriverFault
from host.ldt33.desk import Desk
from host.ldt33.sources import Procedure, Request
from host.ldt33.syntax import CardInfo, Text, cut_in_two, grouped, hexadecimal
from host.ldt33.values import (
    content_of,
    file_bytes,
    hex_text,
    item_bytes,
    item_text,
    record_bytes,
    record_text,
)
from host.terminal.authentication import begin_authentication, finish_authentication
from host.terminal.files import key_of, wanted

_LOCAL: Final = 0x80
"""A KID with this bit is of the directory, and forgotten when another is entered."""
_NEWEST: Final = 1


class Task(NamedTuple):
    """A file, and what has to be proven when its turn comes."""

    place: Place
    needs: tuple[Pin | KeySpec, ...]


def tasks_of(found: list[Place], *, writing: bool, with_pin: bool) -> list[Task]:
    """What has to be proven for all of them. Raises FormatError for a file that is never open."""
    tasks: list[Task] = []
    proven: set[Pin | KeySpec] = set()
    for place in found:
        if tasks and tasks[-1].place.directory != place.directory:
            proven = {each for each in proven if isinstance(each, Pin) or not each.kid & _LOCAL}
        condition = place.file.update if writing else place.file.read
        needs = [
            each if isinstance(each, Pin) else key_of(place.directory, each.kid)
            for each in wanted(condition, with_pin, place.name)
        ]
        tasks.append(Task(place, tuple(each for each in needs if each not in proven)))
        proven.update(needs)
    return tasks


def read_files(desk: Desk, meant: CardInfo, addresses: list[Named], *, with_pin: bool) -> Procedure:
    """The values in these files, in the shape of pFileAddr."""
    desk.check(meant)
    found = places(addresses, desk.generation)
    tasks = tasks_of(found, writing=False, with_pin=with_pin)
    if desk.by_hand:
        _one_key(tasks)
    told = []
    for task in tasks:
        yield from _opened(desk, task)
        told.append([task.place.name, *_values(desk, task.place)])
    return grouped(told)


class Writing:
    """What iWriteCard does. The values may come before it begins, or once the key centre has
    answered, as in iWriteCard_HSM_Step2.

    All of them are checked before the first is written; the writing itself goes item by item, so
    a card that is pulled keeps what was written until then.
    """

    def __init__(self, meant: CardInfo, addresses: list[Named]) -> None:
        self._meant = meant
        self._addresses = addresses
        self._data: Data | None = None
        self._found: list[Place] = []
        self._changes: list[list[Change]] = []

    def take(self, given: Text) -> None:
        """The values, in the shape of pFileAddr."""
        self._data = file_data(given, self._addresses)
        self._check()

    def run(self, desk: Desk) -> Procedure:
        """Prove what the files want, and write."""
        desk.check(self._meant)
        self._found = places(self._addresses, desk.generation)
        tasks = tasks_of(self._found, writing=True, with_pin=False)
        self._check()
        if desk.by_hand:
            _one_key(tasks)
        for at, task in enumerate(tasks):
            yield from _opened(desk, task)
            with desk.kept():
                for change in self._changes[at]:
                    _write(desk, task.place.file, change)
        return ""

    def _check(self) -> None:
        """Once both are known: which files they are on this card, and what is to be in them."""
        if self._data is not None and self._found:
            with cut_in_two("pWriteData", self._data.given):
                both = zip(self._found, self._data.files, strict=True)
                self._changes = [_checked(*each) for each in both]


def prove_key(desk: Desk, key: KeySpec) -> Generator[Request, Any, None]:
    """EXTERNAL AUTHENTICATE with a key of the current directory or of the application."""
    desk.proving()
    with desk.kept():
        request = begin_authentication(desk.client, desk.identity, key)
        finish_authentication(desk.client, request, (yield request))


def _opened(desk: Desk, task: Task) -> Generator[Request, Any, None]:
    desk.go(task.place.directory)
    for each in task.needs:
        if isinstance(each, Pin):
            desk.show_pin()
        else:
            yield from prove_key(desk, each)


def _one_key(tasks: list[Task]) -> None:
    """By hand there is one line for one key."""
    keys = [each for task in tasks for each in task.needs if isinstance(each, KeySpec)]
    if not keys:
        raise DriverFault(Code.HSM_NOT_NEEDED)
    if len(keys) > 1:
        raise DriverFault(
            Code.PARAMETER, "pFileAddr: these files want several keys; name them one by one"
        )


# What is in a file


def _values(desk: Desk, place: Place) -> list[str]:
    file = place.file
    match file.kind:
        case FileKind.TRANSPARENT:
            return [hex_text(desk.client.binary_file(file))]
        case FileKind.LINEAR_VARIABLE_TLV:
            found = desk.found(file)
            return [_item_value(_item(file, tag), found.get(tag, [])) for tag in place.tags]
        case FileKind.CYCLIC:
            content = content_of(file)
            records = [record_text(content, raw) for raw in desk.client.ring(file, content)]
        case _:
            records = _numbered(desk, file)
    if not place.tags:
        return records
    return [records[number - 1] if number <= len(records) else "" for number in place.tags]


def _item_value(item: Item, found: list[bytes]) -> str:
    if len(found) != item.repeats:
        raise CardMisspoke(f"{item.chinese}: {len(found)} records with its tag")
    return item_text(item, found)


def _item(file: EfSpec, tag: int) -> Item:
    return next(item for item in items(content_of(file)) if item.tag == tag)


def _numbered(desk: Desk, file: EfSpec) -> list[str]:
    """Records of which nobody here knows what is in them."""
    found: list[str] = []
    while len(found) < file.records:
        try:
            raw = desk.client.record_bytes(file.sfi, len(found) + 1)
        except NotFound as fault:
            if fault.sw != SW.RECORD_NOT_FOUND:
                raise
            break
        found.append(hex_text(raw))
    return found


# What goes into it


class Change(NamedTuple):
    """An item by its tag, or a record by its number, and the bytes that it becomes."""

    tag: int
    values: list[bytes]


def _checked(place: Place, given: list[str]) -> list[Change]:
    file, tags = place.file, place.tags
    if file.kind is FileKind.CYCLIC:
        if tags not in ((), (_NEWEST,)):
            raise DriverFault(
                Code.PARAMETER, f"{place.name}: a record is always written as number 01"
            )
        tags = (_NEWEST,)
    if len(given) != len(tags) or not tags:
        raise DriverFault(
            Code.PARAMETER, f"pWriteData: {place.name}: {len(given)} values, must be {len(tags)}"
        )
    return [Change(tag, _bytes(file, tag, text)) for tag, text in zip(tags, given, strict=True)]


def _bytes(file: EfSpec, tag: int, text: str) -> list[bytes]:
    match file.kind:
        case FileKind.TRANSPARENT:
            return [file_bytes(file.size, text)]
        case FileKind.LINEAR_VARIABLE_TLV:
            return item_bytes(content_of(file), _item(file, tag), text)
        case FileKind.CYCLIC:
            return [record_bytes(content_of(file), text)]
        case _:
            raw = hexadecimal(file.chinese, text)
            if not 0 < len(raw) <= file.size // file.records:
                raise DriverFault(Code.LENGTH, f"{file.chinese}: {len(raw)} bytes")
            return [raw]


def _write(desk: Desk, file: EfSpec, change: Change) -> None:
    client, (first, *_) = desk.client, change.values
    match file.kind:
        case FileKind.TRANSPARENT:
            client.write_binary(file, first)
        case FileKind.LINEAR_VARIABLE_TLV:
            for repeat, value in enumerate(change.values):
                client.write_item(file, change.tag, value, repeat)
        case FileKind.CYCLIC:
            client.push(file, first)
        case _:
            _put(desk, file, change.tag, first)


def _put(desk: Desk, file: EfSpec, number: int, record: bytes) -> None:
    """A record by its number; the one behind the last is added."""
    if number == len(_numbered(desk, file)) + 1:
        desk.client.append(file, record)
    else:
        desk.client.update_record(file.sfi, number, record)
