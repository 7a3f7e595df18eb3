# SPDX-License-Identifier: Apache-2.0
"""Offline data authentication (脱机数据认证): which method, and whether the card passes.

What fails is told by a bit of the TVR and a line of the trail, never by an exception: the action
codes decide what it means (EMV Book 3 10.3, Book 2 clauses 5 and 6; JR/T 0025.6, 0025.7).
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from apdu.dol import asked
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, TerminalCapabilities, Tsi, Tvr
from host.faults import CardMisspoke, CardRefused
from host.terminal.kernel import certificates
from host.terminal.kernel.capks import AuthorityKey
from host.terminal.kernel.certificates import MissingData, PublicKey
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.data import fill_list
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction


class Method(Enum):
    """In the order in which they are tried; the value is the card's bit, the terminal's, and the
    one that tells of failure."""

    CDA = (Aip.CDA, TerminalCapabilities.CDA, Tvr.CDA_FAILED)
    DDA = (Aip.DDA, TerminalCapabilities.DDA, Tvr.DDA_FAILED)
    SDA = (Aip.SDA, TerminalCapabilities.SDA, Tvr.SDA_FAILED)

    @property
    def failed(self) -> Tvr:
        return self.value[2]


class Authenticating(Protocol):
    """The one command of the card that authentication uses."""

    def internal_authenticate(self, data: bytes, /) -> bytes: ...


def chosen(aip: int, capabilities: int) -> Method | None:
    """The first method that card and terminal both have, None where there is none."""
    for method in Method:
        card, terminal, _ = method.value
        if aip & card and capabilities & terminal:
            return method
    return None


def authenticate(
    transaction: Transaction, config: TerminalConfig, client: Authenticating
) -> Method | None:
    """Perform the method that both have. CDA is prepared only: `check_combined` judges it when the
    card has signed, and where it could not be prepared the cryptogram is asked for without."""
    method = chosen(transaction.aip, config.capabilities)
    if method is None:
        transaction.tvr |= Tvr.ODA_NOT_PERFORMED
        transaction.note(
            Step.ODA, "not performed", "AIP and terminal capabilities have no method in common"
        )
        return None
    if method is Method.SDA:
        transaction.tvr |= Tvr.SDA_SELECTED
    try:
        authority = certificates.authority_key(transaction, config.keys, config.sm)
        issuer = certificates.issuer_key(transaction, authority, config.keys)
        if method is Method.SDA:
            _static(transaction, issuer.key)
        else:
            transaction.card_key = certificates.card_key(transaction, issuer.key).key
            if method is Method.DDA:
                _dynamic(transaction, client, transaction.card_key)
    except (FormatError, CardRefused, CardMisspoke) as error:
        _fail(transaction, method, error)
        return method
    if method is Method.CDA:
        transaction.cda = True
        transaction.note(Step.ODA, "CDA prepared", _under(authority))
    else:
        transaction.tsi |= Tsi.ODA_PERFORMED
        transaction.note(Step.ODA, f"{method.name} succeeded", _under(authority))
    return method


def check_combined(transaction: Transaction) -> bytes:
    """The cryptogram in the signature of GENERATE AC's last answer; empty when CDA failed, which
    the TVR then tells, and the card's answer is worth nothing (EMV Book 2 6.6.2)."""
    number = transaction.terminal[tags.UNPREDICTABLE_NUMBER]
    try:
        if transaction.card_key is None or not transaction.signed:
            raise MissingData("9F4B: the card has not signed its answer")
        found = certificates.combined_data(transaction.card_key, transaction, number)
    except FormatError as error:
        _fail(transaction, Method.CDA, error)
        return b""
    transaction.tsi |= Tsi.ODA_PERFORMED
    transaction.terminal[tags.ICC_DYNAMIC_NUMBER] = found.number
    transaction.note(Step.ODA, "CDA succeeded", "the signed answer is that of this transaction")
    return found.cryptogram


def _static(transaction: Transaction, issuer: PublicKey) -> None:
    code = certificates.authentication_code(transaction, issuer)
    transaction.terminal[tags.AUTHENTICATION_CODE] = code


def _dynamic(transaction: Transaction, client: Authenticating, card: PublicKey) -> None:
    number = transaction.order.authentication_number
    instead = {tags.UNPREDICTABLE_NUMBER: number} if number else {}
    told = fill_list(transaction, "DDOL (9F49)", _ddol(transaction), instead)
    found = certificates.dynamic_data(card, client.internal_authenticate(told), told)
    transaction.terminal[tags.ICC_DYNAMIC_NUMBER] = found.number


def _ddol(transaction: Transaction) -> bytes:
    """The card's DDOL, or the terminal's where it has none."""
    ddol = transaction.card.get(tags.DDOL)
    if ddol is None:
        if transaction.parameters is None:
            raise MissingData("9F49: the card has none, and the terminal no default")
        return transaction.parameters.default_ddol
    if all(entry.tag != tags.UNPREDICTABLE_NUMBER for entry in asked(ddol)):
        raise FormatError("DDOL (9F49): must ask for 9F37")
    return ddol


def _fail(transaction: Transaction, method: Method, error: Exception) -> None:
    transaction.tvr |= method.failed
    if isinstance(error, MissingData):
        transaction.tvr |= Tvr.ICC_DATA_MISSING
    transaction.tsi |= Tsi.ODA_PERFORMED
    transaction.note(Step.ODA, f"{method.name} failed", str(error))


def _under(authority: AuthorityKey) -> str:
    return f"under {authority.name}"
