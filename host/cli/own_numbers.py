# SPDX-License-Identifier: Apache-2.0
"""The numbers by which a card may be known, read without costing it anything."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss.ssse import ISSUER, IssuerData
from host.card import Card
from host.channel import Channel
from host.clients.hrss import HrssClient
from host.faults import CardMisspoke, CardRefused, KeyUnavailable
from host.psam import PsamKeys
from host.terminal.card_face import card_face

_IDENTIFICATION: Final = 1
_CARD_NUMBER: Final = 7
"""Records of EF05."""
_NOT_TOLD: Final = (CardRefused, CardMisspoke, KeyUnavailable, FormatError)


def own_numbers(channel: Channel) -> frozenset[str]:
    """Card number (卡号) and identification code (卡的识别码, 32 hex digits), the account number
    (PAN) of the bank's application, the serial number of a PSAM: those that the card tells.

    Leaves something selected. Raises CardGone only.
    """
    card = Card(channel)
    found: set[str] = set()
    with suppress(*_NOT_TOLD):
        client = HrssClient(card)
        code = client.record_bytes(ISSUER.sfi, _IDENTIFICATION)
        found.add(IssuerData.parse_field("identification", code).hex().upper())
        number = client.record_bytes(ISSUER.sfi, _CARD_NUMBER)
        found.add(IssuerData.parse_field("card_number", number))
    with suppress(*_NOT_TOLD):
        found.add(card_face(card).pan)
    with suppress(*_NOT_TOLD):
        found.add(PsamKeys(card).serial)
    return frozenset(found)
