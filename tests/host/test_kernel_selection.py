# SPDX-License-Identifier: Apache-2.0
"""Which application is taken: directory or list, priorities, choice, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import CONFIG, Rule, RuledCard, config, order, plain_rules, transaction

from apdu.tlv import build, tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID, PARTIAL_AID, RID
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardMisspoke
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.selection import (
    MOST_APPLICATIONS,
    Candidate,
    Choose,
    candidates,
    select,
)
from host.terminal.kernel.transaction import CannotGoOn, Outcome, Transaction
from host.terminal.pboc import _begin, pay

CREDIT, QUASI = RID + bytes.fromhex("010102"), RID + bytes.fromhex("010103")
STRANGER = bytes.fromhex("A0000000031010")
PSE = bytes.fromhex("6F15840E315041592E5359532E4444463031A503880101")
OK, NOT_FOUND, NO_RECORD = b"\x90\x00", b"\x6a\x82", b"\x6a\x83"


def entry(aid: bytes, priority: int | None = None, label: bytes = b"CARD") -> bytes:
    rank = [] if priority is None else [tlv(tags.PRIORITY, bytes((priority,)))]
    return build([tlv(0x61, [tlv(tags.ADF_NAME, aid), tlv(tags.LABEL, label), *rank])])


def fci(aid: bytes, priority: int | None = None) -> bytes:
    rank = [] if priority is None else [tlv(tags.PRIORITY, bytes((priority,)))]
    inside = [tlv(tags.DF_NAME, aid), tlv(0xA5, [tlv(tags.LABEL, b"CARD"), *rank])]
    return build([tlv(0x6F, inside)])


def by_name(aid: bytes, answer: bytes) -> Rule:
    return f"^00A40400{len(aid):02X}{aid.hex().upper()}", answer


ANSWERING = [by_name(aid, fci(DEBIT_AID) + OK) for aid in (PARTIAL_AID, DEBIT_AID)]
"""A debit application that answers to the terminal's AID and to its own."""


def directory(*records: bytes) -> list[Rule]:
    rules: list[Rule] = [("^00A404000E", PSE + OK)]
    for number, inside in enumerate(records, 1):
        rules.append((f"^00B2{number:02X}0C", bytes(tlv(0x70, inside)) + OK))
    return [*rules, ("^00B2", NO_RECORD)]


def tried(
    rules: Sequence[Rule], setup: TerminalConfig = CONFIG, choose: Choose | None = None
) -> tuple[Transaction, RuledCard]:
    card = RuledCard(*rules, ("^00A404", NOT_FOUND), otherwise=())
    made = transaction()
    made.card.clear()
    select(made, setup, PbocClient(Card(card)), choose)
    return made, card


def found(rules: Sequence[Rule], setup: TerminalConfig = CONFIG) -> list[Candidate]:
    card = RuledCard(*rules, ("^00A404", NOT_FOUND), otherwise=())
    return candidates(transaction(), setup, PbocClient(Card(card)))


# The directory


def test_the_first_by_priority_of_the_directory_is_taken() -> None:
    rules = directory(entry(CREDIT, 2), entry(STRANGER, 1) + entry(DEBIT_AID, 1))
    made, card = tried([*rules, by_name(DEBIT_AID, fci(DEBIT_AID) + OK)])
    assert DEBIT_AID == made.aid
    assert CONFIG.applications[0] == made.parameters
    assert PARTIAL_AID == made.terminal[tags.TERMINAL_AID]
    assert 3 == len(card.sent("^00B2"))
    assert "2 of 3 applications known" in [each.why for each in made.trail]


@given(st.lists(st.integers(0, 15), min_size=1, max_size=6))
def test_priorities_order_and_none_is_last(priorities: list[int]) -> None:
    names = [PARTIAL_AID + bytes((0x10 + at,)) for at in range(len(priorities))]
    records = [entry(name, rank) for name, rank in zip(names, priorities, strict=True)]
    ranks = [each.priority for each in found(directory(*records))]
    assert sorted(rank or 16 for rank in priorities) == ranks


