# SPDX-License-Identifier: Apache-2.0
"""The strings of LD/T 33: fields, files, parts, and what names the files of a card."""

from __future__ import annotations

from datetime import datetime

import pytest
from driverbench import code_of
from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.codes import CHARSET
from apdu.wire.hrss.generations import GENERATIONS
from host.ldt33.addresses import file_addresses, file_data, known_tags, places
from host.ldt33.codes import Code, DriverFault
from host.ldt33.syntax import CardInfo, PayInfo, decoded, fields, grouped, groups, hexadecimal

FIELD = st.text(
    st.characters(codec="gb18030", exclude_characters="|$^", exclude_categories=["Cs"]), max_size=9
)
TRAP = b"\x81\x7c\x81\x5e".decode(CHARSET)
"""Two characters whose second bytes are the codes of | and ^."""


@given(st.lists(st.lists(FIELD, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_put_together_comes_apart_again(found: list[list[str]]) -> None:
    text = grouped(found)
    assert found == groups("x", text)
    assert found == groups("x", decoded("x", text.encode(CHARSET)))


@pytest.mark.parametrize("given_", ["", "$", "a", "a|", "a$", "a|b$", "a|$b", "a|$b|", "a|$$", "|"])
def test_fields_and_files_that_do_not_end_are_refused(given_: str) -> None:
    with pytest.raises(DriverFault) as told:
        groups("pFileAddr", given_)
    assert Code.PARAMETER == told.value.code
    assert "pFileAddr" in told.value.sentence


def test_separators_inside_a_character_are_none() -> None:
    assert ["SSSEEF06", TRAP] == fields("x", decoded("x", f"SSSEEF06|{TRAP}|".encode(CHARSET)))


@pytest.mark.parametrize("cut", [b"\xb2", "张".encode(CHARSET)[:1], b"a\xff|", b"\x81\x30\x81"])
def test_half_a_character_is_an_illegal_one(cut: bytes) -> None:
    assert Code.CHARACTER == code_of(decoded, "pWriteData", cut)


@pytest.mark.parametrize("other", [None, 5, ["a"]])
def test_only_text_is_text(other: object) -> None:
    assert Code.PARAMETER == code_of(decoded, "x", other)


@pytest.mark.parametrize(
    ("text", "code"), [("0", -42), ("123", -42), ("0G", -41), (" 0", -41), ("٠٠", -41), ("0x", -41)]
)
def test_hex_digits_come_in_pairs(text: str, code: int) -> None:
    assert code == code_of(hexadecimal, "x", text)


# Which card, and what is to be paid


def test_a_card_is_named_by_its_code_and_number() -> None:
    text = "430200D156000005A47D3B70C1CD61BD|B00000131|"
    parsed = CardInfo.parse(text.encode())
    assert (bytes.fromhex(text[:32]), "B00000131") == parsed
    assert CardInfo.parse(text.lower().replace("b00", "B00")) == parsed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", -14),
        ("00|1", -14),
        ("00|", -14),
        ("00|1|2|", -14),
        ("zz|1|", -41),
        ("000|1|", -42),
        (b"00|\xb2", -41),
    ],
)
def test_what_names_no_card_is_refused(text: str | bytes, code: int) -> None:
    assert code == code_of(CardInfo.parse, text)


def test_amounts_are_in_yuan_and_their_sum_in_fen() -> None:
    expected = PayInfo(1234, 50, datetime(2026, 1, 5, 9, 30, 0))
    assert expected == PayInfo.parse("12.34|0.5|20260105093000|")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1|2|20260105093000",
        "1|2|",
        "1|2|3|20260105093000|",
        "1.234|0|20260105093000|",
        "-1|0|20260105093000|",
        "1e3000|0|20260105093000|",
        "NaN|0|20260105093000|",
        "|0|20260105093000|",
        "42949672.95|0|20260105093000|",
        "1|0|20261305093000|",
        "1|0|2026010509300|",
        "1|0|20260105096000|",
        "1|0|2026-01-05 093000|",
        "1|0|２０２６０１０５０９３０００|",
    ],
)
def test_what_cannot_be_paid_is_refused(text: str) -> None:
    assert Code.PARAMETER == code_of(PayInfo.parse, text)


