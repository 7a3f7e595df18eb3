# SPDX-License-Identifier: Apache-2.0
"""The HRSS application (社会保障卡) from the terminal's side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apdu.command import SHORT_NE
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import PIN_REFERENCE, SSSE_NAME
from apdu.wire.hrss.commands import (
    CHANGE_PIN,
    CRYPTOGRAM,
    EXTERNAL_AUTHENTICATE,
    INTERNAL_AUTHENTICATE,
    ExternalData,
    InternalData,
    KeyNumber,
    PinChange,
)
from apdu.wire.hrss.df01 import HOUSEHOLD, HouseholdData
from apdu.wire.hrss.first import FirstHolderData, FirstHouseholdData
from apdu.wire.hrss.generations import DF01, Generation, generation_of
from apdu.wire.hrss.spec import DfSpec, EfSpec, items
from apdu.wire.hrss.ssse import HOLDER, ISSUER, HolderData, IssuerData
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    GET_CHALLENGE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    VERIFY,
    Answer,
    AppendTarget,
    By,
    Offset,
    PinRef,
    PreviousTarget,
    ReadMode,
    RecordRef,
    RecordTarget,
    Selection,
    SfiOffset,
)
from apdu.wire.perso import FileKind
from apdu.wire.record import Record
from host.card import Card
from host.faults import CardMisspoke, CardRefused, NotFound, PinBlocked, PinWrong
from host.reading import read_as

_NOT_OFFERED: Final = frozenset({SW.NOT_SUPPORTED, SW.WRONG_P1P2})
"""How a card says that it does not read all records at once."""

_VERSION: Final = 3
"""Record of EF05 with the version of the specification."""
MAX_LC: Final = 255
"""Data bytes that a short command can carry."""
MAX_RECORDS: Final = 254
"""Records that a file can have (ISO 7816-4 7.3.2): a card that goes on is not followed."""


class HrssClient:
    """A card whose HRSS application is selected.

    All verbs raise the faults of `host.faults`: NotAllowed when a PIN or key must be proven
    first, NotFound, PinWrong with the tries left, PinBlocked, CardMisspoke.
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self.fci = self.select()

    def select(self) -> bytes:
        """Select SSSE (sx1.sh.社会保障): the application begins anew. Returns its FCI."""
        return self.card.select(SSSE_NAME)

    def enter(self, directory: DfSpec) -> bytes:
        """Go to a directory of the application; what the PIN proved stays. Returns its FCI."""
        return self.card.send(SELECT, Selection(By.FILE_ID), directory.fid.to_bytes(2))

    # Reading: who and what

    def issuer(self) -> IssuerData:
        """SSSE EF05: identification, validity, card number. Free to read."""
        return read_as(IssuerData, self.raw(ISSUER))

    def generation(self) -> Generation:
        """Which generation the card says it is of, by its specification version in EF05."""
        found = self.record_bytes(ISSUER.sfi, _VERSION)
        try:
            return generation_of(IssuerData.parse_field("version", found))
        except FormatError as error:
            raise CardMisspoke(str(error)) from None

    def holder(self) -> HolderData | FirstHolderData:
        """SSSE EF06: number, name, sex, ethnic group, birth.

        Free to read on cards up to 2.0; one of 3.0 wants RKSSSE to be proven.
        """
        found = self.raw(HOLDER)
        if len(found) == FirstHolderData.byte_length():
            return read_as(FirstHolderData, found)
        return read_as(HolderData, found)

    def household(self) -> HouseholdData | FirstHouseholdData:
        """DF01 EF05 (户籍): needs the PIN or RK1DF01. Leaves DF01 selected."""
        found = self.read(DF01, HOUSEHOLD)
        if len(found) == FirstHouseholdData.byte_length():
            return read_as(FirstHouseholdData, found)
        return read_as(HouseholdData, found)

    # Reading: any file

    def read(self, directory: DfSpec, file: EfSpec) -> bytes:
        """All of a file: its records with tags and lengths, or its bytes. Leaves `directory`
        selected."""
        with self.card.transaction():
            self.enter(directory)
            return self.binary_file(file) if file.kind is FileKind.TRANSPARENT else self.raw(file)

    def content(self, directory: DfSpec, file: EfSpec) -> Record:
        """A file as typed values; items that were erased (FF.. or 00..) are absent.

        Raises FormatError for a file whose bytes mean nothing to this library, or that is a
        ring of records (`records`).
        """
        if file.content is None or file.kind is FileKind.CYCLIC:
            raise FormatError(f"{directory.label} EF{file.sfi:02X}: has no content as a whole")
        return read_as(file.content, self.read(directory, file))

    def records(self, directory: DfSpec, file: EfSpec) -> tuple[Record, ...]:
        """The records of a ring as typed values, the newest first; none: an empty tuple."""
        if file.content is None or file.kind is not FileKind.CYCLIC:
            raise FormatError(f"{directory.label} EF{file.sfi:02X}: is no ring of records")
        content = file.content
        with self.card.transaction():
            self.enter(directory)
            return tuple(read_as(content, each) for each in self.ring(file, content))

    def ring(self, file: EfSpec, content: type[Record]) -> list[bytes]:
        """The records of a ring in the current directory, the newest first, as they are."""
        try:
            found = self.raw(file)
        except NotFound as fault:
            if fault.sw != SW.RECORD_NOT_FOUND:
                raise
            return []
        size = content.byte_length()
        if len(found) % size:
            raise CardMisspoke(f"{content.__name__}: {len(found)} bytes are no whole records")
        return [found[at : at + size] for at in range(0, len(found), size)]

    def item(self, file: EfSpec, tag: int) -> bytes:
        """The value of the first record with this tag in a file of the current directory."""
        found = self.record_bytes(file.sfi, tag, ReadMode.TAG)
        if len(found) < 2 or found[0] != tag or found[1] != len(found) - 2:
            raise CardMisspoke(f"READ RECORD: not the item with tag {tag:02X}")
        return found[2:]

    def raw(self, file: EfSpec) -> bytes:
        """All records of a file in the current directory, tags and lengths included.

        In one command where the card knows the way, else record by record.
        """
        try:
            return self.record_bytes(file.sfi, 1, ReadMode.ALL_FROM)
        except CardRefused as refusal:
            if refusal.sw not in _NOT_OFFERED:
                raise
            return b"".join(self._one_by_one(file.sfi))

    def _one_by_one(self, sfi: int) -> Iterator[bytes]:
        for number in range(1, MAX_RECORDS + 1):
            try:
                yield self.record_bytes(sfi, number)
            except NotFound:
                if number == 1:
                    raise
                return

    def record_bytes(self, sfi: int, p1: int, mode: ReadMode = ReadMode.NUMBER) -> bytes:
        """One record by number or tag, or all from a number on."""
        return self.card.send(READ_RECORD, RecordRef(p1, sfi, mode), None)

    def binary_file(self, file: EfSpec) -> bytes:
        """All bytes of a transparent file in the current directory."""
        found = self.binary(file.sfi, length=min(file.size, SHORT_NE))
        while found and len(found) < file.size:
            found += self.binary(0, len(found), min(file.size - len(found), SHORT_NE))
        return found

    def binary(self, sfi: int, offset: int = 0, length: int = 256) -> bytes:
        """Bytes of a transparent file; `offset` 0 to 255 by SFI, 0 to 32767 with SFI 0."""
        where = SfiOffset(sfi, offset) if sfi else Offset(offset)
        return self.card.send(READ_BINARY, where, None, ne=length)

    # Writing

    def update_record(self, sfi: int, number: int, item: bytes) -> None:
        """Overwrite an item (tag, length, value); needs the file's update key."""
        self.card.send(UPDATE_RECORD, RecordTarget(number, sfi), item)

    def write_item(self, file: EfSpec, tag: int, value: bytes, repeat: int = 0) -> None:
        """Overwrite the value of an item in the current directory; `repeat` counts from 0 among
        records with the same tag. Raises FormatError for an item or a length that is not its own.
        """
        number = 1
        for item in items(file.content) if file.content else ():
            if item.tag == tag and repeat < item.repeats:
                if len(value) != item.size:
                    raise FormatError(f"item {tag:02X}: {len(value)} bytes, must be {item.size}")
                self.update_record(file.sfi, number + repeat, bytes((tag, item.size)) + value)
                return
            number += item.repeats
        raise FormatError(f"{file.chinese} has no item {tag:02X} number {repeat + 1}")

    def push(self, file: EfSpec, record: bytes) -> None:
        """Put a record in front of a ring in the current directory, in place of the oldest."""
        self.card.send(UPDATE_RECORD, PreviousTarget(file.sfi), record)

    def append(self, file: EfSpec, record: bytes) -> None:
        """Add a record to a file in the current directory."""
        self.card.send(APPEND_RECORD, AppendTarget(file.sfi), record)

    def write_binary(self, file: EfSpec, data: bytes, offset: int = 0) -> None:
        """Overwrite bytes of a transparent file in the current directory."""
        fid = file.fid.to_bytes(2)
        with self.card.transaction():
            self.card.send(SELECT, Selection(By.EF_OF_DF, Answer.NONE), fid)
            for at in range(0, len(data), MAX_LC):
                part = data[at : at + MAX_LC]
                self.card.send(UPDATE_BINARY, Offset(offset + at), part)

    # The PIN

    def verify(self, pin: str) -> None:
        """Prove the PIN, 6 to 8 digits. A wrong one costs a try."""
        self.card.send(VERIFY, PinRef(PIN_REFERENCE), pin_bytes(pin))

    def change_pin(self, old: str, new: str) -> None:
        """Replace the PIN; it must then be verified anew."""
        self.card.send(CHANGE_PIN, None, PinChange(pin_bytes(old), pin_bytes(new)))

    def tries_left(self) -> int | None:
        """Tries left, without costing one; None while the PIN is proven and the card is mute on it.

        Cards that do not know VERIFY without data raise CardRefused.
        """
        try:
            self.card.send(VERIFY, PinRef(PIN_REFERENCE), b"")
        except PinWrong as answer:
            return answer.tries_left
        except PinBlocked:
            return 0
        return None

    # Keys (`host.terminal.authentication` puts these together)

    def challenge(self) -> bytes:
        """8 random bytes of the card's, for the one authentication or protected command after."""
        found = self.card.send(GET_CHALLENGE, None, None, ne=CRYPTOGRAM)
        if len(found) != CRYPTOGRAM:
            raise CardMisspoke(f"GET CHALLENGE: {len(found)} bytes, {CRYPTOGRAM} were asked for")
        return found

    def internal_authenticate(self, kid: int, factor: bytes, data: bytes) -> bytes:
        """The card's cryptogram, 8 bytes, for a factor and data of the terminal's, 8 bytes each."""
        given = InternalData(factor, data)
        found = self.card.send(INTERNAL_AUTHENTICATE, KeyNumber(kid), given, ne=CRYPTOGRAM)
        if len(found) != CRYPTOGRAM:
            raise CardMisspoke(f"INTERNAL AUTHENTICATE: {len(found)} bytes, not {CRYPTOGRAM}")
        return found

    def external_authenticate(self, kid: int, cryptogram: bytes, data: bytes) -> None:
        """Show a cryptogram over `data` for the last challenge; a wrong one costs a try."""
        self.card.send(EXTERNAL_AUTHENTICATE, KeyNumber(kid), ExternalData(cryptogram, data))
