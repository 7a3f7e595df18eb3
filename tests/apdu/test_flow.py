# SPDX-License-Identifier: Apache-2.0
"""Chaining, 61xx and 6Cxx: the host's half against the card's half, and against cards that lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import interindustry_class, ne, p1p2, status_word

from apdu import cla
from apdu.command import CommandAPDU, ResponseAPDU, decode
from apdu.errors import FormatError, StatusError
from apdu.flow import (
    MAX_CHAIN,
    MAX_REPLY,
    MAX_ROUNDS,
    Incoming,
    deliver,
    exchange,
    split,
)
from apdu.sw import SW, remaining, right_length

sizes = st.integers(0, 600) | st.sampled_from([255, 256, 257, 510, 2000])
replies = sizes.map(lambda n: bytes(at & 0xFF for at in range(n)))
instructions = st.integers(0, 0xFF).filter(lambda ins: ins != 0xC0)


class CardHalf:
    """The card's half alone: joins a chain, and has one reply to whatever it brings."""

    def __init__(self, reply: bytes, exact: bool) -> None:
        self.reply, self.exact = reply, exact
        self.incoming = Incoming()
        self.received: list[bytes] = []
        self.waiting = b""
        self.classes: list[int] = []

    def transmit(self, raw: bytes) -> bytes:
        cla_, ins, p1p2, data, ne = decode(raw)
        self.classes.append(cla_)
        reply, exact = self.reply, self.exact
        if ins == 0xC0:
            reply, exact = self.waiting, False
        else:
            whole = self.incoming.add(ins, p1p2, data, cla.parse(cla_).chaining)
            if whole is None:
                return b"\x90\x00"
            self.received.append(whole)
        answer, self.waiting = deliver(reply, ne, exact)
        return answer


def send(card: CardHalf, command: CommandAPDU, size: int = 255) -> ResponseAPDU:
    *parts, last = split(command, size)
    for part in parts:
        assert b"\x90\x00" == card.transmit(bytes(part))
    return exchange(card.transmit, last)


# Both halves


@given(interindustry_class, instructions, p1p2, sizes, replies, ne, st.integers(1, 300))
def test_data_and_reply_arrive_whole_in_whatever_pieces(
    class_byte: int, ins: int, number: int, length: int, reply: bytes, ne: int, size: int
) -> None:
    card = CardHalf(reply, exact=False)
    data = bytes(length)
    plain = class_byte & ~cla.CHAINING
    command = CommandAPDU(plain, ins, number >> 8, number & 0xFF, data, ne)
    assert ResponseAPDU(reply, SW.OK) == send(card, command, size)
    assert [data] == card.received
    channel = cla.parse(plain).channel
    assert {channel} == {cla.parse(each).channel for each in card.classes}


@given(replies, ne)
def test_a_command_with_the_wrong_le_is_told_the_right_one_and_gets_its_reply(
    reply: bytes, ne: int
) -> None:
    card = CardHalf(reply, exact=True)
    assert ResponseAPDU(reply, SW.OK) == send(card, CommandAPDU(0, 0xB2, ne=ne))
    assert len(card.received) <= 2


# The card's half


@given(replies, ne, st.booleans())
def test_a_reply_is_delivered_in_full_or_announced(reply: bytes, ne: int, exact: bool) -> None:
    answer = ResponseAPDU.parse((delivered := deliver(reply, ne, exact))[0])
    rest = delivered[1]
    assert len(answer.data) <= ne
    if (length := right_length(answer.sw)) is not None:
        assert exact and 0 < ne < 256
        assert (b"", b"") == (answer.data, rest)
        assert (len(reply) or 256) == length
        return
    assert reply == answer.data + rest
    if rest:
        assert min(len(rest), 256) == remaining(answer.sw)
    else:
        assert SW.OK == answer.sw


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_chain_is_its_parts_in_their_order(parts: list[bytes]) -> None:
    incoming = Incoming()
    for part in parts[:-1]:
        assert incoming.add(0xD6, 0, part, more=True) is None
        assert (0xD6, 0) == incoming.header
    assert b"".join(parts) == incoming.add(0xD6, 0, parts[-1], more=False)
    assert incoming.header is None


@pytest.mark.parametrize(("ins", "p1p2"), [(0xDC, 0), (0xD6, 1)])
def test_a_part_of_another_command_ends_the_chain(ins: int, p1p2: int) -> None:
    incoming = Incoming()
    incoming.add(0xD6, 0, b"lost", more=True)
    with pytest.raises(StatusError) as refused:
        incoming.add(ins, p1p2, b"", more=False)
    assert SW.LAST_COMMAND_EXPECTED == refused.value.sw
    assert b"new" == incoming.add(ins, p1p2, b"new", more=False)


def test_a_chain_is_bounded_and_what_it_brought_is_dropped() -> None:
    incoming = Incoming()
    assert incoming.add(0xD6, 0, bytes(MAX_CHAIN), more=True) is None
    with pytest.raises(StatusError) as refused:
        incoming.add(0xD6, 0, b"\0", more=False)
    assert SW.WRONG_LENGTH == refused.value.sw
    assert b"new" == incoming.add(0xD6, 0, b"new", more=False)


# The host's half


