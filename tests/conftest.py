# SPDX-License-Identifier: Apache-2.0
"""The fixtures that every test may ask for, and how hard Hypothesis tries."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import Flash
from card_os.world import World, seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def world() -> World:
    return seeded(7, TEST_DAY)


@pytest.fixture
def flash() -> Flash:
    return Flash(bytearray(FLASH_SIZE))


@pytest.fixture
def chip(world: World, flash: Flash) -> Chip:
    """The issued test card of seed 7, as `issue_test_card()` makes it."""
    chip = blank_chip(world, flash)
    issue(chip, TEST_HOLDER)
    chip.reset()
    return chip


@pytest.fixture
def card(chip: Chip) -> Card:
    return Card(MemoryChannel(chip))
