# SPDX-License-Identifier: Apache-2.0
"""Where journeys take place: a card in a reader, a terminal around it, its holder, a key centre.

A desk runs a journey (`journeys`) with chips, and takes down what passes, or with what was taken
down once. How the program reaches the driver is the subclass's: in memory, or over a WebSocket.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from journeytape import ANSWER, CARD, COMMAND, FIELD, LATE, POWER, UNHEARD, Entry, Line, Remark

from apdu.atr import Interface
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.generations import GENERATIONS
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, issue_test_card, issue_test_psam
from host.clients.hrss import HrssClient
from host.driver import FUNCTIONS, Answer, Driver, PinPrompt
from host.faults import CardGone
from host.hsm import HsmAddresses, MemoryHsm
from host.keys import MemoryKeys
from host.ldt33.pinpad import AskPin
from host.ldt33.running import step_name
from host.load import LoadKeys
from host.psam_region import NATION
from host.terminal.authentication import identity
from host.terminal.load import LoadTerms, load

CARD_SEED, PSAM_SEED, DRIVER_SEED = 7, 8, 9
DEVICE = "KIOSK-1"
ADDRESSES = HsmAddresses({"DPK1": 0x1000})
"""Those that were seen, and one that nobody has seen, as if the centre had told it."""
OTHER = {"2.0": "3.0", "3.0": "2.0"}
"""The generation whose PSAMs have the other algorithm."""


def chip_at(slot: str, generation: str) -> Chip:
    """The chip that a journey with cards of a generation begins with; `journeytape` has the names
    of slots."""
    if slot == CARD:
        return issue_test_card(generation, CARD_SEED)
    region, whose = _psam(slot, generation)
    return issue_test_psam(seed=PSAM_SEED, region=region, generation=whose)


def chip_told(slot: str, generation: str) -> str:
    """The same in words."""
    if slot == CARD:
        return f"card: issue_test_card({generation!r}, seed={CARD_SEED})"
    region, whose = _psam(slot, generation)
    return f"{slot}: issue_test_psam(seed={PSAM_SEED}, {region=}, generation={whose!r})"


def _psam(slot: str, generation: str) -> tuple[str, str]:
    """The region of a PSAM, and the generation of the cards that it is for."""
    _, _, whose = slot.partition("-")
    return (NATION, whose) if whose in GENERATIONS else (whose or NATION, generation)


def interface_of(slot: str) -> Interface:
    return Interface.CONTACTLESS if slot == FIELD else Interface.CONTACT


class Wire(Protocol):
    """What stands behind the slots."""

    def reset(self, slot: str) -> bytes: ...
    def transmit(self, slot: str, command: bytes, mark: str) -> bytes: ...
    def late(self, slot: str, command: bytes) -> None: ...
    def remark(self, text: str) -> None: ...


class Recorder:
    """Chips, and everything that passes is taken down.

    `chips`: other ones than journeys begin with, by their slots.
    """

    def __init__(self, generation: str, chips: Mapping[str, Chip] | None = None) -> None:
        self._generation = generation
        self._chips = dict(chips or {})
        self.entries: list[Entry] = []

    def _chip(self, slot: str) -> Chip:
        slot = CARD if slot == FIELD else slot
        if slot not in self._chips:
            self._chips[slot] = chip_at(slot, self._generation)
        return self._chips[slot]

    def reset(self, slot: str) -> bytes:
        atr = self._chip(slot).reset(interface_of(slot))
        self.entries.append(Line(slot, POWER, atr))
        return atr

    def transmit(self, slot: str, command: bytes, mark: str) -> bytes:
        answer = self._chip(slot).transmit(command)
        self.entries += [Line(slot, COMMAND, command), Line(slot, mark, answer)]
        return answer

    def late(self, slot: str, command: bytes) -> None:
        self.entries.append(Line(slot, LATE, command))

    def remark(self, text: str) -> None:
        self.entries.append(Remark(text))


class PlayBack:
    """What chips have said once, as long as they are asked the same."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._lines = [entry for entry in entries if isinstance(entry, Line)][::-1]

    def _next(self, slot: str, mark: str) -> bytes:
        line = self._lines.pop()
        assert (slot, mark) == (line.slot, line.mark)
        return line.raw

    def reset(self, slot: str) -> bytes:
        return self._next(slot, POWER)

    def transmit(self, slot: str, command: bytes, mark: str) -> bytes:
        assert self._next(slot, COMMAND) == command
        return self._next(slot, mark)

    def late(self, slot: str, command: bytes) -> None:
        assert self._next(slot, LATE) == command

    def remark(self, text: str) -> None:
        """Nothing that chips have said."""

    def finish(self) -> None:
        assert [] == self._lines


class Slot:
    """A slot of the reader, out of which the card can be pulled."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._name = name
        self._out_at: tuple[int, str] | None = None
        self._empty = False

    def pull_at(self, ins: int, mark: str) -> None:
        """The card will be pulled at the next command with this INS: LATE, before it has it, or
        UNHEARD, before it has answered."""
        self._out_at = ins, mark

    def put_back(self) -> None:
        assert self._empty
        self._empty = False

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        self._occupied()
        return self._wire.reset(self._name)

    def transmit(self, command: bytes, /) -> bytes:
        self._occupied()
        if self._out_at is None or command[1] != self._out_at[0]:
            return self._wire.transmit(self._name, command, ANSWER)
        (_, mark), self._out_at, self._empty = self._out_at, None, True
        if mark == UNHEARD:
            self._wire.transmit(self._name, command, UNHEARD)
        else:
            self._wire.late(self._name, command)
        raise CardGone("pulled")

    def _occupied(self) -> None:
        if self._empty:
            raise CardGone("pulled")


class Pins(NamedTuple):
    """What the holder types: the card's first PIN, two later ones, and a wrong one."""

    initial: str
    chosen: str
    newer: str
    mistyped: str


