# SPDX-License-Identifier: Apache-2.0
"""Where a card's keys come from: diversified from master keys by province, city and card.

What stands here derives from one published test root, so every card it makes is a test card.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.derive import FACTOR, diversify
from apdu.crypto.tdes import TDES
from apdu.secret import Secret
from apdu.wire.hrss import KeySpec

TEST_ROOT: Final = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
"""The test root: published, worthless, and the start of every key of a test card."""


def factors(region: str, unique: bytes) -> tuple[bytes, bytes, bytes]:
    """The diversification factors province, city and card, 8 bytes each.

    `region` is six digits of GB/T 2260; `unique` the last 8 historical bytes of the ATR.
    """
    return (region[:2] + "0000sh").encode(), (region + "sx").encode(), unique


class MemoryKeys:
    """Master keys in memory: test keys only."""

    def __init__(self, root: Secret | None = None) -> None:
        self._root = root or Secret(TEST_ROOT)

    def card_key(self, spec: KeySpec, region: str, unique: bytes) -> Secret:
        """The 16-byte key of one card for one slot of the key table.

        The upper three bits of the PSAM usage say over how many levels it is diversified
        (1 card, 2 city and card, 3 also province). The master of a slot is the test root
        diversified by usage and id, four times over (a choice of this project).
        """
        name = bytes((spec.psam_usage, spec.psam_id))
        key = diversify(TDES.key(self._root.reveal()), name * (FACTOR // len(name)))
        for factor in factors(region, unique)[-(spec.psam_usage >> 5) :]:
            key = diversify(TDES.key(key), factor)
        return Secret(key)

    def __repr__(self) -> str:
        return "MemoryKeys(•••)"
