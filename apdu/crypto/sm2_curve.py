# SPDX-License-Identifier: Apache-2.0
"""The curve of SM2 as a value, and what a provider of SM2's slow operations must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

SIZE: Final = 32
"""Bytes of a coordinate, of a private key, of r and of s."""


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ + ax + b over p, with the base point G of prime order n, 256 bits (GB/T 32918.1)."""

    p: int
    a: int
    b: int
    n: int
    gx: int
    gy: int

    def contains(self, point: bytes) -> bool:
        """Whether X and Y, 32 bytes each, are a point of the curve."""
        p = self.p
        x, y = int.from_bytes(point[:SIZE]), int.from_bytes(point[SIZE:])
        return x < p and y < p and (y * y - (x * x + self.a) * x - self.b) % p == 0


RECOMMENDED: Final = Curve(
    p=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    a=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC,
    b=0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    n=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    gx=0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    gy=0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
"""The curve that SM2 is used with (GB/T 32918.5 3)."""


class Provider(ABC):
    """Who verifies and deciphers: all providers give the same answers, some sooner.

    Signing and enciphering are not among it. Both take given randomness, and the same randomness
    must give the same bytes whatever is installed. What comes in has been checked: lengths,
    ranges, and that points are on the curve.
    """

    name: str

    @abstractmethod
    def verify(self, curve: Curve, public: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether r and s (64 bytes, each from 1 to n - 1) sign the digest e (32 bytes).

        `public`: X and Y, 64 bytes.
        """

    @abstractmethod
    def decrypt(
        self, curve: Curve, private: bytes, point: bytes, check: bytes, hidden: bytes
    ) -> bytes | None:
        """The message in C1 (X and Y, 64 bytes), C3 (32 bytes) and C2, or None if C3 denies it."""
