# SPDX-License-Identifier: Apache-2.0
"""The reader of virtual cards: what it says to them, and what it takes from them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import pairwise
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import ASK, ATR, GIVE_ATR, OFF, OK, ON, OTHER, RESET, Stranger, reader

from apdu.atr import Interface, Transmission, contact_atr, contactless_atr
from apdu.errors import FormatError
from apdu.vpcd import frame
from host.channel import vpcd
from host.faults import CardGone, CardMisspoke, CardMute


class Clock:
    """A clock that stands, until somebody moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(vpcd, "monotonic", clock)
    return clock


def slow(clock: Clock, to: bytes, piece: bytes) -> Callable[[bytes], bytes]:
    """A card that begins to answer this body when its time is over."""
    plain = Stranger()

    def act(body: bytes) -> bytes:
        if body != to:
            return plain._said(body) or b""
        clock.now += 10.001
        return piece

    return act


# What is said to a card


def test_a_card_hears_power_commands_resets_and_the_end_in_this_order() -> None:
    card = Stranger()
    with reader(card) as channel:
        assert ATR == channel.atr
        assert OK == channel.transmit(ASK)
        assert ATR == channel.reset()
        assert OK == channel.transmit(OTHER)
    card.gone()
    assert [ON, GIVE_ATR, ASK, RESET, GIVE_ATR, OTHER, OFF] == card.heard
    assert card.ended


def test_bytes_pass_unaltered() -> None:
    seen: list[bytes] = []

    def echo(body: bytes) -> bytes:
        seen.append(body)
        if len(body) > 1:
            return frame(body)
        return frame(ATR) if body == GIVE_ATR else b""

    with reader(Stranger(answers=echo)) as channel:
        for length in 4, 5, 6, 256, 261, 0x4000, 65_535:
            command = (bytes(range(256)) * 256)[:length]
            assert command == channel.transmit(command)
            assert command == seen[-1]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 65_536, 70_000])
def test_a_command_of_impossible_length_stays_here(length: int) -> None:
    card = Stranger()
    with reader(card) as channel, pytest.raises(FormatError, match=f"C-APDU of {length} bytes"):
        channel.transmit(bytes(length))
    card.gone()
    assert [ON, GIVE_ATR, OFF] == card.heard


def test_a_frame_leaves_in_one_piece_and_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    options: list[tuple[int, ...]] = []
    send_all, set_option = socket.socket.sendall, socket.socket.setsockopt

    def spied_send(stream: socket.socket, data: bytes) -> None:
        sent.append(data)
        send_all(stream, data)

    def spied_option(stream: socket.socket, *option: int) -> None:
        options.append(option)
        set_option(stream, *option)  # type: ignore[call-overload]

    with reader(Stranger()) as channel:
        monkeypatch.setattr(socket.socket, "sendall", spied_send)
        monkeypatch.setattr(socket.socket, "setsockopt", spied_option)
        channel.transmit(ASK)
        assert channel._link is not None
        assert channel._link._stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert frame(ASK) in sent
    assert (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1) in options


# What a card says of itself


@pytest.mark.parametrize(
    ("atr", "interface", "le_with_data"),
    [
        (contact_atr(b"\x14\x50", Transmission.T0), Interface.CONTACT, False),
        (contact_atr(b"\x14\x50", Transmission.T1), Interface.CONTACT, True),
        (bytes.fromhex("3B00"), Interface.CONTACT, False),
        (bytes.fromhex("3B800181"), Interface.CONTACT, True),
        (contactless_atr(b"\x14\x50"), Interface.CONTACTLESS, True),
    ],
    ids=["T=0", "T=1", "shortest", "other", "contactless"],
)
def test_how_a_card_is_reached_is_told_by_its_atr(
    atr: bytes, interface: Interface, le_with_data: bool
) -> None:
    with reader(Stranger(atr)) as channel:
        assert (atr, interface, le_with_data) == (
            channel.atr,
            channel.interface,
            channel.le_with_data,
        )


@pytest.mark.parametrize("raw", ["", "3B", "6D00", "3B6D00", "3B0211", "3B800181FF", "3B" * 34])
def test_what_is_no_atr_is_refused_and_the_card_let_go_of(raw: str) -> None:
    card = Stranger(bytes.fromhex(raw))
    with pytest.raises(CardMisspoke, match=r"^127\.0\.0\.1:0: ATR: "):
        reader(card)
    card.gone()
    assert card.ended


