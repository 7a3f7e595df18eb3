# SPDX-License-Identifier: Apache-2.0
"""What stands between a served chip and its reader, and what is told of both."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from commandline import issued, sscard

from apdu.atr import Interface, Transmission
from apdu.trace import Exchange
from apdu.vpcd import PORT
from card_os.chip import Chip
from card_os.plug import Answered, Event, Pulled, What
from host.channel import Channel
from host.channel.chaos_profile import Fault, Kind, Profile
from host.channel.memory import MemoryChannel
from host.cli.virtual import seat as seats
from host.cli.virtual.recordings import Recordings
from host.cli.virtual.running import Wanted
from host.cli.virtual.seat import Layered, Manner, Seat, seated
from host.cli.virtual.slots import Slots
from host.cli.virtual.watching import Board, Watcher
from host.faults import CardFault, CardGone, CardMisspoke, CardMute, CardReset

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")


class Heard(Board):
    """Keeps what is said."""

    def __init__(self, *, verbose: bool = False, explain: bool = False) -> None:
        super().__init__(as_json=False, verbose=verbose, explain=explain)
        self.lines: list[str] = []
        self.objects: list[dict[str, Any]] = []

    def say(self, words: str, facts: dict[str, object]) -> None:
        self.lines.append(words)
        self.objects.append(json.loads(json.dumps(facts)))


class Failing(Channel):
    """A channel on which this happens to every command."""

    atr = b"\x3b\x00"

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    def _exchange(self, command: bytes) -> bytes:
        raise self.fault

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def watcher(board: Board, chip: Chip, slot: int = 1) -> Watcher:
    made = Watcher(board, slot, Path("somewhere/card.img"), chip, psam=False)
    made.inserted(b"\x3b\x00", ("127.0.0.1", 35_963))
    return made


# Layers


def test_a_card_without_layers_is_the_chip_itself(chip: Chip) -> None:
    card = seated(chip, Manner(), watcher(Heard(), chip), None, Flag())
    assert isinstance(card, Seat)


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize(
    "manner",
    [
        Manner(),
        Manner(transmission=Transmission.T1),
        Manner(interface=Interface.CONTACTLESS),
    ],
    ids=["T0", "T1", "contactless"],
)
def test_a_card_is_always_reset_in_the_same_way(chip: Chip, manner: Manner, layered: bool) -> None:
    expected = chip.reset(manner.interface, manner.transmission)
    card = seated(chip, manner, watcher(Heard(verbose=layered), chip), None, Flag())
    assert [expected, expected] == [card.reset(), card.reset()]


@pytest.mark.parametrize("length", [2, 3])
def test_what_no_channel_carries_goes_to_the_chip(chip: Chip, length: int) -> None:
    board = Heard(verbose=True)
    card = seated(chip, Manner(), watcher(board, chip), None, Flag())
    assert isinstance(card, Layered)
    assert b"\x67\x00" == card.transmit(bytes(length))


@pytest.mark.parametrize("fault", [CardGone, CardReset, CardMisspoke, CardFault])
def test_a_fault_on_the_way_is_a_card_that_leaves_for_a_while(
    chip: Chip, fault: type[Exception]
) -> None:
    seat = Seat(chip, Interface.CONTACT, Transmission.T0)
    with pytest.raises(Pulled) as left:
        Layered(seat, Failing(fault("gone")), Flag()).transmit(SELECT)
    assert seats.AWAY == left.value.away


def test_a_mute_card_is_left_in_the_reader_for_a_while(
    chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, waited = Flag(), list[float | None]()
    monkeypatch.setattr(over, "wait", waited.append)
    seat = Seat(chip, Interface.CONTACT, Transmission.T0)
    with pytest.raises(Pulled):
        Layered(seat, Failing(CardMute("mute")), over).transmit(SELECT)
    assert [seats.SILENCE] == waited


def test_a_fault_of_ours_is_not_taken_for_one_of_the_card(chip: Chip) -> None:
    seat = Seat(chip, Interface.CONTACT, Transmission.T0)
    with pytest.raises(KeyError):
        Layered(seat, Failing(KeyError()), Flag()).transmit(SELECT)


def test_faults_are_told_and_the_same_with_the_same_seed(chip: Chip) -> None:
    profile = Profile((Fault(Kind.FLIP, probability=0.5),))
    manner = Manner(chaos=profile, seed=3)

    def answers() -> tuple[list[bytes], list[str]]:
        board = Heard()
        card = seated(chip, manner, watcher(board, chip), None, Flag())
        return [card.transmit(SELECT) for _ in range(20)], board.lines[1:]

    first, told = answers()
    assert (first, told) == answers()
    assert all(line.startswith("slot 1  card.img: chaos: command ") for line in told)
    sound = MemoryChannel(chip).transmit(SELECT)
    assert len(told) == sum(each != sound for each in first) > 0


# What is told


@pytest.mark.parametrize("what", list(What))
def test_every_event_has_its_words_and_its_object(chip: Chip, what: What) -> None:
    board = Heard()
    watching = watcher(board, chip)
    watching(Event(what, "a detail"))
    assert board.lines[-1].startswith("slot 1  card.img: ")
    about = {"event": what.value, "slot": 1, "card": "somewhere/card.img"}
    assert about.items() <= board.objects[-1].items()
    assert what is watching.state


def test_a_slot_that_vpcd_does_not_have_is_told_of(chip: Chip) -> None:
    board = Heard()
    watcher(board, chip, 3)(Event(What.ABSENT, "Connection refused"))
    assert board.lines[-1].endswith("it has 2 slots unless it was built with more")


def test_a_silent_card_is_shown(chip: Chip) -> None:
    board = Heard(verbose=True)
    watcher(board, chip)(Answered(0x00, 0xA4, None, 12.4))
    assert "slot 1  card.img: 00 A4: no answer (12 µs)" == board.lines[-1]
    assert {"name": "00 A4", "sw": "", "microseconds": 12}.items() <= board.objects[-1].items()


def test_a_want_of_words_does_not_take_the_card_out_of_use(
    chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Heard(verbose=True)
    watching = watcher(board, chip)
    monkeypatch.setattr("host.cli.explain.Explainer.explain", lambda *_: {}["secret"])
    watching.passed(Exchange.of(SELECT, b"\x90\x00"))
    watching(Answered(0x00, 0xA4, 0x9000, 1.0))
    assert "slot 1  card.img: 00 A4: 9000 done (1 µs)" == board.lines[-1]


def test_a_reset_is_followed_in_the_words(chip: Chip) -> None:
    """After a reset the MF is selected again, whose files have other names."""
    board = Heard(verbose=True)
    watching = watcher(board, chip)
    card = seated(chip, Manner(), watching, None, Flag())
    read, words = bytes.fromhex("00B2012C00"), []
    for command in SELECT, read:
        answer = card.transmit(command)
        watching(Answered(*command[:2], int.from_bytes(answer[-2:]), 0.0))
    words.append(board.lines[-1])
    card.reset()
    watching(Event(What.RESET))
    answer = card.transmit(read)
    watching(Answered(*read[:2], int.from_bytes(answer[-2:]), 0.0))
    words.append(board.lines[-1])
    assert "EF05" in words[0] and "EF05" not in words[1]


def test_a_name_cannot_steer_the_terminal(chip: Chip, capsys: pytest.CaptureFixture[str]) -> None:
    Watcher(Board(as_json=False), 1, Path("a\x1b[2J.img"), chip, psam=False).removed()
    assert "slot 1  a\\x1b[2J.img: removed, its image is closed\n" == capsys.readouterr().out


# What the command line says


@pytest.mark.parametrize("safe", [False, True])
def test_every_change_waits_for_the_disk_where_that_is_wanted(
    safe: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = issued(tmp_path)
    found: list[Slots] = []

    def run(wanted: Wanted, board: Board) -> None:
        found.append(
            Slots(
                wanted.host,
                wanted.port,
                wanted.manner,
                wanted.durability,
                board,
                Recordings(wanted.record),
            )
        )

    monkeypatch.setattr("host.cli.virtual.running.serve", run)
    assert 0 == sscard("serve", image, *["--power-safe"] * safe).exit_code
    flash = found[0].open(image).flash
    assert safe == (flash.sync is not None)
    flash.close()


def test_only_this_machine_is_gone_to_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Wanted] = []
    monkeypatch.setattr("host.cli.virtual.running.serve", lambda wanted, _: found.append(wanted))
    sscard("serve", "card.img")
    sscard("serve", "card.img", "--host", "192.0.2.1", "--port", 40_000)
    assert [("127.0.0.1", PORT), ("192.0.2.1", 40_000)] == [(w.host, w.port) for w in found]
