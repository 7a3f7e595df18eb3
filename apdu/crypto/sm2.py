# SPDX-License-Identifier: Apache-2.0
"""SM2 (GB/T 32918): keys, signatures with SM3, and encipherment. No key agreement.

A signature is r and s, 64 bytes. A ciphertext is C1 C3 C2: 04, X and Y; 32 bytes that prove the
message; the message hidden (GB/T 32918.4 6.1). Their ASN.1 forms are in `sm2_asn1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final

from apdu.crypto.sm2_curve import RECOMMENDED, SIZE, Curve, Provider
from apdu.crypto.sm2_python import PYTHON, base_point, multiplied, xor
from apdu.crypto.sm3 import Beginning, derive_key, digest
from apdu.errors import FormatError
from apdu.secret import MASK, Secret

Random = Callable[[int], bytes]
"""So many random bytes. The same bytes make the same signature, key or ciphertext."""

DEFAULT_ID: Final = b"1234567812345678"
"""The signer's identity where none is agreed (GM/T 0009 10); payment and certificates use it."""
POINT: Final = 2 * SIZE
SIGNATURE: Final = 2 * SIZE
_UNCOMPRESSED: Final = b"\x04"
_BEFORE_MESSAGE: Final = 1 + POINT + SIZE
_MOST_DRAWS: Final = 64


@dataclass(frozen=True, slots=True)
class PublicKey:
    """X and Y, 64 bytes. Raises FormatError when they are not a point of the curve."""

    value: bytes
    curve: Curve = field(default=RECOMMENDED, repr=False)

    def __post_init__(self) -> None:
        _check("public key", self.value, POINT)
        if not self.curve.contains(self.value):
            raise FormatError("public key: not a point of the curve")


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class PrivateKey:
    """A number of 32 bytes from 1 to n - 2, and its public key. Its text form is `•••`."""

    secret: Secret
    public: PublicKey

    def __init__(self, value: bytes, curve: Curve = RECOMMENDED) -> None:
        _check("private key", value, SIZE)
        number = int.from_bytes(value)
        if not 0 < number < curve.n - 1:
            raise FormatError("private key: must be from 1 to n - 2")
        object.__setattr__(self, "secret", Secret(value))
        object.__setattr__(self, "public", PublicKey(base_point(curve, number), curve))

    def __repr__(self) -> str:
        return f"SM2 key {MASK}"


def generate(random: Random, curve: Curve = RECOMMENDED) -> PrivateKey:
    """A new key from random bytes (GB/T 32918.1 6.1)."""
    for number in _drawn(random, curve):
        if number != curve.n - 1:
            return PrivateKey(number.to_bytes(SIZE), curve)
    raise _unusable()


# Signatures (GB/T 32918.2)


def za(public: PublicKey, identity: bytes = DEFAULT_ID) -> bytes:
    """Z: the digest of the signer's identity, the curve and the public key (5.5), 32 bytes.

    `identity`: 8191 bytes at most, for its length is written in bits.
    """
    if len(identity) > 0xFFFF // 8:
        raise FormatError(f"identity: {len(identity)} bytes, {0xFFFF // 8} at most")
    curve = public.curve
    numbers = (curve.a, curve.b, curve.gx, curve.gy)
    written = b"".join(number.to_bytes(SIZE) for number in numbers)
    return digest((8 * len(identity)).to_bytes(2) + identity + written + public.value)


def message_digest(public: PublicKey, message: bytes, identity: bytes = DEFAULT_ID) -> bytes:
    """e: what is signed in the place of a message (6.1 A1 and A2), 32 bytes."""
    return _begun(public, identity).digest(message)


@lru_cache(maxsize=256)
def _begun(public: PublicKey, identity: bytes) -> Beginning:
    return Beginning(za(public, identity))


