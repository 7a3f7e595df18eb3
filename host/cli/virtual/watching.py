# SPDX-License-Identifier: Apache-2.0
"""What happens in the slots, as lines for people or objects for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from apdu.sw import sentence
from apdu.trace import Exchange
from card_os.chip import Chip
from card_os.plug import Answered, Event, What
from host.channel.chaos import Struck
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.text import packed, say_json, spaced, visible

SLOTS_OF_VPCD: Final = 2
"""What Debian's vpcd has."""
_WORDS: Final = {
    What.CONNECTED: "connected to the reader",
    What.UNHEARD: "the reader says nothing: there may be another card in this slot, or no pcscd",
    What.ON: "power on",
    What.RESET: "reset",
    What.OFF: "power off",
    What.LOST: "the reader went away; connects again by itself",
    What.PULLED: "left the reader",
}


class Board:
    """Where it is told: standard output. A line that cannot be written is lost, and the cards
    stay in use."""

    def __init__(self, *, as_json: bool, verbose: bool = False, explain: bool = False) -> None:
        self.as_json, self.verbose, self.explain = as_json, verbose, explain
        self._lock = Lock()

    def say(self, words: str, facts: dict[str, object]) -> None:
        """`words` for people, on a line, or `facts` for programs."""
        self.say_lines((words,), facts)

    def say_lines(self, lines: Iterable[str], facts: dict[str, object]) -> None:
        """As `say`, for what people are told in several lines."""
        with self._lock, suppress(OSError, ValueError):  # ValueError: closed
            if self.as_json:
                say_json(facts)
            else:
                sys.stdout.writelines(f"{visible(line)}\n" for line in lines)
                sys.stdout.flush()


class Watcher:
    """Tells what happens to one card in one slot."""

    def __init__(self, board: Board, slot: int, path: Path, chip: Chip, *, psam: bool) -> None:
        self._chip = chip
        self._board, self._slot, self._path = board, slot, path
        self.state = What.ABSENT
        """What was told last."""
        self._address = ("", 0)
        self._explainer = Explainer(psam=psam)
        self._passed: Exchange | None = None
        """What the command was that will be told as answered."""

    def _say(self, event: str, words: str, **facts: object) -> None:
        about = {"event": event, "slot": self._slot, "card": str(self._path)}
        self._board.say(f"slot {self._slot}  {self._path.name}: {words}", about | facts)

    def inserted(self, atr: bytes, address: tuple[str, int]) -> None:
        self._address = address
        host, port = address
        words = f"for the reader at {host}:{port}, ATR {spaced(atr)}"
        self._say("inserted", words, host=host, port=port, atr=packed(atr))

    def removed(self) -> None:
        self._say("removed", "removed, its image is closed")

    @property
    def curious(self) -> bool:
        """Whether `passed` is to hear of exchanges."""
        return self._board.verbose

    def passed(self, exchange: Exchange) -> None:
        """Hear of an exchange that will be told of as answered."""
        self._passed = exchange

    def struck(self, struck: Struck) -> None:
        """A fault was brought about on purpose."""
        self._say("chaos", f"chaos: {struck}", **{"chaos": struck.as_json()})

    def why(self) -> str:
        """Why the chip answers as it does; empty when it need not say, or nobody wants to know."""
        if not self._board.explain:
            return ""
        said = self._chip.refusal or self._chip.remark
        return "" if said is None else str(said)

    def __call__(self, event: Event | Answered) -> None:
        if isinstance(event, Answered):
            self._answered(event)
            return
        self.state = event.what
        if event.what in (What.ON, What.RESET, What.OFF):
            self._explainer.reset()
        if event.what is What.ABSENT:
            self._say(event.what.value, self._missing(event.detail), detail=event.detail)
        elif event.what is What.FAILED:
            words = f"a fault in the chip, please report it: {event.detail}"
            self._say(event.what.value, words, detail=event.detail)
        else:
            self._say(event.what.value, _WORDS[event.what])

    def _missing(self, detail: str) -> str:
        host, port = self._address
        words = f"vpcd is not there yet at {host}:{port} ({detail})"
        if self._slot > SLOTS_OF_VPCD:
            return f"{words}: it has {SLOTS_OF_VPCD} slots unless it was built with more"
        return f"{words}: `apt-get install vsmartcard-vpcd pcscd`, then it connects by itself"

    def _answered(self, answered: Answered) -> None:
        passed, self._passed = self._passed, None
        if not self._board.verbose and not self._board.explain:
            return
        why = self.why()
        if not self._board.verbose:
            if why:
                said = "" if answered.sw is None else f"{answered.sw:04X}"
                self._say("why", f"{said or 'no answer'}: {why}", sw=said, why=why)
            return
        took = f"{answered.microseconds:.0f} µs"
        told = None if passed is None else self._explained(passed)
        if told is None:
            name = f"{answered.cla:02X} {answered.ins:02X}"
            said = "" if answered.sw is None else f"{answered.sw:04X}"
            facts: dict[str, object] = {"name": name, "sw": said}
            status = "no answer" if answered.sw is None else _status(answered.sw)
        else:
            facts = told.as_json()
            name = f"{told.name}, {told.meaning}" if told.meaning else told.name
            status = _status(told.sw, told.sentence)
        facts |= {"microseconds": round(answered.microseconds)} | ({"why": why} if why else {})
        self._say("command", f"{name}: {status} ({took}){f'; {why}' if why else ''}", **facts)

    def _explained(self, passed: Exchange) -> Explanation | None:
        try:
            return self._explainer.explain(passed)
        except Exception:  # a want of words must not take the card out of use
            return None


def _status(sw: int | None, words: str = "") -> str:
    if sw is None:
        return words
    return f"{sw:04X} {words or sentence(sw)}"
