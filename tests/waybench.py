# SPDX-License-Identifier: Apache-2.0
"""Which way a transaction goes on the published card, told by the list of records it answers."""

from __future__ import annotations

from paymentbench import Reader, fen, published

from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ttq

DEBIT_AFL, CASH_AFL, TAP_AFL = (
    parse(published()[number])[1].value for number in (0x9104, 0x9203, 0x9207)
)
CASH = {tags.EC_INDICATOR: b"\x01"}
DOLLARS = bytes.fromhex("0840")


def ttq(*bits: Ttq) -> dict[int, bytes]:
    return {tags.TTQ: int(sum(bits)).to_bytes(4)}


CARD = {tags.EC_BALANCE: fen(5000)}


def way(reader: Reader, values: dict[int, bytes] | None = None) -> str:
    """Which way the card goes, by the list it answers."""
    lists = {DEBIT_AFL: "debit", CASH_AFL: "cash", TAP_AFL: "tap"}
    return lists[reader.options({**CASH, **(values or {})})[tags.AFL]]
