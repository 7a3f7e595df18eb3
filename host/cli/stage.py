# SPDX-License-Identifier: Apache-2.0
"""What a story needs: a desk with a card on it, steps, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from apdu.trace import Exchange
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.testcard import TEST_DAY, blank_chip
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardRefused
from host.holder import Holder

F = TypeVar("F", bound=Exception)


class Unmet(Exception):
    """A step came to something else than it had to."""


@dataclass
class Stage:
    """What the steps share: the holder, the card on the desk, and all that was said to it."""

    holder: Holder
    seed: int
    card: Card = field(init=False)
    hrss: HrssClient = field(init=False)
    bank: tuple[bytes, bytes] = (b"", b"")
    """What the bank's application said at first: FCI and account record."""
    log: list[Explanation] = field(default_factory=list)
    _explainer: Explainer = field(default_factory=Explainer)
    _remark: str = ""

    def take_blank_card(self, seed: int) -> bytes:
        """Put a blank card, the same for the same seed, on the desk. Returns its ATR."""
        chip = blank_chip(seeded(seed, TEST_DAY))
        self.card = Card(RecordingChannel(MemoryChannel(chip), self._hear))
        return self.power_up()

    def power_up(self) -> bytes:
        """Reset the card, as a reader does, and return its ATR."""
        self._explainer.reset()
        return self.card.channel.reset()

    def remark(self, words: str) -> None:
        """Say of the next command what its bytes do not show."""
        self._remark = words

    def _hear(self, exchange: Exchange) -> None:
        told = self._explainer.explain(exchange)
        self.log.append(replace(told, remark=self._remark))
        self._remark = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One scene: what it is, and what has to happen. `play` raises Unmet, or a CardFault, when
    something else does; what it returns says what it came to."""

    title: str
    chinese: str
    expected: str
    play: Callable[[Stage], str]
    long: bool
    """So many APDUs that people are shown a summary."""

    @property
    def name(self) -> str:
        return self.play.__name__.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Played:
    """A step as it was played. `seen` says what it came to, or what went wrong.

    Without `begun` it was not played at all, because an earlier one had gone wrong.
    """

    number: int
    step: Step
    exchanges: tuple[Explanation, ...]
    ok: bool
    seen: str
    begun: bool = True

    def as_json(self) -> dict[str, object]:
        return {
            "step": self.number,
            "name": self.step.name,
            "title": self.step.title,
            "chinese": self.step.chinese,
            "expected": self.step.expected,
            "exchanges": [each.as_json() for each in self.exchanges],
            "seen": self.seen,
            "ok": self.ok,
        }


def play(steps: Sequence[Step], stage: Stage) -> Iterator[Played]:
    """Play one step after the other. After one that went wrong the rest is not played."""
    ok = True
    for number, step in enumerate(steps, start=1):
        if not ok:
            yield Played(number, step, (), False, "not played", begun=False)
            continue
        stage.log.clear()
        try:
            seen = step.play(stage)
        except (Unmet, CardFault) as error:
            ok, seen = False, str(error)
        yield Played(number, step, tuple(stage.log), ok, seen)


def require(met: bool, otherwise: str) -> None:
    """Go on only if it is so."""
    if not met:
        raise Unmet(otherwise)


def refused(kind: type[F], action: Callable[[], object], sw: int | None = None) -> F:
    """The fault, and the status word, that the action has to end with."""
    try:
        action()
    except kind as fault:
        if sw is not None and isinstance(fault, CardRefused):
            require(fault.sw == sw, f"{sw:04X} was expected: {fault}")
        return fault
    wanted = kind.__name__ if sw is None else f"{sw:04X}"
    raise Unmet(f"{wanted} was expected, but the answer was yes")
