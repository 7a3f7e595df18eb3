# SPDX-License-Identifier: Apache-2.0
"""Check characters: what a typing mistake does to a number, and what stands inside one."""

from __future__ import annotations

import string
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apdu.wire.codelists import Sex
from host.numbers import (
    birth_date_of,
    card_number_check_character,
    check_card_number,
    check_identity_number,
    identity_check_character,
    sex_of,
)
from host.regions import PROVINCES

# The samples that the standard itself prints (GB 11643-1999, annex).
STANDARD_FEMALE = "11010519491231002X"
STANDARD_MALE = "440524188001010014"

born = st.dates(min_value=date(1, 1, 1))
tails = st.integers(0, 999).map(lambda n: f"{n:03d}")
regions = st.tuples(st.sampled_from(sorted(PROVINCES)), st.integers(0, 9999)).map(
    lambda parts: f"{parts[0]}{parts[1]:04d}"
)
card_characters = string.digits + string.ascii_uppercase
anything_like_a_number = st.one_of(
    st.text(), st.text(string.digits + "Xx", min_size=18, max_size=18), st.text(max_size=9)
)


def written(day: date) -> str:
    return day.isoformat().replace("-", "")


@st.composite
def identity_numbers(draw: st.DrawFn) -> str:
    first17 = draw(regions) + written(draw(born)) + draw(tails)
    return first17 + identity_check_character(first17)


@given(regions, born, tails)
def test_a_number_made_by_the_rule_is_accepted_and_tells_what_it_was_made_of(
    region: str, day: date, tail: str
) -> None:
    first17 = region + written(day) + tail
    number = first17 + identity_check_character(first17)
    check_identity_number(number)
    assert day == birth_date_of(number)
    assert (Sex.MALE if tail[-1] in "13579" else Sex.FEMALE) == sex_of(number)


@given(identity_numbers(), st.integers(0, 17), st.sampled_from(string.digits + "X"))
def test_a_number_with_one_character_changed_is_refused(number: str, at: int, other: str) -> None:
    assume(number[at] != other)
    with pytest.raises(ValueError):
        check_identity_number(number[:at] + other + number[at + 1 :])


@given(identity_numbers(), st.integers(0, 16))
def test_a_number_with_two_neighbours_swapped_is_refused(number: str, at: int) -> None:
    assume(number[at] != number[at + 1])
    with pytest.raises(ValueError):
        check_identity_number(number[:at] + number[at + 1] + number[at] + number[at + 2 :])


@given(identity_numbers(), st.sampled_from("0123456789X"))
def test_only_one_check_character_is_right(number: str, check: str) -> None:
    if check == number[17]:
        check_identity_number(number[:17] + check)
    else:
        with pytest.raises(ValueError, match=f"position 18, must be {number[17]} "):
            check_identity_number(number[:17] + check)


@given(anything_like_a_number)
def test_any_text_is_accepted_or_refused_in_a_line_that_does_not_repeat_it(text: str) -> None:
    for check in (check_identity_number, check_card_number):
        try:
            check(text)
        except ValueError as refusal:
            assert str(refusal).isprintable()
            assert len(text) < 9 or text not in str(refusal)


@pytest.mark.parametrize(
    ("number", "day", "sex"),
    [
        (STANDARD_FEMALE, date(1949, 12, 31), Sex.FEMALE),
        (STANDARD_MALE, date(1880, 1, 1), Sex.MALE),
    ],
)
def test_the_samples_of_the_standard_are_accepted(number: str, day: date, sex: Sex) -> None:
    check_identity_number(number)
    assert day == birth_date_of(number)
    assert sex is sex_of(number)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("", "must have 18 characters"),
        ("11010519491231002", "must have 18 characters"),
        ("11010519491231002X0", "must have 18 characters"),
        ("110105491231002", "must have 18 characters"),
        ("11010519491231002x", "position 18, must be a capital X"),
        ("11010519491231002Y", "position 18 must be a digit or a capital X"),
        ("1101051949123100X2", "position 17 must be a digit"),
        ("１10105194912310021", "position 1 must be a digit"),
        ("11010519491331002X", "positions 7-14 are not a date"),
        ("11010519490229002X", "positions 7-14 are not a date"),
        ("11010500001231002X", "positions 7-14 are not a date"),
        ("16010519491231002X", "positions 1-2 are not a province"),
        ("01010519491231002X", "positions 1-2 are not a province"),
        ("110105194912310021", "position 18, must be X"),
    ],
)
def test_a_refused_number_names_the_rule_it_breaks(number: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_identity_number(number)


@pytest.mark.parametrize("region", ["810000", "820000", "830000", "931840"])
def test_residents_without_a_mainland_household_are_accepted(region: str) -> None:
    first17 = f"{region}19900101001"
    check_identity_number(first17 + identity_check_character(first17))


@given(st.text(card_characters, min_size=8, max_size=8))
def test_a_card_number_made_by_the_rule_is_accepted(first8: str) -> None:
    check_card_number(first8 + card_number_check_character(first8))


@given(st.text(string.digits, min_size=8, max_size=8), st.integers(0, 7), st.integers(1, 9))
def test_a_card_number_with_one_digit_changed_is_refused(first8: str, at: int, step: int) -> None:
    check = card_number_check_character(first8)
    other = str((int(first8[at]) + step) % 10)
    with pytest.raises(ValueError):
        check_card_number(first8[:at] + other + first8[at + 1 :] + check)


# The first stands in GB 11714 itself, the second is from the trace of a test card.
@pytest.mark.parametrize("number", ["D2143569X", "B00000131", "A12345674", "000000000"])
def test_known_card_numbers_are_accepted(number: str) -> None:
    check_card_number(number)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("A1234567", "must have 9 characters"),
        ("A123456744", "must have 9 characters"),
        ("a12345674", "position 1 must be a digit or a capital letter"),
        ("A123456７4", "position 8 must be a digit or a capital letter"),
        ("A12345675", "position 9, must be 4"),
    ],
)
def test_a_refused_card_number_names_the_rule_it_breaks(number: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_card_number(number)


@pytest.mark.parametrize("text", ["", "1", "1234567", "123456789", "1" * 18])
def test_a_check_character_is_made_from_the_right_length_only(text: str) -> None:
    for make in (identity_check_character, card_number_check_character):
        with pytest.raises(ValueError, match="the check character is made from"):
            make(text)
