# SPDX-License-Identifier: Apache-2.0
"""Taps (qPBOC) on cards with chosen bits of 9F68, in one line."""

from __future__ import annotations

from paymentbench import (
    TERMINAL,
    Reader,
    fen,
    in_use,
)

from apdu.atr import Interface
from apdu.tlv import parse
from apdu.wire.cryptogram import IssuerApplicationData
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.flags import Ttq
from card_os.chip import Chip

FIELD = Interface.CONTACTLESS
LAST = (3, 3)
"""The last record that the published card's list for taps names."""
BITS = Bit.CASH_CHECK | Bit.LOG_TRANSACTIONS | Bit.SIGNATURE | Bit.ONLINE_PIN
NUMBER = TERMINAL[tags.UNPREDICTABLE_NUMBER]
Parameters = dict[int, bytes | None]


def card(
    bits: Bit = BITS,
    parameters: Parameters | None = None,
    groups: dict[int, bytes | None] | None = None,
    base: str = "published",
    **changes: int,
) -> Chip:
    """A card with these bits of 9F68, 50.00 in cash, and no limit on small amounts."""
    plain: Parameters = {
        tags.CARD_PROCESSING: int(bits).to_bytes(4),
        tags.EC_RESET_THRESHOLD: fen(0),
        tags.EC_BALANCE: fen(5000),
    }
    return in_use({**plain, **(parameters or {})}, groups, base, **changes)


def tap(chip: Chip, values: dict[int, bytes] | None = None) -> tuple[Reader, dict[int, bytes]]:
    reader = Reader(chip, FIELD)
    return reader, reader.options(values)


def asked(*bits: Ttq) -> dict[int, bytes]:
    return {tags.TTQ: int(sum((Ttq.QPBOC, *bits))).to_bytes(4)}


ONLINE = asked(Ttq.CRYPTOGRAM_REQUIRED)


def cvr_of(elements: dict[int, bytes]) -> int:
    return int.from_bytes(IssuerApplicationData.parse(elements[tags.IAD]).cvr)


def in_record(answer: bytes) -> dict[int, bytes]:
    (template,) = parse(answer[:-2])
    return {item.tag: item.value for item in template.children}
