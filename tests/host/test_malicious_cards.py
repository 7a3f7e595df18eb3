# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken cards: a fault of the family, within bounds, and nobody the worse for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from books import cases
from hypothesis import given
from hypothesis import strategies as st
from liars import WAYS, reached, rules
from paymentdesk import CONFIG, RuledCard, ScriptedIssuer, order, plain_rules, transaction

from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Result
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardFault
from host.terminal.kernel import initiation, records, selection
from host.terminal.kernel.transaction import Outcome, Transaction
from host.terminal.pboc import pay

BOOK = "terminal/malicious_card.json"
PIN_BLOCK = bytes.fromhex("241234FFFFFFFFFF")


def _select(client: PbocClient, made: Transaction) -> None:
    client.select(DEBIT_AID)


def _list_apps(client: PbocClient, made: Transaction) -> None:
    selection.select(made, CONFIG, client)


def _options(client: PbocClient, made: Transaction) -> None:
    selected = client.select(DEBIT_AID)
    made.card.update(selected.elements)
    initiation.initiate_contact(made, client)


def _records(client: PbocClient, made: Transaction) -> None:
    _options(client, made)
    records.read(made, client)


def _generate_ac(client: PbocClient, made: Transaction) -> None:
    client.generate_ac(Result.ARQC, bytes(32))


def _verify(client: PbocClient, made: Transaction) -> None:
    client.verify(PIN_BLOCK)


OPERATIONS: dict[str, tuple[Callable[[PbocClient, Transaction], None], ...]] = {
    "select": (_select,),
    "list_apps": (_list_apps,),
    "gpo": (_options,),
    "read_records_afl": (_records,),
    "generate_ac": (_generate_ac,),
    "verify_pin": (_verify,),
    "any": (_select, _list_apps, _options, _generate_ac),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", cases(BOOK))
def test_what_a_hostile_card_says_is_a_fault_or_harmless(case: dict[str, Any], way: str) -> None:
    for operation in OPERATIONS[case["op"]]:
        card = RuledCard(*rules(case))
        made = transaction()
        made.card.clear()
        try:
            with reached(card, way) as channel:
                operation(PbocClient(Card(channel)), made)
            fault = ""
        except CardFault as error:
            fault = type(error).__name__
        assert fault in (case["faults"] or [""])
        assert len(card.log) <= case["max_exchanges"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", cases(BOOK))
def test_a_whole_transaction_with_a_hostile_card_ends_and_leaves_no_exception(
    case: dict[str, Any], way: str
) -> None:
    card = RuledCard(*rules(case))

    with reached(card, way) as channel:
        result = pay(Card(channel), order(), CONFIG, ScriptedIssuer())

    if case["faults"] and case["op"] != "verify_pin":
        assert not result.approved
        assert (Outcome.TERMINATED is result.outcome) == (result.fault is not None)
    assert len(card.log) <= 1100
    assert (
        Outcome.APPROVED_ONLINE is pay(Card(RuledCard()), order(), CONFIG, ScriptedIssuer()).outcome
    )


@pytest.mark.parametrize("identifier", ["H43", "H44"])
def test_what_a_list_has_no_right_to_is_zeros(identifier: str) -> None:
    (case,) = (found.values[0] for found in cases(BOOK, id=identifier))
    card = RuledCard(*rules(case))
    made = transaction()
    made.card.clear()
    made.terminal[0x99] = PIN_BLOCK
    made.terminal[0x9F26] = PIN_BLOCK
    made.pin_block = PIN_BLOCK

    _options(PbocClient(Card(card)), made)

    (sent,) = card.sent("^80A8")
    assert PIN_BLOCK.hex().upper() not in sent
    expected = "0156" + "00" * 15 if identifier == "H43" else "00" * 16
    assert f"83{len(expected) // 2:02X}{expected}" == sent[10:-2]


@given(st.binary(max_size=60), st.integers(0, len(plain_rules()) - 1))
def test_no_answer_whatever_is_more_than_a_fault(noise: bytes, at: int) -> None:
    rules = plain_rules()
    rules[at] = (rules[at][0], noise)

    result = pay(Card(RuledCard(otherwise=rules)), order(), CONFIG, ScriptedIssuer())

    assert result.as_json()["trail"]


@given(st.data())
def test_no_altered_answer_is_more_than_a_fault(data: st.DataObject) -> None:
    rules = plain_rules()
    at = data.draw(st.integers(0, len(rules) - 1))
    pattern, answer = rules[at]
    assert isinstance(answer, bytes)
    changed = bytearray(answer)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    rules[at] = (pattern, bytes(changed))
    issuer = ScriptedIssuer()

    result = pay(Card(RuledCard(otherwise=rules)), order(), CONFIG, issuer)

    assert result.approved or not issuer.asked or issuer.reversed or not issuer.advised