@pytest.mark.parametrize("answer", [NOT_FOUND, PSE + b"\x62\x83", b"\x69\x85"])
def test_without_a_usable_directory_the_list_is_tried(answer: bytes) -> None:
    made, _ = tried([("^00A404000E", answer), *ANSWERING])
    assert DEBIT_AID == made.aid


def test_a_directory_of_strangers_is_followed_by_the_list() -> None:
    rules = directory(entry(STRANGER, 1))
    made, _ = tried([*rules, *ANSWERING])
    assert DEBIT_AID == made.aid


def test_a_terminal_that_wants_no_directory_asks_for_none() -> None:
    _, card = tried(ANSWERING, config(pse=False))
    assert [] == card.sent("^00A404000E")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"", "templates 61"),
        (bytes(tlv(tags.LABEL, b"A")), "templates 61"),
        (build([tlv(0x61, [tlv(tags.LABEL, b"A")])]), "name"),
        (entry(DEBIT_AID) + entry(DEBIT_AID), "twice"),
        (build([tlv(0x61, [tlv(tags.ADF_NAME, bytes(4))])]), "name"),
    ],
)
def test_a_broken_directory_is_not_believed(record: bytes, why: str) -> None:
    with pytest.raises(CardMisspoke, match=why):
        found(directory(record))


def test_a_directory_ends_with_32_applications() -> None:
    names = [STRANGER + at.to_bytes(2) for at in range(MOST_APPLICATIONS + 1)]
    pages = [b"".join(map(entry, names[at : at + 4])) for at in range(0, len(names) - 1, 4)]
    assert [] == found(directory(*pages))
    pages[-1] += entry(names[-1])
    with pytest.raises(CardMisspoke, match="more than 32"):
        found(directory(*pages))


# The list of AIDs


def test_all_that_begin_with_an_aid_are_found_with_select_next() -> None:
    answers = iter([CREDIT, QUASI])

    class Growing(RuledCard):
        def _exchange(self, command: bytes) -> bytes:
            self.log.append(command.hex().upper())
            if command[3] == 2:
                name = next(answers, None)
                return NOT_FOUND if name is None else fci(name) + OK
            return NOT_FOUND if command[4] == 14 else fci(DEBIT_AID) + OK

    card = Growing()
    names = [each.name for each in candidates(transaction(), CONFIG, PbocClient(Card(card)))]
    assert [DEBIT_AID, CREDIT, QUASI] == names
    assert 3 == len(card.sent("^00A40402"))


def test_an_aid_that_is_whole_is_asked_for_once() -> None:
    setup = config({"aid": DEBIT_AID, "partial": False}, pse=False)
    made, card = tried([by_name(DEBIT_AID, fci(DEBIT_AID) + OK)], setup)
    assert DEBIT_AID == made.aid
    assert [] == card.sent("^00A40402")


def test_a_card_whose_next_is_always_another_is_followed_to_32() -> None:
    class Endless(RuledCard):
        def _exchange(self, command: bytes) -> bytes:
            self.log.append(command.hex().upper())
            if command[4] == 14:
                return NOT_FOUND
            return fci(PARTIAL_AID + len(self.log).to_bytes(2)) + OK

    card = Endless()
    with pytest.raises(CardMisspoke, match="more than 32"):
        candidates(transaction(), CONFIG, PbocClient(Card(card)))
    assert MOST_APPLICATIONS + 2 == len(card.log)


def test_a_card_whose_next_is_the_same_again_is_not_followed() -> None:
    rules = [("^00A404000E", NOT_FOUND), ("^00A4", fci(DEBIT_AID) + OK)]
    card = RuledCard(*rules, otherwise=())
    with pytest.raises(CardMisspoke, match="comes again"):
        candidates(transaction(), CONFIG, PbocClient(Card(card)))
    assert 3 == len(card.log)


# What is left out, and who chooses


