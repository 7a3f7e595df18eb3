# SPDX-License-Identifier: Apache-2.0
"""Where a PIN is typed, and the only two things that are made of it.

`PinPad` turns what the holder typed into a PIN block for the card, or into one enciphered for the
issuer; nothing else in the terminal sees a PIN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from apdu.crypto.pinblock import BLOCK, build_iso_0, build_iso_2
from apdu.errors import FormatError

Encipher = Callable[[bytes], bytes]
"""8 bytes under the terminal's PIN key (终端 PIN 密钥)."""


class DocumentKind(Enum):
    """持卡人证件类型 (9F62)."""

    IDENTITY_CARD = 0x00
    """身份证."""
    OFFICER = 0x01
    """军官证."""
    PASSPORT = 0x02
    """护照."""
    ENTRY_PERMIT = 0x03
    """入境证."""
    TEMPORARY_CARD = 0x04
    """临时身份证."""
    OTHER = 0x05
    """其它."""


class Pad(Protocol):
    """The people at the terminal: the holder at the PIN pad, and whoever serves them."""

    def offline_pin(self, tries_left: int | None, /) -> str | None:
        """Ask for the PIN that the card verifies, 4 to 12 digits; None: entry was bypassed.

        `tries_left`: what the card allows; None: it does not say.
        """

    def online_pin(self) -> str | None:
        """Ask for the PIN that the issuer verifies, 4 to 12 digits; None: entry was bypassed."""

    def document(self, kind: DocumentKind, number: str, /) -> bool:
        """Whether the holder showed the document with this number."""


@dataclass(frozen=True, slots=True)
class PinPad:
    """A PIN pad with its people; without `encipher` it takes no online PIN."""

    people: Pad = field(repr=False)
    encipher: Encipher | None = field(default=None, repr=False)

    def offline_block(self, tries_left: int | None) -> bytes | None:
        """The PIN for the card, format 2 in clear; None: bypassed. FormatError when what was typed
        is no PIN."""
        pin = self.people.offline_pin(tries_left)
        return None if pin is None else build_iso_2(pin)

    def online_block(self, pan: str) -> bytes | None:
        """The PIN for the issuer, format 0, enciphered; None: bypassed. FormatError when what was
        typed is no PIN, the PAN none, or the key gives no 8 bytes."""
        if self.encipher is None:
            raise FormatError("PIN pad: it has no key for online PINs")
        pin = self.people.online_pin()
        if pin is None:
            return None
        block = self.encipher(build_iso_0(pin, pan))
        if len(block) != BLOCK:
            raise FormatError(f"enciphered PIN block: {len(block)} bytes, must be {BLOCK}")
        return block
