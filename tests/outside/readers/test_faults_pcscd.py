# SPDX-License-Identifier: Apache-2.0
"""Card processes and services that are killed at whatever moment: all recovers, nothing is lost."""

from __future__ import annotations

import random
from contextlib import closing
from itertools import islice
from pathlib import Path
from threading import Condition, Thread

import pytest
from conftest import Serve
from hermetic import READERS, Pcscd, until
from loadworker import LONG
from serving import SELECT

from host.card import Card
from host.channel.pcsc import PcscChannel, readers
from host.channel.pcsc.watch import Happened, wait_for_removal, watch
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardGone, PinWrong, ReaderGone

pytestmark = pytest.mark.outside
pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")

OFTEN = 50
PINS = ("318274", "2718281")
WRONG = "99999999"


class Writer(Thread):
    """A holder who changes the PIN and mistypes it, over and over, until the card is gone, and
    knows what the card has acknowledged."""

    def __init__(self, pin: str, tries: int) -> None:
        super().__init__(daemon=True)
        self.channel = PcscChannel.open(READERS[0])
        self.client = HrssClient(Card(self.channel))
        self.pins, self.tries = {pin}, {tries}
        """What the card may hold: more than one while an answer is awaited."""
        self.limit = tries
        self.done, self.over = 0, False
        self.news = Condition()

    def run(self) -> None:
        try:
            while True:
                self.once()
        except CardGone:
            pass
        finally:
            with self.news:
                self.over = True
                self.news.notify_all()

    def once(self) -> None:
        client = self.client
        client.select()
        (pin,), (tries,) = self.pins, self.tries
        new = PINS[pin == PINS[0]]
        self.tries = {tries, tries - 1}
        with pytest.raises(PinWrong):
            client.verify(WRONG)
        self.acknowledged(pin, tries - 1)
        self.tries = {tries, tries - 1}
        client.verify(pin)
        self.acknowledged(pin, self.limit)
        self.pins = {pin, new}
        client.change_pin(pin, new)
        self.acknowledged(new, self.limit)

    def acknowledged(self, pin: str, tries: int) -> None:
        with self.news:
            self.pins, self.tries = {pin}, {tries}
            self.done += 1
            self.news.notify_all()

    def after(self, count: int) -> None:
        """Return when so much has been acknowledged."""
        with self.news:
            assert self.news.wait_for(lambda: self.done >= count or self.over, LONG)


def taken_up(channel: PcscChannel) -> bool:
    try:
        channel.reset()
        channel.transmit(SELECT)
    except CardGone:
        return False
    return True


def test_what_a_card_has_acknowledged_is_there_after_its_process_was_killed(
    serve: Serve, image: Path, pcscd: Pcscd
) -> None:
    card = serve(image)
    choice = random.Random(7)  # noqa: S311 - of the moment
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        client.select()
        client.change_pin("123456", PINS[0])
        pin, limit = PINS[0], client.tries_left()
        assert limit
        for _ in range(OFTEN):
            writer = Writer(pin, limit)
            writer.start()
            writer.after(choice.randrange(1, 30))
            card.process.kill()
            card.process.wait()
            writer.join(LONG)
            assert not writer.is_alive()
            writer.channel.close()
            wait_for_removal(READERS[0], deadline=LONG)
            card.start()
            until("the host has the card again", lambda: taken_up(channel))
            client.select()
            assert client.tries_left() in writer.tries
            held = [each for each in sorted(writer.pins) if proven(client, each)]
            assert 1 == len(held)
            pin = held[0]
    assert pcscd.process.poll() is None, pcscd.log()


def proven(client: HrssClient, pin: str) -> bool:
    try:
        client.verify(pin)
    except PinWrong:
        return False
    return True


def test_all_find_one_another_again_when_the_service_was_restarted(
    serve: Serve, image: Path, pcscd: Pcscd
) -> None:
    card = serve(image)
    with closing(watch(deadline=LONG * OFTEN)) as events:
        list(islice(events, 3))
        for number in range(OFTEN):
            channel = PcscChannel.open(READERS[0])
            if number % 2:
                assert 0 == pcscd.stop(), pcscd.log()
            else:
                pcscd.process.kill()
                pcscd.process.wait()
            with pytest.raises(ReaderGone):
                channel.transmit(SELECT)
            channel.close()
            with pytest.raises(ReaderGone):
                readers()
            pcscd.start()
            until("the card is back", card.seen)
            with PcscChannel.open(READERS[0]) as again:
                assert 0x61 == again.transmit(SELECT)[-2]
            told = {Happened.SERVICE_LOST: 0, Happened.SERVICE_BACK: 0, Happened.CARD_INSERTED: 0}
            for event in events:
                if event.what in told:
                    told[event.what] += 1
                if all(told.values()):
                    break
            assert 1 == told[Happened.SERVICE_LOST] == told[Happened.SERVICE_BACK]
    assert card.process.poll() is None, card.told.read_text()


def test_a_client_is_told_of_a_service_that_ends_in_its_transaction(
    serve: Serve, image: Path, pcscd: Pcscd
) -> None:
    card = serve(image)
    with PcscChannel.open(READERS[0]) as channel:
        with pytest.raises(CardFault), channel.transaction():
            channel.transmit(SELECT)
            pcscd.process.kill()
            pcscd.process.wait()
            channel.transmit(SELECT)
        pcscd.start()
        until("the card is back", card.seen)
    with PcscChannel.open(READERS[0]) as channel, channel.transaction():
        assert 0x61 == channel.transmit(SELECT)[-2]
