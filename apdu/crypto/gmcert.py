# SPDX-License-Identifier: Apache-2.0
"""Offline data authentication (脱机数据认证) under SM2: the same chain as under RSA in `oda`.

A terminal goes down it, one function a step, and each step takes the key that the step before
gave. A step that fails raises FormatError, which names the object with its tag. Dates,
identifiers and serial numbers are handed out: whether a certificate has expired or is revoked,
and whether the issuer's identifier fits the PAN (`IssuerKey.fits`), is the terminal's to judge.
JR/T 0025.17; signers have the default identity of SM2, as a CA key in use shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from apdu.crypto import sm2, sm3
from apdu.crypto.certified import (
    DYNAMIC,
    ICC,
    ISSUER,
    STATIC,
    IccKey,
    IssuerKey,
    check_combined,
    numbered,
)
from apdu.crypto.oda_input import check_unpredictable_number, transaction_data
from apdu.errors import FormatError
from apdu.wire.gmcert import (
    SIGNATURE,
    Sm2CaKeyData,
    Sm2CombinedData,
    Sm2DynamicSignature,
    Sm2IccCertificate,
    Sm2IssuerCertificate,
    Sm2StaticSignature,
)
from apdu.wire.oda import DynamicData

SERVICE: Final = bytes.fromhex("01010000")
"""The service that CA keys are for: debit and credit."""

Signed = TypeVar(
    "Signed", Sm2IssuerCertificate, Sm2StaticSignature, Sm2IccCertificate, Sm2DynamicSignature
)
Dynamic = TypeVar("Dynamic", DynamicData, Sm2CombinedData)


@dataclass(frozen=True, slots=True)
class CaKey:
    """A key of a certification authority, found by `rid` (5 bytes) and `index` (tags 8F, 9F22).

    `expires`: MMYY.
    """

    rid: bytes
    index: int
    key: sm2.PublicKey
    expires: str

    def verify(self, signature: bytes) -> bool:
        """Whether the authority signed its own key: 64 bytes, DF39 where keys are loaded by TLV.

        Raises FormatError when a field does not fit what is signed.
        """
        return sm2.verify(self.key, bytes(self), signature)

    def __bytes__(self) -> bytes:
        """What the authority signs of its own key."""
        return bytes(Sm2CaKeyData(SERVICE, self.rid, self.index, self.expires, self.key.value))


# What a terminal checks


def issuer_key(ca: sm2.PublicKey, certificate: bytes) -> IssuerKey[sm2.PublicKey]:
    """The issuer's key from 90."""
    found = _verified(ISSUER, Sm2IssuerCertificate, ca, certificate)
    return IssuerKey(_key(ISSUER, found), found.issuer, found.expires, found.serial)


def icc_key(
    issuer: sm2.PublicKey, certificate: bytes, static: bytes, pan: str
) -> IccKey[sm2.PublicKey]:
    """The card's key from 9F46. `static`: as in `static_data`. `pan`: that of the card."""
    found = _verified(ICC, Sm2IccCertificate, issuer, certificate, static)
    key = _key(ICC, found)
    if found.pan != pan:
        raise FormatError(f"{ICC}: its PAN is not the card's")
    return IccKey(key, found.pan, found.expires, found.serial)


def static_data(issuer: sm2.PublicKey, signed: bytes, static: bytes) -> bytes:
    """The data authentication code (数据认证码, 9F45), 2 bytes, from 93.

    `static`: what the records hold that the AFL marks, then the values that 9F4A names.
    """
    return _verified(STATIC, Sm2StaticSignature, issuer, signed, static).authentication_code


def dynamic_data(icc: sm2.PublicKey, signed: bytes, terminal: bytes) -> DynamicData:
    """What the card signed, from 9F4B. `terminal`: the values that the DDOL asks for."""
    return _dynamic(DynamicData, icc, signed, terminal)


def combined_data(
    icc: sm2.PublicKey, signed: bytes, number: bytes, cid: int, transaction: bytes
) -> Sm2CombinedData:
    """Number and cryptogram that the card signed for CDA, from 9F4B (profile choice `sm-cda`).

    `number`: the terminal's unpredictable number. `cid`: 9F27 as it stands in the answer.
    `transaction`: the hash that `transaction_hash` makes of the terminal's side.
    """
    check_unpredictable_number(number)
    data = _dynamic(Sm2CombinedData, icc, signed, number)
    check_combined(data, cid, transaction)
    return data


def transaction_hash(pdol: bytes, cdol1: bytes, cdol2: bytes, answer: bytes) -> bytes:
    """SM3, 32 bytes, over what `transaction_data` makes of the transaction (`sm-cda`)."""
    return sm3.digest(transaction_data(pdol, cdol1, cdol2, answer))


# The steps that all have in common


def _verified(
    name: str, layout: type[Signed], key: sm2.PublicKey, signed: bytes, *beside: bytes
) -> Signed:
    try:
        found = layout.parse(signed)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    message = b"".join((signed[:-SIGNATURE], *beside))
    if not sm2.verify(key, message, found.signature):
        raise FormatError(f"{name}: its signature does not verify")
    return found


def _key(name: str, found: Sm2IssuerCertificate | Sm2IccCertificate) -> sm2.PublicKey:
    try:
        return sm2.PublicKey(found.key)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def _dynamic(layout: type[Dynamic], icc: sm2.PublicKey, signed: bytes, said: bytes) -> Dynamic:
    found = _verified(DYNAMIC, Sm2DynamicSignature, icc, signed, said)
    try:
        data = layout.parse(found.data)
    except FormatError as error:
        raise FormatError(f"{DYNAMIC}: {error}") from None
    return numbered(data)
