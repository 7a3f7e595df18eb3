# SPDX-License-Identifier: Apache-2.0
"""The bank's application from the terminal's side: one verb a command, answers as values.

What a card answers is judged here for its shape, and for what no honest card says; what it means
for a transaction is the kernel's matter (JR/T 0025.5 annex B; EMV Book 3 clause 6).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from apdu.command import CommandAPDU
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.tlv import Tlv, is_constructed, parse
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.iso7816 import READ_RECORD, SELECT, Occurrence, RecordRef, Selection
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import Cryptogram, ProcessingOptions
from apdu.wire.pboc.commands import (
    EXTERNAL_AUTHENTICATE,
    GENERATE_AC,
    GET_DATA,
    GET_PROCESSING_OPTIONS,
    INTERNAL_AUTHENTICATE,
    VERIFY_OFFLINE_PIN,
    AcRequest,
    DataTag,
)
from apdu.wire.pboc.flags import Result, result_of
from host.card import Card
from host.faults import CardMisspoke

_HAND_OVER: Final = CommandForm(
    EXTERNAL_AUTHENTICATE.name,
    EXTERNAL_AUTHENTICATE.ins,
    EXTERNAL_AUTHENTICATE.params,
    RAW,
    NOTHING,
    cases=EXTERNAL_AUTHENTICATE.cases,
    lc=range(8, 17),
)
"""A terminal hands over what the issuer sent (91, 8 to 16 bytes) as it is: whether it fits is for
the card to say (EMV Book 3 10.9)."""
_ONLY_DOWN: Final = {
    Result.TC: frozenset({Result.TC, Result.ARQC, Result.AAC}),
    Result.ARQC: frozenset({Result.ARQC, Result.AAC}),
    Result.AAC: frozenset({Result.AAC}),
}
_NAME: Final = range(5, 17)
"""Bytes of a DF name."""
_MOST_IAD: Final = 32


@dataclass(frozen=True, slots=True)
class Selected:
    """An application that was selected."""

    name: bytes
    """DF name (84), 5 to 16 bytes."""
    elements: dict[int, bytes]
    """What the FCI says (in A5, and in BF0C inside it), by tag."""
    fci: bytes
    blocked: bool = False
    """It answers, but makes no transactions (6283)."""


@dataclass(frozen=True, slots=True)
class Options:
    """GPO's answer: AIP and AFL in format 1, all that the card said in format 2."""

    aip: int
    afl: bytes
    """Empty where a format 2 answer has none."""
    elements: dict[int, bytes]
    """By tag, of both formats."""


@dataclass(frozen=True, slots=True)
class CryptogramAnswer:
    """GENERATE AC's answer."""

    cid: int
    atc: bytes
    """2 bytes, not 0."""
    ac: bytes = field(repr=False)
    """8 bytes; empty where it is inside the signature (CDA)."""
    iad: bytes
    """9F10, 0 to 32 bytes."""
    signed: bytes = field(repr=False)
    """9F4B; empty without CDA."""
    answer: bytes = field(repr=False)
    """The data as they came: CDA hashes them."""

    @property
    def result(self) -> Result:
        return Result(self.cid >> 6)


class PbocClient:
    """A card with payment applications; one of them, or a directory, is selected.

    All verbs raise the faults of `host.faults`: CardRefused and its kin for status words,
    CardMisspoke for answers that no honest card gives.
    """

    def __init__(self, card: Card) -> None:
        self.card = card

    # Selection and reading

    def select(self, name: bytes, occurrence: Occurrence = Occurrence.FIRST) -> Selected:
        """Select by DF name or the beginning of one; NEXT: the next that begins so.

        A blocked application is selected too, and says so. NotFound when there is none (more).
        """
        reply = self.card.ask(SELECT, Selection(occurrence=occurrence), name)
        if reply.sw not in (SW.OK, SW.FILE_DEACTIVATED):
            raise CardMisspoke(f"SELECT: {reply.sw:04X} is no answer to it")
        return _selected(reply.data, name, reply.sw == SW.FILE_DEACTIVATED)

    def record(self, sfi: int, number: int) -> bytes:
        """A record as it is. NotFound for one that is not there."""
        return self.card.send(READ_RECORD, RecordRef(number, sfi), None)

    def data(self, tag: int) -> bytes:
        """The value of a data element of the card's. NotFound, or another CardRefused, where it
        gives none."""
        found = _objects("GET DATA", self.card.send(GET_DATA, DataTag(tag), None))
        if len(found) != 1 or found[0].tag != tag:
            raise CardMisspoke(f"GET DATA: not the element {tag:X}")
        return found[0].value

    # The transaction

    def processing_options(self, options: bytes) -> Options:
        """Begin a transaction. `options`: the values that the PDOL asks for."""
        answer = self.card.send(GET_PROCESSING_OPTIONS, None, options)
        name = "GET PROCESSING OPTIONS"
        template = _template(name, answer)
        if template.tag == tags.FORMAT_1:
            try:
                found = ProcessingOptions.parse(template.value)
            except FormatError as error:
                raise CardMisspoke(f"{name}: {error}") from None
            elements = {tags.AIP: found.aip.to_bytes(2), tags.AFL: found.afl}
            return Options(found.aip, found.afl, elements)
        elements = by_tag(name, template.children)
        aip = _sized(name, elements, tags.AIP, range(2, 3))
        return Options(int.from_bytes(aip), elements.get(tags.AFL, b""), elements)

    def verify(self, block: bytes) -> None:
        """Prove the offline PIN, `block`: 8 bytes of ISO 9564-1 format 2.

        PinWrong with the tries left, PinBlocked (6983); 6984, which is CardRefused: there were
        none before. A warning is no success.
        """
        self.card.send(VERIFY_OFFLINE_PIN, None, block)

    def internal_authenticate(self, data: bytes) -> bytes:
        """Signed dynamic data (9F4B) over `data`, the values that the DDOL asks for."""
        name = INTERNAL_AUTHENTICATE.name
        template = _template(name, self.card.send(INTERNAL_AUTHENTICATE, None, data))
        if template.tag == tags.FORMAT_1:
            return template.value
        elements = by_tag(name, template.children)
        return _sized(name, elements, tags.SIGNED_DYNAMIC_DATA, range(1, 249))

    def generate_ac(
        self, kind: Result, data: bytes, *, cda: bool = False, final: bool = False
    ) -> CryptogramAnswer:
        """A cryptogram. `data`: the values that CDOL1 or CDOL2 asks for. `cda`: with a signature.

        `final`: this is the second one, which cannot be an ARQC. CardMisspoke when the card
        gives more than was asked for (TC, then ARQC, then AAC), or its counter is 0.
        """
        answer = self.card.send(GENERATE_AC, AcRequest(kind, int(cda)), data)
        found = _cryptogram(answer)
        result = found.result
        if result not in _ONLY_DOWN[kind] or (final and result is Result.ARQC):
            raise CardMisspoke(f"GENERATE AC: {result.name} where {kind.name} was asked for")
        if not any(found.atc):
            raise CardMisspoke("GENERATE AC: ATC is 0 in a transaction")
        return found

    def external_authenticate(self, data: bytes) -> None:
        """Hand over the issuer's authentication data (91). CardRefused when the card does not
        believe it; FormatError, and nothing is sent, when it has not 8 to 16 bytes."""
        self.card.send(_HAND_OVER, None, data)

    def script_command(self, command: CommandAPDU) -> None:
        """Send a command of an issuer's script as the issuer made it."""
        self.card.relay(command, "issuer script")


