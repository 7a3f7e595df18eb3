# SPDX-License-Identifier: Apache-2.0
"""The bank's personalisation of a debit application: data groups in blocks of STORE DATA."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from apdu.errors import FormatError
from apdu.wire.globalplatform import STORE_DATA, StoreDataRef
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.groups import DataGroup
from host.card import Card

BLOCK: Final = 231
"""Bytes of groups in a block: a short command with room for a MAC and a block of padding."""


def personalise_debit(card: Card, groups: Iterable[DataGroup]) -> None:
    """Give the card's debit application its data groups and put it in use.

    Raises FormatError when there are no groups, a CardFault when the chip refuses.
    """
    stream = b"".join(map(bytes, groups))
    if not stream:
        raise FormatError("personalisation: there are no data groups")
    blocks = [stream[at : at + BLOCK] for at in range(0, len(stream), BLOCK)]
    with card.transaction():
        card.select(DEBIT_AID)
        for number, block in enumerate(blocks):
            last = int(number == len(blocks) - 1)
            card.send(STORE_DATA, StoreDataRef(last=last, block=number & 0xFF), block)
