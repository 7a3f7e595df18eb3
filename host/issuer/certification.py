# SPDX-License-Identifier: Apache-2.0
"""Certificates of one card under the test authority: the elements of a card's ODA records.

Every function returns lists of elements that are to share a record as far as they fit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from apdu.crypto import gmcert_sign, oda_sign
from apdu.crypto.oda_sign import KeyCertificate
from apdu.tlv import Tlv, tlv
from apdu.wire.pboc import tags
from host.issuer.card_data import Face
from host.issuer.test_keys import (
    CERTIFICATES_EXPIRE,
    ISSUER_SERIAL,
    TEST_ISSUER,
    rsa_chain,
    sm2_chain,
)

Random = Callable[[int], bytes]
DDOL: Final = bytes.fromhex("9F3704")
STATIC_TAGS: Final = bytes((tags.AIP,))
"""9F4A: the AIP is static data too, and nothing else may be named (EMV Book 3 10.3)."""
AUTHENTICATION_CODE: Final = bytes.fromhex("DAC1")
"""数据认证码 (9F45) in 93: a number of the issuer's own."""


def rsa_elements(bits: int, face: Face, static: bytes, random: Random) -> list[list[Tlv]]:
    """Issuer's and card's certificates under RSA. `static`: what the card's certificate covers."""
    chain = rsa_chain(bits)
    issuer = _issuer_certificate(bits)
    icc = oda_sign.sign_icc(
        chain.issuer, chain.icc.public, face.pan, _month(face), _serial(face), static, random
    )
    return [
        [
            tlv(tags.ISSUER_CERTIFICATE, issuer.certificate),
            tlv(tags.ISSUER_EXPONENT, issuer.exponent),
            *_remainder(tags.ISSUER_REMAINDER, issuer.remainder),
            _index(chain.index),
        ],
        [
            tlv(tags.ICC_CERTIFICATE, icc.certificate),
            tlv(tags.ICC_EXPONENT, icc.exponent),
            *_remainder(tags.ICC_REMAINDER, icc.remainder),
            *_lists(),
        ],
    ]


def rsa_static_signature(bits: int, static: bytes, random: Random) -> Tlv:
    """93: the static data under the issuer's key."""
    signed = oda_sign.sign_static(rsa_chain(bits).issuer, AUTHENTICATION_CODE, static, random)
    return tlv(tags.SIGNED_STATIC_DATA, signed)


def sm2_elements(face: Face, static: bytes, random: Random) -> list[list[Tlv]]:
    """The same under SM2, where keys are whole and have no exponents."""
    chain = sm2_chain()
    issuer = gmcert_sign.sign_issuer(
        chain.ca, chain.issuer.public, TEST_ISSUER, CERTIFICATES_EXPIRE, ISSUER_SERIAL, random
    )
    icc = gmcert_sign.sign_icc(
        chain.issuer, chain.icc.public, face.pan, _month(face), _serial(face), static, random
    )
    return [
        [tlv(tags.ISSUER_CERTIFICATE, issuer), _index(chain.index)],
        [tlv(tags.ICC_CERTIFICATE, icc), *_lists()],
    ]


def sm2_static_signature(static: bytes, random: Random) -> Tlv:
    signed = gmcert_sign.sign_static(sm2_chain().issuer, AUTHENTICATION_CODE, static, random)
    return tlv(tags.SIGNED_STATIC_DATA, signed)


@cache
def _issuer_certificate(bits: int) -> KeyCertificate:
    """The same for every card. What blinds the signature does not change it, and the key that it
    would hide is public."""
    chain = rsa_chain(bits)
    key = chain.issuer.public
    return oda_sign.sign_issuer(
        chain.ca, key, TEST_ISSUER, CERTIFICATES_EXPIRE, ISSUER_SERIAL, _no_chance
    )


def _no_chance(size: int) -> bytes:
    return b"\x5a" * size


def _remainder(tag: int, value: bytes) -> list[Tlv]:
    return [tlv(tag, value)] if value else []


def _index(index: int) -> Tlv:
    return tlv(tags.CA_INDEX, bytes((index,)))


def _lists() -> list[Tlv]:
    return [tlv(tags.DDOL, DDOL), tlv(tags.STATIC_TAGS, STATIC_TAGS)]


def _month(face: Face) -> str:
    """MMYY: the certificate is good as long as the card."""
    return face.expires.strftime("%m%y")


def _serial(face: Face) -> bytes:
    """The certificate's serial number: the last six digits of the PAN before its check digit."""
    return bytes.fromhex(face.pan[-7:-1])
