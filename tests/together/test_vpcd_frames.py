# SPDX-License-Identifier: Apache-2.0
"""The book of what passes between a virtual reader and a card, held against both of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from books import VECTORS, cases
from fakereader import Reader, plugged
from strangers import ASK, ATR, GIVE_ATR, OFF, ON, OTHER, Stranger

from apdu.errors import FormatError
from apdu.vpcd import Signal
from card_os.plug import Pulled
from host.channel import vpcd
from host.channel.vpcd import VpcdChannel
from host.cli.testcard import issue_test_card
from host.faults import CardFault

BOOK = "channel/vpcd_frames.json"


def raw(told: str | dict[str, Any]) -> bytes:
    """Bytes as the book has them."""
    if isinstance(told, str):
        return bytes.fromhex(told)
    once = bytes.fromhex(told["hex"]) + bytes.fromhex(told.get("repeat", "")) * told.get("count", 0)
    return once * told.get("times", 1)


class Odd:
    """A chip that does one thing, whatever it is told."""

    def __init__(self, does: str | dict[str, Any]) -> None:
        self._does = does

    def reset(self) -> bytes:
        return ATR

    def transmit(self, command: bytes) -> bytes:
        if self._does == "pulled":
            raise Pulled
        if self._does == "fault":
            raise IndexError
        return raw(self._does)


def answers(case: dict[str, Any], atr: bytes) -> Iterator[bytes | None]:
    """What is to be heard; None: anything."""
    for told in case["answers"]:
        if isinstance(told, dict):
            once = {name: value for name, value in told.items() if name != "times"}
            yield from [raw(once)] * told.get("times", 1)
        else:
            yield atr if told == "ATR" else None if told == "any" else raw(told)


@pytest.mark.parametrize("case", cases(BOOK, side="card"))
def test_a_card_makes_of_it_what_the_book_says(case: dict[str, Any]) -> None:
    card: Any = Odd(case["chip"]) if "chip" in case else issue_test_card()
    atr = card.reset()
    with Reader() as there, plugged(card, there.address):
        there.accept().signal(Signal.ON)
        for piece in case["sent"]:
            there.send(raw(piece))
        for expected in answers(case, atr):
            heard = there.hear()
            assert expected in (heard, None)
            assert len(heard) >= 2
        if case.get("chip") == "pulled":
            assert there.gone()
        else:
            assert atr == there.atr(), "it has said more than it was asked"


@pytest.mark.parametrize("case", cases(BOOK, side="reader"))
def test_a_reader_makes_of_it_what_the_book_says(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpcd, "monotonic", lambda: 0.0)  # only a card that is mute has no time
    commands = [raw(case.get("command", ASK.hex()))] + [OTHER] * (len(case["faults"]) - 1)
    said = bytes.fromhex(case.get("says", "00029000"))
    card = Stranger(bytes.fromhex(case.get("atr", ATR.hex())), {ASK: said})
    card.leaves = ASK if case.get("leaves") else None
    faults = [""]
    try:
        with _opened(card, case) as channel:
            faults = [_fault(channel, command) for command in commands]
    except CardFault as error:
        faults = [_name(error)]
    card.gone()
    assert case["faults"] == faults
    assert commands[: case["arrive"]] == [body for body in card.heard if len(body) > 1]
    assert {ON, GIVE_ATR, OFF} >= {body for body in card.heard if len(body) < 2}


def _opened(card: Stranger, case: dict[str, Any]) -> VpcdChannel:
    def plug_in(host: str, port: int) -> None:
        for each in [card] + [Stranger() for _ in range(case.get("cards", 1) - 1)]:
            each.plug_in(host, port)

    channel = VpcdChannel.listen(0, waiting=plug_in)
    if "CardMute" in case["faults"]:
        channel.deadline = 0.05
    return channel


def _fault(channel: VpcdChannel, command: bytes) -> str:
    """What it comes to, by its name; nothing when all is well."""
    try:
        channel.transmit(command)
    except (CardFault, FormatError) as error:
        return _name(error)
    return ""


def _name(error: Exception) -> str:
    names = [kind.__name__ for kind in type(error).__mro__]
    return next(name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("case", cases(BOOK, side="setup"))
def test_a_setup_is_told_where_the_book_says(case: dict[str, Any]) -> None:
    for named in case["tests"]:
        path, _, name = named.partition("::")
        assert f"def {name}(" in (VECTORS.parent / path).read_text(encoding="utf-8")
