# SPDX-License-Identifier: Apache-2.0
"""Scripts of the shell: expectations, exit status, what is said of the line that failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import ROOT, SELECT, issued, refusal, sscard
from shelldesk import PIN, desk, objects

from card_os.chip import Chip

EXAMPLE = ROOT / "examples" / "first-look.sscard"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return issued(tmp_path)


def run(image: Path, script: str, *words: object, stdin: str | bytes | None = None) -> Any:
    path = image.with_name("script")
    path.write_text(script, encoding="utf-8")
    return sscard("shell", "--card", image, path, *words, stdin=stdin)


def test_the_example_runs_as_it_stands_there(image: Path) -> None:
    found = sscard("shell", "--card", image, EXAMPLE, stdin=f"{PIN}\n")
    assert 0 == found.exit_code, found.output
    for word in ("3F00/SSSE/DF01", "PIN Try Counter", "region = 430200", "姓名"):
        assert word in found.output


def test_the_example_says_what_is_not_as_it_should_be(image: Path) -> None:
    found = sscard("shell", "--card", image, EXAMPLE, stdin="654321\n")
    assert 1 == found.exit_code
    assert "expected 9000, and 63C5 came" in found.output
    assert "because: what was shown is not PIN 00; 5 of 6 tries left" in found.output


def test_a_card_that_says_no_unexpectedly_ends_the_script(chip: Chip) -> None:
    status, said = desk(chip).run("select HRSS\nread EF08\nread EF05\n")
    assert 1 == status
    assert "line 2: READ BINARY: 6982" in said
    assert "because: READ BINARY of EF08 needs key RKSSSE" in said
    assert "卡号" not in said


def test_a_no_that_is_expected_is_none(chip: Chip) -> None:
    assert 0 == desk(chip).run("select HRSS\nread EF08\nexpect 6982\nread EF05\n")[0]


def test_a_no_that_is_another_than_expected_says_both_and_why(chip: Chip) -> None:
    status, said = desk(chip).run("select HRSS\nread EF08\nexpect 6A8x|9000\nread EF05")
    assert 1 == status
    assert "line 3: expected 6A8x or 9000, and 6982 came" in said
    assert "because: READ BINARY of EF08 needs key RKSSSE" in said


def test_going_on_behind_a_failure_keeps_the_worst_status(chip: Chip) -> None:
    script = "select HRSS\nexpect 6A82\nread EF05 3\nexpect value 规范版本 9\nread EF05 7\n"
    status, said = desk(chip).run(script, keep_going=True)
    assert 1 == status
    assert "line 2: expected 6A82, and 9000 came" in said
    assert "line 4: expected 规范版本 9, and 2.00 came" in said
    assert "卡号" in said


@pytest.mark.parametrize(
    "script", ["set 1 x\nread EF05\n{no}", "{no}\nset 1 x", "{no}\n{no}\nls x\n"]
)
def test_the_status_is_that_of_the_worst_line(chip: Chip, script: str) -> None:
    lines = script.format(no="select A0000000031010\nexpect 9000").replace("ls x", "set 1 x\nls")
    assert 2 == desk(chip).run(lines, keep_going=True)[0]


def test_values_are_expected_by_any_of_their_names(chip: Chip) -> None:
    script = """
        select HRSS
        read EF06
        expect value 姓名 测试持卡人
        expect value name 测试持卡人
        expect value 09 测试持卡人
        expect value sex "1 男 male"
        expect value "birth date" 1990-03-07
        expect value 姓名扩展 ''
    """
    assert (0, "") == (desk(chip).run(script)[0], "")
    assert "no such value" in desk(chip).run(script + "expect value nobody 1")[1]


def test_what_is_read_aside_is_not_the_answer(chip: Chip) -> None:
    script = "select HRSS\nread EF05 3\nls\nexpect 9000 data 03 04 *\ntree\nexpect data 03 04 *\n"
    assert 0 == desk(chip).run(script)[0]


def test_parts_of_an_answer_have_names(chip: Chip) -> None:
    script = """
        select HRSS
        let sw = sw
        apdu 00B2032C00
        let all = data
        let value = data[2:]
        let tag = data[:1]
        expect $sw data $tag 04 $value
        expect data $all
        set record 3
        read EF05 $record
        expect data ${all}
    """
    assert 0 == desk(chip).run(script)[0]


def test_a_part_that_the_answer_does_not_have_is_said(chip: Chip) -> None:
    status, said = desk(chip).run("select HRSS\nread EF05 3\nlet n = data[2:7]")
    assert (2, True) == (status, "line 3: let: the answer has 6 bytes" in said)


def test_nothing_is_done_of_a_script_with_a_line_that_is_none(image: Path) -> None:
    found = run(image, f"apdu {SELECT}\n\nexpect 9000x\n")
    assert "line 3: expect: a status word is four hex digits" in refusal(found)
    assert "nothing was done" in found.stderr


def test_a_script_comes_from_standard_input_where_nobody_sits(image: Path) -> None:
    for words in ([], ["-"]):
        found = sscard("shell", "--card", image, *words, stdin="select HRSS\nexpect 9000\n")
        assert 0 == found.exit_code
    found = sscard("shell", "--card", image, stdin="select HRSS\nverify\n")
    assert 2 == found.exit_code
    assert "standard input is the script" in found.output


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"ls\n\xff\xfe\n", "line 2: not UTF-8"),
        (b"a" * 1_000_000, "line 1: a line of 1000000 characters, where 200000 are allowed"),
        (b"read 'EF05\n", "line 1: a quote is opened and not closed"),
        (b"\n" * ((16 << 20) + 1), "more than 16777216 bytes"),
    ],
)
def test_what_is_no_script_is_refused_before_anything_is_done(
    image: Path, raw: bytes, said: str
) -> None:
    path = image.with_name("script")
    path.write_bytes(raw)
    assert said in refusal(sscard("shell", "--card", image, path))


def test_a_script_that_is_not_there_is_said(image: Path) -> None:
    assert "No such file" in refusal(sscard("shell", "--card", image, image.with_name("none")))


def test_a_script_runs_another_and_its_names_stay(chip: Chip, tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("select HRSS\nlet n = data[:1]\n")
    status, _ = desk(chip).run(f"run {tmp_path}/inner\nread EF05 3\nexpect data 03 *\nset n\n")
    assert 0 == status


def test_what_goes_wrong_within_is_said_with_its_script(chip: Chip, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text("select HRSS\nexpect 6A82\n")
    status, said = desk(chip).run(f"run {inner}\nread EF05\n")
    assert 1 == status
    assert f"{inner}, line 2: expected 6A82, and 9000 came" in "".join(said.splitlines())
    assert "卡号" not in said
    inner.write_text("ls\nslect x\n")
    status, said = desk(chip).run(f"run {inner}")
    assert 2 == status
    assert "line 2: no such command; did you mean `select`?" in " ".join(said.split())


def test_a_script_that_runs_itself_ends(chip: Chip, tmp_path: Path) -> None:
    path = tmp_path / "again"
    path.write_text(f"run {path}\n")
    status, said = desk(chip).run(f"run {path}")
    assert 2 == status
    assert "more than 8 deep" in said


def test_quit_ends_a_script(chip: Chip) -> None:
    assert 0 == desk(chip).run("quit\nselect nowhere")[0]


def test_edit_in_a_script_wants_to_be_told_yes(image: Path) -> None:
    lines = "select HRSS\nauthenticate UKSSSE\nedit EF06 sex 女"
    found = run(image, lines)
    assert 2 == found.exit_code
    assert "--yes answers the question" in found.output
    assert 0 == run(image, lines + " --yes\nread EF06 4\nexpect data 0A 01 32").exit_code


def test_json_is_an_object_for_each_line(image: Path) -> None:
    found = run(image, "# hello\nselect HRSS\nread EF05 3\nread EF08\n", "--json")
    assert 1 == found.exit_code
    selected, read, closed = objects(found.stdout)
    assert (2, "select", True, "9000") == tuple(
        selected[each] for each in ("line", "command", "ok", "sw")
    )
    assert "0304322E3030" == read["data"]
    assert ["规范版本", "2.00"] == [read["items"][0]["chinese"], read["items"][0]["value"]]
    assert not closed["ok"]
    assert ("6982", "NotAllowed") == (closed["sw"], closed["error"]["kind"])
    assert "access condition" == closed["why"]["gate"]
    assert "" == found.stderr


def test_json_of_an_expectation_says_what_was_wanted(image: Path) -> None:
    found = run(image, "select HRSS\nexpect 6A82\n", "--json")
    last = objects(found.stdout)[-1]
    assert "expected 6A82, and 9000 came" == last["error"]["message"]
    assert (2, "9000") == (last["line"], last["sw"])


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_no_pin_of_a_script_is_shown(image: Path, how: list[str]) -> None:
    lines = f"select HRSS\nverify\nset pin {PIN}\napdu 0020000003{PIN}\nexplain on\nlast\n"
    found = run(image, lines + f"apdu 0020000003{PIN}\nwhy\n", *how, stdin=f"{PIN}\n")
    assert 0 == found.exit_code
    assert PIN not in found.output.replace(" ", "")


def test_a_recording_is_made_of_what_passes(image: Path, tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    found = run(image, f"record {path}\nselect HRSS\nread EF08\nexpect 6982\nrecord stop\ntries\n")
    assert 0 == found.exit_code
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    commands = [line["command"][:8] for line in lines if "command" in line]
    assert ["00A40400", "00B2012C", "00B2032C", "00A40400", "00B08800"] == commands
    assert "needs key RKSSSE" in path.read_text()


def test_the_whole_shell_is_recorded_from_its_beginning(image: Path, tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    found = run(image, f"select HRSS\nreset contactless\nrecord {path}x\n", "--record", path)
    assert 2 == found.exit_code
    assert "one recording at a time" in found.output
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "contactless" == lines[-1]["interface"]


def test_a_recording_is_never_put_over_a_file(image: Path, tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    path.write_text("mine")
    found = run(image, f"record {path}\n")
    assert (2, "mine") == (found.exit_code, path.read_text())
    assert "exists" in " ".join(found.output.split())
