# SPDX-License-Identifier: Apache-2.0
"""Data objects: BER-TLV, data object lists, and the simple TLV of HRSS records.

Hand loops, because they run per APDU; `apdu.wire.dataobjects` declares the same formats and a
test holds them to each other. Parsing is strict: minimal lengths, nothing left over, bounds
on everything, so that building a parsed value gives the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from apdu.errors import FormatError

MAX_DEPTH, MAX_OBJECTS, MAX_LENGTH, MAX_TAG_BYTES = 32, 1024, 0xFFFF, 4
"""Bounds on nesting, on objects in one template, on a value's bytes and on a tag's bytes."""


class Tlv(NamedTuple):
    """One BER-TLV data object. A constructed one has its `children` beside its whole `value`."""

    tag: int
    value: bytes
    children: tuple[Tlv, ...] = ()

    def __bytes__(self) -> bytes:
        return _tag_bytes(self.tag) + _length_bytes(len(self.value)) + self.value

    @property
    def constructed(self) -> bool:
        return is_constructed(self.tag)

    def find(self, tag: int) -> Tlv | None:
        """The first child with this tag."""
        return find(self.children, tag)


def is_constructed(tag: int) -> bool:
    return bool(_tag_bytes(tag)[0] & 0x20)


def _tag_bytes(tag: int) -> bytes:
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1)


def _length_bytes(n: int) -> bytes:
    if n < 0x80:
        return bytes((n,))
    if n > MAX_LENGTH:
        raise FormatError(f"TLV: a value of {n} bytes, {MAX_LENGTH} at most")
    return bytes((0x81, n)) if n < 0x100 else b"\x82" + n.to_bytes(2)


def tlv(tag: int, value: bytes | Iterable[Tlv]) -> Tlv:
    """A data object: primitive from bytes, constructed from its children."""
    _check_tag(tag)
    if isinstance(value, bytes):
        children = tuple(parse(value)) if is_constructed(tag) else ()
        return Tlv(tag, value, children)
    if not is_constructed(tag):
        raise FormatError(f"TLV: tag {tag:X} is primitive and cannot have children")
    children = tuple(value)
    return Tlv(tag, build(children), children)


def _check_tag(tag: int) -> None:
    written = _tag_bytes(tag)
    if _read_tag(written, 0, len(written))[1] != len(written):
        raise FormatError(f"TLV: {tag:X} is not a tag")


def build(objects: Iterable[Tlv]) -> bytes:
    """The objects one after the other."""
    return b"".join(map(bytes, objects))


def find(objects: Iterable[Tlv], tag: int) -> Tlv | None:
    """The first object with this tag."""
    return next((item for item in objects if item.tag == tag), None)


def parse(raw: bytes, *, lenient: bool = False) -> list[Tlv]:
    """All objects in `raw`, constructed ones with their children, or FormatError.

    `lenient` accepts lengths written with more bytes than needed, as some cards send them.
    """
    return _parse(raw, 0, len(raw), 1, lenient)


def _read_tag(raw: bytes, at: int, end: int) -> tuple[int, int]:
    """A tag and the offset behind it (ISO 7816-4 5.2.2.1)."""
    start = at
    tag = raw[at]
    at += 1
    if tag in (0x00, 0xFF):
        raise FormatError(f"TLV: {tag:02X} at offset {start} is no tag")
    if tag & 0x1F == 0x1F:
        if at < end and raw[at] == 0x80:
            raise FormatError(f"TLV: tag at offset {start} begins its number with zeros")
        while True:
            if at >= end:
                raise FormatError(f"TLV: tag at offset {start} is cut short")
            if at - start >= MAX_TAG_BYTES:
                raise FormatError(f"TLV: tag at offset {start} is over {MAX_TAG_BYTES} bytes")
            tag = tag << 8 | raw[at]
            at += 1
            if not raw[at - 1] & 0x80:
                break
    return tag, at


def _parse(raw: bytes, at: int, end: int, depth: int, lenient: bool) -> list[Tlv]:
    if depth > MAX_DEPTH:
        raise FormatError(f"TLV: nested deeper than {MAX_DEPTH}")
    objects: list[Tlv] = []
    while at < end:
        if len(objects) == MAX_OBJECTS:
            raise FormatError(f"TLV: more than {MAX_OBJECTS} objects in one template")
        first = raw[at]
        tag, at = _read_tag(raw, at, end)
        if at >= end:
            raise FormatError(f"TLV: no length behind tag {tag:X}")
        length = raw[at]
        at += 1
        if length >= 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4:
                raise FormatError(f"TLV: length form {length:02X} behind tag {tag:X}")
            if at + size > end:
                raise FormatError(f"TLV: length behind tag {tag:X} is cut short")
            length = int.from_bytes(raw[at : at + size])
            at += size
            if not lenient and (length < 0x80 or length >> 8 * (size - 1) == 0):
                raise FormatError(f"TLV: length behind tag {tag:X} is not in its shortest form")
            if length > MAX_LENGTH:
                raise FormatError(f"TLV: tag {tag:X} has {length} bytes, {MAX_LENGTH} at most")
        stop = at + length
        if stop > end:
            raise FormatError(f"TLV: tag {tag:X} has {length} bytes, {end - at} are left")
        children = tuple(_parse(raw, at, stop, depth + 1, lenient)) if first & 0x20 else ()
        value = raw[at:stop]
        if lenient and children:
            value = build(children)
        objects.append(Tlv(tag, value, children))
        at = stop
    return objects


class DolEntry(NamedTuple):
    """What a data object list asks for: so many bytes of the object with this tag."""

    tag: int
    length: int


def parse_dol(raw: bytes) -> list[DolEntry]:
    """A data object list, tags and one-byte lengths alternating (EMV Book 3 5.4)."""
    entries: list[DolEntry] = []
    at, end = 0, len(raw)
    while at < end:
        if len(entries) == MAX_OBJECTS:
            raise FormatError(f"DOL: more than {MAX_OBJECTS} entries")
        tag, at = _read_tag(raw, at, end)
        if at >= end:
            raise FormatError(f"DOL: no length behind tag {tag:X}")
        if raw[at] >= 0x80:
            raise FormatError(f"DOL: length {raw[at]:02X} behind tag {tag:X} is not 0 to 127")
        entries.append(DolEntry(tag, raw[at]))
        at += 1
    return entries


def build_dol(entries: Iterable[DolEntry]) -> bytes:
    """The inverse of `parse_dol`."""
    found = bytearray()
    for tag, length in entries:
        _check_tag(tag)
        if not 0 <= length < 0x80:
            raise FormatError(f"DOL: {length} bytes of tag {tag:X}, 0 to 127 can be asked for")
        found += _tag_bytes(tag) + bytes((length,))
    return bytes(found)


class SimpleTlv(NamedTuple):
    """An HRSS record item: one byte of tag, one or three of length, the value."""

    tag: int
    value: bytes
    long: bool = False
    """The length stands in three bytes although one would do, as ISO 7816-4 allows."""

    def __bytes__(self) -> bytes:
        if not 0x00 < self.tag < 0xFF:
            raise FormatError(f"simple TLV: {self.tag:02X} is no tag")
        n = len(self.value)
        if n > MAX_LENGTH:
            raise FormatError(f"simple TLV: a value of {n} bytes, {MAX_LENGTH} at most")
        short = n < 0xFF and not self.long
        length = bytes((n,)) if short else b"\xff" + n.to_bytes(2)
        return bytes((self.tag,)) + length + self.value


def parse_simple(raw: bytes) -> list[SimpleTlv]:
    """All simple TLVs in `raw` (ISO 7816-4 5.2.1), or FormatError."""
    items: list[SimpleTlv] = []
    at, end = 0, len(raw)
    while at < end:
        if len(items) == MAX_OBJECTS:
            raise FormatError(f"simple TLV: more than {MAX_OBJECTS} items")
        tag = raw[at]
        if tag in (0x00, 0xFF):
            raise FormatError(f"simple TLV: {tag:02X} at offset {at} is no tag")
        if at + 1 >= end:
            raise FormatError(f"simple TLV: no length behind tag {tag:02X}")
        first = length = raw[at + 1]
        at += 2
        if first == 0xFF:
            length = int.from_bytes(raw[at : at + 2])
            at += 2
            if at > end:
                raise FormatError(f"simple TLV: length behind tag {tag:02X} is cut short")
        if at + length > end:
            raise FormatError(f"simple TLV: tag {tag:02X} has {length} bytes, {end - at} are left")
        items.append(SimpleTlv(tag, raw[at : at + length], length < first == 0xFF))
        at += length
    return items


def build_simple(items: Iterable[SimpleTlv]) -> bytes:
    """The items one after the other."""
    return b"".join(map(bytes, items))
