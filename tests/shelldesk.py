# SPDX-License-Identifier: Apache-2.0
"""A shell over a card in memory, or any other channel, and what it said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from apdu.atr import Interface
from host.channel import Channel
from host.channel.memory import MemoryChannel
from host.cli.shell.lines import script_lines
from host.cli.shell.reasons import Reasons
from host.cli.shell.screen import Screen
from host.cli.shell.session import Session, User
from host.cli.shell.shell import Shell

PIN = "123456"


class Desk:
    """A shell, and whoever sits before it: `pins` are what is typed when asked."""

    def __init__(
        self,
        opener: Callable[[bool], Any],
        *,
        pins: tuple[str, ...] = (),
        sure: bool = False,
        reasons: Reasons | None = None,
    ) -> None:
        self.out = io.StringIO()
        self.asked: list[str] = []
        self._pins = list(pins)
        self._sure = sure
        self.session = Session(opener, User(self._secret, self._is_sure), reasons)
        console = Console(file=self.out, width=300, highlight=False, markup=False)
        self.shell = Shell(self.session, Screen(console))

    def _secret(self, words: str) -> str:
        self.asked.append(words)
        return self._pins.pop(0)

    def _is_sure(self, lines: tuple[str, ...], question: str) -> bool:
        self.asked += [*lines, question]
        return self._sure

    def type(self, *lines: str) -> str:
        """What came of these lines, each typed by hand."""
        self.out.seek(0)
        self.out.truncate()
        for line in lines:
            self.shell.do(line)
        return self.out.getvalue()

    def run(self, script: str, **how: Any) -> tuple[int, str]:
        """Status and words of a script."""
        self.out.seek(0)
        self.out.truncate()
        status = self.shell.script(script_lines(script.encode()), **how)
        return status, self.out.getvalue()


def desk(chip: Any, **how: Any) -> Desk:
    """A shell over a chip in this process, whose reasons are told."""
    reasons = Reasons()

    @contextmanager
    def opener(contactless: bool) -> Iterator[Channel]:
        interface = Interface.CONTACTLESS if contactless else Interface.CONTACT
        yield MemoryChannel(reasons.around(chip), interface)

    return Desk(opener, reasons=reasons, **how)


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a program's output, one a line."""
    return [json.loads(line) for line in text.splitlines()]
