# SPDX-License-Identifier: Apache-2.0
"""Beginning a transaction and reading what the card has: lists, records, counters, cash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import READ, Rule, RuledCard, transaction

from apdu.tlv import Tlv, build, tlv
from apdu.wire.pboc import tags
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardMisspoke
from host.terminal.kernel.data import MAY_BE_SENT, fill_list, masked
from host.terminal.kernel.initiation import initiate, initiate_contact
from host.terminal.kernel.records import (
    MANDATORY,
    TAP_MANDATORY,
    check_track_2,
    read,
    read_cash,
    read_counters,
)
from host.terminal.kernel.transaction import Transaction

OK, NOT_THERE = b"\x90\x00", b"\x6a\x88"
MANDATORY_PART = [tlv(tag, READ[tag]) for tag in MANDATORY]
TRACK = tlv(tags.TRACK_2, bytes.fromhex("6228000100001117D301220101234567899F"))


def record(*items: Tlv) -> bytes:
    return build([tlv(tags.RECORD_TEMPLATE, items)])


def fresh(**fields: object) -> Transaction:
    found = transaction(**fields)
    found.card.clear()
    return found


def reading(
    afl: str, pages: dict[tuple[int, int], bytes], mandatory: tuple[int, ...] = MANDATORY
) -> tuple[Transaction, RuledCard]:
    rules: list[Rule] = [
        (f"^00B2{number:02X}{sfi << 3 | 4:02X}", raw + OK) for (sfi, number), raw in pages.items()
    ]
    card = RuledCard(*rules, otherwise=[("^00B2", b"\x6a\x83")])
    made = fresh(afl=bytes.fromhex(afl))
    read(made, PbocClient(Card(card)), mandatory)
    return made, card


# The white list


@given(st.sets(st.integers(0x9F01, 0x9F7F) | st.sampled_from(sorted(MAY_BE_SENT)), max_size=12))
def test_a_list_draws_out_what_is_on_the_white_list_and_zeros_for_the_rest(
    wanted: set[int],
) -> None:
    made = transaction(cvm_results=b"\x1e\x03\x00", response_code="00", pin_block=b"\xaa" * 8)
    known = dict(made.terminal)
    made.terminal.update({tag: b"\xaa" * 4 for tag in wanted if tag not in MAY_BE_SENT})
    dol = b"".join(tag.to_bytes((tag.bit_length() + 7) // 8) + b"\x04" for tag in sorted(wanted))
    for at, tag in enumerate(sorted(wanted)):
        part = fill_list(made, "PDOL", dol)[4 * at : 4 * at + 4]
        assert b"\xaa" not in part
        if not (tag in known or tag in (tags.TVR, tags.TSI, tags.CVM_RESULTS, tags.ARC)):
            assert bytes(4) == part


def test_what_changes_is_told_as_it_stands() -> None:
    made = transaction(response_code="Z3", cvm_results=b"\x02\x00\x00")
    made.tvr |= 0x80
    made.terminal[tags.TVR] = b"\xff" * 5
    dol = bytes.fromhex("95059B028A029F3403")
    assert bytes.fromhex("00000000800000") + b"Z3" + b"\x02\x00\x00" == fill_list(made, "", dol)


def test_the_middle_of_a_card_number_is_not_shown() -> None:
    assert "622800******1117" == masked("6228000100001117")
    assert "********" == masked("62280001")
    assert "" == masked("")


# GET PROCESSING OPTIONS


def test_the_card_gets_what_its_list_asks_for() -> None:
    card = RuledCard(otherwise=[("^80A8", bytes.fromhex("80067C00080101009000"))])
    made = fresh()
    made.card[tags.PDOL] = bytes.fromhex("9F7A019F02065F2A02")
    initiate_contact(made, PbocClient(Card(card)))
    assert bytes.fromhex("010000000012340156") == made.options
    assert ["80A800000B830901000000001234015600"] == card.log
    assert (0x7C00, bytes.fromhex("08010100")) == (made.aip, made.afl)


def test_over_contact_there_must_be_an_afl() -> None:
    rules: list[Rule] = [("^80A8", bytes.fromhex("770482027C009000"))]
    made = fresh()
    initiate(made, PbocClient(Card(RuledCard(otherwise=rules))))
    assert b"" == made.afl
    with pytest.raises(CardMisspoke, match="AFL"):
        initiate_contact(fresh(), PbocClient(Card(RuledCard(otherwise=rules))))


# Records


def test_all_that_the_afl_names_is_read_in_its_order() -> None:
    made, card = reading(
        "0801010010020200",
        {(1, 1): record(*MANDATORY_PART[:2]), (2, 2): record(*MANDATORY_PART[2:], TRACK)},
    )
    assert ["00B2010C00", "00B2021400"] == card.log
    assert {tag: READ[tag] for tag in MANDATORY}.items() <= made.card.items()


def test_marked_records_are_the_static_data() -> None:
    rest = [tlv(0x9F05, bytes((at,))) for at in range(3)]
    made, _ = reading(
        "0801020258010101",
        {
            (1, 1): record(*MANDATORY_PART),
            (1, 2): record(rest[1]),
            (11, 1): b"\x70\x01\x02",
        },
    )
    inside = build(MANDATORY_PART) + build([rest[1]])
    assert inside + b"\x70\x01\x02" == made.static_data


@pytest.mark.parametrize("missing", MANDATORY)
def test_what_must_be_there_is_asked_for(missing: int) -> None:
    some = [item for item in MANDATORY_PART if item.tag != missing]
    with pytest.raises(CardMisspoke, match=f"{missing:X} is missing"):
        reading("08010100", {(1, 1): record(*some)})


def test_a_tap_needs_less() -> None:
    made, _ = reading("08010100", {(1, 1): record(MANDATORY_PART[1])}, TAP_MANDATORY)
    assert "" == made.pan


def test_an_element_may_be_said_again_and_not_otherwise() -> None:
    pages = {(1, 1): record(*MANDATORY_PART), (1, 2): record(MANDATORY_PART[1])}
    with pytest.raises(CardMisspoke, match="5F24 is there twice"):
        reading("08010200", pages)
    made = fresh(afl=bytes.fromhex("08010100"))
    client = PbocClient(Card(RuledCard(("^00B2", pages[1, 1] + OK))))
    made.card[tags.PAN] = READ[tags.PAN]
    read(made, client)
    made.card[tags.PAN] = bytes.fromhex("6228000100001118")
    with pytest.raises(CardMisspoke, match="5A is there twice"):
        read(made, client)


@pytest.mark.parametrize("raw", [b"\x61\x00", b"", b"\x70\x00\x70\x00", b"\x70\x02\x5a"])
def test_a_record_is_one_template_70(raw: bytes) -> None:
    with pytest.raises(CardMisspoke):
        reading("08010100", {(1, 1): raw})


def test_a_record_that_the_afl_names_must_be_there() -> None:
    with pytest.raises(CardMisspoke, match="record 2 of SFI 1"):
        reading("08010200", {(1, 1): record(*MANDATORY_PART)})


@pytest.mark.parametrize(
    ("tag", "value", "why"),
    [
        (tags.PAN, "6228", "5A"),
        (tags.PAN, "62280001A0001117", "5A"),
        (tags.PSN, "0101", "5F34"),
        (tags.PSN, "0A", "5F34"),
        (tags.TRACK_2, "6228000100001118D301220101234567", "57"),
        (tags.TRACK_2, "4111111111111111", "57"),
    ],
)
def test_numbers_must_be_such(tag: int, value: str, why: str) -> None:
    items = [item for item in MANDATORY_PART if item.tag != tag]
    with pytest.raises(CardMisspoke, match=why):
        reading("08010100", {(1, 1): record(*items, tlv(tag, bytes.fromhex(value)))})


def test_track_2_tells_a_number() -> None:
    assert "6228000100001117" == check_track_2(TRACK.value)
    for wrong in ("", "D", "6228000100001117D3012", "6228000100001117D30122A1"):
        with pytest.raises(CardMisspoke):
            check_track_2(bytes.fromhex(wrong + "F" * (len(wrong) % 2)))


# Counters and cash


def asked_for(made: Transaction, answers: dict[int, bytes]) -> RuledCard:
    rules: list[Rule] = [
        (f"^80CA{tag:04X}", bytes(tlv(tag, value)) + OK) for tag, value in answers.items()
    ]
    card = RuledCard(*rules, otherwise=[("^80CA", NOT_THERE)])
    read_counters(made, PbocClient(Card(card)))
    read_cash(made, PbocClient(Card(card)))
    return card


def test_counters_are_asked_for_where_the_card_sets_limits() -> None:
    limits = {tags.TERMINAL_LOWER_LIMIT: b"\x03", tags.TERMINAL_UPPER_LIMIT: b"\x07"}
    made = transaction(limits)
    card = asked_for(made, {tags.ATC: b"\x00\x05"})
    assert ["80CA9F3600", "80CA9F1300"] == card.log
    assert b"\x00\x05" == made.card[tags.ATC]
    assert tags.LAST_ONLINE_ATC not in made.card
    for alone in limits:
        assert [] == asked_for(transaction({alone: b"\x03"}), {}).log


def test_a_counter_of_another_length_is_not_believed() -> None:
    limits = {tags.TERMINAL_LOWER_LIMIT: b"\x03", tags.TERMINAL_UPPER_LIMIT: b"\x07"}
    with pytest.raises(CardMisspoke, match="9F36 has 1 bytes"):
        asked_for(transaction(limits), {tags.ATC: b"\x05"})


def test_cash_is_what_was_offered_and_taken() -> None:
    code = {tags.EC_AUTHORISATION_CODE: b"ECC001"}
    amounts = {tags.EC_BALANCE: bytes(6), tags.EC_RESET_THRESHOLD: bytes(6)}
    made = transaction(code)
    asked_for(made, amounts)
    assert made.cash
    assert amounts.items() <= made.card.items()

    made = transaction(code)
    made.terminal[tags.EC_INDICATOR] = b"\x00"
    assert [] == asked_for(made, amounts).log
    assert not made.cash

    made = transaction()
    asked_for(made, amounts)
    assert not made.cash


@pytest.mark.parametrize("value", ["FFFFFFFFFFFF", "00000000000A", "0000000000"])
def test_a_balance_that_is_no_amount_is_not_believed(value: str) -> None:
    with pytest.raises(CardMisspoke, match="9F79"):
        asked_for(
            transaction({tags.EC_AUTHORISATION_CODE: b"ECC001"}),
            {tags.EC_BALANCE: bytes.fromhex(value)},
        )
