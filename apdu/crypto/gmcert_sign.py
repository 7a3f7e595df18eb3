# SPDX-License-Identifier: Apache-2.0
"""The making of what `gmcert` checks: certificates under SM2, and a card's signatures.

A card signs with `sign_dynamic` and `sign_combined`; the rest is for issuers and the authorities
of test keys.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto import sm2, sm3
from apdu.crypto.certified import numbered
from apdu.crypto.gmcert import CaKey
from apdu.errors import FormatError
from apdu.wire.gmcert import (
    SIGNATURE,
    Sm2CombinedData,
    Sm2DynamicSignature,
    Sm2IccCertificate,
    Sm2IssuerCertificate,
    Sm2StaticSignature,
)
from apdu.wire.oda import DynamicData
from apdu.wire.record import Record

_NO_SIGNATURE: Final = bytes(SIGNATURE)


def sign_ca(private: sm2.PrivateKey, ca: CaKey, random: sm2.Random) -> bytes:
    """The authority's signature over its own key, 64 bytes."""
    return sm2.sign(private, bytes(ca), random)


def sign_issuer(
    ca: sm2.PrivateKey,
    key: sm2.PublicKey,
    issuer: str,
    expires: str,
    serial: bytes,
    random: sm2.Random,
) -> bytes:
    """90, 142 bytes. `issuer`: 3 to 8 digits, `expires`: MMYY, `serial`: 3 bytes."""
    if not 3 <= len(issuer) <= 8:
        raise FormatError(f"issuer: {len(issuer)} digits, must be 3 to 8")
    unsigned = Sm2IssuerCertificate(issuer, expires, serial, key.value, _NO_SIGNATURE)
    return _signed(ca, unsigned, random)


def sign_icc(
    issuer: sm2.PrivateKey,
    key: sm2.PublicKey,
    pan: str,
    expires: str,
    serial: bytes,
    static: bytes,
    random: sm2.Random,
) -> bytes:
    """9F46, 148 bytes. `pan`: 8 to 19 digits, the rest as in `sign_issuer`."""
    if not 8 <= len(pan) <= 19:
        raise FormatError(f"PAN: {len(pan)} digits, must be 8 to 19")
    unsigned = Sm2IccCertificate(pan, expires, serial, key.value, _NO_SIGNATURE)
    return _signed(issuer, unsigned, random, static)


def sign_static(issuer: sm2.PrivateKey, code: bytes, static: bytes, random: sm2.Random) -> bytes:
    """93, 67 bytes: the data authentication code, 2 bytes, and the static data."""
    return _signed(issuer, Sm2StaticSignature(code, _NO_SIGNATURE), random, static)


def sign_dynamic(
    icc: sm2.PrivateKey,
    data: DynamicData | Sm2CombinedData,
    terminal: bytes,
    random: sm2.Random,
) -> bytes:
    """9F4B: what the card says, and what the terminal said, under the card's key.

    `terminal`: as in `dynamic_data`; under CDA the unpredictable number alone.
    """
    numbered(data)
    return _signed(icc, Sm2DynamicSignature(bytes(data), _NO_SIGNATURE), random, terminal)


def sign_combined(
    icc: sm2.PrivateKey,
    number: bytes,
    cid: int,
    ac: bytes,
    transaction: bytes,
    terminal: bytes,
    random: sm2.Random,
) -> bytes:
    """9F4B of CDA (profile choice `sm-cda`). `number`: of the card. `ac`: 8 bytes.

    `transaction`: what `transaction_data` makes of the transaction as the card saw it. `terminal`:
    its unpredictable number.
    """
    data = Sm2CombinedData(number, cid, ac, sm3.digest(transaction))
    return sign_dynamic(icc, data, terminal, random)


def _signed(key: sm2.PrivateKey, unsigned: Record, random: sm2.Random, *beside: bytes) -> bytes:
    body = bytes(unsigned)[:-SIGNATURE]
    return body + sm2.sign(key, b"".join((body, *beside)), random)
