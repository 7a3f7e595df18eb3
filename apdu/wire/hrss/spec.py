# SPDX-License-Identifier: Apache-2.0
"""How files and directories of the application are described, and the items in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from apdu.tlv import build as build_tlv
from apdu.tlv import tlv
from apdu.wire.access import Access
from apdu.wire.fields import Coding
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.perso import FileKind
from apdu.wire.record import Record, fields_of

R = TypeVar("R", bound=Record)


class Item(NamedTuple):
    """One data item: a TLV record, a part of one (B-TLV), or a field of a record without tags."""

    name: str
    """As the attribute of the layout."""
    tag: int | None
    """None: there are no tags in the record."""
    size: int
    """Bytes of the value."""
    chinese: str
    coding: Coding | None
    """None: a group, which has `parts`."""
    repeats: int = 1
    """Records with this tag, one behind the other."""
    parts: tuple[Item, ...] = ()
    layout: type[Record] | None = None
    """Of a group: the layout of one of its repeats."""


_ITEMS: dict[type[Record], tuple[Item, ...]] = {}


def items(content: type[Record]) -> tuple[Item, ...]:
    """The items of a file's content, in the order of its records or of its bytes."""
    known = _ITEMS.get(content)
    if known is not None:
        return known
    found = []
    for field in fields_of(content):
        kind = field.metadata["wire"]
        size = content.declaration()._subcons[field.name].sizeof() // kind.count
        value = size if kind.tag is None else size - 2
        parts = () if kind.layout is None else items(kind.layout)
        what = (field.name, kind.tag, value, kind.chinese, kind.coding)
        found.append(Item(*what, kind.count, parts, kind.layout))
    return _ITEMS.setdefault(content, tuple(found))


def blank(content: type[R]) -> R:
    """What a file holds of which nothing was written: 00.. for an, b and dec, FF.. for cn."""
    values: dict[str, Any] = {}
    for field in fields_of(content):
        kind = field.metadata["wire"]
        inside = kind.layout and (blank(kind.layout),) * kind.count
        values[field.name] = inside or kind.blank
    return content(**values)


@dataclass(frozen=True, slots=True)
class EfSpec:
    """An elementary file of the application; its SFI is the low byte of its FID.

    `content`: of a file of TLV records all of them, of a cyclic file one record, of a transparent
    file all its bytes; None: bytes that nobody here gives a meaning.
    """

    fid: int
    chinese: str
    english: str
    kind: FileKind
    read: Access
    update: Access
    content: type[Record] | None = None
    size: int = 0
    """Bytes of a file whose `content` does not say it, or says it of one record only."""
    records: int = 0
    """Records that a file of fixed, variable or cyclic records can have."""

    @property
    def sfi(self) -> int:
        return self.fid & 0x1F


@dataclass(frozen=True, slots=True)
class DfSpec:
    """A directory of the application."""

    fid: int
    name: bytes
    label: str
    chinese: str
    files: tuple[EfSpec, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    proprietary: bytes = b""
    """What stands in template A5 of its FCI; empty: there is none."""

    @property
    def fci(self) -> bytes:
        """What SELECT answers."""
        parts = [tlv(0x84, self.name)]
        if self.proprietary:
            parts.append(tlv(0xA5, self.proprietary))
        return build_tlv([tlv(0x6F, parts)])

    def file(self, sfi: int) -> EfSpec:
        """The file with this SFI. KeyError when there is none."""
        for each in self.files:
            if each.sfi == sfi:
                return each
        raise KeyError(f"{self.label} has no EF{sfi:02X}")


def tlv_file(
    fid: int, chinese: str, english: str, content: type[Record], read: Access, update: Access
) -> EfSpec:
    """A file whose records are each one simple TLV."""
    kind = FileKind.LINEAR_VARIABLE_TLV
    return EfSpec(fid, chinese, english, kind, read, update, content)


def cyclic_file(
    fid: int,
    chinese: str,
    english: str,
    content: type[Record],
    records: int,
    read: Access,
    update: Access,
) -> EfSpec:
    """A ring of records without tags; number 1 is the newest."""
    return EfSpec(fid, chinese, english, FileKind.CYCLIC, read, update, content, records=records)


def transparent_file(
    fid: int, chinese: str, english: str, size: int, read: Access, update: Access
) -> EfSpec:
    """Bytes without structure."""
    return EfSpec(fid, chinese, english, FileKind.TRANSPARENT, read, update, size=size)
