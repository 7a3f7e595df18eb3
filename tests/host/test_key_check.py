# SPDX-License-Identifier: Apache-2.0
"""`sscard key check` tells what a key is, never the key: not in output, errors or tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from commandline import ROOT, in_a_process, refusal, sscard
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from host.cli.text import spaced

KEY = "0123456789ABCDEFFEDCBA9876543210"
LENGTHS = sorted({length for suite in SUITES.values() for length in suite.key_lengths})


def check(typed: str | bytes, *words: str) -> Result:
    return sscard("key", "check", *words, stdin=typed)


def found(typed: str) -> Any:
    result = check(typed, "--json")
    assert (0, "") == (result.exit_code, result.stderr)
    return json.loads(result.stdout)


def shows(text: str, key: str) -> bool:
    """Whether a text has the key, or half of it, however its digits are set."""
    packed = "".join(text.split()).replace(":", "").upper()
    half = len(key) // 2
    return key[:half].upper() in packed or key[half:].upper() in packed


# What it says


def test_a_key_has_a_check_value_in_every_suite_that_can_take_it() -> None:
    assert {
        "length": 16,
        "suites": [
            {"suite": "3DES", "check_value": "08D7B4", "remarks": []},
            {"suite": "SM4", "check_value": "2677F4", "remarks": []},
        ],
    } == found(KEY)


@given(st.sampled_from(LENGTHS).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_every_key_is_told_by_what_its_suites_say(value: bytes) -> None:
    said = found(value.hex())
    assert len(value) == said["length"]
    assert [
        (suite.name, suite.key(value).check_value().hex().upper(), list(suite.remarks(value)))
        for suite in SUITES.values()
        if len(value) in suite.key_lengths
    ] == [(each["suite"], each["check_value"], each["remarks"]) for each in said["suites"]]


@pytest.mark.parametrize(
    ("key", "remark"),
    [
        ("01010101010101010101010101010101", "weak"),
        ("00112233445566778899AABBCCDDEEFF", "parity"),
        ("0123456789ABCDEF0123456789ABCDEF", "single DES"),
        ("77777777777777777777777777777777", "all bytes are equal"),
    ],
)
def test_what_is_odd_is_said_and_is_no_error(key: str, remark: str) -> None:
    result = check(key)
    assert 0 == result.exit_code
    assert remark in " ".join(result.stdout.split())


def test_a_person_sees_length_check_values_and_that_nothing_is_odd() -> None:
    lines = check(KEY).stdout.splitlines()
    assert "A key (密钥) of 16 bytes" == lines[0]
    assert [["3DES", "08", "D7", "B4", "none"], ["SM4", "26", "77", "F4", "none"]] == [
        line.split() for line in lines[2:]
    ]


@pytest.mark.parametrize(
    "typed",
    [
        KEY.lower(),
        f"{spaced(bytes.fromhex(KEY))}\n",
        f"\n  {KEY} \r\n\n",
        f"\ufeff{KEY}",
        ":".join(KEY[at : at + 4] for at in range(0, len(KEY), 4)),
    ],
    ids=["lower case", "pairs", "blank lines", "byte order mark", "colons"],
)
def test_a_key_may_be_written_in_any_usual_way(typed: str) -> None:
    assert found(KEY) == found(typed)


# What it refuses


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "0 lines of input, there must be one"),
        ("\n \n", "0 lines of input, there must be one"),
        (f"{KEY}\n{KEY}\n", "2 lines of input, there must be one"),
        (KEY[:-1], "an odd number of hex digits (31)"),
        (f"{KEY[:-1]}g", "character 32 is not a hex digit"),
        (f"{KEY}；", "character 33 is not a hex digit"),
        (f"0x{KEY}", "character 2 is not a hex digit"),
        (KEY[:-2], "15 bytes, a key has 8, 16 or 24"),
        (KEY * 2, "32 bytes, a key has 8, 16 or 24"),
        (KEY * 100, "more than 1024 bytes of input"),
        (b"\xff\xfe" + KEY.encode("utf-16-le"), "character 1 is not a hex digit"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_no_key_is_refused_in_words_that_do_not_repeat_it(
    typed: str | bytes, reason: str, options: tuple[str, ...]
) -> None:
    result = check(typed, *options)
    assert (2, f"sscard: key: {reason}\n") == (result.exit_code, result.stderr)
    assert not shows(result.output, KEY)
    if options:
        assert {"kind": "FormatError", "message": f"key: {reason}"} == json.loads(result.stdout)[
            "error"
        ]


@pytest.mark.parametrize(
    "words",
    [
        ("key", "check", KEY),
        ("key", "check", "--", KEY),
        ("key", "check", f"--{KEY}"),
        ("key", "check", f"-{KEY}"),
        ("key", "check", f"--json={KEY}"),
        ("key", "check", "--key", KEY),
        ("key", KEY),
        ("key", f"--{KEY}"),
        ("key", f"-{KEY}", "check"),
    ],
)
def test_a_key_on_the_command_line_is_refused_without_being_repeated(
    words: tuple[str, ...],
) -> None:
    assert not shows(refusal(sscard(*words, stdin="")), KEY)
    if "check" in words[:2] and "=" not in words[-1]:
        assert "not taken from the command line" in refusal(sscard(*words, stdin=KEY))


# What it never shows


@given(st.sampled_from(LENGTHS).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_no_key_is_in_the_output(value: bytes) -> None:
    if len(set(value)) < 4:
        return  # a few equal digits would be found anywhere
    for options in ((), ("--json",)):
        assert not shows(check(value.hex(), *options).output, value.hex())


def test_no_key_is_in_a_traceback_with_the_values_of_all_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr(BlockKey, "check_value", fail)
    error = check(KEY).exception
    assert isinstance(error, RuntimeError)
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(ROOT / "host")
    ]
    stack = traceback.StackSummary.extract(iter(frames), capture_locals=True)
    text = "".join(stack.format())
    assert "check_key" in text
    assert "•••" in text
    assert not shows(text, KEY)
    assert not shows("".join(traceback.format_exception(error)), KEY)
    assert repr(bytes.fromhex(KEY)) not in text


def test_a_key_typed_at_a_terminal_is_asked_for_and_not_shown() -> None:
    pty = pytest.importorskip("pty")
    import os

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "host.cli.main", "key", "check", "--json"],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        screen = b""
        while b": " not in screen:
            screen += os.read(ours, 1024)
        os.write(ours, KEY.encode() + b"\n")
        assert process.stdout is not None
        said = process.stdout.read()
        try:
            while more := os.read(ours, 1024):
                screen += more
        except OSError:  # so a pseudo-terminal says that nobody holds its other end
            pass
        os.close(ours)
    assert 0 == process.returncode
    assert "08D7B4" == json.loads(said)["suites"][0]["check_value"]
    assert "Key in hex (not shown)" in screen.decode()
    assert not shows(screen.decode(), KEY)


def test_a_process_without_standard_input_is_told_that_there_is_no_key() -> None:
    done = in_a_process("key", "check", stdin=subprocess.DEVNULL)
    assert (2, b"", b"sscard: key: 0 lines of input, there must be one\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


# Help


def test_the_group_alone_shows_its_help() -> None:
    result = sscard("key")
    assert 0 == result.exit_code
    assert "\n  check " in result.stdout


def test_its_help_names_the_fields_and_loads_no_cipher() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "host.cli.main", "key", "check", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for word in ("--json", "check_value", "remarks", "never taken from the command line"):
        assert word in " ".join(done.stdout.split())
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"construct", "rich", "card_os", "cryptography", "apdu"} & loaded
