# SPDX-License-Identifier: Apache-2.0
"""A card in the field that answers a tap as it is told, and an issuer that does; for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odacards import UNPREDICTABLE, Face, elements, order, signed_dynamic
from terminalfiles import shipped

from apdu.atr import Interface
from apdu.crypto.oda_input import fdda_data
from apdu.tlv import Tlv, build, parse, tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.application import DEBIT_AID, PPSE_NAME, directory_entry, ppse_fci
from apdu.wire.pboc.flags import Aip, Result
from host.card import Card
from host.channel.memory import MemoryChannel
from host.faults import CardGone
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    NoAnswer,
    Reversal,
)
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.transaction import Order
from host.terminal.result import Result as Payment
from host.terminal.tap import tap

PDOL = bytes.fromhex("9F66049F02069F03069F1A0295055F2A029A039C019F3704DF6901")
AFL = bytes.fromhex("1001020018010201")
LAST = (3, 2)
ATC = b"\x00\x07"
AC = b"CRYPTOGR"
TRACK_2 = bytes.fromhex("6228000100001117D301220101234567899F")
DATES = bytes.fromhex("5F25032001015F2403401231")
NUMBER_OF_CARD = b"\x0a\x0b\x0c\x0d"


def iad(first: int, second: int = Result.ARQC) -> bytes:
    return bytes.fromhex("07010103") + bytes((second << 6 | first << 4, 0, 0, 1))


@dataclass
class TapCard:
    """Answers PPSE, SELECT, GPO and READ RECORD; `changes` are to elements of GPO's answer."""

    result: Result = Result.TC
    family: str = "rsa"
    version: int = 1
    """Of fDDA."""
    ctq: bytes = bytes(2)
    in_record: bool = False
    """The signature stands in the last record."""
    changes: Mapping[int, bytes | None] = field(default_factory=dict)
    records: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    """Records that are otherwise."""
    static: bytes = bytes.fromhex("5A086228000100001117") + DATES
    ppse: bytes = field(default_factory=lambda: ppse_fci(directory_entry()))
    pdol: bytes = PDOL
    words: Mapping[int, bytes] = field(default_factory=dict)
    """Whole answers by INS, status word included."""
    pulled_at: int | None = None
    """The command, counted from 0, that gets no answer, nor any after it."""
    heard: list[bytes] = field(default_factory=list)
    selected: bytes = DEBIT_AID

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        return b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        if self.pulled_at is not None and len(self.heard) >= self.pulled_at:
            raise CardGone("pulled")
        self.heard.append(command)
        ins = command[1]
        if ins in self.words and not (ins == 0xA4 and PPSE_NAME in command):
            return self.words[ins]
        if ins == 0xA4:
            return (self.ppse if PPSE_NAME in command else self.fci()) + b"\x90\x00"
        if ins == 0xA8:
            return bytes(tlv(tags.FORMAT_2, self.answer())) + b"\x90\x00"
        if ins == 0xB2:
            place = (command[3] >> 3, command[2])
            return (self.records.get(place) or self.record(*place)) + b"\x90\x00"
        return b"\x6d\x00"

    def fci(self) -> bytes:
        proprietary = [tlv(tags.LABEL, b"PBOC DEBIT"), tlv(tags.PDOL, self.pdol)]
        inside = [tlv(tags.DF_NAME, self.selected), tlv(tags.FCI_PROPRIETARY, proprietary)]
        return bytes(tlv(tags.FCI_TEMPLATE, inside))

    @property
    def face(self) -> Face:
        version = b"\x00\x30" if self.version else b"\x00\x20"
        static = self.static + b"\x9f\x08\x02" + version
        return Face(self.family, int(Aip.DDA), static=static)

    def shown(self) -> bytes:
        """9F69."""
        return b"\x01" + NUMBER_OF_CARD + self.ctq + b"\x00"

    def signature(self) -> bytes:
        ordered = amount_bytes(order().amount)
        told = fdda_data(self.version, UNPREDICTABLE, ordered, b"\x01\x56", self.shown())
        return signed_dynamic(self.family, told)

    def answer(self) -> list[Tlv]:
        found: dict[int, bytes] = {
            tags.AIP: int(self.face.aip).to_bytes(2),
            tags.ATC: ATC,
            tags.AC: AC,
            tags.IAD: iad(self.result),
            tags.TRACK_2: TRACK_2,
            tags.CTQ: self.ctq,
        }
        if self.result is Result.TC:
            found[tags.AFL] = AFL
            if not self.in_record:
                found[tags.SIGNED_DYNAMIC_DATA] = self.signature()
        changed = found | dict(self.changes)
        return [Tlv(tag, value) for tag, value in changed.items() if value is not None]

    def record(self, sfi: int, number: int) -> bytes:
        known = elements(self.face)
        places = {
            (2, 1): (tags.CA_INDEX, tags.ISSUER_CERTIFICATE, tags.ISSUER_EXPONENT),
            (2, 2): (tags.ICC_CERTIFICATE, tags.ICC_EXPONENT, tags.STATIC_TAGS),
        }
        if (sfi, number) in places:
            inside = [Tlv(tag, known[tag]) for tag in places[sfi, number] if tag in known]
            return bytes(Tlv(tags.RECORD_TEMPLATE, build(inside)))
        if (sfi, number) == (3, 1):
            return bytes(Tlv(tags.RECORD_TEMPLATE, self.face.static))
        rest = [tags.ISSUER_REMAINDER, tags.ICC_REMAINDER]
        last = [Tlv(tag, known[tag]) for tag in rest if tag in known]
        if self.version:
            last.append(Tlv(tags.CARD_AUTHENTICATION_DATA, self.shown()))
        if self.in_record:
            last.append(Tlv(tags.SIGNED_DYNAMIC_DATA, self.signature()))
        return bytes(Tlv(tags.RECORD_TEMPLATE, build(last)))

    @property
    def commands(self) -> list[int]:
        """The INS of what was heard."""
        return [each[1] for each in self.heard]


@dataclass
class Desk:
    """An issuer: it answers `code`, or not at all."""

    code: str | None = "00"
    icc: bytes = b""
    requests: list[AuthorisationRequest] = field(default_factory=list)
    reversals: list[Reversal] = field(default_factory=list)
    advices: list[AuthorisationRequest] = field(default_factory=list)

    def _said(self) -> AuthorisationResponse:
        if self.code is None:
            raise NoAnswer("the line is dead")
        return AuthorisationResponse(self.code, "654321", icc=self.icc)

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        self.requests.append(request)
        return self._said()

    def reverse(self, reversal: Reversal) -> AuthorisationResponse:
        self.reversals.append(reversal)
        return self._said()

    def advise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        self.advices.append(request)
        return self._said()

    @property
    def silent(self) -> bool:
        return not (self.requests or self.reversals or self.advices)


def tapped(
    card: TapCard,
    issuer: Desk | None = None,
    *,
    config: TerminalConfig | None = None,
    ordered: Order | None = None,
    pad: PinPad | None = None,
) -> Payment:
    channel = MemoryChannel(card, Interface.CONTACTLESS)
    return tap(Card(channel), ordered or order(), config or shipped(), issuer, pad=pad)


def de55(request: AuthorisationRequest | Reversal) -> dict[int, bytes]:
    return {item.tag: item.value for item in parse(request.icc)}


def reasons(payment: Payment) -> Any:
    """The trail in one text."""
    return "; ".join(f"{each.step.name} {each.outcome}: {each.why}" for each in payment.trail)
