# SPDX-License-Identifier: Apache-2.0
"""The bank's application in verbs: what goes over the wire, and what of the answers is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import RuledCard, ac

from apdu.command import CommandAPDU
from apdu.errors import FormatError
from apdu.wire.iso7816 import Occurrence
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID, PARTIAL_AID
from apdu.wire.pboc.flags import Result
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardMisspoke, CardRefused, NotFound, PinBlocked, PinWrong

PERMISSION = (Result.AAC, Result.ARQC, Result.TC)
"""From the least that a card may give to the most."""


def answering(answer: str) -> tuple[RuledCard, PbocClient]:
    card = RuledCard((".*", bytes.fromhex(answer)), otherwise=())
    return card, PbocClient(Card(card))


# Selection


def test_an_application_is_selected_by_the_beginning_of_its_name() -> None:
    card, client = answering("6F0F8408A000000333010101A5035001419000")
    found = client.select(PARTIAL_AID, Occurrence.NEXT)
    assert ["00A4040207A000000333010100"] == card.log
    assert (DEBIT_AID, False) == (found.name, found.blocked)
    assert {tags.LABEL: b"A"} == found.elements


def test_a_blocked_application_says_so_with_its_fci() -> None:
    _, client = answering("6F0A8408A0000003330101016283")
    assert client.select(DEBIT_AID).blocked


def test_what_stands_in_the_issuers_own_part_of_the_fci_is_found() -> None:
    _, client = answering("6F158408A000000333010101A509BF0C069F4D030B0A009000")
    assert {tags.LOG_ENTRY: bytes.fromhex("0B0A00")}.items() <= client.select(
        DEBIT_AID
    ).elements.items()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("9000", "one template 6F"),
        ("70009000", "one template 6F"),
        ("6F02A5009000", "84 is missing"),
        ("6F0684041122334455"[:16] + "9000", "84 has 4 bytes"),
        ("6F0A8408A0000003330101016282", "6282"),
        ("6F0B8409A000000333010101029000", ""),
        ("6F108408A000000333010101A504500141500142"[:36] + "9000", ""),
    ],
)
def test_an_fci_that_is_none_is_not_believed(answer: str, why: str) -> None:
    _, client = answering(answer)
    if why:
        with pytest.raises(CardMisspoke, match=why):
            client.select(DEBIT_AID)


def test_a_name_that_does_not_begin_as_asked_is_not_believed() -> None:
    _, client = answering("6F0A8408A0000003330101029000")
    with pytest.raises(CardMisspoke, match="not that of the application"):
        client.select(DEBIT_AID)


def test_an_element_that_stands_twice_is_not_believed() -> None:
    _, client = answering("6F128408A000000333010101A5065001415001429000")
    with pytest.raises(CardMisspoke, match="50 is there twice"):
        client.select(DEBIT_AID)


# Reading


def test_a_record_is_asked_for_by_its_file_and_number() -> None:
    card, client = answering("70009000")
    assert b"\x70\x00" == client.record(3, 4)
    assert ["00B2041C00"] == card.log


def test_a_data_element_comes_without_its_tag() -> None:
    card, client = answering("9F360200059000")
    assert b"\x00\x05" == client.data(tags.ATC)
    assert ["80CA9F3600"] == card.log


@pytest.mark.parametrize("answer", ["9F1302000590009000"[:14], "9000", "9F36029F9000"])
def test_another_data_element_is_not_believed(answer: str) -> None:
    _, client = answering(answer)
    with pytest.raises(CardMisspoke):
        client.data(tags.ATC)


def test_a_data_element_that_is_not_there_is_not_found() -> None:
    _, client = answering("6A88")
    with pytest.raises(NotFound):
        client.data(tags.ATC)


# The transaction


@pytest.mark.parametrize("answer", ["80067C00080101009000", "770A82027C009404080101009000"])
def test_options_come_in_two_formats(answer: str) -> None:
    card, client = answering(answer)
    found = client.processing_options(b"\x11\x22")
    assert ["80A80000048302112200"] == card.log
    assert (0x7C00, bytes.fromhex("08010100")) == (found.aip, found.afl)
    assert {tags.AIP: b"\x7c\x00", tags.AFL: bytes.fromhex("08010100")} == found.elements


@pytest.mark.parametrize(
    "answer",
    ["8001009000", "77049404080101009000"[:16] + "9000", "70038202009000", "77038201009000"],
)
def test_options_without_an_aip_are_not_believed(answer: str) -> None:
    _, client = answering(answer)
    with pytest.raises(CardMisspoke):
        client.processing_options(b"")


@pytest.mark.parametrize("answer", ["8003AABBCC9000", "77069F4B03AABBCC9000"])
def test_a_dynamic_signature_comes_in_two_formats(answer: str) -> None:
    card, client = answering(answer)
    assert bytes.fromhex("AABBCC") == client.internal_authenticate(bytes(4))
    assert ["00880000040000000000"] == card.log


@pytest.mark.parametrize(
    ("sw", "fault"),
    [("63C2", PinWrong), ("6983", PinBlocked), ("6984", CardRefused), ("6283", CardRefused)],
)
def test_only_9000_proves_a_pin(sw: str, fault: type[CardRefused]) -> None:
    card, client = answering(sw)
    with pytest.raises(fault):
        client.verify(bytes.fromhex("241234FFFFFFFFFF"))
    assert ["0020008008241234FFFFFFFFFF"] == card.log


@given(st.sampled_from(Result), st.sampled_from(Result), st.booleans(), st.integers(0, 0x3F))
def test_a_card_may_give_less_than_is_asked_for_and_never_more(
    asked: Result, given: Result, final: bool, low: int
) -> None:
    card = RuledCard(("^80AE", ac(given << 6 | low)))
    allowed = PERMISSION.index(given) <= PERMISSION.index(asked)
    allowed = allowed and not (final and given is Result.ARQC)
    client = PbocClient(Card(card))
    if not allowed:
        with pytest.raises(CardMisspoke, match=f"{given.name} where {asked.name}"):
            client.generate_ac(asked, bytes(4), final=final)
        return
    found = client.generate_ac(asked, bytes(4), final=final)
    assert (given, given << 6 | low) == (found.result, found.cid)
    assert bytes.fromhex("1122334455667788") == found.ac


def test_a_signature_is_asked_for_with_b5_of_p1() -> None:
    card = RuledCard(("^80AE", bytes.fromhex("77139F2701409F360200019F4B02AABB9F100207019000")))
    found = PbocClient(Card(card)).generate_ac(Result.TC, b"\x01", cda=True)
    assert ["80AE5000010100"] == card.log
    assert (b"", bytes.fromhex("AABB"), b"\x07\x01") == (found.ac, found.signed, found.iad)


def test_a_counter_of_0_and_a_cid_that_names_nothing_are_not_believed() -> None:
    for answer, why in ((ac(0x80, atc=0), "ATC is 0"), (ac(0xC0), "CID")):
        with pytest.raises(CardMisspoke, match=why):
            PbocClient(Card(RuledCard(("^80AE", answer)))).generate_ac(Result.ARQC, bytes(4))


def test_an_iad_of_more_than_32_bytes_is_not_believed() -> None:
    answer = bytes.fromhex("802C") + ac(0x80)[2:13] + bytes(33) + b"\x90\x00"
    with pytest.raises(CardMisspoke, match="9F10 has 33 bytes"):
        PbocClient(Card(RuledCard(("^80AE", answer)))).generate_ac(Result.ARQC, bytes(4))


@given(st.binary(min_size=1, max_size=20))
def test_the_issuers_data_go_to_the_card_as_they_came(data: bytes) -> None:
    card, client = answering("9000")
    if 8 <= len(data) <= 16:
        client.external_authenticate(data)
        assert [f"00820000{len(data):02X}{data.hex().upper()}"] == card.log
    else:
        with pytest.raises(FormatError):
            client.external_authenticate(data)
        assert [] == card.log


def test_a_script_command_goes_to_the_card_as_it_came() -> None:
    card, client = answering("6988")
    raw = bytes.fromhex("04DA9F790A000000010000AABBCCDD")
    with pytest.raises(CardRefused, match="6988"):
        client.script_command(CommandAPDU.parse(raw))
    assert [raw.hex().upper()] == card.log
