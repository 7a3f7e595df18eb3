# SPDX-License-Identifier: Apache-2.0
"""Offline data authentication (脱机数据认证) under RSA as terminals check it: SDA, DDA, CDA, fDDA.

One function a step, each under the key that the step before gave: `issuer_key` under the key of
a certification authority, then `static_data`, or `icc_key` and with it `dynamic_data` or
`combined_data`. A step that fails raises FormatError, which names the object with its tag and the
rule. Expiry, issuer and serial number are handed out, for whether a certificate has expired, is
revoked or fits the card (`IssuerKey.fits`) is for the terminal to judge.
EMV Book 2 clauses 5 to 7, JR/T 0025.7.
"""

from __future__ import annotations

from hashlib import sha1
from hmac import compare_digest
from typing import TypeVar

from apdu.crypto.certified import (
    DYNAMIC,
    ICC,
    ICC_PIN,
    ISSUER,
    STATIC,
    IccKey,
    IssuerKey,
    check_combined,
    numbered,
)
from apdu.crypto.oda_input import check_unpredictable_number
from apdu.crypto.rsa import CARD_MODULUS, RsaPublicKey
from apdu.errors import FormatError
from apdu.wire.oda import (
    END,
    FILLING,
    CombinedData,
    DynamicData,
    IccCertificate,
    IssuerCertificate,
    SignedDynamicData,
    SignedStaticData,
)
from apdu.wire.record import Record

Layout = TypeVar("Layout", bound=Record)
Certificate = TypeVar("Certificate", IssuerCertificate, IccCertificate)
Dynamic = TypeVar("Dynamic", DynamicData, CombinedData)


def issuer_key(
    ca: RsaPublicKey, certificate: bytes, remainder: bytes, exponent: bytes
) -> IssuerKey[RsaPublicKey]:
    """The issuer's key from 90, 92 (empty when there is none) and 9F32. EMV Book 2 5.3."""
    found, key = _certified(ISSUER, IssuerCertificate, ca, certificate, remainder, exponent)
    return IssuerKey(key, found.issuer, found.expires, found.serial)


def icc_key(
    issuer: RsaPublicKey,
    certificate: bytes,
    remainder: bytes,
    exponent: bytes,
    static: bytes,
    pan: str,
) -> IccKey[RsaPublicKey]:
    """The card's key from 9F46, 9F48 (empty when there is none) and 9F47. EMV Book 2 6.4.

    `static`: the static data to be authenticated, as in `static_data`. `pan`: that of the card.
    """
    return _icc(ICC, issuer, certificate, remainder, exponent, static, pan)


def icc_pin_key(
    issuer: RsaPublicKey, certificate: bytes, remainder: bytes, exponent: bytes, pan: str
) -> IccKey[RsaPublicKey]:
    """The key that PINs are enciphered with, from 9F2D, 9F2F and 9F2E. EMV Book 2 7.1."""
    return _icc(ICC_PIN, issuer, certificate, remainder, exponent, b"", pan)


def static_data(issuer: RsaPublicKey, signed: bytes, static: bytes) -> bytes:
    """The data authentication code (数据认证码, 9F45), 2 bytes, from 93. EMV Book 2 5.4.

    `static`: what the records hold that the AFL marks, then the values of the tags in 9F4A.
    """
    return _recovered(STATIC, SignedStaticData, issuer, signed, static).authentication_code


def dynamic_data(icc: RsaPublicKey, signed: bytes, terminal: bytes) -> DynamicData:
    """What the card signed for DDA or fDDA, from 9F4B. EMV Book 2 6.5.2, JR/T 0025.12.

    `terminal`: the values that the DDOL asks for, or for fDDA what `fdda_data` makes.
    """
    return _dynamic(DynamicData, icc, signed, terminal)


def combined_data(
    icc: RsaPublicKey, signed: bytes, number: bytes, cid: int, transaction: bytes
) -> CombinedData:
    """Number and cryptogram that the card signed for CDA, from 9F4B. EMV Book 2 6.6.2.

    `number`: the terminal's unpredictable number. `cid`: 9F27 as the answer has it.
    `transaction`: what `transaction_hash` makes of the transaction as the terminal saw it.
    """
    check_unpredictable_number(number)
    found = _dynamic(CombinedData, icc, signed, number)
    check_combined(found, cid, transaction)
    return found


def whole_modulus(certificate: IssuerCertificate | IccCertificate, remainder: bytes) -> bytes:
    """The modulus: its left part in a certificate, and the remainder beside it.

    Raises FormatError when the parts are not as long as the certificate says.
    """
    size, room = certificate.key_length, len(certificate.key)
    if size not in CARD_MODULUS:
        raise FormatError(
            f"key length: {size} bytes, must be {CARD_MODULUS[0]} to {CARD_MODULUS[-1]}"
        )
    outside = max(size - room, 0)
    if len(remainder) != outside:
        raise FormatError(
            f"remainder: {len(remainder)} bytes, must be {outside}, what the certificate leaves out"
        )
    if certificate.key[size:].strip(bytes((FILLING,))):
        raise FormatError(f"key: not filled with {FILLING:02X}")
    return certificate.key[:size] + remainder


def _recovered(
    name: str, layout: type[Layout], key: RsaPublicKey, signed: bytes, *beside: bytes
) -> Layout:
    """What a signature holds. Header, format, algorithms, filling, trailer and hash are right."""
    block = key.recover(signed, name)
    try:
        found = layout.parse(block)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    hashed = sha1(b"".join((block[1:-END], *beside))).digest()  # noqa: S324 - the rule says SHA-1
    if not compare_digest(hashed, block[-END:-1]):
        raise FormatError(f"{name}: its hash does not match")
    return found


def _certified(
    name: str,
    layout: type[Certificate],
    above: RsaPublicKey,
    certificate: bytes,
    remainder: bytes,
    exponent: bytes,
    static: bytes = b"",
) -> tuple[Certificate, RsaPublicKey]:
    found = _recovered(name, layout, above, certificate, remainder, exponent, static)
    try:
        if len(exponent) != found.exponent_length:
            raise FormatError(f"exponent: {len(exponent)} bytes, must be {found.exponent_length}")
        return found, RsaPublicKey(whole_modulus(found, remainder), exponent)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def _icc(
    name: str,
    issuer: RsaPublicKey,
    certificate: bytes,
    remainder: bytes,
    exponent: bytes,
    static: bytes,
    pan: str,
) -> IccKey[RsaPublicKey]:
    found, key = _certified(name, IccCertificate, issuer, certificate, remainder, exponent, static)
    if found.pan != pan:
        raise FormatError(f"{name}: its PAN is not the card's")
    return IccKey(key, found.pan, found.expires, found.serial)


def _dynamic(layout: type[Dynamic], icc: RsaPublicKey, signed: bytes, terminal: bytes) -> Dynamic:
    signed_data = _recovered(DYNAMIC, SignedDynamicData, icc, signed, terminal)
    try:
        found = layout.parse(signed_data.data)
    except FormatError as error:
        raise FormatError(f"{DYNAMIC}: {error}") from None
    return numbered(found)