def sign(
    private: PrivateKey, message: bytes, random: Random, identity: bytes = DEFAULT_ID
) -> bytes:
    """r and s, 64 bytes (6.1). `random` gives k; other bytes are asked for when k is of no use."""
    return sign_digest(private, message_digest(private.public, message, identity), random)


def sign_digest(private: PrivateKey, e: bytes, random: Random) -> bytes:
    """The same for whoever is given e, 32 bytes, in the place of the message, as cards are."""
    _check("e", e, SIZE)
    curve = private.public.curve
    n = curve.n
    number = int.from_bytes(e)
    d = int.from_bytes(private.secret.reveal())
    for k in _drawn(random, curve):
        r = (number + int.from_bytes(base_point(curve, k)[:SIZE])) % n
        s = pow(1 + d, -1, n) * (k - r * d) % n
        if r and r + k != n and s:
            return r.to_bytes(SIZE) + s.to_bytes(SIZE)
    raise _unusable()


def verify(
    public: PublicKey, message: bytes, signature: bytes, identity: bytes = DEFAULT_ID
) -> bool:
    """Whether `signature`, 64 bytes, is the key's over the message (7.1)."""
    _check("signature", signature, SIGNATURE)
    curve = public.curve
    r, s = int.from_bytes(signature[:SIZE]), int.from_bytes(signature[SIZE:])
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    e = message_digest(public, message, identity)
    return provider().verify(curve, public.value, e, signature)


# Encipherment (GB/T 32918.4)


def encrypt(public: PublicKey, message: bytes, random: Random) -> bytes:
    """C1 C3 C2: 97 bytes more than the message, which must not be empty (6.1)."""
    if not message:
        raise FormatError("message: 0 bytes, must be 1 or more")
    curve = public.curve
    for k in _drawn(random, curve):
        shared = multiplied(curve, k, public.value)
        mask = derive_key(shared, len(message))
        if any(mask):
            check = digest(shared[:SIZE] + message + shared[SIZE:])
            return _UNCOMPRESSED + base_point(curve, k) + check + xor(message, mask)
    raise _unusable()


def decrypt(private: PrivateKey, ciphertext: bytes, *, old_order: bool = False) -> bytes:
    """The message of a ciphertext (7.1). `old_order`: C1 C2 C3, as before 2012.

    Raises FormatError, the same for all that does not fit this key.
    """
    if len(ciphertext) <= _BEFORE_MESSAGE:
        rule = f"must be over {_BEFORE_MESSAGE}"
        raise FormatError(f"ciphertext: {len(ciphertext)} bytes, {rule}")
    if ciphertext[:1] != _UNCOMPRESSED:
        raise FormatError("ciphertext: must begin with 04, an uncompressed point")
    point, rest = ciphertext[1 : 1 + POINT], ciphertext[1 + POINT :]
    curve = private.public.curve
    if not curve.contains(point):
        raise FormatError("ciphertext: its point is not one of the curve")
    if old_order:
        check, hidden = rest[-SIZE:], rest[:-SIZE]
    else:
        check, hidden = rest[:SIZE], rest[SIZE:]
    message = provider().decrypt(curve, private.secret.reveal(), point, check, hidden)
    if message is None:
        raise FormatError("ciphertext: not one for this key")
    return message


# Who computes


@cache
def provider() -> Provider:
    """Who verifies and deciphers here: the library of the extra `sm2` if it is installed."""
    from apdu.crypto import sm2_gmssl

    return sm2_gmssl.installed() or PYTHON


def _drawn(random: Random, curve: Curve) -> Iterator[int]:
    """Numbers from 1 to n - 1, of those that are drawn."""
    for _ in range(_MOST_DRAWS):
        drawn = random(SIZE)
        _check("random", drawn, SIZE)
        if 0 < (number := int.from_bytes(drawn)) < curve.n:
            yield number


def _unusable() -> FormatError:
    return FormatError(f"random: {_MOST_DRAWS} draws and none of use")


def _check(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise FormatError(f"{name}: {len(value)} bytes, must be {size}")
