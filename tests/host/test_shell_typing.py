# SPDX-License-Identifier: Apache-2.0
"""The shell at a keyboard: prompt, completion, history."""

from __future__ import annotations

from pathlib import Path
from stat import S_IMODE

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelldesk import PIN, Desk, desk

from card_os.chip import Chip
from host.cli.shell.completing import completion
from host.cli.shell.history import MOST, History, history_file, may_be_kept
from host.cli.shell.table import COMMANDS
from host.cli.testcard import issue_test_card


@pytest.fixture
def typed(chip: Chip) -> Desk:
    return desk(chip)


def talked(typed: Desk, *lines: str | BaseException) -> list[str]:
    """The prompts that were shown."""
    prompts: list[str] = []
    waiting = list(lines)

    def read(prompt: str) -> str:
        prompts.append(prompt)
        line = waiting.pop(0) if waiting else EOFError()
        if isinstance(line, BaseException):
            raise line
        return line

    typed.shell.talk(read)
    return prompts


def words(typed: Desk, line: str) -> list[str]:
    return [each.word for each in completion(typed.session, line).candidates]


def test_the_prompt_says_where_one_is(typed: Desk) -> None:
    found = talked(typed, "select HRSS", "read EF05", "select DF01", "reset")
    assert ["3F00> ", "3F00/SSSE> ", "3F00/SSSE/EF05> ", "3F00/SSSE/DF01> ", "3F00> "] == found


def test_ctrl_c_drops_a_line_and_ctrl_d_leaves(typed: Desk) -> None:
    broken = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "")
    assert 4 == len(talked(typed, KeyboardInterrupt(), broken, "", EOFError(), "select HRSS"))
    assert "3F00" == typed.session.place


@pytest.mark.parametrize("line", ["quit", "exit", "QUIT"])
def test_quit_leaves(typed: Desk, line: str) -> None:
    assert 1 == len(talked(typed, line, "select HRSS"))


def test_a_shell_goes_on_behind_what_fails(typed: Desk) -> None:
    assert 4 == len(talked(typed, "slect", "select A0000000031010", "select HRSS"))
    assert "3F00/SSSE" == typed.session.place


# Completion


def test_the_first_word_is_a_command(typed: Desk) -> None:
    assert list(COMMANDS) == words(typed, "")
    assert ["record", "reset", "read"] == sorted(
        words(typed, "re"), key=["record", "reset", "read"].index
    )
    assert [] == words(typed, "slect ")


def test_places_are_completed_from_where_one_is(typed: Desk) -> None:
    assert "HRSS" in words(typed, "select ")
    assert {"DEBIT", "debit"} & set(words(typed, "select de"))
    assert "A000000333010101" in words(typed, "select A0")
    typed.type("select HRSS")
    assert ["EF05", "EF06", "EF07", "EF08", "EF0C", "EF0D"] == words(typed, "read EF")
    assert ["持卡人基本信息"] == words(typed, "read 持")
    assert ["DF01/EF05"] == words(typed, "read DF01/EF05")
    assert "SSSE/DF04/医疗交易明细" in words(typed, "read SSSE/DF04/")
    assert [] == words(typed, "read nowhere/")
    typed.type("select DF04")
    assert "EF1B" in words(typed, "select ef")


def test_files_are_those_of_the_cards_generation() -> None:
    typed = desk(issue_test_card("1.0"))
    typed.type("select HRSS")
    assert [] == [word for word in words(typed, "edit EF06 name") if "extension" in word]


def test_fields_are_completed_by_tag_and_by_both_names(typed: Desk) -> None:
    typed.type("select HRSS")
    assert ["姓名", "姓名扩展"] == words(typed, "edit EF06 姓")
    assert ["name", "name_extension"] == words(typed, "edit EF06 na")
    assert {"08", "09", "0A", "0B", "0C", "0D"} == set(words(typed, "edit EF06 0"))
    assert ["户口类别"] == words(typed, "edit DF01/EF05 户口类")
    assert ["--yes"] == words(typed, "edit EF06 name X --")


def test_tags_are_completed_with_their_names(typed: Desk) -> None:
    assert ["9F36"] == words(typed, "get 9F36")
    found = completion(typed.session, "get 9f36").candidates
    assert ["Application Transaction Counter 应用交易计数器"] == [each.meaning for each in found]
    assert ['"PIN Try Counter"', '"PIN 尝试计数器"'] == words(typed, "get PIN")
    assert ["'PIN Try Counter'"] == words(typed, "get 'PIN T")
    assert ["应用交易计数器"] == words(typed, "get 应用交易计")


