# SPDX-License-Identifier: Apache-2.0
"""The lines that were typed, kept in a file of their owner's: none with a PIN or a key in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from apdu.errors import FormatError
from apdu.secret import brings_secret
from apdu.trace import secret_part
from host.cli.shell.lines import BadLine, words_of
from host.cli.shell.table import OTHERWISE, Takes, check
from host.cli.typed import typed_bytes

MOST: Final = 1000
"""Lines that are kept."""
_FILE: Final = Path("sscard", "history")
_LONGEST_KEPT: Final = 1000
_NEVER: Final = frozenset({"set"})
"""It gives names to values, which may be anything."""


def history_file(environment: Mapping[str, str]) -> Path:
    """Below $XDG_STATE_HOME, or ~/.local/state."""
    given = environment.get("XDG_STATE_HOME", "")
    home = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return home / _FILE


def may_be_kept(line: str) -> bool:
    """Whether a line is understood, and has neither a PIN nor a key in it: what was mistyped may
    be one."""
    if len(line) > _LONGEST_KEPT or "\n" in line:
        return False
    try:
        words = words_of(line)
        command = check(words) if words else None
    except BadLine:
        return False
    if command is None or command.name in _NEVER:
        return False
    if command.name == "apdu":
        return _without_secret(words[1:])
    if Takes.PIN_NAME in command.takes or Takes.KEY in command.takes:
        return not any(any(letter.isdigit() for letter in word[:2]) for word in words[1:])
    return words[0].lower() in (command.name, *OTHERWISE)


def _without_secret(words: tuple[str, ...]) -> bool:
    try:
        command = typed_bytes(" ".join(words), "")
    except FormatError:
        return False
    if len(command) < 2 or brings_secret(command[0], command[1]):
        return False
    return not secret_part(command)  # two commands in one: the second may bring it


class History:
    """The lines before this one. A file that cannot be written is done without."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines = self._read()

    def _read(self) -> list[str]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.isprintable()][-MOST:]

    def keep(self, line: str) -> bool:
        """Keep a line, unless it has a secret in it or is the one before."""
        line = line.strip()
        if not may_be_kept(line) or not line.isprintable() or self.lines[-1:] == [line]:
            return False
        self.lines = [*self.lines, line][-MOST:]
        with suppress(OSError):
            self._write(line)
        return True

    def _write(self, line: str) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(self._path, flags, 0o600)
        try:
            os.fchmod(file, 0o600)
            os.write(file, f"{line}\n".encode())
        finally:
            os.close(file)
