# SPDX-License-Identifier: Apache-2.0
"""Access conditions and their compact bytes: one coding each, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from books import cases, condition
from hypothesis import given
from hypothesis import strategies as st
from strategies import conditions, near

from apdu.errors import FormatError
from apdu.wire.access import (
    ALWAYS,
    MAX_DEPTH,
    MAX_PARTS,
    NEVER,
    Access,
    AllOf,
    AnyOf,
    Key,
    Pin,
    all_of,
    any_of,
    build,
    depth,
    parse,
)
from apdu.wire.perso import FileHeader

codes = st.sampled_from([0x00, 0xFF, 0x10, 0x20, 0xA0, 0xB0, 0x02, 0x03, 0x08])
almost = st.lists(codes, max_size=30).map(bytes)


@given(conditions)
def test_a_condition_read_back_is_the_condition(value: Access) -> None:
    assert value == parse(build(value))
    assert 1 <= depth(value) <= MAX_DEPTH


@given(near(conditions.map(build)) | almost)
def test_any_bytes_are_one_condition_or_refused(raw: bytes) -> None:
    try:
        value = parse(raw)
    except FormatError:
        return
    assert raw == build(value)


@pytest.mark.parametrize("case", cases("wire/access.json", result="valid"))
def test_a_valid_case_reads_and_builds(case: dict[str, Any]) -> None:
    assert condition(case["value"]) == parse(bytes.fromhex(case["hex"]))
    assert case["hex"] == build(condition(case["value"])).hex().upper()


@pytest.mark.parametrize("case", cases("wire/access.json", result="invalid"))
def test_an_invalid_case_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        parse(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize("code", [0xA0, 0xB0])
@pytest.mark.parametrize("levels", [MAX_DEPTH, 127, 1000, 50_000])
def test_a_well_of_conditions_is_refused_and_not_fallen_into(code: int, levels: int) -> None:
    hollow = bytes((code, 2)) * levels
    with pytest.raises(FormatError):
        parse(hollow)
    header = bytes.fromhex("383F00FF") + hollow[:255]
    with pytest.raises(FormatError):
        FileHeader.parse(header + bytes(12))


@pytest.mark.parametrize(
    "value",
    [
        AllOf(()),
        AnyOf((ALWAYS,)),
        AllOf((ALWAYS,) * (MAX_PARTS + 1)),
        AnyOf((ALWAYS, AllOf(()))),
        any_of(NEVER, all_of(NEVER, any_of(NEVER, all_of(NEVER, any_of(NEVER, NEVER))))),
        Pin(256),
        Pin(-1),
        Key(256),
        AllOf((ALWAYS, "always")),  # type: ignore[arg-type]
        "always",
        None,
        0,
    ],
    ids=repr,
)
def test_what_is_no_condition_is_not_written(value: Any) -> None:
    with pytest.raises(FormatError):
        build(value)


def test_the_deepest_and_the_widest_condition_are_taken() -> None:
    deepest = any_of(NEVER, all_of(NEVER, any_of(NEVER, NEVER)))
    assert MAX_DEPTH == depth(deepest)
    widest = all_of(*[Pin(at) for at in range(MAX_PARTS)])
    for value in (deepest, widest):
        assert value == parse(build(value))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (ALWAYS, "free"),
        (NEVER, "never"),
        (Pin(0), "PIN"),
        (Pin(0x81), "PIN 81"),
        (Key(0x04), "key 04"),
        (any_of(Pin(0), Key(0x88)), "(PIN or key 88)"),
        (all_of(Pin(0), any_of(Key(1), Key(2))), "(PIN and (key 01 or key 02))"),
    ],
)
def test_a_condition_says_itself_for_people(value: Access, says: str) -> None:
    assert says == str(value)
