# SPDX-License-Identifier: Apache-2.0
"""A desk that works at a card which others use as well, and sees to it that what it hears is meant
for it.

python -m loadworker    for each line on standard input, `labour NUMBER` or `hold NUMBER`, a desk
                        in a process of its own, until somebody kills it or that input ends;
                        on stdout number, process, and which work was done, line by line
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from hermetic import READERS

from apdu.wire.hrss.generations import SSSE
from apdu.wire.iso7816 import ReadMode
from apdu.wire.record import Record
from host.card import Card
from host.channel.pcsc import PcscChannel
from host.clients.hrss import HrssClient
from host.faults import CardReset, NotAllowed
from host.keys import CardIdentity, MemoryKeys
from host.terminal.authentication import identity, prove_card
from host.terminal.medical import Receipt, Terms, purchase

PIN = "318274"
AT = datetime(2026, 1, 5, 9, 30)
SFI = SSSE.files[0].sfi
ITEMS = range(1, 8)
"""Of EF05, which everybody may read: each desk has its own."""
LONG = 60.0
"""Seconds after which a desk fails instead of waiting."""


class Stranger(AssertionError):
    """The answer to somebody else."""


class Desk:
    """One that shares the card. Each of `work` is a transaction, and leaves nothing proven."""

    def __init__(self, number: int, known: Known) -> None:
        self.number, self.known = number, known
        self.keys = MemoryKeys()
        self.channel = PcscChannel.open(READERS[0], deadline=LONG)
        self.client = HrssClient(Card(self.channel))
        self.challenges: list[bytes] = []
        self.receipts: list[Receipt] = []
        self.done = self.verified = self.resets = 0
        self.work: tuple[Callable[[], None], ...] = (
            self.read, self.prove, self.enter, self.buy, self.ask,
        )  # fmt: skip

    def do(self, which: int) -> None:
        """A piece of work; once more, from its beginning, when another has reset the card."""
        while True:
            try:
                self.work[(which + self.number) % len(self.work)]()
                self.done += 1
                return
            except CardReset:
                self.resets += 1
                self.channel.reset()  # as the other has left it

    def read(self) -> None:
        item = ITEMS[self.number % len(ITEMS)]
        with self.client.card.transaction():
            self.client.select()
            for _ in range(3):
                if self.known.items[item] != self.client.record_bytes(SFI, item, ReadMode.TAG):
                    raise Stranger(f"item {item}")

    def prove(self) -> None:
        """The card's cryptogram over what nobody else has asked about."""
        with self.client.card.transaction():
            self.client.select()
            prove_card(self.client, self.keys, self.known.card, os.urandom)

    def enter(self) -> None:
        """With the PIN, and not without."""
        with self.client.card.transaction():
            self.client.select()
            try:
                self.client.household()
                raise Stranger("proven by another")
            except NotAllowed:
                pass
            self.client.select()
            self.verify()
            if self.known.household != self.client.household():
                raise Stranger("household")
            self.client.select()

    def verify(self) -> None:
        self.client.verify(PIN)
        self.verified += 1

    def buy(self) -> None:
        terms = Terms(0, 1 + self.number, 0, AT, f"{990000000000 + self.number:012d}")
        with self.client.card.transaction():
            self.client.select()
            self.verify()
            self.receipts.append(purchase(self.client, self.keys, self.known.card, terms))
            self.client.select()

    def ask(self) -> None:
        """In the midst of others."""
        self.challenges.append(self.client.challenge())


@dataclass(frozen=True)
class Known:
    """What the card has for everybody, and for who has the PIN."""

    card: CardIdentity
    items: dict[int, bytes]
    household: Record

    @classmethod
    def read(cls) -> Known:
        with PcscChannel.open(READERS[0], deadline=LONG) as channel:
            client = HrssClient(Card(channel))
            with client.card.transaction():
                client.select()
                card = identity(client)
                items = {item: client.record_bytes(SFI, item, ReadMode.TAG) for item in ITEMS}
                client.verify(PIN)
                household = client.household()
                client.select()
        return cls(card, items, household)


def labour(number: int) -> None:
    """Work until somebody kills us; a line for each piece that is done."""
    desk = Desk(number, Known.read())
    for which in count():
        desk.do(which)
        tell(number, which)


def hold(number: int) -> None:
    """Prove the PIN in a transaction that never ends."""
    desk = Desk(number, Known.read())
    with desk.client.card.transaction():
        desk.client.select()
        desk.client.verify(PIN)
        desk.client.household()
        tell(number, 0)
        signal.pause()


def tell(number: int, which: int) -> None:
    os.write(sys.stdout.fileno(), f"{number} {os.getpid()} {which}\n".encode())


DOING = {"labour": labour, "hold": hold}


def child(doing: str, number: int) -> None:
    """In a process of its own, which has not spoken to pcscd yet."""
    if os.fork():
        return
    try:
        DOING[doing](number)
    finally:
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.setpgid(0, 0)
    for line in sys.stdin:
        doing, number = line.split()
        child(doing, int(number))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
