# SPDX-License-Identifier: Apache-2.0
"""Making a card out of a blank chip: files, keys, PIN, data, and the seal.

Everything goes through the chip's own commands; this file never sees its memory.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.tlv import parse_simple
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import (
    DF_CONDITION,
    INITIAL_PIN,
    MF_FID,
    PIN_REFERENCE,
    PIN_TRIES,
    SSSE_FID,
)
from apdu.wire.hrss.generations import SECOND, THIRD, Generation
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    SELECT,
    UPDATE_BINARY,
    AppendTarget,
    By,
    Offset,
    Selection,
)
from apdu.wire.pboc.application import (
    CHANNEL_DEK_KEY,
    CHANNEL_ENC_KEY,
    CHANNEL_MAC_KEY,
    CHANNEL_VERSION,
    DEBIT_AID,
    DEBIT_FID,
    DIRECTORY_SFI,
    PPSE_FID,
    PPSE_NAME,
    PSE_FID,
    PSE_NAME,
    directory_entry,
    directory_record,
    ppse_fci,
    pse_fci,
)
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from host.card import Card
from host.holder import Holder
from host.keys import MemoryKeys, chip_number
from host.terminal.contents import Contents, issuer_data
from host.terminal.personalise_pki import create_pki_application
from host.terminal.secure_channel import TEST_CHANNEL_KEYS

KEY_TRIES: Final = 15
"""Wrong authentications until a key is blocked."""


def personalise(
    card: Card, holder: Holder, keys: MemoryKeys, generation: Generation = SECOND
) -> None:
    """Turn the blank chip behind `card` into the holder's card, and seal it.

    Raises FormatError for keys of another algorithm than the generation has and for a holder
    whom its files cannot hold, a CardFault when the chip refuses.
    """
    if keys.suite is not SUITES[generation.algorithm]:
        raise FormatError(
            f"generation {generation.name}: has keys of {SUITES[generation.algorithm].name}"
        )
    unique = chip_number(card.channel.atr)
    contents = Contents(issuer_data(holder, unique, keys, generation), holder)
    with card.transaction():
        for directory in generation.directories:
            if directory.fid != SSSE_FID:
                _go(card, MF_FID)
                _go(card, SSSE_FID)
            _create_directory(card, directory)
            for spec in directory.keys:
                _write_key(card, spec, keys.suite, keys.card_key(spec, holder.region, unique))
            for file in directory.files:
                _create_file(card, file, contents)
        _go(card, MF_FID)
        _create_bank_applications(card, generation)
        _go(card, MF_FID)
        if generation is THIRD:
            create_pki_application(card, keys, holder.region, unique)
            _go(card, MF_FID)
        card.send(ACTIVATE_FILE, None, None)


def _go(card: Card, fid: int) -> None:
    card.send(SELECT, Selection(By.FILE_ID), fid.to_bytes(2))


def _create_directory(card: Card, directory: DfSpec) -> None:
    card.send(
        CREATE_FILE,
        None,
        FileHeader(
            FileKind.DF,
            directory.fid,
            DF_CONDITION,
            DF_CONDITION,
            name=directory.name,
            fci=directory.fci,
        ),
    )
    if directory.fid == SSSE_FID:
        pin = pin_bytes(INITIAL_PIN)
        block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, PIN_TRIES, pin)
        card.send(WRITE_KEY, KeyRef(PIN_REFERENCE), block)


def _write_key(card: Card, spec: KeySpec, suite: Suite, value: Secret) -> None:
    algorithm = Algorithm(suite.number)
    block = KeyBlock(spec.usage, spec.version, algorithm, KEY_TRIES, value.reveal())
    card.send(WRITE_KEY, KeyRef(spec.kid), block)


def _create_file(card: Card, file: EfSpec, contents: Contents) -> None:
    """Create a file and write what is in it from the start. A cyclic one begins without records."""
    size, records, content = file.size, file.records, b""
    if file.kind is FileKind.CYCLIC and file.content is not None:
        size = records * file.content.byte_length()
    elif file.content is not None:
        content = bytes(contents.of(file.content))
        size = len(content)
    written = parse_simple(content) if file.kind is FileKind.LINEAR_VARIABLE_TLV else []
    header = FileHeader(
        file.kind, file.fid, file.read, file.update, file.sfi, size, records or len(written)
    )
    card.send(CREATE_FILE, None, header)
    for item in written:
        card.send(APPEND_RECORD, AppendTarget(file.sfi), bytes(item))
    if content and file.kind is FileKind.TRANSPARENT:
        card.send(UPDATE_BINARY, Offset(0), content)


def _create_bank_applications(card: Card, generation: Generation) -> None:
    """The bank's application, still without data, and the two directories that list it.

    The bank personalises it by itself, on the sealed card (`host.terminal.personalise_debit`),
    through a secure channel whose keys come here (profile choice `channel-protocol`).
    """
    entry = directory_entry()
    _create_named(card, DEBIT_FID, DEBIT_AID, b"")
    algorithm = Algorithm.AES if generation.algorithm is Algorithm.SM4 else Algorithm.TDES
    keys = TEST_CHANNEL_KEYS
    for kid, usage, key in (
        (CHANNEL_ENC_KEY, KeyUsage.CHANNEL_ENC, keys.enc),
        (CHANNEL_MAC_KEY, KeyUsage.CHANNEL_MAC, keys.mac),
        (CHANNEL_DEK_KEY, KeyUsage.CHANNEL_DEK, keys.dek),
    ):
        block = KeyBlock(usage, CHANNEL_VERSION, algorithm, KEY_TRIES, key.reveal())
        card.send(WRITE_KEY, KeyRef(kid), block)
    _go(card, MF_FID)
    _create_named(card, PPSE_FID, PPSE_NAME, ppse_fci(entry))
    _go(card, MF_FID)
    _create_named(card, PSE_FID, PSE_NAME, pse_fci())
    record = directory_record(entry)
    card.send(
        CREATE_FILE,
        None,
        FileHeader(
            FileKind.LINEAR_VARIABLE,
            0xEF00 | DIRECTORY_SFI,
            ALWAYS,
            NEVER,
            DIRECTORY_SFI,
            len(record),
            records=1,
        ),
    )
    card.send(APPEND_RECORD, AppendTarget(DIRECTORY_SFI), record)


def _create_named(card: Card, fid: int, name: bytes, fci: bytes) -> None:
    card.send(CREATE_FILE, None, FileHeader(FileKind.DF, fid, NEVER, NEVER, name=name, fci=fci))
