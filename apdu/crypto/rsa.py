# SPDX-License-Identifier: Apache-2.0
"""RSA as payment cards use it: blocks as long as the modulus, recovered and signed as they are.

EMV Book 2 annexes A2.1 and B2.1. What a block holds is the matter of `apdu.crypto.oda`.
`cryptography` offers no private operation without padding, so it is done here, with gmpy2 where
it is installed (8 to 10 times faster), and with `pow` elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import gcd
from typing import Any, Final, NoReturn

from apdu.errors import FormatError
from apdu.secret import MASK

MODULUS: Final = range(64, 257)
"""Bytes of a modulus: 512 to 2048 bits, the longest those of certification authorities."""
CARD_MODULUS: Final = range(64, 249)
"""Bytes of the modulus of an issuer or a card: 512 to 1984 bits (EMV Book 2 D1)."""
EXPONENT: Final = range(1, 4)
"""Bytes of a public exponent (EMV Book 3, tags 9F32 and 9F47)."""


@dataclass(frozen=True, slots=True)
class RsaPublicKey:
    """A public key. Modulus and exponent have one form each: no zeros in front, and the first
    bit of the modulus is set, so that its bytes are its size.

    Raises FormatError naming modulus or exponent when one is out of its range.
    """

    modulus: bytes
    exponent: bytes

    def __post_init__(self) -> None:
        _check_modulus(self.modulus)
        size = len(self.exponent)
        if size not in EXPONENT:
            raise FormatError(f"exponent: {size} bytes, must be {_between(EXPONENT)}")
        number = int.from_bytes(self.exponent)
        if number < 3 or number % 2 == 0 or not self.exponent[0]:
            raise FormatError("exponent: must be odd, 3 at least, without zeros in front")

    @property
    def size(self) -> int:
        """Bytes of the modulus, and of every block."""
        return len(self.modulus)

    def recover(self, signature: bytes, name: str = "signature") -> bytes:
        """The block that was signed, or that is to be enciphered: as long as the modulus.

        Raises FormatError, with `name`, when `signature` is of another length or not below
        the modulus.
        """
        value, modulus = _block(signature, self.modulus, name), int.from_bytes(self.modulus)
        return pow(value, int.from_bytes(self.exponent), modulus).to_bytes(self.size)


@dataclass(frozen=True, slots=True, repr=False)
class CrtParts:
    """The five parts by which a card keeps its private key, DGIs 8205, 8204, 8203, 8202, 8201.

    `p`, `q`: primes. `dp`, `dq`: the private exponent modulo p-1 and q-1. `qinv`: the inverse
    of q modulo p. Each big-endian, zeros before it allowed. Every text form of it is `•••`.
    """

    p: bytes
    q: bytes
    dp: bytes
    dq: bytes
    qinv: bytes

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be copied or stored")


def crt_parts(p: bytes, q: bytes, exponent: bytes) -> CrtParts:
    """The parts of a key from its primes, each as long as the longer prime.

    Raises FormatError when the exponent has no inverse under the primes.
    """
    size = max(len(p), len(q))
    first, second, e = (int.from_bytes(each) for each in (p, q, exponent))
    try:
        found = (
            first,
            second,
            pow(e, -1, first - 1),
            pow(e, -1, second - 1),
            pow(second, -1, first),
        )
    except ValueError:
        raise FormatError("p and q: no private exponent belongs to them") from None
    return CrtParts(*(each.to_bytes(size) for each in found))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RsaPrivateKey:
    """A private key, ready for work. Every text form of it is `•••`, and it cannot be pickled."""

    public: RsaPublicKey
    _n: Any
    _e: Any
    _p: Any
    _q: Any
    _dp: Any
    _dq: Any
    _qinv: Any

    @classmethod
    def from_crt(cls, parts: CrtParts) -> RsaPrivateKey:
        """The key of these parts, checked against each other; the public exponent follows.

        Raises FormatError naming the part and the rule, never a value.
        """
        number, power = _arithmetic()
        p, q, dp, dq, qinv = (
            number(int.from_bytes(each))
            for each in (parts.p, parts.q, parts.dp, parts.dq, parts.qinv)
        )
        if p % 2 == 0 or q % 2 == 0 or p < 3 or q < 3:
            raise FormatError("p and q: must be odd primes")
        modulus = _bytes(int(p * q))
        _check_modulus(modulus)
        e = _exponent("dp", int(dp), int(p))
        if e != _exponent("dq", int(dq), int(q)):
            raise FormatError("dp and dq: belong to different public exponents")
        public = RsaPublicKey(modulus, _bytes(e))
        if not (qinv < p and qinv * q % p == 1):
            raise FormatError("qinv: must be the inverse of q modulo p")
        # Fermat's test. It is here to find bytes that were changed, not to find forged primes.
        if power(2, p - 1, p) != 1 or power(2, q - 1, q) != 1:
            raise FormatError("p and q: must be odd primes")
        return cls(public, p * q, number(e), p, q, dp, dq, qinv)

    def sign(self, block: bytes, random: Callable[[int], bytes]) -> bytes:
        """The block under the private key; `public.recover` gives it back.

        The base is blinded with `random`, and the result leaves only after it was checked: a
        computation that was disturbed would give the primes away. Raises FormatError when the
        block is of another length than the modulus or not below it, ArithmeticError when the
        check fails.
        """
        number, power = _arithmetic()
        n, p, q = self._n, self._p, self._q
        base = number(_block(block, self.public.modulus, "block"))
        mask = _mask(random(self.public.size), int(n))
        blinded = base * power(mask, self._e, n) % n
        first, second = power(blinded % p, self._dp, p), power(blinded % q, self._dq, q)
        masked = second + self._qinv * (first - second) % p * q
        signature = masked * power(mask, -1, n) % n
        if power(signature, self._e, n) != base:
            raise ArithmeticError("RSA: the computation was disturbed")
        return int(signature).to_bytes(self.public.size)

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be copied or stored")


@cache
def _arithmetic() -> tuple[Callable[[int], Any], Callable[..., Any]]:
    """How big numbers are made, and raised to a power modulo another."""
    try:
        gmpy2 = import_module("gmpy2")
    except ImportError:
        return int, pow
    return gmpy2.mpz, gmpy2.powmod


def _mask(drawn: bytes, n: int) -> int:
    """A number from random bytes that has an inverse; nearly all have."""
    if len(drawn) != (n.bit_length() + 7) // 8:
        raise FormatError("random: not as many bytes as were asked for")
    mask = 2 + int.from_bytes(drawn) % (n - 3)
    while gcd(mask, n) != 1:
        mask -= 1
    return mask


def _exponent(name: str, d: int, prime: int) -> int:
    try:
        if 0 < d < prime:
            return pow(d, -1, prime - 1)
    except ValueError:
        pass
    raise FormatError(f"{name}: no public exponent belongs to it")


def _check_modulus(modulus: bytes) -> None:
    size = len(modulus)
    if size not in MODULUS:
        raise FormatError(f"modulus: {size} bytes, must be {_between(MODULUS)}")
    if not modulus[0] & 0x80 or not modulus[-1] & 1:
        raise FormatError("modulus: its first and its last bit must be set")


def _block(block: bytes, modulus: bytes, name: str) -> int:
    if len(block) != len(modulus):
        raise FormatError(
            f"{name}: {len(block)} bytes, must be {len(modulus)}, the length of the modulus"
        )
    if block >= modulus:
        raise FormatError(f"{name}: must be below the modulus")
    return int.from_bytes(block)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _between(sizes: range) -> str:
    return f"{sizes[0]} to {sizes[-1]}"
