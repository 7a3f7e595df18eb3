# SPDX-License-Identifier: Apache-2.0
"""Fast dynamic data authentication (快速动态数据认证, fDDA): the card signed when it answered GPO,
so the terminal has only to check, and the card may be gone by then (JR/T 0025.12)."""

from __future__ import annotations

from typing import Final

from apdu.crypto.oda_input import fdda_data
from apdu.errors import FormatError
from apdu.wire.oda import CardAuthentication
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, Tsi, Ttq
from host.terminal.kernel import certificates
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

_KNOWS_01: Final = bytes.fromhex("0030")
"""9F08 of cards that can sign version 01: PBOC 3.0."""


def authenticate(transaction: Transaction, config: TerminalConfig) -> bool:
    """Whether the card's signature is its own, over this transaction; why not is on the trail."""
    transaction.tsi |= Tsi.ODA_PERFORMED
    try:
        version = _check(transaction, config)
    except FormatError as error:
        transaction.note(Step.ODA, "fDDA failed", str(error))
        return False
    transaction.note(Step.ODA, "fDDA succeeded", f"version {version:02}")
    return True


def _check(transaction: Transaction, config: TerminalConfig) -> int:
    """The version of a good signature. Raises FormatError."""
    if not transaction.supports(Aip.DDA):
        raise FormatError("AIP: the card does not have DDA")
    card, terminal = transaction.card, transaction.terminal
    signed = certificates.needed(transaction, tags.SIGNED_DYNAMIC_DATA)
    authority = certificates.authority_key(transaction, config.keys, config.sm)
    issuer = certificates.issuer_key(transaction, authority, config.keys)
    key = certificates.card_key(transaction, issuer.key).key
    version = _version(transaction)
    shown = certificates.needed(transaction, tags.CARD_AUTHENTICATION_DATA) if version else b""
    told = fdda_data(
        version,
        terminal[tags.UNPREDICTABLE_NUMBER],
        terminal[tags.AMOUNT],
        terminal[tags.CURRENCY],
        shown,
    )
    certificates.dynamic_data(key, signed, told)
    if version:
        qualifiers = CardAuthentication.parse(shown).qualifiers
        if qualifiers != card.get(tags.CTQ, bytes(2)):
            raise FormatError("9F69: its CTQ is not the one (9F6C) that the card answered")
    return version


def _version(transaction: Transaction) -> int:
    """01 where card and terminal both can, else 00."""
    ttq = int.from_bytes(transaction.terminal[tags.TTQ])
    return int(bool(ttq & Ttq.FDDA_01) and transaction.card.get(tags.CARD_VERSION) == _KNOWS_01)
