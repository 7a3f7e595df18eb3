# SPDX-License-Identifier: Apache-2.0
"""Data objects: what is built reads back, what is read builds again, and all is bounded."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

import pytest
from books import book, cases, paths
from hypothesis import given
from hypothesis import strategies as st
from strategies import near, object_lists, towers

from apdu.errors import FormatError
from apdu.tlv import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_OBJECTS,
    DolEntry,
    SimpleTlv,
    Tlv,
    build,
    build_dol,
    build_simple,
    find,
    parse,
    parse_dol,
    parse_simple,
    tlv,
)

simple_tags = st.integers(1, 0xFE)
simple_items = st.one_of(
    st.builds(SimpleTlv, simple_tags, st.binary(max_size=20), st.booleans()),
    st.builds(SimpleTlv, simple_tags, st.sampled_from([254, 255, 256]).map(bytes), st.just(False)),
)
dol_entries = st.builds(
    DolEntry, st.sampled_from([0x9F02, 0x5F2A, 0x95, 0x9A, 0x9F8101]), st.integers(0, 127)
)
BOOKS = [path for path in paths() if book(path)["format"] == "tlv"]
PARSERS = {"BER": parse, "simple": parse_simple, "DOL": parse_dol}
BUILDERS: dict[str, Any] = {"BER": build, "simple": build_simple, "DOL": build_dol}


def book_cases(**where: Any) -> list[Any]:
    return [case for path in BOOKS for case in cases(path, **where)]


# BER-TLV


@given(object_lists)
def test_objects_read_back_are_the_objects(objects: list[Tlv]) -> None:
    assert objects == parse(build(objects))


@given(near(object_lists.map(build)))
def test_any_bytes_are_objects_that_build_them_again_or_refused(raw: bytes) -> None:
    try:
        objects = parse(raw)
    except FormatError:
        return
    assert raw == build(objects)


@given(near(object_lists.map(build)))
def test_the_lenient_parser_takes_all_that_the_strict_one_takes(raw: bytes) -> None:
    try:
        objects = parse(raw)
    except FormatError:
        return
    assert objects == parse(raw, lenient=True)


@given(near(object_lists.map(build)))
def test_what_the_lenient_parser_takes_it_gives_back_in_the_strict_form(raw: bytes) -> None:
    try:
        objects = parse(raw, lenient=True)
    except FormatError:
        return
    assert objects == parse(build(objects))


@given(object_lists, st.integers(1, 3))
def test_lengths_written_with_spare_bytes_are_read_by_the_lenient_parser_alone(
    objects: list[Tlv], spare: int
) -> None:
    loose = b"".join(_loosely(item, spare) for item in objects)
    assert objects == parse(loose, lenient=True)
    if objects:
        with pytest.raises(FormatError):
            parse(loose)


def _loosely(item: Tlv, spare: int) -> bytes:
    value = b"".join(_loosely(child, spare) for child in item.children) or item.value
    tag = item.tag.to_bytes((item.tag.bit_length() + 7) // 8)
    size = min(max((len(value).bit_length() + 7) // 8, 1) + spare, 4)
    return tag + bytes((0x80 | size,)) + len(value).to_bytes(size) + value


@given(object_lists)
def test_a_child_is_found_by_its_tag(objects: list[Tlv]) -> None:
    for item in objects:
        found = find(objects, item.tag)
        assert found is not None and found.tag == item.tag
        for child in item.children:
            assert item.find(child.tag) in item.children
    assert find(objects, 0x42) is None


@given(st.integers(0, 0xFFFFFFFF) | st.sampled_from([0x9F, 0x1F, 0x9F80, 0x5A00, 0x9F8182, 0]))
def test_a_number_is_a_tag_that_reads_back_or_no_tag(tag: int) -> None:
    try:
        made = tlv(tag, b"")
    except FormatError:
        return
    assert [made] == parse(bytes(made))


@pytest.mark.parametrize("tag", [0x9F, 0x1F, 0x7F, 0x9F81, 0xDF8182], ids="{:X}".format)
def test_a_tag_that_breaks_off_is_refused_as_one(tag: int) -> None:
    with pytest.raises(FormatError, match="cut short"):
        tlv(tag, b"")


@pytest.mark.parametrize("tag", [0x00, 0xFF, 0x5A5A, 0x9F8001, 0x9F81818101])
def test_what_is_no_tag_makes_no_object(tag: int) -> None:
    with pytest.raises(FormatError):
        tlv(tag, b"")


def test_a_primitive_object_has_no_children() -> None:
    with pytest.raises(FormatError):
        tlv(0x5A, [tlv(0x84, b"")])


def test_a_constructed_object_made_from_bytes_knows_its_children() -> None:
    child = tlv(0x84, b"\x01")
    assert tlv(0xA5, [child]) == tlv(0xA5, bytes(child))
    with pytest.raises(FormatError):
        tlv(0xA5, b"\x84")


@pytest.mark.parametrize(
    ("size", "length"), [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100")]
)
def test_a_length_takes_its_shortest_form(size: int, length: str) -> None:
    assert bytes.fromhex("5A" + length) + bytes(size) == bytes(tlv(0x5A, bytes(size)))


def test_the_longest_value_is_taken_and_one_byte_more_refused() -> None:
    longest = tlv(0x5A, bytes(MAX_LENGTH))
    assert [longest] == parse(bytes(longest))
    with pytest.raises(FormatError):
        bytes(Tlv(0x5A, bytes(MAX_LENGTH + 1)))
    with pytest.raises(FormatError):
        parse(bytes.fromhex("5A83010000") + bytes(MAX_LENGTH + 1))
    with pytest.raises(FormatError):
        parse(bytes.fromhex("5A83010000") + bytes(MAX_LENGTH + 1), lenient=True)


@given(towers())
def test_nesting_is_bounded(tower: Tlv) -> None:
    depth, inner = 1, tower
    while inner.children:
        depth, inner = depth + 1, inner.children[0]
    if depth < MAX_DEPTH:
        assert [tower] == parse(bytes(tower))
    else:
        with pytest.raises(FormatError):
            parse(bytes(tower))


@pytest.mark.parametrize("lenient", [False, True])
def test_a_well_of_open_templates_is_refused_and_not_fallen_into(lenient: bool) -> None:
    with pytest.raises(FormatError):
        parse(b"\xa5\x84\x00\x00\xff\xf0" * 10_000, lenient=lenient)
    with pytest.raises(FormatError):
        parse(bytes.fromhex("A580") * 10_000, lenient=lenient)


def test_objects_in_one_template_are_bounded() -> None:
    assert MAX_OBJECTS == len(parse(b"\x5a\x00" * MAX_OBJECTS))
    with pytest.raises(FormatError):
        parse(b"\x5a\x00" * (MAX_OBJECTS + 1))


# Data object lists and simple TLV


@given(st.lists(dol_entries, max_size=8))
def test_a_list_read_back_is_the_list(entries: list[DolEntry]) -> None:
    assert entries == parse_dol(build_dol(entries))


@given(near(st.lists(dol_entries, max_size=8).map(build_dol)))
def test_any_bytes_are_a_list_that_builds_them_again_or_refused(raw: bytes) -> None:
    try:
        entries = parse_dol(raw)
    except FormatError:
        return
    assert raw == build_dol(entries)


@pytest.mark.parametrize("raw", ["9F0280", "9F02FF", "9F02", "9F", "0001", "FF01", "9F800101"])
def test_a_list_with_a_broken_entry_is_refused(raw: str) -> None:
    with pytest.raises(FormatError):
        parse_dol(bytes.fromhex(raw))


@pytest.mark.parametrize("entry", [(0x9F02, 128), (0x9F02, -1), (0x00, 1), (0x9F, 1)])
def test_an_entry_that_could_not_be_read_back_is_not_built(entry: tuple[int, int]) -> None:
    with pytest.raises(FormatError):
        build_dol([DolEntry(*entry)])


@given(st.lists(simple_items, max_size=5))
def test_items_read_back_are_the_items(items: list[SimpleTlv]) -> None:
    assert items == parse_simple(build_simple(items))


@given(near(st.lists(simple_items, max_size=3).map(build_simple)))
def test_any_bytes_are_items_that_build_them_again_or_refused(raw: bytes) -> None:
    try:
        items = parse_simple(raw)
    except FormatError:
        return
    assert raw == build_simple(items)


@pytest.mark.parametrize("raw", ["0000", "FF00", "01", "0102AA", "01FF", "01FF00", "01FF0001"])
def test_a_broken_item_is_refused(raw: str) -> None:
    with pytest.raises(FormatError):
        parse_simple(bytes.fromhex(raw))


@pytest.mark.parametrize("tag", [0x00, 0xFF, 0x100, -1])
def test_an_item_that_could_not_be_read_back_is_not_built(tag: int) -> None:
    with pytest.raises(FormatError):
        bytes(SimpleTlv(tag, b""))


@pytest.mark.parametrize("parser", [parse_dol, parse_simple], ids=["DOL", "simple TLV"])
def test_entries_and_items_are_bounded(parser: Any) -> None:
    assert MAX_OBJECTS == len(parser(b"\x5a\x00" * MAX_OBJECTS))
    with pytest.raises(FormatError):
        parser(b"\x5a\x00" * (MAX_OBJECTS + 1))


def test_the_longest_simple_value_is_taken_and_one_byte_more_refused() -> None:
    longest = SimpleTlv(0x01, bytes(MAX_LENGTH))
    assert [longest] == parse_simple(bytes(longest))
    with pytest.raises(FormatError):
        bytes(SimpleTlv(0x01, bytes(MAX_LENGTH + 1)))


# The books


@pytest.mark.parametrize("case", book_cases(result="valid"))
def test_a_valid_case_parses_to_what_it_says_and_builds_again(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["hex"])
    found = PARSERS[case["coding"]](raw)
    assert raw == BUILDERS[case["coding"]](found)
    _assert_says(case, found)


def _assert_says(case: dict[str, Any], found: Any) -> None:
    if "tree" in case:
        assert case["tree"] == _tree(found)
    if "items" in case:
        assert case["items"] == [[f"{tag:02X}", value.hex().upper()] for tag, value, _ in found]
    if "entries" in case:
        assert case["entries"] == [[f"{tag:X}", length] for tag, length in found]


def _tree(objects: Any) -> list[dict[str, Any]]:
    return [
        {"tag": f"{item.tag:X}"}
        | (
            {"children": _tree(item.children)}
            if item.constructed
            else {"value": item.value.hex().upper()}
        )
        for item in objects
    ]


@pytest.mark.parametrize("case", book_cases(coding="DOL", result="valid"))
def test_a_published_list_asks_for_as_many_bytes_as_its_command_brings(
    case: dict[str, Any],
) -> None:
    wanted = sum(length for _, length in parse_dol(bytes.fromhex(case["hex"])))
    assert wanted == len(bytes.fromhex(case["filled"]))


@pytest.mark.parametrize("case", book_cases(result="invalid"))
def test_an_invalid_case_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        PARSERS[case["coding"]](bytes.fromhex(case["hex"]))


@pytest.mark.parametrize("case", book_cases(coding="BER", result="invalid"))
def test_the_lenient_parser_forgives_what_the_case_says_and_no_more(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["hex"])
    lenient: Any = partial(PARSERS[case["coding"]], lenient=True)
    if case.get("lenient") == "valid":
        found = lenient(raw)
        assert found == lenient(BUILDERS[case["coding"]](found))
        _assert_says(case, found)
    else:
        with pytest.raises(FormatError):
            lenient(raw)


@pytest.mark.parametrize("case", book_cases(result="either"))
def test_a_large_case_is_answered_in_good_time(case: dict[str, Any]) -> None:
    began = perf_counter()
    try:
        PARSERS[case["coding"]](bytes.fromhex(case["hex"]))
    except FormatError:
        pass
    assert perf_counter() - began < case["max_seconds"]
