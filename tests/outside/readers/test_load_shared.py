# SPDX-License-Identifier: Apache-2.0
"""Many at one card, through pcscd: everybody hears what is meant for him, and gets his turn."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import Serve
from desks import Desks
from hermetic import READERS, Inserted, Pcscd, until
from loadworker import LONG, PIN, SFI, Desk, Known
from serving import SELECT, issued_card, snapshot

from apdu.vpcd import Signal
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.medical import DEBIT
from apdu.wire.iso7816 import VERIFY, ReadMode
from card_os.chip import Chip
from card_os.image import ImageFlash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.pcsc import PcscChannel
from host.channel.pcsc.turns import Turns
from host.cli.testcard import TEST_DAY
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import CardReset, NotAllowed, NotFound
from host.terminal.hrss import activate

pytestmark = pytest.mark.outside
scard = pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")

THREADS, PIECES = 32, 60
PROCESSES, KILLED = 8, 20
DEAD_OWNERS = 50
VANDALS_RESETS, LONGEST_PAUSE = 20, 0.05


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with a PIN of its holder's; it books as often as one wants, for it is an old one."""
    image = issued_card(tmp_path_factory.mktemp("chosen"), "--generation", "1.0")
    with ImageFlash(image) as flash:
        client = HrssClient(Card(MemoryChannel(Chip.boot(flash, seeded(7, TEST_DAY)))))
        client.select()
        activate(client, "123456", PIN)
    return image


@pytest.fixture
def card(chosen: Path, tmp_path: Path) -> Path:
    image = tmp_path / "card.img"
    image.write_bytes(chosen.read_bytes())
    return image


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    desks = Desks(tmp_path)
    yield desks
    desks.close()
    assert "" == desks.errors.read_text()


def newest(count: int) -> list[int]:
    """The numbers of the card's newest purchases."""
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        with client.card.transaction():
            client.select()
            client.verify(PIN)
            client.enter(DF04)
            found = MedicalClient(client.card).transactions()
            client.select()
    return [entry.sequence for entry in found[:count]]


