# SPDX-License-Identifier: Apache-2.0
"""The making of what offline data authentication checks: certificates, and a card's signatures.

A card signs with `sign_dynamic` and `sign_combined`; the rest is for issuers and the authorities
of test keys.
The rules are those of `apdu.crypto.oda`, and what is made here is accepted there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from apdu.crypto.certified import numbered
from apdu.crypto.rsa import CARD_MODULUS, RsaPrivateKey, RsaPublicKey
from apdu.errors import FormatError
from apdu.wire.oda import (
    END,
    FILLING,
    HASH,
    CombinedData,
    DynamicData,
    IccCertificate,
    IssuerCertificate,
    SignedDynamicData,
    SignedStaticData,
)
from apdu.wire.record import Record

Random = Callable[[int], bytes]
"""The number of random bytes wanted, to the bytes."""
_NO_HASH: Final = bytes(HASH)


@dataclass(frozen=True, slots=True)
class KeyCertificate:
    """A certificate, and what of the key stands beside it: 90, 92 and 9F32 and their like."""

    certificate: bytes
    remainder: bytes
    exponent: bytes


def sign_issuer(
    ca: RsaPrivateKey, key: RsaPublicKey, issuer: str, expires: str, serial: bytes, random: Random
) -> KeyCertificate:
    """90, 92 and 9F32 of an issuer. `issuer`: 3 to 8 digits, `expires`: MMYY, `serial`: 3 bytes.

    Raises FormatError when one is not.
    """
    if not 3 <= len(issuer) <= 8:
        raise FormatError(f"issuer: {len(issuer)} digits, must be 3 to 8")
    sizes = _sizes(key)
    bare = IssuerCertificate(issuer, expires, serial, *sizes, b"", _NO_HASH)
    shown, remainder = _parted(key.modulus, ca.public.size - len(bytes(bare)))
    certificate = IssuerCertificate(issuer, expires, serial, *sizes, shown, _NO_HASH)
    signed = _sealed(ca, certificate, random, remainder, key.exponent)
    return KeyCertificate(signed, remainder, key.exponent)


def sign_icc(
    issuer: RsaPrivateKey,
    key: RsaPublicKey,
    pan: str,
    expires: str,
    serial: bytes,
    static: bytes,
    random: Random,
) -> KeyCertificate:
    """9F46, 9F48 and 9F47 of a card; with empty `static` 9F2D, 9F2F and 9F2E of its PIN key.

    `pan`: 8 to 19 digits, `expires`: MMYY, `serial`: 3 bytes. Raises FormatError when one is not.
    """
    if not 8 <= len(pan) <= 19:
        raise FormatError("PAN: must be 8 to 19 digits")
    sizes = _sizes(key)
    bare = IccCertificate(pan, expires, serial, *sizes, b"", _NO_HASH)
    shown, remainder = _parted(key.modulus, issuer.public.size - len(bytes(bare)))
    certificate = IccCertificate(pan, expires, serial, *sizes, shown, _NO_HASH)
    signed = _sealed(issuer, certificate, random, remainder, key.exponent, static)
    return KeyCertificate(signed, remainder, key.exponent)


def sign_static(issuer: RsaPrivateKey, code: bytes, static: bytes, random: Random) -> bytes:
    """93: the data authentication code, 2 bytes, and the static data, under the issuer's key."""
    bare = SignedStaticData(code, 0, _NO_HASH)
    room = issuer.public.size - len(bytes(bare))
    return _sealed(issuer, SignedStaticData(code, room, _NO_HASH), random, static)


def sign_dynamic(
    icc: RsaPrivateKey, data: DynamicData | CombinedData, terminal: bytes, random: Random
) -> bytes:
    """9F4B: what the card says, and what it was told, under the card's key.

    `terminal`: the values that the DDOL asks for, what `fdda_data` makes, or for CDA the
    unpredictable number. Raises FormatError when the data does not fit the key.
    """
    numbered(data)
    said = bytes(data)
    room = icc.public.size - len(bytes(SignedDynamicData(b"", 0, _NO_HASH)))
    if len(said) > room:
        raise FormatError(f"ICC dynamic data: {len(said)} bytes, {room} fit the key")
    signed = SignedDynamicData(said, room - len(said), _NO_HASH)
    return _sealed(icc, signed, random, terminal)


def sign_combined(
    icc: RsaPrivateKey,
    number: bytes,
    cid: int,
    ac: bytes,
    transaction: bytes,
    terminal: bytes,
    random: Random,
) -> bytes:
    """9F4B of CDA. `number`: of the card. `ac`: 8 bytes. `transaction`: what `transaction_data`
    makes of the transaction as the card saw it. `terminal`: its unpredictable number."""
    hashed = sha1(transaction).digest()  # noqa: S324 - the rule says SHA-1
    return sign_dynamic(icc, CombinedData(number, cid, ac, hashed), terminal, random)


def _sizes(key: RsaPublicKey) -> tuple[int, int]:
    if key.size not in CARD_MODULUS:
        raise FormatError(
            f"modulus: {key.size} bytes, must be {CARD_MODULUS[0]} to {CARD_MODULUS[-1]}"
        )
    return key.size, len(key.exponent)


def _parted(modulus: bytes, room: int) -> tuple[bytes, bytes]:
    """What of a modulus stands in a certificate, filled, and what is left over."""
    return modulus[:room].ljust(room, bytes((FILLING,))), modulus[room:]


def _sealed(key: RsaPrivateKey, unsigned: Record, random: Random, *beside: bytes) -> bytes:
    """The block with its hash, signed."""
    block = bytes(unsigned)
    hashed = sha1(b"".join((block[1:-END], *beside))).digest()  # noqa: S324 - the rule says SHA-1
    return key.sign(block[:-END] + hashed + block[-1:], random)
