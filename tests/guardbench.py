# SPDX-License-Identifier: Apache-2.0
"""A card behind the gate that takes down what it sees, and commands for it.

card = Seen(x00200000=tries(2))             # VERIFY without data is answered 63C2, all else 9000
held_back(behind(card, floor=2), VERIFY, TooFewTries)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from apdu.atr import Interface
from host.channel import Channel
from host.channel.guard import Gate, GuardedChannel
from host.faults import HeldBack
from host.rules import AllowList, Rules

ATR = bytes.fromhex("3B6D00000081544C0102030405060708")
OTHER = bytes.fromhex("3B6D000000815400FFFFFFFFFFFFFFFF")
NUMBER = "A00000017"
LISTED = AllowList(frozenset({ATR}))
BY_NUMBER = AllowList(numbers=frozenset({NUMBER}))

READ = bytes.fromhex("00B2010C00")
SELECT = bytes.fromhex("00A4000002DF01")
CHALLENGE = bytes.fromhex("0084000008")
RESPONSE = bytes.fromhex("00C0000008")
UPDATE = bytes.fromhex("00D6850001AA")
VERIFY = bytes.fromhex("0020000003123456")
ASK = bytes.fromhex("00200000")
PAYMENT_PIN = bytes.fromhex("0020008008241234FFFFFFFFFF")
ASK_PAYMENT = bytes.fromhex("80CA9F1700")
CHANGE = bytes.fromhex("805E010007123456FF654321")
GPO = bytes.fromhex("80A8000002830000")
COMMANDS = st.one_of(
    st.binary(min_size=4, max_size=40),
    st.tuples(
        st.sampled_from([0x00, 0x04, 0x80, 0x84, 0xB0]), st.binary(min_size=3, max_size=20)
    ).map(lambda parts: bytes((parts[0],)) + parts[1]),
    st.sampled_from([READ, SELECT, UPDATE, VERIFY, ASK, CHANGE, GPO]),
)
OK = b"\x90\x00"


def tries(left: int) -> bytes:
    return bytes((0x63, 0xC0 | left))


class Seen(Channel):
    """A card that takes down what it sees; `answers` by command, 9000 without one."""

    interface = Interface.CONTACTLESS
    le_with_data = False

    def __init__(self, *atrs: bytes, **answers: bytes) -> None:
        self.atrs = list(atrs or (ATR,))
        self.atr = self.atrs[0]
        self.answers = {bytes.fromhex(name[1:]): answer for name, answer in answers.items()}
        self.seen: list[bytes] = []
        self.resets = 0
        self.held = 0
        self.alone: list[bool] = []
        """Whether other programs were kept away, by command."""

    def _exchange(self, command: bytes) -> bytes:
        self.seen.append(command)
        self.alone.append(self.held > 0)
        return self.answers.get(command, OK)

    def reset(self) -> bytes:
        self.resets += 1
        self.atr = self.atrs[min(self.resets, len(self.atrs) - 1)]
        return self.atr

    def close(self) -> None: ...

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


def behind(
    card: Seen, allowed: AllowList = LISTED, *, sure: bool = True, **rules: int
) -> GuardedChannel:
    """The card behind a gate; somebody is sure of everything, or of nothing."""
    return GuardedChannel(card, Gate(Rules(allowed, **rules), sure=lambda _: sure))  # type: ignore[arg-type]


def held_back(channel: Channel, command: bytes, kind: type[HeldBack]) -> str:
    with pytest.raises(HeldBack) as fault:
        channel.transmit(command)
    assert kind is type(fault.value)
    return str(fault.value)
