# SPDX-License-Identifier: Apache-2.0
"""The bits of payment data elements: each stands alone, has a place in its element, and says
something in both languages."""

from __future__ import annotations

from enum import IntFlag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.pboc import flags, meanings
from apdu.wire.pboc.flags import (
    Ada,
    Aip,
    Auc,
    CardProcessing,
    Ctq,
    Cvr,
    Result,
    TerminalCapabilities,
    Tsi,
    Ttq,
    Tvr,
)

SIZES: dict[type[IntFlag], int] = {
    Aip: 2,
    Tvr: 5,
    Tsi: 2,
    Auc: 2,
    Cvr: 3,
    Ada: 2,
    CardProcessing: 4,
    Ctq: 2,
    Ttq: 4,
    TerminalCapabilities: 3,
}
NUMBERS = {Cvr.FIRST, Cvr.SECOND, Cvr.SCRIPTS}


@pytest.mark.parametrize("kind", SIZES, ids=lambda kind: kind.__name__)
def test_bits_are_single_different_and_inside_their_element(kind: type[IntFlag]) -> None:
    bits = [bit for bit in kind.__members__.values() if bit not in NUMBERS]
    assert [1] * len(bits) == [int(bit).bit_count() for bit in bits]
    assert len(bits) == len(set(map(int, bits)))
    assert max(bits) < 1 << 8 * SIZES[kind]


@pytest.mark.parametrize("kind", SIZES, ids=lambda kind: kind.__name__)
def test_every_bit_says_something_in_both_languages(kind: type[IntFlag]) -> None:
    bits = [bit for bit in kind.__members__.values() if bit not in NUMBERS]
    assert set(bits) == set(meanings.known_bits(kind))
    for bit in bits:
        said = meanings.meaning(bit)
        assert said.english.isascii() and said.english
        assert any("一" <= letter <= "鿿" or letter in "SDATC" for letter in said.chinese)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Cvr, 0xA0A802, {"LAST_ONLINE_NOT_COMPLETED", "VELOCITY_EXCEEDED"}
         | {"LAST_ISSUER_AUTHENTICATION_FAILED", "DDA_PERFORMED"}),
        (Cvr, 0x60AC02, {"LAST_ONLINE_NOT_COMPLETED", "VELOCITY_EXCEEDED", "DDA_PERFORMED"}
         | {"LAST_ISSUER_AUTHENTICATION_FAILED", "NO_ISSUER_AUTHENTICATION"}),
        (Ada, 0x8240, {"ONLINE_AFTER_FAILED_AUTHENTICATION", "ONLINE_FOR_NEW_CARD"}
         | {"DECLINE_ON_EARLIER_PIN_TRIES"}),
        (Aip, 0x7D00, {each.name for each in Aip}),
        (Ttq, 0x36800000, {"QPBOC", "CONTACT_PBOC", "ONLINE_PIN", "SIGNATURE"}
         | {"CRYPTOGRAM_REQUIRED"}),
        (Tvr, 0x8000048000, {"ODA_NOT_PERFORMED", "ONLINE_PIN_ENTERED", "FLOOR_LIMIT_EXCEEDED"}),
    ],
)  # fmt: skip
def test_values_of_real_cards_are_spelled_out(
    kind: type[IntFlag], value: int, expected: set[str]
) -> None:
    assert expected == {bit.name for bit, _ in meanings.spelled_out(kind, value)}


def test_the_numbers_in_the_cvr_of_a_real_card_are_read() -> None:
    assert (Result.ARQC, Result.ARQC) == (flags.first_of(0xA0A802), flags.second_of(0xA0A802))
    assert (Result.ARQC, Result.TC) == (flags.first_of(0x60AC02), flags.second_of(0x60AC02))


@given(
    st.integers(0, 0xFFFFFF), st.sampled_from(Result), st.sampled_from(Result), st.integers(0, 99)
)
def test_numbers_go_into_the_cvr_and_leave_the_rest_alone(
    cvr: int, first: Result, second: Result, scripts: int
) -> None:
    made = flags.with_scripts(flags.with_second(flags.with_first(cvr, first), second), scripts)
    assert (first, second) == (flags.first_of(made), flags.second_of(made))
    assert min(scripts, 15) == flags.scripts_of(made)
    kept = ~(Cvr.FIRST | Cvr.SECOND | Cvr.SCRIPTS)
    assert cvr & kept == made & kept


@pytest.mark.parametrize("cid", [0xC0, 0xFF])
def test_a_reserved_cryptogram_is_no_result(cid: int) -> None:
    with pytest.raises(ValueError):
        flags.result_of(cid)
