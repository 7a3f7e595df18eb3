# SPDX-License-Identifier: Apache-2.0
"""An exchange in words: which command it is, what it is about, what was sent and what came back.

Everything is read off the forms of `apdu.wire`. Any bytes at all can be explained, if only as
what they are not.
"""

from __future__ import annotations

from typing import Any, Final

from apdu import cla as class_byte
from apdu.command import SHORT_NE, decode
from apdu.errors import FormatError
from apdu.sw import SW, remaining, tries_left
from apdu.tlv import parse, parse_simple
from apdu.trace import Exchange
from apdu.wire import iso7816, perso
from apdu.wire.codes import PIN_DIGITS
from apdu.wire.form import CommandForm
from apdu.wire.hrss import commands as hrss_commands
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.spec import DfSpec, EfSpec, items
from apdu.wire.iso7816 import By, Mode, Selection
from apdu.wire.perso import FileHeader, FileKind
from apdu.wire.psam import PSAM
from apdu.wire.psam_commands import WRITE_MASTER_KEY
from host.cli.explanation import Explanation, Made
from host.cli.names import (
    MF,
    Shown,
    condition_words,
    directory_named,
    directory_with,
    directory_words,
    file_words,
    shown_items,
    shown_objects,
    text_words,
)
from host.cli.psam_words import PSAM_FORMS, master_words, psam_words

FORMS: Final[dict[int, CommandForm[Any, Any, Any]]] = {
    form.ins: form
    for form in (
        iso7816.SELECT,
        iso7816.READ_BINARY,
        iso7816.UPDATE_BINARY,
        iso7816.READ_RECORD,
        iso7816.UPDATE_RECORD,
        iso7816.APPEND_RECORD,
        iso7816.VERIFY,
        iso7816.GET_CHALLENGE,
        iso7816.GET_RESPONSE,
        hrss_commands.CHANGE_PIN,
        hrss_commands.PIN_CHANGE_UNBLOCK,
        hrss_commands.INTERNAL_AUTHENTICATE,
        hrss_commands.EXTERNAL_AUTHENTICATE,
        perso.CREATE_FILE,
        perso.WRITE_KEY,
        perso.ACTIVATE_FILE,
        perso.DEACTIVATE_FILE,
        perso.TERMINATE_DF,
        *PSAM_FORMS,
    )
}
ON_A_PSAM: Final[dict[int, CommandForm[Any, Any, Any]]] = {WRITE_MASTER_KEY.ins: WRITE_MASTER_KEY}
"""Forms that stand in the place of others once a PSAM's application is selected."""
_RECORDS: Final = (iso7816.READ_RECORD, iso7816.UPDATE_RECORD, iso7816.APPEND_RECORD)
_AUTHENTICATION: Final = {
    hrss_commands.INTERNAL_AUTHENTICATE.ins: perso.KeyUsage.INTERNAL_AUTHENTICATE,
    hrss_commands.EXTERNAL_AUTHENTICATE.ins: perso.KeyUsage.EXTERNAL_AUTHENTICATE,
}
_LOCAL: Final = 0x80
"""KIDs with this bit belong to the current directory."""
_BINARY: Final = (iso7816.READ_BINARY, iso7816.UPDATE_BINARY)
_GOOD: Final = frozenset({SW.OK, SW.FILE_DEACTIVATED})
_LONGEST_PIN_BLOCK: Final = 4 + PIN_DIGITS[1] // 2
"""Data bytes of WRITE KEY up to which it brings a PIN: usage, version, algorithm, limit, digits."""


