# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken social security cards: a fault of the family, and nothing of it used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from books import cases
from liars import WAYS, reached, rules
from paymentdesk import NOON, Rule, RuledCard

from apdu.crypto.suites import SUITES
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.generations import DF01, SSSE
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.spec import DfSpec, items
from apdu.wire.hrss.ssse import HOLDER, HolderData
from apdu.wire.perso import Algorithm
from host.card import Card
from host.cli.testcard import TEST_TERMINAL
from host.clients.hrss import HrssClient
from host.faults import CardFault
from host.keys import CardIdentity, MemoryKeys
from host.ldt33.values import item_text
from host.load import LoadKeys
from host.terminal.authentication import authenticate
from host.terminal.load import LoadTerms, load
from host.terminal.medical import Terms, purchase

BOOK = "terminal/malicious_hrss_card.json"
FCI = b"\x84" + bytes((len(SSSE_NAME),)) + SSSE_NAME
HONEST: tuple[Rule, ...] = (
    ("^00A40400", b"\x6f" + bytes((len(FCI),)) + FCI + b"\x90\x00"),
    ("^00A40000", b"\x90\x00"),
)
KEYS = MemoryKeys(suite=SUITES[Algorithm.TDES])
WHO = CardIdentity("430200", bytes(range(8)))


def _file(directory: DfSpec, sfi: int) -> Callable[[HrssClient], object]:
    (file,) = (each for each in directory.files if each.sfi == sfi)
    return lambda client: client.read(directory, file)


def _item(tag: int) -> Callable[[HrssClient], str]:
    (item,) = (each for each in items(HolderData) if each.tag == tag)
    return lambda client: item_text(item, [client.item(HOLDER, tag)])


OPERATIONS: dict[str, Callable[[HrssClient], object]] = {
    "get_challenge": HrssClient.challenge,
    "authenticate": lambda client: authenticate(client, KEYS, WHO, key_named("PUK")),
    "debit": lambda client: purchase(client, KEYS, WHO, Terms(100, 0, 0, NOON, TEST_TERMINAL)),
    "load": lambda client: load(
        client, LoadKeys(KEYS).allow, WHO, LoadTerms(100, NOON, TEST_TERMINAL)
    ),
    "read_short_file": _file(DF01, 0x16),
    "read_long_file": _file(SSSE, 0x08),
    "read_name": _item(0x09),
    "read_number": _item(0x08),
    "holder": HrssClient.holder,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", cases(BOOK))
def test_what_a_hostile_card_says_to_a_desk_is_a_fault_or_harmless(
    case: dict[str, Any], way: str
) -> None:
    card = RuledCard(*rules(case), otherwise=HONEST)
    fault = ""
    try:
        with reached(card, way) as channel:
            found = OPERATIONS[case["op"]](HrssClient(Card(channel)))
        assert case.get("value", found) == found
    except CardFault as error:
        fault = type(error).__name__
    assert fault in (case["faults"] or [""])
    assert len(card.log) <= case["max_exchanges"] + 1, "SELECT, and these"
    assert len(card.sent("^0082|^B02C")) <= 1
