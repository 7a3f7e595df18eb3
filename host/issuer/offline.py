# SPDX-License-Identifier: Apache-2.0
"""Offline purchases that are presented (脱机交易上送): the bank owes them for every good TC, once.

A card may approve offline what the issuer was asked about too, when the answer did not get there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

from apdu.wire.pboc import tags
from host.issuer import online
from host.issuer.accounts import Operation
from host.issuer.bank import Bank
from host.issuer.cryptograms import Proven
from host.issuer.faults import Reason, Refused
from host.issuer.journal import Order, order
from host.network.authorisation import AuthorisationRequest, EntryMode, Purpose

OWN: Final = "99"
"""What references begin with that the bank itself makes (profile choice `own-references`)."""


def settle(
    bank: Bank,
    request: AuthorisationRequest,
    elements: Mapping[int, bytes],
    proven: Proven,
    at: datetime,
) -> None:
    """Pay what a TC has proven; nothing when this very purchase was posted already.

    A purchase whose request was refused is paid under a reference of the bank's own. Raises
    Refused for what is no purchase, and for a counter or a reference that stands for another one.
    """
    if request.purpose is not Purpose.PURCHASE or not request.amount:
        raise Refused(Reason.INVALID)
    atc = int.from_bytes(proven.atc)
    asked = _asked(request, request.reference, atc, at)
    was = online.before(bank, asked)
    if was is not None and not was.reversed:
        if was.done:
            return
        if was.refused:
            asked = _asked(request, own_reference(request.pan, atc), atc, at)
    online.settle_offline(bank, asked, atc, _was_cash(request, elements))


def _was_cash(request: AuthorisationRequest, elements: Mapping[int, bytes]) -> bool:
    """Whether it was paid with electronic cash: 9F74 is there, or it was a tap (profile choice
    `offline-settlement`)."""
    return tags.EC_AUTHORISATION_CODE in elements or request.entry_mode is EntryMode.CONTACTLESS


def own_reference(pan: str, atc: int) -> str:
    """A reference of the bank's own for a card's transaction, 12 digits."""
    chance = int.from_bytes(sha256(f"{pan} {atc}".encode()).digest()[:8])
    return f"{OWN}{chance % 10**10:010d}"


def _asked(request: AuthorisationRequest, reference: str, atc: int, at: datetime) -> Order:
    return order(
        Operation.SETTLEMENT,
        reference,
        request.pan,
        at,
        request.terminal_id,
        request.amount,
        atc=atc,
    )
