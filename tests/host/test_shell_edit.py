# SPDX-License-Identifier: Apache-2.0
"""`edit` of the shell: typed values become bytes, and are written when somebody is sure."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelldesk import PIN, Desk, desk

from apdu.errors import FormatError
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.spec import EfSpec, items
from apdu.wire.hrss.ssse import HolderData, IssuerData
from apdu.wire.perso import FileKind
from apdu.wire.record import fields_of
from card_os.chip import Chip
from host.cli.names import value_words
from host.cli.shell.editing import bytes_of, item_called


@pytest.fixture
def typed(chip: Chip) -> Desk:
    return desk(chip, pins=(PIN, PIN, PIN), sure=True)


def test_edit_shows_old_and_new_asks_and_writes(typed: Desk) -> None:
    typed.type("select HRSS", "authenticate UKSSSE", "edit EF06 姓名 '李 四'")
    name, old, new, question = typed.asked
    assert ("姓名 name", "Write it?") == (name, question)
    assert old.startswith("  old  B2 E2")
    assert new.startswith("  new  C0 EE 20 CB C4 00")
    assert new.endswith("李 四")
    assert "李 四" in typed.type("read EF06 2")


def test_nothing_is_written_when_nobody_is_sure(chip: Chip) -> None:
    typed = desk(chip, sure=False)
    typed.type("select HRSS", "authenticate UKSSSE")
    before = chip.snapshot()
    assert "nothing was written" in typed.type("edit EF06 sex female")
    assert before == chip.snapshot()
    assert "written" in typed.type("edit EF06 sex female --yes")
    assert "2 女 female" in typed.type("read EF06 4")


def test_edit_without_its_key_says_which_it_needs(typed: Desk) -> None:
    said = typed.type("select HRSS", "edit EF06 name X")
    assert "writing it needs: UKSSSE" in said


def test_the_same_value_is_not_written_again(typed: Desk) -> None:
    said = typed.type("select HRSS", "edit EF06 born 1990-03-07")
    assert "that is its value already" in said
    assert [] == typed.asked


@pytest.mark.parametrize(
    ("field", "text", "raw"),
    [
        ("born", "2001-02-03", "20010203"),
        ("0D", "", "FFFFFFFF"),
        ("出生日期", "2001-02-03", "20010203"),
        ("sex", "女", "32"),
        ("sex", "9", "39"),
        ("sex", "7", "37"),
        ("ethnic group", "Hui", "03"),
        ("birthplace", "430200", "430200"),
        ("name", "", "00" * 30),
    ],
)
def test_a_typed_value_becomes_the_bytes_of_its_item(field: str, text: str, raw: str) -> None:
    item = item_called(HolderData, field)
    assert raw == bytes_of(HolderData, item, text).hex().upper()


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("born", "2001-02-30", "HolderData.born: must be a date such as 2026-01-05"),
        ("sex", "neither", "HolderData.sex: must be a code of its list"),
        ("name", "张" * 16, "HolderData.name: 32 bytes of text, 30 at most"),
        ("birthplace", "43020x", "HolderData.birthplace: "),
    ],
)
def test_a_value_that_does_not_fit_names_field_and_rule(field: str, text: str, said: str) -> None:
    with pytest.raises(FormatError, match=f"^{said}"):
        bytes_of(HolderData, item_called(HolderData, field), text)


FILES = [
    file
    for generation in GENERATIONS.values()
    for directory in generation.directories
    for file in directory.files
    if file.kind is FileKind.LINEAR_VARIABLE_TLV and file.content is not None
]
ALL_ITEMS = [
    (file, item)
    for file in FILES
    for item in items(file.content)
    if not item.parts  # type: ignore[arg-type]
]


@given(st.sampled_from(ALL_ITEMS), st.data())
def test_what_is_shown_of_an_item_can_be_typed_again(
    place: tuple[EfSpec, Any], data: st.DataObject
) -> None:
    file, item = place
    content: Any = file.content
    (wire,) = (each.metadata["wire"] for each in fields_of(content) if each.name == item.name)
    values: list[Any] = [wire.blank]
    if isinstance(wire.blank, str):
        values += ["1" * item.size, "8" * (2 * item.size)]
    if wire.blank is None:
        values.append(date(2026, 1, 5))
    if isinstance(wire.blank, bytes):
        values.append(bytes(range(1, item.size + 1)))
    if isinstance(wire.blank, int):
        values.append(1234)
    value = data.draw(st.sampled_from(values))
    try:
        raw = content.build_field(item.name, value)
        parsed = content.parse_field(item.name, raw)
    except FormatError:
        return
    shown = value_words(item.name, parsed, item.coding)[0]
    assert raw[2:] == bytes_of(content, item, shown)


def test_bytes_have_the_length_of_their_item() -> None:
    item = item_called(IssuerData, "卡的识别码")
    assert bytes(range(16)) == bytes_of(IssuerData, item, bytes(range(16)).hex(" "))
    with pytest.raises(FormatError, match=r"^IssuerData.identification: 2 bytes, must be 16$"):
        bytes_of(IssuerData, item, "0011")
