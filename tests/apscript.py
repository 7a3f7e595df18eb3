# SPDX-License-Identifier: Apache-2.0
"""5 000 commands for the test card, the same ones every time: what readers are compared with.

A desk goes through everything that it can do with a card, right and wrong, in an order drawn by a
seed; what it sends to a chip in memory is the script. A card of the same seed must answer it the
same, byte for byte, whatever lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from random import Random
from typing import Final, NamedTuple

from books import book
from paymentdesk import CONFIG, NOON, ProvingIssuer, order

from apdu.atr import Interface, Transmission
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.hrss.application import INITIAL_PIN
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.perso import FileKind, KeyUsage
from card_os.chip import Chip
from host.card import Card
from host.channel import LONGEST, SHORTEST, Channel
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_TERMINAL, issue_test_card
from host.clients.hrss import HrssClient
from host.faults import CardFault
from host.issuer.keys import IssuerKeys
from host.issuer.test_keys import TEST_IMKS
from host.keys import MemoryKeys
from host.terminal.authentication import authenticate, identity, prove_card, unblock_pin
from host.terminal.files import open_file
from host.terminal.hrss import activate
from host.terminal.medical import Terms, purchase
from host.terminal.pboc import pay
from host.terminal.pboc_log import balance, loads, transactions

COMMANDS: Final = 5_000
SEED: Final = 20_260_105
PIN, WRONG = "318274", "654312"
EXTENDED_NE: Final = 65_536
LENGTHS: Final = (4, 5, 6, 7, 8, 260, 261, 262, 263, 4096, 65_534, LONGEST)
"""Of commands: the edges of the forms, and of what a reader carries."""


class Step(NamedTuple):
    """A command, or none: a reset; and what a chip in memory said."""

    command: bytes | None
    answer: bytes


def script_chip(generation: str = "2.0") -> Chip:
    """The card that the script of a generation is for."""
    return issue_test_card(generation, seed=7)


@cache
def script(generation: str = "2.0") -> tuple[Step, ...]:
    """5 000 commands, and the resets between them."""
    chance = Random(SEED)  # noqa: S311 - what is done, no secret
    return tuple(_Desk(generation, chance).steps())


def conversation(channel: Channel, steps: Iterable[Step]) -> Iterator[Step]:
    """What a card says to it."""
    for step in steps:
        if step.command is None:
            yield Step(None, channel.reset())
        else:
            yield Step(step.command, channel.transmit(step.command))


WAYS: Final = (Transmission.T0, Transmission.T1, Interface.CONTACTLESS)
"""How a card can be in a reader: in a slot, under a protocol, or in its field."""


class InReader:
    """A chip that is in a reader in one of these ways, however it is reset."""

    def __init__(self, chip: Chip, way: Transmission | Interface) -> None:
        in_slot = isinstance(way, Transmission)
        self._how = (Interface.CONTACT, way) if in_slot else (way,)
        self._chip = chip

    def reset(self, _: Interface = Interface.CONTACT) -> bytes:
        return self._chip.reset(*self._how)

    def transmit(self, command: bytes) -> bytes:
        return self._chip.transmit(command)


class _Full(Exception):
    """There are enough commands."""


class _Recorder(MemoryChannel):
    """Takes down what passes, until there is enough."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.steps: list[Step] = []
        self._left = COMMANDS

    def _exchange(self, command: bytes) -> bytes:
        if not self._left:
            raise _Full
        self._left -= 1
        answer = super()._exchange(command)
        self.steps.append(Step(command, answer))
        return answer

    def reset(self) -> bytes:
        self.steps.append(Step(None, super().reset()))
        return self.atr


