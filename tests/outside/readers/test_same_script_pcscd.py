# SPDX-License-Identifier: Apache-2.0
"""5 000 commands have the same answers through pcscd and vpcd as in memory."""

from __future__ import annotations

from typing import Any

import pytest
from apscript import WAYS, InReader, Step, conversation, script, script_chip
from hermetic import READERS, Pcscd, until

from apdu.atr import Interface
from host.channel.memory import MemoryChannel
from host.channel.pcsc import PcscChannel

pytestmark = pytest.mark.outside


@pytest.fixture(autouse=True)
def pyscard() -> None:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_pcscd_changes_nothing(pcscd: Pcscd, generation: str, way: Any) -> None:
    in_memory = MemoryChannel(InReader(script_chip(generation), way))
    expected = list(conversation(in_memory, script(generation)))
    card = pcscd.insert(InReader(script_chip(generation), way))
    try:
        until("pcscd has noticed the card", lambda: in_memory.atr == pcscd.atr())
        with PcscChannel.open(READERS[0], deadline=60.0) as channel:
            assert in_memory.atr == channel.atr
            assert (way is Interface.CONTACTLESS) == (channel.interface is Interface.CONTACTLESS)
            assert [] == differences(expected, channel)
    finally:
        card.pull()
    until("the reader is empty", lambda: not pcscd.atr())
    assert pcscd.process.poll() is None, pcscd.log()


def differences(expected: list[Step], channel: Any) -> list[tuple[Step, Step]]:
    """Where the answers differ, at the first such place."""
    told = conversation(channel, expected)
    return [pair for pair in zip(expected, told, strict=True) if pair[0] != pair[1]][:1]
