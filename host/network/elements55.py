# SPDX-License-Identifier: Apache-2.0
"""DE55 (IC 卡数据域): the chip's data elements in a message, as BER-TLV one behind the other.

This is the issuer's view: what it needs to verify a cryptogram, and its own part (91) with its
scripts (71, 72). Everything wrong with an element is a `WrongElement` that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from apdu.errors import FormatError
from apdu.tlv import build, parse, tlv
from apdu.wire.elements import BY_TAG
from apdu.wire.pboc import tags

LONGEST: Final = 255
"""Bytes of a DE55."""


class WrongElement(FormatError):
    """An element of DE55 is missing, twice there, or not in its shape. `tag` names it; 0 where
    the bytes are no data elements at all."""

    def __init__(self, tag: int, rule: str) -> None:
        super().__init__(f"DE55 {tag:02X}: {rule}" if tag else f"DE55: {rule}")
        self.tag = tag


def read_elements(data: bytes) -> dict[int, bytes]:
    """The elements of a DE55 by tag. Raises WrongElement.

    The length of every element that this project knows is right; other tags may be there.
    """
    if len(data) > LONGEST:
        raise WrongElement(0, f"{len(data)} bytes, {LONGEST} at most")
    try:
        found = parse(data)
    except FormatError as error:
        raise WrongElement(0, str(error)) from None
    elements: dict[int, bytes] = {}
    for tag, value, _ in found:
        if tag in elements:
            raise WrongElement(tag, "it is there twice")
        known = BY_TAG.get(tag)
        if known is not None and not known.least <= len(value) <= known.most:
            raise WrongElement(
                tag, f"{len(value)} bytes, must be {_allowed(known.least, known.most)}"
            )
        elements[tag] = value
    return elements


def needed(elements: Mapping[int, bytes], tag: int) -> bytes:
    """An element that must be there. Raises WrongElement when it is not."""
    value = elements.get(tag)
    if not value:
        raise WrongElement(tag, "it is missing")
    return value


def answer_data(authentication: bytes, scripts: Iterable[bytes] = ()) -> bytes:
    """DE55 of an answer. Raises WrongElement when it would be longer than 255 bytes."""
    head = build([tlv(tags.ISSUER_AUTHENTICATION_DATA, authentication)]) if authentication else b""
    data = head + b"".join(scripts)
    if len(data) > LONGEST:
        raise WrongElement(0, f"{len(data)} bytes, {LONGEST} at most")
    return data


def _allowed(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"