def test_blocked_applications_are_left_out() -> None:
    rules = directory(entry(DEBIT_AID, 1), entry(CREDIT, 2))
    blocked = by_name(DEBIT_AID, fci(DEBIT_AID) + b"\x62\x83")
    made, _ = tried([*rules, blocked, by_name(CREDIT, fci(CREDIT) + OK)])
    assert CREDIT == made.aid
    assert "it is blocked" in [each.why for each in made.trail]
    with pytest.raises(CannotGoOn, match="in common"):
        tried([*directory(entry(DEBIT_AID, 1)), blocked])


def test_an_application_that_will_not_begin_is_left_for_the_next() -> None:
    listed = directory(entry(DEBIT_AID, 1), entry(CREDIT, 2))
    rest = [rule for rule in plain_rules() if not rule[0].startswith(("^00A4", "^80A8"))]
    begun = "80060000080101009000"

    class Choosy(RuledCard):
        def _exchange(self, command: bytes) -> bytes:
            answer = super()._exchange(command)
            names = [each[10:26] for each in self.sent("^00A4040008")]
            refuses = names[-1:] != [CREDIT.hex().upper()]
            return b"\x69\x85" if command[1] == 0xA8 and refuses else answer

    known = [by_name(aid, fci(aid) + OK) for aid in (DEBIT_AID, CREDIT)]
    card = Choosy(*listed[:-1], *known, ("^80A8", bytes.fromhex(begun)), *rest, otherwise=())
    card.rules.insert(1, ("^00B2030C", NO_RECORD))
    made = transaction()
    made.card.clear()
    _begin(made, CONFIG, PbocClient(Card(card)), None)
    assert CREDIT == made.aid
    assert "application left" in [each.outcome for each in made.trail]
    stubborn = RuledCard(("^80A8", b"\x69\x85"))
    result = pay(Card(stubborn), order(), CONFIG)
    assert Outcome.TERMINATED is result.outcome
    assert 1 == len(stubborn.sent("^80A8"))


def test_a_card_that_refuses_every_select_is_blocked() -> None:
    with pytest.raises(CannotGoOn, match="the card is blocked"):
        tried([("^00A4", b"\x6a\x81")])


def test_another_application_than_the_one_chosen_is_not_believed() -> None:
    longer = DEBIT_AID + b"\x01"
    with pytest.raises(CardMisspoke, match="not that of the application"):
        tried([*directory(entry(DEBIT_AID, 1)), by_name(DEBIT_AID, fci(longer) + OK)])


def test_the_holder_chooses_among_several() -> None:
    rules = [
        *directory(entry(DEBIT_AID, 1), entry(CREDIT, 2)),
        by_name(DEBIT_AID, fci(DEBIT_AID) + OK),
        by_name(CREDIT, fci(CREDIT) + OK),
    ]
    offered: list[str] = []

    def second(all_of_them: Sequence[Candidate]) -> Candidate:
        offered.extend(each.label for each in all_of_them)
        return all_of_them[1]

    assert CREDIT == tried(rules, choose=second)[0].aid
    assert ["CARD", "CARD"] == offered
    with pytest.raises(CannotGoOn, match="holder"):
        tried(rules, choose=lambda all_of_them: None)


def test_one_application_is_taken_without_a_question_unless_it_wants_one() -> None:
    def never(all_of_them: Sequence[Candidate]) -> Candidate:
        raise AssertionError

    one = by_name(DEBIT_AID, fci(DEBIT_AID) + OK)
    assert tried([*directory(entry(DEBIT_AID, 1)), one], choose=never)[0].aid
    careful = [*directory(entry(DEBIT_AID, 0x81)), one]
    with pytest.raises(CannotGoOn, match="confirmation"):
        tried(careful)
    assert tried(careful, choose=lambda all_of_them: all_of_them[0])[0].aid


def test_a_name_is_shown_only_where_it_can_be() -> None:
    (candidate,) = found(directory(entry(DEBIT_AID, 1, label="卡".encode("gbk"))))
    assert DEBIT_AID.hex().upper() == candidate.label
