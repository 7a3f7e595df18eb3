# SPDX-License-Identifier: Apache-2.0
"""The tables of the HRSS application: items, names, files, keys and FCIs."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from books import book
from hypothesis import given
from hypothesis import strategies as st
from strategies import characters, holders, layout_values

from apdu.errors import FormatError
from apdu.tlv import parse, parse_simple
from apdu.wire.codes import CHARSET
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.df01 import HouseholdData
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.keys import TABLES
from apdu.wire.hrss.spec import items
from apdu.wire.hrss.ssse import EXTENSION_BYTES, NAME_BYTES, HolderData, IssuerData, split_name
from apdu.wire.perso import FileKind
from apdu.wire.record import Record

CONTENTS = [IssuerData, HolderData, HouseholdData]
every_content = pytest.mark.parametrize("content", CONTENTS, ids=lambda found: found.__name__)
EVERY_FILE = [file for directory in DIRECTORIES for file in directory.files]


# Contents of files


@every_content
@given(data=st.data())
def test_a_content_is_simple_tlvs_in_the_order_of_its_items(
    content: type[Record], data: st.DataObject
) -> None:
    found = parse_simple(bytes(data.draw(layout_values(content))))
    listed = [(item.tag, item.size) for item in items(content)]
    assert listed == [(tag, len(value)) for tag, value, _ in found]


@pytest.mark.parametrize(
    ("content", "sizes"),
    [
        (IssuerData, [16, 1, 4, 12, 4, 4, 9]),
        (HolderData, [18, 30, 20, 1, 1, 3, 4]),
        (HouseholdData, [2, 80, 3]),
    ],
    ids=lambda found: getattr(found, "__name__", ""),
)
def test_the_items_have_the_sizes_that_six_drivers_agree_on(
    content: type[Record], sizes: list[int]
) -> None:
    assert sizes == [item.size for item in items(content)]
    assert sum(sizes) + 2 * len(sizes) == content.byte_length()


def test_the_values_of_the_issuer_file_are_fifty_bytes() -> None:
    assert 50 == sum(item.size for item in items(IssuerData))
    assert 64 == IssuerData.byte_length()
    assert 91 == HolderData.byte_length()


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (IssuerData, "01 02 03 04 05 06 07"),
        (HolderData, "08 09 4E 0A 0B 0C 0D"),
        (HouseholdData, "20 21 0E"),
    ],
    ids=lambda found: getattr(found, "__name__", ""),
)
def test_the_items_have_their_tags_and_chinese_names(content: type[Record], tags: str) -> None:
    assert bytes.fromhex(tags) == bytes(item.tag for item in items(content))
    assert all(item.chinese for item in items(content))


@given(holders)
def test_the_name_of_a_holder_is_both_its_parts(holder: HolderData) -> None:
    assert holder.name + holder.name_extension == holder.full_name


def test_an_empty_item_is_zeros_or_the_fill_of_digits() -> None:
    empty = bytes(HolderData("", "", "", "", "", "", None))
    values = {tag: value for tag, value, _ in parse_simple(empty)}
    assert {0x08, 0x09, 0x4E, 0x0A} == {tag for tag in values if not any(values[tag])}
    assert {0x0B, 0x0C, 0x0D} == {tag for tag in values if set(values[tag]) == {0xFF}}


@given(st.dates())
def test_a_date_is_its_digits(day: date) -> None:
    written = parse_simple(bytes(HolderData("", "", "", "", "", "", day)))[-1].value
    assert f"{day:%Y%m%d}".rjust(8, "0") == written.hex()


# Names of people

names = st.text(characters | st.sampled_from("阿凡提李·𠮷㐀A"), max_size=60)
fitting = names.filter(lambda name: len(name.encode(CHARSET)) <= NAME_BYTES + EXTENSION_BYTES - 6)


@given(names)
def test_a_split_name_joins_back_within_its_limits(name: str) -> None:
    try:
        first, second = split_name(name)
    except FormatError:
        assert len(name.encode(CHARSET)) > NAME_BYTES + EXTENSION_BYTES - 6
        return
    assert name == first + second
    assert len(first.encode(CHARSET)) <= NAME_BYTES
    assert len(second.encode(CHARSET)) <= EXTENSION_BYTES
    if second:
        assert len((first + second[0]).encode(CHARSET)) > NAME_BYTES


@given(fitting)
def test_a_name_is_read_back_from_the_card_in_whole_characters(name: str) -> None:
    first, second = split_name(name)
    record = HolderData("", first, second, "", "", "", None)
    assert name == HolderData.parse(bytes(record)).full_name


@given(st.text("阿凡提李·A", min_size=16, max_size=22))
def test_the_first_part_is_as_full_as_whole_characters_allow(name: str) -> None:
    first, second = split_name(name)
    room = NAME_BYTES - len(first.encode(CHARSET))
    assert 0 <= room and (not second or room < len(second[0].encode(CHARSET)))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("", ("", "")),
        ("张三", ("张三", "")),
        ("阿" * 15, ("阿" * 15, "")),
        ("阿" * 16, ("阿" * 15, "阿")),
        ("A" + "阿" * 15, ("A" + "阿" * 14, "阿")),
        ("A" * 29 + "阿", ("A" * 29, "阿")),
        ("A" * 27 + "𠮷", ("A" * 27, "𠮷")),
        ("阿" * 25, ("阿" * 15, "阿" * 10)),
        # Once a character has gone to the extension, a narrower one behind it follows.
        ("A" * 29 + "阿A", ("A" * 29, "阿A")),
    ],
)
def test_a_name_is_broken_between_characters(name: str, parts: tuple[str, str]) -> None:
    assert parts == split_name(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("阿" * 26, ["52 bytes", "30 and 20", "character 26", "U+963F"]),
        ("A" * 29 + "阿" * 11, ["51 bytes", "character 40", "U+963F"]),
        ("A" * 47 + "𠮷", ["51 bytes", "character 48", "U+20BB7", "4 bytes"]),
        ("张\ud800", ["character 2", "U+D800", "GB 18030"]),
        ("张" * 30 + "\ud800", ["30 and 20", "character 26"]),
    ],
    ids=["too long", "a byte lost at the break", "four bytes", "no code", "both"],
)
def test_a_name_that_does_not_fit_is_told_the_limit_and_the_character(
    name: str, says: list[str]
) -> None:
    with pytest.raises(FormatError) as refused:
        split_name(name)
    assert [] == [word for word in says if word not in str(refused.value)]


# Files and keys


def test_an_ef_is_named_by_its_sfi() -> None:
    for file in EVERY_FILE:
        assert 0xEF00 | file.sfi == file.fid
        assert 1 <= file.sfi <= 30


def test_names_and_numbers_are_given_once() -> None:
    assert len(DIRECTORIES) == len({each.fid for each in DIRECTORIES})
    assert len(DIRECTORIES) == len({each.name for each in DIRECTORIES})
    for directory in DIRECTORIES:
        assert len(directory.files) == len({file.fid for file in directory.files})
        slots = {(key.kid, key.usage, key.version) for key in directory.keys}
        assert len(directory.keys) == len(slots)
        assert len(directory.name) <= 16


def test_a_local_key_is_in_a_directory_and_a_global_one_in_the_environment() -> None:
    for directory in DIRECTORIES:
        assert {directory is not SSSE} >= {bool(key.kid & 0x80) for key in directory.keys}


def test_a_psam_and_an_hsm_tell_all_keys_apart_and_diversify_over_one_to_three_levels() -> None:
    keys = [key for each in DIRECTORIES for key in each.keys]
    assert keys == [key for table in TABLES for key in table]
    names = [key.psam for key in keys if key.psam]
    assert len(names) == len({(name.usage, name.id) for name in names})
    assert {1, 2, 3} >= {name.levels for name in names}
    addresses = [key.hsm for key in keys if key.hsm is not None]
    assert len(addresses) == len(set(addresses))
    assert {"DLK", "DTK"} == {key.name for key in keys if not key.psam}


def test_a_file_has_records_or_a_size() -> None:
    for file in EVERY_FILE:
        assert (file.content is None) <= (file.size > 0)
        in_records = file.kind in (FileKind.CYCLIC, FileKind.LINEAR_VARIABLE)
        assert in_records == (file.records > 0)
        if file.kind is FileKind.TRANSPARENT and file.content is not None:
            assert file.content.byte_length() == file.size


# FCIs


def published(case_id: str) -> dict[str, Any]:
    found = book("wire/tlv_published.json")["cases"]
    return next(case for case in found if case["id"] == case_id)


def test_the_environment_is_named_and_answers_as_observed() -> None:
    assert "7378312E73682EC9E7BBE1B1A3D5CF" == SSSE_NAME.hex().upper()
    assert published("ssse-fci")["hex"] == SSSE.fci.hex().upper()


def test_a_directory_answers_with_its_name() -> None:
    for directory in DIRECTORIES:
        (template,) = parse(directory.fci)
        name = template.find(0x84)
        assert 0x6F == template.tag
        assert name is not None and directory.name == name.value
