# SPDX-License-Identifier: Apache-2.0
"""What the issuer is asked and told: DE55, its answers, advices and reversals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import CONFIG, ScriptedIssuer, approve, order, refuse, transaction

from apdu.tlv import build, parse, tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from host.network.authorisation import AuthorisationResponse, EntryMode, NoAnswer, Purpose
from host.terminal.kernel.online import chip_data, go_online, issuer_data, request
from host.terminal.kernel.reversal import deliver, owed, tell
from host.terminal.kernel.transaction import Outcome, Transaction

ANSWERED = {
    tags.AC: bytes.fromhex("1122334455667788"),
    tags.CID: b"\x80",
    tags.IAD: bytes.fromhex("07010103A0000001"),
    tags.ATC: b"\x00\x0a",
    tags.AIP: b"\x7c\x00",
}
ELEMENTS = {
    *(tags.AC, tags.CID, tags.IAD, tags.UNPREDICTABLE_NUMBER, tags.ATC, tags.TVR, tags.DATE),
    *(tags.TRANSACTION_TYPE, tags.AMOUNT, tags.CURRENCY, tags.AIP, tags.TERMINAL_COUNTRY),
    *(tags.OTHER_AMOUNT, tags.TERMINAL_CAPABILITIES, tags.CVM_RESULTS, tags.TERMINAL_TYPE),
    *(tags.DEVICE_SERIAL, tags.DF_NAME, tags.TERMINAL_VERSION, tags.SEQUENCE_COUNTER, tags.PSN),
}
"""What UnionPay's network wants in every request."""


def made(card: dict[int, bytes] | None = None, **fields: Any) -> Transaction:
    asked = fields.pop("given", order())
    given = {"cvm_results": b"\x1f\x00\x02", **fields}
    return transaction(ANSWERED | (card or {}), asked, CONFIG, **given)


def de55(found: Transaction) -> dict[int, bytes]:
    items = parse(chip_data(found))
    assert len(items) == len({item.tag for item in items})
    return {item.tag: item.value for item in items}


def test_a_request_has_what_the_network_wants() -> None:
    found = de55(made())
    assert set(found) == ELEMENTS
    assert DEBIT_AID == found[tags.DF_NAME]
    assert bytes.fromhex("000000001234") == found[tags.AMOUNT]
    assert ANSWERED.items() <= found.items()


def test_what_there_is_besides_is_told_too() -> None:
    code, product = {tags.EC_AUTHORISATION_CODE: b"ECC001"}, {tags.PRODUCT: bytes(15) + b"\1"}
    found = made(code | product, cash=True, response_code="Y3", script_results=bytes(5))
    extra = {**code, **product, tags.ARC: b"Y3", tags.SCRIPT_RESULTS: bytes(5)}
    assert ELEMENTS | set(extra) == set(de55(found))
    assert extra.items() <= de55(found).items()
    found.cash = False
    assert tags.EC_AUTHORISATION_CODE not in de55(found)


def test_a_request_names_the_transaction_and_carries_the_pin_block() -> None:
    found = made(pin_block=b"\xaa" * 8, given=order(5, Purpose.TRANSFER, target="6228"))
    asked = request(found, CONFIG, EntryMode.CONTACTLESS)
    assert ("6228000100001117", "01", "6228") == (asked.pan, asked.psn, asked.target)
    assert (5, Purpose.TRANSFER, False) == (asked.amount, asked.purpose, asked.advice)
    assert (CONFIG.id, CONFIG.merchant_id) == (asked.terminal_id, asked.merchant_id)
    assert (EntryMode.CONTACTLESS, b"\xaa" * 8) == (asked.entry_mode, asked.pin_block)
    told = request(found, CONFIG, advice=True)
    assert (True, b"") == (told.advice, told.pin_block)


# Answers


def asked(answer: AuthorisationResponse | NoAnswer) -> tuple[Transaction, object]:
    found = made()
    return found, go_online(found, CONFIG, ScriptedIssuer(answer))


