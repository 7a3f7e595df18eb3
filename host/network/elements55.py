# SPDX-License-Identifier: Apache-2.0
"""DE55 (IC 卡数据域): the chip's data elements in a message, as BER-TLV one behind the other.

A request holds what the issuer needs to verify a cryptogram, an answer the issuer's own (91) and
its scripts (71, 72). Everything wrong with an element is a `WrongElement` that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from apdu.errors import FormatError
from apdu.tlv import build, parse, tlv
from apdu.wire.elements import BY_TAG
from apdu.wire.pboc import tags

LONGEST: Final = 255
"""Bytes of a DE55."""
REQUEST: Final = (
    tags.AC,
    tags.CID,
    tags.IAD,
    tags.UNPREDICTABLE_NUMBER,
    tags.ATC,
    tags.TVR,
    tags.DATE,
    tags.TRANSACTION_TYPE,
    tags.AMOUNT,
    tags.CURRENCY,
    tags.AIP,
    tags.TERMINAL_COUNTRY,
    tags.OTHER_AMOUNT,
    tags.TERMINAL_CAPABILITIES,
    tags.CVM_RESULTS,
    tags.TERMINAL_TYPE,
    tags.DEVICE_SERIAL,
    tags.DF_NAME,
    tags.TERMINAL_VERSION,
    tags.SEQUENCE_COUNTER,
    tags.PRODUCT,
    tags.PSN,
    tags.EC_AUTHORISATION_CODE,
    tags.ARC,
    tags.SCRIPT_RESULTS,
)
"""What a request, an advice or a reversal holds, in this order, of what there is (UnionPay's list
as public terminals have it)."""


class WrongElement(FormatError):
    """An element of DE55 is missing, twice there, or not in its shape. `tag` names it; 0 where
    the bytes are no data elements at all."""

    def __init__(self, tag: int, rule: str) -> None:
        super().__init__(f"DE55 {tag:02X}: {rule}" if tag else f"DE55: {rule}")
        self.tag = tag


def request_data(values: Mapping[int, bytes]) -> bytes:
    """DE55 of a request, from elements by tag; those that no request has are left out.

    Raises WrongElement when it would be longer than 255 bytes.
    """
    return _bounded(build(tlv(tag, values[tag]) for tag in REQUEST if values.get(tag)))


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the issuer sends to the card."""

    authentication: bytes = b""
    """91: ARPC and ARC, 10 bytes; none: the issuer does not authenticate itself."""
    scripts: tuple[bytes, ...] = ()
    """Templates 71 and 72, whole, in the order they are to be processed."""


def answer_data(authentication: bytes, scripts: Iterable[bytes] = ()) -> bytes:
    """DE55 of an answer. Raises WrongElement when it would be longer than 255 bytes."""
    head = build([tlv(tags.ISSUER_AUTHENTICATION_DATA, authentication)]) if authentication else b""
    return _bounded(head + b"".join(scripts))


def read_answer(data: bytes) -> Answer:
    """What is in the DE55 of an answer. Raises WrongElement.

    A script is not looked into: the terminal judges it when its turn comes. Other tags are left.
    """
    if len(data) > LONGEST:
        raise WrongElement(0, f"{len(data)} bytes, {LONGEST} at most")
    try:
        found = parse(data)
    except FormatError as error:
        raise WrongElement(0, str(error)) from None
    proofs = [item.value for item in found if item.tag == tags.ISSUER_AUTHENTICATION_DATA]
    if len(proofs) > 1:
        raise WrongElement(tags.ISSUER_AUTHENTICATION_DATA, "it is there twice")
    known = BY_TAG[tags.ISSUER_AUTHENTICATION_DATA]
    if proofs and not known.least <= len(proofs[0]) <= known.most:
        rule = f"{len(proofs[0])} bytes, must be {_allowed(known.least, known.most)}"
        raise WrongElement(known.tag, rule)
    scripts = tuple(
        bytes(item) for item in found if item.tag in (tags.SCRIPT_BEFORE, tags.SCRIPT_AFTER)
    )
    return Answer(proofs[0] if proofs else b"", scripts)


def _bounded(data: bytes) -> bytes:
    if len(data) > LONGEST:
        raise WrongElement(0, f"{len(data)} bytes, {LONGEST} at most")
    return data


def _allowed(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"
