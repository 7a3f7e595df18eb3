# SPDX-License-Identifier: Apache-2.0
"""Lines of the shell: words, quotes, names, and patterns of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.cli.shell.expectations import Answer, expectation, part_of
from host.cli.shell.lines import LONGEST, BadLine, filled, nearest, script_lines, words_of

plain = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="'\"#$"),
    min_size=1,
)
answers = st.builds(Answer, st.binary(max_size=40), st.integers(0x6000, 0x9FFF))


@given(st.lists(plain, max_size=6))
def test_words_are_what_stands_between_blanks(words: list[str]) -> None:
    assert tuple(words) == words_of(" \t".join(words))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"')))
def test_quotes_keep_what_is_in_them(text: str) -> None:
    assert ("a", f"{text} {text}", "b") == words_of(f'a "{text} {text}" b # more')


@given(st.text(max_size=60))
def test_any_line_is_words_or_a_bad_line(text: str) -> None:
    try:
        found = words_of(text)
    except BadLine as error:
        assert "quote" in str(error)
    else:
        assert all(isinstance(word, str) for word in found)


def test_an_empty_value_is_two_quotes() -> None:
    assert ("edit", "EF06", "name", "") == words_of("edit EF06 name ''")


def test_a_backslash_is_itself() -> None:
    assert ("run", r"C:\cards\a.txt") == words_of(r"run C:\cards\a.txt")


def test_a_line_of_a_million_characters_is_too_long() -> None:
    with pytest.raises(BadLine, match=f"1000000 characters, where {LONGEST}"):
        words_of("a" * 1_000_000)


def test_an_open_quote_is_said_without_what_is_in_it() -> None:
    with pytest.raises(BadLine, match=r"^a quote is opened and not closed$"):
        words_of('verify "123456')


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), plain))
def test_names_stand_for_their_values(variables: dict[str, str]) -> None:
    words = [f"<${{{name}}}|${name}>" for name in variables]
    assert tuple(f"<{v}|{v}>" for v in variables.values()) == filled(words, variables)


def test_two_dollar_signs_are_one() -> None:
    assert ("$n", "$", "5$") == filled(["$$n", "$", "5$"], {"n": "x"})


def test_a_name_that_nothing_has_is_a_bad_line() -> None:
    with pytest.raises(BadLine, match=r"nothing is called \$n"):
        filled(["$n"], {"m": "x"})


def test_a_script_is_its_lines_that_say_something_with_their_numbers() -> None:
    raw = "\ufeff# first\n\n  ls  # here\r\nread 'a b'\n".encode()
    assert [(3, ("ls",), "ls  # here"), (4, ("read", "a b"), "read 'a b'")] == script_lines(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"ls\n\xff\n", "line 2: not UTF-8"), (b'ls\n\nread "x\n', "line 3: a quote is opened")],
)
def test_a_bad_line_of_a_script_is_named(raw: bytes, said: str) -> None:
    with pytest.raises(BadLine, match=f"^{said}"):
        script_lines(raw)


def test_the_nearest_name_is_suggested_and_nothing_for_what_is_far() -> None:
    names = ["select", "read", "tree", "record"]
    assert "; did you mean `read`?" == nearest("reed", names)
    assert "; did you mean `select`?" == nearest("SELCT", names)
    assert "" == nearest("123456", names)


# Expectations


@given(answers)
def test_an_answer_fits_its_own_bytes(answer: Answer) -> None:
    assert answer.data is not None
    words = [f"{answer.sw:04x}", "data", answer.data.hex(" ")]
    assert None is expectation(words).wrong(answer)
    assert None is expectation([f"6A82|{answer.sw:04X}"]).wrong(answer)


@given(answers, st.data())
def test_any_byte_and_any_rest_fit(answer: Answer, data: st.DataObject) -> None:
    assert answer.data is not None
    kept = data.draw(st.integers(0, len(answer.data)))
    any_of_them = data.draw(st.sets(st.integers(0, 40)))
    signs = [
        data.draw(st.sampled_from(["..", "??"])) if at in any_of_them else f"{byte:02X}"
        for at, byte in enumerate(answer.data[:kept])
    ]
    assert None is expectation(["data", *signs, "*"]).wrong(answer)
    exact = expectation(["data", *signs])
    assert (None is exact.wrong(answer)) == (kept == len(answer.data))


@given(answers, st.data())
def test_another_byte_does_not_fit(answer: Answer, data: st.DataObject) -> None:
    raw = bytearray(answer.data or b"\x00")
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    came = Answer(bytes(raw), answer.sw)
    wrong = expectation(["data", (answer.data or b"\x00").hex()]).wrong(came)
    assert wrong is not None
    assert f"data {raw.hex().upper()}" == wrong[1]


@pytest.mark.parametrize(
    ("pattern", "sw", "fits"),
    [
        ("9000", 0x9000, True),
        ("9000", 0x9001, False),
        ("63Cx", 0x63C5, True),
        ("63cX", 0x63C0, True),
        ("63Cx", 0x63D5, False),
        ("61xx|9000", 0x6112, True),
        ("61xx | 9000", 0x9000, True),
        ("61xx|9000", 0x6200, False),
        ("x000", 0x9000, True),
    ],
)
def test_x_is_any_digit_of_a_status_word(pattern: str, sw: int, fits: bool) -> None:
    assert fits == (expectation(pattern.split()).wrong(Answer(b"", sw)) is None)


def test_status_and_data_are_both_held_to() -> None:
    both = expectation(["9000", "data", "01*"])
    assert None is both.wrong(Answer(b"\x01\x02", 0x9000))
    assert ("9000", "6282") == both.wrong(Answer(b"\x01\x02", 0x6282))
    assert ("data 01*", "data 02") == both.wrong(Answer(b"\x02", 0x9000))
    assert ("data 01*", "data (none)") == both.wrong(Answer(b"", 0x9000))


def test_no_data_can_be_expected() -> None:
    assert None is expectation(["data"]).wrong(Answer(b"", 0x9000))
    assert ("data (none)", "data 00") == expectation(["data"]).wrong(Answer(b"\x00", 0x9000))


def test_a_secret_answer_is_not_compared() -> None:
    wrong = expectation(["data", "*"]).wrong(Answer(None, 0x9000))
    assert wrong is not None
    assert "secret" in wrong[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a status word such as"),
        ("900", "four hex digits"),
        ("9000|", "four hex digits"),
        ("90g0", "four hex digits"),
        ("data 6", "character 1 begins neither"),
        ("data 6F .", "character 3 begins"),
        ("data 6F*84", "character 3 begins"),
        ("data **", "character 1 begins"),
        ("data xx", "character 1 begins"),
    ],
)
def test_a_pattern_that_is_none_is_a_bad_line(text: str, said: str) -> None:
    with pytest.raises(BadLine, match=f"expect.*{said}"):
        expectation(text.split())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("n = data[2:6]", ("n", "data", 2, 6)),
        ("n=data[:6]", ("n", "data", None, 6)),
        ("n = data[2:]", ("n", "data", 2, None)),
        ("n = data", ("n", "data", None, None)),
        ("n_1 = sw", ("n_1", "sw", None, None)),
    ],
)
def test_a_part_of_an_answer_has_a_name_and_bounds(
    text: str, found: tuple[str, str, int | None, int | None]
) -> None:
    assert found == part_of(text.split())


@pytest.mark.parametrize("text", ["n", "1n = sw", "n = data[a:b]", "n = data[-1:]", "n = data[1]"])
def test_a_part_that_is_none_is_a_bad_line(text: str) -> None:
    with pytest.raises(BadLine, match=r"^let: must be NAME"):
        part_of(text.split())
