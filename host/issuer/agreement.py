# SPDX-License-Identifier: Apache-2.0
"""What a message says and what the card says must be the same: amount, currency, purpose, card.

The card's cryptogram is over its own data only; without this a terminal could have one amount
proven and ask for another.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from host.network.authorisation import AuthorisationRequest, Purpose
from host.network.elements55 import WrongElement, needed, read_elements
from host.network.fields import check_request
from host.network.purposes import TRANSACTION_TYPES

NO_AMOUNT: Final = frozenset({Purpose.BALANCE, Purpose.PIN_CHANGE})
"""Purposes that move no money."""


def agreed(request: AuthorisationRequest) -> dict[int, bytes]:
    """The elements of a request's DE55, by tag.

    Raises FormatError when a field is not in its shape, WrongElement when an element is missing,
    is not in its shape, or says otherwise than the message.
    """
    check_request(request)
    if request.purpose in NO_AMOUNT and request.amount:
        raise FormatError("amount: must be 0 where no money moves")
    if bool(request.target) != (request.purpose is Purpose.TRANSFER):
        raise FormatError("target: must be there for a transfer, and for nothing else")
    elements = read_elements(request.icc)
    if needed(elements, tags.AMOUNT) != amount_bytes(request.amount):
        raise WrongElement(tags.AMOUNT, "it is not the amount of the message")
    said = {
        tags.CURRENCY: bytes.fromhex("0" + request.currency),
        tags.TRANSACTION_TYPE: TRANSACTION_TYPES[request.purpose],
        tags.PSN: bytes.fromhex(request.psn),
    }
    for tag, value in said.items():
        if elements.get(tag, value) != value:
            raise WrongElement(tag, "it is not what the message says")
    return elements
