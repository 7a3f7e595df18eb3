# SPDX-License-Identifier: Apache-2.0
"""Cards of the books of hostile ones, in memory and at the end of a socket.

@pytest.mark.parametrize("way", WAYS)
def test_...(way: str) -> None:
    with reached(RuledCard(*rules(case)), way) as channel:
        client = PbocClient(Card(channel))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paymentdesk import Rule, RuledCard
from strangers import GIVE_ATR, Stranger, reader

from apdu.vpcd import frame
from host.channel import Channel, vpcd
from host.faults import CardMute

WAYS = "memory", "socket"
T1_ATR = bytes.fromhex("3B800181")
"""A card in memory is told Le with data, too."""


def rules(case: dict[str, Any]) -> list[Rule]:
    """What the card of a case answers."""
    return [_rule(step) for step in case["script"]]


def _rule(step: dict[str, Any]) -> Rule:
    if "mute" in step:
        return step["on"], CardMute("no answer")
    reply = step["reply"]
    if isinstance(reply, dict):
        answer = bytes.fromhex(reply["repeat"]) * reply["count"] + bytes.fromhex(reply["sw"])
    else:
        answer = bytes.fromhex(reply)
    return step["on"], answer


@contextmanager
def reached(card: RuledCard, way: str) -> Iterator[Channel]:
    """A channel to a card by one of the ways."""
    if way == "memory":
        yield card
        return
    with reader(Stranger(T1_ATR, _said_by(card))) as channel, pytest.MonkeyPatch.context() as patch:
        if any(isinstance(answer, CardMute) for _, answer in card.rules):
            patch.setattr(vpcd, "monotonic", lambda: 0.0)  # time passes by silence alone
            channel.deadline = 0.05
        yield channel


def _said_by(card: RuledCard) -> Callable[[bytes], bytes]:
    def act(body: bytes) -> bytes:
        if len(body) == 1:
            return frame(T1_ATR) if body == GIVE_ATR else b""
        try:
            return frame(card._exchange(body))
        except CardMute:
            return b""

    return act
