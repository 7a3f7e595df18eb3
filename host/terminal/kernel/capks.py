# SPDX-License-Identifier: Apache-2.0
"""Whom a terminal trusts: public keys of certification authorities, and what is revoked.

A key is found by RID and index (8F on the card). Whether it is one of RSA or one of SM2 says which
of the two chains of certificates the card has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from hmac import compare_digest
from typing import Final

from apdu.crypto import gmcert, sm2
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.rsa import RsaPublicKey
from apdu.errors import FormatError

_LAST_CENTURY: Final = 50
"""Years of two digits from this on are of the last century (EMV Book 4 6.7.3)."""


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """A key that was checked when it was loaded. `expires`: the last day it is good, or never."""

    rid: bytes
    index: int
    public: RsaPublicKey | sm2.PublicKey
    expires: date | None = None

    @property
    def name(self) -> str:
        return key_name(self.rid, self.index)


def key_name(rid: bytes, index: int) -> str:
    """What errors and the trail call a key: its RID and its index."""
    return f"CA key {rid.hex().upper()} {index:02X}"


def rsa_authority(key: CaKey, check_value: bytes, expires: date | None) -> AuthorityKey:
    """A key of RSA. Raises FormatError naming the key when the check value is not its own, or its
    numbers cannot be a key."""
    name = key_name(key.rid, key.index)
    if not compare_digest(key.check_value(), check_value):
        raise FormatError(f"{name}: its check value does not match")
    try:
        return AuthorityKey(key.rid, key.index, key.public(), expires)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def sm2_authority(key: gmcert.CaKey, signature: bytes) -> AuthorityKey:
    """A key of SM2. Raises FormatError naming the key when its authority did not sign it so."""
    if not key.verify(signature):
        raise FormatError(f"{key_name(key.rid, key.index)}: its signature does not verify")
    return AuthorityKey(key.rid, key.index, key.key, last_day(key.expires))


def last_day(month: str) -> date:
    """The last day of a month, MMYY, until which a certificate is good."""
    following, year = int(month[:2]) % 12 + 1, full_year(int(month[2:]))
    return date.fromordinal(date(year + (following == 1), following, 1).toordinal() - 1)


def full_year(digits: int) -> int:
    """The year that two digits mean."""
    return digits + (1900 if digits >= _LAST_CENTURY else 2000)


@dataclass(frozen=True, slots=True)
class Revoked:
    """An issuer certificate that an authority took back (证书撤销列表): by `serial`, 3 bytes."""

    rid: bytes
    index: int
    serial: bytes


@dataclass(frozen=True, slots=True)
class AuthorityKeys:
    """All keys of a terminal, and the certificates that it refuses."""

    keys: tuple[AuthorityKey, ...] = ()
    revoked: frozenset[Revoked] = frozenset()
    _by_name: dict[tuple[bytes, int], AuthorityKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _named(self.keys))

    def find(self, rid: bytes, index: int, day: date) -> AuthorityKey:
        """The key, good on this day. Raises FormatError when it is not there or has expired."""
        found = self._by_name.get((rid, index))
        if found is None:
            raise FormatError(f"{key_name(rid, index)}: the terminal has no such key")
        if found.expires is not None and day > found.expires:
            raise FormatError(f"{found.name}: expired on {found.expires}")
        return found

    def is_revoked(self, key: AuthorityKey, serial: bytes) -> bool:
        """Whether the certificate with this serial, made under the key, was taken back."""
        return Revoked(key.rid, key.index, serial) in self.revoked


def _named(keys: Iterable[AuthorityKey]) -> dict[tuple[bytes, int], AuthorityKey]:
    found: dict[tuple[bytes, int], AuthorityKey] = {}
    for key in keys:
        if (key.rid, key.index) in found:
            raise FormatError(f"{key.name}: is there twice")
        found[key.rid, key.index] = key
    return found
