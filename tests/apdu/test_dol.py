# SPDX-License-Identifier: Apache-2.0
"""Data object lists: what a terminal fills in, a card finds again; no list overflows a command."""

from __future__ import annotations

from typing import Any

import pytest
from books import VECTORS, book, cases, paths
from hypothesis import given
from hypothesis import strategies as st
from strategies import near

from apdu.command import CommandAPDU
from apdu.dol import LONGEST, Slice, asked, fill, fitted, offsets, split
from apdu.errors import FormatError
from apdu.tlv import DolEntry, build_dol, find, is_constructed, parse, parse_dol, tlv
from apdu.trace import read
from apdu.wire.elements import BY_TAG, ELEMENTS, Element, Format

DOL_CASES = [
    case
    for path in paths()
    if book(path)["format"] == "tlv"
    for case in cases(path, coding="DOL", result="valid")
]
UNKNOWN = 0xDF7F
PRIMITIVE = [each.tag for each in ELEMENTS if not is_constructed(each.tag)] + [UNKNOWN]
TEMPLATES = [each.tag for each in ELEMENTS if is_constructed(each.tag)]

formats = st.sampled_from(Format)
lengths = st.integers(0, 20)
values = st.binary(min_size=1, max_size=20)


@st.composite
def lists(draw: st.DrawFn, tags: Any = PRIMITIVE) -> list[DolEntry]:
    """A list that fits a command and names no tag twice."""
    chosen = draw(st.lists(st.sampled_from(tags), unique=True, max_size=12))
    return [DolEntry(tag, draw(lengths)) for tag in chosen]


# Filling and finding again


@given(lists(), st.data())
def test_what_a_terminal_fills_in_a_card_finds_again(
    entries: list[DolEntry], data: st.DataObject
) -> None:
    held = {
        tag: data.draw(st.binary(min_size=max(length, 1), max_size=max(length, 1)))
        for tag, length in entries
    }
    dol = build_dol(entries)
    found = split(dol, fill(dol, held))
    assert {tag: held[tag][:length] for tag, length in entries} == found


@given(lists(PRIMITIVE + TEMPLATES), st.dictionaries(st.sampled_from(PRIMITIVE), values))
def test_the_data_are_as_long_as_the_list_asks_whatever_the_terminal_has(
    entries: list[DolEntry], held: dict[int, bytes]
) -> None:
    dol = build_dol(entries)
    data = fill(dol, held)
    assert sum(length for _, length in entries) == len(data)
    for tag, part in split(dol, data).items():
        assert len(part) == dict(entries)[tag]
        assert tag in held or not any(part)


@given(lists())
def test_the_slices_lie_end_to_end(entries: list[DolEntry]) -> None:
    at = 0
    for (tag, length), (found, where) in zip(
        entries, offsets(build_dol(entries)).items(), strict=True
    ):
        assert (tag, Slice(at, length)) == (found, where)
        at += length


@given(lists(TEMPLATES), values)
def test_a_template_is_zeros_whatever_the_terminal_has(
    entries: list[DolEntry], value: bytes
) -> None:
    held = dict.fromkeys(TEMPLATES, value)
    assert not any(fill(build_dol(entries), held))


@given(st.sampled_from(PRIMITIVE), lengths)
def test_an_element_that_is_absent_or_empty_is_zeros(tag: int, length: int) -> None:
    dol = build_dol([DolEntry(tag, length)])
    assert bytes(length) == fill(dol, {}) == fill(dol, {tag: b""})


def test_a_tag_may_be_asked_for_twice_but_not_be_found_twice() -> None:
    dol = bytes.fromhex("9F37049F3702")
    assert bytes.fromhex("AABBCCDDAABB") == fill(dol, {0x9F37: bytes.fromhex("AABBCCDD")})
    with pytest.raises(FormatError, match="9F37 is listed twice"):
        offsets(dol)
    with pytest.raises(FormatError, match="9F37 is listed twice"):
        split(dol, bytes(6))


# Cutting and padding


@given(values, lengths, formats)
def test_a_value_keeps_the_end_that_its_format_says(
    value: bytes, length: int, kind: Format
) -> None:
    found = fitted(value, length, kind)
    kept = min(len(value), length)
    assert length == len(found)
    if kind is Format.NUMERIC:
        assert value[len(value) - kept :] == found[length - kept :]
        assert bytes(length - kept) == found[: length - kept]
    else:
        assert value[:kept] == found[:kept]
        filler = b"\xff" if kind is Format.COMPRESSED else b"\x00"
        assert filler * (length - kept) == found[kept:]


@given(st.integers(0, 10**12 - 1), st.integers(6, 12))
def test_an_amount_means_the_same_in_a_longer_field(amount: int, length: int) -> None:
    held = {0x9F02: bytes.fromhex(f"{amount:012}")}
    assert amount == int(fill(bytes((0x9F, 0x02, length)), held).hex())


