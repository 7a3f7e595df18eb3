# SPDX-License-Identifier: Apache-2.0
"""Signatures and ciphertexts of SM2 as DER (GM/T 0009 7.2 and 7.3), from and to plain bytes.

Certificates and most other programs use these forms; cards use plain bytes.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.sm2_curve import SIZE
from apdu.errors import FormatError
from apdu.tlv import Tlv, build, parse, tlv

INTEGER: Final = 0x02
OCTETS: Final = 0x04
SEQUENCE: Final = 0x30
_POINT: Final = 2 * SIZE


def integer(number: int) -> Tlv:
    """An INTEGER of zero or more, in as few bytes as DER allows."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def signature_to_der(signature: bytes) -> bytes:
    """SEQUENCE of r and s, from 64 bytes."""
    if len(signature) != 2 * SIZE:
        raise FormatError(f"signature: {len(signature)} bytes, must be {2 * SIZE}")
    return build([tlv(SEQUENCE, _numbers(signature))])


def signature_from_der(der: bytes) -> bytes:
    """r and s, 64 bytes. Raises FormatError for anything but their one DER form."""
    r, s = _parts("signature", der, INTEGER, INTEGER)
    return _unsigned("signature", r) + _unsigned("signature", s)


def ciphertext_to_der(ciphertext: bytes) -> bytes:
    """SEQUENCE of X, Y, C3 and C2, from 04 and C1 C3 C2."""
    if len(ciphertext) < 1 + _POINT + SIZE or ciphertext[0] != 4:
        raise FormatError("ciphertext: must be 04, C1, C3 and C2")
    point, rest = ciphertext[1 : 1 + _POINT], ciphertext[1 + _POINT :]
    octets = [tlv(OCTETS, rest[:SIZE]), tlv(OCTETS, rest[SIZE:])]
    return build([tlv(SEQUENCE, _numbers(point) + octets)])


def ciphertext_from_der(der: bytes) -> bytes:
    """04 and C1 C3 C2. Raises FormatError for anything but their one DER form."""
    x, y, check, hidden = _parts("ciphertext", der, INTEGER, INTEGER, OCTETS, OCTETS)
    if len(check) != SIZE:
        raise FormatError(f"ciphertext: C3 of {len(check)} bytes, must be {SIZE}")
    return b"\x04" + _unsigned("ciphertext", x) + _unsigned("ciphertext", y) + check + hidden


def _numbers(pair: bytes) -> list[Tlv]:
    return [integer(int.from_bytes(part)) for part in (pair[:SIZE], pair[SIZE:])]


def _parts(name: str, der: bytes, *tags: int) -> list[bytes]:
    found = parse(der)
    if [item.tag for item in found] != [SEQUENCE]:
        raise FormatError(f"{name}: must be one DER sequence")
    if [item.tag for item in found[0].children] != list(tags):
        raise FormatError(f"{name}: not the parts of its DER sequence")
    return [item.value for item in found[0].children]


def _unsigned(name: str, value: bytes) -> bytes:
    number = int.from_bytes(value)
    if value != integer(number).value or number >> 8 * SIZE:
        raise FormatError(f"{name}: a number is not one of {SIZE} bytes in DER")
    return number.to_bytes(SIZE)
