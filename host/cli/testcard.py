# SPDX-License-Identifier: Apache-2.0
"""Issued test cards for programs and tests, the same bytes for the same seed.

from host.cli.testcard import issue_test_card

chip = issue_test_card(generation="2.0", seed=7)
chip.reset()                    # the ATR
chip.transmit(b"\x00\x84\x00\x00\x08")
chip.snapshot()                 # a digest of its memory
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from apdu.crypto.suites import SUITES
from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.hrss.generations import GENERATIONS, SECOND, Generation
from card_os.chip import FLASH_SIZE, Chip
from card_os.files.layout import Mark
from card_os.nvm import Flash
from card_os.world import World, seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.holder import Holder
from host.issuer.profile import DEFAULT, BankProfile, bank_profile, known_chance
from host.keys import MemoryKeys
from host.psam_region import NATION, NATIONAL, PsamRegion, region_named
from host.terminal.personalise import personalise
from host.terminal.personalise_debit import personalise_debit
from host.terminal.personalise_psam import personalise_psam

TEST_HOLDER: Final = Holder(
    number="430200199003070015",
    name="测试持卡人",
    sex=Sex.MALE,
    ethnic_group=EthnicGroup.HAN,
    birthplace="430200",
    birth_date=date(1990, 3, 7),
    region="430200",
    issue_date=date(2026, 1, 5),
    expiry_date=date(2036, 1, 4),
    card_number="B00000131",
)
"""An invented person; no district has the code 430200, so nobody has such a number."""
TEST_DAY: Final = date(2026, 1, 5)
"""The date in the world of seeded test cards."""
TEST_TERMINAL: Final = "990000000001"
"""The number of the terminal that a test PSAM is for."""
TEST_SERIAL: Final = "99000000000000000001"
_VENDOR: Final = b"SW"
"""T4-T5 of the ATR: a card made of software."""


def blank_chip(world: World, flash: Flash | None = None) -> Chip:
    """A new chip with its own number, before personalisation."""
    return _manufacture(world, flash, Mark.CARD)


def _manufacture(world: World, flash: Flash | None, mark: Mark) -> Chip:
    historical = bytes.fromhex("008154") + _VENDOR + world.random(8)
    return Chip.manufacture(flash or Flash(bytearray(FLASH_SIZE)), world, historical, mark)


def issue(
    chip: Chip,
    holder: Holder,
    generation: Generation = SECOND,
    keys: MemoryKeys | None = None,
    bank: BankProfile | None = None,
    pan: str | None = None,
    random: Callable[[int], bytes] | None = None,
) -> Card:
    """Personalise a blank chip for a holder with test keys, and its debit application.

    `bank`: the profile of that, a shipped one unless given; `pan`: another PAN than the
    profile's; `random`: for the bank's signatures and its challenge, known
    bytes unless given. Raises FormatError
    for a PAN or a profile that does not fit, before anything is written.
    """
    chance = random or known_chance()
    groups = (bank or bank_profile(DEFAULT)).groups(chance, pan)
    card = Card(MemoryChannel(chip))
    keys = keys or MemoryKeys(suite=SUITES[generation.algorithm])
    personalise(card, holder, keys, generation)
    personalise_debit(card, groups, random=chance)
    return card


def issue_test_card(
    generation: str = "2.0",
    seed: int = 7,
    holder: Holder = TEST_HOLDER,
    bank: str | BankProfile = DEFAULT,
    pan: str | None = None,
) -> Chip:
    """An issued, sealed chip for the test holder; its PIN is still the initial 123456.

    `generation`: 1.0, 2.0 or 3.0; ValueError for another. `bank`: the profile of its debit
    application, by name, file or value; `pan`: another PAN than the profile's. FormatError for
    one that does not fit.
    """
    chosen = _generation(generation)
    profile = bank_profile(bank) if isinstance(bank, str) else bank
    chip = blank_chip(seeded(seed, TEST_DAY))
    issue(chip, holder, chosen, bank=profile, pan=pan)
    chip.reset()
    return chip


def blank_psam(world: World, flash: Flash | None = None) -> Chip:
    """A new chip with its own number that is to become a PSAM."""
    return _manufacture(world, flash, Mark.PSAM)


def issue_psam(
    chip: Chip,
    keys: MemoryKeys,
    region: PsamRegion = NATIONAL,
    terminal: str = TEST_TERMINAL,
    serial: str = TEST_SERIAL,
) -> Card:
    """Personalise a blank chip as a terminal's PSAM: with the masters of `keys`, those of a
    province or a city diversified down to there. Raises FormatError for a number that is none."""
    card = Card(MemoryChannel(chip))
    personalise_psam(card, keys, terminal, serial, region=region)
    return card


def issue_test_psam(
    keys: MemoryKeys | None = None,
    seed: int = 8,
    flash: Flash | None = None,
    region: str = NATION,
    generation: str = "2.0",
) -> Chip:
    """A sealed PSAM with the masters of all test cards' keys, or of `keys`.

    `region`: `national`, or the six digits of a province (430000) or a city (430200), for a PSAM
    that serves its cards alone. `generation`: of the cards that it is for, where no `keys` say
    which algorithm; ValueError for one that there is not, FormatError for such a region.
    """
    chosen = _generation(generation)
    chip = blank_psam(seeded(seed, TEST_DAY), flash)
    keys = keys or MemoryKeys(suite=SUITES[chosen.algorithm])
    issue_psam(chip, keys, region_named(region))
    chip.reset()
    return chip


def _generation(name: str) -> Generation:
    if name not in GENERATIONS:
        raise ValueError(f"generation {name!r}: there are {', '.join(GENERATIONS)}")
    return GENERATIONS[name]
