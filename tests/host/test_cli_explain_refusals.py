# SPDX-License-Identifier: Apache-2.0
"""`--explain`: the reasons of an image beside its answers, and nothing else for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import ASK, SELECT, WRONG, issued, refusal, sscard

CLOSED = "00B2014400"
CLOSED_WHY = (
    "card: READ RECORD of EF08 needs key RKSSSE (KID 0A); proven: nothing (ISO 7816-4 11.3.3)"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return issued(tmp_path)


def test_a_reason_stands_under_its_answer_on_standard_error(image: Path) -> None:
    found = sscard("apdu", "--card", image, "--explain", SELECT, CLOSED, ASK)
    assert 0 == found.exit_code
    told = [line for line in found.output.splitlines() if not line.startswith("6F")]
    assert ["69 82", CLOSED_WHY, "63 C6"] == told[:3]
    assert told[3].startswith("card: PIN 00 is not proven; 6 of 6 tries left")
    assert 2 == len(found.stderr.splitlines())


def test_without_it_nothing_is_said_and_the_answers_are_the_same(image: Path) -> None:
    plain = sscard("apdu", "--card", image, SELECT, CLOSED, ASK)
    asked = sscard("apdu", "--card", image, "--explain", SELECT, CLOSED, ASK)
    assert (plain.stdout, "") == (asked.stdout, plain.stderr)


def test_in_json_the_reason_is_in_the_object_and_nowhere_else(image: Path) -> None:
    found = sscard("apdu", "--card", image, "--explain", "--json", SELECT, CLOSED, WRONG)
    assert "" == found.stderr
    selected, closed, wrong = map(json.loads, found.stdout.splitlines())
    assert selected["why"] is None
    assert {
        "gate": "access condition",
        "reason": "READ RECORD of EF08 needs key RKSSSE (KID 0A); proven: nothing",
        "about": {"needs": [["KEY 0A"]], "proven": [], "file": 0xEF08},
        "spec": "ISO 7816-4 11.3.3",
    } == closed["why"]
    assert {"pin": 0, "left": 5, "limit": 6} == wrong["why"]["about"]


def test_json_without_it_has_no_why(image: Path) -> None:
    found = sscard("apdu", "--card", image, "--json", SELECT)
    assert "why" not in json.loads(found.stdout)


def test_a_card_in_a_reader_does_not_say_why(image: Path) -> None:
    said = refusal(sscard("apdu", "--reader", "any", "--explain", SELECT))
    assert "--explain is for card images" in said


def test_reading_a_card_says_what_it_was_refused(image: Path) -> None:
    found = sscard("info", "--card", image, "--explain")
    assert 0 == found.exit_code
    assert sscard("info", "--card", image).stdout == found.stdout
    assert all(line.startswith("card: ") for line in found.stderr.splitlines())
