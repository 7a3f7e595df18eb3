# SPDX-License-Identifier: Apache-2.0
"""Suites and derivation judged by other people's programs: pyemv, gmalg and gmssl-pyx."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import derive, padding
from apdu.crypto.sm4 import SM4
from apdu.crypto.tdes import TDES, odd_parity

pytestmark = [
    pytest.mark.outside,
    # pyemv gives the library two keys where it wants three, and is warned of that.
    pytest.mark.filterwarnings("ignore:.*TripleDES"),
]

values = st.binary(min_size=16, max_size=16)
halves = st.binary(min_size=8, max_size=8)
texts = st.binary(max_size=80)
digits = st.sampled_from("0123456789")
psns = st.text(digits, min_size=2, max_size=2)


@given(halves, halves, texts, st.sampled_from([1, 2]))
def test_pyemv_makes_the_same_retail_mac(
    first: bytes, second: bytes, text: bytes, method: int
) -> None:
    mac = pytest.importorskip("pyemv.mac")
    pad = (padding.method_1, padding.method_2)[method - 1]
    ours = TDES.key(first + second).mac(text, pad)
    assert mac.mac_iso9797_3(first, second, text, method) == ours


@given(texts)
def test_pyemv_pads_alike(text: bytes) -> None:
    mac = pytest.importorskip("pyemv.mac")
    assert mac.pad_iso9797_1(text, 8) == padding.method_1(text, 8)
    assert mac.pad_iso9797_2(text, 8) == padding.method_2(text, 8)


@given(values, st.text(digits, min_size=8, max_size=19), psns)
def test_pyemv_derives_the_same_card_keys(value: bytes, pan: str, psn: str) -> None:
    kd = pytest.importorskip("pyemv.kd")
    master = TDES.key(value)
    assert kd.derive_icc_mk_a(value, pan, psn) == odd_parity(derive.udk(master, pan, psn))
    assert kd.derive_icc_mk_b(value, pan, psn) == odd_parity(derive.udk(master, pan, psn, "B"))


@given(values, halves, st.binary(min_size=2, max_size=2))
def test_pyemv_derives_the_same_session_keys(value: bytes, diversifier: bytes, atc: bytes) -> None:
    kd = pytest.importorskip("pyemv.kd")
    ours = derive.common_session_key(TDES.key(value), diversifier)
    assert kd.derive_common_sk(value, diversifier) == odd_parity(ours)
    assert kd.derive_visa_sm_sk(value, atc) == odd_parity(derive.vis_session_key(value, atc))


@given(values, values)
def test_gmalg_enciphers_the_same_sm4_blocks(value: bytes, block: bytes) -> None:
    gmalg = pytest.importorskip("gmalg")
    judge, key = gmalg.SM4(value), SM4.key(value)
    assert judge.encrypt(block) == key.encrypt(block)
    assert judge.decrypt(block) == key.decrypt(block)


@given(values, texts)
def test_gmssl_makes_the_same_sm4_cbc_mac(value: bytes, text: bytes) -> None:
    gmssl = pytest.importorskip("gmssl_pyx")
    # Of whole blocks it makes one block more than there is, with padding of its own.
    blocks = padding.method_2(text, 16)
    done = gmssl.sm4_cbc_padding_encrypt(key=value, iv=bytes(16), plaintext=blocks)
    mac = SM4.key(value).mac(text)
    assert done[len(blocks) - 16 : len(blocks)] == mac == SM4.key(value).cbc_mac(text)
