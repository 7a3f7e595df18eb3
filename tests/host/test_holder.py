# SPDX-License-Identifier: Apache-2.0
"""A holder file gives a holder that agrees with itself, or one line that says why not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apdu.wire.codelists import EthnicGroup, Sex
from host.holder import BORN_ABROAD, Holder, HolderFileError
from host.numbers import card_number_check_character, identity_check_character, sex_of
from host.regions import PROVINCES

EXAMPLES = Path(__file__).parents[2] / "examples"
PLAIN: dict[str, Any] = json.loads((EXAMPLES / "zhang-san.json").read_text(encoding="utf-8"))

regions = st.tuples(st.sampled_from(sorted(PROVINCES)), st.integers(0, 9999)).map(
    lambda parts: f"{parts[0]}{parts[1]:04d}"
)
names = st.one_of(
    st.text("张三李四王五欧阳䶮𠮷·阿提", min_size=1, max_size=7),
    st.text("ABCabc xyz", min_size=1, max_size=30),
    # 31 to 50 bytes: the extension is needed, and can never be overrun by an odd break.
    st.text("阿凡提纳斯尔丁霍加", min_size=16, max_size=25),
).filter(lambda name: name == name.strip())
card_numbers = st.text("0123456789ABCXYZ", min_size=8, max_size=8).map(
    lambda first8: first8 + card_number_check_character(first8)
)


@st.composite
def holders(draw: st.DrawFn) -> Holder:
    born = draw(st.dates(max_value=date(9000, 1, 1)))
    issued = born + timedelta(days=draw(st.integers(0, 40_000)))
    tail = f"{draw(st.integers(0, 999)):03d}"
    first17 = draw(regions) + born.isoformat().replace("-", "") + tail
    number = first17 + identity_check_character(first17)
    return Holder(
        number=number,
        name=draw(names),
        sex=draw(st.sampled_from([sex_of(number), Sex.UNKNOWN, Sex.UNSPECIFIED])),
        ethnic_group=draw(st.sampled_from(EthnicGroup)),
        birthplace=draw(regions | st.just(BORN_ABROAD)),
        birth_date=born,
        region=draw(regions),
        issue_date=issued,
        expiry_date=issued + timedelta(days=draw(st.integers(1, 40_000))),
        card_number=draw(st.none() | card_numbers),
    )


def as_file(holder: Holder) -> dict[str, str]:
    fields = {
        "number": holder.number,
        "name": holder.name,
        "sex": holder.sex.english,
        "ethnic_group": holder.ethnic_group.chinese,
        "birthplace": holder.birthplace,
        "birth_date": holder.birth_date.isoformat(),
        "region": holder.region,
        "issue_date": holder.issue_date.isoformat().replace("-", ""),
        "expiry_date": holder.expiry_date.isoformat(),
    }
    if holder.card_number is not None:
        fields["card_number"] = holder.card_number
    return fields


def refusal_of(text: str | bytes) -> str:
    with pytest.raises(HolderFileError) as refused:
        Holder.from_json(text, "holder.json")
    return str(refused.value)


def with_fields(**changes: Any) -> str:
    return json.dumps(PLAIN | changes)


def is_read_or_refused_in_one_line(text: str | bytes) -> None:
    try:
        Holder.from_json(text, "holder.json")
    except HolderFileError as refusal:
        assert str(refusal).startswith("holder.json: ")
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(holders(), st.booleans())
def test_what_was_written_to_a_file_is_loaded_as_the_same_holder(
    holder: Holder, escaped: bool
) -> None:
    text = json.dumps(as_file(holder), ensure_ascii=escaped)
    assert holder == Holder.from_json(text) == Holder.from_json(text.encode())


@given(st.binary() | st.text())
def test_any_bytes_are_a_holder_or_refused_in_one_line(text: str | bytes) -> None:
    is_read_or_refused_in_one_line(text)


@given(json_values)
def test_any_json_is_a_holder_or_refused_in_one_line(value: Any) -> None:
    is_read_or_refused_in_one_line(json.dumps(value))


@given(st.sampled_from([*PLAIN, "nickname"]), json_values | st.text(max_size=30))
def test_any_value_in_any_field_is_a_holder_or_refused_in_one_line(key: str, value: Any) -> None:
    is_read_or_refused_in_one_line(with_fields(**{key: value}))


@given(st.binary(max_size=3), st.integers(0, 400), st.integers(0, 4))
def test_a_damaged_file_is_a_holder_or_refused_in_one_line(
    noise: bytes, at: int, gone: int
) -> None:
    text = json.dumps(PLAIN, ensure_ascii=False).encode()
    is_read_or_refused_in_one_line(text[:at] + noise + text[at + gone :])


@given(holders())
def test_a_holder_is_printed_without_the_person(holder: Holder) -> None:
    assert f"Holder(<masked>, region={holder.region!r})" == repr(holder) == f"{holder}"


@given(holders(), st.integers(1, 10_000))
def test_a_birth_date_that_disagrees_with_the_number_is_refused(holder: Holder, days: int) -> None:
    assume((holder.birth_date - date.min).days >= days)
    with pytest.raises(ValueError, match=r"^birth_date: disagrees with the number"):
        replace(holder, birth_date=holder.birth_date - timedelta(days=days))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_example_loads(path: Path) -> None:
    Holder.load(path)


def test_the_examples_show_what_they_are_named_for() -> None:
    plain, long, rare, leap = (
        Holder.load(EXAMPLES / f"{name}.json")
        for name in ("zhang-san", "long-name", "rare-character", "leap-day-x")
    )
    assert ("A12345674", None) == (plain.card_number, leap.card_number)
    assert 30 < len(long.name.encode("gb18030")) <= 50 and "\u00b7" in long.name
    with pytest.raises(UnicodeEncodeError):
        rare.name.encode("gb2312")
    assert (2, 29, "X") == (leap.birth_date.month, leap.birth_date.day, leap.number[17])


@pytest.mark.parametrize("sex", ["male", "MALE", "男", "1", "0", "9"])
def test_sex_may_be_written_as_word_or_code(sex: str) -> None:
    assert Sex.from_text(sex) is Holder.from_json(with_fields(sex=sex)).sex


def test_a_byte_order_mark_is_let_through() -> None:
    text = with_fields()
    assert Holder.from_json(text) == Holder.from_json(text.encode("utf-8-sig"))
    assert Holder.from_json(text) == Holder.from_json("\ufeff" + text)


def test_a_name_that_uses_all_50_bytes_is_accepted() -> None:
    assert "汉" * 25 == Holder.from_json(with_fields(name="汉" * 25)).name


def test_a_holder_born_abroad_has_the_code_kept_for_it() -> None:
    assert BORN_ABROAD == Holder.from_json(with_fields(birthplace=BORN_ABROAD)).birthplace


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("number", "430200199001010018", "the check character, position 18, must be 9"),
        ("number", "43020019900101001x", "the check character, position 18, must be a capital X"),
        ("number", "430200900101001", "must have 18 characters"),
        ("number", 430200199001010019, "must be a string in quotes, since a number loses digits"),
        ("number", 1e400, "must be a string in quotes, since a number loses digits"),
        ("name", "", "must not be empty"),
        ("name", " \u3000", "must not be empty"),
        ("name", " 张三", "must not begin or end with a blank"),
        ("name", "张三\u3000", "must not begin or end with a blank"),
        ("name", "张\n三", "position 2 is U+000A, no visible character"),
        ("name", "张三\0", "position 3 is U+0000, no visible character"),
        ("name", "\ud800", "position 1 is U+D800, no visible character"),
        ("name", "张\u200b三", "position 2 is U+200B, no visible character"),
        ("name", "汉" * 26, ""),
        ("name", "汉" * 400_000, ""),
        ("name", None, "must be a string, not null"),
        ("sex", "female", "disagrees with the number, whose position 17 is odd for a male"),
        ("sex", "m", "must be male, female, 男, 女 or a code of GB/T 2261.1"),
        ("sex", True, "must be a string, not true or false"),
        ("ethnic_group", "57", "must be a two-digit code, a Chinese or an English name"),
        ("birthplace", "4302", "must be the 6 digits of a GB/T 2260 region"),
        ("birthplace", "000000", "the first two digits are not a province of GB/T 2260"),
        ("birth_date", "1990-02-30", "1990-02-30 is not a date"),
        ("birth_date", "0000-01-01", "0000-01-01 is not a date"),
        ("birth_date", "1990-1-1", "must be written YYYY-MM-DD or YYYYMMDD"),
        ("birth_date", "1990-0101", "must be written YYYY-MM-DD or YYYYMMDD"),
        ("birth_date", "1990-W01-1", "must be written YYYY-MM-DD or YYYYMMDD"),
        ("birth_date", "1990-01-01\n", "must be written YYYY-MM-DD or YYYYMMDD"),
        ("birth_date", "１９９００１０１", "must be written YYYY-MM-DD or YYYYMMDD"),
        ("birth_date", "1990-01-02", "disagrees with the number, whose positions 7-14"),
        ("region", "990000", "the first two digits are not a province of GB/T 2260"),
        ("region", ["430200"], "must be a string, not a list"),
        ("issue_date", "1989-12-31", "must not lie before the birth date"),
        ("issue_date", {}, "must be a string, not an object"),
        ("expiry_date", "2024-03-01", "must lie after the issue date"),
        ("card_number", "A12345675", "the check character, position 9, must be 4"),
        ("card_number", None, "must be a string, not null"),
    ],
)
def test_a_refused_field_is_named_with_its_rule(field: str, value: Any, rule: str) -> None:
    assert refusal_of(with_fields(**{field: value})).startswith(f"holder.json: {field}: {rule}")


def test_a_name_that_does_not_fit_is_refused_in_the_words_of_the_format() -> None:
    refusal = refusal_of(with_fields(name="汉" * 26))
    assert "bytes" in refusal and "汉" in refusal


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"", "not JSON at line 1 column 1: Expecting value"),
        (b"{\n  oops", "not JSON at line 2 column 3: "),
        (b"\xff\xfe{\0}\0", "not UTF-8 at byte 0"),
        (b'{"name": "\xd5\xc5"}', "not UTF-8 at byte 10"),
        (b"[]", "must be a JSON object, not a list"),
        (b'"x"', "must be a JSON object, not a string"),
        (b"NaN", "must be a JSON object, not a number"),
        (b"null", "must be a JSON object, not null"),
        (b"9" * 5000, "must be a JSON object, not a number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"{}", "number: missing"),
        (b'{"sex": "1", "sex": "2"}', "'sex': given twice"),
        (b'{"birthdate": "1990"}', "'birthdate': unknown field, did you mean 'birth_date'?"),
        (b'{"\\ud800\\n": 1}', "'\\ud800\\n': unknown field"),
        (b'{"birth_date": 1, "zzz": 2}', "'zzz': unknown field"),
        (b'{"' + b"k" * 1_000_000 + b'": 1}', "'kkkkkkkkkkkk...kkkkkkkkkkkkk': unknown field"),
    ],
    ids=range(17),
)
def test_a_refused_file_says_what_is_wrong_with_it(text: bytes, refusal: str) -> None:
    assert refusal_of(text).startswith(f"holder.json: {refusal}")


@pytest.mark.parametrize("key", [key for key in PLAIN if key != "card_number"])
def test_a_missing_field_is_named(key: str) -> None:
    fields = {k: v for k, v in PLAIN.items() if k != key}
    assert f"holder.json: {key}: missing" == refusal_of(json.dumps(fields))


def test_the_card_number_may_be_missing() -> None:
    fields = {k: v for k, v in PLAIN.items() if k != "card_number"}
    assert Holder.from_json(json.dumps(fields)).card_number is None


def test_a_path_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nobody.json", tmp_path, tmp_path / "a\nb", Path("a\0b")):
        with pytest.raises(HolderFileError, match="cannot be read: ") as refused:
            Holder.load(path)
        assert str(refused.value).isprintable()
        assert str(refused.value).startswith(repr(str(path))[1:-1])


def test_a_file_far_larger_than_a_holder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.json"
    path.write_bytes(b" " * 70_000)
    with pytest.raises(HolderFileError, match=r"photo\.json: too large"):
        Holder.load(path)
