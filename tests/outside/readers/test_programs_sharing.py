# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of our card, on it beside our host: they look for cards of their own,
and neither the session of the host nor the card comes to harm."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS
from programs import LIMIT, needs, run
from serving import SELECT, snapshot

from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.record import Record
from card_os.chip import Chip
from card_os.image import ImageFlash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.pcsc import PcscChannel
from host.cli.testcard import TEST_DAY
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardReset, NotAllowed
from host.terminal.hrss import activate

pytestmark = [
    pytest.mark.outside,
    needs("opensc-tool", "pkcs11-tool", "pkcs15-tool", "opensc-explorer", "pcsc_scan"),
]
pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
PIN = "318274"
PROBES = {
    "opensc-tool": ("opensc-tool", "-n"),
    "pkcs15-tool": ("pkcs15-tool", "-D"),
    "pkcs11": ("pkcs11-tool", "-L"),
    "pcsc_scan": ("pcsc_scan", "-c"),
}
probes = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)


@pytest.fixture
def activated(image: Path) -> Path:
    """The card of somebody who has a PIN."""
    with ImageFlash(image) as flash:
        client = HrssClient(Card(MemoryChannel(Chip.boot(flash, seeded(7, TEST_DAY)))))
        client.select()
        activate(client, "123456", PIN)
    return image


def entered(client: HrssClient) -> Record:
    """What a PIN is needed for, from the beginning."""
    client.select()
    client.verify(PIN)
    return client.household()


@probes
def test_who_looks_for_cards_of_his_own_waits_for_our_transaction(
    serve: Serve, activated: Path, probe: tuple[str, ...]
) -> None:
    serve(activated)
    quiet = subprocess.DEVNULL
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        with client.card.transaction():
            before = entered(client)
            other = subprocess.Popen(probe, stdin=quiet, stdout=quiet, stderr=quiet)
            try:
                for _ in range(50):
                    assert before == client.household()
            except BaseException:
                other.kill()
                raise
        assert 0 <= other.wait(LIMIT) < 128, "it did not crash"


@probes
def test_what_others_do_between_our_commands_costs_nothing_and_is_told(
    serve: Serve, activated: Path, probe: tuple[str, ...]
) -> None:
    card = serve(activated)
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        known = entered(client)
        before = snapshot(activated)
        assert 0 <= run(*probe).code < 128, "it did not crash"
        assert before == snapshot(activated), "a PIN try, or anything else that lasts"
        with suppress(CardFault):  # what is selected now is theirs: no, or the same
            assert known == client.household()
        with client.card.transaction():
            assert known == entered(client)
        assert card.seen() == channel.atr


def test_what_a_stranger_types_at_the_card_is_refused(serve: Serve, activated: Path) -> None:
    card = serve(activated)
    before = snapshot(activated)
    typed = (
        "cd 3F00\nls\ninfo\ncat 0001\ncat 2F00\nget 2F00 /dev/null\nrandom 8\nget_data 9F17\n"
        "rm 0001\ncd aid:A000000333010101\ncat 0001\ncd ..\ncreate 0001 10\nmkdir 5000 100\nerase\n"
        "put_data 0101 00\nupdate_record 0005 1 0 00\nupdate_binary 0003 0 FFFF\n"
        f"cd aid:{SSSE_NAME.hex()}\nrm EF05\nupdate_record EF05 1 0 00\nput EF06 /dev/null\n"
        "apdu 00:A4:04:00\napdu 00\napdu 00:E4:00:00:00\napdu 80:E0:00:00:02:3F:00\nquit\n"
    )
    assert 0 <= run("opensc-explorer", "-r", READERS[0], given=typed).code < 128
    assert before == snapshot(activated)
    with PcscChannel.open(READERS[0]) as channel:
        entered(HrssClient(Card(channel)))
        assert card.seen() == channel.atr


def test_a_program_that_switches_the_card_off_is_noticed_and_nothing_proven_stays(
    serve: Serve, activated: Path
) -> None:
    serve(activated)
    with PcscChannel.open(READERS[0]) as channel:
        client = HrssClient(Card(channel))
        known = entered(client)
        assert run("opensc-tool", "-r", READERS[0], "--reset").code == 0
        with pytest.raises(CardReset):
            channel.transmit(SELECT)
        channel.reset()
        client.select()
        with pytest.raises(NotAllowed):
            client.household()
        assert known == entered(client)
