# SPDX-License-Identifier: Apache-2.0
"""RSA with gmpy2 gives what `pow` gives."""

from __future__ import annotations

import pytest
from rsakeys import PRIMES

from apdu.crypto import rsa
from apdu.crypto.rsa import RsaPrivateKey, crt_parts

pytestmark = pytest.mark.outside


@pytest.mark.parametrize("bits", sorted(PRIMES))
@pytest.mark.parametrize("exponent", ["03", "11", "010001"])
def test_signatures_are_the_same(bits: int, exponent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gmpy2 = pytest.importorskip("gmpy2")
    parts = crt_parts(*map(bytes.fromhex, (*PRIMES[bits], exponent)))
    block = b"\x6a" + b"\xbb" * (bits // 8 - 2) + b"\xbc"
    signed = []
    for arithmetic in ((int, pow), (gmpy2.mpz, gmpy2.powmod)):
        monkeypatch.setattr(rsa, "_arithmetic", lambda arithmetic=arithmetic: arithmetic)
        key = RsaPrivateKey.from_crt(parts)
        signed.append(key.sign(block, lambda size: b"\x5c" * size))
        assert block == key.public.recover(signed[-1])
    assert signed[0] == signed[1]
