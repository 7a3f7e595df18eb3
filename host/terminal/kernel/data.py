# SPDX-License-Identifier: Apache-2.0
"""What a kernel sends to a card: data object lists filled from a white list, and from nothing else.

A card may ask for anything. It gets what is listed here and the terminal has; all else is zeros,
so that no list can draw out a PIN, a cryptogram or what another card said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apdu.dol import asked, fill
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from host.faults import CardMisspoke
from host.terminal.kernel.terminal_data import ACQUIRER, AMOUNT_BINARY, CURRENCY_EXPONENT
from host.terminal.kernel.transaction import Transaction

MAY_BE_SENT: Final = frozenset(
    {
        ACQUIRER,
        AMOUNT_BINARY,
        CURRENCY_EXPONENT,
        tags.AMOUNT,
        tags.OTHER_AMOUNT,
        tags.CURRENCY,
        tags.DATE,
        tags.TIME,
        tags.TRANSACTION_TYPE,
        tags.SEQUENCE_COUNTER,
        tags.UNPREDICTABLE_NUMBER,
        tags.TERMINAL_COUNTRY,
        tags.TERMINAL_TYPE,
        tags.TERMINAL_CAPABILITIES,
        tags.ADDITIONAL_CAPABILITIES,
        tags.TERMINAL_ID,
        tags.DEVICE_SERIAL,
        tags.MERCHANT_ID,
        tags.MERCHANT_NAME,
        tags.MERCHANT_CATEGORY,
        tags.POS_ENTRY_MODE,
        tags.TERMINAL_AID,
        tags.TERMINAL_VERSION,
        tags.FLOOR_LIMIT,
        tags.TTQ,
        tags.EC_INDICATOR,
        tags.EC_TERMINAL_LIMIT,
        tags.CAPP_INDICATOR,
        tags.SM_INDICATOR,
        tags.TVR,
        tags.TSI,
        tags.CVM_RESULTS,
        tags.ARC,
        tags.TC_HASH,
        tags.AUTHENTICATION_CODE,
        tags.ICC_DYNAMIC_NUMBER,
    }
)
"""The elements that a card may be told, by tag. The last two are what it signed itself."""


def fill_list(
    transaction: Transaction, name: str, dol: bytes, instead: Mapping[int, bytes] | None = None
) -> bytes:
    """The data that a list of the card's asks for, as the transaction stands now.

    `name`: what a fault calls the list. `instead`: elements that have another value for this list.
    CardMisspoke when it is no list, or asks for too much.
    """
    now = {
        tags.TVR: transaction.tvr.to_bytes(5),
        tags.TSI: transaction.tsi.to_bytes(2),
        tags.CVM_RESULTS: transaction.cvm_results,
        tags.ARC: transaction.response_code.encode("ascii"),
    }
    known = {tag: value for tag, value in transaction.terminal.items() if tag in MAY_BE_SENT}
    try:
        return fill(dol, known | now | dict(instead or {}))
    except FormatError as error:
        raise CardMisspoke(f"{name}: {error}") from None


def asks_for(name: str, dol: bytes, tag: int) -> bool:
    """Whether a list of the card's asks for an element. CardMisspoke when it is no list."""
    try:
        return any(entry.tag == tag for entry in asked(dol))
    except FormatError as error:
        raise CardMisspoke(f"{name}: {error}") from None


def masked(pan: str) -> str:
    """A card number as it may be shown: the first six digits and the last four."""
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:] if len(pan) > 10 else "*" * len(pan)
