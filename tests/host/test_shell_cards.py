# SPDX-License-Identifier: Apache-2.0
"""The shell on cards that plug themselves in, that are pulled, and that lie."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from shelldesk import Desk, desk

from apdu.atr import Interface
from card_os.chip import Chip
from card_os.plug import Plug, Pulled
from host.channel import Channel
from host.channel.vpcd import VpcdChannel
from host.cli.names import Shown
from host.cli.shell.report import Report
from host.cli.shell.screen import Screen
from host.faults import CardGone, CardMisspoke

ATR = bytes.fromhex("3B6D000000815453570102030405060708")


class Plugs:
    """Opens the reader on a port that is free, and has the card plug itself in, each time anew."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self.threads: list[tuple[Plug, threading.Thread]] = []

    @contextmanager
    def __call__(self, contactless: bool) -> Iterator[Channel]:
        with VpcdChannel.listen(0, waiting=self._plug_in) as channel:
            yield channel

    def _plug_in(self, host: str, port: int) -> None:
        plug = Plug(self.card, (host, port))
        thread = threading.Thread(target=plug.run, daemon=True)
        self.threads.append((plug, thread))
        thread.start()

    def end(self) -> None:
        for plug, thread in self.threads:
            plug.stop()
            thread.join(10)


class Leaving:
    """A chip that leaves the reader at its n-th command."""

    def __init__(self, chip: Chip, at: int) -> None:
        self.chip, self.left = chip, at

    def reset(self) -> bytes:
        return self.chip.reset()

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        if self.left == 0:
            raise Pulled
        return self.chip.transmit(command)


@pytest.fixture
def plugs() -> Iterator[Any]:
    made: list[Plugs] = []

    def plug(card: Any) -> Desk:
        made.append(Plugs(card))
        found = Desk(made[-1])
        closing.append(found)
        return found

    closing: list[Desk] = []
    yield plug
    for each in closing:
        each.session.cable.close()
    for plugs in made:
        plugs.end()


SCRIPT = """
select HRSS
expect 9000 data 6F *
read EF06
expect value 姓名 测试持卡人
read EF08
expect 6982
authenticate RKSSSE
read EF08 4090
expect 9000 data ............
select DEBIT
read 1 1
expect data 70 *
get 9F36
tree
select 3F00
"""


def test_a_script_is_the_same_in_memory_and_over_a_socket(chip: Chip, plugs: Any) -> None:
    there = plugs(chip).run(SCRIPT)
    here = desk(chip).run(SCRIPT)
    assert (0, 0) == (there[0], here[0])

    def without_status_words(text: str) -> list[str]:
        return [line for line in text.splitlines() if "because" not in line]

    assert without_status_words(here[1]) == without_status_words(there[1])


def test_a_card_that_is_pulled_is_said_and_taken_up_again(chip: Chip, plugs: Any) -> None:
    typed = plugs(Leaving(chip, 8))
    assert "姓名" in typed.type("select HRSS", "read EF06")
    said = typed.type("read EF05")
    assert "`reset` takes the card up again" in said
    assert "no card" == typed.session.place
    assert 1 == typed.shell.status
    assert "ATR 3B" in typed.type("reset")
    assert "3F00" == typed.session.place
    assert "卡号" in typed.type("select HRSS", "read EF05")


def test_a_card_without_a_reason_says_so(chip: Chip, plugs: Any) -> None:
    typed = plugs(chip)
    said = typed.type("why", "select A0000000031010", "why")
    assert "nothing was sent yet" in said
    assert "only images tell their reasons" in said


def test_of_a_card_in_a_reader_the_reader_decides_how_it_is_reached(chip: Chip, plugs: Any) -> None:
    said = plugs(chip).type("reset contactless")
    assert "the reader of this card decides that it is contact" in said


# Cards that lie


