# SPDX-License-Identifier: Apache-2.0
"""The reader of virtual cards: who comes to it, who leaves, and that it waits for nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from strangers import ASK, ATR, GIVE_ATR, OFF, OK, ON, OTHER, RESET, Stranger, reader

from apdu.atr import Transmission, contact_atr
from apdu.errors import FormatError
from apdu.vpcd import frame
from host.channel.vpcd import VpcdChannel
from host.faults import CardFault, CardGone, CardMute


def test_nobody_comes() -> None:
    with pytest.raises(CardGone, match=r"no card plugged itself in within 0\.01 s") as caught:
        VpcdChannel.listen(0, deadline=0.01)
    assert not isinstance(caught.value, CardMute)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_another_reader_has_is_told(taken: int) -> None:
    with pytest.raises(CardFault, match=rf"^127\.0\.0\.1:{taken}: .* is another reader there"):
        VpcdChannel.listen(taken)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(FormatError, match=f"port: {port}, must be 0 to 65535"):
        VpcdChannel.listen(port)


def test_nothing_listens_but_while_a_card_is_awaited() -> None:
    card = Stranger()
    places: list[tuple[str, int]] = []

    def plug_in(host: str, port: int) -> None:
        places.append((host, port))
        card.plug_in(host, port)

    with VpcdChannel.listen(0, waiting=plug_in) as channel:
        ((host, port),) = places
        assert "127.0.0.1" == host
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), 30)
        assert OK == channel.transmit(ASK)


def test_a_second_card_is_turned_away() -> None:
    first, second = Stranger(), Stranger()

    def both(host: str, port: int) -> None:
        first.plug_in(host, port)
        second.plug_in(host, port)

    with VpcdChannel.listen(0, waiting=both) as channel:
        second.gone()
        assert OK == channel.transmit(ASK)
    assert [] == second.heard


def test_a_card_that_was_pulled_is_missed_and_the_next_one_taken_up() -> None:
    first, second = Stranger(answers={ASK: None}), Stranger(contact_atr(b"2", Transmission.T1))
    cards = iter([first, second])
    channel = VpcdChannel.listen(0, waiting=lambda *place: next(cards).plug_in(*place))
    with channel:
        with pytest.raises(CardGone, match="what it did with the last command is not known"):
            channel.transmit(ASK)
        first.gone()
        for _ in range(2):
            with pytest.raises(CardGone, match="the card was pulled, reset"):
                channel.transmit(OTHER)
        assert contact_atr(b"2", Transmission.T1) == channel.reset()
        assert channel.le_with_data
        assert OK == channel.transmit(OTHER)
    assert [ON, GIVE_ATR, ASK] == first.heard
    second.gone()
    assert [ON, GIVE_ATR, OTHER, OFF] == second.heard


def test_a_card_that_leaves_between_two_commands_is_told_before_anything_is_sent() -> None:
    card = Stranger(answers={RESET: None})
    channel = reader(card)
    assert channel._link is not None
    channel._link._stream.sendall(frame(RESET))
    card.gone()
    with pytest.raises(CardGone, match=r"the card was pulled$"):
        channel.transmit(ASK)
    assert [ON, GIVE_ATR, RESET] == card.heard


def test_a_card_that_is_pulled_in_the_middle_of_its_answer_is_told() -> None:
    def act(body: bytes) -> bytes | None:
        return frame(ATR) if body == GIVE_ATR else b"" if len(body) == 1 else None

    with reader(Stranger(answers=act)) as channel, pytest.raises(CardGone, match="is not known"):
        channel.transmit(ASK)


def test_a_reset_takes_up_the_next_card_where_the_last_one_left_at_that_moment() -> None:
    first, second = Stranger(answers={RESET: None}), Stranger()
    cards = iter([first, second])
    with VpcdChannel.listen(0, waiting=lambda *place: next(cards).plug_in(*place)) as channel:
        assert ATR == channel.reset()
        assert OK == channel.transmit(ASK)
    second.gone()
    assert [ON, GIVE_ATR, ASK, OFF] == second.heard


def test_no_next_card_is_told_and_can_still_come() -> None:
    first, second = Stranger(answers={ASK: None}), Stranger()
    comes: list[Stranger | None] = [first, None, second]

    def waiting(host: str, port: int) -> None:
        card = comes.pop(0)
        if card is None:
            channel.deadline = 10.0
        else:
            card.plug_in(host, port)

    channel = VpcdChannel.listen(0, waiting=waiting)
    with pytest.raises(CardGone):
        channel.transmit(ASK)
    channel.deadline = 0.01
    with pytest.raises(CardGone, match="no card plugged itself in"):
        channel.reset()
    assert ATR == channel.reset()
    channel.close()


def test_a_closed_channel_is_closed() -> None:
    card = Stranger()
    channel = reader(card)
    channel.close()
    channel.close()
    for call in (lambda: channel.transmit(ASK), channel.reset):
        with pytest.raises(CardGone, match="the channel is closed"):
            call()
    card.gone()
    assert [ON, GIVE_ATR, OFF] == card.heard


def test_closing_without_a_card_does_nothing() -> None:
    channel = reader(Stranger(answers={ASK: None}))
    with pytest.raises(CardGone):
        channel.transmit(ASK)
    channel.close()
