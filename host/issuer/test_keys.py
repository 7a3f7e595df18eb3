# SPDX-License-Identifier: Apache-2.0
"""Published TEST keys: master keys of an issuer, and the keys that certificates are made with.

Everybody has them, so they guard nothing; every card that is made here is a test card. RSA and
SM2 keys are in `test_keys.toml`. Which sizes go together is profile choice `test-key-sizes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from apdu.crypto import gmcert, sm2
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.rsa import CrtParts, RsaPrivateKey, crt_parts
from apdu.secret import Secret
from apdu.wire.pboc.application import RID
from apdu.wire.perso import Algorithm
from host.issuer.keys import KeySet
from host.settings import shipped_text, table_of


def _set(ac: str, mac: str, enc: str) -> KeySet:
    return KeySet(*(Secret(bytes.fromhex(each)) for each in (ac, mac, enc)))


TEST_IMKS: Final[Mapping[Algorithm, KeySet]] = {
    Algorithm.TDES: _set(
        "A1A1A1A1A1A1A1A1B2B2B2B2B2B2B2B2",
        "C1C1C1C1C1C1C1C1D3D3D3D3D3D3D3D3",
        "E3E3E3E3E3E3E3E3F4F4F4F4F4F4F4F4",
    ),
    Algorithm.SM4: _set(
        "4A4B4C4D4E4F40414243444546474849",
        "5A5B5C5D5E5F50515253545556575859",
        "6A6B6C6D6E6F60616263646566676869",
    ),
}
"""IMK-AC, IMK-MAC and IMK-ENC by algorithm."""
TEST_ISSUER: Final = "622800"
"""Issuer identification number (发卡行标识代码): what every PAN of a test card begins with."""
CERTIFICATES_EXPIRE: Final = "1240"
"""MMYY: of the issuer's certificates, and of the SM2 key of the authority."""
ISSUER_SERIAL: Final = bytes.fromhex("000001")
"""Serial number of the issuer's certificates."""
EXPONENT: Final = b"\x03"

CA_INDEXES: Final = {1152: 0xE1, 1408: 0xE2, 1984: 0xE3}
"""Index (8F) of the RSA key of the test authority by its bits, under the RID of UnionPay."""
SM2_CA_INDEX: Final = 0xE4
SIZES: Final = {1152: (1152, 1152), 1408: (1408, 1408), 1984: (1976, 1408)}
"""Bits of issuer's and card's key under an authority's key of so many bits. EMV Book 2 D1: an
issuer certificate and an ICC certificate must fit a record of 254 bytes, and what CDA signs
an answer of 256; so the chain of 1984 bits gets shorter."""


@dataclass(frozen=True, slots=True, repr=False)
class RsaChain:
    """The private keys behind the certificates of one card."""

    index: int
    ca: RsaPrivateKey
    issuer: RsaPrivateKey
    icc: RsaPrivateKey
    icc_parts: CrtParts
    """The card's key as the card is given it."""


@dataclass(frozen=True, slots=True, repr=False)
class Sm2Chain:
    """The same under SM2."""

    index: int
    ca: sm2.PrivateKey
    issuer: sm2.PrivateKey
    icc: sm2.PrivateKey


@cache
def rsa_chain(bits: int) -> RsaChain:
    """The keys under the authority's key of 1152, 1408 or 1984 bits. KeyError for others."""
    issuer, icc = SIZES[bits]
    keys = (_parts("ca", bits), _parts("issuer", issuer), _parts("icc", icc))
    ca_key, issuer_key, icc_key = map(RsaPrivateKey.from_crt, keys)
    return RsaChain(CA_INDEXES[bits], ca_key, issuer_key, icc_key, keys[-1])


@cache
def sm2_chain() -> Sm2Chain:
    ca, issuer, icc = (_sm2(owner) for owner in ("ca", "issuer", "icc"))
    return Sm2Chain(SM2_CA_INDEX, ca, issuer, icc)


def rsa_ca_key(bits: int) -> CaKey:
    """The authority's public key, as terminals are given it. KeyError for other bits."""
    public = rsa_chain(bits).ca.public
    return CaKey(RID, CA_INDEXES[bits], public.modulus, public.exponent)


def sm2_ca_key() -> gmcert.CaKey:
    """The authority's public key of SM2."""
    return gmcert.CaKey(RID, SM2_CA_INDEX, sm2_chain().ca.public, CERTIFICATES_EXPIRE)


@cache
def _numbers() -> dict[str, dict[str, dict[str, str]]]:
    return table_of(shipped_text("host.issuer", "test_keys.toml"), "test keys")


def _parts(owner: str, bits: int) -> CrtParts:
    found = _numbers()[owner][str(bits)]
    return crt_parts(bytes.fromhex(found["p"]), bytes.fromhex(found["q"]), EXPONENT)


def _sm2(owner: str) -> sm2.PrivateKey:
    return sm2.PrivateKey(bytes.fromhex(_numbers()[owner]["sm2"]["d"]))