# Bad lists and data


@given(near(lists().map(build_dol)))
def test_any_bytes_are_filled_as_they_ask_or_refused(raw: bytes) -> None:
    try:
        entries = parse_dol(raw)
    except FormatError:
        entries = None
    wanted = None if entries is None else sum(length for _, length in entries)
    if wanted is None or wanted > LONGEST:
        for step in (asked, offsets, lambda dol: fill(dol, {}), lambda dol: split(dol, b"")):
            with pytest.raises(FormatError, match=r"DOL|TLV"):
                step(raw)
    else:
        assert bytes(wanted) == fill(raw, {})


@pytest.mark.parametrize("last", [0, 1, 125])
def test_the_most_a_list_may_ask_for_is_filled_and_a_byte_more_refused(last: int) -> None:
    most = [DolEntry(0x9F4E, 127), DolEntry(0x9F37, 125 - last), DolEntry(0x9A, last)]
    assert LONGEST == len(fill(build_dol(most), {}))
    with pytest.raises(FormatError, match="asks for 253 bytes"):
        fill(build_dol([*most, DolEntry(0x9C, 1)]), {})


def test_a_list_of_252_bytes_is_read_and_a_longer_one_refused() -> None:
    assert 126 == len(asked(b"\x95\x00" * 126))
    with pytest.raises(FormatError, match="a list of 254 bytes"):
        asked(b"\x95\x00" * 127)


@given(lists(), st.binary(max_size=60))
def test_data_of_another_length_are_refused_without_being_shown(
    entries: list[DolEntry], data: bytes
) -> None:
    dol = build_dol(entries)
    if len(data) == sum(length for _, length in entries):
        assert data == b"".join(split(dol, data).values())
        return
    with pytest.raises(FormatError) as caught:
        split(dol, data)
    assert len(data) < 3 or data.hex() not in str(caught.value).lower()


# The books


@pytest.mark.parametrize("case", DOL_CASES)
def test_a_list_is_filled_as_the_case_says(case: dict[str, Any]) -> None:
    held = {int(tag, 16): bytes.fromhex(value) for tag, value in case["values"].items()}
    filled = bytes.fromhex(case["filled"])
    assert filled == fill(bytes.fromhex(case["hex"]), held)
    if "command" in case:
        command = CommandAPDU.parse(bytes.fromhex(case["command"]))
        template = bytes(tlv(0x83, filled))
        assert (template if command.ins == 0xA8 else filled) == command.data


def test_a_recorded_card_got_what_its_lists_ask_for() -> None:
    said = list(read((VECTORS / "journeys/upi_contact.apdu").read_text(encoding="utf-8")))
    records = [parse(each.answer[:-2]) for each in said if each.command[1] == 0xB2]
    found = [item for (template,) in filter(None, records) for item in template.children]
    cdol1, cdol2, ddol = (find(found, tag) for tag in (0x8C, 0x8D, 0x9F49))
    assert cdol1 and cdol2 and ddol

    commands = [CommandAPDU.parse(each.command) for each in said]
    first, second = (each.data for each in commands if each.ins == 0xAE)
    (dynamic,) = (each.data for each in commands if each.ins == 0x88)
    asked_first, asked_second = split(cdol1.value, first), split(cdol2.value, second)
    assert bytes.fromhex("000000006580") == asked_first[0x9F02] == asked_second[0x9F02]
    assert asked_first[0x9F37] == asked_second[0x9F37]
    assert b"00" == asked_second[0x8A]
    assert {0x9F37: dynamic} == split(ddol.value, dynamic)
    assert first == fill(cdol1.value, asked_first)
    assert second == fill(cdol2.value, asked_second)


# The table of elements


def _tags(tree: Any) -> set[str]:
    """The tags of a tree as books write it."""
    return {each["tag"] for each in tree} | {
        tag for each in tree for tag in _tags(each.get("children", ()))
    }


def test_every_tag_of_a_published_card_is_known() -> None:
    whole = book("wire/perso_card.json")["cases"]
    found = {tag for case in whole for tag in _tags(case.get("tree", ()))}
    assert "9F10" in found
    assert set() == found - {f"{each.tag:X}" for each in ELEMENTS}


def test_a_tag_stands_once_in_the_table() -> None:
    assert len(ELEMENTS) == len(BY_TAG)


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: f"{element.tag:X}")
def test_an_element_has_a_tag_a_name_in_both_languages_and_a_length(element: Element) -> None:
    assert [tlv(element.tag, b"")] == parse(bytes(tlv(element.tag, b"")))
    assert element.name and element.name.isascii()
    assert any("一" <= character <= "鿿" for character in element.chinese)
    assert 0 <= element.least <= element.most
    assert element.most > 0
    if is_constructed(element.tag):
        assert Format.BINARY is element.format
