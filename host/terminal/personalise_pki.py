# SPDX-License-Identifier: Apache-2.0
"""The PKI application of a card in personalisation: directories, master keys, PINs, empty files."""

from __future__ import annotations

from typing import Final

from apdu.crypto.pki import pin_key
from apdu.wire.access import NEVER
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.perso import (
    CREATE_FILE,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from apdu.wire.pki import (
    CERTIFICATES_FID,
    CERTIFICATES_NAME,
    INITIAL_PINS,
    MASTER,
    PAIRS,
    PIN_TRIES,
    PKI_FID,
    PKI_NAME,
    certificates_fci,
    pki_fci,
)
from apdu.wire.pki_commands import WRITE_PKI_KEY
from host.card import Card
from host.keys import MemoryKeys

_KEY_TRIES: Final = 15


def create_pki_application(card: Card, keys: MemoryKeys, region: str, unique: bytes) -> None:
    """Create the application below the MF, which is current, and leave the inner one current.

    `region` and `unique` are what the master key is diversified by; both directories begin with
    the same one. Key pairs and certificates come later, from the holder's hand.
    """
    master = keys.card_key(MASTER, region, unique).reveal()
    for fid, name, fci in (
        (PKI_FID, PKI_NAME, pki_fci()),
        (CERTIFICATES_FID, CERTIFICATES_NAME, certificates_fci()),
    ):
        header = FileHeader(FileKind.DF, fid, NEVER, NEVER, name=name, fci=fci)
        card.send(CREATE_FILE, None, header)
        _write_key(card, MASTER.kid, MASTER.usage, _KEY_TRIES, master)
    for pin, value in INITIAL_PINS.items():
        key = pin_key(pin_bytes(value))
        _write_key(card, pin, KeyUsage.CHALLENGED_PIN, PIN_TRIES, key)
    for pair in PAIRS:
        for file in pair.files:
            _create_file(card, file)


def _write_key(card: Card, reference: int, usage: KeyUsage, tries: int, value: bytes) -> None:
    block = KeyBlock(usage, 1, Algorithm.SM4, tries, value)
    card.send(WRITE_PKI_KEY, KeyRef(reference), block)


def _create_file(card: Card, file: EfSpec) -> None:
    header = FileHeader(file.kind, file.fid, file.read, file.update, file.sfi, file.size)
    card.send(CREATE_FILE, None, header)
