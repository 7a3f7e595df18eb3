# SPDX-License-Identifier: Apache-2.0
"""A PIN pad (密码键盘) in the place of a real one: the terminal where a program runs."""

from __future__ import annotations

import os
import select
from threading import Event
from time import monotonic
from typing import Final

import click

from host.cli.text import visible

PATIENCE: Final = 60.0
"""Seconds for a person to type a PIN (profile choice `service pin seconds`)."""
_GLANCE: Final = 0.2
"""Seconds between two looks whether the program ends."""
_LONGEST: Final = 256
_NONE: Final = "--pin-pad terminal: there is no terminal here"


class TerminalPad:
    """Asks on a terminal without showing what is typed; an empty line or Ctrl-D cancels."""

    def __init__(self, path: str = "/dev/tty", patience: float = PATIENCE) -> None:
        """Raises UsageError where there is no such terminal."""
        self._path = path
        self._patience = patience
        self._ended = Event()
        try:
            import termios
        except ImportError:  # Windows
            raise click.UsageError(_NONE) from None
        try:
            at = os.open(path, os.O_RDWR | os.O_NOCTTY)
            try:
                termios.tcgetattr(at)
            finally:
                os.close(at)
        except (OSError, termios.error):
            raise click.UsageError(_NONE) from None

    def __call__(self, prompt: str) -> str | None:
        """What was typed, None when it was cancelled; raises TimeoutError when nobody typed."""
        import termios

        at = os.open(self._path, os.O_RDWR | os.O_NOCTTY)
        before = termios.tcgetattr(at)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        try:
            termios.tcsetattr(at, termios.TCSAFLUSH, silent)  # typed before it was asked: dropped
            os.write(at, f"{visible(prompt)} (not shown): ".encode())
            line = self._line(at)
        finally:
            termios.tcsetattr(at, termios.TCSAFLUSH, before)
            os.write(at, b"\n")
            os.close(at)
        return line or None

    def end(self) -> None:
        """Nobody will be asked any more; who is being asked has cancelled."""
        self._ended.set()

    def _line(self, at: int) -> str:
        until = monotonic() + self._patience
        while not self._ended.is_set():
            if monotonic() > until:
                raise TimeoutError("no PIN was typed")
            if select.select([at], [], [], _GLANCE)[0]:
                return os.read(at, _LONGEST).decode("utf-8", "replace").strip()
        return ""
