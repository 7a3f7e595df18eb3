# SPDX-License-Identifier: Apache-2.0
"""Values of items as text, and back: every item of every generation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driverbench import code_of
from hypothesis import given, settings
from hypothesis import strategies as st
from ldt33values import fields_of, records_of

from apdu.wire.fields import Coding
from apdu.wire.hrss.df01 import EducationData, HouseholdData
from apdu.wire.hrss.df02 import EmploymentSpell
from apdu.wire.hrss.df03 import ContributionProof
from apdu.wire.hrss.df04 import MedicalTransaction, OfflineTotals, SpecialSettlement
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.spec import Item, items
from apdu.wire.hrss.ssse import HolderData, IssuerData
from apdu.wire.perso import FileKind
from apdu.wire.record import Record
from host.faults import CardMisspoke
from host.ldt33.codes import Code
from host.ldt33.values import (
    file_bytes,
    hex_text,
    item_bytes,
    item_text,
    record_bytes,
    record_text,
)


def contents(*kinds: FileKind) -> Iterator[type[Record]]:
    found = {
        file.content: None
        for generation in GENERATIONS.values()
        for directory in generation.directories
        for file in directory.files
        if file.kind in kinds and file.content is not None
    }
    yield from found


LAYOUTS = list(contents(FileKind.LINEAR_VARIABLE_TLV))
RINGS = list(contents(FileKind.CYCLIC))
ITEMS = [
    pytest.param(content, item, id=f"{content.__name__}-{item.name}")
    for content in LAYOUTS
    for item in items(content)
]


def item_named(content: type[Record], name: str) -> Item:
    return next(item for item in items(content) if item.name == name)


@pytest.mark.parametrize(("content", "item"), ITEMS)
@settings(max_examples=12)
@given(data=st.data())
def test_every_item_reads_as_it_was_written(
    content: type[Record], item: Item, data: st.DataObject
) -> None:
    text = data.draw(fields_of(item))
    values = item_bytes(content, item, text)
    assert [item.size] * item.repeats == [len(value) for value in values]
    assert text == item_text(item, values)


@pytest.mark.parametrize("content", RINGS, ids=lambda found: found.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_every_record_reads_as_it_was_written(content: type[Record], data: st.DataObject) -> None:
    text = data.draw(records_of(content))
    assert text == record_text(content, record_bytes(content, text))


@pytest.mark.parametrize(("content", "item"), ITEMS)
@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_what_was_erased_is_an_empty_field(content: type[Record], item: Item, fill: bytes) -> None:
    inside = fill * item.size
    if item.parts:
        inside = b"".join(bytes((p.tag or 0, p.size)) + fill * p.size for p in item.parts)
    amounts = Coding.DEC in {each.coding for each in item.parts or (item,)}
    text = item_text(item, [inside] * item.repeats)
    if not (amounts and fill == b"\x00"):  # 0 is an amount
        assert "" == text


@pytest.mark.parametrize(("content", "item"), ITEMS)
def test_an_empty_field_erases(content: type[Record], item: Item) -> None:
    assert "" == item_text(item, item_bytes(content, item, ""))


def test_a_group_has_all_its_parts_between_carets() -> None:
    """The example of the documentation."""
    degrees = item_named(EducationData, "degrees")
    text = "3^0101^School A^3^0101^School B^^^"
    first, second, third = item_bytes(EducationData, degrees, text)
    assert bytes.fromhex("5703330000") + bytes.fromhex("58030101FF") == first[:10]
    assert second[:10] == first[:10]
    assert bytes(3) == third[2:5]
    assert text == item_text(degrees, [first, second, third])


def test_the_coding_says_how_a_value_is_written() -> None:
    def one(content: type[Record], name: str, text: str) -> bytes:
        return item_bytes(content, item_named(content, name), text)[0]

    assert bytes.fromhex("D5C5C8FD").ljust(30, b"\0") == one(HolderData, "name", "张三")
    assert bytes.fromhex("19900307") == one(HolderData, "born", "19900307")
    assert bytes.fromhex("4302FF") == one(HolderData, "birthplace", "4302")
    assert bytes(range(16)) == one(IssuerData, "identification", bytes(range(16)).hex())
    assert bytes.fromhex("000004D2") == one(OfflineTotals, "amount", "1234")
    assert bytes(4) == one(OfflineTotals, "amount", "0")


def test_the_records_of_purchases_read_field_by_field() -> None:
    raw = bytes.fromhex("00073299000000000120260105093000000004D20000003200000000")
    text = "0007^32^990000000001^20260105093000^1234^50^0"
    assert text == record_text(MedicalTransaction, raw)
    assert "" == record_text(MedicalTransaction, b"\xff" * 28)


@pytest.mark.parametrize(
    ("content", "name", "text", "code"),
    [
        (HolderData, "name", "x" * 31, Code.LENGTH),
        (HolderData, "name", "张" * 15 + "x", Code.LENGTH),
        (HolderData, "name", "\ud800", Code.CHARACTER),
        (HolderData, "name", "a\0", Code.CHARACTER),
        (HolderData, "name", "a\n", Code.CHARACTER),
        (HolderData, "name", "\x9b1m", Code.CHARACTER),
        (HolderData, "name", "a^b", Code.PARAMETER),
        (HolderData, "born", "1990030", Code.PARAMETER),
        (HolderData, "born", "19901332", Code.PARAMETER),
        (HolderData, "born", "00000000", Code.PARAMETER),
        (HolderData, "born", "1990-3-7", Code.CHARACTER),
        (HolderData, "born", "１９９００３０７", Code.CHARACTER),
        (HolderData, "birthplace", "4302000", Code.LENGTH),
        (HolderData, "birthplace", "000000", Code.PARAMETER),
        (IssuerData, "identification", "00" * 16, Code.PARAMETER),
        (IssuerData, "identification", "FF" * 16, Code.PARAMETER),
        (IssuerData, "identification", "01" * 15, Code.LENGTH),
        (IssuerData, "identification", "01" * 17, Code.LENGTH),
        (IssuerData, "identification", "0G" * 16, Code.CHARACTER),
        (OfflineTotals, "amount", "4294967295", Code.LENGTH),
        (OfflineTotals, "amount", "9" * 5000, Code.LENGTH),
        (OfflineTotals, "amount", "-1", Code.CHARACTER),
        (OfflineTotals, "amount", "1.00", Code.CHARACTER),
        (EducationData, "degrees", "3^0101^A", Code.PARAMETER),
        (EducationData, "degrees", "^" * 9, Code.PARAMETER),
        (EducationData, "degrees", "3^010X^A^^^^^^", Code.CHARACTER),
        (EducationData, "degrees", "^^" + "x" * 41 + "^^^^^^", Code.LENGTH),
        (ContributionProof, "contributions", "^^20260230" + "^" * 25, Code.PARAMETER),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_code(
    content: type[Record], name: str, text: str, code: Code
) -> None:
    assert code == code_of(item_bytes, content, item_named(content, name), text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0007", Code.PARAMETER),
        ("0007^1^2", Code.PARAMETER),
        ("7^1", Code.LENGTH),
        ("000700^1", Code.LENGTH),
        ("0000^1", Code.PARAMETER),
        ("0007^12", Code.LENGTH),
    ],
)
def test_a_record_that_does_not_fit_is_refused_with_its_code(text: str, code: Code) -> None:
    assert code == code_of(record_bytes, SpecialSettlement, text)


def test_a_record_with_a_day_that_there_is_not_is_refused() -> None:
    for text in ("a^19901332^^", "a^^20260230^", "^^00000000^"):
        assert Code.PARAMETER == code_of(record_bytes, EmploymentSpell, text)


def test_refusals_do_not_repeat_the_value() -> None:
    for content, name, text in (
        (HolderData, "born", "19901399"),
        (HolderData, "name", "SECRETSECRET" * 5),
        (EmploymentSpell, "", "a^19901399^^"),
    ):
        try:
            if name:
                item_bytes(content, item_named(content, name), text)
            else:
                record_bytes(content, text)
        except Exception as error:
            assert "SECRET" not in str(error) and "1399" not in str(error)


# What cards say that is no value


@pytest.mark.parametrize(
    ("content", "name", "raw"),
    [
        (HolderData, "name", b"\xb2".ljust(30, b"\0")),
        (HolderData, "name", b"a\0b".ljust(30, b"\0")),
        (HolderData, "name", b"a|b".ljust(30, b"\0")),
        (HolderData, "name", b"a$b".ljust(30, b"\0")),
        (HolderData, "name", b"short"),
        (HolderData, "born", bytes.fromhex("1990030A")),
        (HolderData, "born", bytes.fromhex("19F00307")),
        (OfflineTotals, "amount", bytes(3)),
    ],
)
def test_a_value_that_no_field_can_hold_is_blamed_on_the_card(
    content: type[Record], name: str, raw: bytes
) -> None:
    with pytest.raises(CardMisspoke):
        item_text(item_named(content, name), [raw])


def test_parts_that_are_not_where_they_belong_are_blamed_on_the_card() -> None:
    degrees = item_named(EducationData, "degrees")
    good = item_bytes(EducationData, degrees, "")
    for bad in (good[0][1:], good[0] + b"\0", b"\x56" + good[0][1:]):
        with pytest.raises(CardMisspoke):
            item_text(degrees, [good[0], bad, good[2]])
    with pytest.raises(CardMisspoke):
        record_text(SpecialSettlement, bytes(4))


# Bytes without structure


@given(st.binary(max_size=40))
def test_a_file_without_structure_is_hex_digits(raw: bytes) -> None:
    written = file_bytes(40, raw.hex())
    assert raw.ljust(40, b"\0") == written
    assert hex_text(written) == (written.hex().upper() if any(raw.strip(b"\0")) else "") or (
        raw == b"\xff" * 40
    )


def test_a_file_does_not_take_more_than_it_holds() -> None:
    assert Code.LENGTH == code_of(file_bytes, 40, "00" * 41)
    assert Code.CHARACTER == code_of(file_bytes, 40, "xx")


def test_a_household_reads_as_it_stands_in_the_file() -> None:
    assert "10" == item_text(item_named(HouseholdData, "category"), [b"10"])