class Answers(Channel):
    """A card that answers everything alike."""

    atr = ATR

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def _exchange(self, command: bytes) -> bytes:
        return self.answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing to let go of."""


def liar(answer: bytes) -> Desk:
    @contextmanager
    def opener(contactless: bool) -> Iterator[Channel]:
        yield Answers(answer)

    return Desk(opener)


LINES = (
    "select HRSS",
    "select A0000000031010",
    "ls",
    "read 1 1",
    "get 9F36",
    "tries",
    "apdu 00B2010C00",
    "last",
    "atr",
    "why",
    "select EF05",
    "read",
    "authenticate UKSSSE",
)
OK = b"\x90\x00"


@pytest.mark.parametrize(
    "answer",
    [
        b"\x6f\x09\x84\x07\x1b[2J\x07ab" + OK,
        b"\x6f\x0a\x84\x08A\x1b]0;x\x07" + OK,
        b"\x1b[31m" * 20 + OK,
        "‮\x9b2J".encode() + OK,
        b"\x6f\x82\xff\xff" + OK,
        b"\x00" * 300 + OK,
        b"\x61\x00",
        b"\x6c\x05",
        b"\x12\x34",
        b"\x70\x04\x50\x02\x1b\x5b" + OK,
    ],
)
def test_nothing_that_a_card_says_steers_the_terminal(answer: bytes) -> None:
    typed = liar(answer)
    said = typed.type(*LINES)
    typed.session.settings.explain = True
    said += typed.type(*(line for line in LINES if line != "ls")) + typed.session.place
    assert all(letter.isprintable() for letter in said.replace("\n", ""))


@given(
    st.binary(max_size=40), st.sampled_from([b"\x90\x00", b"\x62\x83", b"\x61\x05", b"\x63\xc2"])
)
def test_any_answer_is_shown_or_said_to_be_none(data: bytes, sw: bytes) -> None:
    typed = liar(data + sw)
    lines = [line for line in LINES if line != "ls"]
    typed.type(*lines, "json on", *lines)


def test_an_answer_that_is_too_short_is_a_fault_and_not_the_end() -> None:
    typed = liar(b"\x90")
    assert "shorter than a status word" in typed.type("apdu 00B2010C00")
    assert "3F00" == typed.session.place


def test_a_card_that_cannot_be_taken_up_can_be_tried_again() -> None:
    faults: list[Exception] = []

    @contextmanager
    def opener(contactless: bool) -> Iterator[Channel]:
        if faults:
            raise faults.pop()
        yield Answers(OK)

    typed = Desk(opener)
    typed.session.cable.close()
    assert "there is no card" in typed.type("tries", "apdu 00B2010C00")
    faults += [CardGone("nobody came"), CardMisspoke("no ATR")]
    assert "no ATR" in typed.type("reset")
    assert "nobody came" in typed.type("reset")
    assert "ATR 3B 6D" in typed.type("reset")
    assert Interface.CONTACT is typed.session.cable.interface


HOSTILE = st.text(st.sampled_from("a\x1b[2J\x07\x9b\u202e\r张 "), max_size=12)


@given(HOSTILE)
def test_no_text_steers_the_terminal_wherever_it_stands(text: str) -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=300, highlight=False, markup=False))
    item = Shown("50", "label", "", text, text)
    screen.report(Report((text,), (item,), (("file", ""), ("EF05", text)), remark=text), None)
    screen.trouble(text, text)
    screen.note(text)
    assert all(letter.isprintable() for letter in out.getvalue().replace("\n", ""))


@pytest.mark.parametrize("line", ["let n = data", "expect data *", "expect data 11"])
def test_an_answer_that_is_a_secret_is_not_shown_and_not_kept(line: str) -> None:
    typed = liar(b"\x11\x22\x33\x44" + OK)
    said = typed.type("apdu 80C4000000", "last", line, "set", "json on", "apdu 80C4000000")
    assert "secret" in said
    assert "9000  done" in said
    assert "112233" not in said.replace(" ", "")
