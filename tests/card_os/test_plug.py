# SPDX-License-Identifier: Apache-2.0
"""The chip on a virtual reader's socket: what it hears, and what it answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from fakereader import Diary, Reader, plugged
from hypothesis import given
from hypothesis import strategies as st

from apdu.vpcd import Frames, Signal, frame
from card_os.chip import Chip
from card_os.plug import Plug, Silent, What
from host.cli.testcard import issue_test_card

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
CHALLENGE = bytes.fromhex("0084000008")
VERIFY = bytes.fromhex("0020000003123456")
TRIES = bytes.fromhex("00200000")
WRONG_LENGTH = b"\x67\x00"
FAULT = b"\x6f\x00"


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


class Scripted:
    """A card that says the same to everything, and counts what it is asked."""

    def __init__(self, answer: Any = b"\x90\x00", atr: Any = b"\x3b\x00") -> None:
        self.says, self.atr = answer, atr
        self.commands: list[bytes] = []
        self.resets = 0

    def reset(self) -> bytes:
        self.resets += 1
        return self._say(self.atr)

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self._say(self.says)

    @staticmethod
    def _say(what: Any) -> bytes:
        if isinstance(what, type):
            raise what("00A4 secret")
        return what  # type: ignore[no-any-return]


def bodies(card: Any, *said: bytes) -> list[bytes]:
    """What a plug answers to these bodies, without a socket between."""
    plug = Plug(card)
    return [plug._answer(body) for body in said]


# Frames


def test_it_tells_the_reader_its_atr(chip: Chip, reader: Reader) -> None:
    with plugged(chip, reader.address):
        assert chip.reset() == reader.accept().atr()


@pytest.mark.parametrize("split", [False, True], ids=["whole", "as vpcd 3.3 sends"])
def test_commands_are_answered_as_by_the_chip_itself(reader: Reader, split: bool) -> None:
    other = issue_test_card()
    with plugged(issue_test_card(), reader.address):
        reader.accept().signal(Signal.ON)
        for command in (CHALLENGE, SELECT, TRIES, CHALLENGE, bytes(256), bytes(4)):
            reader.say(command, split=split)
            assert other.transmit(command) == reader.hear()


def test_several_frames_in_a_piece_are_answered_in_turn(chip: Chip, reader: Reader) -> None:
    atr = chip.reset()
    with plugged(chip, reader.address):
        reader.accept().send(frame(SELECT[:5]) + frame(b"\x04") + frame(bytes(3)))
        heard = [reader.hear() for _ in range(3)]
    assert [WRONG_LENGTH, atr, WRONG_LENGTH] == heard


@given(st.lists(st.binary(min_size=2, max_size=40), max_size=8), st.data())
def test_it_does_not_matter_where_the_stream_is_cut(said: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, said))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    frames, plug = Frames(), Plug(Scripted())
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    answers = [plug._answer(body) for piece in pieces for body in frames.feed(piece)]
    assert [b"\x90\x00"] * len(said) == answers
    assert said == plug.card.commands  # type: ignore[attr-defined]


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer_of_two_bytes_or_more_or_none(body: bytes) -> None:
    (answer,) = bodies(Scripted(), body)
    expected = len(body) > 1 or body == bytes((Signal.ATR,))
    assert expected == (len(answer) >= 2)


@pytest.mark.parametrize("said", [b"", b"\x03", b"\x05", b"\xff"])
def test_what_means_nothing_is_ignored(said: bytes) -> None:
    card = Scripted()
    assert [b"", b"\x90\x00"] == bodies(card, said, bytes(4))
    assert [bytes(4)] == card.commands


@pytest.mark.parametrize("length", [2, 3, 4, 65_535])
def test_a_body_of_any_other_length_than_one_is_a_command(length: int) -> None:
    card = Scripted()
    bodies(card, bytes(length))
    assert [bytes(length)] == card.commands


@pytest.mark.parametrize("length", [2, 5, 65_535])
def test_a_command_of_any_length_goes_through_the_socket(reader: Reader, length: int) -> None:
    with plugged(issue_test_card(), reader.address):
        heard = reader.accept().transmit(bytes(length))
    assert issue_test_card().transmit(bytes(length)) == heard


# Answers that must not be


@pytest.mark.parametrize("answer", [b"", b"\x90", bytes(65_536), None, ValueError, MemoryError])
def test_a_fault_in_the_card_is_answered_with_a_status_word(answer: Any) -> None:
    assert [FAULT] == bodies(Scripted(answer), bytes(4))


def test_a_fault_is_told_by_kind_and_place_without_its_text() -> None:
    diary = Diary()
    Plug(Scripted(KeyError), told=diary)._answer(bytes(4))
    (fault,) = (each for each in diary.told if each[0] is What.FAILED)
    assert "KeyError in test_plug, line " == fault[1].rstrip("0123456789")  # type: ignore[union-attr]


def test_after_a_fault_the_card_begins_anew() -> None:
    card = Scripted(ValueError)
    bodies(card, bytes(4), bytes(4))
    assert 2 == card.resets


@pytest.mark.parametrize("atr", [b"", b"\x3b", bytes(34), None, ValueError])
def test_a_card_that_cannot_be_reset_leaves_rather_than_say_something_else(
    reader: Reader, atr: Any
) -> None:
    diary = Diary()
    with plugged(Scripted(atr=atr), reader.address, diary):
        reader.accept().signal(Signal.ATR)
        assert reader.gone()
        diary.wait(What.FAILED)
        reader.accept()  # and comes back
    assert What.LOST not in diary.events


def test_a_silent_card_says_nothing() -> None:
    assert [b""] == bodies(Scripted(Silent), bytes(4))
    assert [b""] == bodies(Scripted(atr=Silent), bytes((Signal.ATR,)))


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="needs TCP_QUICKACK, of Linux")
def test_an_answer_leaves_in_one_send_and_every_receive_is_hastened(
    chip: Chip, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    class Spied(socket.socket):
        def recv(self, *arguments: Any) -> bytes:
            steps.append("recv")
            return super().recv(*arguments)

        def setsockopt(self, *arguments: Any) -> None:
            steps.append(f"set {arguments[1]}")
            super().setsockopt(*arguments)

        def sendall(self, *arguments: Any) -> None:
            steps.append("send")
            sent.append(bytes(arguments[0]))
            super().sendall(*arguments)

        send = None  # type: ignore[assignment]
        sendmsg = None  # type: ignore[assignment]

    sent: list[bytes] = []
    quick, at_once = f"set {socket.TCP_QUICKACK}", f"set {socket.TCP_NODELAY}"

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        made = Spied()
        made.settimeout(timeout)
        made.connect(address)
        return made

    monkeypatch.setattr("card_os.plug.socket.create_connection", connect)
    with plugged(chip, reader.address):
        reader.accept().signal(Signal.ON)
        heard = [reader.transmit(SELECT), reader.transmit(CHALLENGE)]
    assert sent == [frame(each) for each in heard]
    assert at_once == steps[0]
    before = [steps[at - 1] for at, step in enumerate(steps) if step == "recv"]
    assert {quick} == set(before)


# Power


def proven(chip: Any) -> bool:
    """Whether the card believes that the PIN was verified."""
    return b"\x90\x00" == chip.transmit(TRIES)


def test_what_was_proven_is_gone_with_the_power_though_none_comes_again() -> None:
    chip = issue_test_card()
    plug = Plug(chip)
    for body in (SELECT, VERIFY):
        plug._answer(body)
    assert proven(chip)
    plug._answer(bytes((Signal.OFF,)))
    assert not proven(chip)


@pytest.mark.parametrize("signal", [Signal.ON, Signal.RESET, Signal.OFF])
def test_every_signal_of_power_ends_what_was_proven(signal: Signal) -> None:
    chip = issue_test_card()
    bodies(chip, SELECT, VERIFY, bytes((signal,)))
    chip.transmit(SELECT)
    assert not proven(chip)


def test_asking_for_the_atr_does_not_end_what_was_proven() -> None:
    chip = issue_test_card()
    bodies(chip, SELECT, VERIFY, bytes((Signal.ATR,)))
    assert proven(chip)


def test_what_was_proven_is_gone_with_the_connection(reader: Reader) -> None:
    chip, diary = issue_test_card(), Diary()
    with plugged(chip, reader.address, diary):
        reader.accept().transmit(SELECT)
        assert b"\x90\x00" == reader.transmit(VERIFY)
        reader.drop()
        diary.wait(What.LOST)
        assert not proven(chip)


def test_power_is_told_once_however_often_the_atr_is_asked() -> None:
    diary = Diary()
    plug = Plug(Scripted(), told=diary)
    for signal in (1, 4, 4, 0, 4, 0, 1, 2, 0):
        plug._answer(bytes((signal,)))
    assert [What.ON, What.OFF, What.ON, What.RESET, What.OFF] == diary.events


def test_a_command_without_power_brings_it() -> None:
    diary = Diary()
    plug = Plug(Scripted(), told=diary)
    for _ in range(2):
        plug._answer(bytes(4))
    assert [What.ON] == diary.events


def test_commands_are_told_by_class_instruction_and_status_alone() -> None:
    diary = Diary()
    plug = Plug(Scripted(b"\x01\x02\x63\xc2"), told=diary)
    plug._answer(VERIFY)
    plug._answer(b"\x00\xa4")
    plug._answer(bytes(3))
    said = [(each.cla, each.ins, each.sw) for each in diary.answered]
    assert [(0x00, 0x20, 0x63C2), (0x00, 0xA4, 0x63C2), (0x00, 0x00, 0x63C2)] == said
    assert all(each.microseconds >= 0 for each in diary.answered)
    assert "123456" not in repr(diary.told)
