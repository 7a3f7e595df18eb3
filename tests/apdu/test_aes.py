# SPDX-License-Identifier: Apache-2.0
"""AES: the values of its standard, and that it is no suite of a card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto.aes import AES
from apdu.crypto.padding import without
from apdu.crypto.suites import SUITES

KEY = AES.key(bytes(range(16)))
aes_keys = st.sampled_from(AES.key_lengths).flatmap(lambda n: st.binary(min_size=n, max_size=n))


@pytest.mark.parametrize(
    ("length", "out"),
    [
        (16, "69C4E0D86A7B0430D8CDB78070B4C55A"),
        (24, "DDA97CA4864CDFE06EAF70A0EC0D7191"),
        (32, "8EA2B7CA516745BFEAFC49904B496089"),
    ],
)
def test_aes_is_that_of_fips_197_appendix_c(length: int, out: str) -> None:
    key, block = AES.key(bytes(range(length))), bytes(0x11 * n for n in range(16))
    assert out == key.encrypt(block).hex().upper()
    assert block == key.decrypt(key.encrypt(block))


@given(aes_keys, st.integers(1, 4).flatmap(lambda n: st.binary(min_size=16 * n, max_size=16 * n)))
def test_the_mac_of_aes_is_the_last_block_of_cbc(value: bytes, data: bytes) -> None:
    key, state = AES.key(value), bytes(16)
    for at in range(0, len(data), 16):
        mixed = bytes(one ^ other for one, other in zip(state, data[at : at + 16], strict=True))
        state = key.encrypt(mixed)
    for _ in range(2):
        assert state == key.cbc_mac(data, without) == key.mac(data, without)


def test_aes_is_no_suite_of_a_card() -> None:
    assert AES not in SUITES.values()
    assert AES.number not in SUITES
    assert "AES key •••" == repr(KEY)
