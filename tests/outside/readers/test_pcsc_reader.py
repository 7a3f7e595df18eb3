# SPDX-License-Identifier: Apache-2.0
"""The PC/SC channel against pcscd and a virtual reader."""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hermetic import Inserted, Pcscd, until

from apdu.errors import FormatError
from card_os.plug import Pulled
from host.channel.pcsc import PcscChannel, Protocol, readers
from host.cli.testcard import issue_test_card
from host.faults import CardFault, CardGone, CardMute

pytestmark = pytest.mark.outside

HERE = "Virtual PCD 00 00"
NEXT = "Virtual PCD 00 01"
SELECT = bytes.fromhex("00A4040008A000000333010101")
GET_RESPONSE = bytes.fromhex("00C0000000")
READ_RECORD = bytes.fromhex("00B2010C00")
ASK = bytes.fromhex("80100000")
ECHO = bytes.fromhex("80120000")
OK = b"\x90\x00"

Insert = Callable[..., Inserted]


class Toy:
    """A card that tells whether something was selected since the last reset, or echoes."""

    def __init__(self, atr: str = "3B00") -> None:
        self.atr = bytes.fromhex(atr)
        self.seen: list[bytes] = []
        self.silent = False
        self.pause: Callable[[], Any] = lambda: None

    def reset(self) -> bytes:
        self.selected = b"\x00"
        return self.atr

    def transmit(self, command: bytes) -> bytes:
        self.seen.append(command)
        self.pause()
        if command == SELECT:
            self.selected = b"\x01"
        if command.startswith(ECHO):
            return command + OK
        return b"" if self.silent else self.selected + OK


def opened(name: str = HERE, **how: Any) -> PcscChannel:
    """A channel, as soon as pcscd has noticed the card: it looks every 0.4 s."""

    def attempt() -> PcscChannel | None:
        try:
            return PcscChannel.open(name, **how)
        except CardMute:
            raise
        except CardGone as gone:
            assert "no card" in str(gone)
            return None

    channel: PcscChannel = until(f"a card in {name}", attempt)
    return channel


@pytest.fixture(scope="session")
def pcscd(pcscd: Pcscd) -> Pcscd:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    until("the readers are there", lambda: len(readers()) == 2)
    return pcscd


@pytest.fixture
def insert(pcscd: Pcscd) -> Iterator[Insert]:
    cards: list[Inserted] = []

    def insert(card: Any, slot: int = 0) -> Inserted:
        cards.append(pcscd.insert(card, slot))
        return cards[-1]

    yield insert
    for card in cards:
        card.pull()
    assert pcscd.process.poll() is None, pcscd.log()
    for name in (HERE, NEXT):
        until(f"{name} is empty", lambda name=name: is_empty(name))
    until("no thread is left", lambda: "sscard-pcsc" not in {t.name for t in threading.enumerate()})


def is_empty(name: str) -> bool:
    try:
        PcscChannel.open(name).close()
    except CardGone as gone:
        return "no card" in str(gone)
    return False


def complaint(channel: PcscChannel) -> str:
    try:
        channel.transmit(ASK)
    except CardGone as gone:
        return str(gone)
    return ""


def test_our_card_says_the_same_through_a_reader_and_forgets_as_well(insert: Insert) -> None:
    direct = issue_test_card(generation="2.0", seed=7)
    atr = direct.reset()
    insert(issue_test_card(generation="2.0", seed=7))
    with opened() as channel:
        assert atr == channel.atr

        def both(command: bytes) -> bytes:
            answer = channel.transmit(command)
            assert direct.transmit(command) == answer
            return answer

        assert both(SELECT)[-2] == 0x61
        assert SELECT[5:] in both(GET_RESPONSE)
        selected = both(READ_RECORD)
        assert direct.reset() == channel.reset()
        assert selected != both(READ_RECORD)
        both(GET_RESPONSE)


@pytest.mark.parametrize(
    ("atr", "protocol"), [("3B00", Protocol.T0), ("3B800181", Protocol.T1)], ids=["T=0", "T=1"]
)
def test_bytes_pass_unaltered(insert: Insert, atr: str, protocol: Protocol) -> None:
    card = Toy(atr)
    insert(card)
    with opened() as channel:
        assert (card.atr, protocol, HERE) == (channel.atr, channel.protocol, channel.reader)
        for length in 4, 5, 6, 261, 262, 0x4000, 65_533:  # with the status word 65 535
            command = (ECHO + bytes(range(256)) * 256)[:length]
            assert command + OK == channel.transmit(command)


