# SPDX-License-Identifier: Apache-2.0
"""What offline data authentication under RSA and under SM2 have in common: the names of the signed
objects, the keys that certificates give, and the judging of dynamic data."""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Generic, Protocol, TypeVar

from apdu.errors import FormatError

ISSUER: Final = "issuer certificate (90)"
ICC: Final = "ICC certificate (9F46)"
ICC_PIN: Final = "ICC PIN certificate (9F2D)"
STATIC: Final = "signed static data (93)"
DYNAMIC: Final = "signed dynamic data (9F4B)"

DYNAMIC_NUMBER: Final = range(2, 9)
"""Bytes of an ICC dynamic number (9F4C, EMV Book 2 6.5.1)."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class IssuerKey(Generic[K]):
    """An issuer's public key as certified. `issuer`: 3 to 8 digits of PANs, `expires`: MMYY."""

    key: K
    issuer: str
    expires: str
    serial: bytes

    def fits(self, pan: str) -> bool:
        """Whether a PAN begins with the issuer's identifier (EMV Book 2 5.3 step 8)."""
        return len(self.issuer) >= 3 and pan.startswith(self.issuer)


@dataclass(frozen=True, slots=True)
class IccKey(Generic[K]):
    """A card's public key as certified. `expires`: MMYY."""

    key: K
    pan: str
    expires: str
    serial: bytes


class Numbered(Protocol):
    """Dynamic data of either family."""

    @property
    def number(self) -> bytes: ...


class Combined(Protocol):
    """Dynamic data of CDA."""

    @property
    def cid(self) -> int: ...
    @property
    def transaction_hash(self) -> bytes: ...


N = TypeVar("N", bound=Numbered)


def numbered(data: N) -> N:
    """Dynamic data whose number has 2 to 8 bytes, or FormatError."""
    if len(data.number) not in DYNAMIC_NUMBER:
        raise FormatError(
            f"{DYNAMIC}: a dynamic number of {len(data.number)} bytes, must be "
            f"{DYNAMIC_NUMBER[0]} to {DYNAMIC_NUMBER[-1]}"
        )
    return data


def check_combined(data: Combined, cid: int, transaction: bytes) -> None:
    """FormatError unless CID and transaction hash are those of the transaction."""
    if data.cid != cid:
        raise FormatError(f"{DYNAMIC}: its CID is not that of the answer")
    if not compare_digest(data.transaction_hash, transaction):
        raise FormatError(f"{DYNAMIC}: its transaction hash does not match")
