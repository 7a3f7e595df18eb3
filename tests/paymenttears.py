# SPDX-License-Identifier: Apache-2.0
"""Cutting the power at every write of a payment command, on cards of any personalisation."""

from __future__ import annotations

from dataclasses import dataclass

from paymentbench import chip_of, state_of
from tearing import Scenario, torn_cells

from apdu.atr import Interface
from card_os.apps.pboc.state import CardState
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.cli.testcard import TEST_DAY


@dataclass(frozen=True)
class PaymentScenario(Scenario):
    """`memory`: of the card (`paymentbench.payment_cells`, `lived`)."""

    memory: bytes = b""
    interface: Interface = Interface.CONTACT

    def boot(self, flash: Flash) -> Chip:
        chip = Chip.boot(flash, seeded(7, TEST_DAY))
        chip.reset(self.interface)
        return chip

    def blank_cells(self) -> bytes:
        return self.memory


def torn_chips(scenario: Scenario) -> list[Chip]:
    """The chips that a power cut at some write of the command can leave, under power again."""
    return [chip_of(cells) for cells in torn_cells(scenario)]


def torn_states(scenario: Scenario) -> set[CardState]:
    """Their counters and balances."""
    return {state_of(chip) for chip in torn_chips(scenario)}
