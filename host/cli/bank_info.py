# SPDX-License-Identifier: Apache-2.0
"""What the bank's application tells of itself to whoever owns the reader.

No transaction begins, so nothing on the card changes; AIP and AFL, which only GPO tells, are not
asked for (profile choice `card-face`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apdu.sw import SW
from apdu.wire.iso7816 import SELECT, Selection
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.cli.names import Shown
from host.cli.payment_elements import shown_element
from host.clients.pboc import PbocClient
from host.faults import CardMisspoke, CardRefused
from host.terminal.card_face import card_face
from host.terminal.kernel.data import masked

IN_USE: Final = "in use 正常"
BLOCKED: Final = "blocked 应用锁定"
NOT_PERSONALISED: Final = "not personalised 未个人化"
_FROM_FCI: Final = (tags.LABEL, tags.PREFERRED_NAME)
_COUNTED: Final = (
    tags.ATC,
    tags.LAST_ONLINE_ATC,
    tags.PIN_TRIES,
    tags.EC_BALANCE,
    tags.EC_BALANCE_LIMIT,
    tags.EC_SINGLE_LIMIT,
    tags.AVAILABLE_AMOUNT,
    tags.SECOND_EC_CURRENCY,
    tags.SECOND_EC_BALANCE,
)
"""What GET DATA is asked for; a card need not have all of it."""


@dataclass(frozen=True, slots=True)
class BankReport:
    """`state`: one of the words above; `trouble`: what the card said otherwise than it should."""

    state: str
    items: tuple[Shown, ...] = ()
    trouble: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "state": self.state,
            "items": [each.as_json() for each in self.items],
            "trouble": self.trouble,
        }


def bank_report(card: Card) -> BankReport:
    """Ask the bank's application, which is there. Raises CardFault only when the card is gone."""
    reply = card.ask(SELECT, Selection(), DEBIT_AID)
    if reply.sw == SW.OK and not reply.data:
        return BankReport(NOT_PERSONALISED)
    state = BLOCKED if reply.sw == SW.FILE_DEACTIVATED else IN_USE
    client = PbocClient(card)
    items: list[Shown] = []
    try:
        said = client.select(DEBIT_AID).elements
        for tag in _FROM_FCI:
            if tag in said:
                items += shown_element(tag, said[tag])
        items += _face(card)
        for tag in _COUNTED:
            value = _told(client, tag)
            if value is not None:
                items += shown_element(tag, value)
    except (CardRefused, CardMisspoke) as error:
        return BankReport(state, tuple(items), str(error))
    return BankReport(state, tuple(items))


def _face(card: Card) -> tuple[Shown, ...]:
    face = card_face(card)
    return (
        Shown(f"{tags.PAN:02X}", "account number", "应用主账号", masked(face.pan)),
        *shown_element(tags.PSN, bytes.fromhex(face.psn)),
        Shown(f"{tags.EXPIRY:02X}", "good until", "应用失效日期", face.expires.isoformat()),
    )


def _told(client: PbocClient, tag: int) -> bytes | None:
    try:
        return client.data(tag)
    except CardRefused:
        return None