PINS = Pins("123456", "318274", "48026713", "654312")


class Desk(ABC):
    """What a journey can do."""

    def __init__(self, wire: Wire, generation: str, pins: Pins = PINS) -> None:
        self.generation = generation
        self.pins = pins
        self.suite = SUITES[GENERATIONS[generation].algorithm]
        self._wire = wire
        self._keys = MemoryKeys(suite=self.suite)
        self._hsm = MemoryHsm(self._keys, None, ADDRESSES)
        self._slot = Slot(wire, CARD)
        self._card = MemoryChannel(self._slot)
        self._psam: MemoryChannel | None = None
        self._has_line = False
        self._random = seeded(DRIVER_SEED, TEST_DAY).random
        self._typed: deque[str | None] = deque()

    # The terminal

    def terminal(self, psam: str | None = NATION, *, line: bool = False) -> None:
        """Go to another terminal: with the PSAM of the nation, of a region, for cards of another
        generation, or with none; and with a line to the centre of its own, or not."""
        has = "no PSAM" if psam is None else f"PSAM {psam}"
        self._wire.remark(f"terminal {has}, {'a' if line else 'no'} line to the centre")
        slot = "psam" if psam == NATION else f"psam-{psam}"
        self._psam = None if psam is None else MemoryChannel(Slot(self._wire, slot))
        self._has_line = line
        self._begin()

    def hire(self, ask: AskPin | None) -> Driver:
        """The driver of this terminal."""
        return Driver(
            lambda iType: self._card,
            self._psam,
            self._asked if self._has_line else None,
            ask,
            self._random,
            device=DEVICE,
            terminal="" if self._psam else "990000000009",
            addresses=ADDRESSES,
        )

    @abstractmethod
    def _begin(self) -> None:
        """The program starts anew."""

    @abstractmethod
    def _call(self, function: str, parameters: dict[str, int | str]) -> Answer:
        """Call the driver; PINs are asked for at `pad`."""

    def call(self, function: str, *typed: str | None, **parameters: int | str) -> Answer:
        """Call a function, while the holder types these PINs; None: cancels."""
        given = "".join(f" {name}={value}" for name, value in parameters.items())
        self._wire.remark(f"call {function}{given}")
        self._typed.extend(typed)
        answer = self._call(function, parameters)
        assert not self._typed, "a PIN was not asked for"
        self._wire.remark(f"answer {answer.code} {answer.pOutInfo}".rstrip())
        return answer

    def pad(self, prompt: PinPrompt) -> str | None:
        """What the holder types."""
        typed = self._typed.popleft()
        self._wire.remark(f"pad {prompt.name} {'cancelled' if typed is None else typed}")
        return typed

    # What programs do with it

    def ok(self, function: str, *typed: str | None, **parameters: int | str) -> str:
        """pOutInfo of a call that must go well."""
        answer = self.call(function, *typed, **parameters)
        assert 0 == answer.code, f"{function}: {answer}"
        return answer.pOutInfo

    def refused(self, code: int, function: str, *typed: str | None, **parameters: int | str) -> str:
        """The sentence of a call that must come to this code."""
        answer = self.call(function, *typed, **parameters)
        assert code == answer.code, f"{function}: {answer}"
        return answer.pOutInfo

    def by_hand(self, function: str, *typed: str | None, **parameters: int | str) -> str:
        """All steps of a function: the program carries each line to the centre."""
        said, step = "", 1
        while (name := step_name(function, step)) in FUNCTIONS:
            given = {each: parameters[each] for each in FUNCTIONS[name] if each in parameters}
            if step > 1:
                given["pKey"] = self.centre(said)
            said = self.ok(name, *(typed if step == 2 else ()), **given)
            step += 1
        return said

    def centre(self, line: str) -> str:
        """What the centre answers."""
        return self._hsm.answer(line)

    def _asked(self, line: str) -> str:
        answer = self._hsm.answer(line)
        self._wire.remark(f"centre {line}")
        self._wire.remark(f"centre says {answer}")
        return answer

    # What happens to the card

    def pull_at(self, ins: int, mark: str) -> None:
        self._slot.pull_at(ins, mark)

    def put_back(self) -> None:
        self._wire.remark("the card is put back")
        self._slot.put_back()

    def load(self, fen: int, pin: str, at: datetime, terminal: str) -> int:
        """Load the account where the centre can be asked: the balance then. No driver does that."""
        self._wire.remark(f"load {fen}")
        self._card.reset()
        client = HrssClient(Card(self._card))
        client.verify(pin)
        terms = LoadTerms(fen, at, terminal)
        receipt = load(client, LoadKeys(self._keys).allow, identity(client), terms)
        self._card.reset()
        return receipt.balance


class InMemory(Desk):
    """The program calls the driver itself."""

    _driver: Driver | None = None

    def _begin(self) -> None:
        if self._driver is not None:
            self._driver.close()
        self._driver = self.hire(self.pad)

    def _call(self, function: str, parameters: dict[str, int | str]) -> Answer:
        assert self._driver is not None
        return self._driver.call(function, **parameters)
