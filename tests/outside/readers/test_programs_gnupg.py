# SPDX-License-Identifier: Apache-2.0
"""GnuPG with our card: no OpenPGP card, but its daemon carries commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS, until
from programs import Agent, agent_data, needs
from serving import MISSHAPEN, PLAIN_READS, WITH_LE, answers, snapshot

from host.channel.pcsc import PcscChannel
from host.faults import CardBusy

pytestmark = [pytest.mark.outside, needs("gpg-connect-agent")]


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    agent = Agent(tmp_path_factory.mktemp("gnupg") / "home")
    yield agent
    agent.kill()


@pytest.mark.parametrize("protocol", ["T0", "T1"])
def test_the_daemon_gets_the_answers_that_memory_gives(
    serve: Serve, agent: Agent, image: Path, protocol: str
) -> None:
    commands = (WITH_LE, MISSHAPEN, *PLAIN_READS)
    expected = answers(image, commands)
    serve(image, "--atr-protocol", protocol)
    lines = [f"SCD APDU {each.hex()}" for each in commands]
    first, *told = agent.say("SCD SERIALNO undefined", *lines)
    assert first.code == 0, first
    assert expected == [agent_data(each.out) for each in told]


def test_looking_for_an_openpgp_card_fails_cleanly_and_changes_nothing(
    serve: Serve, agent: Agent, image: Path
) -> None:
    before = snapshot(image)
    card = serve(image)
    status = agent.run("gpg", "--card-status")
    assert status.code == 2
    assert "card" in status.error
    agent.kill()
    assert card.seen()
    assert before == snapshot(image)


def test_while_the_daemon_has_the_card_to_itself_our_host_says_so(
    serve: Serve, agent: Agent, image: Path
) -> None:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    serve(image)
    (first,) = agent.say("SCD SERIALNO undefined")
    assert first.code == 0, first
    with pytest.raises(CardBusy, match="another program"):
        PcscChannel.open(READERS[0])
    agent.kill()

    def free() -> PcscChannel | None:
        with suppress(CardBusy):  # the daemon ends a moment after it was told to
            return PcscChannel.open(READERS[0])
        return None

    with until("the card is free", free) as channel:
        assert answers(image, PLAIN_READS[:1]) == [channel.transmit(PLAIN_READS[0])]
