# SPDX-License-Identifier: Apache-2.0
"""The issuer over TCP: every question is answered or its line ends, and no frame does any harm."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("iso8583")

from linkbench import (
    DAY,
    KEY,
    PAN,
    REQUEST,
    REVERSAL,
    WAIT,
    Told,
    closed,
    frame,
    linked,
    raw,
    served,
)

from apdu.crypto.suites import SUITES
from apdu.wire.perso import Algorithm
from host.network.authorisation import (
    AuthorisationResponse,
    NoAnswer,
    Reversal,
)
from host.network.frames import FrameWrong, receive_frame, send_frame
from host.network.iso8583 import LONGEST, Message, decode, encode
from host.network.link import TcpIssuer
from host.network.messages import answer_to, question_of
from host.network.server import IssuerServer, Patience, serve

# What the server is sent

HOSTILE = {
    "nothing": b"",
    "half a header": b"\x01",
    "a length of 0": b"\x00\x00",
    "a length that lies upwards": b"\x00\xff\x02\x00",
    "a length that lies downwards": b"\x00\x01" + encode(question_of(REQUEST)),
    "a huge length": b"\xff\xff" + bytes(2000),
    "one byte too much": struct.pack(">H", LONGEST + 1) + bytes(LONGEST + 1),
    "rubbish": frame(b"rubbish"),
    "zeros": frame(bytes(200)),
    "an answer": frame(encode(answer_to(question_of(REQUEST), AuthorisationResponse("00")))),
    "an unknown type": frame(encode(Message("0100", {"11": "000001"}))),
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
def test_a_frame_that_is_none_ends_its_connection_and_no_other(sent: bytes) -> None:
    issuer = Told()
    patience = Patience(idle=WAIT, message=WAIT)
    with served(issuer, patience=patience) as server, linked(server) as line:
        assert line.authorise(REQUEST).approved
        with raw(server) as hostile:
            with suppress(OSError):  # it may close before all is said
                hostile.sendall(sent)
                hostile.shutdown(socket.SHUT_WR)
            assert closed(hostile)
        assert line.authorise(REQUEST).approved
    assert 2 == len(issuer.heard)


@pytest.mark.parametrize("sent", [b"\x01", b"\x00\xff\x02\x00"], ids=["header", "message"])
def test_who_stops_in_the_middle_of_a_message_is_not_waited_for(sent: bytes) -> None:
    with served(Told(), patience=Patience(idle=WAIT, message=0.05)) as server:
        with raw(server) as hostile:
            hostile.sendall(sent)
            assert closed(hostile)


def test_who_says_nothing_is_let_go() -> None:
    with served(Told(), patience=Patience(idle=0.05, message=WAIT)) as server:
        with raw(server) as idle:
            assert closed(idle)


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_no_bytes_do_any_harm(sent: bytes) -> None:
    with raw(_standing()) as hostile:
        try:
            hostile.sendall(sent)
            hostile.shutdown(socket.SHUT_WR)
            while hostile.recv(4096):
                pass
        except OSError:
            pass
    with linked(_standing()) as line:
        assert line.authorise(REQUEST).approved


_STANDING: list[IssuerServer] = []


def _standing() -> IssuerServer:
    return _STANDING[0]


@pytest.fixture(autouse=True, scope="module")
def standing() -> Iterator[None]:
    with served(Told()) as server:
        _STANDING.append(server)
        yield
        _STANDING.clear()


def test_a_question_that_can_be_read_but_asks_for_nonsense_is_answered_30() -> None:
    with served(Told()) as server, raw(server) as line:
        question = question_of(REQUEST)
        send_frame(line, encode(Message("0200", {**question.fields, "3": "990000"})), WAIT)
        answer = decode(receive_frame(line, WAIT, WAIT) or b"")
        assert ("0210", "30") == (answer.mti, answer.fields["39"])
        assert question.fields["11"] == answer.fields["11"]
        send_frame(line, encode(question), WAIT)
        assert "00" == decode(receive_frame(line, WAIT, WAIT) or b"").fields["39"]


@pytest.mark.parametrize("key", [None, SUITES[Algorithm.SM4].key(bytes(16))])
def test_a_question_without_the_right_mac_is_not_answered(key: Any) -> None:
    issuer = Told()
    with served(issuer, mac_key=KEY) as server:
        with linked(server, mac_key=key) as line, pytest.raises(NoAnswer):
            line.authorise(REQUEST)
        with linked(server, mac_key=KEY) as line:
            assert line.authorise(REQUEST).approved
    assert 1 == len(issuer.heard)


def test_an_issuer_that_fails_is_no_no(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def fails(value: Any) -> AuthorisationResponse:
        if isinstance(value, Reversal):
            return AuthorisationResponse("00")
        raise RuntimeError(value.pan)

    with served(Told(answers=fails)) as server, linked(server) as line:
        with pytest.raises(NoAnswer, match="ended the connection"):
            line.authorise(REQUEST)
        assert line.reverse(REVERSAL).approved
    assert "RuntimeError" in caplog.text
    assert PAN not in caplog.text


def test_an_answer_that_cannot_be_written_is_none() -> None:
    with served(Told(answers=lambda _: AuthorisationResponse("0"))) as server:
        with linked(server) as line, pytest.raises(NoAnswer):
            line.authorise(REQUEST)


def test_there_are_no_more_connections_than_allowed() -> None:
    with served(Told(), patience=Patience(connections=3)) as server, ExitStack() as stack:
        lines = [stack.enter_context(linked(server)) for _ in range(3)]
        for line in lines:
            assert line.authorise(REQUEST).approved
        with raw(server) as fourth:
            assert closed(fourth)
        assert lines[0].authorise(REQUEST).approved


def test_stopping_ends_everything_and_waits_for_the_answer_that_is_being_made() -> None:
    asked, go = Event(), Event()

    def slowly(value: Any) -> AuthorisationResponse:
        asked.set()
        go.wait(WAIT)
        return AuthorisationResponse("00")

    got: list[AuthorisationResponse] = []
    server = serve(Told(answers=slowly), today=lambda: DAY)
    line = TcpIssuer("127.0.0.1", server.port, timeout=WAIT)
    asking = Thread(target=lambda: got.append(line.authorise(REQUEST)))
    idle = raw(server)
    asking.start()
    assert asked.wait(WAIT)
    stopping = Thread(target=server.stop)
    stopping.start()
    go.set()
    stopping.join(WAIT)
    asking.join(WAIT)
    assert [AuthorisationResponse("00")] == got
    assert closed(idle)
    idle.close()
    line.close()
    assert ({}, False) == (server._lines, server._accepting.is_alive())
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), WAIT).close()


def test_only_this_machine_is_listened_to() -> None:
    with served(Told()) as server:
        assert "127.0.0.1" == server._listening.getsockname()[0]


def test_a_port_in_use_is_an_error() -> None:
    with served(Told()) as server, pytest.raises(OSError):
        serve(Told(), port=server.port)


# Frames


@given(st.lists(st.binary(min_size=1, max_size=LONGEST), max_size=5))
@settings(max_examples=20)
def test_frames_come_out_as_they_went_in(messages: list[bytes]) -> None:
    here, there = socket.socketpair()
    with here, there:
        for message in messages:
            send_frame(here, message, WAIT)
        here.shutdown(socket.SHUT_WR)
        assert messages == [receive_frame(there, WAIT, WAIT) for _ in messages]
        assert None is receive_frame(there, WAIT, WAIT)


@pytest.mark.parametrize("size", [0, LONGEST + 1])
def test_a_frame_of_another_length_is_not_sent(size: int) -> None:
    here, there = socket.socketpair()
    with here, there, pytest.raises(FrameWrong):
        send_frame(here, bytes(size), WAIT)


@pytest.mark.parametrize("length", [0, LONGEST + 1, 0xFFFF])
def test_a_length_that_no_message_has_is_told_before_anything_is_waited_for(length: int) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.sendall(length.to_bytes(2))
        with pytest.raises(FrameWrong, match=f"a message of {length} bytes"):
            receive_frame(there, WAIT, WAIT)
