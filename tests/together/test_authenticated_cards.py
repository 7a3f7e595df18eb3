# SPDX-License-Identifier: Apache-2.0
"""Cards of every shipped profile authenticate to the shipped terminal, by each method they have."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from odacards import order
from tapcards import Desk, reasons
from terminalfiles import shipped

from apdu.wire.pboc.flags import TerminalCapabilities, Tsi, Tvr
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, issue_test_card
from host.issuer.profile import SHIPPED
from host.terminal.pboc import pay

AUTHORITIES = {
    "rsa-1152": "E1",
    "rsa-1408": "E2",
    "rsa-1984": "E3",
    "sm2": "E4",
    "published": "80",
}
"""Index of the key that each profile is certified under."""
WITHOUT = {
    "CDA": TerminalCapabilities(0),
    "DDA": TerminalCapabilities.CDA,
    "SDA": TerminalCapabilities.CDA | TerminalCapabilities.DDA,
}


@cache
def cells(bank: str) -> bytes:
    return bytes(issue_test_card(bank=bank)._flash.cells)


@pytest.mark.parametrize("bank", SHIPPED)
@pytest.mark.parametrize("method", WITHOUT)
def test_a_card_authenticates_by_the_best_method_that_the_terminal_has(
    bank: str, method: str
) -> None:
    chip = Chip.boot(Flash(bytearray(cells(bank))), seeded(7, TEST_DAY))
    capabilities = shipped().capabilities & ~WITHOUT[method]
    config = replace(shipped(), capabilities=capabilities)
    found = pay(Card(MemoryChannel(chip)), order(), config, Desk())
    said = reasons(found)
    if bank == "published":  # a card without CDA, and without signed static data
        method = "DDA" if method == "CDA" else method
    failed = bank == "published" and method == "SDA"
    assert f"CA key A000000333 {AUTHORITIES[bank]}" in said or failed
    assert (f"{method} succeeded" in said) is not failed
    assert failed == bool(found.tvr & Tvr.SDA_FAILED)
    assert failed == bool(found.tvr & Tvr.ICC_DATA_MISSING)
    assert not found.tvr & (Tvr.DDA_FAILED | Tvr.CDA_FAILED)
    assert found.tsi & Tsi.ODA_PERFORMED


def test_a_terminal_without_sm2_authenticates_a_card_of_both_under_rsa() -> None:
    chip = Chip.boot(Flash(bytearray(cells("sm2"))), seeded(7, TEST_DAY))
    config = replace(shipped(), sm=False)
    found = pay(Card(MemoryChannel(chip)), order(), config, Desk())
    assert "under CA key A000000333 E1" in reasons(found)
    assert "CDA succeeded" in reasons(found)
