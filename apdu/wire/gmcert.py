# SPDX-License-Identifier: Apache-2.0
"""The signed objects of cards with SM2 (formats 12 to 15, JR/T 0025.17), and what is signed.

JR/T 0025.17 itself was not at hand: the fields are those that two public terminal kernels and a
record of a real card agree on. Keys are X and Y, signatures r and s, so nothing has a remainder
and there are no exponents (tags 92, 9F48, 9F32 and 9F47 do not exist on such cards).
"""

from __future__ import annotations

from typing import Final

from apdu.wire.fields import const, counted, digits, fixed, month, raw, rest, uint, wire
from apdu.wire.record import Record, record

SIGNATURE: Final = 64
"""Bytes of r and s, the end of every signed object."""


@record
class Sm2CaKeyData(Record):
    """A CA's key (认证中心公钥) as its own signature covers it, format 31: 83 bytes."""

    format: bytes = fixed(const(b"\x31"))
    service: bytes = wire(raw(4))
    rid: bytes = wire(raw(5))
    index: int = wire(uint(1))
    expires: str = wire(month())
    algorithm: bytes = fixed(const(b"\x04"))
    parameters: bytes = fixed(const(b"\x11"))
    key_length: bytes = fixed(const(b"\x40"))
    key: bytes = wire(raw(64))


@record
class Sm2IssuerCertificate(Record):
    """Issuer certificate (发卡行公钥证书), tag 90, format 12: 142 bytes. `expires`: MMYY."""

    format: bytes = fixed(const(b"\x12"))
    issuer: str = wire(digits(4))
    expires: str = wire(month())
    serial: bytes = wire(raw(3))
    algorithm: bytes = fixed(const(b"\x04"))
    encipherment: bytes = fixed(const(b"\x00"))
    parameters: bytes = fixed(const(b"\x11"))
    key_length: bytes = fixed(const(b"\x40"))
    key: bytes = wire(raw(64))
    signature: bytes = wire(raw(SIGNATURE))


@record
class Sm2StaticSignature(Record):
    """Signed static application data (签名的静态应用数据), tag 93, format 13: 67 bytes."""

    format: bytes = fixed(const(b"\x13"))
    authentication_code: bytes = wire(raw(2))
    signature: bytes = wire(raw(SIGNATURE))


@record
class Sm2IccCertificate(Record):
    """ICC certificate (IC卡公钥证书), tag 9F46, format 14: 148 bytes. `expires`: MMYY."""

    format: bytes = fixed(const(b"\x14"))
    pan: str = wire(digits(10))
    expires: str = wire(month())
    serial: bytes = wire(raw(3))
    algorithm: bytes = fixed(const(b"\x04"))
    encipherment: bytes = fixed(const(b"\x00"))
    parameters: bytes = fixed(const(b"\x11"))
    key_length: bytes = fixed(const(b"\x40"))
    key: bytes = wire(raw(64))
    signature: bytes = wire(raw(SIGNATURE))


@record
class Sm2DynamicSignature(Record):
    """Signed dynamic application data (签名的动态应用数据), tag 9F4B, format 15."""

    format: bytes = fixed(const(b"\x15"))
    data: bytes = wire(counted(rest()))
    signature: bytes = wire(raw(SIGNATURE))


@record
class Sm2CombinedData(Record):
    """ICC dynamic data of combined authentication (CDA). `cid`: 9F27.

    No source shows it; it is what CDA has under RSA, with a hash of SM3 (profile choice `sm-cda`).
    """

    number: bytes = wire(counted(rest()))
    cid: int = wire(uint(1))
    cryptogram: bytes = wire(raw(8))
    transaction_hash: bytes = wire(raw(32))
