# SPDX-License-Identifier: Apache-2.0
"""Making a card image: personalised in memory, and written only once it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from secrets import token_bytes

import click

from apdu.errors import FormatError
from apdu.wire.hrss.generations import GENERATIONS, Generation
from card_os import image
from card_os.chip import FLASH_SIZE
from card_os.nvm import Flash
from card_os.world import World, seeded
from host.cli.testcard import TEST_DAY, blank_chip
from host.cli.testcard import issue as personalised
from host.cli.text import packed, spaced, visible
from host.clients.hrss import HrssClient
from host.holder import Holder
from host.issuer.profile import DEFAULT, SHIPPED, BankProfile, bank_profile, known_chance, pan_in


@dataclass(frozen=True, slots=True)
class Issued:
    """A card that was made, in its own words."""

    image: Path
    generation: str
    card_number: str
    identification: bytes
    atr: bytes
    bank: str
    pan: str
    """Of the debit application."""

    def as_json(self) -> dict[str, object]:
        return {
            "image": str(self.image),
            "generation": self.generation,
            "card_number": self.card_number,
            "identification": packed(self.identification),
            "atr": packed(self.atr),
            "bank_profile": self.bank,
            "pan": self.pan,
            "test_keys": True,
        }

    def words(self) -> str:
        return (
            f"card number          {self.card_number}\n"
            f"identification code  {packed(self.identification)}\n"
            f"ATR                  {spaced(self.atr)}\n"
            f"bank card            {self.pan} ({visible(self.bank)})\n"
            f"image                {visible(str(self.image))}\n"
            "It carries published TEST KEYS and the initial PIN:"
            " put no real person's data on it."
        )


def issue_image(
    source: Path,
    target: Path,
    generation: str,
    seed: int | None,
    bank: str | None = None,
    pan: str | None = None,
) -> Issued:
    """Make a card for the holder in `source` and write its image to `target`.

    `bank`: a shipped profile's name, or a file; the usual one unless given. Raises
    HolderFileError, ImageError when `target` exists or cannot be written, and a usage error for
    a generation, a profile or a PAN that a card cannot be issued with. None of them leaves an
    image behind.
    """
    chosen = generation_asked_for(generation)
    holder = Holder.load(source)
    name = DEFAULT if bank is None else bank
    profile = profile_asked_for(name)
    flash = Flash(bytearray(FLASH_SIZE))
    chance = token_bytes if seed is None else known_chance()
    try:
        groups = profile.groups(chance, pan)
    except FormatError as error:
        raise click.UsageError(f"--pan or --bank-profile: {error}.") from None
    chip = blank_chip(world_of(seed), flash)
    card = personalised(chip, holder, chosen, bank=BankProfile(groups), random=chance)
    atr = card.channel.reset()
    issuer = HrssClient(card).issuer()
    image.save(target, flash.cells)
    return Issued(
        target, generation, issuer.card_number, issuer.identification, atr, name, pan_in(groups)
    )


def profile_asked_for(name: str) -> BankProfile:
    """The profile of --bank-profile; a usage error for one that there is not, or is wrong."""
    try:
        return bank_profile(name)
    except FormatError as error:
        raise click.UsageError(f"--bank-profile {visible(name)}: {error}.") from None
    except OSError:
        known = ", ".join(SHIPPED)
        raise click.UsageError(
            f"--bank-profile: there are {known}, and no readable file {visible(name)}."
        ) from None


def generation_asked_for(name: str) -> Generation:
    """The generation of --generation; a usage error for one that cannot be issued."""
    if name not in GENERATIONS:
        known = ", ".join(GENERATIONS)
        raise click.UsageError(f"--generation: there are {known}, not {name!r}.")
    return GENERATIONS[name]


def world_of(seed: int | None) -> World:
    """Where chips get their randomness from: the real world, or a known one for a seed."""
    return World(token_bytes, date.today) if seed is None else seeded(seed, TEST_DAY)