def test_what_is_no_atr_after_a_reset_ends_it() -> None:
    atrs = iter([ATR, b"\x3b", ATR])
    card = Stranger()
    card._answers = lambda body: frame(next(atrs)) if body == GIVE_ATR else b""
    channel = reader(card)
    with pytest.raises(CardMisspoke, match="ATR: T0 is missing"):
        channel.reset()
    with pytest.raises(CardGone, match="open the channel anew"):
        channel.reset()
    card.gone()
    assert [ON, GIVE_ATR, RESET, GIVE_ATR] == card.heard


# Answers


class Pieces:
    """A stream on which these pieces come, one at a time, after something was sent."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.sent: list[bytes] = []
        self._seconds = 0.0

    def setsockopt(self, *option: int) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        self._seconds = seconds

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        if self._seconds == 0:
            raise BlockingIOError
        return self._pieces.pop(0)


@given(st.binary(max_size=400), st.lists(st.integers(0, 402), max_size=6))
def test_an_answer_may_come_in_any_pieces(answer: bytes, cuts: list[int]) -> None:
    whole = frame(answer)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    stream: Any = Pieces([whole[start:end] for start, end in pairwise(edges)])
    assert answer == vpcd._Link(stream).ask(ASK, monotonic() + 30)
    assert [frame(ASK)] == stream.sent


@pytest.mark.parametrize("answer", [b"", b"\x90"], ids=["0 bytes", "1 byte"])
def test_an_answer_without_a_status_word_is_refused_and_the_next_is_its_own(answer: bytes) -> None:
    with reader(Stranger(answers={ASK: frame(answer)})) as channel:
        with pytest.raises(CardMisspoke, match=f"answer of {len(answer)} bytes"):
            channel.transmit(ASK)
        assert OK == channel.transmit(OTHER)


@pytest.mark.parametrize(
    "more", [frame(b"\x6a\x82"), frame(b""), b"\x00", b"\x00\x02\x90"], ids=bytes.hex
)
def test_a_card_that_says_more_than_was_asked_is_not_asked_again(more: bytes) -> None:
    card = Stranger(answers={ASK: frame(OK) + more})
    channel = reader(card)
    assert OK == channel.transmit(ASK)
    with pytest.raises(CardMisspoke, match="the card spoke unasked"):
        channel.transmit(OTHER)
    for call in (lambda: channel.transmit(OTHER), channel.reset):
        with pytest.raises(CardGone, match="the card misspoke, open the channel anew"):
            call()
    card.gone()
    assert [ON, GIVE_ATR, ASK] == card.heard


# Deadlines


def test_a_card_that_says_nothing_is_given_up() -> None:
    card = Stranger(answers={ASK: b""})
    channel = reader(card)
    channel.deadline = 0.05
    with pytest.raises(CardMute, match=r"did not answer for 0\.05 s") as caught:
        channel.transmit(ASK)
    card.gone()
    assert card.ended
    assert ASK.hex() not in str(caught.value).lower()


@pytest.mark.parametrize("piece", [b"\x00", frame(OK)[:-1]])
def test_a_card_that_answers_piece_by_piece_has_no_more_time_for_it(
    clock: Clock, piece: bytes
) -> None:
    card = Stranger(answers=slow(clock, ASK, piece))
    channel = reader(card)
    with pytest.raises(CardMute, match="did not answer for 10 s"):
        channel.transmit(ASK)
    for call in (lambda: channel.transmit(OTHER), channel.reset):
        with pytest.raises(CardGone, match="not answered in time, open the channel anew"):
            call()
    card.gone()
    assert [ON, GIVE_ATR, ASK] == card.heard


def test_a_card_that_gives_no_atr_in_time_is_given_up(clock: Clock) -> None:
    card = Stranger(answers=slow(clock, GIVE_ATR, b"\x00"))
    with pytest.raises(CardMute):
        reader(card)
    card.gone()
    assert card.ended


def test_an_answer_that_comes_too_late_is_not_that_to_the_next_command(clock: Clock) -> None:
    late = frame(b"\x11\x11")
    channel = reader(Stranger(answers=slow(clock, ASK, late[:3])))
    with pytest.raises(CardMute):
        channel.transmit(ASK)
    with pytest.raises(CardGone):
        channel.transmit(OTHER)


def test_an_exchange_that_was_interrupted_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Stranger()
    channel = reader(card)

    def interrupted(_: socket.socket) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vpcd, "_acknowledge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        channel.transmit(ASK)
    monkeypatch.undo()
    with pytest.raises(CardGone, match="open the channel anew"):
        channel.transmit(OTHER)
    card.gone()
    assert [ON, GIVE_ATR, ASK] == card.heard
