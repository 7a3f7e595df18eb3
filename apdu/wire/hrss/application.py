# SPDX-License-Identifier: Apache-2.0
"""What the application as a whole is called and begins with."""

from __future__ import annotations

from typing import Final

from apdu.wire.access import NEVER, Access, Key, Pin, any_of
from apdu.wire.codes import CHARSET
from apdu.wire.hrss.keys import key_named

SSSE_NAME: Final = "sx1.sh.社会保障".encode(CHARSET)
"""DF name of the social security environment, 15 bytes."""
RID: Final = bytes.fromhex("D156000005")
MEDICAL_NAME: Final = RID + b"\x03"
"""DF name of DF04, where the medical account is."""
PIN_REFERENCE: Final = 0x00
INITIAL_PIN: Final = "123456"
PIN_TRIES: Final = 6
"""Wrong tries until the PIN is blocked; issuers choose 3 to 15."""
MF_FID: Final = 0x3F00
SSSE_FID: Final = 0xDDF1
DF_CONDITION: Final = NEVER
"""A DF is neither read nor updated as such."""
PIN: Final = Pin(PIN_REFERENCE)


def by_key(name: str) -> Access:
    """Open to a terminal that has authenticated with this key."""
    return Key(key_named(name).kid)


def pin_or(name: str) -> Access:
    """Open to the holder by PIN, and to a terminal with this key."""
    return any_of(PIN, by_key(name))