class _Desk:
    """Does what `_acts` names, one after the other, as chance has it."""

    def __init__(self, generation: str, chance: Random) -> None:
        self._chance = chance
        self._channel = _Recorder(script_chip(generation))
        made = GENERATIONS[generation]
        self._keys = MemoryKeys(suite=SUITES[made.algorithm])
        self._directories = made.directories
        self._files = [(df, file) for df in made.directories for file in df.files]
        self._times = 0

    def steps(self) -> list[Step]:
        activate(self._client(), INITIAL_PIN, PIN)
        acts: list[Callable[[], object]] = [
            self._read_freely,
            self._read_with_keys,
            self._write,
            self._prove,
            self._pins,
            self._buy,
            self._pay,
            self._look_up,
            self._malform,
            self._babble,
            self._lengths,
            self._challenges,
            self._channel.reset,
        ]
        with suppress(_Full):
            while True:
                self._channel.le_with_data = self._chance.random() < 0.5  # else there is 61xx
                with suppress(CardFault, FormatError):  # a no of the card's is an answer, too
                    self._chance.choice(acts)()
        return self._channel.steps

    def _card(self) -> Card:
        return Card(self._channel)

    def _client(self) -> HrssClient:
        return HrssClient(self._card())

    def _file(self) -> tuple[DfSpec, EfSpec]:
        return self._chance.choice(self._files)

    def _read_freely(self) -> None:
        client = self._client()
        for directory, file in self._chance.sample(self._files, 12):
            with suppress(CardFault):
                client.read(directory, file)

    def _read_with_keys(self) -> None:
        client = self._client()
        who = identity(client)
        for directory, file in self._chance.sample(self._files, 6):
            with suppress(CardFault, FormatError):
                pin = self._chance.choice([None, lambda: PIN])
                open_file(client, directory, file, pin=pin, source=self._keys, card=who)
                client.read(directory, file)
                if file.kind is FileKind.TRANSPARENT:  # in one answer, however long
                    client.binary(file.sfi, length=EXTENDED_NE)

    def _write(self) -> None:
        client = self._client()
        who = identity(client)
        directory, file = self._file()
        pin = self._chance.choice([None, lambda: PIN])
        open_file(client, directory, file, writing=True, pin=pin, source=self._keys, card=who)
        was = client.record_bytes(file.sfi, 1)
        digits = "".join(self._chance.choices("0123456789", k=len(was) - 2)).encode()
        client.update_record(file.sfi, 1, was[:2] + digits)
        client.record_bytes(file.sfi, 1)
        client.update_record(file.sfi, 1, was)

    def _prove(self) -> None:
        client = self._client()
        who = identity(client)
        prove_card(client, self._keys, who, self._chance.randbytes)
        directory = self._chance.choice(self._directories)
        client.enter(directory)
        for key in directory.keys:
            if key.usage is KeyUsage.EXTERNAL_AUTHENTICATE:
                client.challenge()
                if self._chance.random() < 0.2:
                    with suppress(CardFault):
                        client.external_authenticate(key.kid, bytes(8), bytes(8))
                authenticate(client, self._keys, who, key)

    def _pins(self) -> None:
        client = self._client()
        with suppress(CardFault):
            client.verify(WRONG)
        client.tries_left()
        if self._chance.random() < 0.2:
            unblock_pin(client, self._keys, identity(client))
        client.verify(PIN)
        client.change_pin(PIN, PIN)

    def _buy(self) -> None:
        client = self._client()
        who = identity(client)
        client.verify(PIN)
        amounts = (self._chance.randrange(3) * self._chance.randrange(500) for _ in range(3))
        purchase(client, self._keys, who, Terms(*amounts, NOON, TEST_TERMINAL))

    def _pay(self) -> None:
        self._times += 1
        given = order(
            self._chance.randrange(1, 30_000),
            trace=self._times,
            unpredictable_number=self._chance.randbytes(4),
        )
        pay(self._card(), given, CONFIG, ProvingIssuer(keys=IssuerKeys(TEST_IMKS)))

    def _look_up(self) -> None:
        for ask in balance, transactions, loads:
            with suppress(CardFault):
                ask(self._card())

    def _malform(self) -> None:
        """Commands that are wrong in ways that have been thought of."""
        cases = [bytes.fromhex(each["hex"]) for each in book("cards/bad_apdus.json")["cases"]]
        for each in self._chance.sample(cases, 12):
            if SHORTEST <= len(each) <= LONGEST:
                self._channel.transmit(each)

    def _babble(self) -> None:
        """Commands that nobody has thought of: known instructions and any bytes behind them."""
        for _ in range(12):
            known = self._chance.choice(self._channel.steps).command or bytes(5)
            noise = self._chance.randbytes(self._chance.randrange(20))
            self._channel.transmit(known[:2] + self._chance.randbytes(2) + noise)

    def _lengths(self) -> None:
        """Commands of all lengths, in the extended forms where they fit."""
        length = self._chance.choice(LENGTHS)
        data = self._chance.randbytes(max(0, length - 7))
        head = self._chance.choice([bytes.fromhex("00D60000"), bytes.fromhex("00A40400")])
        for command in (
            (head + b"\0" + len(data).to_bytes(2) + data)[:length],
            bytes.fromhex("00B08800") + b"\0" + self._chance.randbytes(2),
            bytes.fromhex("00840000000000"),
        ):
            self._channel.transmit(command)

    def _challenges(self) -> None:
        for length in 4, 8, self._chance.randrange(256):
            self._channel.transmit(bytes.fromhex("00840000") + bytes((length,)))
