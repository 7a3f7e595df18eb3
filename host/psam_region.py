# SPDX-License-Identifier: Apache-2.0
"""Whose PSAM it is: the nation's, a province's or a city's, and how far down its masters are.

A national PSAM has the roots, and serves every card. One of a province or of a city has masters
that were diversified down to there, so it can serve the cards of that region alone. A key of two
levels (city, card) has no province level, and one of a single level is the same in every PSAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from apdu.crypto.derive import diversify
from apdu.crypto.suite import Suite
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.hrss.keys import PsamName
from apdu.wire.psam import MAX_LEVELS, with_levels
from host.keys import MemoryKeys, factors
from host.regions import PROVINCES, check_region

NATION: Final = "national"
"""What people call the region 000000."""
_NATION_CODE: Final = "000000"
_WHOLE_PROVINCE: Final = "0000"
_MARKED: Final = 4
"""Digits of the region that a PSAM tells: those of province and city."""


class Level(IntEnum):
    """How many levels of a key of three are gone already."""

    NATIONAL = 0
    PROVINCE = 1
    CITY = 2


@dataclass(frozen=True, slots=True)
class PsamRegion:
    """A region that has PSAMs: 000000, a province (430000), or a city or county (430200).

    Raises FormatError for a code that is none of GB/T 2260.
    """

    code: str

    def __post_init__(self) -> None:
        if self.code != _NATION_CODE:
            try:
                check_region(self.code)
            except ValueError as rule:
                raise FormatError(f"region: {rule}, or `{NATION}`") from None

    @property
    def level(self) -> Level:
        if self.code == _NATION_CODE:
            return Level.NATIONAL
        return Level.PROVINCE if self.code.endswith(_WHOLE_PROVINCE) else Level.CITY

    @property
    def mark(self) -> bytes:
        """The issuer's two bytes of EF15: the first four digits (profile choice `psam-region`)."""
        return bytes.fromhex(self.code[:_MARKED])

    def stored(self, name: PsamName) -> PsamName:
        """What the region's PSAMs call a master of the table: the levels that are left count."""
        return with_levels(name, name.levels - len(self._gone(name.levels)))

    def master(self, keys: MemoryKeys, name: PsamName) -> Secret:
        """The region's own master, 16 bytes."""
        return self.lowered(keys.suite, name.levels, keys.master(name))

    def lowered(self, suite: Suite, levels: int, root: Secret) -> Secret:
        """What the region has of the root of a key of so many levels, 16 bytes."""
        value = root.reveal()
        for factor in self._gone(levels):
            value = diversify(suite.once(value), factor)
        return Secret(value)

    def _gone(self, levels: int) -> tuple[bytes, ...]:
        """The factors of the levels that the region has gone: of province, city, card the last
        ones are a key's, and the first ones are the region's."""
        return factors(self.code, b"")[MAX_LEVELS - levels : self.level]


NATIONAL: Final = PsamRegion(_NATION_CODE)


def region_named(text: str) -> PsamRegion:
    """`national` or a code of six digits; FormatError for another."""
    return NATIONAL if text == NATION else PsamRegion(text)


def region_said(issuer: bytes) -> str:
    """What a PSAM says of its region: 4302 of a city, 4300 of a province; else nothing.

    Others than ours may have anything in these bytes, so only what begins with a province counts.
    """
    said = issuer.hex()
    return said if said.isdecimal() and said[:2] in PROVINCES else ""


def reaches(said: str, region: str) -> bool:
    """Whether a PSAM that says this of its region may serve cards of a region, six digits.

    False is certain; counties of one city have the same four digits, so True is not.
    """
    return region.startswith(said.removesuffix("00"))
