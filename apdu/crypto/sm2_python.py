# SPDX-License-Identifier: Apache-2.0
"""SM2's arithmetic in plain Python, on any curve of 256 bits, and the provider made of it.

Not constant time: how long a number takes tells something of it. Where somebody else can measure
that, keys in use do not belong here; test keys do.

Sums of points are Jacobian (x = X/Z², y = Y/Z³, Z = 0 is infinity), points in tables affine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from apdu.crypto.sm2_curve import SIZE, Curve, Provider
from apdu.crypto.sm3 import derive_key, digest

_Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]

_INFINITY: Final = (1, 1, 0)
_COMB: Final = 6
"""Bits of the base point's factor that one addition deals with; 43 rows of 32 points."""
_WINDOW: Final = 5
"""Bits of any other point's factor that one addition deals with; 8 points."""


def base_point(curve: Curve, factor: int) -> bytes:
    """`factor` times G, X and Y. `factor`: from 1 to n - 1."""
    return _written(curve, _add_base(curve, _INFINITY, factor))


def multiplied(curve: Curve, factor: int, point: bytes) -> bytes:
    """`factor` times a point of the curve, X and Y. `factor`: from 1 to n - 1."""
    return _written(curve, _multiply(curve, factor, point))


class PythonProvider(Provider):
    """Needs nothing, takes every curve."""

    name = "python"

    def verify(self, curve: Curve, public: bytes, digest: bytes, signature: bytes) -> bool:
        n = curve.n
        r, s = int.from_bytes(signature[:SIZE]), int.from_bytes(signature[SIZE:])
        t = (r + s) % n
        if not t:
            return False
        x, _, z = _add_base(curve, _multiply(curve, t, public), s)
        if not z:
            return False
        p = curve.p
        return (int.from_bytes(digest) + x * pow(z, -2, p) % p - r) % n == 0

    def decrypt(
        self, curve: Curve, private: bytes, point: bytes, check: bytes, hidden: bytes
    ) -> bytes | None:
        shared = multiplied(curve, int.from_bytes(private), point)
        mask = derive_key(shared, len(hidden))
        message = xor(hidden, mask)
        right = digest(shared[:SIZE] + message + shared[SIZE:])
        return message if compare_digest(check, right) and any(mask) else None


PYTHON: Final = PythonProvider()


def xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


def _written(curve: Curve, point: _Jacobian) -> bytes:
    ((x, y),) = _affine(curve, [point])
    return x.to_bytes(SIZE) + y.to_bytes(SIZE)


def _affine(curve: Curve, points: Sequence[_Jacobian]) -> list[_Affine]:
    """The points, none of them infinity, with one inversion for all."""
    p = curve.p
    products, product = [], 1
    for _, _, z in points:
        products.append(product)
        product = product * z % p
    inverse = pow(product, -1, p)
    found = []
    for (x, y, z), before in zip(reversed(points), reversed(products), strict=True):
        one = inverse * before % p
        inverse = inverse * z % p
        square = one * one % p
        found.append((x * square % p, y * square * one % p))
    return found[::-1]


def _double(curve: Curve, point: _Jacobian, times: int = 1) -> _Jacobian:
    x, y, z = point
    p, a = curve.p, curve.a
    near = a == p - 3  # a = -3 saves a product, and the recommended curve has it
    for _ in range(times):
        yy = y * y % p
        s = 4 * x * yy % p
        zz = z * z % p
        m = 3 * (x - zz) * (x + zz) % p if near else (3 * x * x + a * (zz * zz % p)) % p
        z = 2 * y * z % p
        x = (m * m - 2 * s) % p
        y = (m * (s - x) - 8 * yy * yy) % p
    return x, y, z


def _add(curve: Curve, point: _Jacobian, other: _Affine) -> _Jacobian:
    x, y, z = point
    if not z:
        return *other, 1
    p = curve.p
    zz = z * z % p
    h = (other[0] * zz - x) % p
    r = (other[1] * (zz * z % p) - y) % p
    if not h:
        return _INFINITY if r else _double(curve, point)
    hh = h * h % p
    hhh = h * hh % p
    v = x * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - y * hhh) % p, z * h % p


def _sums(curve: Curve, first: _Affine, step: _Affine, count: int) -> list[_Jacobian]:
    """`count` points that begin with `first`, each a step from the one before."""
    found: list[_Jacobian] = [(*first, 1)]
    while len(found) < count:
        found.append(_add(curve, found[-1], step))
    return found


@lru_cache(maxsize=4)
def _comb(curve: Curve) -> list[list[_Affine]]:
    """Row i has 1, 2, … 32 times 2^(6i) G: 170 KB, made on first use in about 10 ms."""
    half = 1 << _COMB - 1
    step = curve.gx, curve.gy
    points: list[_Jacobian] = []
    while len(points) // half * _COMB <= 8 * SIZE:
        points += _sums(curve, step, step, half)
        (step,) = _affine(curve, [_double(curve, points[-1])])
    found = _affine(curve, points)
    return [found[at : at + half] for at in range(0, len(found), half)]


def _add_base(curve: Curve, point: _Jacobian, factor: int) -> _Jacobian:
    """The point and `factor` times G. Digits lie between -31 and 32, so half a row is enough."""
    p = curve.p
    full = 1 << _COMB
    for row in _comb(curve):
        digit = factor & full - 1
        factor >>= _COMB
        if digit > full >> 1:
            x, y = row[full - digit - 1]
            point = _add(curve, point, (x, p - y))
            factor += 1
        elif digit:
            point = _add(curve, point, row[digit - 1])
    return point


def _odd_digits(factor: int) -> Iterable[tuple[int, int]]:
    """What a factor is made of, the highest first: an odd digit, and how often to double then.

    Digits lie between -15 and 15 (width-w NAF, Guide to ECC algorithm 3.35).
    """
    full = 1 << _WINDOW
    found = []
    zeros = 0
    while factor:
        if factor & 1:
            digit = factor & full - 1
            if digit >= full >> 1:
                digit -= full
            found.append((digit, zeros))
            factor -= digit
            zeros = 0
        low = (factor & -factor).bit_length() - 1 if factor else 0
        factor >>= low
        zeros += low
    return reversed(found)


def _multiply(curve: Curve, factor: int, point: bytes) -> _Jacobian:
    one = int.from_bytes(point[:SIZE]), int.from_bytes(point[SIZE:])
    (two,) = _affine(curve, [_double(curve, (*one, 1))])
    odd = _affine(curve, _sums(curve, one, two, 1 << _WINDOW - 2))
    found: _Jacobian = _INFINITY
    for digit, doublings in _odd_digits(factor):
        x, y = odd[abs(digit) >> 1]
        found = _add(curve, found, (x, y if digit > 0 else curve.p - y))
        found = _double(curve, found, doublings)
    return found
