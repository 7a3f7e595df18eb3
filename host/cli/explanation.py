# SPDX-License-Identifier: Apache-2.0
"""What an exchange means, as a value. `explain` makes it; people and programs are shown it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from apdu.sw import sentence
from apdu.trace import Exchange
from apdu.wire.form import CommandForm
from apdu.wire.hrss.spec import DfSpec
from host.cli.names import Shown


@dataclass(frozen=True, slots=True)
class Made:
    """A file, key or PIN that personalisation created, and where."""

    directory: DfSpec
    what: str
    name: str = ""
    size: str = ""
    read: str = ""
    update: str = ""

    @property
    def words(self) -> str:
        words = f"{self.what} {self.name}".strip()
        return (
            f"{words}: {self.size}, read {self.read}, update {self.update}" if self.read else words
        )

    @property
    def secret(self) -> bool:
        return self.what in ("PIN", "key")


class Told(NamedTuple):
    """What a command is about, and what is in its data and its answer."""

    meaning: str
    sent: tuple[Shown, ...] = ()
    got: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """An exchange and what it means. Secret bytes are hidden in `exchange` already."""

    exchange: Exchange
    name: str
    meaning: str
    sent: tuple[Shown, ...] = ()
    got: tuple[Shown, ...] = ()
    made: Made | None = None
    verdict: str = ""
    """What the status word says here, where that is not its usual sentence."""
    remark: str = ""
    """What only the one who sent it knows."""
    to: str = "card"
    """Whom the terminal spoke to: its `card` or its own `psam`."""
    form: CommandForm[Any, Any, Any] | None = None
    """The command's form; None where it is not known, or the parameters are not its own."""

    @property
    def sw(self) -> int | None:
        """The status word; None when the answer is too short to have one."""
        answer = self.exchange.answer
        return int.from_bytes(answer[-2:]) if len(answer) >= 2 else None

    @property
    def sentence(self) -> str:
        if self.sw is None:
            return "no status word" if self.exchange.answer else "no answer came"
        return self.verdict or sentence(self.sw)

    @property
    def answer_words(self) -> list[str]:
        """The bytes of the answer's data in hex, a dot pair for each that is hidden."""
        return self.exchange.answer_text.split()[:-2]

    def as_json(self) -> dict[str, object]:
        return {
            "to": self.to,
            "name": self.name,
            "meaning": self.meaning,
            "remark": self.remark,
            "command": self.exchange.command_text.replace(" ", ""),
            "sent": [each.as_json() for each in self.sent],
            "answer": self.exchange.answer_text.replace(" ", ""),
            "got": [each.as_json() for each in self.got],
            "sw": "" if self.sw is None else f"{self.sw:04X}",
            "sentence": self.sentence,
        }
