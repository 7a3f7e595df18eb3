# SPDX-License-Identifier: Apache-2.0
"""A reader for the LD/T 33 driver: a card of any generation, its PSAM, its centre, a PIN pad."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import count
from typing import Any

import pytest
from psambench import psam

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.keys import TABLES
from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel import Channel
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue
from host.clients.hrss import HrssClient
from host.driver import Driver, DriverFault, PinPrompt
from host.faults import CardGone
from host.hsm import HsmAddresses, MemoryHsm
from host.keys import MemoryKeys

PIN = "864209"
ADDRESSES = HsmAddresses(
    {spec.name: 0x1000 + at for at, spec in enumerate(spec for table in TABLES for spec in table)}
)
"""As if a centre had told the addresses of all keys."""
every_generation = pytest.mark.parametrize("generation", GENERATIONS)


@cache
def _cells(generation: str, seed: int) -> bytes:
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank_chip(seeded(seed, TEST_DAY), flash)
    card = issue(chip, TEST_HOLDER, GENERATIONS[generation])
    card.channel.reset()
    HrssClient(card).change_pin("123456", PIN)
    return bytes(flash.cells)


def activated(generation: str = "2.0", seed: int = 7) -> Chip:
    """A card of one's own whose holder has chosen `PIN`."""
    return Chip.boot(Flash(bytearray(_cells(generation, seed))), seeded(seed + 1, TEST_DAY))


def suite_of(generation: str) -> Suite:
    return SUITES[GENERATIONS[generation].algorithm]


class Pad:
    """Types what it was given, one after the other, and notes what it was asked for."""

    def __init__(self, *typed: str | Exception | None) -> None:
        self._typed = list(typed)
        self.asked: list[PinPrompt] = []

    def __call__(self, prompt: PinPrompt) -> str | None:
        self.asked.append(prompt)
        typed = self._typed.pop(0) if len(self._typed) > 1 else self._typed[0]
        if isinstance(typed, Exception):
            raise typed
        return typed


class Line:
    """A centre at the end of a line: what it was asked is kept."""

    def __init__(self, generation: str = "2.0", addresses: HsmAddresses = ADDRESSES) -> None:
        self._hsm = MemoryHsm(MemoryKeys(suite=suite_of(generation)), None, addresses)
        self.asked: list[str] = []

    def __call__(self, line: str) -> str:
        self.asked.append(line)
        return self._hsm.answer(line)


class Reader:
    """One card in a reader, and drivers for it."""

    def __init__(self, generation: str = "2.0", chip: Chip | None = None) -> None:
        self.generation = generation
        self.chip = chip or activated(generation)
        self.channel = MemoryChannel(self.chip)
        self.psam = MemoryChannel(psam(suite_of(generation)))

    def driver(
        self,
        *typed: str | Exception | None,
        psam: bool = True,
        hsm: Callable[[str], str] | None = None,
        pad: Pad | None = None,
        terminal: str = "",
        card: Channel | None = None,
    ) -> Driver:
        """A driver whose holder types these PINs; the right one when none is given."""
        return Driver(
            lambda iType: card or self.channel,
            self.psam if psam else None,
            hsm,
            pad or Pad(*(typed or (PIN,))),
            numbers(),
            device="D1",
            terminal=terminal,
            addresses=ADDRESSES,
        )

    @property
    def info(self) -> str:
        """pCardInfo of this card."""
        issuer = HrssClient(Card(MemoryChannel(self.chip))).issuer()
        return f"{issuer.identification.hex().upper()}|{issuer.card_number}|"


def numbers() -> Callable[[int], bytes]:
    """Random bytes that are the same every time."""
    counter = count(1)
    return lambda n: next(counter).to_bytes(n)


def code_of(call: Callable[..., object], *given: Any) -> int:
    """The code that a call ends with; 0 for one that went well."""
    try:
        call(*given)
    except DriverFault as fault:
        return fault.code
    return 0


CHANGING = frozenset({0xDC, 0xD6, 0xE2, 0x5E, 0x24, 0x2C})
"""INS of commands that change something of a card which stays."""


class Pulled(MemoryChannel):
    """A card that is pulled at its n-th command: before the card gets it, or with its answer on
    the way. What was sent to the card is kept."""

    def __init__(self, chip: Chip, at: int, *, answered: bool = False) -> None:
        super().__init__(chip)
        self._left = at
        self._answered = answered
        self.sent: list[bytes] = []
        self.gone = False

    def _exchange(self, command: bytes) -> bytes:
        self._left -= 1
        if self.gone or (self._left <= 0 and not self._answered):
            self.gone = True
            raise CardGone("pulled")
        self.sent.append(command)
        answer = super()._exchange(command)
        if self._left <= 0:
            self.gone = True
            raise CardGone("pulled")
        return answer

    def reset(self) -> bytes:
        if self.gone:
            raise CardGone("pulled")
        return super().reset()


def changing(sent: Iterable[bytes]) -> list[bytes]:
    return [command for command in sent if command[1] in CHANGING]
