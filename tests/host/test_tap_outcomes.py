# SPDX-License-Identifier: Apache-2.0
"""What a tap comes to: the issuer's word, the card's approval and proof, and a card that leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cardholderbench import People, encipher
from hypothesis import given
from hypothesis import strategies as st
from odacards import FAMILIES, PAN, UNPREDICTABLE, order
from tapcards import (
    AC,
    AFL,
    ATC,
    Desk,
    TapCard,
    de55,
    iad,
    reasons,
    tapped,
)
from terminalfiles import config_with, shipped

from apdu.crypto.pinblock import build_iso_0
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ctq, Result, Tsi, Tvr
from host.faults import CardGone
from host.network.authorisation import EntryMode
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.transaction import Outcome

TC, ARQC, AAC = Result.TC, Result.ARQC, Result.AAC
PAD = PinPad(People(), encipher)


def ctq(*bits: Ctq) -> bytes:
    return sum(bits).to_bytes(2)


# The issuer is asked


def test_an_arqc_goes_to_the_issuer_with_what_the_card_signed() -> None:
    issuer, card = Desk(), TapCard(ARQC)
    found = tapped(card, issuer)
    assert (Outcome.APPROVED_ONLINE, "00") == (found.outcome, found.response_code)
    (request,) = issuer.requests
    assert (EntryMode.CONTACTLESS, PAN, b"") == (
        request.entry_mode,
        request.pan,
        request.pin_block,
    )
    said = de55(request)
    assert {
        tags.AC: AC,
        tags.CID: b"\x80",
        tags.ATC: ATC,
        tags.IAD: iad(ARQC),
        tags.TVR: bytes(5),
        tags.UNPREDICTABLE_NUMBER: UNPREDICTABLE,
    }.items() <= said.items()
    assert [0xA4, 0xA4, 0xA8] == card.commands
    assert issuer.advices == issuer.reversals == []


def test_a_declining_issuer_declines() -> None:
    issuer = Desk("51")
    found = tapped(TapCard(ARQC), issuer)
    assert (Outcome.DECLINED_ONLINE, "51") == (found.outcome, found.response_code)
    assert [] == issuer.reversals


def test_without_an_answer_it_is_declined_and_reversed() -> None:
    issuer = Desk(None)
    found = tapped(TapCard(ARQC), issuer)
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert 1 == len(issuer.reversals) == len(found.outstanding)


def test_what_the_issuer_sends_for_the_card_is_too_late() -> None:
    script = bytes.fromhex("720F9F1804000000018606841E0000041122")
    found = tapped(card := TapCard(ARQC), Desk(icc=script[:2] + script[2:17]))
    assert Outcome.APPROVED_ONLINE is found.outcome
    assert "SCRIPTS not processed" in reasons(found)
    assert [0xA4, 0xA4, 0xA8] == card.commands


def test_an_online_pin_is_asked_for_where_the_ctq_wants_it() -> None:
    issuer, people = Desk(), People()
    card = TapCard(ARQC, ctq=ctq(Ctq.ONLINE_PIN))
    found = tapped(card, issuer, pad=PinPad(people, encipher))
    assert (Outcome.APPROVED_ONLINE, ["online"]) == (found.outcome, people.asked)
    assert encipher(build_iso_0("1234", PAN)) == issuer.requests[0].pin_block
    assert "020000" == found.cvm_results.hex()
    assert "1234" not in reasons(found)


@pytest.mark.parametrize(
    "pad", [None, PinPad(People()), PinPad(People(pins=[None]), encipher)], ids=str
)
def test_without_the_pin_that_the_card_wants_it_is_declined(pad: PinPad | None) -> None:
    issuer = Desk()
    found = tapped(TapCard(ARQC, ctq=ctq(Ctq.ONLINE_PIN)), issuer, pad=pad)
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert issuer.silent


@pytest.mark.parametrize("result", [TC, ARQC])
@pytest.mark.parametrize("wanted", [b"\x40\x00", b"\x00\x00"])
def test_a_signature_is_wanted_where_the_ctq_says_so(result: Result, wanted: bytes) -> None:
    found = tapped(TapCard(result, ctq=wanted), Desk())
    assert found.approved
    assert (wanted == b"\x40\x00") == found.signature_wanted
    assert ("1e0000" if found.signature_wanted else "3f0000") == found.cvm_results.hex()


@pytest.mark.parametrize("result", [TC, ARQC])
def test_a_terminal_that_wants_the_holder_verified_takes_no_card_that_does_not(
    result: Result,
) -> None:
    config, issuer = config_with(application__contactless_cvm_limit=1000), Desk()
    found = tapped(TapCard(result), issuer, config=config)
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert issuer.silent
    signed = tapped(TapCard(result, ctq=ctq(Ctq.SIGNATURE)), issuer, config=config)
    assert signed.approved


def test_an_online_pin_for_an_offline_approval_is_refused() -> None:
    found = tapped(TapCard(TC, ctq=ctq(Ctq.ONLINE_PIN)), Desk(), pad=PAD)
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert "the card has paid" in found.doubt


# The card approves


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("in_record", [False, True])
def test_a_genuine_card_is_approved_and_the_issuer_told(
    family: str, version: int, in_record: bool
) -> None:
    issuer = Desk()
    card = TapCard(TC, family, version, ctq=ctq(Ctq.SIGNATURE), in_record=in_record)
    found = tapped(card, issuer)
    assert (Outcome.APPROVED_OFFLINE, "") == (found.outcome, found.doubt)
    assert f"fDDA succeeded: version 0{version}" in reasons(found)
    assert (Tvr(0), Tsi.ODA_PERFORMED) == (found.tvr, found.tsi)
    assert ([], 1) == (issuer.requests, len(issuer.advices))
    assert issuer.advices[0].advice and EntryMode.CONTACTLESS is issuer.advices[0].entry_mode
    assert [0xA4, 0xA4, 0xA8, *[0xB2] * 4] == card.commands


def test_an_approval_that_cannot_be_told_yet_is_outstanding() -> None:
    found = tapped(TapCard(TC))
    assert (Outcome.APPROVED_OFFLINE, 1) == (found.outcome, len(found.outstanding))


def test_version_01_is_for_terminals_that_know_it() -> None:
    config = config_with(application__ttq="36000000")
    assert "version 00" in reasons(tapped(TapCard(TC, version=0), config=config))
    old = TapCard(TC, version=1)
    assert "fDDA failed" in reasons(tapped(old, config=config))


FORGED: list[tuple[str, dict[str, Any], str]] = [
    ("signature", {"changes": {tags.SIGNED_DYNAMIC_DATA: bytes(144)}}, "9F4B"),
    ("no signature", {"changes": {tags.SIGNED_DYNAMIC_DATA: None}}, "9F4B: the card has none"),
    ("CTQ", {"changes": {tags.CTQ: b"\x40\x00"}}, "its CTQ is not the one"),
    ("AIP", {"changes": {tags.AIP: b"\x40\x00"}}, "the card does not have DDA"),
]


@pytest.mark.parametrize(("forged", "more", "why"), FORGED, ids=lambda each: str(each)[:12])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("wanted", [b"\0\0", b"\x20\x00", b"\x10\x00", b"\x30\x00"])
@pytest.mark.parametrize("ttq", ["36000080", "26000080"])
def test_where_authentication_fails_the_ctq_decides(
    forged: str, more: dict[str, Any], why: str, online: bool, wanted: bytes, ttq: str
) -> None:
    config = config_with(application__ttq=ttq)
    issuer = Desk() if online else None
    changes = dict(more["changes"])
    if tags.CTQ in changes:
        changes[tags.CTQ] = bytes((wanted[0] ^ 0x40, 0))
    found = tapped(TapCard(TC, ctq=wanted, changes=changes), issuer, config=config)
    assert f"fDDA failed: {why}" in reasons(found) or why in reasons(found)
    if wanted[0] & 0x20 and online:
        expected = Outcome.APPROVED_ONLINE
        assert issuer is not None and ([], 1) == (issuer.requests, len(issuer.advices))
    elif wanted[0] & 0x10 and ttq == "36000080":
        expected = Outcome.USE_CONTACT
    else:
        expected = Outcome.DECLINED_OFFLINE
    assert expected is found.outcome
    assert (expected is Outcome.APPROVED_ONLINE) != ("the card has paid" in found.doubt)


@pytest.mark.parametrize(
    ("code", "outcome", "reversed"),
    [("63", Outcome.DECLINED_ONLINE, 0), (None, Outcome.DECLINED_OFFLINE, 1)],
)
def test_an_approval_that_nobody_can_prove_is_none_and_the_card_has_paid(
    code: str | None, outcome: Outcome, reversed: int
) -> None:
    issuer = Desk(code)
    changes = {tags.SIGNED_DYNAMIC_DATA: bytes(144)}
    found = tapped(TapCard(TC, ctq=ctq(Ctq.ONLINE_IF_ODA_FAILS), changes=changes), issuer)
    assert outcome is found.outcome
    assert "the card has paid" in found.doubt
    assert ([], 1, reversed) == (issuer.requests, len(issuer.advices), len(issuer.reversals))


@pytest.mark.parametrize(
    ("static", "why"),
    [
        ("5A086228000100001117 5F2403260104", "the application has expired"),
        ("5A086228000100001117 5F2503260106 5F2403401231", "not yet effective"),
    ],
)
def test_a_card_out_of_its_dates_is_declined(static: str, why: str) -> None:
    issuer = Desk()
    found = tapped(TapCard(TC, static=bytes.fromhex(static)), issuer)
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert why in reasons(found) and issuer.silent


@pytest.mark.parametrize("day", [4, 5])
def test_a_card_is_good_on_its_last_day(day: int) -> None:
    static = bytes.fromhex("5A086228000100001117 5F2403260105")
    found = tapped(TapCard(TC, static=static), ordered=order(time=datetime(2026, 1, day, 23)))
    assert found.approved


def test_a_card_on_the_exception_file_is_declined() -> None:
    config = replace(shipped(), exceptions=frozenset({PAN}))
    assert Outcome.DECLINED_OFFLINE is tapped(TapCard(TC), config=config).outcome


# The card leaves


@pytest.mark.parametrize("result", [TC, ARQC, AAC])
@pytest.mark.parametrize("at", range(8))
def test_a_card_that_leaves_leaves_a_doubt_only_where_it_may_have_paid(
    result: Result, at: int
) -> None:
    issuer, card = Desk(), TapCard(result, pulled_at=at)
    found = tapped(card, issuer)
    whole = 7 if result is TC else 3
    if at >= whole:
        assert found.doubt == "" and found.fault is None
        return
    assert (Outcome.TERMINATED, CardGone) == (found.outcome, type(found.fault))
    last = at == whole - 1 and result is TC
    assert last == ("the card may have paid" in found.doubt)
    assert int(last) == len(found.outstanding)
    assert issuer.silent


# Whatever a card says


@given(
    st.sampled_from([0xA4, 0xA8, 0xB2]), st.binary(max_size=80), st.sampled_from([0x9000, 0x6283])
)
def test_whatever_a_card_answers_there_is_a_result(ins: int, data: bytes, sw: int) -> None:
    issuer = Desk()
    found = tapped(TapCard(TC, words={ins: data + sw.to_bytes(2)}), issuer)
    assert not found.approved
    assert found.as_json()["trail"] is not None
    assert issuer.silent


@given(st.sampled_from([TC, ARQC]), st.data())
def test_whatever_an_element_is_there_is_a_result(result: Result, data: st.DataObject) -> None:
    known = [item.tag for item in TapCard(result).answer()]
    tag = data.draw(st.sampled_from([*known, tags.CID, tags.PSN, 0x5F20]))
    changes = {tag: data.draw(st.binary(max_size=30))}
    found = tapped(TapCard(result, changes=changes), Desk())
    assert found.outcome in Outcome


def test_an_afl_of_more_than_there_is_ends_it() -> None:
    changes = {tags.AFL: AFL + bytes.fromhex("20010100")}
    card = TapCard(TC, changes=changes, words={})
    card.records = {(4, 1): b"\x70\x03\x57\x01\x11"}
    found = tapped(card, Desk())
    assert Outcome.TERMINATED is found.outcome
