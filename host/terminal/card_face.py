# SPDX-License-Identifier: Apache-2.0
"""Whose card this is: number, name and dates, read without beginning a transaction.

GPO would cost the card one of its transaction numbers. READ RECORD is free at any time, so the
records are gone through until all is found (profile choice `card-face`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.clients.pboc import PbocClient, record_elements
from host.faults import CardMisspoke, NotFound
from host.terminal.kernel.restrictions import day

SFIS: Final = range(1, 11)
"""Where an application has records with template 70 (EMV Book 3 5.3.2.2)."""
MOST_RECORDS: Final = 16
"""Records of one SFI that are looked at."""
_WANTED: Final = frozenset({tags.PAN, tags.PSN, tags.CARDHOLDER_NAME, tags.EXPIRY})
_PAN: Final = range(8, 20)


@dataclass(frozen=True, slots=True)
class CardFace:
    """What is printed on the card, as its records have it."""

    pan: str
    """8 to 19 digits."""
    psn: str
    """2 digits, 00 where the card has none."""
    holder: str = field(repr=False)
    """持卡人姓名 (5F20); empty where the card has none."""
    expires: date
    """The last day on which it is good."""
    blocked: bool
    """The application makes no transactions (6283)."""


def card_face(card: Card, aid: bytes = DEBIT_AID) -> CardFace:
    """Read it. NotFound when the card has no such application, CardMisspoke when its records do
    not tell the number and the last day, or tell them wrongly."""
    with card.transaction():
        client = PbocClient(card)
        selected = client.select(aid)
        found: dict[int, bytes] = {}
        for record in _records(client):
            for item in record_elements(record):
                if item.tag in _WANTED and found.setdefault(item.tag, item.value) != item.value:
                    raise CardMisspoke(f"READ RECORD: {item.tag:X} is there twice")
            if found.keys() >= _WANTED:
                break
    pan = found.get(tags.PAN, b"").hex().upper().rstrip("F")
    if not (pan.isdecimal() and len(pan) in _PAN):
        raise CardMisspoke(f"PAN (5A): must be {_PAN[0]} to {_PAN[-1]} digits")
    psn = found.get(tags.PSN, b"\x00").hex()
    if len(psn) != 2 or not psn.isdecimal():
        raise CardMisspoke("PAN sequence number (5F34): must be 2 digits")
    name = found.get(tags.CARDHOLDER_NAME, b"")
    return CardFace(
        pan,
        psn,
        name.decode("latin-1").strip() if name.isascii() else "",
        day("5F24", found.get(tags.EXPIRY, b"")),
        selected.blocked,
    )


def _records(client: PbocClient) -> Iterator[bytes]:
    for sfi in SFIS:
        for number in range(1, MOST_RECORDS + 1):
            try:
                yield client.record(sfi, number)
            except NotFound:
                break
