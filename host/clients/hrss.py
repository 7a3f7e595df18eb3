# SPDX-License-Identifier: Apache-2.0
"""The HRSS application (社会保障卡) from the terminal's side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

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
from apdu.wire.hrss.df01 import HouseholdData
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.hrss.ssse import HolderData, IssuerData
from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_RECORD,
    VERIFY,
    By,
    Offset,
    PinRef,
    ReadMode,
    RecordRef,
    RecordTarget,
    Selection,
    SfiOffset,
)
from apdu.wire.record import Record
from host.card import Card
from host.faults import CardMisspoke, CardRefused, NotFound, PinBlocked, PinWrong

C = TypeVar("C", bound=Record)

_NOT_OFFERED: Final = frozenset({SW.NOT_SUPPORTED, SW.WRONG_P1P2})
"""How a card says that it does not read all records at once."""

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

    # Reading

    def issuer(self) -> IssuerData:
        """SSSE EF05: identification, validity, card number. Free to read."""
        return self._content(IssuerData, self.raw(SSSE.files[0]))

    def holder(self) -> HolderData:
        """SSSE EF06: number, name, sex, ethnic group, birth. Free to read on cards up to 2.0."""
        return self._content(HolderData, self.raw(SSSE.files[1]))

    def household(self) -> HouseholdData:
        """DF01 EF05 (户籍): needs the PIN or RK1DF01. Leaves DF01 selected."""
        directory = next(df for df in DIRECTORIES if df.label == "DF01")
        with self.card.transaction():
            self.enter(directory)
            found = self.raw(directory.files[0])
        return self._content(HouseholdData, found)

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

    def binary(self, sfi: int, offset: int = 0, length: int = 256) -> bytes:
        """Bytes of a transparent file; `offset` 0 to 255 by SFI, 0 to 32767 with SFI 0."""
        where = SfiOffset(sfi, offset) if sfi else Offset(offset)
        return self.card.send(READ_BINARY, where, None, ne=length)

    # Writing

    def update_record(self, sfi: int, number: int, item: bytes) -> None:
        """Overwrite an item (tag, length, value); needs the file's update key."""
        self.card.send(UPDATE_RECORD, RecordTarget(number, sfi), item)

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

    @staticmethod
    def _content(kind: type[C], found: bytes) -> C:
        try:
            return kind.parse(found)
        except FormatError as error:
            raise CardMisspoke(str(error)) from None