def test_an_answer_goes_into_the_transaction() -> None:
    scripts = [tlv(0x71, [tlv(0x86, bytes(4))]), tlv(0x72, [tlv(0x86, bytes(4))])]
    icc = build([tlv(0x91, bytes(10)), *scripts, scripts[1]])
    found, answered = asked(approve(icc))
    assert (bytes(10), (scripts[0],), (scripts[1], scripts[1])) == answered
    assert ("00", "A12345") == (found.response_code, found.authorisation_code)
    assert found.request is not None and found.response is not None


def test_a_refusal_is_an_answer() -> None:
    found, answered = asked(refuse("51"))
    assert (b"", (), ()) == answered
    assert "51" == found.response_code


@pytest.mark.parametrize(
    "answer",
    [
        NoAnswer("silence"),
        approve(b"\x91"),
        approve(bytes(tlv(0x91, bytes(7)))),
        approve(bytes(tlv(0x91, bytes(17)))),
        AuthorisationResponse("0"),
        AuthorisationResponse("000"),
        AuthorisationResponse("0 "),
        AuthorisationResponse("零0"),
    ],
)
def test_what_is_no_answer_leaves_open_what_the_issuer_did(
    answer: AuthorisationResponse | NoAnswer,
) -> None:
    found, answered = asked(answer)
    assert answered is None
    assert found.request is not None
    assert (None, "") == (found.response, found.response_code)


@given(st.binary(max_size=40))
def test_chip_data_of_the_issuer_are_read_or_refused(icc: bytes) -> None:
    found, answered = asked(approve(icc))
    assert (answered is None) == (found.response is None)
    assert found.response is None or issuer_data(found.response)


# What is owed


def ended(outcome: Outcome, answer: AuthorisationResponse | None, asking: bool = True) -> Any:
    found = made()
    if asking:
        found.request, found.response = request(found, CONFIG), answer
    return owed(found, CONFIG, outcome)


FAILED = (Outcome.TERMINATED, Outcome.DECLINED_ONLINE, Outcome.DECLINED_OFFLINE)


@pytest.mark.parametrize("outcome", FAILED)
def test_what_the_issuer_approved_or_may_have_approved_is_reversed(outcome: Outcome) -> None:
    assert "06" == ended(outcome, approve()).reason
    assert "98" == ended(outcome, None).reason
    assert ended(outcome, refuse()) is None
    assert ended(outcome, None, asking=False) is None


def test_what_came_about_online_needs_no_word() -> None:
    assert ended(Outcome.APPROVED_ONLINE, approve()) is None


@pytest.mark.parametrize("asking", [True, False])
def test_what_was_approved_offline_is_told_under_the_same_reference(asking: bool) -> None:
    told = ended(Outcome.APPROVED_OFFLINE, None, asking)
    assert told.advice
    assert order().reference == told.reference


def test_looking_at_a_balance_needs_no_reversal() -> None:
    found = made(given=order(0, Purpose.BALANCE))
    found.request, found.response = request(found, CONFIG), approve()
    assert owed(found, CONFIG, Outcome.TERMINATED) is None


def test_a_reversal_tells_what_the_card_did_with_scripts() -> None:
    found = made(script_results=b"\x21\x00\x00\x00\x01")
    found.request, found.response = request(found, CONFIG), approve()
    message = owed(found, CONFIG, Outcome.TERMINATED)
    assert message is not None
    (told,) = (item for item in parse(message.icc) if item.tag == tags.SCRIPT_RESULTS)
    assert found.script_results == told.value


def test_what_gets_no_answer_stays_outstanding() -> None:
    messages = [ended(Outcome.TERMINATED, None), ended(Outcome.APPROVED_OFFLINE, None)]
    deaf, hearing = ScriptedIssuer(deaf=True), ScriptedIssuer()
    assert tuple(messages) == deliver(messages, deaf)
    assert () == deliver(messages, hearing)
    assert ([messages[0]], [messages[1]]) == (hearing.reversed, hearing.advised)
    found = made()
    assert (messages[0],) == tell(found, messages[0], deaf)
    assert "reversal outstanding" == found.trail[-1].outcome
    assert () == tell(found, messages[1], hearing)
    assert "advice delivered" == found.trail[-1].outcome
