# SPDX-License-Identifier: Apache-2.0
"""The laws of derived keys, one by one and many at once, and what derivation refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import derive
from apdu.crypto.sm4 import SM4
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError

suites = st.sampled_from(list(SUITES.values()))
values = st.binary(min_size=16, max_size=16)
keys = st.builds(lambda suite, value: suite.key(value), suites, values)
factors = st.binary(min_size=8, max_size=8)
atcs = st.binary(min_size=2, max_size=2)
digits = st.sampled_from("0123456789")
pans = st.text(digits, min_size=8, max_size=19)
psns = st.text(digits, min_size=2, max_size=2)


def complement(data: bytes) -> bytes:
    return bytes(0xFF - byte for byte in data)


def test_the_keys_of_a_card_come_from_the_root_over_province_city_and_card() -> None:
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    for factor in (b"430000sh", b"430200sx", bytes.fromhex("8660531234567890")):
        key = derive.diversify(TDES.key(key), factor)
    assert "06B372C3F4BF1ED6F4A4B15C2E65FE4A" == key.hex().upper()
    identification = bytes.fromhex("430200D15600000534567890")
    assert "23735481" == TDES.key(key).mac(identification)[:4].hex().upper()


@given(keys, factors)
def test_a_derived_key_is_the_factor_and_its_complement(key: BlockKey, factor: bytes) -> None:
    both = derive.with_complement(factor)
    assert factor + complement(factor) == both
    assert factor == derive.with_complement(complement(factor))[8:]
    assert key.encrypt(both) == derive.diversify(key, factor)
    assert 16 == len(derive.diversify(key, factor))


@given(pans, psns)
def test_the_last_16_digits_of_pan_and_sequence_number_stand_for_a_card(pan: str, psn: str) -> None:
    factor = derive.udk_factor(pan, psn)
    assert ("0" * 16 + pan + psn)[-16:] == factor.hex()
    if len(pan) <= 16:
        assert factor == derive.udk_factor(pan, psn, "B")


@given(st.text(digits, min_size=17, max_size=19), psns)
def test_option_b_makes_16_digits_of_a_long_pan_and_looks_at_all_of_it(pan: str, psn: str) -> None:
    factor = derive.udk_factor(pan, psn, "B")
    assert 16 == len(factor.hex())
    assert factor.hex().isdecimal()
    other = str(9 - int(pan[0])) + pan[1:]
    assert factor != derive.udk_factor(other, psn, "B")
    assert derive.udk_factor(pan, psn) == derive.udk_factor(other, psn)


@given(keys, pans, psns, st.sampled_from("AB"))
def test_a_card_key_is_diversified_by_what_stands_for_the_card(
    key: BlockKey, pan: str, psn: str, option: str
) -> None:
    factor = derive.udk_factor(pan, psn, option)
    assert derive.diversify(key, factor) == derive.udk(key, pan, psn, option)
    if psn == "00" and option == "A":
        assert derive.udk(key, pan) == derive.udk(key, pan, psn, option)


@given(keys, atcs, factors)
def test_session_keys_are_what_their_rules_say(
    key: BlockKey, atc: bytes, cryptogram: bytes
) -> None:
    block = bytes(6) + atc + bytes(6) + complement(atc)
    assert key.encrypt(block) == derive.pboc_session_key(key, atc)
    first, second = bytearray(cryptogram), bytearray(cryptogram)
    first[2], second[2] = 0xF0, 0x0F
    assert key.encrypt(bytes(first + second)) == derive.common_session_key(key, cryptogram)


@given(values, atcs)
def test_a_vis_session_key_is_made_by_xor_and_unmade_by_it(value: bytes, atc: bytes) -> None:
    session = derive.vis_session_key(value, atc)
    assert value == derive.vis_session_key(session, atc)
    assert (value[:6], value[8:14]) == (session[:6], session[8:14])


@given(keys, factors, factors)
def test_a_session_key_proves_itself_over_eight_bytes(
    key: BlockKey, challenge: bytes, data: bytes
) -> None:
    session = derive.challenge_key(key, challenge)
    assert key.suite is session.suite
    proof = derive.authentication(session, data)
    assert 8 == len(proof)
    if key.suite is TDES:
        # Single DES under the enciphered challenge.
        assert TDES.key(key.encrypt(challenge)).encrypt(data) == proof
    else:
        derived = SM4.key(key.encrypt(challenge + complement(challenge)))
        block = derived.encrypt(data + b"\x80" + bytes(7))
        assert bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True)) == proof


# Many at once


@given(keys, st.lists(factors, max_size=40), st.integers(1, 3))
def test_many_keys_at_once_are_those_made_one_by_one(
    key: BlockKey, found: list[bytes], threads: int
) -> None:
    blocks = derive.factors_with_complement(found)
    assert b"".join(map(derive.with_complement, found)) == blocks
    one_by_one = b"".join(derive.diversify(key, factor) for factor in found)
    assert one_by_one == derive.derive_many(key, blocks, threads)


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 1000, 1001, 4999])
def test_any_number_of_cards_is_shared_out_to_any_number_of_threads(
    suite: Suite, count: int
) -> None:
    key = suite.key(bytes(range(16)))
    blocks = derive.factors_with_complement(n.to_bytes(8) for n in range(count))
    whole = derive.derive_many(key, blocks)
    assert 16 * count == len(whole)
    assert derive.diversify(key, (count - 1).to_bytes(8)) == whole[-16:]
    for threads in (2, 3, 7):
        assert whole == derive.derive_many(key, blocks, threads)


# What is refused

KEY = TDES.key(bytes(range(16)))
GOOD_PAN, GOOD_PSN = "6228000100001", "01"


def _lengths(name: str, way: Any, *right: int) -> list[Any]:
    wrong = [length for length in (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24) if length not in right]
    return [pytest.param(name, way, length, id=f"{name}-{length}") for length in wrong]


@pytest.mark.parametrize(
    ("name", "way", "length"),
    _lengths("factor", derive.with_complement, 8)
    + _lengths("factor", lambda data: derive.diversify(KEY, data), 8)
    + _lengths("factor", lambda data: derive.factors_with_complement([bytes(8), data]), 8)
    + _lengths("factor", lambda data: derive.challenge_key(KEY, data), 8)
    + _lengths("ATC", lambda data: derive.pboc_session_key(KEY, data), 2)
    + _lengths("ATC", lambda data: derive.vis_session_key(bytes(16), data), 2)
    + _lengths("key", lambda data: derive.vis_session_key(data, b"\x00\x01"), 16)
    + _lengths("diversifier", lambda data: derive.common_session_key(KEY, data), 8)
    + _lengths("authentication data", lambda data: derive.authentication(KEY, data), 8)
    + _lengths("blocks", lambda data: derive.derive_many(KEY, data), 0, 16),
)
def test_bytes_of_another_length_are_refused_by_name(name: str, way: Any, length: int) -> None:
    data = bytes(range(0xA1, 0xA1 + length))
    with pytest.raises(FormatError) as error:
        way(data)
    text = str(error.value)
    assert text.startswith(f"{name}: {length} bytes, must be ")
    assert length == 0 or data.hex() not in text.lower()


@pytest.mark.parametrize(
    ("pan", "psn", "option", "text"),
    [
        *[
            (pan, GOOD_PSN, option, "PAN: must be 8 to 19 digits")
            for pan in (
                "",
                "1234567",
                "1" * 20,
                "62280001000A0",
                "6228 00010000",
                "٣" * 13,
                "-" * 9,
            )
            for option in "AB"
        ],
        *[
            (GOOD_PAN, psn, "A", "PSN: must be 2 digits")
            for psn in ("", "1", "001", "0A", " 1", "०१", "-1")
        ],
        *[
            (GOOD_PAN, GOOD_PSN, option, "option: must be A or B")
            for option in ("", "C", "a", "AB", "A ")
        ],
    ],
)
def test_a_pan_a_sequence_number_or_an_option_that_is_none_is_refused(
    pan: str, psn: str, option: str, text: str
) -> None:
    for way in (lambda *card: derive.udk_factor(*card), lambda *card: derive.udk(KEY, *card)):
        with pytest.raises(FormatError) as error:
            way(pan, psn, option)
        assert text == str(error.value)


@pytest.mark.parametrize("threads", [0, -1])
def test_somebody_must_do_the_work(threads: int) -> None:
    with pytest.raises(FormatError, match=f"threads: {threads}, must be at least 1"):
        derive.derive_many(KEY, bytes(32), threads)
