# SPDX-License-Identifier: Apache-2.0
"""What offline data authentication (脱机数据认证) signs under RSA, as it is recovered.

EMV Book 2 clauses 5 and 6, which JR/T 0025.7 takes over: 6A, a format, the data, BB as far as
there is room, SHA-1 over format to filling and over data that is not in the block, BC. A block
is as long as the modulus it is signed under. That the filling must be BB is asked of the card
here; the standard states it but lists no check (profile choice `oda-filling`).
"""

from __future__ import annotations

from typing import Final

from apdu.wire.fields import (
    before,
    const,
    counted,
    digits,
    filler,
    fixed,
    month,
    raw,
    rest,
    uint,
    wire,
)
from apdu.wire.record import Record, record

HASH: Final = 20
"""Bytes of SHA-1."""
END: Final = HASH + 1
"""Bytes behind what is hashed: the hash and the trailer."""
FILLING: Final = 0xBB
_HEADER, _TRAILER, _ONE = b"\x6a", b"\xbc", b"\x01"


@record
class IssuerCertificate(Record):
    """Issuer public key certificate (发卡行公钥证书, tag 90) without remainder and exponent.

    EMV Book 2 table 6. `expires`: MMYY. `key`: the modulus from the left, as much as fits.
    """

    header: bytes = fixed(const(_HEADER))
    format: bytes = fixed(const(b"\x02"))
    issuer: str = wire(digits(4))
    expires: str = wire(month())
    serial: bytes = wire(raw(3))
    hash_algorithm: bytes = fixed(const(_ONE))
    key_algorithm: bytes = fixed(const(_ONE))
    key_length: int = wire(uint(1))
    exponent_length: int = wire(uint(1))
    key: bytes = wire(before(END))
    hash: bytes = wire(raw(HASH))
    trailer: bytes = fixed(const(_TRAILER))


@record
class IccCertificate(Record):
    """ICC public key certificate (IC卡公钥证书, tag 9F46), or that of its PIN key (9F2D).

    EMV Book 2 tables 14 and 25. `expires`: MMYY. `key`: as in the issuer's certificate.
    """

    header: bytes = fixed(const(_HEADER))
    format: bytes = fixed(const(b"\x04"))
    pan: str = wire(digits(10))
    expires: str = wire(month())
    serial: bytes = wire(raw(3))
    hash_algorithm: bytes = fixed(const(_ONE))
    key_algorithm: bytes = fixed(const(_ONE))
    key_length: int = wire(uint(1))
    exponent_length: int = wire(uint(1))
    key: bytes = wire(before(END))
    hash: bytes = wire(raw(HASH))
    trailer: bytes = fixed(const(_TRAILER))


@record
class SignedStaticData(Record):
    """Signed static application data (签名的静态应用数据, tag 93). EMV Book 2 table 7."""

    header: bytes = fixed(const(_HEADER))
    format: bytes = fixed(const(b"\x03"))
    hash_algorithm: bytes = fixed(const(_ONE))
    authentication_code: bytes = wire(raw(2))
    filling: int = wire(filler(FILLING, END))
    hash: bytes = wire(raw(HASH))
    trailer: bytes = fixed(const(_TRAILER))


@record
class SignedDynamicData(Record):
    """Signed dynamic application data (签名的动态应用数据, tag 9F4B). EMV Book 2 table 17."""

    header: bytes = fixed(const(_HEADER))
    format: bytes = fixed(const(b"\x05"))
    hash_algorithm: bytes = fixed(const(_ONE))
    data: bytes = wire(counted(rest()))
    filling: int = wire(filler(FILLING, END))
    hash: bytes = wire(raw(HASH))
    trailer: bytes = fixed(const(_TRAILER))


@record
class DynamicData(Record):
    """ICC dynamic data of DDA and fDDA: the ICC dynamic number (IC卡动态数), 2 to 8 bytes.

    EMV Book 2 6.5.1. `more` is the issuer's; cards have none.
    """

    number: bytes = wire(counted(rest()))
    more: bytes = wire(rest(), default=b"")


@record
class CombinedData(Record):
    """ICC dynamic data of CDA. EMV Book 2 table 19. `cid`: cryptogram information data (9F27)."""

    number: bytes = wire(counted(rest()))
    cid: int = wire(uint(1))
    cryptogram: bytes = wire(raw(8))
    transaction_hash: bytes = wire(raw(HASH))
    more: bytes = wire(rest(), default=b"")


@record
class CardAuthentication(Record):
    """Card authentication related data (卡片认证相关数据, tag 9F69) of fDDA version 01.

    `number`: the card's unpredictable number. `qualifiers`: 9F6C. `more`: DF61 or 00, 1 to 9
    bytes; PBOC cards have one.
    """

    version: bytes = fixed(const(_ONE))
    number: bytes = wire(raw(4))
    qualifiers: bytes = wire(raw(2))
    more: bytes = wire(rest())


@record
class FddaData(Record):
    """What fDDA version 01 hashes of terminal and card: 9F37, 9F02, 5F2A and 9F69 (JR/T 0025.12).

    Version 00 hashes 9F37 alone.
    """

    number: bytes = wire(raw(4))
    amount: bytes = wire(raw(6))
    currency: bytes = wire(raw(2))
    card_authentication: bytes = wire(rest())


@record
class CaKeyData(Record):
    """What a CA public key's check value hashes (认证中心公钥). EMV Book 2 10.2.

    `key`: the modulus, then the exponent.
    """

    rid: bytes = wire(raw(5))
    index: int = wire(uint(1))
    key: bytes = wire(rest())