# Files


def test_the_two_spellings_of_a_directory_name_one() -> None:
    found = file_addresses("SSSEEF05|06|$3F00EF05|06|$DDF1EF05|06|$ssseef05|06|$")
    where = [
        (place.directory.label, place.file.fid, place.tags)
        for place in places(found, GENERATIONS["2.0"])
    ]
    assert [("SSSE", 0xEF05, (6,))] * 4 == where
    assert ["SSSEEF05", "3F00EF05", "DDF1EF05", "ssseef05"] == [each.name for each in found]


def test_every_file_with_its_tags_is_found_where_it_stands() -> None:
    for generation in GENERATIONS.values():
        for directory in generation.directories:
            for file in directory.files:
                tags = known_tags(file)
                name = f"{directory.label}EF{file.fid & 0xFF:02X}"
                text = grouped([[name, *(f"{tag:02X}" for tag in tags)]])
                if name == "DF04EF1B":  # no terminal can read it
                    assert Code.PARAMETER == code_of(places, file_addresses(text), generation)
                    continue
                (place,) = places(file_addresses(text), generation)
                assert (name, directory, file, tags) == place


@pytest.mark.parametrize(
    "text",
    [
        "EF05|06|$",
        "SSSE05|06|$",
        "SSSEEF05 |06|$",
        "SSSEEF5|06|$",
        "SSSEEF055|06|$",
        "DF08EF05|20|$",
        "DF00EF05|20|$",
        "0000EF05|20|$",
        "SSSEEF05|6|$",
        "SSSEEF05|006|$",
        "SSSEEF05|G6|$",
        "SSSEEF05||$",
        "SSSEEF05|06||$",
        "SSSEEF05|06|06|$",
        "SSSEEF05|06,07|$",
        "SSSEEF05|06^07|$",
        "SSSEEF０5|06|$",
        "$SSSEEF05|06|$",
    ],
)
def test_what_no_card_could_have_is_refused_before_there_is_a_card(text: str) -> None:
    assert Code.PARAMETER == code_of(file_addresses, text)


@pytest.mark.parametrize(
    ("generation", "text"),
    [
        ("2.0", "SSSEEF05|08|$"),
        ("2.0", "SSSEEF25|08|$"),
        ("2.0", "SSSEEF09|01|$"),
        ("2.0", "SSSEEF08|02|$"),
        ("2.0", "DF02EF07|00|$"),
        ("2.0", "DF02EF07|05|$"),
        ("1.0", "SSSEEF06|4E|$"),
        ("1.0", "DF04EF15|01|$"),
        ("1.0", "DF04EF08|0B|$"),
        ("3.0", "DF01EF0A|20|$"),
    ],
)
def test_what_this_card_does_not_have_is_refused(generation: str, text: str) -> None:
    found = file_addresses(text)
    assert Code.PARAMETER == code_of(places, found, GENERATIONS[generation])


def test_data_go_with_the_files_they_are_for() -> None:
    files = file_addresses("SSSEEF05|06|07|$DF01EF05|20|$")
    assert [["a", "b"], [""]] == file_data("3F00EF05|a|b|$DF01EF05||$", files).files
    for text in (
        "SSSEEF05|a|b|$",
        "DF01EF05||$SSSEEF05|a|b|$",
        "SSSEEF06|a|b|$DF01EF05||$",
        "a|b|$c|$",
        "SSSEEF05|a|b|$DF01EF05||$DF01EF05||$",
        "SSSEEF05|a|b|$DF01EF05|",
    ):
        assert Code.PARAMETER == code_of(file_data, text, files)