def by_tag(name: str, objects: tuple[Tlv, ...] | list[Tlv]) -> dict[int, bytes]:
    """Values by tag. CardMisspoke when a tag is there twice: nothing says which would count."""
    found: dict[int, bytes] = {}
    for item in objects:
        if item.tag in found:
            raise CardMisspoke(f"{name}: {item.tag:X} is there twice")
        found[item.tag] = item.value
    return found


def record_elements(record: bytes) -> tuple[Tlv, ...]:
    """What is in a record's template 70, or CardMisspoke."""
    found = _objects("READ RECORD", record)
    if len(found) != 1 or found[0].tag != tags.RECORD_TEMPLATE:
        raise CardMisspoke("READ RECORD: must be one template 70")
    return found[0].children


def _objects(name: str, raw: bytes) -> list[Tlv]:
    try:
        return parse(raw)
    except FormatError as error:
        raise CardMisspoke(f"{name}: {error}") from None


def _template(name: str, raw: bytes) -> Tlv:
    found = _objects(name, raw)
    if len(found) != 1 or found[0].tag not in (tags.FORMAT_1, tags.FORMAT_2):
        raise CardMisspoke(f"{name}: must be one template 80 or 77")
    return found[0]


def _sized(name: str, elements: dict[int, bytes], tag: int, sizes: range) -> bytes:
    value = elements.get(tag)
    if value is None:
        raise CardMisspoke(f"{name}: {tag:X} is missing")
    if len(value) not in sizes:
        raise CardMisspoke(f"{name}: {tag:X} has {len(value)} bytes")
    return value


def _selected(fci: bytes, name: bytes, blocked: bool) -> Selected:
    found = _objects("SELECT", fci)
    if len(found) != 1 or found[0].tag != tags.FCI_TEMPLATE:
        raise CardMisspoke("SELECT: must be one template 6F")
    outer = by_tag("SELECT", found[0].children)
    chosen = _sized("SELECT", outer, tags.DF_NAME, _NAME)
    if not chosen.startswith(name):
        raise CardMisspoke("SELECT: the FCI is not that of the application asked for")
    elements: dict[int, bytes] = {}
    proprietary = found[0].find(tags.FCI_PROPRIETARY)
    if proprietary is not None:
        inside = list(proprietary.children)
        for item in proprietary.children:
            if item.tag == tags.FCI_DISCRETIONARY:
                inside += [each for each in item.children if not is_constructed(each.tag)]
        elements = by_tag("SELECT", inside)
    return Selected(chosen, elements, fci, blocked)


def _cryptogram(answer: bytes) -> CryptogramAnswer:
    name = GENERATE_AC.name
    template = _template(name, answer)
    if template.tag == tags.FORMAT_1:
        try:
            plain = Cryptogram.parse(template.value)
        except FormatError as error:
            raise CardMisspoke(f"{name}: {error}") from None
        cid, atc, ac, iad, signed = plain.cid, plain.atc, plain.ac, plain.iad, b""
    else:
        elements = by_tag(name, template.children)
        cid = _sized(name, elements, tags.CID, range(1, 2))[0]
        atc = _sized(name, elements, tags.ATC, range(2, 3))
        iad = elements.get(tags.IAD, b"")
        signed, ac = elements.get(tags.SIGNED_DYNAMIC_DATA, b""), b""
        if not signed or tags.AC in elements:
            ac = _sized(name, elements, tags.AC, range(8, 9))
    if len(iad) > _MOST_IAD:
        raise CardMisspoke(f"{name}: 9F10 has {len(iad)} bytes, {_MOST_IAD} at most")
    try:
        result_of(cid)
    except ValueError:
        raise CardMisspoke(f"{name}: the CID names no cryptogram") from None
    return CryptogramAnswer(cid, atc, ac, iad, signed, answer)