def test_a_command_of_impossible_length_stays_here(insert: Insert) -> None:
    card = Toy()
    insert(card)
    with opened() as channel:
        for length in 0, 1, 3, 65_536, 70_000:
            with pytest.raises(FormatError, match=f"C-APDU of {length} bytes: must be 4 to 65535"):
                channel.transmit(bytes(length))
        channel.transmit(longest := bytes(65_535))
    assert [longest] == card.seen


def test_a_round_trip_takes_no_time_to_speak_of(insert: Insert) -> None:
    insert(Toy())
    took = []
    with opened() as channel:
        for _ in range(1000):
            start = time.perf_counter()
            channel.transmit(ASK)
            took.append(time.perf_counter() - start)
    p50, p99 = statistics.median(took) * 1e6, statistics.quantiles(took, n=100)[98] * 1e6
    print(f"round trip: p50 {p50:.0f} us, p99 {p99:.0f} us, {len(took) / sum(took):.0f}/s")
    assert p50 < 5000  # 44 ms with delayed acknowledgements


def test_reset_forgets(insert: Insert) -> None:
    card = Toy()
    signals = insert(card).signals
    with opened() as channel:
        channel.transmit(SELECT)
        assert b"\x01" + OK == channel.transmit(ASK)
        before = len(signals)
        assert card.atr == channel.reset()
        assert [2] == signals[before:]
        assert b"\x00" + OK == channel.transmit(ASK)


def test_closing_one_channel_leaves_the_card_to_the_other(insert: Insert) -> None:
    signals = insert(Toy()).signals
    with opened() as one:
        other = opened()
        other.transmit(SELECT)
        before = len(signals)
        other.close()
        other.close()
        with pytest.raises(CardGone, match="closed"):
            other.transmit(ASK)
        assert b"\x01" + OK == one.transmit(ASK)
        assert [] == signals[before:]


def test_a_reset_by_another_program_is_told_until_it_is_acknowledged(insert: Insert) -> None:
    card = Toy()
    insert(card)
    with opened() as one, opened() as other:
        one.transmit(SELECT)
        other.reset()
        for _ in range(2):
            with pytest.raises(CardGone, match="another program reset the card"):
                one.transmit(SELECT)
        with pytest.raises(CardGone, match="another program reset the card"), one.transaction():
            pytest.fail("a transaction with a card that is no longer the same")
        assert [SELECT] == card.seen
        one.reset()
        assert b"\x00" + OK == one.transmit(ASK)


def test_an_exclusive_channel_keeps_others_out(insert: Insert) -> None:
    insert(Toy())
    with opened(shared=False) as channel:
        with pytest.raises(CardGone, match="another program has the card to itself"):
            PcscChannel.open(HERE)
        with channel.transaction():
            channel.transmit(ASK)
    opened().close()


def test_a_transaction_keeps_a_second_client_waiting(insert: Insert) -> None:
    card = Toy()
    insert(card)
    late = ASK + b"\x01"
    with opened() as one, opened() as other, ThreadPoolExecutor(1) as second:
        with one.transaction():
            one.transmit(SELECT)
            answer = second.submit(other.transmit, late)
            with one.transaction():
                one.transmit(ASK)
            with pytest.raises(TimeoutError):
                answer.result(0.4)
            one.transmit(ASK)
        assert b"\x01" + OK == answer.result(5)
    assert [SELECT, ASK, ASK, late] == card.seen


def test_a_transaction_can_be_reset_inside(insert: Insert) -> None:
    insert(Toy())
    with opened() as one, opened(deadline=0.5) as other:
        with one.transaction():
            one.reset()
            with pytest.raises(CardGone), other.transaction():
                pytest.fail("the reset ended the transaction")
            one.transmit(ASK)


def test_who_waits_too_long_for_a_transaction_sends_nothing_later(insert: Insert) -> None:
    card = Toy()
    insert(card)
    with opened() as one, opened(deadline=0.5) as other:
        with one.transaction():
            start = time.monotonic()
            with pytest.raises(CardGone, match="kept the card to itself") as caught:
                with other.transaction():
                    other.transmit(SELECT)
            assert time.monotonic() - start < 1.0
            assert not isinstance(caught.value, CardMute)
        with pytest.raises(CardGone, match="open the channel anew"):
            other.transmit(SELECT)
        with opened(deadline=5) as third, third.transaction():
            third.transmit(ASK)
        assert [ASK] == card.seen


