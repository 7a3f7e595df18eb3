# SPDX-License-Identifier: Apache-2.0
"""The commands of the PKI application in words. PINs, keys and what proves them are hidden."""

from __future__ import annotations

from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire import pki_commands as pki
from apdu.wire.form import CommandForm
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK
from apdu.wire.pki import PAIRS, PkiPin
from apdu.wire.pki_commands import DIGEST, FileTag
from host.cli.explanation import Told
from host.cli.names import Shown, file_words
from host.cli.text import spaced

PKI_FORMS: Final = (
    pki.VERIFY_BY_CHALLENGE,
    pki.AUTHENTICATE_MASTER_KEY,
    pki.CHANGE_PKI_PIN,
    pki.UPDATE_MASTER_KEY,
    pki.HASH,
    pki.GENERATE_KEY_PAIR,
    pki.COMPUTE_SIGNATURE,
    pki.DECIPHER,
    pki.LOAD_SESSION_KEY,
    pki.IMPORT_KEY,
    pki.WRITE_PKI_KEY,
)
_PINS: Final = {PkiPin.ADMIN: "the administrator's PIN", PkiPin.USER: "the user PIN"}
_FILES: Final = {file.fid: file for pair in PAIRS for file in pair.files}
_HIDDEN: Final = {
    pki.AUTHENTICATE_MASTER_KEY: "the master key, proven over the last challenge",
    pki.UPDATE_MASTER_KEY: "a new master key, hidden",
    pki.HASH: "SM3 of what is hidden here",
    pki.LOAD_SESSION_KEY: "the key under which a private key will come, hidden",
    PIN_CHANGE_UNBLOCK: "the user PIN, by the administrator",
}
"""What needs no look at its data."""
_WRITTEN: Final[dict[int, str]] = {
    PkiPin.ADMIN: "PKIMK or administrator's PIN",
    PkiPin.USER: "user PIN",
}
"""What WRITE PKI KEY may bring under a reference; its usage is hidden."""


def pki_told(form: CommandForm[Any, Any, Any], params: Any, data: bytes, reply: bytes) -> Told:
    """What one of `PKI_FORMS`, or PIN CHANGE/UNBLOCK there, is about, and what is in it."""
    if form in _HIDDEN:
        return Told(_HIDDEN[form])
    if form is pki.VERIFY_BY_CHALLENGE:
        pin = _PINS[params.pin]
        proven = f"{pin}, proven over the last challenge"
        return Told(proven if data else f"asks for the tries left of {pin}, at no cost")
    if form is pki.CHANGE_PKI_PIN:
        return Told(f"{_PINS[params.pin]}: a new one, hidden")
    if form is pki.WRITE_PKI_KEY:
        return Told(f"key {master_or_pin(params.kid)}, its value hidden")
    if form is pki.COMPUTE_SIGNATURE:
        sent = (Shown("", "digest", "杂凑值", spaced(data)),) if len(data) == DIGEST else ()
        return Told("an SM2 signature under the signature key", sent, _signature(reply))
    return Told(*_about_files(form, data))


def master_or_pin(reference: int) -> str:
    """A reference of WRITE PKI KEY, and what it may be of."""
    return f"{reference:02X} {_WRITTEN.get(reference, '')}".rstrip()


def _about_files(form: CommandForm[Any, Any, Any], data: bytes) -> tuple[str, tuple[Shown, ...]]:
    """The commands that name the files of key pairs."""
    try:
        given = form.data.parse(data)
    except FormatError:
        return "key pairs of the PKI application", ()
    if form is pki.GENERATE_KEY_PAIR:
        files = _file("public key into", given.public), _file("private key into", given.private)
        return "a key pair is made in the card", files
    if form is pki.DECIPHER:
        return "an SM2 ciphertext; what it holds is hidden", (_file("key", given.private),)
    half = "public key" if given.file is FileTag.PUBLIC else "private key, enciphered"
    return f"a {half}, made elsewhere", (_file("into", given.fid),)


def _file(english: str, fid: int) -> Shown:
    known = _FILES.get(fid)
    return Shown("", english, "", f"{fid:04X}", file_words(known) if known else "not a key's file")


def _signature(raw: bytes) -> tuple[Shown, ...]:
    half = len(raw) // 2
    if len(raw) != 2 * DIGEST:
        return ()
    return Shown("", "r", "", spaced(raw[:half])), Shown("", "s", "", spaced(raw[half:]))
