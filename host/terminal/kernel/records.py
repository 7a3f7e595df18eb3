# SPDX-License-Identifier: Apache-2.0
"""Read application data (读应用数据): the records that the AFL names, and by GET DATA what the
later steps need of the card (EMV Book 3 10.2; JR/T 0025.13 for electronic cash).

All is read before anything is judged, so that the later steps are only rules.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.tlv import is_constructed
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import SIZE, amount_of
from apdu.wire.pboc.answers import parse_afl
from host.clients.pboc import PbocClient, record_elements
from host.faults import CardMisspoke, CardRefused
from host.network.authorisation import Purpose
from host.terminal.kernel.data import masked
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

MANDATORY: Final = (tags.PAN, tags.EXPIRY, tags.CDOL1, tags.CDOL2)
"""What the records of a contact transaction must hold (EMV Book 3 7.1)."""
TAP_MANDATORY: Final = (tags.EXPIRY,)
"""And of a tap."""
LOADS: Final = frozenset({Purpose.LOAD, Purpose.CASH_LOAD})
"""What changes the balance of electronic cash by a script."""
_OF_APPLICATION: Final = range(1, 11)
"""SFIs whose records have template 70; those of the rest are as the payment system wants."""
_PAN: Final = range(8, 20)
"""Digits of a PAN, as track 2 has room for."""


def read(
    transaction: Transaction, client: PbocClient, mandatory: tuple[int, ...] = MANDATORY
) -> None:
    """Read every record that the AFL names, in its order, and take what is in them.

    CardMisspoke when a record is not template 70 with data objects in it, an element comes twice,
    or one of `mandatory` is missing or not in its shape. A record that is not there is
    CardMisspoke too: the card itself named it.
    """
    static = bytearray()
    seen: set[int] = set()
    count = 0
    for entry in parse_afl(transaction.afl):
        for number in range(entry.first, entry.last + 1):
            record = _record(client, entry.sfi, number)
            inside = _take(transaction, record, seen) if entry.sfi in _OF_APPLICATION else record
            if number < entry.first + entry.authenticated:
                static += inside
            count += 1
    transaction.static_data = bytes(static)
    _check(transaction, mandatory)
    transaction.note(
        Step.READ_DATA,
        f"{count} records read",
        f"{len(static)} bytes to be authenticated, card {masked(transaction.pan)}",
    )


def read_counters(transaction: Transaction, client: PbocClient) -> None:
    """What velocity checking needs: ATC and the ATC of the last online transaction, where the
    records set a limit for it (9F14 and 9F23). A card need not tell them."""
    card = transaction.card
    if tags.TERMINAL_LOWER_LIMIT in card and tags.TERMINAL_UPPER_LIMIT in card:
        _get(transaction, client, tags.ATC, 2)
        _get(transaction, client, tags.LAST_ONLINE_ATC, 2)


def read_cash(transaction: Transaction, client: PbocClient) -> None:
    """Whether the card took the way of electronic cash, and then its balance and threshold.

    It did when electronic cash was offered (9F7A) and its records hold the issuer's authorisation
    code (9F74) (JR/T 0025.13). Before a load the balance is asked for too: should the card be
    lost in the middle, it shows later what was done.
    """
    if transaction.order.purpose in LOADS:
        _get_amount(transaction, client, tags.EC_BALANCE)
    offered = transaction.terminal.get(tags.EC_INDICATOR) == b"\x01"
    transaction.cash = offered and tags.EC_AUTHORISATION_CODE in transaction.card
    if not transaction.cash:
        if offered:
            transaction.note(Step.READ_DATA, "no electronic cash", "9F74 is not there")
        return
    transaction.note(Step.READ_DATA, "electronic cash", "9F7A was offered and 9F74 is there")
    _get_amount(transaction, client, tags.EC_BALANCE)
    _get_amount(transaction, client, tags.EC_RESET_THRESHOLD)


def _record(client: PbocClient, sfi: int, number: int) -> bytes:
    try:
        return client.record(sfi, number)
    except CardRefused as refusal:
        raise CardMisspoke(
            f"record {number} of SFI {sfi}, which the AFL names: {refusal}"
        ) from None


def _take(transaction: Transaction, record: bytes, seen: set[int]) -> bytes:
    """Take what is in a record; returns it as it stands in template 70.

    `seen`: the elements of the records so far. What FCI or GPO said already may be said again,
    but not otherwise.
    """
    elements = record_elements(record)
    for item in elements:
        if is_constructed(item.tag):
            continue
        if item.tag in seen or transaction.card.get(item.tag, item.value) != item.value:
            raise CardMisspoke(f"READ RECORD: {item.tag:X} is there twice")
        seen.add(item.tag)
        transaction.card[item.tag] = item.value
    return b"".join(map(bytes, elements))


def _check(transaction: Transaction, mandatory: tuple[int, ...]) -> None:
    card = transaction.card
    for tag in mandatory:
        if not card.get(tag):
            raise CardMisspoke(f"READ RECORD: {tag:X} is missing")
    pan = transaction.pan
    if tags.PAN in card and not (pan.isdecimal() and len(pan) in _PAN):
        raise CardMisspoke(f"PAN (5A): must be {_PAN[0]} to {_PAN[-1]} digits")
    if len(transaction.card.get(tags.PSN, b"\x00")) != 1 or not transaction.psn.isdecimal():
        raise CardMisspoke("PAN sequence number (5F34): must be 2 digits")
    if tags.TRACK_2 in card:
        check_track_2(card[tags.TRACK_2], pan)


def check_track_2(track: bytes, pan: str = "") -> str:
    """The PAN in track 2 equivalent data (57), which must be `pan` where that is known, or
    CardMisspoke."""
    number, separator, rest = track.hex().upper().partition("D")
    rest = rest.rstrip("F")
    if not separator or not number.isdecimal() or len(number) not in _PAN or len(rest) < 7:
        raise CardMisspoke("track 2 (57): must be a PAN, D, expiry and service code")
    if not rest.isdecimal():
        raise CardMisspoke("track 2 (57): must be digits behind the D")
    if pan and number != pan:
        raise CardMisspoke("track 2 (57): its PAN is not that of 5A")
    return number


def _get_amount(transaction: Transaction, client: PbocClient, tag: int) -> None:
    _get(transaction, client, tag, SIZE)
    try:
        amount_of(transaction.card.get(tag, bytes(SIZE)))
    except FormatError as error:
        raise CardMisspoke(f"GET DATA: {tag:X}: {error}") from None


def _get(transaction: Transaction, client: PbocClient, tag: int, size: int) -> None:
    try:
        value = client.data(tag)
    except CardRefused as refusal:
        transaction.note(Step.READ_DATA, f"{tag:X} not told", str(refusal))
        return
    if len(value) != size:
        raise CardMisspoke(f"GET DATA: {tag:X} has {len(value)} bytes, must be {size}")
    transaction.card[tag] = value
