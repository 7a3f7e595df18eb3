# SPDX-License-Identifier: Apache-2.0
"""pyscard's own classes with our card, as other people's Python has them, and our host beside."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS, Pcscd
from serving import MISSHAPEN, PLAIN_READS, WITH_LE, answers

from host.channel.pcsc import PcscChannel
from host.faults import CardReset

pytestmark = pytest.mark.outside
System = pytest.importorskip("smartcard.System", reason="needs pyscard: pip install 'sscard[pcsc]'")


@pytest.mark.parametrize("protocol", ["T0", "T1"])
def test_pyscard_gets_the_answers_that_memory_gives(
    serve: Serve, pcscd: Pcscd, image: Path, protocol: str
) -> None:
    commands = (WITH_LE, MISSHAPEN, *PLAIN_READS)
    expected = answers(image, commands)
    card = serve(image, "--atr-protocol", protocol)
    readers = System.readers()
    assert list(READERS) == [str(each) for each in readers]
    connection = readers[0].createConnection()
    connection.connect()
    try:
        assert card.seen() == bytes(connection.getATR())
        for command, answer in zip(commands, expected, strict=True):
            data, first, second = connection.transmit(list(command))
            assert answer == bytes([*data, first, second])
    finally:
        connection.disconnect()


def test_our_host_is_told_that_pyscard_switched_the_card_off(
    serve: Serve, pcscd: Pcscd, image: Path
) -> None:
    select, fetch, *_ = PLAIN_READS
    expected = answers(image, (select, fetch))
    serve(image)
    with PcscChannel.open(READERS[0]) as channel:
        connection = System.readers()[0].createConnection()
        connection.connect()
        connection.transmit(list(select))
        connection.disconnect()  # which is what it does on leaving
        with pytest.raises(CardReset):
            channel.transmit(fetch)
        channel.reset()
        assert expected == [channel.transmit(each) for each in (select, fetch)]
