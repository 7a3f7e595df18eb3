# SPDX-License-Identifier: Apache-2.0
"""Whether a chip still waits for personalisation. Asking changes nothing and costs no try."""

from __future__ import annotations

from typing import Final

from apdu.command import CommandAPDU
from apdu.sw import SW
from apdu.wire.hrss.ssse import ISSUER
from apdu.wire.iso7816 import READ_RECORD, VERIFY, PinRef, RecordRef
from apdu.wire.perso import CREATE_FILE
from host.card import Card, command_of
from host.faults import CardMisspoke, CardRefused

_ISSUER: Final = command_of(READ_RECORD, RecordRef(1, ISSUER.sfi), None, 256)
_TRIES: Final = command_of(VERIFY, PinRef(0), b"", 0)
_NO_FILE: Final = CommandAPDU(CREATE_FILE.cla, CREATE_FILE.ins)
"""CREATE FILE without a header, so that nothing is created."""


def is_unsealed(card: Card) -> bool:
    """Whether it would take CREATE FILE: it judges the length, and not its stage of life."""
    return _said(card, _NO_FILE) == SW.WRONG_LENGTH


def is_blank_psam(card: Card) -> bool:
    """Whether it is a chip for a PSAM that is not finished. SSSE must be selected: its MF has that
    name too, but neither the issuer's file nor PINs are there."""
    return (
        _said(card, _ISSUER) == SW.FILE_NOT_FOUND
        and _said(card, _TRIES) == SW.INS_NOT_SUPPORTED
        and is_unsealed(card)
    )


def _said(card: Card, command: CommandAPDU) -> int:
    """The status word. Raises CardGone."""
    try:
        return card.relay(command, "blank").sw
    except CardRefused as refusal:
        return refusal.sw
    except CardMisspoke:
        return SW.NO_DIAGNOSIS
