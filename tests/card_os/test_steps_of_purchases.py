# SPDX-License-Identifier: Apache-2.0
"""A PSAM judges MAC2 in as many steps wherever the first difference is."""

from __future__ import annotations

from functools import partial

import pytest
from opcodes import Attempt, alike, differing, early_exit, seen
from psambench import ALGORITHM_OF, CARD_FACTOR, PURCHASE, psam, purchase, verify_mac2

from apdu.crypto import purchase as cryptograms
from apdu.crypto.derive import diversify
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.keys import PsamName
from apdu.wire.psam_commands import PurchaseReply
from apdu.wire.purchase import MAC, Mac2Input
from card_os.chip import Chip
from host.keys import MemoryKeys

DPK1 = PsamName(0x22, 1)


def begun(chip: Chip, suite: Suite, mask: bytes) -> bytes:
    """VERIFY MAC2 for a purchase that was just begun, changed by a mask."""
    answer = chip.transmit(purchase(algorithm=ALGORITHM_OF[suite.number]))
    reply = PurchaseReply.parse(answer[:-2])
    master = suite.key(MemoryKeys(suite=suite).master(DPK1).reveal())
    dpk = suite.key(diversify(master, CARD_FACTOR))
    card, terminal = PURCHASE.card_sequence, reply.terminal_sequence
    session = cryptograms.purchase_key(dpk, PURCHASE.random, card, terminal)
    right = cryptograms.mac2(session, Mac2Input(card, terminal, reply.mac1))
    return verify_mac2(bytes(a ^ b for a, b in zip(right, mask, strict=True)))


def wrong(chip: Chip, suite: Suite) -> list[Attempt]:
    return [partial(begun, chip, suite, mask) for mask in differing(bytes(MAC))]


@pytest.mark.parametrize("suite", SUITES.values(), ids=repr)
def test_mac2_takes_the_same_steps_wherever_it_is_wrong(suite: Suite) -> None:
    chip = psam(suite)
    assert b"\x90\x00" == chip.transmit(begun(chip, suite, bytes(MAC)))
    alike(chip.transmit, wrong(chip, suite), b"\x93\x02")


def test_a_comparison_that_stops_early_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("card_os.commands.psam.compare_digest", early_exit)
    chip = psam()
    assert MAC == len(seen(chip.transmit, wrong(chip, SUITES[1])))
