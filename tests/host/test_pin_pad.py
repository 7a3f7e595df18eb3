# SPDX-License-Identifier: Apache-2.0
"""The terminal as a PIN pad: nothing typed is shown, and nobody is waited for without end."""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import click
import pytest

from host.cli.pinpad import TerminalPad


class Keyboard:
    """The other end of a terminal: what a person types, and what a person sees."""

    def __init__(self) -> None:
        self.hand, self.terminal = pty.openpty()
        self.path = os.ttyname(self.terminal)

    def types(self, keys: bytes) -> None:
        os.write(self.hand, keys)

    def when_asked(self, keys: bytes) -> bytes:
        """Type once the prompt is there; what was seen until then."""
        seen = b""
        while not seen.endswith(b"): "):
            assert select.select([self.hand], [], [], 10)[0]
            seen += os.read(self.hand, 1000)
        self.types(keys)
        return seen

    def seen(self) -> bytes:
        shown = b""
        while select.select([self.hand], [], [], 0)[0]:
            shown += os.read(self.hand, 1000)
        return shown

    def close(self) -> None:
        os.close(self.hand)
        os.close(self.terminal)


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    made = Keyboard()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("keys", "pin"), [(b"871403\n", "871403"), (b"  12 \r\n", "12"), (b"\n", None), (b"\x04", None)]
)
def test_what_is_typed_is_not_shown(keyboard: Keyboard, keys: bytes, pin: str | None) -> None:
    prompts: list[bytes] = []
    person = Timer(0, lambda: prompts.append(keyboard.when_asked(keys)))
    person.start()
    assert pin == TerminalPad(keyboard.path)("PIN 密码\x1b[2J")
    person.join()
    assert ["PIN 密码\\x1b[2J (not shown): ".encode()] == prompts
    assert b"\r\n" == keyboard.seen()


def test_keys_from_before_the_question_are_not_taken(keyboard: Keyboard) -> None:
    keyboard.types(b"111111\n")
    person = Timer(0, lambda: keyboard.when_asked(b"222222\n"))
    pad = TerminalPad(keyboard.path)
    person.start()
    assert "222222" == pad("PIN")
    person.join()


def test_nobody_is_waited_for_without_end(keyboard: Keyboard) -> None:
    with pytest.raises(TimeoutError):
        TerminalPad(keyboard.path, patience=0)("PIN")


def test_who_is_asked_when_the_program_ends_has_cancelled(keyboard: Keyboard) -> None:
    pad = TerminalPad(keyboard.path)
    pad.end()
    assert pad("PIN") is None


def test_the_terminal_shows_what_is_typed_again_afterwards(keyboard: Keyboard) -> None:
    pad = TerminalPad(keyboard.path, patience=0)
    with pytest.raises(TimeoutError):
        pad("PIN")
    keyboard.seen()
    keyboard.types(b"hello")
    assert select.select([keyboard.hand], [], [], 10)[0]
    assert b"hello" == keyboard.seen()


def test_without_a_terminal_there_is_no_pad(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(click.UsageError, match="no terminal"):
            TerminalPad(str(path))
