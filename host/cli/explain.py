# SPDX-License-Identifier: Apache-2.0
"""An exchange in words: which command it is, what it is about, what was sent and what came back.

Everything is read off the forms of `apdu.wire`. Any bytes at all can be explained, if only as
what they are not.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

from apdu.command import SHORT_NE, decode
from apdu.errors import FormatError
from apdu.sw import SW, remaining, tries_left
from apdu.tlv import parse_simple
from apdu.trace import Exchange
from apdu.wire import iso7816, perso
from apdu.wire.codes import PIN_DIGITS
from apdu.wire.form import CommandForm
from apdu.wire.hrss import commands as hrss_commands
from apdu.wire.hrss.generations import SECOND, SSSE, Generation, generation_of
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.hrss.ssse import IssuerData
from apdu.wire.iso7816 import By, Selection
from apdu.wire.perso import FileHeader, FileKind
from apdu.wire.pki_commands import WRITE_PKI_KEY
from apdu.wire.psam import PSAM, PSAM_MF
from apdu.wire.psam_commands import WRITE_MASTER_KEY
from host.cli.authentication_words import USAGES, authentication_shown
from host.cli.blocking_words import BLOCK_FORMS, block_told
from host.cli.contents import df_name, objects, record_contents, record_words, target_words
from host.cli.explanation import Explanation, Made, Told
from host.cli.forms import form_of
from host.cli.medical_words import MEDICAL_FORMS, medical_told
from host.cli.names import (
    CERTIFICATES,
    KNOWN,
    MF,
    PAYMENT,
    PKI,
    condition_words,
    directory_named,
    directory_with,
    directory_words,
    file_words,
    text_words,
)
from host.cli.payment_words import PaymentWords
from host.cli.pki_words import PKI_FORMS, master_or_pin, pki_told
from host.cli.psam_words import PSAM_FORMS, file_told, master_words, psam_told

_RECORDS: Final = (iso7816.READ_RECORD, iso7816.UPDATE_RECORD, iso7816.APPEND_RECORD)
_LOCAL: Final = 0x80
"""KIDs with this bit belong to the current directory."""
_BINARY: Final = (iso7816.READ_BINARY, iso7816.UPDATE_BINARY)
_IN_PKI: Final = (PKI, CERTIFICATES)
_VERSION: Final = 0x03
"""Tag of EF05 that says which generation the card is of."""
_GOOD: Final = frozenset({SW.OK, SW.FILE_DEACTIVATED})
_LONGEST_PIN_BLOCK: Final = 4 + PIN_DIGITS[1] // 2
"""Data bytes of WRITE KEY up to which it brings a PIN: usage, version, algorithm, limit, digits."""


class Explainer:
    """Follows a conversation from reset on, since what a command means depends on where it is."""

    def __init__(self, *, psam: bool = False) -> None:
        """`psam`: it is one; otherwise that shows only when its application is selected."""
        self._psam_slot = psam
        self.reset()

    def reset(self) -> None:
        """The card was reset: the MF is selected."""
        self._generation = SECOND
        self._is_psam = self._psam_slot
        self._directory = PSAM_MF if self._is_psam else MF
        self._file: EfSpec | None = None
        self.payment = PaymentWords()
        """What it said of payments."""

    def copy(self) -> Explainer:
        """Another one that stands where this one stands now."""
        made = copy(self)
        made.payment = copy(self.payment)
        made.payment.lists = dict(self.payment.lists)
        return made

    @property
    def pays(self) -> bool:
        """Whether an application of payment is selected."""
        return self._directory in PAYMENT

    @property
    def generation(self) -> Generation:
        """Of the card, 2.0 until it says another."""
        return self._generation

    @property
    def directory(self) -> DfSpec:
        """The current directory."""
        return self._directory

    @property
    def file(self) -> EfSpec | None:
        """The current file, if it is known."""
        return self._file

    def explain(self, exchange: Exchange) -> Explanation:
        """Put an exchange into words, and follow where it leads."""
        try:
            cla, ins, p1p2, data, ne = decode(exchange.command)
        except FormatError as error:
            return Explanation(exchange, "malformed", str(error))
        form = form_of(cla, ins, self._directory)
        if form is None:
            return Explanation(exchange, f"{cla:02X} {ins:02X}", "a command without a known form")
        try:
            params = form.params.of(p1p2)
        except FormatError:
            return Explanation(exchange, form.name, f"P1-P2 {p1p2:04X} do not belong to it")
        reply, sw = exchange.answer[:-2], int.from_bytes(exchange.answer[-2:])
        good = sw in _GOOD or remaining(sw) is not None
        made: Made | None = None
        if form is perso.CREATE_FILE:
            made = self._create(data, good)
            told = Told(made.words if made else "not a header that we know")
        elif form in (perso.WRITE_KEY, WRITE_MASTER_KEY, WRITE_PKI_KEY):
            made = self._secret(form, params, len(data))
            told = Told(f"{made.words}, its value hidden")
        else:
            told = self._told(form, params, data, reply, ne, good)
        left = tries_left(sw)
        asked = form.ins == iso7816.VERIFY.ins and not data and left is not None
        verdict = f"not proven, {left} tries left" if asked else ""
        made = made if good else None
        return Explanation(exchange, form.name, *told, made, verdict, form=form)

    def _told(
        self,
        form: CommandForm[Any, Any, Any],
        params: Any,
        data: bytes,
        reply: bytes,
        ne: int,
        good: bool,
    ) -> Told:
        """Words for all but the commands that bring something into being."""
        if form is iso7816.SELECT:
            words = self._select(params, data, reply, good)
            pays = good and self._directory in PAYMENT
            return Told(words, (), self.payment.selected(reply) if pays else objects(reply))
        if self._directory in PAYMENT:
            payment = self.payment.told(form, params, data, reply, self._directory)
            if payment is not None:
                return payment
        if form in _RECORDS:
            file = self._used(params.sfi, good)
            if good:
                self._learn(file, data + reply)
            return Told(
                record_words(params, file),
                record_contents(file, data),
                record_contents(file, reply),
            )
        if form in _BINARY:
            file = self._used(params.sfi, good)
            got = () if params.offset else file_told(file, reply)
            return Told(f"{target_words(params.sfi, file)} from offset {params.offset}", (), got)
        if form in MEDICAL_FORMS:
            return medical_told(form, params, data, reply)
        if form in PSAM_FORMS:
            return psam_told(form, params, data, reply)
        if form in PKI_FORMS or (
            form is hrss_commands.PIN_CHANGE_UNBLOCK and self._directory in _IN_PKI
        ):
            return pki_told(form, params, data, reply)
        if form in BLOCK_FORMS:
            return block_told(form, params, data, self._directory)
        if form in USAGES:
            meaning = f"key {self._key_words(params.kid, USAGES[form])}"
            return Told(meaning, *authentication_shown(form, data, reply))
        got = objects(reply) if form is iso7816.GET_RESPONSE else ()
        return Told(self._plain(form, bool(data), ne), (), got)

    def _select(self, selection: Selection, data: bytes, reply: bytes, good: bool) -> str:
        """Words for what is selected, and the step to it if the card took it."""
        directory: DfSpec | None = None
        file: EfSpec | None = None
        way = ""
        if selection.by is By.NAME:
            directory = directory_named(df_name(reply, data), self._directories())
            way = f"by name {text_words(data)}"
        elif selection.by is By.PARENT:
            directory, way = self._above(), "the DF above"
        else:
            fid = int.from_bytes(data[-2:]) if data else MF.fid
            way = f"by identifier {fid:04X}"
            file = next((each for each in self._directory.files if each.fid == fid), None)
            if file is None and fid >> 8 != 0xEF:
                directory = self._directory_with(fid, b"")
        if good and directory is not None:
            self._go(directory)
        elif good:
            self._file = file
        words = file_words(file) if file else directory_words(directory) if directory else ""
        return ", ".join(part for part in (words, way) if part)

    def _directories(self) -> tuple[DfSpec, ...]:
        """Where one can be: what a PSAM has, or what is on a card of this generation."""
        if self._is_psam:
            return PSAM_MF, PSAM
        if self._directory in _IN_PKI:
            return CERTIFICATES, *KNOWN
        return *self._generation.directories, *KNOWN

    def _directory_with(self, fid: int, name: bytes) -> DfSpec:
        """The directory with this identifier: the name tells those with the same one apart."""
        named = next((each for each in KNOWN if name and each.name == name), None)
        if named is not None and named.fid == fid and named in (PSAM, *_IN_PKI):
            return named
        return directory_with(fid, self._directories())

    def _above(self) -> DfSpec:
        if self._is_psam:
            return PSAM_MF
        if self._directory in _IN_PKI:
            return PKI if self._directory is CERTIFICATES else MF
        return MF if self._directory.fid == SSSE.fid else self._generation.directory("SSSE")

    def _go(self, directory: DfSpec) -> None:
        self._directory, self._file = directory, None
        self._is_psam = self._is_psam or directory is PSAM

    def _learn(self, file: EfSpec | None, raw: bytes) -> None:
        """EF05 says of which generation the card is, and so what is in its other files."""
        if file is None or file.content is not IssuerData:
            return
        try:
            found = next((each for each in parse_simple(raw) if each.tag == _VERSION), None)
            if found is None:
                return
            version: str = IssuerData.parse_field("version", bytes(found))
            self._generation = generation_of(version)
        except FormatError:
            return
        self._directory = self._generation.directory("SSSE")
        current = self._file
        if current is not None:
            self._file = next(each for each in self._directory.files if each.fid == current.fid)

    def _target(self, sfi: int) -> EfSpec | None:
        """The file that a short identifier means here (0: the current one), if it is known."""
        if not sfi:
            return self._file
        return next((file for file in self._directory.files if file.sfi == sfi), None)

    def _used(self, sfi: int, good: bool) -> EfSpec | None:
        """As `_target`; a file that was used by its SFI is the current one (ISO 7816-4 7.1.2)."""
        file = self._target(sfi)
        if sfi and good:
            self._file = file
        return file

    def _create(self, data: bytes, good: bool) -> Made | None:
        try:
            header = FileHeader.parse(data)
        except FormatError:
            return None
        if header.kind is FileKind.DF:
            directory = self._directory_with(header.fid, header.name)
            if good:
                self._go(directory)
            return Made(directory, f"DF {header.fid:04X}", directory_words(directory))
        file = next((each for each in self._directory.files if each.fid == header.fid), None)
        if good:
            self._file = file
        return Made(
            self._directory,
            f"EF{header.fid & 0xFF:02X}",
            f"{file.chinese} ({file.english})" if file else "",
            _amount(header),
            condition_words(header.read, self._directory),
            condition_words(header.update, self._directory),
        )

    def _secret(self, form: CommandForm[Any, Any, Any], params: Any, length: int) -> Made:
        """What is written: a key, or the PIN, told by their lengths where the usage is hidden."""
        if form is WRITE_MASTER_KEY:
            return Made(PSAM, "key", master_words(params))
        reference: int = params.kid
        if form is WRITE_PKI_KEY:
            return Made(self._directory, "key", master_or_pin(reference))
        if length <= _LONGEST_PIN_BLOCK:
            return Made(self._directory, "PIN", f"{reference:02X}")
        return Made(self._directory, "key", self._key_words(reference))

    def _key_words(self, kid: int, usage: int | None = None) -> str:
        """Its KID, and its name where the application has such a key.

        Without a usage, which is hidden where a key is written, all that it may be.
        """
        directory = self._directory if kid & _LOCAL else SSSE
        found = [
            key.name for key in directory.keys if key.kid == kid and usage in (None, key.usage)
        ]
        return f"{kid:02X} {' or '.join(found)}".rstrip()

    def _plain(self, form: CommandForm[Any, Any, Any], has_data: bool, ne: int) -> str:
        if form is iso7816.VERIFY:
            return "the PIN, hidden" if has_data else "asks for the tries left, at no cost"
        if form is hrss_commands.CHANGE_PIN:
            return "the old and the new PIN, hidden"
        if form is hrss_commands.PIN_CHANGE_UNBLOCK:
            return "the PIN, by the service desk"
        if form is iso7816.GET_CHALLENGE:
            return f"{'some' if ne == SHORT_NE else ne} random bytes"
        if form is iso7816.GET_RESPONSE:
            return "fetches what waits"
        target = file_words(self._file) if self._file else directory_words(self._directory)
        if form is perso.ACTIVATE_FILE and self._directory in (MF, PSAM_MF) and not self._file:
            return "seals the chip"
        return target


def _amount(header: FileHeader) -> str:
    if not header.records:
        return f"{header.size} bytes"
    return "1 record" if header.records == 1 else f"{header.records} records"
