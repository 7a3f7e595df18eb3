# SPDX-License-Identifier: Apache-2.0
"""The books keep to their schema, and no declared layout or command is without a case."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest
from books import SCHEMA, VECTORS, book, of_format, paths
from jsonschema import Draft202012Validator
from strategies import BIT_RECORDS, FORM_NAMES, RECORDS

import apdu

VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
LAYOUTS = [
    layout.__name__
    for layout in RECORDS + BIT_RECORDS
    if layout.__module__.startswith(apdu.__name__ + ".")
]
STRENGTH = ("ours", "other-implementation", "recorded", "standard")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("path", paths())
def test_a_book_keeps_to_the_schema(path: str) -> None:
    found = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in VALIDATOR.iter_errors(book(path))
    ]
    assert [] == found


@pytest.mark.parametrize("extra", ["secret", "comment"])
def test_an_unknown_field_is_an_error(extra: str) -> None:
    for path in paths():
        whole = book(path)
        assert not VALIDATOR.is_valid(whole | {extra: 1})
        case = whole["cases"][0]
        assert not VALIDATOR.is_valid(whole | {"cases": [case | {extra: 1}]})


@pytest.mark.parametrize("path", paths())
def test_a_case_is_named_once_and_no_source_is_claimed_stronger_than_its_cases(path: str) -> None:
    whole = book(path)
    names = [case["id"] for case in whole["cases"]]
    assert len(names) == len(set(names))
    kinds = [
        STRENGTH.index(case["source"]["kind"])
        for case in whole["cases"]
        if isinstance(case.get("source"), dict)
    ]
    assert STRENGTH.index(whole["source"]["kind"]) <= min(kinds, default=len(STRENGTH))


def _kinds(*formats: str, result: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for case, kind in of_format(*formats):
        if case["result"] == result:
            found[case["name"]].add(kind)
    return found


def test_every_layout_and_every_command_has_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    layouts, commands = (_kinds(name, result="valid") for name in ("layout", "command"))
    assert set(LAYOUTS) == set(layouts)
    assert set(FORM_NAMES) == set(commands)

    operations: dict[str, set[str]] = defaultdict(set)
    for case, kind in of_format("crypto"):
        if case["result"] == "valid":
            operations[case["op"]].add(kind)
    weak = [
        name for name, kinds in {**layouts, **commands, **operations}.items() if kinds == {"ours"}
    ]
    page = (VECTORS / "README.md").read_text(encoding="utf-8").partition("<!-- table: ours -->")[2]
    assert sorted(weak) == sorted(re.findall("`([^`]+)`", page))
    waiting = of_format("tlv", "card", "crypto", "terminal-action", "sequence")
    missing = sorted({case["needs"] for case, _ in waiting if "needs" in case})
    with capsys.disabled():
        print("\nonly cases of our own:", ", ".join(sorted(weak)))
        print("cases wait for:", ", ".join(missing))


def test_every_layout_and_every_command_that_can_refuse_has_an_invalid_case() -> None:
    layouts, commands = (_kinds(name, result="invalid") for name in ("layout", "command"))
    assert set(LAYOUTS) == set(layouts)
    assert set(FORM_NAMES) == set(commands)


def test_no_name_stands_for_two_layouts() -> None:
    assert len(LAYOUTS) == len(set(LAYOUTS))


def test_hex_is_upper_case_and_a_book_ends_with_a_line_end() -> None:
    for path in paths():
        text = (VECTORS / path).read_text(encoding="utf-8")
        assert text.endswith("}\n")
        assert "\t" not in text


def test_a_case_with_a_source_in_words_is_of_the_format_card() -> None:
    for path in paths():
        for case in book(path)["cases"]:
            in_words = isinstance(case.get("source"), str)
            assert in_words == (book(path)["format"] == "card")