class Explainer:
    """Follows a conversation from reset on, since what a command means depends on where it is."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The card was reset: the MF is selected."""
        self._directory = MF
        self._file: EfSpec | None = None
        self._is_psam = False

    def explain(self, exchange: Exchange) -> Explanation:
        """Put an exchange into words, and follow where it leads."""
        try:
            cla, ins, p1p2, data, ne = decode(exchange.command)
        except FormatError as error:
            return Explanation(exchange, "malformed", str(error))
        own = ON_A_PSAM if self._directory is PSAM else {}
        form = own.get(ins) or FORMS.get(ins)
        if form is None or form.cla not in (cla, _base(cla)):
            return Explanation(exchange, f"{cla:02X} {ins:02X}", "a command without a known form")
        try:
            params = form.params.of(p1p2)
        except FormatError:
            return Explanation(exchange, form.name, f"P1-P2 {p1p2:04X} do not belong to it")
        reply, sw = exchange.answer[:-2], int.from_bytes(exchange.answer[-2:])
        good = sw in _GOOD or remaining(sw) is not None
        sent: tuple[Shown, ...] = ()
        got: tuple[Shown, ...] = ()
        made: Made | None = None
        if form is iso7816.SELECT:
            meaning = self._select(params, data, good)
            got = _objects(reply)
        elif form in _RECORDS:
            file = self._target(params.sfi)
            meaning = _record_words(params, file)
            sent, got = _content(file, data), _content(file, reply)
        elif form in _BINARY:
            file = self._target(params.sfi)
            meaning = f"{_file_words(params.sfi, file)} from offset {params.offset}"
        elif form is perso.CREATE_FILE:
            made = self._create(data, good)
            meaning = made.words if made else "not a header that we know"
        elif form.ins in _AUTHENTICATION:
            meaning = f"key {self._key_words(params.kid, _AUTHENTICATION[form.ins])}"
        elif form in PSAM_FORMS:
            meaning = psam_words(form, params, data)
        elif form is WRITE_MASTER_KEY:
            made = Made(PSAM, "key", master_words(params))
            meaning = f"{made.words}, its value hidden"
        elif form is perso.WRITE_KEY:
            made = self._secret(params.kid, len(data))
            meaning = f"{made.words}, its value hidden"
        else:
            meaning = self._plain(form, bool(data), ne)
            got = _objects(reply) if form is iso7816.GET_RESPONSE else ()
        left = tries_left(sw)
        asked = form is iso7816.VERIFY and not data and left is not None
        verdict = f"not proven, {left} tries left" if asked else ""
        made = made if good else None
        return Explanation(exchange, form.name, meaning, sent, got, made, verdict)

    def _select(self, selection: Selection, data: bytes, good: bool) -> str:
        """Words for what is selected, and the step to it if the card took it."""
        directory: DfSpec | None = None
        file: EfSpec | None = None
        way = ""
        if selection.by is By.NAME:
            directory, way = directory_named(data), f"by name {text_words(data)}"
        elif selection.by is By.PARENT:
            directory, way = (MF if self._directory is SSSE else SSSE), "the DF above"
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

    def _directory_with(self, fid: int, name: bytes) -> DfSpec:
        """The directory with this identifier: a PSAM's where it is one, and else a card's."""
        on_psam = self._is_psam or name == PSAM.name
        return PSAM if on_psam and fid == PSAM.fid else directory_with(fid)

    def _go(self, directory: DfSpec) -> None:
        self._directory, self._file = directory, None
        self._is_psam = self._is_psam or directory is PSAM

    def _target(self, sfi: int) -> EfSpec | None:
        """The file that a short identifier means here (0: the current one), if it is known."""
        if not sfi:
            return self._file
        return next((file for file in self._directory.files if file.sfi == sfi), None)

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

    def _secret(self, reference: int, length: int) -> Made:
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
        if form is perso.ACTIVATE_FILE and self._directory is MF and not self._file:
            return "seals the chip"
        return target


def _amount(header: FileHeader) -> str:
    if not header.records:
        return f"{header.size} bytes"
    return "1 record" if header.records == 1 else f"{header.records} records"


def _base(cla: int) -> int | None:
    try:
        return class_byte.parse(cla).base
    except FormatError:
        return None


def _file_words(sfi: int, file: EfSpec | None) -> str:
    if file is not None:
        return file_words(file)
    return f"the file with SFI {sfi}" if sfi else "the current file"


def _record_words(params: Any, file: EfSpec | None) -> str:
    where = _file_words(params.sfi, file)
    mode = getattr(params, "mode", None)
    if mode is None:
        return f"one more record to {where}"
    if mode == Mode.TAG:
        known = items(file.content) if file is not None and file.content else ()
        chinese = next((item.chinese for item in known if item.tag == params.p1), "")
        return f"the record with tag {params.p1:02X} {chinese}".strip() + f" of {where}"
    if mode == Mode.ALL_FROM:
        return f"all records from {params.p1} of {where}"
    return (
        f"the oldest record of {where}"
        if mode == Mode.PREVIOUS
        else (f"record {params.p1} of {where}")
    )


def _content(file: EfSpec | None, raw: bytes) -> tuple[Shown, ...]:
    """What stands in the records of a file: HRSS items where it has them, else BER-TLV."""
    if file is None or file.content is None:
        return _objects(raw)
    try:
        return tuple(shown_items(file.content, parse_simple(raw)))
    except FormatError:
        return ()


def _objects(raw: bytes) -> tuple[Shown, ...]:
    try:
        return tuple(shown_objects(parse(raw, lenient=True)))
    except FormatError:
        return ()
