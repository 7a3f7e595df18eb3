# SPDX-License-Identifier: Apache-2.0
"""The line that introduces a card to a key centre, both halves of it, and answers that lie."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from host.faults import CentreMisspoke
from host.hsm import MemoryHsm
from host.introduction import IRK, RKSSSE, Introduction, Results
from host.keys import Authentication, CardIdentity, MemoryKeys

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
HISTORICAL = bytes.fromhex("00815453578660531234567890")
R = [bytes((digit,)) * 8 for digit in (0x11, 0x22, 0x33, 0x44)]


def introduced(suite: Suite, *, reading: bool = False) -> Introduction:
    card = CardIdentity("430200", HISTORICAL[-8:], suite)
    code = bytes.fromhex("430200D15600000534567890AABBCCDD")
    proof = Authentication(RKSSSE, card, R[2], R[3]) if reading else None
    proving = Authentication(IRK, card, R[0], R[1])
    return Introduction(card, HISTORICAL, code, proving, proof, "990000000001", "D1")


LINE = (
    "430200|00815453578660531234567890|01|430200D15600000534567890AABBCCDD|1111111111111111|"
    "2222222222222222|||990000000001|D1|"
)
LINE_3 = LINE.replace("|01|", "|03|").replace("|||", "|3333333333333333|4444444444444444|")


def test_the_line_is_the_documented_one() -> None:
    assert LINE == introduced(SUITES[1]).line()
    assert LINE_3 == introduced(SUITES[2], reading=True).line()


@suites
@pytest.mark.parametrize("reading", [False, True])
def test_a_line_means_what_it_was_made_from(suite: Suite, reading: bool) -> None:
    found = introduced(suite, reading=reading)
    assert found == Introduction.parse(found.line())
    assert found == Introduction.parse(found.line().lower().replace("d1|", "D1|"))


@suites
def test_the_centre_answers_with_what_its_keys_say(suite: Suite) -> None:
    keys = MemoryKeys(suite=suite)
    for reading in (False, True):
        asked = introduced(suite, reading=reading)
        external = keys.authenticate(asked.reading) if asked.reading else None
        answer = MemoryHsm(keys).answer(asked.line())
        assert Results(keys.authenticate(asked.proving), external) == asked.results(answer)
        assert [32, 32 if reading else 0, 0] == [len(each) for each in answer.split("|")]


def test_a_centre_serves_the_card_that_was_introduced_last() -> None:
    keys = MemoryKeys()
    hsm = MemoryHsm(keys)
    with pytest.raises(FormatError, match="introduced"):
        hsm.answer(f"01|004C0A|{'11' * 8}|{'22' * 8}|")
    for last in (0x90, 0x91):
        asked = introduced(SUITES[1])
        card = replace(asked.card, unique=asked.card.unique[:-1] + bytes((last,)))
        other = replace(
            asked,
            card=card,
            historical=HISTORICAL[:-8] + card.unique,
            proving=replace(asked.proving, card=card),
        )
        hsm.answer(other.line())
        expected = keys.authenticate(Authentication(RKSSSE, card, R[0], R[1])) + R[1]
        assert expected.hex().upper() == hsm.answer(f"01|004C0A|{'11' * 8}|{'22' * 8}|")


def test_a_last_empty_field_may_be_left_out() -> None:
    asked = introduced(SUITES[1])
    answer = MemoryHsm(MemoryKeys()).answer(asked.line())
    assert asked.results(answer) == asked.results(answer[:-1])


ANSWER = MemoryHsm(MemoryKeys()).answer(LINE)
ANSWER_3 = MemoryHsm(MemoryKeys(suite=SUITES[2])).answer(LINE_3)


@pytest.mark.parametrize(
    "answer",
    [
        *("", "|", "||", "x||", None, 5, ANSWER[:32], ANSWER + "|", ANSWER[1:]),
        ANSWER[:33] + ANSWER[:32] + "|",
        *("G" + ANSWER[1:], ANSWER.replace("2", "1"), ANSWER[:-1] + ANSWER),
    ],
)
def test_an_answer_that_is_none_is_not_used(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        introduced(SUITES[1]).results(answer)


@pytest.mark.parametrize(
    "answer",
    [
        *(ANSWER_3[:33] + "|", ANSWER_3[:33], ANSWER_3[:-2] + "|", ANSWER_3[:-2] + "0|"),
        *("|" + ANSWER_3[33:], ANSWER_3[33:] + ANSWER_3[:33]),
    ],
)
def test_both_results_are_wanted_where_both_were_asked_for(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        introduced(SUITES[2], reading=True).results(answer)


@given(st.text(max_size=80))
def test_whatever_a_centre_answers_is_told_from_an_answer(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        introduced(SUITES[1]).results(answer)


@pytest.mark.parametrize(
    ("was", "becomes", "field"),
    [
        ("430200|", "43020|", "region"),
        ("00815453", "0081545", "historical"),
        ("|01|", "|02|", "algorithm"),
        ("|01|", "|1|", "algorithm"),
        ("AABBCCDD", "AABBCC", "identification"),
        ("|1111", "|111", "R1"),
        ("|2222", "|x222", "R2"),
        ("|||", "|3333||", "R3"),
        ("|||", "||3333333333333333|", "R3"),
        ("|||", "|3333333333333333||", "R4"),
        ("|D1|", "|", "line"),
        ("|D1|", "|D1", "line"),
    ],
)
def test_a_line_that_is_none_is_refused_by_its_field(was: str, becomes: str, field: str) -> None:
    with pytest.raises(FormatError, match=field):
        Introduction.parse(LINE.replace(was, becomes, 1))


def test_a_centre_with_other_keys_says_so() -> None:
    with pytest.raises(FormatError, match="algorithm"):
        MemoryHsm(MemoryKeys()).answer(LINE_3)
