# SPDX-License-Identifier: Apache-2.0
"""The command `sscard`, as people and programs meet it: the demo, help, errors, terminals."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from commandline import (
    EXAMPLES,
    ROOT,
    in_a_process,
    refusal,
    sscard,
)
from rich.cells import cell_len
from rich.console import Console

from apdu.trace import Exchange
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import INITIAL_PIN
from apdu.wire.hrss.keys import TABLES
from apdu.wire.pki import CERTIFICATES_NAME
from card_os.chip import Chip
from host.cli.explain import Explainer
from host.cli.names import BANK, Shown
from host.cli.render import ItemsTable, Teller
from host.cli.stage import Played
from host.cli.story import CHOSEN_PIN, MISTYPED_PIN, STORY
from host.cli.text import packed, spaced
from host.holder import Holder

PINS = 1

# demo


def test_the_demo_ends_well() -> None:
    result = sscard("demo")
    assert (0, "") == (result.exit_code, result.stderr)
    assert f"all {len(STORY)} steps did what they had to" in result.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_demo_ends_well_for_every_sample_holder(path: Path) -> None:
    assert 0 == sscard("demo", path).exit_code


def test_every_apdu_of_personalisation_is_shown_when_asked_for() -> None:
    brief, whole = sscard("demo").stdout, sscard("demo", "--all").stdout
    assert 0 == brief.count("WRITE KEY  ")
    secrets = PINS + sum(map(len, TABLES)) + len(BANK.keys)
    # Each stands there as it is sent, and in the list of what was made.
    assert 2 * secrets == whole.count("WRITE KEY  ")


def test_a_long_step_shows_its_commands_that_matter_and_counts_the_others() -> None:
    lines = sscard("demo").stdout.splitlines()
    begins = [*(at for at, line in enumerate(lines) if line.endswith("──")), len(lines)]
    scenes = {
        lines[begin][2:].partition("  ")[0].strip(): "\n".join(lines[begin:end])
        for begin, end in pairwise(begins)
    }
    bank = scenes["The bank personalises its application"]
    slot, tap = scenes["The card pays with its electronic cash"], scenes["The card is tapped"]
    assert "   INITIALIZE UPDATE  " in bank
    assert "   STORE DATA  " not in bank
    assert "   GENERATE AC  " in slot
    assert "   GET PROCESSING OPTIONS  " in tap
    for scene in (slot, tap):
        assert "   READ RECORD  " not in scene
        assert "commands (--all shows them)" in scene
    assert "The same files, PIN and keys as before." in scenes["A second card is issued"]


def test_names_wrap_before_values_do() -> None:
    value = " ".join(["AB"] * 10)
    items = [Shown("9F38", "A name that is rather long for its column", "一个相当长的名字", value)]

    def written(width: int) -> list[str]:
        out = StringIO()
        Console(file=out, width=width).print(ItemsTable(items))
        return [line.rstrip() for line in out.getvalue().splitlines()]

    (wide,) = written(120)
    assert wide.endswith(value)
    narrow = written(80)
    assert narrow[0].endswith(value)
    assert 2 == len(narrow)
    assert all(line.count("AB") >= 5 for line in written(60) if "AB" in line)
    assert [] == written_nothing()


def written_nothing() -> list[str]:
    out = StringIO()
    Console(file=out, width=80).print(ItemsTable([]))
    return out.getvalue().split()


def test_the_demo_as_json_is_a_step_a_line() -> None:
    result = sscard("demo", "--json")
    assert 0 == result.exit_code
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(number, True) for number in range(1, len(STORY) + 1)] == [
        (step["step"], step["ok"]) for step in steps
    ]
    assert {
        "step",
        "name",
        "title",
        "chinese",
        "expected",
        "exchanges",
        "seen",
        "ok",
    } == set(steps[0])
    assert all(step["exchanges"] for step in steps)
    exchanges = [each for step in steps for each in step["exchanges"]]
    assert {"card", "psam"} == {each["to"] for each in exchanges}


def test_what_the_psam_is_told_stands_behind_a_bar() -> None:
    lines = sscard("demo").stdout.splitlines()
    behind = [line for line in lines if line.startswith("   │")]
    assert any("PSAM: INITIALISE PURCHASE" in line for line in behind)
    assert [] == [line for line in lines if "  PSAM: " in line and line not in behind]
    assert [] == [line for line in behind if "MEDICAL DEBIT" in line]
    assert any(line.startswith("   MEDICAL DEBIT  books") for line in lines)


def test_an_fci_is_taken_apart_once() -> None:
    told = sscard("demo").stdout
    assert 1 == told.count("algorithm, version")
    assert 1 == told.count("SFI of the directory")
    assert 3 < told.count("SELECT  SSSE")


def test_what_was_paid_is_shown_in_yuan_and_by_its_chinese_name() -> None:
    told = sscard("demo").stdout
    assert 3 == told.count("个人账户支付  12.34 yuan 元") + told.count(
        "个人账户交易金额  12.34 yuan 元"
    )
    for words in ("医保消费", "中途拔卡", "← no answer came", "for the centre, to settle by"):
        assert words in told


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_line_is_too_long_for_the_terminal(
    path: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widest = max(map(cell_len, sscard("demo", path).stdout.splitlines()))
    assert widest <= min(max(columns, 80), 120)


def test_an_answer_that_is_a_key_is_not_shown() -> None:
    hidden = Exchange.of(bytes.fromhex("80C4010305C103123456"), b"\x5a" * 16 + b"\x90\x00")
    explainer = Explainer()
    explainer.explain(Exchange.of(b"\x00\xa4\x04\x00\x0c" + CERTIFICATES_NAME, b"\x90\x00"))
    told = explainer.explain(hidden)
    assert "HASH" == told.name
    step = replace(STORY[0], long=False)
    out = Console(file=StringIO(), width=80)
    Teller(out, every_apdu=False).tell(Played(1, step, (told,), True, "seen"))
    assert isinstance(out.file, StringIO)
    assert "••" * 16 + "9000" == told.as_json()["answer"]
    assert "← " + " ".join(["••"] * 16) in out.file.getvalue()


@pytest.mark.parametrize("options", [(), ("--all",), ("--json",)])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_pin_is_shown_in_any_coding(path: Path, options: tuple[str, ...]) -> None:
    output = sscard("demo", path, *options).output
    number = Holder.load(path).card_number or ""  # one of them has digits like a PIN's
    for text in (number, spaced(number.encode()), packed(number.encode())):
        output = output.replace(text, "")
    for pin in (INITIAL_PIN, CHOSEN_PIN, MISTYPED_PIN):
        coded = pin_bytes(pin)
        for trace in (pin, spaced(coded), coded.decode("latin-1")):
            assert trace not in output
        for hexed in (packed(pin.encode()), spaced(pin.encode())):
            assert hexed not in output.upper()


def test_a_step_that_goes_wrong_is_shown_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = Chip.transmit
    monkeypatch.setattr(
        Chip,
        "transmit",
        lambda chip, command: b"\x90\x00" if command[1] == 0x20 else truth(chip, command),
    )
    result = sscard("demo")
    assert 1 == result.exit_code
    assert "63C5 was expected, but the answer was yes" in result.stdout
    well = [step.name for step in STORY].index("mistype")
    assert f"{well} of {len(STORY)} steps did what they had to" in result.stdout
    steps = [json.loads(line) for line in sscard("demo", "--json").stdout.splitlines()]
    assert [True] * well + [False] * (len(STORY) - well) == [step["ok"] for step in steps]


# Options, errors, processes


def test_an_error_with_json_is_an_object_too(tmp_path: Path) -> None:
    path = tmp_path / "no.img"
    result = sscard("info", "--json", "--card", path)
    assert 2 == result.exit_code
    error = json.loads(result.stdout)["error"]
    assert ("ImageError", f"{path}: cannot be opened: No such file or directory") == (
        error["kind"],
        error["message"],
    )
    assert f"sscard: {error['message']}\n" == result.stderr


@pytest.mark.parametrize(
    "words", [("nonsense",), ("demo", "--nonsense"), ("issue", "x.json"), ("demo", "--seed", "x")]
)
def test_wrong_usage_is_one_sentence_too(words: tuple[str, ...]) -> None:
    assert "--help" in refusal(sscard(*words))


def test_without_a_verb_there_is_help() -> None:
    result = sscard()
    assert 0 == result.exit_code
    for verb in ("demo", "issue", "apdu", "info"):
        assert f"\n  {verb} " in result.stdout


@pytest.mark.parametrize("verb", ["demo", "issue", "apdu", "info"])
def test_every_verb_has_help_and_json(verb: str) -> None:
    assert "--json" in sscard(verb, "--help").stdout


def test_help_loads_neither_construct_nor_rich_nor_the_chip() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "host.cli.main", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not {"construct", "rich", "card_os", "cryptography", "apdu"} & loaded


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "utf-8", "latin-1"])
def test_no_encoding_of_the_terminal_makes_it_fail(encoding: str) -> None:
    holder = ROOT / "examples" / "rare-character.json"
    done = in_a_process("demo", holder, env={"PYTHONIOENCODING": encoding})
    assert (0, b"") == (done.returncode, done.stderr)
    done.stdout.decode(encoding)
    done = in_a_process("demo", holder, "--json", env={"PYTHONIOENCODING": encoding})
    for line in done.stdout.decode(encoding).splitlines():
        json.loads(line)


def test_output_to_a_file_has_no_colour_and_no_blanks_at_line_ends() -> None:
    done = in_a_process("demo")
    assert b"\x1b" not in done.stdout
    assert [] == [line for line in done.stdout.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize("words", [("demo",), ("demo", "--json"), ("--help",), ("info", "-h")])
def test_a_reader_of_the_output_may_leave_early(words: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "host.cli.main", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"" == process.stderr.read()
    assert 1 == process.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell's >&-")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_an_output_that_is_closed_is_no_reason_to_complain(closed: str) -> None:
    words = shlex.join([sys.executable, "-m", "host.cli.main", "--version"])
    result = subprocess.run(
        ["sh", "-c", f"{words} {closed}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (0, "") == (result.returncode, result.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_disk_is_one_sentence(options: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "host.cli.main", "demo", *options],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert (1, b"sscard: No space left on device\n") == (done.returncode, done.stderr)
