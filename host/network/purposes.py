# SPDX-License-Identifier: Apache-2.0
"""How a purpose is written: transaction type (交易类型, 9C) on the card's side, processing code
(交易处理码, DE3) on the network's.

The codes are those of ISO 8583:1987; 60 and 63 are the loads of UnionPay's tables, which public
test tools do not all follow (profile choice `transaction-types`).
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from host.network.authorisation import Purpose

TRANSACTION_TYPES: Final[dict[Purpose, bytes]] = {
    Purpose.PURCHASE: b"\x00",
    Purpose.WITHDRAWAL: b"\x01",
    Purpose.DEPOSIT: b"\x21",
    Purpose.BALANCE: b"\x31",
    Purpose.TRANSFER: b"\x40",
    Purpose.LOAD: b"\x60",
    Purpose.CASH_LOAD: b"\x63",
    Purpose.PIN_CHANGE: b"\x70",
}
"""9C, one byte of BCD: the first two digits of DE3."""
_ACCOUNTS: Final = "0000"
"""Digits 3 to 6 of DE3: from and to the card's one account."""
_PURPOSES: Final = {code.hex() + _ACCOUNTS: purpose for purpose, code in TRANSACTION_TYPES.items()}


def processing_code(purpose: Purpose) -> str:
    """DE3, 6 digits."""
    return TRANSACTION_TYPES[purpose].hex() + _ACCOUNTS


def purpose_of(code: str) -> Purpose:
    """What a DE3 asks for. Raises FormatError for a code that no purpose has."""
    try:
        return _PURPOSES[code]
    except KeyError:
        raise FormatError("DE3: no such processing code") from None
