# SPDX-License-Identifier: Apache-2.0
"""The tap at a terminal: what it asks for with GPO, and how it judges the one answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odacards import order
from tapcards import (
    PDOL,
    Desk,
    TapCard,
    iad,
    reasons,
    tapped,
)
from terminalfiles import shipped

from apdu.tlv import tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID, directory_entry, ppse_fci
from apdu.wire.pboc.flags import Result, Ttq
from host.faults import CardMisspoke
from host.network.authorisation import Purpose
from host.terminal.kernel.config import ApplicationParameters, ContactlessLimits
from host.terminal.kernel.contactless import UseContact, qualifiers
from host.terminal.kernel.transaction import CannotGoOn, Outcome

TC, ARQC, AAC = Result.TC, Result.ARQC, Result.AAC


# What the terminal asks for


def parameters(**limits: int) -> ApplicationParameters:
    found = shipped().parameters(DEBIT_AID)
    assert found is not None
    return replace(found, ttq=int(Ttq.QPBOC), contactless=ContactlessLimits(**limits))


@given(
    st.sampled_from([0, 299, 300, 301, 599, 600, 601]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([Purpose.PURCHASE, Purpose.WITHDRAWAL, Purpose.BALANCE]),
)
def test_the_ttq_says_what_the_amount_calls_for(
    amount: int, online: bool, forced: bool, purpose: Purpose
) -> None:
    given = order(amount=amount, force_online=forced, purpose=purpose)
    found = qualifiers(parameters(floor=300, cvm=600), given, online)
    asked = amount > 300 or forced or purpose is not Purpose.PURCHASE
    assert asked == bool(found & Ttq.CRYPTOGRAM_REQUIRED)
    assert (amount > 600) == bool(found & Ttq.CVM_REQUIRED)
    assert (not online) == bool(found & Ttq.OFFLINE_ONLY)
    known = Ttq.CRYPTOGRAM_REQUIRED | Ttq.CVM_REQUIRED | Ttq.OFFLINE_ONLY
    assert int(Ttq.QPBOC) == found & ~int(known)


def test_a_limit_that_is_not_set_is_not_asked() -> None:
    assert int(Ttq.QPBOC) == qualifiers(parameters(), order(amount=10**11), True)


def test_beyond_the_limit_of_taps_the_card_goes_into_the_slot() -> None:
    assert qualifiers(parameters(transaction=500), order(amount=500), True)
    with pytest.raises(UseContact, match="501 fen, the limit of a tap"):
        qualifiers(parameters(transaction=500), order(amount=501), True)
    card = TapCard()
    assert Outcome.USE_CONTACT is tapped(card, ordered=order(amount=5000001)).outcome
    assert 0xA8 not in card.commands


@pytest.mark.parametrize("purpose", [Purpose.LOAD, Purpose.CASH_LOAD, Purpose.PIN_CHANGE])
def test_what_a_script_does_is_done_in_the_slot(purpose: Purpose) -> None:
    found = tapped(TapCard(), Desk(), ordered=order(purpose=purpose))
    assert Outcome.USE_CONTACT is found.outcome


def test_gpo_has_the_pdol_filled_with_the_ttq_in_it() -> None:
    card = TapCard()
    tapped(card, Desk(), ordered=order(amount=100001))
    (gpo,) = (each for each in card.heard if each[1] == 0xA8)
    data = "36C00080 000000100001 000000000000 0156 0000000000 0156 260105 00 1E78EEBC 01"
    assert bytes.fromhex(f"80A80000 24 8322 {data} 00") == gpo


# Selection


@pytest.mark.parametrize(
    ("words", "why"),
    [({0xA4: b"\x6a\x82"}, "no application in common"), ({0xA4: b"\x62\x83"}, "SELECT")],
)
def test_without_an_application_there_is_no_tap(words: dict[int, bytes], why: str) -> None:
    card = TapCard(words=words)
    found = tapped(card, Desk())
    assert Outcome.TERMINATED is found.outcome
    assert why in reasons(found)


def test_a_card_without_ppse_is_not_tapped() -> None:
    class Without(TapCard):
        def transmit(self, command: bytes) -> bytes:
            return b"\x6a\x82"

    found = tapped(Without())
    assert (Outcome.TERMINATED, CannotGoOn) == (found.outcome, type(found.fault))


def test_the_first_in_the_cards_order_that_is_known_and_not_blocked_is_taken() -> None:
    names = [DEBIT_AID[:7] + bytes((number,)) for number in (2, 3, 1)]
    other = bytes.fromhex("A0000000031010")

    def entry(name: bytes, priority: int) -> bytes:
        inside = [tlv(tags.ADF_NAME, name), tlv(tags.LABEL, b"X"), tlv(0x87, bytes((priority,)))]
        return bytes(tlv(tags.APPLICATION_TEMPLATE, inside))

    listed = [entry(other, 1), entry(names[0], 3), entry(names[1], 2), entry(names[2], 15)]

    class Choosy(TapCard):
        def transmit(self, command: bytes) -> bytes:
            if names[1] in command:
                self.heard.append(command)
                self.selected = names[1]
                return self.fci() + b"\x62\x83"
            if names[0] in command:
                self.selected = names[0]
            return super().transmit(command)

    card = Choosy(ppse=ppse_fci(*listed))
    found = tapped(card, Desk())
    assert (Outcome.APPROVED_OFFLINE, names[0]) == (found.outcome, found.aid)
    asked = [each[5:13] for each in card.heard if each[1] == 0xA4]
    assert [names[1], names[0]] == asked[1:]


@pytest.mark.parametrize(
    "ppse",
    [
        ppse_fci(directory_entry(), directory_entry()),
        ppse_fci(*[directory_entry(DEBIT_AID[:7] + bytes((n,)), b"") for n in range(1, 10)] * 4),
        b"\x6f\x00",
        b"",
    ],
    ids=["twice", "36", "empty", "nothing"],
)
def test_a_ppse_that_is_none_is_the_cards_fault(ppse: bytes) -> None:
    found = tapped(TapCard(ppse=ppse))
    assert (Outcome.TERMINATED, CardMisspoke) == (found.outcome, type(found.fault))


# GPO


@pytest.mark.parametrize("sw", [b"\x69\x85", b"\x69\x84"])
def test_a_card_that_wants_the_slot_gets_it_where_there_is_one(sw: bytes) -> None:
    card = TapCard(words={0xA8: sw})
    assert Outcome.USE_CONTACT is tapped(card, Desk()).outcome
    without = replace(shipped(), capabilities=shipped().capabilities & ~0x200000)
    assert Outcome.DECLINED_OFFLINE is tapped(card, Desk(), config=without).outcome


def test_any_other_refusal_ends_it() -> None:
    found = tapped(TapCard(words={0xA8: b"\x6a\x80"}), Desk())
    assert Outcome.TERMINATED is found.outcome


def test_a_pdol_without_ttq_is_for_the_slot() -> None:
    card = TapCard(pdol=PDOL[3:])
    assert Outcome.USE_CONTACT is tapped(card).outcome
    assert 0xA8 not in card.commands


def test_an_answer_without_cryptogram_is_for_the_slot() -> None:
    assert Outcome.USE_CONTACT is tapped(TapCard(changes={tags.AC: None}), Desk()).outcome


WRONG: list[tuple[Result, dict[int, bytes | None], str]] = [
    (TC, {tags.ATC: None}, "9F36 is missing"),
    (TC, {tags.IAD: None}, "9F10 is missing"),
    (TC, {tags.TRACK_2: None}, "57 is missing"),
    (TC, {tags.AIP: None}, "82 is missing"),
    (TC, {tags.AFL: None}, "without AFL"),
    (TC, {tags.AFL: b"\x10\x01\x02"}, "AFL"),
    (ARQC, {tags.ATC: b"\0\0"}, "ATC is 0"),
    (ARQC, {tags.ATC: b"\7"}, "ATC is 0, or not 2 bytes"),
    (ARQC, {tags.AC: b"1234567"}, "9F26 must be 8 bytes"),
    (ARQC, {tags.TRACK_2: b"\x62\x28"}, "track 2"),
    (ARQC, {tags.IAD: b"\x06\x01\x01\x03"}, "9F10"),
    (ARQC, {tags.IAD: iad(3)}, "9F10"),
    (ARQC, {tags.IAD: iad(ARQC, TC)}, "tells of a second GENERATE AC"),
    (ARQC, {tags.CID: b"\x40"}, "9F27 says otherwise than the CVR"),
    (ARQC, {tags.CTQ: b"\0"}, "CTQ (9F6C): must be 2 bytes"),
    (TC, {tags.CTQ: b"\0\0\0"}, "CTQ (9F6C): must be 2 bytes"),
    (TC, {tags.TRACK_2: bytes.fromhex("6228000100001125D30122010123456789")}, "not that of 5A"),
]


@pytest.mark.parametrize(("result", "changes", "words"), WRONG)
def test_an_answer_that_is_not_right_is_the_cards_fault(
    result: Result, changes: dict[int, bytes | None], words: str
) -> None:
    issuer = Desk()
    found = tapped(TapCard(result, changes=changes), issuer)
    assert (Outcome.TERMINATED, CardMisspoke) == (found.outcome, type(found.fault))
    assert words in str(found.fault)
    assert issuer.silent and not found.approved


def test_a_tc_where_the_issuer_was_to_be_asked_is_the_cards_fault() -> None:
    issuer = Desk()
    found = tapped(TapCard(TC), issuer, ordered=order(force_online=True))
    assert (Outcome.TERMINATED, CardMisspoke) == (found.outcome, type(found.fault))
    assert issuer.silent


def test_an_arqc_for_a_terminal_that_is_offline_is_the_cards_fault() -> None:
    found = tapped(TapCard(ARQC))
    assert (Outcome.TERMINATED, CardMisspoke) == (found.outcome, type(found.fault))


def test_an_aac_is_the_end() -> None:
    issuer, card = Desk(), TapCard(AAC)
    found = tapped(card, issuer)
    assert (Outcome.DECLINED_OFFLINE, "") == (found.outcome, found.doubt)
    assert issuer.silent and 0xB2 not in card.commands
