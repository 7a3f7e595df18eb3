# SPDX-License-Identifier: Apache-2.0
"""A terminal in Java (javax.smartcardio) with our card, as many a counter has it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS
from programs import java, needs
from serving import PLAIN_READS, SELECT, answers

from apdu.command import CommandAPDU
from host.channel.pcsc import PcscChannel
from host.faults import CardGone

pytestmark = [pytest.mark.outside, needs("javac")]
RAW = tuple(f"-Dsun.security.smartcardio.{each}GetResponse=false" for each in ("t0", "t1"))


@pytest.mark.parametrize("protocol", ["T0", "T1"])
def test_java_gets_the_answers_that_memory_gives(serve: Serve, image: Path, protocol: str) -> None:
    expected = answers(image, PLAIN_READS)
    card = serve(image, "--atr-protocol", protocol)
    with java(*RAW) as terminal:
        assert (f"T={protocol[1]}", card.seen()) == (terminal.protocol, terminal.atr)
        assert expected == [terminal.send(each) for each in PLAIN_READS]
        assert card.seen().hex().upper() == terminal.say("reset")
        assert answers(image, PLAIN_READS[-4:]) == [
            terminal.send(each) for each in PLAIN_READS[-4:]
        ]
        assert terminal.say("00").startswith("! ")


def test_java_fetches_what_waits_on_the_card(serve: Serve, image: Path) -> None:
    wholes = tuple(each for each in PLAIN_READS if each[1] != 0xC0)
    wholes = (*wholes, bytes(CommandAPDU(0, 0xA4, 4, 0, SELECT[5:], 256)))
    expected = answers(image, wholes, followed=True)
    serve(image)
    with java() as terminal:
        assert expected == [terminal.send(each) for each in wholes]


def test_in_a_transaction_of_java_others_wait(serve: Serve, image: Path) -> None:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    select, fetch, read, bank, *more = PLAIN_READS[:2] + PLAIN_READS[2:3] + PLAIN_READS[6:9]
    session = answers(image, (select, fetch, read, bank, *more))
    serve(image)
    with (
        java(*RAW) as terminal,
        PcscChannel.open(READERS[0], deadline=0.5) as hasty,
        PcscChannel.open(READERS[0]) as patient,
        ThreadPoolExecutor(1) as second,
    ):
        assert terminal.say("begin") == "begin"
        assert session[:1] == [terminal.send(select)]
        with pytest.raises(CardGone), hasty.transaction():
            pytest.fail("a transaction in a transaction")
        late = second.submit(patient.transmit, bank)
        with pytest.raises(TimeoutError):
            late.result(0.2)
        assert session[1:3] == [terminal.send(each) for each in (fetch, read)]
        assert terminal.say("end") == "end"
        assert session[3] == late.result(5)

        with patient.transaction():
            patient.transmit(bank)
            terminal.begin(select.hex())
            assert session[4:] == [patient.transmit(each) for each in more]
        assert session[0] == bytes.fromhex(terminal.heard())
