# SPDX-License-Identifier: Apache-2.0
"""The terminal's line to the issuer: answers get there, and silence is no answer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest

pytest.importorskip("iso8583")

from linkbench import ADVICE, KEY, PAN, REQUEST, REVERSAL, WAIT, Told, frame, linked, served, to

from apdu.errors import FormatError
from host.network.authorisation import (
    AuthorisationResponse,
    NoAnswer,
)
from host.network.frames import receive_frame, send_frame
from host.network.iso8583 import Message, decode, encode
from host.network.link import TcpIssuer
from host.network.messages import answer_to

# What is said


@pytest.mark.parametrize("key", [None, KEY])
def test_every_kind_of_question_is_heard_and_answered(key: Any) -> None:
    issuer = Told()
    with served(issuer, mac_key=key) as server, linked(server, mac_key=key) as line:
        expected = AuthorisationResponse("00", "000001", 1, b"\x91\x08" + bytes(8))
        assert expected == line.authorise(REQUEST)
        assert expected == line.advise(ADVICE)
        assert replace(expected, authorisation_code="000002", balance=2) == line.reverse(REVERSAL)
        line.echo(3, REQUEST.time, "TERM0001", "MERCHANT0000001")
    assert [REQUEST, ADVICE, REVERSAL] == issuer.heard


def test_many_lines_ask_at_once_and_each_hears_its_own_answer() -> None:
    issuer, wrong = Told(), []

    def ask(first: int) -> None:
        with linked(server) as line:
            for trace in range(first, first + 20):
                answer = line.authorise(replace(REQUEST, trace=trace))
                if answer.balance != trace:
                    wrong.append(trace)

    with served(issuer) as server:
        threads = [Thread(target=ask, args=(first,)) for first in range(1, 161, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [] == wrong
    assert 160 == len(issuer.heard)


def test_one_line_may_be_shared_by_threads() -> None:
    issuer, wrong = Told(), []

    def ask(trace: int) -> None:
        if line.authorise(replace(REQUEST, trace=trace)).balance != trace:
            wrong.append(trace)

    with served(issuer) as server, linked(server) as line:
        threads = [Thread(target=ask, args=(trace,)) for trace in range(1, 17)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [] == wrong


def test_a_request_that_is_none_is_not_sent() -> None:
    issuer = Told()
    with served(issuer) as server, linked(server) as line:
        with pytest.raises(FormatError, match="reference"):
            line.authorise(replace(REQUEST, reference="1"))
        with pytest.raises(FormatError, match="advice"):
            line.advise(REQUEST)
    assert [] == issuer.heard


# Silence


def test_where_nobody_listens_there_is_no_answer() -> None:
    with served(Told()) as server:
        port = server.port
    with (
        TcpIssuer("127.0.0.1", port, timeout=WAIT) as line,
        pytest.raises(NoAnswer, match="reached"),
    ):
        line.authorise(REQUEST)


class Stranger:
    """Whoever sits at the other end: for each connection it does what it is told to."""

    def __init__(self, *parts: Callable[[socket.socket, bytes], None]) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.frames: list[bytes] = []
        self.thread = Thread(target=self._run, args=(parts,), daemon=True)
        self.thread.start()

    def _run(self, parts: tuple[Callable[[socket.socket, bytes], None], ...]) -> None:
        for part in parts:
            line, _ = self.listening.accept()
            with line:
                found = receive_frame(line, WAIT, WAIT)
                self.frames.append(found or b"")
                part(line, found or b"")

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(WAIT)
        self.listening.close()


def good(line: socket.socket, found: bytes) -> None:
    message = decode(found)
    send_frame(line, encode(answer_to(message, AuthorisationResponse("00"))), WAIT)


def saying(answer: Callable[[Message], bytes]) -> Callable[[socket.socket, bytes], None]:
    return lambda line, found: line.sendall(answer(decode(found)))


def other(message: Message, name: str, value: str) -> bytes:
    answer = answer_to(message, AuthorisationResponse("00"))
    return frame(encode(Message(answer.mti, {**answer.fields, name: value})))


EVIL = {
    "nothing": lambda line, found: None,
    "half a header": saying(lambda _: b"\x00"),
    "half a message": saying(lambda _: b"\x00\x40\x02\x10"),
    "an empty message": saying(lambda _: b"\x00\x00"),
    "a huge message": saying(lambda _: b"\xff\xff" + bytes(100)),
    "rubbish": saying(lambda _: frame(b"rubbish")),
    "the question": saying(lambda message: frame(encode(message))),
    "another trace number": saying(lambda message: other(message, "11", "000009")),
    "another reference": saying(lambda message: other(message, "37", "999999999999")),
    "another terminal": saying(lambda message: other(message, "41", "TERM0009")),
    "a balance that is none": saying(lambda message: other(message, "54", "1" * 20)),
    "no code": saying(
        lambda message: frame(
            encode(
                Message("0210", {name: message.fields[name] for name in ("11", "37", "41", "42")})
            )
        )
    ),
}


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_an_answer_that_is_none_is_no_answer_and_the_next_question_goes_well(
    evil: Callable[[socket.socket, bytes], None],
) -> None:
    with (
        Stranger(evil, good) as stranger,
        to(stranger.port) as line,
    ):
        with pytest.raises(NoAnswer) as caught:
            line.authorise(REQUEST)
        assert PAN not in str(caught.value)
        assert line.reverse(REVERSAL).approved
    assert ["0200", "0400"] == [decode(each).mti for each in stranger.frames]


def test_a_silence_ends_and_a_late_answer_answers_nothing_else() -> None:
    late = Event()

    def slow(line: socket.socket, found: bytes) -> None:
        late.wait(WAIT)
        line.settimeout(WAIT)
        try:
            good(line, found)
        except OSError:
            pass

    with Stranger(slow, good) as stranger:
        with to(stranger.port, timeout=0.3) as line:
            with pytest.raises(NoAnswer, match=r"no answer of the issuer in 0\.3 seconds"):
                line.authorise(REQUEST)
            assert None is line._line
        late.set()
        with to(stranger.port) as line:
            assert line.reverse(REVERSAL).approved


def test_an_answer_without_the_mac_that_was_agreed_is_no_answer() -> None:
    def unsigned(line: socket.socket, found: bytes) -> None:
        answer = answer_to(decode(found, KEY), AuthorisationResponse("00"))
        send_frame(line, encode(answer), WAIT)

    with (
        Stranger(unsigned) as stranger,
        TcpIssuer("127.0.0.1", stranger.port, timeout=WAIT, mac_key=KEY) as line,
        pytest.raises(NoAnswer, match="MAC"),
    ):
        line.authorise(REQUEST)


def test_a_connection_that_ended_meanwhile_is_made_anew_before_anything_is_sent() -> None:
    with (
        Stranger(good, good) as stranger,
        to(stranger.port) as line,
    ):
        assert line.authorise(REQUEST).approved
        while not line_ended(line):
            pass
        assert line.authorise(REQUEST).approved
    assert 2 == len(stranger.frames)


def line_ended(line: TcpIssuer) -> bool:
    """Whether the end of the other side has arrived; it is on its way."""
    kept = line._line
    assert kept is not None
    kept.settimeout(WAIT)
    return kept.recv(1, socket.MSG_PEEK) == b""
