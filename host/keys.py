# SPDX-License-Identifier: Apache-2.0
"""Where a card's keys come from: diversified from master keys by province, city and card.

What stands here derives from one published test root, so every card it makes is a test card.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.derive import FACTOR, diversify
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.secret import MASK, Secret
from apdu.wire.hrss_keys import LEVELS_SHIFT, KeySpec, PsamName

TEST_ROOT: Final = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
"""The test root: published, worthless, and the start of every key of a test card."""
_CARD_ONLY: Final = 1 << LEVELS_SHIFT


def factors(region: str, unique: bytes) -> tuple[bytes, bytes, bytes]:
    """The diversification factors province, city and card, 8 bytes each.

    `region` is six digits of GB/T 2260; `unique` the last 8 historical bytes of the ATR.
    """
    return (region[:2] + "0000sh").encode(), (region + "sx").encode(), unique


class MemoryKeys:
    """Master keys in memory: test keys only. One root makes the masters of every slot."""

    def __init__(self, root: Secret | None = None, suite: Suite = SUITES[1]) -> None:
        self.suite = suite
        self._root = root or Secret(TEST_ROOT)

    def master(self, name: PsamName) -> Secret:
        """The 16-byte master key that a PSAM knows by this name.

        The root diversified by usage and id, four times over (a choice of this project).
        """
        factor = bytes((name.usage, name.id)) * (FACTOR // 2)
        return Secret(diversify(self.suite.key(self._root.reveal()), factor))

    def card_key(self, spec: KeySpec, region: str, unique: bytes) -> Secret:
        """The 16-byte key of one card for one slot of the key table.

        Diversified over as many levels as its PSAM name says. Keys that no PSAM has are
        diversified over the card alone, from a master named by usage and KID.
        """
        name = spec.psam or PsamName(_CARD_ONLY | spec.usage, spec.kid)
        key = self.master(name).reveal()
        for factor in factors(region, unique)[-name.levels :]:
            key = diversify(self.suite.key(key), factor)
        return Secret(key)

    def __repr__(self) -> str:
        return f"MemoryKeys({MASK})"
