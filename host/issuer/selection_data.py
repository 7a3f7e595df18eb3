# SPDX-License-Identifier: Apache-2.0
"""What SELECT answers: the FCI of a debit application in a slot, and in a reader's field."""

from __future__ import annotations

from typing import Final

from apdu.tlv import Tlv, build, tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import LogEntry
from apdu.wire.pboc.application import DEBIT_AID
from host.issuer.card_data import CardData
from host.issuer.elements import element

LOG_SFI, LOAD_LOG_SFI = 0x0B, 0x0C
CASH_PDOL: Final = bytes.fromhex("9F7A019F02065F2A02")
"""Whether the terminal takes electronic cash, amount and currency."""
TAP_PDOL: Final = bytes.fromhex("9F66049F02069F03069F1A0295055F2A029A039C019F3704")
"""TTQ, and what CVN 01 is computed over."""
SM_PDOL: Final = bytes.fromhex("DF6901")
"""Whether the terminal wants the set of SM2, SM3 and SM4."""
_PRIORITY: Final = b"\x01"
_LATIN: Final = b"\x01"
"""9F11: preferred names are in ISO 8859-1."""


def contact_fci(data: CardData) -> bytes:
    return _fci(data, CASH_PDOL if data.cash is not None else b"")


def contactless_fci(data: CardData) -> bytes:
    """That of the slot, for a card without qPBOC."""
    return contact_fci(data) if data.contactless is None else _fci(data, TAP_PDOL)


def _fci(data: CardData, pdol: bytes) -> bytes:
    application = data.application
    if data.sm:
        pdol += SM_PDOL
    proprietary = [
        element(tags.LABEL, application.label.encode()),
        element(tags.PRIORITY, _PRIORITY),
        *([tlv(tags.PDOL, pdol)] if pdol else []),
        element(tags.LANGUAGE, application.language.encode()),
        element(tags.CODE_TABLE, _LATIN),
        element(tags.PREFERRED_NAME, application.preferred_name.encode()),
        tlv(tags.FCI_DISCRETIONARY, _logs(data)),
    ]
    template = [tlv(tags.DF_NAME, DEBIT_AID), tlv(tags.FCI_PROPRIETARY, proprietary)]
    return build([tlv(tags.FCI_TEMPLATE, template)])


def _logs(data: CardData) -> list[Tlv]:
    found = [tlv(tags.LOG_ENTRY, bytes(LogEntry(LOG_SFI, data.application.log_records)))]
    if data.cash is not None:
        entry = LogEntry(LOAD_LOG_SFI, data.cash.load_log_records)
        found.append(tlv(tags.LOAD_LOG_ENTRY, bytes(entry)))
    return found
