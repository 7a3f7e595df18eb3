# SPDX-License-Identifier: Apache-2.0
"""Triple DES, the retail MAC and diversification: published values first, then their laws."""

from __future__ import annotations

from typing import Any

import pytest
from books import cases, unhex
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import tdes

keys = st.binary(min_size=16, max_size=16)
blocks = st.integers(0, 5).flatmap(lambda n: st.binary(min_size=8 * n, max_size=8 * n))
WAYS = {"encrypt": tdes.encrypt, "retail_mac": tdes.retail_mac, "diversify": tdes.diversify}


@pytest.mark.parametrize("case", cases("crypto/tdes.json"))
def test_a_published_or_agreed_value_comes_out(case: dict[str, Any]) -> None:
    key, given_, out = unhex(case, "key", "in", "out")
    assert out == WAYS[case["op"]](key, given_)[: len(out)]


def test_the_keys_of_a_card_come_from_the_root_over_province_city_and_card() -> None:
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    for factor in (b"430000sh", b"430200sx", bytes.fromhex("8660531234567890")):
        key = tdes.diversify(key, factor)
    assert "06B372C3F4BF1ED6F4A4B15C2E65FE4A" == key.hex().upper()
    identification = bytes.fromhex("430200D15600000534567890")
    assert "23735481" == tdes.retail_mac(key, identification)[:4].hex().upper()


@given(keys, blocks)
def test_blocks_are_enciphered_one_by_one(key: bytes, data: bytes) -> None:
    whole = tdes.encrypt(key, data)
    assert len(data) == len(whole)
    assert whole == b"".join(
        tdes.encrypt(key, data[at : at + tdes.BLOCK]) for at in range(0, len(data), tdes.BLOCK)
    )


@given(st.binary(min_size=8, max_size=8), blocks)
def test_a_key_of_two_equal_halves_is_a_single_key(half: bytes, data: bytes) -> None:
    assert tdes.encrypt(half, data) == tdes.encrypt(half * 2, data)


@given(keys, st.binary(max_size=40))
def test_a_mac_has_eight_bytes_and_is_made_over_the_padded_data(key: bytes, data: bytes) -> None:
    mac = tdes.retail_mac(key, data)
    assert tdes.BLOCK == len(mac)
    padded = data + b"\x80"
    padded += bytes(-len(padded) % tdes.BLOCK)
    state = bytes(tdes.BLOCK)
    for at in range(0, len(padded), tdes.BLOCK):
        mixed = bytes(a ^ b for a, b in zip(state, padded[at : at + tdes.BLOCK], strict=True))
        last = at + tdes.BLOCK == len(padded)
        state = tdes.encrypt(key if last else key[: tdes.BLOCK], mixed)
    assert state == mac


@given(keys, st.binary(max_size=24), st.integers(0, 191))
def test_a_changed_bit_changes_the_mac(key: bytes, data: bytes, bit: int) -> None:
    changed = bytearray(data + bytes(24 - len(data)))
    changed[bit // 8] ^= 1 << bit % 8
    assert tdes.retail_mac(key, data) != tdes.retail_mac(key, bytes(changed))


@given(keys, st.binary(min_size=8, max_size=8))
def test_a_derived_key_is_the_factor_and_its_complement(key: bytes, factor: bytes) -> None:
    derived = tdes.diversify(key, factor)
    assert tdes.encrypt(key, factor) == derived[:8]
    assert tdes.encrypt(key, bytes(0xFF - byte for byte in factor)) == derived[8:]
    assert tdes.KEY == len(derived)
