# SPDX-License-Identifier: Apache-2.0
"""Keys of a keyboard, as prompt_toolkit takes them, and lines as plain Python does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shelldesk import PIN, Desk, desk

from card_os.chip import Chip
from host.cli.shell.history import History
from host.cli.shell.keyboard import completer, keyboard

Keys = Callable[[Desk, History, str], str]
UP = "\x1b[A"
NEEDED = "needs prompt_toolkit: pip install 'sscard[shell]'"


@pytest.fixture
def typed(chip: Chip) -> Desk:
    return desk(chip)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


@pytest.fixture
def keys() -> Iterator[Keys]:
    """Presses keys, and says what line came of them."""
    pytest.importorskip(
        "prompt_toolkit", reason="needs prompt_toolkit: pip install 'sscard[shell]'"
    )
    from prompt_toolkit.application import create_app_session  # type: ignore[import-not-found,unused-ignore]
    from prompt_toolkit.input import create_pipe_input  # type: ignore[import-not-found,unused-ignore]
    from prompt_toolkit.output import DummyOutput  # type: ignore[import-not-found,unused-ignore]

    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):

        def press(typed: Desk, history: History, pressed: str) -> str:
            read, completes = keyboard(typed.session, history)
            assert completes
            pipe.send_text(pressed)
            return read("3F00> ")

        yield press


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("sel", ["select "]),
        ("read 持", ["read 持卡人基本信息 "]),
        ('get "PIN T', ['get "PIN Try Counter" ']),
        ("read EF06 ", ["read EF06 --raw "]),
    ],
)
def test_a_word_is_completed_where_it_stands(typed: Desk, line: str, becomes: list[str]) -> None:
    pytest.importorskip("prompt_toolkit", reason=NEEDED)
    from prompt_toolkit.document import Document  # type: ignore[import-not-found,unused-ignore]

    typed.type("select HRSS")
    found = completer(typed.session).get_completions(Document(line), None)
    ends = [(each.text, len(line) + each.start_position) for each in found]
    assert becomes == [line[:at] + text for text, at in ends]


def test_lines_are_recalled_and_those_with_secrets_are_not(
    keys: Keys, typed: Desk, history: History
) -> None:
    for line in ("select HRSS", f"apdu 0020000003{PIN}", f"verify {PIN}", PIN):
        assert line == keys(typed, history, f"{line}\r")
    assert ["select HRSS"] == history.lines
    assert "select HRSS" == keys(typed, history, f"{UP}\r")


def test_ctrl_c_and_ctrl_d_are_told(keys: Keys, typed: Desk, history: History) -> None:
    with pytest.raises(KeyboardInterrupt):
        keys(typed, history, "ls\x03")
    with pytest.raises(EOFError):
        keys(typed, history, "\x04")


def test_without_prompt_toolkit_lines_are_read_as_they_are(
    typed: Desk, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Any] = ["select HRSS", PIN, KeyboardInterrupt(), EOFError()]
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        line = lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return str(line)

    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    monkeypatch.setattr("builtins.input", answer)
    read, completes = keyboard(typed.session, history)
    assert not completes
    typed.shell.talk(read)
    assert ["3F00> ", "3F00/SSSE> ", "3F00/SSSE> ", "3F00/SSSE> "] == prompts
    assert ["select HRSS"] == history.lines
