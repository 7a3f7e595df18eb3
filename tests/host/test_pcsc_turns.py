# SPDX-License-Identifier: Apache-2.0
"""The queue at a reader: who comes back stands behind who waits; who is gone holds up nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from commandline import ROOT
from fakescard import ERRORS, Service, installed

from host.channel.pcsc import PcscChannel
from host.channel.pcsc.turns import Turns
from host.faults import CardBusy, CardGone, CardMute

fcntl = pytest.importorskip("fcntl", reason="this system has no file locks")

ASK = bytes.fromhex("0084000008")
LONG = 20.0
"""Seconds after which a test fails instead of hanging."""
HOLDER = (
    "from host.channel.pcsc.turns import Turns; turns = Turns('ACME'); turns.take();"
    "print('has it', flush=True); input()"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files are, of a service of our own."""
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "pcscd.comm"))
    return tmp_path


@pytest.fixture
def service(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = installed(monkeypatch)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(place / "pcscd.comm"))
    service.insert()
    yield service
    service.is_left_alone()


def waiting(place: Path) -> None:
    """Return when somebody waits for the turn of another."""
    (following,) = place.glob("*.next")
    with open(following) as file:
        for _ in range(1_000_000):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(file, fcntl.LOCK_UN)
            os.sched_yield()
    raise AssertionError("nobody waits")


def aside(work: Callable[[], object]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: Thread) -> None:
    thread.join(LONG)
    assert not thread.is_alive()


def test_who_comes_back_at_once_stands_behind_who_waits(place: Path) -> None:
    seen: list[str] = []
    first, second = Turns("ACME"), Turns("ACME")

    def wait_once() -> None:
        second.take()
        seen.append("second")
        second.give()

    for _ in range(20):
        first.take()
        other = aside(wait_once)
        waiting(place)
        seen.append("first")
        first.give()
        first.take()
        seen.append("first again")
        first.give()
        ended(other)
    first.close()
    second.close()
    assert ["first", "second", "first again"] * 20 == seen


def test_each_reader_has_a_queue_of_its_own(place: Path) -> None:
    one, other = Turns("ACME 00 00"), Turns("ACME 00 01")
    one.take()
    other.take()
    one.close()
    other.close()


@pytest.mark.parametrize("how", ["killed", "closed"])
def test_whoever_ends_in_the_middle_of_a_turn_has_had_it(place: Path, how: str) -> None:
    mine = Turns("ACME")
    if how == "closed":
        other = Turns("ACME")
        other.take()
        other.close()
        other.close()
    else:
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout
            assert b"has it\n" == process.stdout.readline()
            thread = aside(mine.take)
            waiting(place)
            process.kill()
            ended(thread)
    mine.take()
    mine.close()


def test_without_a_place_for_files_nobody_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", "/dev/null/pcscd")
    one, other = Turns("ACME"), Turns("ACME")
    for each in one, other, one:
        each.take()
    for each in one, other:
        each.give()
        each.close()


