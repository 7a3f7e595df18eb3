# SPDX-License-Identifier: Apache-2.0
"""A terminal in Java (javax.smartcardio) with our card, as many a counter has it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS
from programs import java, needs
from serving import FETCH, PLAIN_READS, READ_BANK, SELECT, SELECT_BANK, WITH_LE, answers

from host.channel.pcsc import PcscChannel
from host.faults import CardGone

pytestmark = [pytest.mark.outside, needs("javac")]
RAW = tuple(f"-Dsun.security.smartcardio.{each}GetResponse=false" for each in ("t0", "t1"))


@pytest.mark.parametrize("protocol", ["T0", "T1"])
def test_java_gets_the_answers_that_memory_gives(serve: Serve, image: Path, protocol: str) -> None:
    expected = answers(image, PLAIN_READS)
    after, select, whole = answers(image, (READ_BANK, SELECT, WITH_LE))
    card = serve(image, "--atr-protocol", protocol)
    with java(*RAW) as terminal:
        assert (f"T={protocol[1]}", card.seen()) == (terminal.protocol, terminal.atr)
        assert expected == [terminal.send(each) for each in PLAIN_READS]
        assert card.seen().hex().upper() == terminal.say("reset")
        assert after == terminal.send(READ_BANK) != expected[-1]
        assert (select if protocol == "T0" else whole) == terminal.send(WITH_LE)
        assert terminal.say("00").startswith("! ")


def test_java_fetches_what_waits_on_the_card(serve: Serve, image: Path) -> None:
    wholes = tuple(each for each in PLAIN_READS if each[1] != 0xC0)
    wholes = (*wholes, WITH_LE)
    expected = answers(image, wholes, followed=True)
    serve(image)
    with java() as terminal:
        assert expected == [terminal.send(each) for each in wholes]


def test_in_a_transaction_of_java_others_wait(serve: Serve, image: Path) -> None:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    ours = (SELECT_BANK, FETCH, READ_BANK)
    theirs = (SELECT, FETCH, PLAIN_READS[2])
    expected_ours, expected_theirs = answers(image, ours), answers(image, theirs)
    serve(image)
    with (
        java(*RAW) as terminal,
        PcscChannel.open(READERS[0], deadline=0.5) as hasty,
        PcscChannel.open(READERS[0]) as patient,
        ThreadPoolExecutor(1) as second,
    ):
        assert terminal.say("begin") == "begin"
        told = [terminal.send(SELECT)]
        with pytest.raises(CardGone), hasty.transaction():
            pytest.fail("a transaction in a transaction")
        late = second.submit(patient.transmit, SELECT_BANK)
        with pytest.raises(TimeoutError):
            late.result(0.2)
        told += [terminal.send(each) for each in theirs[1:]]
        assert expected_theirs == told
        assert terminal.say("end") == "end"
        assert expected_ours[0] == late.result(5)

        with patient.transaction():
            heard = [patient.transmit(SELECT_BANK)]
            terminal.begin(SELECT.hex())
            heard += [patient.transmit(each) for each in ours[1:]]
        assert expected_ours == heard
        assert expected_theirs[0] == bytes.fromhex(terminal.heard())
