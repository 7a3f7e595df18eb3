# SPDX-License-Identifier: Apache-2.0
"""Profiles of chaos: what they may say, and how they are refused."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.errors import FormatError
from host.channel.chaos_profile import SHIPPED, Fault, Kind, Profile, load_profile, parse_profile

SCHEMA = json.loads(files("host.channel").joinpath("chaos.schema.json").read_text("utf-8"))
BEYOND_THE_SCHEMA = ("must be the name of a command", "its class is none")
NUMBERS = st.integers(-2, 20) | st.floats(-1, 700, width=16).filter(
    lambda number: not number.is_integer()  # which are whole numbers to a schema alone
)
WORDS = st.sampled_from(["mute", "6F00", "6000", "9000", "6f00", "B2", "READ BINARY", ""])
VALUES = NUMBERS | st.booleans() | st.lists(NUMBERS, max_size=3) | WORDS
RATES = st.sampled_from([{"probability": 0.5}, {"every": 3}, {"at": [5, 9]}]) | st.dictionaries(
    st.sampled_from(["probability", "every", "at"]), VALUES
)
FAULTS = st.builds(
    lambda kind, rate, more: {"kind": kind, **rate, **more},
    st.sampled_from([each.value for each in Kind]) | VALUES,
    RATES,
    st.dictionaries(st.sampled_from(["seconds", "keep", "sw", "last", "on"]), VALUES, max_size=2),
)


def written(table: dict[str, object]) -> str:
    """A profile with this fault; TOML writes these values as JSON does."""
    return "[[fault]]\n" + "".join(f"{name} = {json.dumps(each)}\n" for name, each in table.items())


def fits(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(tomllib.loads(text))


def fault(text: str) -> Fault:
    """The fault of a profile that has this one."""
    (found,) = parse_profile(f"[[fault]]\n{text}\n").faults
    return found


def test_a_profile_that_says_nothing_has_no_faults() -> None:
    assert Profile() == parse_profile("")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_profiles_say_what_they_are_about(name: str) -> None:
    found = load_profile(name)
    assert found.faults
    assert found.about.endswith(".")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('kind = "mute"\nprobability = 0.5', Fault(Kind.MUTE, probability=0.5)),
        ('kind = "mute"\nprobability = 1', Fault(Kind.MUTE, probability=1)),
        ('kind = "mute"\nevery = 3', Fault(Kind.MUTE, every=3)),
        ('kind = "mute"\nat = [5, 9]', Fault(Kind.MUTE, at=(5, 9))),
        (
            'kind = "delay"\nat = [1]\nseconds = 0.5',
            Fault(Kind.DELAY, at=(1,), seconds=0.5),
        ),
        ('kind = "truncate"\nat = [1]\nkeep = 0', Fault(Kind.TRUNCATE, at=(1,), keep=0)),
        ('kind = "refuse"\nat = [1]\nsw = "6985"', Fault(Kind.REFUSE, at=(1,), sw=0x6985)),
        ('kind = "status"\nat = [1]\nsw = "9000"', Fault(Kind.STATUS, at=(1,), sw=0x9000)),
        ('kind = "mac"\nat = [1]\nlast = 8', Fault(Kind.MAC, at=(1,), last=8)),
        (
            'kind = "flip"\nevery = 1\non = "update binary"',
            Fault(Kind.FLIP, frozenset({(0, 0xD6)}), every=1),
        ),
        (
            'kind = "flip"\nevery = 1\non = "b2"',
            Fault(Kind.FLIP, frozenset({(None, 0xB2)}), every=1),
        ),
        (
            'kind = "flip"\nevery = 1\non = "84CA"',
            Fault(Kind.FLIP, frozenset({(0x80, 0xCA)}), every=1),
        ),
    ],
)
def test_a_fault_says_its_kind_its_commands_and_its_rate(text: str, expected: Fault) -> None:
    assert expected == fault(text)
    assert fits(f"[[fault]]\n{text}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at = [1]", "fault[0].kind: is missing"),
        ('kind = "melt"\nat = [1]', "fault[0].kind: must be one of delay, mute, drop-command"),
        ("kind = 7\nat = [1]", "fault[0].kind: must be one of"),
        ('kind = "mute"', "fault[0].probability: there must be one of probability, every and at"),
        ('kind = "mute"\nevery = 1\nat = [1]', "there must be one of"),
        ('kind = "mute"\nprobability = 1.01', "probability: must be a number from 0 to 1"),
        ('kind = "mute"\nprobability = -0.1', "probability: must be a number from 0 to 1"),
        ('kind = "mute"\nprobability = nan', "probability: must be a number from 0 to 1"),
        ('kind = "mute"\nprobability = true', "probability: must be a number from 0 to 1"),
        ('kind = "mute"\nprobability = "1"', "probability: must be a number from 0 to 1"),
        ('kind = "mute"\nevery = 0', "every: must be a whole number from 1"),
        ('kind = "mute"\nevery = 1.5', "every: must be a whole number from 1"),
        ('kind = "mute"\nat = []', "at: must be a list of whole numbers from 1"),
        ('kind = "mute"\nat = 3', "at: must be a list of whole numbers from 1"),
        ('kind = "mute"\nat = [0]', "at: must be a list of whole numbers from 1"),
        ('kind = "mute"\nat = [true]', "at: must be a list of whole numbers from 1"),
        ('kind = "mute"\nat = [1]\nseconds = 1', "seconds: there is no such setting"),
        ('kind = "mute"\nat = [1]\nkeep = 1', "keep: there is no such setting"),
        ('kind = "mute"\nat = [1]\nsw = "6F00"', "sw: there is no such setting"),
        ('kind = "mute"\nat = [1]\nlast = 4', "last: there is no such setting"),
        ('kind = "mute"\nat = [1]\nmood = 4', "fault[0].mood: there is no such setting"),
        ('kind = "delay"\nat = [1]', "seconds: is missing"),
        ('kind = "delay"\nat = [1]\nseconds = -1', "seconds: must be a number from 0 to 600"),
        ('kind = "delay"\nat = [1]\nseconds = inf', "seconds: must be a number from 0 to 600"),
        ('kind = "truncate"\nat = [1]\nkeep = -1', "keep: must be a whole number from 0 to 65535"),
        ('kind = "mac"\nat = [1]\nlast = 0', "last: must be a whole number from 1 to 16"),
        ('kind = "refuse"\nat = [1]\nsw = "6f00"', "sw: must be 2 bytes in hexadecimal"),
        ('kind = "refuse"\nat = [1]\nsw = 6985', "sw: must be 2 bytes in hexadecimal"),
        ('kind = "refuse"\nat = [1]\nsw = "6000"', "sw: must be 61xx to 6Fxx or 9xxx"),
        ('kind = "refuse"\nat = [1]\nsw = "1234"', "sw: must be 61xx to 6Fxx or 9xxx"),
        ('kind = "flip"\nat = [1]\non = "READ MIND"', "on: must be the name of a command"),
        ('kind = "flip"\nat = [1]\non = "B2B2B2"', "on: must be the name of a command"),
        ('kind = "flip"\nat = [1]\non = "FFB2"', "on: its class is none"),
        ('kind = "flip"\nat = [1]\non = 178', "on: must be 1 to 64 printable"),
    ],
)
def test_a_fault_that_says_nonsense_is_refused_by_name_and_rule(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=r"^fault\[0\]\.") as refused:
        fault(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fault = 3", "fault: must be tables"),
        ("faults = []", "faults: there is no such setting"),
        ("about = 3", "about: must be 1 to 200 printable"),
        ("[[fault]", "chaos profile: "),
    ],
)
def test_a_profile_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse_profile(text)
    assert str(refused.value).startswith(said)


@given(st.text())
def test_any_text_is_a_profile_or_refused(text: str) -> None:
    try:
        parse_profile(text)
    except FormatError as refused:
        assert "\n" not in str(refused)


def test_a_profile_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[[fault]]\nkind = "mute"\nevery = 2\n', encoding="utf-8")
    assert Profile((Fault(Kind.MUTE, every=2),)) == load_profile(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(FormatError, match="must be UTF-8"):
        load_profile(str(path))
    with pytest.raises(FileNotFoundError):
        load_profile(str(tmp_path / "none.toml"))


def test_the_schema_is_one_and_the_shipped_profiles_fit_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name in SHIPPED:
        shipped = files("host.channel").joinpath("profiles", f"{name}.toml")
        assert fits(shipped.read_text("utf-8"))


@given(FAULTS)
def test_schema_and_loader_refuse_the_same(table: dict[str, object]) -> None:
    text = written(table)
    try:
        parse_profile(text)
    except FormatError as refusal:
        said = str(refusal)
        assert not fits(text) or any(words in said for words in BEYOND_THE_SCHEMA)
    else:
        assert fits(text)
