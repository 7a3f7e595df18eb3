# SPDX-License-Identifier: Apache-2.0
"""pcsc-tools with our card: pcsc_scan sees it come and go, scriptor runs a script."""

from __future__ import annotations

import subprocess
from pathlib import Path
from threading import Thread

import pytest
from conftest import Serve
from hermetic import READERS, Pcscd, until
from programs import needs, run, scriptor
from serving import MISSHAPEN, PLAIN_READS, READ_BANK, WITH_LE, answers

pytestmark = pytest.mark.outside


@needs("pcsc_scan")
def test_pcsc_scan_lists_the_readers_and_the_card(serve: Serve, image: Path) -> None:
    card = serve(image)
    readers = run("pcsc_scan", "-r")
    assert readers.code == 0
    assert all(name in readers.out for name in READERS)
    cards = run("pcsc_scan", "-n", "-c")
    assert card.seen().hex(" ").upper() in cards.out


@needs("pcsc_scan")
def test_pcsc_scan_sees_the_card_come_and_go(serve: Serve, pcscd: Pcscd, image: Path) -> None:
    heard: list[str] = []
    with subprocess.Popen(
        ["pcsc_scan", "-n"], stdout=subprocess.PIPE, text=True, errors="backslashreplace"
    ) as scan:
        assert scan.stdout
        listener = Thread(target=heard.extend, args=(scan.stdout,), daemon=True)
        listener.start()
        try:

            def state() -> str:
                text = "".join(heard).partition("Card state:")[2]
                slot = "".join(heard).rpartition(f"Reader 0: {READERS[0]}")[2]
                return slot.partition("Card state:")[2].partition(",")[0].strip() if text else ""

            until("nothing yet", lambda: state() == "Card removed")
            for _ in range(2):
                card = serve(image)
                until("the card came", lambda: state() == "Card inserted")
                atr = card.seen().hex(" ").upper()
                until("its ATR", lambda atr=atr: atr in "".join(heard))
                assert card.stop() == 0
                until("the card went", lambda: state() == "Card removed")
        finally:
            scan.terminate()
            listener.join(10)


@needs("scriptor")
@pytest.mark.parametrize("protocol", ["T0", "T1"])
def test_scriptor_gets_the_answers_that_memory_gives(
    serve: Serve, image: Path, tmp_path: Path, protocol: str
) -> None:
    commands = (WITH_LE, MISSHAPEN, *PLAIN_READS)
    expected = answers(image, commands)
    card = serve(image, "--atr-protocol", protocol)
    again = (READ_BANK, *PLAIN_READS)
    after = answers(image, again)
    assert expected[-1] != after[0], "a reset forgets what was selected"
    told = scriptor(tmp_path / "script", [*commands, None, *again])
    assert [*expected, card.seen(), *after] == told
