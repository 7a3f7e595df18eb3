# SPDX-License-Identifier: Apache-2.0
"""Blocking at the desk, with keys from memory, from a PSAM, and from a centre's HSM."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from blockbench import BLOCKED, ENDED, KEY_OF, OPEN, states
from psambench import holder_card, holder_identity, psam
from testbench import SELECT_HRSS

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.hrss.generations import DIRECTORIES
from apdu.wire.hrss.spec import DfSpec
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.hrss import HrssClient
from host.faults import CardRefused, KeyUnavailable, Lack, NotAllowed, PinWrong
from host.hsm import HsmAddresses, HsmKeys, MemoryHsm
from host.keys import KeySource, MemoryKeys
from host.psam import PsamKeys
from host.terminal.authentication import authenticate
from host.terminal.blocking import block, block_card, unblock

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
kinds = pytest.mark.parametrize("kind", ["memory", "PSAM", "HSM"])
OF_A_CENTRE = HsmAddresses({name: 0x1000 + n for n, name in enumerate(("BK", *KEY_OF.values()))})
"""As if a centre had told them: none of these addresses has been seen."""
DF = {directory.label: directory for directory in DIRECTORIES}


def source_of(kind: str, suite: Suite, root: Secret | None = None) -> KeySource:
    keys = MemoryKeys(root, suite)
    match kind:
        case "memory":
            return keys
        case "PSAM":
            return PsamKeys(Card(MemoryChannel(psam(suite))))
        case _:
            centre = MemoryHsm(keys, holder_identity(suite), OF_A_CENTRE)
            return HsmKeys(centre.answer, suite, OF_A_CENTRE)


class Listened(MemoryChannel):
    """A channel that counts what goes over it."""

    sent = 0

    def _exchange(self, command: bytes) -> bytes:
        self.sent += 1
        return super()._exchange(command)


def desk(suite: Suite) -> tuple[Chip, HrssClient, Listened]:
    chip = holder_card(suite)
    channel = Listened(chip)
    return chip, HrssClient(Card(channel)), channel


@suites
@kinds
def test_every_directory_that_can_be_blocked_is_blocked_and_given_back(
    suite: Suite, kind: str
) -> None:
    chip, client, _ = desk(suite)
    source, card = source_of(kind, suite), holder_identity(suite)
    blank = chip.snapshot()
    for place in KEY_OF:
        for _ in range(2):  # once more, as after an answer that was lost
            block(client, source, card, DF[place])
            assert BLOCKED == states(chip)[place]
        for _ in range(2):
            unblock(client, source, card, DF[place])
            assert OPEN == states(chip)[place]
    assert blank == chip.snapshot()


@suites
@kinds
def test_a_directory_that_is_blocked_for_good_stays_so(suite: Suite, kind: str) -> None:
    chip, client, _ = desk(suite)
    source, card = source_of(kind, suite), holder_identity(suite)
    block(client, source, card, DF["DF03"])
    block(client, source, card, DF["DF03"], permanent=True)
    block(client, source, card, DF["DF07"], permanent=True)
    verbs: list[Callable[..., None]] = [block, unblock]
    for place in ("DF03", "DF07"):
        for verb in verbs:
            with pytest.raises(NotAllowed, match="9303"):
                verb(client, source, card, DF[place])
    expected = dict.fromkeys(KEY_OF, OPEN) | {"DF03": ENDED, "DF07": ENDED}
    assert expected == states(chip)


@suites
@kinds
def test_a_card_is_blocked_and_nothing_brings_it_back(suite: Suite, kind: str) -> None:
    chip, client, _ = desk(suite)
    source, card = source_of(kind, suite), holder_identity(suite)
    client.enter(DF["DF02"])
    block_card(client, source, card)
    for restart in (False, True):
        if restart:
            chip.reset()
        assert b"\x6a\x81" == chip.transmit(SELECT_HRSS)
        with pytest.raises(CardRefused, match="6A81"):
            unblock(client, source, card, DF["DF03"])


@suites
def test_the_desk_finds_the_directory_that_it_has_blocked_selected(suite: Suite) -> None:
    _, client, _ = desk(suite)
    source, card = source_of("memory", suite), holder_identity(suite)
    block(client, source, card, DF["DF03"])
    with pytest.raises(NotAllowed, match="6985"):
        client.verify("123456")
    unblock(client, source, card, DF["DF03"])
    client.verify("123456")
    authenticate(client, source, card, next(k for k in DF["DF03"].keys if k.name == "UK1DF03"))


# What is refused, and what it leaves


@suites
@kinds
@pytest.mark.parametrize("label", ["SSSE", "DF01", "DF02"])
def test_a_directory_that_cannot_be_blocked_is_refused_before_anything_is_sent(
    suite: Suite, kind: str, label: str
) -> None:
    chip, client, channel = desk(suite)
    source, card = source_of(kind, suite), holder_identity(suite)
    before, sent = chip.snapshot(), channel.sent
    for verb in (block, unblock):
        with pytest.raises(FormatError, match=f"^{label}: cannot be blocked"):
            verb(client, source, card, DF[label])
    assert (before, sent) == (chip.snapshot(), channel.sent)


def every_verb(client: HrssClient, source: KeySource, suite: Suite) -> list[Callable[[], None]]:
    card = holder_identity(suite)

    def about(verb: Callable[..., None], directory: DfSpec) -> Callable[[], None]:
        return lambda: verb(client, source, card, directory)

    verbs = [about(verb, DF[place]) for verb in (block, unblock) for place in KEY_OF]
    return [*verbs, lambda: block_card(client, source, card)]


@suites
@pytest.mark.parametrize("kind", ["memory", "HSM"])
def test_keys_of_a_foreign_root_block_nothing_and_cost_nothing(suite: Suite, kind: str) -> None:
    chip, client, _ = desk(suite)
    with pytest.raises(PinWrong):
        client.verify("000000")
    before = chip.snapshot()
    foreign = source_of(kind, suite, Secret(bytes(range(16))))
    for verb in every_verb(client, foreign, suite):
        with pytest.raises(CardRefused, match="6988"):
            verb()
        assert before == chip.snapshot()


@suites
def test_keys_of_the_other_algorithm_are_not_tried(suite: Suite) -> None:
    (other,) = set(SUITES.values()) - {suite}
    chip, client, channel = desk(suite)
    before, sent = chip.snapshot(), channel.sent
    for kind in ("memory", "PSAM"):
        for verb in every_verb(client, source_of(kind, other), suite):
            with pytest.raises(KeyUnavailable) as refused:
                verb()
            assert Lack.ALGORITHM is refused.value.lack
    assert (before, sent) == (chip.snapshot(), channel.sent)


@suites
def test_a_centre_whose_addresses_are_not_known_is_told_apart(suite: Suite) -> None:
    chip, client, _ = desk(suite)
    before = chip.snapshot()
    card = holder_identity(suite)
    centre = HsmKeys(MemoryHsm(MemoryKeys(suite=suite), card).answer, suite)
    for verb in every_verb(client, centre, suite):
        with pytest.raises(KeyUnavailable) as refused:
            verb()
        assert Lack.ADDRESS is refused.value.lack
    assert before == chip.snapshot()
