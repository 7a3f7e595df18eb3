# SPDX-License-Identifier: Apache-2.0
"""A card and its reader: waiting for it, losing it, leaving it, and readers that mean ill."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fakereader import DEADLINE, Diary, Reader, plugged
from hypothesis import given, settings
from hypothesis import strategies as st

from apdu.vpcd import PORT, Signal, frame
from card_os import plug as plugs
from card_os.chip import Chip
from card_os.plug import Plug, Pulled, What
from host.cli.testcard import issue_test_card

ATR = b"\x3b\x00"
OK = b"\x90\x00"
NOP = bytes(4)


class Plain:
    """Says yes to everything, as often as it is long."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer

    def reset(self) -> bytes:
        return ATR

    def transmit(self, command: bytes) -> bytes:
        return self.answer


class Slow(Plain):
    """Answers when it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work, self.let = threading.Event(), threading.Event()

    def transmit(self, command: bytes) -> bytes:
        self.at_work.set()
        assert self.let.wait(DEADLINE)
        return self.answer


class Leaving(Plain):
    """Leaves at its first command."""

    def __init__(self, away: float | None) -> None:
        super().__init__()
        self.away, self.left = away, False

    def transmit(self, command: bytes) -> bytes:
        if not self.left:
            self.left = True
            raise Pulled(self.away)
        return self.answer


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


@pytest.fixture(scope="module")
def card() -> Chip:
    return issue_test_card()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugs, "PATIENCE", 0.05)


def test_it_goes_to_this_machine_unless_told_otherwise() -> None:
    assert ("127.0.0.1", PORT) == Plug(Plain()).address


# Waiting


class Waits(Plug):
    """Does not wait, but notes how long it would have; after `count` waits it stops."""

    def __init__(self, count: int, came: list[Any]) -> None:
        super().__init__(Plain(), ("", 0), Diary())
        self.count, self.came, self.seconds = count, came, list[float | None]()

    def _pause(self, seconds: float | None) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) == self.count:
            self.stop()


def waits(monkeypatch: pytest.MonkeyPatch, count: int, *came: bytes | None) -> list[float | None]:
    """The waits with a reader that connects and says these bytes, refuses where there are none."""
    left = list(came)

    def connect(address: object, timeout: float) -> socket.socket:
        said = left.pop(0) if left else None
        if said is None:
            raise ConnectionRefusedError
        made = socket.create_server(("127.0.0.1", 0))
        with made:
            near = socket.socket()
            near.settimeout(timeout)
            near.connect(made.getsockname())
            far, _ = made.accept()
        with far:
            far.sendall(said)
        return near

    monkeypatch.setattr("card_os.plug.socket.create_connection", connect)
    plug = Waits(count, left)
    plug.run()
    return plug.seconds


def test_each_wait_for_a_reader_is_twice_as_long_up_to_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == waits(monkeypatch, 7)


def test_a_reader_that_spoke_is_sought_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spoke = frame(b"\x01")
    assert [0.05, 0.1, 0.05, 0.1] == waits(monkeypatch, 4, None, None, spoke, None)


def test_a_reader_that_hangs_up_without_a_word_is_not_hammered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [0.05, 0.1, 0.2, 0.4] == waits(monkeypatch, 4, b"", b"", b"\x00", b"")


def test_a_reader_that_is_not_there_is_told_once_and_found_when_it_comes() -> None:
    diary = Diary()
    with Reader(there=False) as reader, plugged(Plain(), reader.address, diary):
        diary.wait(What.ABSENT)
        reader.come()
        assert ATR == reader.accept().atr()
    assert [What.ABSENT, What.CONNECTED] == diary.events[:2]
    assert 1 == diary.events.count(What.ABSENT)


def test_it_comes_back_when_the_reader_does(reader: Reader) -> None:
    diary = Diary()
    with plugged(Plain(), reader.address, diary):
        for _ in range(5):
            assert ATR == reader.accept().atr()
    assert [What.CONNECTED, What.LOST] * 4 == diary.events[:8]


def test_inserting_cuts_a_wait_short(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugs, "FIRST_WAIT", 10 * DEADLINE)
    diary = Diary()
    with plugged(Plain(), reader.address, diary) as plug:
        reader.accept().drop()
        diary.wait(What.LOST)
        plug.insert()
        assert ATR == reader.accept().atr()


@pytest.mark.usefixtures("impatient")
def test_a_second_card_on_a_port_is_told_that_nobody_listens_and_gets_its_turn(
    reader: Reader,
) -> None:
    first, second = Diary(), Diary()
    with plugged(Plain(b"\x01" + OK), reader.address, first) as here:
        reader.accept()
        with plugged(Plain(b"\x02" + OK), reader.address, second):
            second.wait(What.UNHEARD)
            assert b"\x01" + OK == reader.transmit(NOP)
            here.stop()
            assert b"\x02" + OK == reader.accept().transmit(NOP)
    assert 1 == second.events.count(What.UNHEARD)


@pytest.mark.usefixtures("impatient")
def test_a_reader_that_has_spoken_may_be_quiet_as_long_as_it_likes(reader: Reader) -> None:
    diary, other = Diary(), Diary()
    with plugged(Plain(), reader.address, diary):
        assert ATR == reader.accept().atr()
        with plugged(Plain(), reader.address, other):
            other.wait(What.UNHEARD)  # by now the first one has waited as long
            assert OK == reader.transmit(NOP)
    assert What.UNHEARD not in diary.events


# Leaving


def test_it_stops_while_no_reader_is_there() -> None:
    diary = Diary()
    with Reader(there=False) as reader, plugged(Plain(), reader.address, diary):
        diary.wait(What.ABSENT)


def test_it_stops_while_the_reader_is_quiet(reader: Reader) -> None:
    diary = Diary()
    with plugged(Plain(), reader.address, diary) as plug:
        assert ATR == reader.accept().atr()
        plug.stop()
        assert reader.gone()
    assert [What.CONNECTED] == diary.events


def test_it_stops_before_it_runs() -> None:
    plug = Plug(Plain(), ("127.0.0.1", 1))
    plug.stop()
    plug.run()


def test_an_answer_on_its_way_is_finished_before_it_leaves(reader: Reader) -> None:
    card = Slow()
    card.answer = bytes(60_000) + OK
    with plugged(card, reader.address) as plug:
        reader.accept().say(NOP)
        reader.say(NOP)
        assert card.at_work.wait(DEADLINE)
        plug.stop()
        card.let.set()
        assert card.answer == reader.hear()
        assert reader.gone()


def test_it_stops_from_a_signal_handler_in_its_own_thread(reader: Reader) -> None:
    diary = Diary()
    plug = Plug(Plain(), reader.address, diary)

    def send() -> None:
        assert ATR == reader.accept().atr()
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: plug.stop())
    sender = threading.Thread(target=send)
    try:
        sender.start()
        plug.run()
    finally:
        sender.join(DEADLINE)
        signal.signal(signal.SIGUSR1, before)


def test_a_card_that_leaves_stays_away_until_it_is_inserted(reader: Reader) -> None:
    diary = Diary()
    with plugged(Leaving(None), reader.address, diary) as plug:
        plug.insert()  # means nothing any more once it has left
        reader.accept().say(NOP)
        assert reader.gone()
        diary.wait(What.PULLED)
        assert reader.empty()
        plug.insert()
        assert OK == reader.accept().transmit(NOP)
    assert What.LOST not in diary.events


def test_a_card_may_leave_for_a_while(reader: Reader) -> None:
    with plugged(Leaving(0.0), reader.address):
        reader.accept().say(NOP)
        assert reader.gone()
        assert OK == reader.accept().transmit(NOP)


def test_a_card_that_has_left_stops(reader: Reader) -> None:
    diary = Diary()
    with plugged(Leaving(None), reader.address, diary):
        reader.accept().say(NOP)
        diary.wait(What.PULLED)


# Readers that mean ill


@settings(max_examples=25)
@given(st.binary(max_size=600))
def test_garbage_does_no_harm(card: Chip, garbage: bytes) -> None:
    before = card.snapshot()
    with Reader() as reader, plugged(card, reader.address):
        try:
            reader.accept().send(garbage)
            reader.drop()
        except OSError:
            pass
        assert card.reset() == reader.accept().atr()
    assert before == card.snapshot()


@pytest.mark.parametrize(
    "part", [b"\x00", b"\x00\x05", b"\x00\x05\x00\xa4", b"\xff\xff" + bytes(9)]
)
def test_a_connection_that_ends_in_the_middle_of_a_frame_is_forgotten(
    reader: Reader, part: bytes
) -> None:
    with plugged(Plain(), reader.address):
        reader.accept().send(part)
        assert OK == reader.accept().transmit(NOP)


@pytest.mark.usefixtures("impatient")
def test_a_reader_that_takes_no_answers_is_left(reader: Reader) -> None:
    diary = Diary()
    with plugged(Plain(bytes(65_533) + OK), reader.address, diary):
        reader.accept()
        reader.send(frame(NOP) * 1000)
        diary.wait(What.LOST)
        assert ATR == reader.accept().atr()


def test_the_longest_command_and_the_longest_answer_go_through(reader: Reader) -> None:
    card = Plain(bytes(65_533) + OK)
    with plugged(card, reader.address):
        assert card.answer == reader.accept().transmit(bytes(65_535))
        assert ATR == reader.atr()


def test_power_may_flicker(reader: Reader) -> None:
    diary = Diary()
    with plugged(Plain(), reader.address, diary):
        reader.accept().signal(*[Signal.ON, Signal.OFF, Signal.RESET] * 100)
        assert ATR == reader.atr()
    assert [What.ON, What.OFF, What.RESET] == diary.events[1:4]
