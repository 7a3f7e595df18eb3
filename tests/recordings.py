# SPDX-License-Identifier: Apache-2.0
"""Recordings for tests: events of any kind, and what a chip says to a few commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import accumulate, count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from strategies import commands

from apdu.atr import Interface
from apdu.recording import (
    Event,
    Exchanged,
    Fault,
    Header,
    Recording,
    Remark,
    Reset,
    Unknown,
    event_line,
    header_line,
)
from apdu.secret import brings_secret
from apdu.trace import Exchange, has_secret_answer
from host.channel import Channel
from host.channel.recorder import Recorder
from host.faults import CardMute

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
READ = bytes.fromhex("00B2013500")
VERIFY = bytes.fromhex("0020000003123456")
CHALLENGE = bytes.fromhex("0084000008")

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
slots = st.sampled_from(["card", "card", "psam", "psam-430000"])
moments = st.integers(0, 10**13).map(lambda micros: micros / 10**6)
durations = st.none() | moments
interfaces = st.sampled_from(Interface)
atrs = st.binary(min_size=2, max_size=33)
answers = st.builds(bytes.__add__, st.binary(max_size=40), st.binary(min_size=2, max_size=2))
open_commands = commands.map(bytes).filter(
    lambda raw: not brings_secret(raw[0], raw[1]) and not has_secret_answer(raw) and raw[1] != 0xC0
)
any_exchanges = st.builds(Exchange, commands.map(bytes), answers)
open_exchanges = st.builds(Exchange, open_commands, answers)


def _unanswered(exchange: Exchange) -> Exchange:
    return Exchange(exchange.command, b"")


def events_of(exchanges: st.SearchStrategy[Exchange]) -> st.SearchStrategy[list[Event]]:
    """Events in the order of their times."""
    kinds = st.one_of(
        st.builds(Exchanged, st.just(0.0), exchanges, durations, texts, slots),
        st.builds(Reset, st.just(0.0), atrs, interfaces, slots),
        st.builds(
            Fault,
            st.just(0.0),
            st.sampled_from(["CardMute", "CardGone", "Else"]),
            texts,
            st.none() | exchanges.map(_unanswered),
            durations,
            slots,
        ),
        st.builds(Remark, st.just(0.0), texts),
    )
    steps = st.lists(st.tuples(st.integers(0, 10**9), kinds), max_size=12)
    return steps.map(_timed)


def _timed(steps: list[tuple[int, Any]]) -> list[Event]:
    times = accumulate(step for step, _ in steps)
    return [replace(event, at=at / 10**6) for at, (_, event) in zip(times, steps, strict=True)]


headers = st.builds(
    Header,
    st.just(b"") | atrs,
    interfaces,
    st.sampled_from(["", "T=0", "T=1"]),
    st.booleans(),
    texts,
    texts,
)
unknowns = st.builds(
    lambda at, kind, fields: Unknown(at, kind, {"event": kind, "at": at} | fields),
    moments,
    st.sampled_from(["battery", "field lost"]),
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.integers(-(10**9), 10**9) | texts | st.none(), max_size=2
    ),
)


def text_of(header: Header, events: Iterable[Event]) -> bytes:
    return (header_line(header) + "".join(map(event_line, events))).encode()


def read(raw: bytes, *, keep: bool = False) -> tuple[Header, list[Event], str]:
    """Header, events, and what was lost."""
    recording = Recording.read(raw.splitlines(keepends=True), keep=keep)
    return recording.header, list(recording), recording.lost


def recording_of(*exchanges: tuple[str, str], atr: str = "3B00") -> Recording:
    """A recording of commands and answers in hex, as they are."""
    events = [
        Exchanged(0.0, Exchange(bytes.fromhex(command), bytes.fromhex(answer)))
        for command, answer in exchanges
    ]
    return Recording(Header(bytes.fromhex(atr)), events)


def ticking() -> Callable[[], float]:
    """A clock that goes on by a second whenever it is asked."""
    ticks = count(100)
    return lambda: float(next(ticks))


def recorded(channel: Channel, path: Path, *commands: bytes, **how: Any) -> bytes:
    """What is in the file when these commands were sent; an empty one stands for a reset."""
    recorder = Recorder(path, clock=ticking(), **how)
    around = recorder.around(channel)
    for command in commands:
        if command:
            around.transmit(command)
        else:
            around.reset()
    recorder.close()
    assert recorder.failure is None
    return path.read_bytes()


class Scripted(Channel):
    """A card that says what it is told to, one thing after the other."""

    atr = bytes.fromhex("3B00")

    def __init__(self, *answers: bytes | BaseException) -> None:
        self._answers = iter(answers)

    def _next(self) -> bytes:
        answer = next(self._answers, CardMute("nothing more"))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _exchange(self, command: bytes) -> bytes:
        return self._next()

    def reset(self) -> bytes:
        self.atr = self._next()
        return self.atr

    def close(self) -> None:
        pass