@given(interindustry_class, sizes, ne, st.integers(1, 300))
def test_a_long_command_is_split_into_parts_of_a_chain(
    class_byte: int, length: int, ne: int, size: int
) -> None:
    data = bytes(at & 0xFF for at in range(length))
    command = CommandAPDU(class_byte & ~cla.CHAINING, 0xD6, 1, 2, data, ne)
    parts = list(split(command, size))
    assert data == b"".join(part.data for part in parts)
    assert all(len(part.data) <= size for part in parts)
    assert [True] * (len(parts) - 1) + [False] == [cla.parse(part.cla).chaining for part in parts]
    assert [0] * (len(parts) - 1) + [ne] == [part.ne for part in parts]
    assert {(0xD6, 1, 2)} == {(part.ins, part.p1, part.p2) for part in parts}
    if len(data) <= size:
        assert [command] == parts


class Script:
    """A card that gives the answers it is told to, the last one for ever."""

    def __init__(self, answers: Iterable[bytes], last: bytes = b"\x6f\x00") -> None:
        self.answers: Iterator[bytes] = chain(answers, repeat(last))
        self.seen: list[bytes] = []

    def transmit(self, raw: bytes) -> bytes:
        self.seen.append(raw)
        return next(self.answers)


answers = st.builds(
    lambda data, sw: data + sw.to_bytes(2), st.binary(max_size=300), status_word
) | st.binary(max_size=3)


@given(st.lists(answers, max_size=6), answers, ne)
def test_whatever_a_card_says_the_exchange_ends_within_its_bounds(
    first: list[bytes], last: bytes, ne: int
) -> None:
    card = Script(first, last)
    try:
        answer = exchange(card.transmit, CommandAPDU(0, 0xB0, ne=ne))
    except FormatError:
        pass
    else:
        assert len(answer.data) <= MAX_REPLY
        assert remaining(answer.sw) is None and right_length(answer.sw) is None
    assert len(card.seen) <= 2 + MAX_ROUNDS


@pytest.mark.parametrize(
    ("answers", "last", "calls"),
    [
        ([], "AABBCC9000", 1),
        ([], "6101", 2),
        ([], "AA6101", 1 + MAX_ROUNDS),
        ([], "6C03", 2),
        ([], "6C02", 1),
        (["6C03"], "AABBCCDD9000", 2),
        (["6C03"], "6C05", 2),
        (["6102"], "AABBCC9000", 2),
        (["6102"], "6C01", 2),
        (["AABB6102"], "6102", 2),
        ([], "", 1),
        ([], "90", 1),
        (["6105"], "90", 2),
    ],
    ids=[
        "more data than asked for",
        "61xx that brings nothing",
        "61xx without end",
        "6Cxx again and again",
        "6Cxx to the right Le",
        "more data than the Le it named",
        "6Cxx that changes its mind",
        "more data than announced",
        "GET RESPONSE refused with its own length",
        "announced and not there",
        "no status word",
        "half a status word",
        "half a status word in the middle",
    ],
)
def test_a_card_that_contradicts_itself_is_found_out(
    answers: list[str], last: str, calls: int
) -> None:
    card = Script(map(bytes.fromhex, answers), bytes.fromhex(last))
    with pytest.raises(FormatError):
        exchange(card.transmit, CommandAPDU(0, 0xB0, ne=2))
    assert calls == len(card.seen)


def test_a_reply_is_bounded_however_it_comes() -> None:
    card = Script([bytes(MAX_REPLY) + b"\x61\x01"], b"\0\x90\x00")
    with pytest.raises(FormatError):
        exchange(card.transmit, CommandAPDU(0, 0xB0, ne=MAX_REPLY))
    card = Script([], bytes(256) + b"\x61\x00")
    with pytest.raises(FormatError):
        exchange(card.transmit, CommandAPDU(0, 0xB0, ne=256))
    assert 1 + MAX_ROUNDS == len(card.seen)


def test_an_error_in_the_middle_of_a_reply_is_the_answer_with_what_came() -> None:
    card = Script([b"\x01\x61\x01", b"\x02\x62\x81"])
    assert ResponseAPDU(b"\x01\x02", 0x6281) == exchange(card.transmit, CommandAPDU(0, 0xB0, ne=1))


@pytest.mark.parametrize(
    ("class_byte", "expected"),
    [
        (0x00, "00"),
        (0x03, "03"),
        (0x0C, "00"),
        (0x44, "44"),
        (0x60, "40"),
        (0x4F, "4F"),
        (0x80, "00"),
        (0x84, "00"),
        (0x90, "00"),
    ],
)
def test_get_response_goes_out_on_the_channel_of_its_command(
    class_byte: int, expected: str
) -> None:
    card = Script([b"\x61\x02", b"\x01\x02\x90\x00"])
    exchange(card.transmit, CommandAPDU(class_byte, 0xA4, data=b"\x3f\x00"))
    assert bytes.fromhex(expected + "C0000002") == card.seen[1]


def test_the_command_is_sent_again_as_it_was_with_the_right_le() -> None:
    card = Script([b"\x6c\x02", b"\x01\x02\x90\x00"])
    exchange(card.transmit, CommandAPDU(0x80, 0xCA, 0x9F, 0x36, b"\x05", ne=256))
    assert ["80CA9F36010500", "80CA9F36010502"] == [raw.hex().upper() for raw in card.seen]
