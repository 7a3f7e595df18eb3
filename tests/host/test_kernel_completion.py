# SPDX-License-Identifier: Apache-2.0
"""Cryptograms, issuer authentication, scripts and the end, with a card that answers by rules."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import CONFIG, Rule, RuledCard, ac, approve, gone, order, refuse, transaction

from apdu.crypto.script import Script
from apdu.tlv import Tlv, parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, Result, Tsi, Tvr
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardGone
from host.network.authorisation import AuthorisationResponse, Purpose
from host.terminal.kernel import completion, cryptogram, scripts
from host.terminal.kernel.online import IssuerData, request
from host.terminal.kernel.transaction import Outcome, Transaction

ARPC = bytes.fromhex("21415243527CE78F3030")
COMMAND = bytes.fromhex("04DA9F580500A1B2C3D4")
SECOND = bytes.fromhex("04DA9F590500A1B2C3D4")
ANSWER = IssuerData(ARPC, (), ())
REFUSED, BELIEVED = b"\x69\x88", b"\x90\x00"


def script(*commands: bytes, tag: int = 0x72, name: bytes = b"\0\0\0\7") -> Tlv:
    (found,) = parse(Script(commands, name, tag).build())
    return found


def at_the_issuer(
    response: AuthorisationResponse | None, purpose: Purpose = Purpose.PURCHASE
) -> Transaction:
    """A transaction whose card gave an ARQC, and the issuer its answer."""
    found = transaction(given=order(1000, purpose), aip=int(Aip.ISSUER_AUTHENTICATION), cid=0x80)
    found.request, found.response = request(found, CONFIG), response
    found.response_code = response.response_code if response else ""
    return found


def completed(
    *rules: Rule,
    response: AuthorisationResponse | None = None,
    data: IssuerData = ANSWER,
    purpose: Purpose = Purpose.PURCHASE,
    **fields: Any,
) -> tuple[Outcome, Transaction, RuledCard]:
    found = at_the_issuer(response or approve(), purpose)
    for name, value in fields.items():
        setattr(found, name, value)
    card = RuledCard(*rules)
    return completion.complete(found, PbocClient(Card(card)), data), found, card


# Cryptograms


@pytest.mark.parametrize("kind", Result)
def test_the_card_is_asked_with_what_its_list_wants(kind: Result) -> None:
    found = transaction()
    found.tvr = Tvr.FLOOR_LIMIT_EXCEEDED
    card = RuledCard()
    cryptogram.first(found, PbocClient(Card(card)), kind)
    data = "000000001234000000000000015600000080000156260105001E78EEBC"
    assert [f"80AE{kind << 6:02X}00{len(data) // 2:02X}{data}00"] == card.log
    assert data == found.first_data.hex().upper()
    assert Tsi.CARD_RISK_MANAGED == found.tsi
    assert kind is found.result
    expected = {tags.CID: bytes((kind << 6,)), tags.ATC: b"\x00\x0a"}
    assert expected.items() <= found.card.items()
    assert kind.name == found.trail[-1].outcome


def test_a_hash_that_a_list_wants_is_over_what_the_cards_tdol_asks_for() -> None:
    for tdol, over, bit in (
        ("9F02069A03", "000000001234260105", 0),
        ("99049F2608", "00" * 12, 0),
        (None, "", Tvr.DEFAULT_TDOL_USED),
    ):
        given = {tags.CDOL1: bytes.fromhex("98149505")}
        if tdol is not None:
            given[tags.TDOL] = bytes.fromhex(tdol)
        found = transaction(given)
        cryptogram.first(found, PbocClient(Card(RuledCard())), Result.ARQC)
        hashed = sha1(bytes.fromhex(over)).digest()  # noqa: S324 - the rule says SHA-1
        assert hashed + int(bit).to_bytes(5) == found.first_data
        assert bit == found.tvr


def test_an_aac_is_never_asked_for_with_a_signature_and_a_lost_one_not_again() -> None:
    for kind, prepared, p1 in (
        (Result.AAC, True, "00"),
        (Result.TC, True, "50"),
        (Result.ARQC, True, "90"),
        (Result.ARQC, False, "80"),
    ):
        found = transaction(cda=prepared)
        card = RuledCard(("^80AE", ac(kind << 6)))
        cryptogram.first(found, PbocClient(Card(card)), kind)
        assert f"80AE{p1}" == card.log[0][:6]
        # This card signs nothing, so what was to be signed has failed.
        assert (p1 in ("50", "90")) == cryptogram.combined_failed(found)
        card.rules.insert(0, ("^80AE", ac(0)))
        cryptogram.second(found, PbocClient(Card(card)), Result.TC)
        assert ("80AE50" if kind is Result.AAC else "80AE40") == card.log[1][:6]
    assert 0xA00000 == cryptogram.card_results(bytes.fromhex("07010103A0000001"))
    assert 0 == cryptogram.card_results(b"\x06" + bytes(7)) == cryptogram.card_results(b"")


def test_after_an_answer_the_second_cryptogram_is_not_signed_again() -> None:
    for response, p1 in ((approve(), "40"), (None, "50")):
        found = at_the_issuer(response)
        found.cda = True
        card = RuledCard(("^80AE", ac(0x40)))
        cryptogram.second(found, PbocClient(Card(card)), Result.TC)
        assert f"80AE{p1}" == card.log[0][:6]


# Issuer authentication


def test_the_issuer_is_authenticated_by_what_it_sent() -> None:
    outcome, found, card = completed()
    assert Outcome.APPROVED_ONLINE is outcome
    assert [f"008200000A{ARPC.hex().upper()}"] == card.sent("^0082")
    assert Tsi.ISSUER_AUTHENTICATED & found.tsi
    assert 0 == found.tvr
    assert "80AE40" == card.log[-1][:6]
    assert b"00".hex() + "000000001000" == card.log[-1][10:26]


def test_an_issuer_that_the_card_does_not_believe_is_in_the_tvr_and_in_cdol2() -> None:
    outcome, found, card = completed(("^0082", b"\x63\x00"))
    assert Tvr.ISSUER_AUTHENTICATION_FAILED == found.tvr
    assert "0000000040" in card.log[-1]
    assert Outcome.APPROVED_ONLINE is outcome  # the card has the last word, and said TC


def test_without_need_or_data_nothing_is_authenticated() -> None:
    for fields in ({"aip": 0}, {"data": IssuerData(b"", (), ())}):
        _, found, card = completed(**fields)
        assert [] == card.sent("^0082")
        assert not Tsi.ISSUER_AUTHENTICATED & found.tsi


# The end


@pytest.mark.parametrize(
    ("response", "cid", "p1", "outcome"),
    [
        (approve(), 0x40, "40", Outcome.APPROVED_ONLINE),
        (approve(), 0x00, "40", Outcome.DECLINED_ONLINE),
        (refuse("51"), 0x00, "00", Outcome.DECLINED_ONLINE),
        (refuse("01"), 0x00, "00", Outcome.DECLINED_ONLINE),
    ],
)
def test_issuer_and_card_must_both_approve(
    response: AuthorisationResponse, cid: int, p1: str, outcome: Outcome
) -> None:
    found, _, card = completed(("^80AE", ac(cid)), response=response)
    assert outcome is found
    assert f"80AE{p1}" == card.log[-1][:6]


@pytest.mark.parametrize("cid", [0x40, 0x80])
def test_a_card_cannot_approve_what_the_issuer_declined(cid: int) -> None:
    with pytest.raises(CardFault):
        completed(("^80AE", ac(cid)), response=refuse())


def test_without_the_issuer_the_default_codes_decide() -> None:
    for bit, code, outcome in (
        (0, "Y3", Outcome.APPROVED_OFFLINE),
        (Tvr.FLOOR_LIMIT_EXCEEDED, "Z3", Outcome.DECLINED_OFFLINE),
    ):
        found = at_the_issuer(None)
        found.tvr = Tvr(bit)
        found.card |= {tags.IAC_DEFAULT: bytes(5)}
        card = RuledCard()
        assert outcome is completion.complete_unable(found, PbocClient(Card(card)))
        assert code == found.response_code
        assert code.encode().hex().upper() == card.log[-1][10:14]


def test_offline_the_terminal_gives_the_code_itself() -> None:
    for cid, code, outcome in (
        (0x40, "Y1", Outcome.APPROVED_OFFLINE),
        (0x00, "Z1", Outcome.DECLINED_OFFLINE),
    ):
        found = transaction(cid=cid)
        card = RuledCard()
        assert outcome is completion.complete_offline(found, PbocClient(Card(card)))
        assert (code, []) == (found.response_code, card.log)


@pytest.mark.parametrize("cid", [0x40, 0x80])
def test_a_signature_that_does_not_hold_declines(cid: int) -> None:
    found = transaction(cid=cid)
    found.tvr = Tvr.CDA_FAILED
    card = RuledCard()
    outcome = completion.complete_offline(found, PbocClient(Card(card)))
    assert Outcome.DECLINED_OFFLINE is outcome
    # An ARQC leaves the card waiting: it is told AAC, with Z1.
    assert (["80AE00"] if cid == 0x80 else []) == [each[:6] for each in card.log]


# Scripts


def test_scripts_stand_before_and_after_the_second_cryptogram() -> None:
    data = IssuerData(ARPC, (script(COMMAND, tag=0x71),), (script(SECOND), script(SECOND)))
    outcome, found, card = completed(data=data)
    assert ["0082", "04DA9F58", "80AE", "04DA9F59", "04DA9F59"] == [
        each[:8] if each.startswith("04") else each[:4] for each in card.log
    ]
    assert Outcome.APPROVED_ONLINE is outcome
    assert Tsi.SCRIPTS_PROCESSED & found.tsi
    assert bytes.fromhex("2000000007" * 3) == found.script_results


@pytest.mark.parametrize(
    ("tag", "bit"),
    [(0x71, Tvr.SCRIPT_FAILED_BEFORE_FINAL), (0x72, Tvr.SCRIPT_FAILED_AFTER_FINAL)],
)
def test_a_command_that_fails_ends_its_script_alone(tag: int, bit: Tvr) -> None:
    broken = script(COMMAND, SECOND, COMMAND, tag=tag)
    whole = script(COMMAND, tag=tag)
    pair = (broken, whole)
    data = IssuerData(ARPC, pair if tag == 0x71 else (), pair if tag == 0x72 else ())
    _, found, card = completed(("^04DA9F59", REFUSED), data=data)
    assert bytes.fromhex("12000000072000000007") == found.script_results
    assert bit == found.tvr
    assert ["9F58", "9F59", "9F58"] == [each[4:8] for each in card.sent("^04DA")]


def test_a_warning_does_not_end_a_script() -> None:
    data = IssuerData(ARPC, (), (script(COMMAND, SECOND),))
    _, found, card = completed(("^04DA9F58", b"\x63\x10"), data=data)
    assert bytes.fromhex("2000000007") == found.script_results
    assert 2 == len(card.sent("^04DA"))


@pytest.mark.parametrize("raw", ["", "860304DA9F", "500141", "860604DA9F790501"])
def test_a_script_that_is_none_has_failed(raw: str) -> None:
    template = Tlv(0x72, bytes.fromhex(raw), ())
    _, found, card = completed(data=IssuerData(ARPC, (), (template,)))
    assert bytes.fromhex("1000000000") == found.script_results
    assert Tvr.SCRIPT_FAILED_AFTER_FINAL == found.tvr
    assert [] == card.sent("^04")


def test_more_scripts_than_there_is_room_for_are_not_processed() -> None:
    long = script(*[b"\x04\xda\x9f\x58\xf0" + bytes(240)] * 2)
    data = IssuerData(ARPC, (), (long, long, long))
    _, found, card = completed(data=data)
    assert ["20", "20", "00"] == [found.script_results[at : at + 1].hex() for at in (0, 5, 10)]
    assert 4 == len(card.sent("^04DA"))
    assert len(bytes(long)) * 2 <= scripts.LONGEST < len(bytes(long)) * 3


def test_a_card_that_is_pulled_in_a_script_has_approved_all_the_same() -> None:
    data = IssuerData(ARPC, (), (script(COMMAND), script(SECOND)))
    outcome, found, card = completed(("^04DA9F58", gone()), data=data)
    assert Outcome.APPROVED_ONLINE is outcome
    assert [] == card.sent("^04DA9F59")
    assert bytes.fromhex("11000000070000000007") == found.script_results


def test_a_card_that_is_pulled_before_it_approved_has_not() -> None:
    data = IssuerData(ARPC, (script(COMMAND, tag=0x71),), ())
    with pytest.raises(CardGone):
        completed(("^04DA9F58", gone()), data=data)


# What is done by a script


@pytest.mark.parametrize("purpose", sorted(completion.BY_SCRIPT, key=lambda each: each.value))
def test_what_a_script_does_is_done_only_when_it_succeeded(purpose: Purpose) -> None:
    after = IssuerData(ARPC, (), (script(COMMAND),))
    assert Outcome.APPROVED_ONLINE is completed(data=after, purpose=purpose)[0]
    assert Outcome.DECLINED_ONLINE is completed(purpose=purpose)[0]
    refused = completed(("^04DA", REFUSED), data=after, purpose=purpose)
    assert Outcome.DECLINED_ONLINE is refused[0]
    for way in (after, IssuerData(ARPC, (script(COMMAND, tag=0x71),), ())):
        with pytest.raises(completion.CardLost):
            completed(("^04DA", gone()), data=way, purpose=purpose)
    lost = completed(("^04DA", gone()), data=after, purpose=purpose, response=refuse())
    assert Outcome.DECLINED_ONLINE is lost[0]


@given(st.lists(st.sampled_from([BELIEVED, REFUSED, b"\x6a\x80"]), min_size=1, max_size=8))
def test_results_tell_of_every_script_in_its_order(answers: list[bytes]) -> None:
    templates = tuple(
        script(bytes((0x04, 0xDA, 0x9F, 0x70, 1, at)), name=at.to_bytes(4))
        for at in range(len(answers))
    )
    rules: list[Rule] = [(f"^04DA9F7001{at:02X}", answer) for at, answer in enumerate(answers)]
    _, found, _ = completed(*rules, data=IssuerData(ARPC, (), templates))
    expected = b"".join(
        bytes((0x20 if answer == BELIEVED else 0x11,)) + at.to_bytes(4)
        for at, answer in enumerate(answers)
    )
    assert expected == found.script_results
    assert any(answer != BELIEVED for answer in answers) == bool(found.tvr)
