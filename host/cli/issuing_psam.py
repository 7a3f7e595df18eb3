# SPDX-License-Identifier: Apache-2.0
"""Making a PSAM image: personalised in memory, and written only once it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from apdu.crypto.suites import SUITES
from card_os import image
from card_os.chip import FLASH_SIZE
from card_os.nvm import Flash
from host.cli.issuing import generation_asked_for, world_of
from host.cli.testcard import TEST_SERIAL, TEST_TERMINAL, blank_psam, issue_psam
from host.cli.text import packed, spaced, visible
from host.keys import MemoryKeys
from host.psam import PsamKeys
from host.psam_region import Level, PsamRegion, region_named

CARDS_SERVED = {
    Level.NATIONAL: "cards of every region",
    Level.PROVINCE: "cards of this province",
    Level.CITY: "cards of this city",
}
"""Whose keys of three levels a PSAM can compute."""


@dataclass(frozen=True, slots=True)
class IssuedPsam:
    """A PSAM that was made, in its own words, and what it was made for."""

    image: Path
    region: PsamRegion
    generation: str
    algorithm: str
    terminal: str
    serial: str
    atr: bytes

    def as_json(self) -> dict[str, object]:
        return {
            "image": str(self.image),
            "region": self.region.code,
            "level": self.region.level.name.lower(),
            "generation": self.generation,
            "algorithm": self.algorithm,
            "terminal": self.terminal,
            "serial": self.serial,
            "atr": packed(self.atr),
            "test_keys": True,
        }

    def words(self) -> str:
        level = self.region.level
        return (
            f"PSAM of              {self.region.code}"
            f" ({level.name.lower()}): for {CARDS_SERVED[level]}\n"
            f"algorithm            {self.algorithm}\n"
            f"terminal number      {self.terminal}\n"
            f"serial number        {self.serial}\n"
            f"ATR                  {spaced(self.atr)}\n"
            f"image                {visible(str(self.image))}\n"
            "It carries the masters of published TEST KEYS: no real card knows them."
        )


def issue_psam_image(
    region: str,
    target: Path,
    generation: str,
    seed: int | None,
    terminal: str | None = None,
    serial: str | None = None,
) -> IssuedPsam:
    """Make the PSAM of a region for cards of a generation and write its image to `target`.

    `terminal` and `serial` are a test terminal's and a test PSAM's unless they are given.
    Raises FormatError for a region or a number that is none, ImageError when `target` exists or
    cannot be written, a usage error for the generation. None of them leaves an image behind.
    """
    chosen, whose = generation_asked_for(generation), region_named(region)
    flash = Flash(bytearray(FLASH_SIZE))
    keys = MemoryKeys(suite=SUITES[chosen.algorithm])
    card = issue_psam(
        blank_psam(world_of(seed), flash),
        keys,
        whose,
        TEST_TERMINAL if terminal is None else terminal,
        TEST_SERIAL if serial is None else serial,
    )
    atr = card.channel.reset()
    made = PsamKeys(card)
    image.save(target, flash.cells)
    return IssuedPsam(target, whose, generation, made.suite.name, made.terminal, made.serial, atr)
