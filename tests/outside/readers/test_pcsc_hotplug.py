# SPDX-License-Identifier: Apache-2.0
"""Cards and programs that come and go, against pcscd and virtual readers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hermetic import Inserted, Pcscd, until
from resetting import Forgetful

from apdu.atr import Interface, Transmission, contactless_atr
from apdu.wire.hrss.generations import SSSE
from apdu.wire.iso7816 import GET_CHALLENGE, READ_RECORD, SELECT, VERIFY, PinRef, RecordRef
from host.card import Card
from host.channel.pcsc import PcscChannel, Protocol, readers
from host.channel.pcsc.watch import (
    Presence,
    ReaderEvent,
    Use,
    states,
    wait_for_card,
    wait_for_removal,
    watch,
)
from host.cli.testcard import issue_test_card
from host.clients.hrss import HrssClient
from host.faults import CardBusy, CardGone, CardMute, CardReset, ReaderGone

pytestmark = pytest.mark.outside

HERE, NEXT = "Virtual PCD 00 00", "Virtual PCD 00 01"
LONG = 20.0
"""Seconds after which a test fails instead of hanging."""
READ = READ_RECORD, RecordRef(1, 5), None
SELECT_FIRST = bytes.fromhex("00A40400 05") + b"FIRST"
ROOT = Path(__file__).parents[3]

Insert = Callable[..., Inserted]


@pytest.fixture(scope="module")
def service(pcscd: Pcscd) -> Pcscd:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    until("the readers are there", lambda: len(readers()) == 2)
    return pcscd


@pytest.fixture
def insert(service: Pcscd) -> Iterator[Insert]:
    cards: list[Inserted] = []

    def insert(card: Any, slot: int = 0) -> Inserted:
        cards.append(service.insert(card, slot))
        wait_for_card((HERE, NEXT)[slot], deadline=LONG)
        return cards[-1]

    yield insert
    for card in cards:
        card.pull()
    wait_for_removal(deadline=LONG)
    assert service.process.poll() is None, service.log()
    until("no thread is left", lambda: "sscard-pcsc" not in {t.name for t in threading.enumerate()})


def told(events: Iterator[ReaderEvent], number: int) -> list[str]:
    return [f"{each.what.value}, {each.reader}" for each in islice(events, number)]


def test_hot_plug_is_told_in_order(insert: Insert) -> None:
    with closing(watch(deadline=LONG)) as events:
        assert [f"reader added, {HERE}", f"reader added, {NEXT}"] == told(events, 2)
        first = insert(Forgetful())
        assert [f"card inserted, {HERE}"] == told(events, 1)
        insert(Forgetful(), slot=1)
        assert [f"card inserted, {NEXT}"] == told(events, 1)
        with PcscChannel.open(HERE):
            assert [f"card in use, {HERE}"] == told(events, 1)
        assert [f"card free, {HERE}"] == told(events, 1)
        with PcscChannel.open(HERE, shared=False):
            assert [f"card in exclusive use, {HERE}"] == told(events, 1)
            assert [Use.EXCLUSIVE, Use.FREE] == [each.use for each in states()]
        assert [f"card free, {HERE}"] == told(events, 1)
        first.pull()
        assert [f"card removed, {HERE}"] == told(events, 1)
        assert [Presence.EMPTY, Presence.CARD] == [each.presence for each in states()]


def test_a_service_that_is_killed_is_watched_on_when_it_is_back(
    service: Pcscd, insert: Insert
) -> None:
    insert(Forgetful())
    with closing(watch(deadline=LONG)) as events:
        told(events, 3)
        service.process.kill()
        service.process.wait()
        assert ["service lost, "] == told(events, 1)
        with pytest.raises(ReaderGone, match="does not run"):
            states()
        service.start()
        assert "service back, " == told(events, 1)[0]
        assert {f"reader added, {HERE}", f"reader added, {NEXT}", f"card inserted, {HERE}"} == {
            *told(events, 3)
        }
    PcscChannel.open(HERE).close()


def test_nobody_is_held_up_by_one_who_watches(insert: Insert) -> None:
    insert(Forgetful())
    stop = threading.Event()
    heard: list[ReaderEvent] = []
    watching = threading.Thread(target=lambda: heard.extend(watch(stop=stop)))
    watching.start()
    with PcscChannel.open(HERE) as channel:
        for _ in range(300):
            with channel.transaction():
                channel.transmit(bytes.fromhex("80CA9F3600"))
    stop.set()
    watching.join(LONG)
    assert not watching.is_alive()
    assert {HERE, NEXT} <= {event.reader for event in heard}


def test_a_card_is_waited_for_and_its_removal(service: Pcscd) -> None:
    with pytest.raises(CardGone, match="no card came"):
        wait_for_card(NEXT, deadline=0.1)
    card = service.insert(issue_test_card(), 1)
    found = wait_for_card("00 01", deadline=LONG)
    with PcscChannel.open(found.name) as channel:
        assert (NEXT, channel.atr) == (found.name, found.atr)
    card.pull()
    wait_for_removal(NEXT, deadline=LONG)
    assert () == tuple(each for each in states() if each.presence is not Presence.EMPTY)


def test_a_read_is_sent_again_after_a_reset_by_another_and_a_proof_is_not(insert: Insert) -> None:
    toy = Forgetful(t1=False)
    insert(toy)
    with PcscChannel.open(HERE) as one, PcscChannel.open(HERE) as other:
        card = Card(one)
        card.send(SELECT, SELECT.params.of(0x0400), b"FIRST")  # as toys answer: without an FCI
        expected = card.send(*READ)
        other.reset()
        before = len(toy.seen)
        assert expected == card.send(*READ)
        assert SELECT_FIRST == toy.seen[before]
        other.transmit(SELECT_FIRST)  # nobody has reset it a second time
        other.reset()
        with pytest.raises(CardReset):
            card.send(VERIFY, PinRef(), b"\x12\x34\x56")
        assert 0x20 not in {command[1] for command in toy.seen}
        one.reset()
        card.send(VERIFY, PinRef(), b"\x12\x34\x56")
        other.reset()
        with pytest.raises(CardReset):
            card.send(*READ)


def test_a_card_that_another_program_powers_off_was_reset(insert: Insert) -> None:
    scard = pytest.importorskip("smartcard.scard")
    insert(Forgetful())
    with PcscChannel.open(HERE) as channel:
        Card(channel).send(GET_CHALLENGE, None, None)
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        _, handle, _ = scard.SCardConnect(context, HERE, scard.SCARD_SHARE_SHARED, 3)
        scard.SCardDisconnect(handle, scard.SCARD_UNPOWER_CARD)
        scard.SCardReleaseContext(context)
        with pytest.raises(CardReset):
            channel.transmit(SELECT_FIRST)


def test_who_is_in_the_way_is_told_by_kind(insert: Insert) -> None:
    inserted = insert(Forgetful())
    with PcscChannel.open(HERE, shared=False), pytest.raises(CardBusy):
        PcscChannel.open(HERE)
    with PcscChannel.open(HERE) as one, PcscChannel.open(HERE) as other:
        other.deadline = 0.2
        with one.transaction(), pytest.raises(CardBusy), other.transaction():
            pytest.fail("another one had the card")
    with PcscChannel.open(HERE) as channel:
        inserted.pull()
        wait_for_removal(HERE, deadline=LONG)
        with pytest.raises(CardGone, match="pulled") as caught:
            channel.transmit(SELECT_FIRST)
        assert CardGone is type(caught.value)


@pytest.mark.parametrize("protocol", [Protocol.T0, Protocol.T1, Protocol.T0 | Protocol.T1])
def test_a_card_in_the_field_offers_both_protocols(insert: Insert, protocol: Protocol) -> None:
    class Tapped(Forgetful):
        def transmit(self, command: bytes) -> bytes:
            if command == bytes.fromhex("FFCA000000"):
                return bytes.fromhex("08112233 9000")
            return super().transmit(command)

    insert(Tapped(atr=contactless_atr(b"sscard")))
    with PcscChannel.open(HERE, protocol=protocol) as channel:
        assert Interface.CONTACTLESS is channel.interface
        assert channel.protocol in protocol
        assert bytes.fromhex("08112233") == channel.uid()
        assert bytes.fromhex("08112233") == channel.uid()


def test_our_card_in_the_field_is_read_and_has_no_identifier_to_tell(insert: Insert) -> None:
    chip = issue_test_card()

    class Held:
        def reset(self) -> bytes:
            return chip.reset(Interface.CONTACTLESS)

        def transmit(self, command: bytes) -> bytes:
            return chip.transmit(command)

    insert(Held())
    with PcscChannel.open(HERE) as channel:
        assert (Interface.CONTACTLESS, b"") == (channel.interface, channel.uid())
        Card(channel).select(SSSE.name)


@pytest.mark.parametrize("transmission", Transmission)
def test_our_card_is_read_under_both_protocols(insert: Insert, transmission: Transmission) -> None:
    chip = issue_test_card()

    class Slotted:
        def reset(self) -> bytes:
            return chip.reset(Interface.CONTACT, transmission)

        def transmit(self, command: bytes) -> bytes:
            return chip.transmit(command)

    insert(Slotted())
    with PcscChannel.open(HERE) as channel:
        assert Interface.CONTACT is channel.interface
        assert transmission.value == (channel.protocol is Protocol.T1)
        HrssClient(Card(channel)).record_bytes(5, 1)


@pytest.mark.parametrize("position", range(4))
def test_a_card_that_hangs_anywhere_is_given_up_and_the_next_one_works(
    insert: Insert, position: int
) -> None:
    chip = issue_test_card()

    class Hanging:
        left = position

        def reset(self) -> bytes:
            return chip.reset()

        def transmit(self, command: bytes) -> bytes:
            self.left -= 1
            return b"" if self.left < 0 else chip.transmit(command)

    def whole(channel: PcscChannel) -> bytes:
        client = HrssClient(Card(channel))
        return b"".join(client.record_bytes(5, number) for number in (1, 2, 3))

    card = insert(Hanging())
    channel = PcscChannel.open(HERE)
    channel.deadline = 0.2
    with channel, pytest.raises(CardMute):
        whole(channel)
    card.pull()
    wait_for_removal(HERE, deadline=LONG)
    insert(chip)
    with PcscChannel.open(HERE) as again:
        assert whole(again)


def test_the_command_watches_until_ctrl_c(insert: Insert) -> None:
    insert(issue_test_card())
    words = [sys.executable, "-m", "host.cli.main", "readers", "--watch", HERE]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("reader added")
        assert "social security card" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert ("", 0) == (watching.stdout.read(), watching.wait(LONG))
