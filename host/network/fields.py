# SPDX-License-Identifier: Apache-2.0
"""What the fields of a request may be, whichever way it comes: judged once at each end.

Raises FormatError that names the field and the rule, and shows nothing of the value.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.digits import check_pan
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.network.authorisation import AuthorisationRequest, AuthorisationResponse, Reversal
from host.network.elements55 import LONGEST

MOST_TRACE: Final = 999_999
REFERENCE, TERMINAL, MERCHANT, CODE, AUTHORISATION = 12, 8, 15, 2, 6
"""Characters of reference number, terminal, merchant, response code and authorisation code."""
PIN_BLOCK: Final = 8


def check_request(request: AuthorisationRequest) -> None:
    """Raises FormatError."""
    _check_both(request)
    _digits("PSN", request.psn, 2)
    _digits("currency", request.currency, 3)
    if len(request.pin_block) not in (0, PIN_BLOCK):
        raise FormatError(f"PIN block: {len(request.pin_block)} bytes, must be {PIN_BLOCK} or none")
    if request.target:
        try:
            check_pan(request.target)
        except FormatError:
            raise FormatError("target: must be a PAN, 12 to 19 digits") from None


def check_reversal(reversal: Reversal) -> None:
    """Raises FormatError."""
    _check_both(reversal)
    _digits("reason", reversal.reason, CODE)


def check_response(response: AuthorisationResponse) -> None:
    """Raises FormatError."""
    _printable("response code", response.response_code, CODE)
    if response.authorisation_code:
        _printable("authorisation code", response.authorisation_code, AUTHORISATION)
    if response.balance is not None and abs(response.balance) > LARGEST_AMOUNT:
        raise FormatError("balance: more than 12 digits")
    _check_icc(response.icc)


def _check_both(value: AuthorisationRequest | Reversal) -> None:
    _digits("reference", value.reference, REFERENCE)
    if not 1 <= value.trace <= MOST_TRACE:
        raise FormatError(f"trace number: must be 1 to {MOST_TRACE}")
    if value.time.tzinfo is not None:
        raise FormatError("time: must be local time, without a zone")
    if not 0 <= value.amount <= LARGEST_AMOUNT:
        raise FormatError(f"amount: must be 0 to {LARGEST_AMOUNT}")
    check_pan(value.pan)
    _printable("terminal", value.terminal_id, TERMINAL)
    _printable("merchant", value.merchant_id, MERCHANT)
    _check_icc(value.icc)


def _check_icc(icc: bytes) -> None:
    if len(icc) > LONGEST:
        raise FormatError(f"DE55: {len(icc)} bytes, {LONGEST} at most")


def _digits(name: str, text: str, size: int) -> None:
    if len(text) != size or not (text.isascii() and text.isdecimal()):
        raise FormatError(f"{name}: must be {size} digits")


def _printable(name: str, text: str, size: int) -> None:
    if len(text) != size or not (text.isascii() and text.isprintable()):
        raise FormatError(f"{name}: must be {size} printable characters of ASCII")
