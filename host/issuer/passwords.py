# SPDX-License-Identifier: Apache-2.0
"""The transaction password (交易密码, online PIN): what the bank keeps of it, and how it is held
to a PIN block.

What is kept are Visa's PVV, which looks at the first four digits only, and the offset of IBM 3624,
which looks at all of them; both must be right (profile choice `password-verification`). Neither
says anything about the password without the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from apdu.crypto.pinblock import build_iso_0
from apdu.crypto.pinvalue import pin_offset, pvv, verify_offset, verify_pvv
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.perso import Algorithm

TRIES: Final = 3
"""Wrong passwords in a row until it is blocked (profile choice `password-tries`)."""
BLOCK: Final = 8
_VALIDATION: Final = 16
"""Of the PAN the last digits, as many as there are of these, make the natural PIN."""


@dataclass(frozen=True, slots=True)
class PinValue:
    """What the bank keeps of a password: the PVV, 4 digits, and the offset, as long as it is."""

    pvv: str = field(repr=False)
    offset: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PinKeys:
    """The bank's keys for passwords, 3DES: `pin` deciphers PIN blocks of format 0 (PIK), `pvk`
    with its index makes PVVs, `pgk` natural PINs."""

    pin: BlockKey
    pvk: BlockKey
    pgk: BlockKey
    pvki: str = "1"

    def kept(self, password: str, pan: str) -> PinValue:
        """What to keep of a password, 4 to 12 digits. Raises FormatError without showing it."""
        return PinValue(
            pvv(self.pvk, password, pan, self.pvki), pin_offset(self.pgk, password, _from(pan))
        )

    def enciphered(self, password: str, pan: str) -> bytes:
        """A block of format 0 under the PIN key, as a terminal would send it: 8 bytes."""
        return self.pin.encrypt(build_iso_0(password, pan))

    def right(
        self, block: bytes, pan: str, kept: PinValue, pin_key: BlockKey | None = None
    ) -> bool:
        """Whether an enciphered block has the password. The same work is done whatever is wrong.

        `pin_key`: the terminal's own, where it is not this bank's.
        """
        key = pin_key or self.pin
        of_pvv = verify_pvv(key, block, pan, self.pvk, self.pvki, kept.pvv)
        of_offset = verify_offset(key, block, pan, self.pgk, _from(pan), kept.offset)
        return of_pvv & of_offset


def check_block(block: bytes) -> None:
    """Raises FormatError for what cannot be an enciphered PIN block."""
    if len(block) != BLOCK:
        raise FormatError(f"PIN block: {len(block)} bytes, must be {BLOCK}")


def published_pin_keys() -> PinKeys:
    """Keys for tests, worthless because everybody has them: they stand in public test suites."""
    ready = SUITES[Algorithm.TDES].key
    return PinKeys(
        pin=ready(bytes.fromhex("404142434445464748494A4B4C4D4E4F")),
        pvk=ready(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")),
        pgk=ready(bytes.fromhex("89B07B35A1B3F47E89B07B35A1B3F488")),
    )


def _from(pan: str) -> str:
    return pan[-_VALIDATION:]
