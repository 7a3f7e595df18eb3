# SPDX-License-Identifier: Apache-2.0
"""Making a PSAM out of a blank chip: its numbers, the masters of all cards' keys, and the seal."""

from __future__ import annotations

from typing import Final

from apdu.crypto.suite import Suite
from apdu.errors import FormatError
from apdu.wire.hrss.application import DF_CONDITION
from apdu.wire.hrss.keys import TABLES
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.iso7816 import SELECT, UPDATE_BINARY, By, Offset, Selection
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyUsage,
)
from apdu.wire.psam import (
    CODE_OF,
    INFO,
    KEY_INDEX,
    PSAM,
    PSAM_MF,
    SEQUENCE,
    TERMINAL,
    PsamInfo,
    TerminalNumber,
    psam_fci,
)
from apdu.wire.psam_commands import WRITE_MASTER_KEY, MasterRef
from apdu.wire.purchase import TERMINAL_SEQUENCE
from host.card import Card
from host.keys import MemoryKeys
from host.psam_region import NATIONAL, PsamRegion

FIRST_SEQUENCE: Final = 1
"""The number of a terminal's first purchase."""
TERMINAL_DIGITS, SERIAL_DIGITS, KEY_INDEXES = 12, 20, (1, 2, 3)
_KEY_TRIES: Final = 15


def personalise_psam(
    card: Card,
    keys: MemoryKeys,
    terminal: str,
    serial: str,
    first_sequence: int = FIRST_SEQUENCE,
    key_index: int = 1,
    region: PsamRegion = NATIONAL,
) -> None:
    """Turn the blank PSAM chip behind `card` into a terminal's PSAM, and seal it.

    `terminal`: its number, 12 digits; `serial`: 1 to 20. `key_index`: which version of the
    purchase key the terminal uses, 1 to 3. `region`: whose masters it gets. Raises FormatError
    for what does not fit, before anything is sent, and a CardFault when the chip refuses.
    """
    if not _digits(terminal) or len(terminal) != TERMINAL_DIGITS:
        raise FormatError(f"terminal: must be {TERMINAL_DIGITS} digits")
    if not _digits(serial) or len(serial) > SERIAL_DIGITS:
        raise FormatError(f"serial: must be 1 to {SERIAL_DIGITS} digits")
    if key_index not in KEY_INDEXES:
        raise FormatError("key index: must be 1, 2 or 3")
    contents = {
        INFO: bytes(PsamInfo(serial, issuer=region.mark)),
        TERMINAL: bytes(TerminalNumber(terminal)),
        SEQUENCE: first_sequence.to_bytes(TERMINAL_SEQUENCE),
        KEY_INDEX: key_index.to_bytes(1),
    }
    with card.transaction():
        for file in PSAM_MF.files:
            _create_file(card, file, contents[file])
        _create_application(card, keys.suite)
        for file in PSAM.files:
            _create_file(card, file, contents[file])
        _write_masters(card, keys, region)
        card.send(SELECT, Selection(By.FILE_ID), PSAM_MF.fid.to_bytes(2))
        card.send(ACTIVATE_FILE, None, None)


def _create_application(card: Card, suite: Suite) -> None:
    header = FileHeader(
        FileKind.DF,
        PSAM.fid,
        read=DF_CONDITION,
        update=DF_CONDITION,
        name=PSAM.name,
        fci=psam_fci(CODE_OF[Algorithm(suite.number)]),
    )
    card.send(CREATE_FILE, None, header)


def _create_file(card: Card, file: EfSpec, content: bytes) -> None:
    header = FileHeader(file.kind, file.fid, file.read, file.update, file.sfi, file.size)
    card.send(CREATE_FILE, None, header)
    card.send(UPDATE_BINARY, Offset(0), content)


def _write_masters(card: Card, keys: MemoryKeys, region: PsamRegion) -> None:
    """The master of every key that a terminal computes with, as far down as the region is."""
    algorithm = Algorithm(keys.suite.number)
    for spec in (spec for table in TABLES for spec in table):
        if spec.psam is not None:
            value = region.master(keys, spec.psam).reveal()
            block = KeyBlock(KeyUsage.DERIVATION, spec.version, algorithm, _KEY_TRIES, value)
            name = region.stored(spec.psam)
            card.send(WRITE_MASTER_KEY, MasterRef(name.usage, name.id), block)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