@pytest.mark.parametrize("obstacle", ["nothing", "everybody's", "a link", "a file"])
def test_the_files_are_where_nobody_else_can_put_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    monkeypatch.delenv("PCSCLITE_CSOCK_NAME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own, theirs = tmp_path / f"sscard-{os.getuid()}", tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    if obstacle == "everybody's":
        own.mkdir()
        own.chmod(0o777)
    elif obstacle == "a link":
        own.symlink_to(theirs)
    elif obstacle == "a file":
        own.touch(mode=0o600)
    turns = Turns("ACME")
    turns.take()
    turns.close()
    if obstacle == "nothing":
        assert 0o700 == own.stat().st_mode & 0o777
        assert {".next", ".turn"} == {each.suffix for each in own.iterdir()}
        assert {0o600} == {each.stat().st_mode & 0o777 for each in own.iterdir()}
    else:
        assert [] == [*tmp_path.rglob("sscard-*.*")]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_no_descriptor_is_left(place: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        turns = Turns("ACME")
        turns.take()
        turns.close()
    assert before == len(os.listdir("/proc/self/fd"))


# Channels


def test_a_command_waits_for_the_transaction_of_another_channel(
    service: Service, place: Path
) -> None:
    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        with mine.transaction(), mine.transaction():
            mine.transmit(ASK)
            thread = aside(lambda: other.transmit(ASK + b"\x01"))
            waiting(place)
            mine.transmit(ASK)
            assert [ASK, ASK] == service.sent
        ended(thread)
        assert [ASK, ASK, ASK + b"\x01"] == service.sent


def test_a_reader_without_a_card_is_told_at_once(service: Service) -> None:
    with PcscChannel.open("one") as mine, mine.transaction():
        service.remove()
        service.fails["SCardConnect"] = ERRORS["SCARD_E_NO_SMARTCARD"]
        with pytest.raises(CardGone, match="no card in the reader"):
            PcscChannel.open("one")


def test_channels_have_their_transactions_in_turn(service: Service, place: Path) -> None:
    def once() -> None:
        with other.transaction():
            other.transmit(ASK + b"\x01")

    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        with mine.transaction():
            thread = aside(once)
            waiting(place)
        with mine.transaction():
            mine.transmit(ASK)
        ended(thread)
    assert [ASK + b"\x01", ASK] == service.sent


def test_a_transaction_that_does_not_begin_leaves_the_turn_to_others(service: Service) -> None:
    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        service.fails["SCardBeginTransaction"] = ERRORS["SCARD_W_RESET_CARD"]
        with pytest.raises(CardGone), mine.transaction():
            pytest.fail("it began")
        del service.fails["SCardBeginTransaction"]
        with other.transaction():
            other.transmit(ASK)


@pytest.mark.parametrize("function", ["SCardTransmit", "SCardReconnect", "SCardEndTransaction"])
def test_a_call_that_fails_leaves_the_turn_to_others(service: Service, function: str) -> None:
    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        service.fails[function] = ERRORS["SCARD_W_REMOVED_CARD"]
        if function == "SCardEndTransaction":
            with mine.transaction():
                pass
        else:
            with pytest.raises(CardGone):
                mine.reset() if function == "SCardReconnect" else mine.transmit(ASK)
        service.fails.clear()
        assert b"\x90\x00" == other.transmit(ASK)


def test_a_channel_that_is_closed_in_a_transaction_leaves_the_turn_to_others(
    service: Service,
) -> None:
    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        with mine.transaction():
            mine.close()
        assert b"\x90\x00" == other.transmit(ASK)


def test_what_was_given_up_while_it_waited_is_not_sent_later(service: Service) -> None:
    with (
        PcscChannel.open("one") as mine,
        PcscChannel.open("one") as one,
        PcscChannel.open("one") as other,
    ):
        one.deadline = other.deadline = 0.02
        with mine.transaction():
            with pytest.raises(CardMute):
                one.transmit(ASK)
            with pytest.raises(CardBusy), other.transaction():
                pytest.fail("two at once")
            with pytest.raises(CardMute, match="another program kept the card to itself"):
                PcscChannel.open("one", deadline=0.02)
        service.is_left_to_one()
        mine.transmit(ASK + b"\x01")
    assert [ASK + b"\x01"] == service.sent
    assert 1 == [name for name, *_ in service.calls].count("SCardBeginTransaction")


def test_a_card_that_hangs_keeps_its_turn_until_it_comes_back(
    service: Service, place: Path
) -> None:
    hangs = service.hangs["SCardTransmit"] = Event()
    with PcscChannel.open("one") as mine, PcscChannel.open("one") as other:
        mine.deadline = 0.02
        with pytest.raises(CardMute):
            mine.transmit(ASK)
        del service.hangs["SCardTransmit"]
        thread = aside(lambda: other.transmit(ASK + b"\x01"))
        waiting(place)
        assert [] == service.sent
        hangs.set()
        ended(thread)
    assert [ASK, ASK + b"\x01"] == service.sent