def test_keys_are_those_that_can_be_proven_here(typed: Desk) -> None:
    assert [] == words(typed, "authenticate ")
    typed.type("select DF01")
    found = words(typed, "authenticate ")
    assert {"RK1DF01", "UKSSSE", "IRK"} <= set(found)
    assert not {"STKDF01", "BK", "DPK1"} & set(found)


def test_the_rest_is_completed_too(typed: Desk, tmp_path: Path) -> None:
    (tmp_path / "one script").write_text("")
    assert ["on", "off"] == words(typed, "explain ")
    assert ["contactless"] == words(typed, "reset contactl")
    assert ["select"] == words(typed, "help sel")
    assert [f'"{tmp_path}/one script"'] == words(typed, f"run {tmp_path}/o")
    assert ["stop"] == words(typed, "record sto")
    assert ["--raw"] == words(typed, "read EF05 --")
    typed.type("set number 3")
    assert ["number"] == words(typed, "set n")


@given(st.text(max_size=40))
def test_any_line_can_be_completed(line: str) -> None:
    found = completion(LOOKED_AT.session, line)
    assert line.endswith(found.typed)


LOOKED_AT = desk(issue_test_card())


@given(st.sampled_from(sorted(COMMANDS)), st.sampled_from(["", "E", "3F00/", "9", "DF01/E"]))
def test_what_is_completed_begins_as_it_was_typed(command: str, begun: str) -> None:
    for each in completion(LOOKED_AT.session, f"{command} {begun}").candidates:
        assert each.word.strip("\"'").lower().startswith(begun.lower())


# History


def test_the_history_is_its_owners_alone(tmp_path: Path) -> None:
    path = history_file({"XDG_STATE_HOME": str(tmp_path)})
    assert tmp_path / "sscard" / "history" == path
    path.parent.mkdir()
    path.write_text("ls\n")
    path.chmod(0o644)
    assert History(path).keep("select HRSS")
    assert 0o600 == S_IMODE(path.stat().st_mode)
    assert ["ls", "select HRSS"] == History(path).lines


def test_a_history_begins_in_a_new_folder_and_keeps_no_line_twice(tmp_path: Path) -> None:
    path = tmp_path / "state" / "sscard" / "history"
    history = History(path)
    assert [True, False, True] == [history.keep(each) for each in ("ls", "ls", "tree")]
    assert "ls\ntree\n" == path.read_text()
    assert 0o600 == S_IMODE(path.stat().st_mode)


def test_a_relative_state_home_is_none() -> None:
    assert history_file({"XDG_STATE_HOME": "here"}) == history_file({})


def test_a_history_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "sscard").write_text("in the way")
    history = History(tmp_path / "sscard" / "history")
    assert history.keep("ls")
    assert ["ls"] == history.lines


def test_a_history_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"read {number}\n" for number in range(2 * MOST)) + "\x1b[31m\n")
    assert MOST == len(History(path).lines)
    assert f"read {2 * MOST - 1}" == History(path).lines[-1]


@pytest.mark.parametrize(
    "line",
    [
        "select HRSS",
        "read EF05 2 --raw",
        "edit EF06 姓名 '李 四'",
        "apdu 00A4040000",
        "apdu 00 B2 01 2C 00",
        "verify",
        "verify admin",
        "authenticate RK1DF01",
        "expect 63Cx",
        "let n = data[2:6]",
        "cd ..",
    ],
)
def test_lines_without_secrets_are_kept(line: str) -> None:
    assert may_be_kept(line)


@pytest.mark.parametrize(
    "line",
    [
        PIN,
        f"verify {PIN}",
        f"tries {PIN}",
        f"change {PIN} 654321",
        f"change {PIN}",
        f"vrify {PIN}",
        f"set pin {PIN}",
        f"apdu 0020000003{PIN}",
        f"apdu 00 20 00 00 03 {PIN}",
        f"apdu 805E010007{PIN}FF654321",
        f"apdu 0C20000003{PIN}",
        "apdu 80D4000010" + "00" * 16,
        f"apdu 00A40000 0020000003{PIN}",
        f"apdu 0020000003{PIN}9",
        "apdu $pin",
        "authenticate 00112233445566778899AABBCCDDEEFF",
        "authenticate A0112233445566778899AABBCCDDEEFF",
        f'verify "{PIN}',
        "",
        "ls\nls",
    ],
)
def test_lines_with_a_secret_or_what_may_be_one_are_not_kept(line: str) -> None:
    assert not may_be_kept(line)
