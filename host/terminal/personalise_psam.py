# SPDX-License-Identifier: Apache-2.0
"""Making a PSAM out of a blank chip: its numbers, the masters of all cards' keys, and the seal."""

from __future__ import annotations

from typing import Final

from apdu.crypto.suite import Suite
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

FIRST_SEQUENCE: Final = 1
"""The number of a terminal's first purchase."""
_KEY_TRIES: Final = 15


def personalise_psam(
    card: Card,
    keys: MemoryKeys,
    terminal: str,
    serial: str,
    first_sequence: int = FIRST_SEQUENCE,
    key_index: int = 1,
) -> None:
    """Turn the blank PSAM chip behind `card` into a terminal's PSAM, and seal it.

    `terminal`: its number, 12 digits; `serial`: at most 20. `key_index`: which version of the
    purchase key the terminal uses, 1 to 3. Raises FormatError for what does not fit, a CardFault
    when the chip refuses.
    """
    contents = {
        INFO: bytes(PsamInfo(serial)),
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
        _write_masters(card, keys)
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


def _write_masters(card: Card, keys: MemoryKeys) -> None:
    """The master of every key that a terminal computes with."""
    algorithm = Algorithm(keys.suite.number)
    for spec in (spec for table in TABLES for spec in table):
        if spec.psam is not None:
            value = keys.master(spec.psam).reveal()
            block = KeyBlock(KeyUsage.DERIVATION, spec.version, algorithm, _KEY_TRIES, value)
            card.send(WRITE_MASTER_KEY, MasterRef(spec.psam.usage, spec.psam.id), block)
