# SPDX-License-Identifier: Apache-2.0
"""Data object lists at work (数据对象列表, EMV Book 3 5.4): a terminal fills one, a card slices it.

The terminal's bytes are laid end to end in the order of the list, without tags or lengths. The
card knows its own list, so it computes once where each element will lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from apdu.errors import FormatError
from apdu.tlv import DolEntry, is_constructed, parse_dol
from apdu.wire.elements import BY_TAG, Format

LONGEST: Final = 252
"""Bytes of a list, and of the data it asks for: those of GET PROCESSING OPTIONS stand behind the
three bytes 83 81 xx, and a short command has 255."""


class Slice(NamedTuple):
    """Where an element lies in the data of a list, in bytes."""

    at: int
    length: int


def asked(dol: bytes) -> list[DolEntry]:
    """What a list asks for. Raises FormatError for a broken list, or more than 252 bytes."""
    if len(dol) > LONGEST:
        raise FormatError(f"DOL: a list of {len(dol)} bytes, {LONGEST} at most")
    entries = parse_dol(dol)
    total = sum(entry.length for entry in entries)
    if total > LONGEST:
        raise FormatError(f"DOL: asks for {total} bytes, {LONGEST} at most")
    return entries


def fill(dol: bytes, values: Mapping[int, bytes]) -> bytes:
    """The data that a list asks for, from what the terminal has, by tag.

    An element that the terminal does not have, or has empty, is zeros, and so is a template,
    whatever the terminal has (rules a, b and e of 5.4). Raises FormatError as `asked` does.
    """
    data = bytearray()
    for tag, length in asked(dol):
        value = values.get(tag, b"")
        if not value or is_constructed(tag):
            data += bytes(length)
        else:
            data += fitted(value, length, _format(tag))
    return bytes(data)


def fitted(value: bytes, length: int, kind: Format) -> bytes:
    """A value cut or filled to a length, as its format wants it (rules c and d of 5.4).

    Numbers (n) keep their last digits and are filled with 00 on the left; all else keeps its
    first bytes and is filled on the right, digits in cn with FF, the rest with 00.
    """
    if kind is Format.NUMERIC:
        return value[max(len(value) - length, 0) :].rjust(length, b"\x00")
    return value[:length].ljust(length, b"\xff" if kind is Format.COMPRESSED else b"\x00")


def offsets(dol: bytes) -> dict[int, Slice]:
    """Where each element of a list lies in its data, by tag.

    Raises FormatError as `asked` does, and when a tag is listed twice: nothing says which of
    the two would count.
    """
    found: dict[int, Slice] = {}
    at = 0
    for tag, length in asked(dol):
        if tag in found:
            raise FormatError(f"DOL: tag {tag:X} is listed twice")
        found[tag] = Slice(at, length)
        at += length
    return found


def split(dol: bytes, data: bytes) -> dict[int, bytes]:
    """The data of a list by tag: what the card makes of a command.

    Raises FormatError as `offsets` does, and when there are more or fewer bytes than asked for.
    """
    where = offsets(dol)
    total = sum(each.length for each in where.values())
    if len(data) != total:
        raise FormatError(f"DOL: {len(data)} bytes of data, the list asks for {total}")
    return {tag: data[at : at + length] for tag, (at, length) in where.items()}


def _format(tag: int) -> Format:
    """The format of an element; one that nobody knows is bytes."""
    known = BY_TAG.get(tag)
    return known.format if known else Format.BINARY
