# SPDX-License-Identifier: Apache-2.0
"""Public keys of certification authorities (认证中心公钥, CAPK), as terminals are given them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from apdu.crypto.rsa import EXPONENT, MODULUS, RsaPublicKey
from apdu.errors import FormatError
from apdu.wire.oda import CaKeyData

RSA: Final = 0x01
"""Algorithm indicator of RSA with SHA-1 (EMV Book 2 B2.1). SM2 keys have another shape."""


@dataclass(frozen=True, slots=True)
class CaKey:
    """One RSA key, found by `rid` (5 bytes) and `index` (tag 8F on a card, 9F22 in a terminal).

    Raises FormatError when a field has a wrong length. Whether a key of these numbers can be
    one is asked only when it is used, for lists in use hold keys that cannot.
    """

    rid: bytes
    index: int
    modulus: bytes
    exponent: bytes
    algorithm: int = RSA

    def __post_init__(self) -> None:
        if len(self.rid) != 5:
            raise FormatError(f"RID: {len(self.rid)} bytes, must be 5")
        if not 0 <= self.index <= 0xFF:
            raise FormatError("index: must be one byte")
        for name, value, sizes in (
            ("modulus", self.modulus, MODULUS),
            ("exponent", self.exponent, EXPONENT),
        ):
            if len(value) not in sizes:
                raise FormatError(f"{name}: {len(value)} bytes, must be {sizes[0]} to {sizes[-1]}")
        if self.algorithm != RSA:
            raise FormatError(f"algorithm: {self.algorithm:02X}, must be {RSA:02X}")

    def check_value(self) -> bytes:
        """SHA-1 over RID, index, modulus and exponent, 20 bytes (EMV Book 2 10.2)."""
        data = CaKeyData(self.rid, self.index, self.modulus + self.exponent)
        return sha1(bytes(data)).digest()  # noqa: S324 - the rule says SHA-1

    def public(self) -> RsaPublicKey:
        """The key to verify with. Raises FormatError when its numbers cannot be an RSA key."""
        return RsaPublicKey(self.modulus, self.exponent)
