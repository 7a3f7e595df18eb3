# SPDX-License-Identifier: Apache-2.0
"""What a story needs: a desk with a card and a PSAM, steps, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from apdu.atr import Interface
from apdu.trace import Exchange
from apdu.wire.form import CommandForm
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel, Powered
from host.channel.trace import RecordingChannel
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.testcard import TEST_DAY, blank_chip, issue_test_psam
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardGone, CardRefused
from host.holder import Holder
from host.keys import CardIdentity
from host.psam import PsamKeys
from host.terminal.medical import PurchaseInDoubt

Form = CommandForm[Any, Any, Any]
F = TypeVar("F", bound=Exception)
_TERMINAL_SEED = 3
"""Behind those of two cards and a PSAM."""


class Unmet(Exception):
    """A step came to something else than it had to."""


class Slot(MemoryChannel):
    """A card in the reader, which can be pulled out before the answer to a command arrives."""

    def __init__(self, chip: Powered, unanswered: Callable[[Exchange], None]) -> None:
        """`unanswered` is told of the command whose answer was lost."""
        super().__init__(chip)
        self._unanswered = unanswered
        self._last: Form | None = None
        self._pulled = False

    def pull_at(self, form: Form) -> None:
        """Let the card have the next command of this form, and take it away with the answer."""
        self._last = form

    def _exchange(self, command: bytes) -> bytes:
        if self._pulled:
            raise CardGone("there is no card")
        answer = super()._exchange(command)
        if self._last is not None and command[:2] == bytes((self._last.cla, self._last.ins)):
            self._pulled = True
            self._unanswered(Exchange.of(command, b""))
            raise CardGone("the card was pulled before it answered")
        return answer

    def reset(self) -> bytes:
        """Put the card in again."""
        self._last, self._pulled = None, False
        return super().reset()


@dataclass
class Stage:
    """What the steps share: the holder, the card on the desk, the terminal's PSAM, and all that
    was said to them."""

    holder: Holder
    seed: int
    card: Card = field(init=False)
    slot: Slot = field(init=False)
    hrss: HrssClient = field(init=False)
    pin: str = field(init=False, repr=False)
    """The PIN that the holder has chosen."""
    bank: tuple[bytes, bytes] = (b"", b"")
    """What the bank's application said at first: FCI and account record."""
    psam: PsamKeys = field(init=False)
    key_index: int = field(init=False)
    """Which purchase key the terminal is to ask cards for."""
    identity: CardIdentity = field(init=False)
    """Whose keys the PSAM is asked for."""
    doubt: PurchaseInDoubt = field(init=False)
    """The purchase of which no answer came."""
    log: list[Explanation] = field(default_factory=list)
    _chip: Powered = field(init=False)
    _explainers: dict[str, Explainer] = field(
        default_factory=lambda: {"card": Explainer(), "psam": Explainer(psam=True)}
    )
    _remark: str = ""

    def __post_init__(self) -> None:
        self.random = seeded(self.seed + _TERMINAL_SEED, TEST_DAY).random
        """Random bytes of the terminal's."""

    def take_blank_card(self, seed: int) -> bytes:
        """Put a blank card, the same for the same seed, on the desk. Returns its ATR."""
        hear = partial(self._hear, "card")
        unanswered = partial(self._hear, "card", remark="pulled out before it answers")
        self._chip = blank_chip(seeded(seed, TEST_DAY))
        self.slot = Slot(self._chip, unanswered)
        self.card = Card(RecordingChannel(self.slot, hear))
        return self.power_up()

    def power_up(self) -> bytes:
        """Reset the card, as a reader does, and return its ATR."""
        self._explainers["card"].reset()
        return self.card.channel.reset()

    def hold_to_reader(self) -> Card:
        """Take the card out of the slot and hold it to a contactless reader, which resets it."""
        self._explainers["card"].reset()
        field = MemoryChannel(self._chip, Interface.CONTACTLESS)
        return Card(RecordingChannel(field, partial(self._hear, "card")))

    def take_psam(self, seed: int) -> Card:
        """Put a PSAM, the same for the same seed, into the second slot."""
        self._explainers["psam"].reset()
        channel = MemoryChannel(issue_test_psam(seed=seed))
        return Card(RecordingChannel(channel, partial(self._hear, "psam")))

    def remark(self, words: str) -> None:
        """Say of the next command what its bytes do not show."""
        self._remark = words

    def _hear(self, to: str, exchange: Exchange, remark: str = "") -> None:
        told = self._explainers[to].explain(exchange)
        self.log.append(replace(told, remark=remark or self._remark, to=to))
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
    shown: tuple[str, ...] = ()
    """Names of the commands of a long step that are shown all the same; none: the last two."""

    @property
    def name(self) -> str:
        return self.play.__name__.replace("_", "-")


Play = Callable[[Stage], str]


class Script(list[Step]):
    """Steps in the order in which they stand in their file."""

    def step(
        self,
        title: str,
        chinese: str,
        expected: str,
        long: bool = False,
        shown: tuple[str, ...] = (),
    ) -> Callable[[Play], Play]:
        """Add a step: what is decorated plays it."""

        def add(play: Play) -> Play:
            self.append(Step(title, chinese, expected, play, long, shown))
            return play

        return add


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
