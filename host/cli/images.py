# SPDX-License-Identifier: Apache-2.0
"""A chip on its image, as every command opens one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from secrets import token_bytes
from typing import Self

from card_os.chip import Chip
from card_os.files.layout import Mark
from card_os.files.tree import read_master
from card_os.image import Durability, ImageError, ImageFlash
from card_os.nvm import MemoryDamaged, Nvm
from card_os.world import World


@dataclass(frozen=True, slots=True)
class OpenImage:
    """A chip on its image, which is this process's own until it is closed."""

    path: Path
    flash: ImageFlash
    chip: Chip
    mark: Mark
    """What kind of chip it is."""

    @classmethod
    def at(cls, path: Path, durability: Durability = Durability.KILL_SAFE) -> Self:
        """Raises ImageError for an image that cannot be used."""
        with ExitStack() as stack:
            flash = stack.enter_context(ImageFlash(path, durability))
            try:
                chip = Chip.boot(flash, World(token_bytes, date.today))
            except MemoryDamaged as error:
                raise ImageError(path, f"damaged: {error}") from None
            stack.pop_all()
        return cls(path, flash, chip, read_master(Nvm(flash)).mark)

    def close(self) -> None:
        """Seal the image and let go of it."""
        self.flash.close()