def test_a_mute_card_is_given_up_in_time_and_the_process_goes_on(insert: Insert) -> None:
    card = Toy()
    mute = insert(card)
    insert(Toy(), slot=1)
    with opened(deadline=0.5) as channel, opened(NEXT) as witness:
        card.silent = True
        before = threading.active_count()
        start = time.monotonic()
        with pytest.raises(CardMute, match=r"did not answer for 0\.5 s") as caught:
            channel.transmit(SELECT)
        assert time.monotonic() - start < 1.0
        assert SELECT.hex() not in str(caught.value)
        for _ in range(3):
            with pytest.raises(CardGone, match="open the channel anew"):
                channel.transmit(SELECT)
        assert [SELECT] == card.seen, "sent again"
        assert before == threading.active_count()
        with pytest.raises(CardMute):
            PcscChannel.open(HERE, deadline=0.5)
        assert time.monotonic() - start < 2.0
        witness.transmit(ASK)
    mute.pull()
    card.silent = False
    insert(card)
    with opened() as again:
        again.transmit(ASK)


def test_a_mute_card_in_a_transaction_is_told_as_such(insert: Insert) -> None:
    card = Toy()
    insert(card)
    with pytest.raises(CardMute), opened(deadline=0.5) as channel, channel.transaction():
        card.silent = True
        channel.transmit(SELECT)


def test_a_forgotten_channel_closes_itself(insert: Insert) -> None:
    insert(Toy())
    channel = opened(shared=False)
    del channel
    gc.collect()
    opened().close()


def test_clients_get_their_own_answers(insert: Insert) -> None:
    insert(Toy())

    def client(number: int) -> None:
        with opened() as channel:
            for count in range(200):
                tag = ECHO + bytes([number, count])
                assert tag + OK == channel.transmit(tag)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(client, range(8)))


def test_pulling_the_card_is_told_and_a_new_one_can_be_reset(insert: Insert) -> None:
    first = insert(Toy())
    with opened() as channel:
        channel.transmit(SELECT)
        first.pull()
        with pytest.raises(CardGone) as caught:
            channel.transmit(ASK)
        assert not isinstance(caught.value, CardMute)
        with pytest.raises(CardGone):
            channel.reset()
        until("pcscd has noticed", lambda: "pulled" in complaint(channel))
        insert(Toy())
        opened().close()
        assert "pulled" in complaint(channel)
        channel.reset()
        assert b"\x00" + OK == channel.transmit(ASK)


def test_pulling_the_card_while_it_works_is_told(insert: Insert) -> None:
    def leave() -> None:
        raise Pulled

    card = Toy()
    insert(card)
    card.pause = leave
    with opened() as channel, pytest.raises(CardGone, match="broke off"):
        channel.transmit(ASK)


def test_pulling_the_card_in_a_transaction_does_not_lock_the_reader(
    pcscd: Pcscd, insert: Insert
) -> None:
    first = insert(Toy())
    with opened() as channel:
        with channel.transaction():
            channel.transmit(SELECT)
            first.pull()
            until("the card is missed", lambda: not pcscd.atr())
            with pytest.raises(CardGone):
                channel.transmit(ASK)
        insert(Toy())
        with opened() as other, other.transaction():
            other.transmit(SELECT)
            other.transmit(ASK)
        channel.reset()
        assert b"\x00" + OK == channel.transmit(ASK)


def test_a_wrong_name_tells_the_readers(pcscd: Pcscd) -> None:
    with pytest.raises(CardFault, match=f"no reader has 'ACR122' .*'{HERE}', '{NEXT}'"):
        PcscChannel.open("ACR122")
    with pytest.raises(CardFault, match=f"several readers have 'virtual' .*'{HERE}', '{NEXT}'"):
        PcscChannel.open("virtual")
    with pytest.raises(CardGone, match=f"{HERE}: no card in the reader"):
        PcscChannel.open("pcd 00 00")


def test_no_service_is_told_and_one_that_is_back_is_found(pcscd: Pcscd, insert: Insert) -> None:
    insert(Toy())
    with opened() as channel:
        assert pcscd.stop() == 0, pcscd.log()
        try:
            with pytest.raises(CardGone):
                channel.transmit(ASK)
            with pytest.raises(CardGone, match="service does not run"):
                PcscChannel.open(HERE)
        finally:
            pcscd.start()
    until("the readers are there", lambda: len(readers()) == 2)
    insert(Toy())
    with opened() as again:
        again.transmit(ASK)
