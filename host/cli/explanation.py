# SPDX-License-Identifier: Apache-2.0
"""What an exchange means, as a value. `explain` makes it; people and programs are shown it."""

from __future__ import annotations

from dataclasses import dataclass

from apdu.sw import sentence
from apdu.trace import Exchange
from apdu.wire.hrss.spec import DfSpec
from host.cli.names import Shown
from host.cli.text import packed


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

    @property
    def sw(self) -> int | None:
        """The status word; None when the answer is too short to have one."""
        answer = self.exchange.answer
        return int.from_bytes(answer[-2:]) if len(answer) >= 2 else None

    @property
    def sentence(self) -> str:
        if self.sw is None:
            return "no status word"
        return self.verdict or sentence(self.sw)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "meaning": self.meaning,
            "remark": self.remark,
            "command": self.exchange.command_text.replace(" ", ""),
            "sent": [each.as_json() for each in self.sent],
            "answer": packed(self.exchange.answer),
            "got": [each.as_json() for each in self.got],
            "sw": packed(self.exchange.answer[-2:]),
            "sentence": self.sentence,
        }