def at_work(stack: ExitStack, threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        stack.callback(thread.join, LONG)


def test_32_threads_get_on_as_fast_as_one_another_and_hear_nobody_else(
    serve: Serve, card: Path
) -> None:
    serve(card)
    known = Known.read()
    done = [0] * THREADS
    faults: list[BaseException] = []
    when_the_first_was_done: list[int] = []
    with ExitStack() as stack:
        desks = [Desk(number, known) for number in range(THREADS)]
        for desk in desks:
            stack.callback(desk.channel.close)
        begin = threading.Barrier(THREADS)

        def labour(desk: Desk) -> None:
            try:
                begin.wait(LONG)
                for which in range(PIECES):
                    desk.do(which)
                    done[desk.number] += 1
                if not when_the_first_was_done:
                    when_the_first_was_done.extend(done)
            except BaseException as fault:
                faults.append(fault)

        at_work(stack, [threading.Thread(target=labour, args=(desk,)) for desk in desks])
    assert [] == faults
    assert [PIECES] * THREADS == done
    assert min(when_the_first_was_done) >= PIECES / 2, when_the_first_was_done

    challenges = [each for desk in desks for each in desk.challenges]
    assert THREADS * PIECES // 5 == len(challenges) == len({*challenges})
    booked = sorted(each.sequence for desk in desks for each in desk.receipts)
    assert [*range(booked[0], booked[0] + THREADS * PIECES // 5)] == booked
    assert all(each.judged for desk in desks for each in desk.receipts)
    assert booked[-1] == newest(1)[0]
    assert 0 == sum(desk.resets for desk in desks)


def test_processes_go_on_when_others_are_killed_at_whatever_they_do(
    serve: Serve, card: Path, desks: Desks, pcscd: Pcscd
) -> None:
    serve(card)
    choice = random.Random(7)  # noqa: S311 - of whom to kill
    numbers = set(range(PROCESSES))
    for number in numbers:
        desks.begin("labour", number)
    processes = desks.all_of(numbers)
    for _ in range(KILLED):
        for _ in range(choice.randrange(40)):
            desks.next()
        victim = choice.choice(sorted(numbers))
        killed = processes[victim]
        desks.kill(killed)
        desks.all_of(numbers - {victim})
        desks.begin("labour", victim)
        processes |= desks.all_of(numbers, but=killed)
    assert pcscd.process.poll() is None, pcscd.log()


def is_reset(channel: PcscChannel) -> bool:
    try:
        channel.transmit(SELECT)
    except CardReset:
        return True
    return False


def again(channel: PcscChannel, action: Callable[[], object]) -> None:
    """With the card as pcscd leaves it, which may tell its reset while it is at it, and after."""
    while True:
        try:
            action()
            return
        except CardReset:
            channel.reset()


def refused(client: HrssClient) -> None:
    """What needs the PIN."""
    with pytest.raises((NotAllowed, NotFound)):
        client.household()


def test_nothing_that_a_dead_owner_of_a_transaction_proved_is_left(
    serve: Serve, card: Path, desks: Desks
) -> None:
    serve(card)
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        for _ in range(DEAD_OWNERS):
            desks.begin("hold", 1)
            desks.kill(desks.next().process)
            until("pcscd has noticed and reset the card", lambda: is_reset(channel))
            again(channel, lambda: refused(client))
            again(channel, client.select)
            again(channel, lambda: refused(client))
    before = snapshot(card)
    assert Known.read()
    assert before == snapshot(card), "no try was lost"


# One who resets


class Counted:
    """A card that counts what it is given."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.seen = chip, list[bytes]()
        self.reset = chip.reset

    def transmit(self, command: bytes) -> bytes:
        self.seen.append(command[:2])
        return self.chip.transmit(command)


def disconnects(handle: int, disposition: int) -> int:
    return scard.SCardDisconnect(handle, disposition)


def ends_a_transaction(handle: int, disposition: int) -> int:
    return (
        scard.SCardBeginTransaction(handle)
        or scard.SCardEndTransaction(handle, disposition)
        or scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
    )


def reconnects(handle: int, disposition: int) -> int:
    how = scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0, disposition
    code: int = scard.SCardReconnect(handle, *how)[0]
    return code or scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)


def vandalise(how: Callable[[int, int], int], disposition: int) -> None:
    """Connect, and reset the card or power it off."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    whom = context, READERS[0], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0
    turns = Turns(READERS[0])

    turns.take()  # in line with the others, for pcsc-lite would not let it in between them
    code, handle, _ = scard.SCardConnect(*whom)
    assert 0 == code, f"{code & 0xFFFF_FFFF:08X}"
    assert 0 == how(handle, disposition)
    turns.close()
    assert 0 == scard.SCardReleaseContext(context)


RESETS, POWERS_OFF = [Signal.RESET], [Signal.OFF, Signal.ON]
BY_WHOEVER_IS_FIRST = [Signal.OFF, Signal.RESET]


@pytest.mark.parametrize(
    ("vandal", "disposition", "signals"),
    [
        (disconnects, scard.SCARD_RESET_CARD, RESETS),
        (disconnects, scard.SCARD_UNPOWER_CARD, BY_WHOEVER_IS_FIRST),
        (ends_a_transaction, scard.SCARD_RESET_CARD, RESETS),
        (ends_a_transaction, scard.SCARD_UNPOWER_CARD, POWERS_OFF),
        (reconnects, scard.SCARD_RESET_CARD, RESETS),
        (reconnects, scard.SCARD_UNPOWER_CARD, POWERS_OFF),
    ],
)
def test_who_is_reset_by_another_is_told_and_nothing_that_changes_is_sent_twice(
    pcscd: Pcscd,
    card: Path,
    vandal: Callable[[int, int], int],
    disposition: int,
    signals: list[Signal],
) -> None:
    pauses = random.Random(7)  # noqa: S311 - of the moment
    faults: list[BaseException] = []
    peeks = [0, 0]
    over = threading.Event()
    with ExitStack() as stack:
        flash = stack.enter_context(ImageFlash(card))
        counted = Counted(Chip.boot(flash, seeded(7, TEST_DAY)))
        inserted: Inserted = pcscd.insert(counted)
        stack.callback(lambda: until("the reader is empty", lambda: not pcscd.atr()))
        stack.callback(inserted.pull)
        until("the card is in the reader", pcscd.atr)
        known = Known.read()
        counted.seen.clear()
        desks = [Desk(number, known) for number in range(6)]
        for desk in desks:
            stack.callback(desk.channel.close)

        def labour(desk: Desk) -> None:
            try:
                while not over.is_set():
                    desk.do(desk.done)
            except BaseException as fault:
                faults.append(fault)

        def peek(desk: Desk) -> None:
            """Plain reads, with nothing around them that keeps others away."""
            try:
                desk.client.select()
                while not over.is_set():
                    assert known.items[1] == desk.client.record_bytes(SFI, 1, ReadMode.TAG)
                    peeks[desk.number] += 1
            except BaseException as fault:
                faults.append(fault)

        threads = [threading.Thread(target=peek, args=(desk,)) for desk in desks[:2]]
        threads += [threading.Thread(target=labour, args=(desk,)) for desk in desks[2:]]
        stack.callback(over.set)
        at_work(stack, threads)
        begun = len(inserted.signals)
        for _ in range(VANDALS_RESETS):
            over.wait(pauses.uniform(0, LONGEST_PAUSE))
            before = [desk.done + 2 for desk in desks[2:]] + [each + 1 for each in peeks]
            vandalise(vandal, disposition)
            until(
                "everybody has got on",
                lambda before=before: faults or all(
                    done > was
                    for done, was in zip(
                        [*(desk.done for desk in desks[2:]), *peeks], before, strict=True
                    )
                ),
            )  # fmt: skip
        over.set()
        for thread in threads:
            thread.join(LONG)
        assert [] == faults
        assert signals * VANDALS_RESETS == inserted.signals[begun:]
        assert sum(desk.resets for desk in desks) > 0
        for form, done in (
            (DEBIT, sum(len(desk.receipts) for desk in desks)),
            (VERIFY, sum(desk.verified for desk in desks)),
        ):
            assert done == counted.seen.count(bytes((form.cla, form.ins)))
