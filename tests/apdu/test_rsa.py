# SPDX-License-Identifier: Apache-2.0
"""RSA: what is signed is recovered, whatever the size; parts that do not fit make no key."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields, replace
from math import lcm

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rsakeys import PRIMES, key_of_size

from apdu.crypto import rsa
from apdu.crypto.rsa import CrtParts, RsaPrivateKey, RsaPublicKey, crt_parts
from apdu.errors import FormatError
from apdu.secret import MASK

SIZES = sorted(PRIMES)
SMALL = [size for size in SIZES if size <= 1024]
EXPONENTS = (3, 17, 65537)
every_size = pytest.mark.parametrize("bits", SIZES)


def parts_of(bits: int, exponent: int = 3) -> CrtParts:
    p, q = map(bytes.fromhex, PRIMES[bits])
    return crt_parts(p, q, exponent.to_bytes(3))


def below(key: RsaPublicKey, number: int) -> bytes:
    return (number % int.from_bytes(key.modulus)).to_bytes(key.size)


@given(st.sampled_from(SMALL), st.sampled_from(EXPONENTS), st.integers(0), st.data())
def test_what_is_signed_is_recovered(
    bits: int, exponent: int, number: int, data: st.DataObject
) -> None:
    key = key_of_size(bits, exponent)
    block = below(key.public, number)
    chance = data.draw(st.binary(min_size=bits // 8, max_size=bits // 8))
    assert block == key.public.recover(key.sign(block, lambda size: chance))


@every_size
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_a_signature_is_the_block_to_the_private_exponent(bits: int, exponent: int) -> None:
    key = key_of_size(bits, exponent)
    p, q = (int(prime, 16) for prime in PRIMES[bits])
    d = pow(exponent, -1, lcm(p - 1, q - 1))
    block = b"\x6a" + bytes(range(256))[: bits // 8 - 2] + b"\xbc"
    assert bits == 8 * key.public.size
    plain = pow(int.from_bytes(block), d, p * q).to_bytes(bits // 8)
    assert plain == key.sign(block, lambda size: b"\xa5" * size)


def test_what_blinds_a_signature_does_not_show_in_it() -> None:
    key = key_of_size(512)
    p, q = (int(prime, 16) for prime in PRIMES[512])
    draws = [0, 1, p - 2, 3 * q - 2, p * q - 1, p * q, (1 << 512) - 1]
    asked: list[int] = []

    def drawn(number: int) -> bytes:
        def chance(size: int) -> bytes:
            asked.append(size)
            return number.to_bytes(size)

        return key.sign(b"\x6a" + bytes(63), chance)

    assert 1 == len({drawn(number) for number in draws})
    assert [64] * len(draws) == asked


def test_no_prime_sees_the_block_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def spy(base: int, exponent: int, modulus: int) -> int:
        if exponent.bit_length() > 200:
            seen.append(base)
        return pow(base, exponent, modulus)

    key = RsaPrivateKey.from_crt(parts_of(512))
    monkeypatch.setattr(rsa, "_arithmetic", lambda: (int, spy))
    block = b"\x6a" + bytes(range(63))
    for number in (1, 2):
        key.sign(block, lambda size, number=number: number.to_bytes(size))  # type: ignore[misc]
    bare = [int.from_bytes(block) % int(prime, 16) for prime in PRIMES[512]]
    assert 4 == len(set(seen)) == len(set(seen) - set(bare))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_chance_of_the_wrong_length_is_refused(size: int) -> None:
    with pytest.raises(FormatError, match="random"):
        key_of_size(512).sign(bytes(64), lambda _: bytes(size))


@pytest.mark.parametrize("field", ["_dp", "_dq", "_p", "_q", "_qinv"])
def test_a_disturbed_computation_gives_nothing_away(field: str) -> None:
    key = copy_of(key_of_size(512))
    object.__setattr__(key, field, getattr(key, field) ^ 0x100)
    with pytest.raises(ArithmeticError, match=r"^RSA: the computation was disturbed$"):
        key.sign(b"\x6a" + bytes(range(63)), lambda size: b"\x07" * size)


def copy_of(key: RsaPrivateKey) -> RsaPrivateKey:
    return RsaPrivateKey(*(getattr(key, item.name) for item in fields(key)))


# Parts


@every_size
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_the_public_key_follows_from_the_parts(bits: int, exponent: int) -> None:
    p, q = (int(prime, 16) for prime in PRIMES[bits])
    public = RsaPrivateKey.from_crt(parts_of(bits, exponent)).public
    assert (p * q).to_bytes(bits // 8) == public.modulus
    assert exponent == int.from_bytes(public.exponent)
    assert public.exponent[0]


@given(st.sampled_from([item.name for item in fields(CrtParts)]), st.data())
def test_a_flipped_bit_in_a_part_makes_no_key(name: str, data: st.DataObject) -> None:
    parts = parts_of(512)
    changed = bytearray(getattr(parts, name))
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FormatError):
        RsaPrivateKey.from_crt(replace(parts, **{name: bytes(changed)}))


@given(st.tuples(*[st.binary(max_size=40)] * 5))
def test_any_bytes_are_a_key_or_refused(values: tuple[bytes, ...]) -> None:
    with pytest.raises(FormatError):
        RsaPrivateKey.from_crt(CrtParts(*values))


@given(st.binary(max_size=8), st.binary(max_size=8), st.binary(max_size=4))
def test_parts_are_made_or_refused(p: bytes, q: bytes, exponent: bytes) -> None:
    try:
        parts = crt_parts(p, q, exponent)
    except FormatError as error:
        assert "no private exponent" in str(error)
    else:
        assert max(len(p), len(q)) == len(parts.dp) == len(parts.qinv)


@pytest.mark.parametrize("bits", [511, 516, 1023])
def test_a_modulus_is_of_whole_bytes(bits: int) -> None:
    modulus = (1 << bits - 1 | 1).to_bytes(-(-bits // 8))
    with pytest.raises(FormatError, match=r"^modulus: its first and its last bit must be set$"):
        RsaPublicKey(modulus, b"\x03")


# Public keys and blocks


@given(st.binary(max_size=300), st.binary(max_size=5))
def test_any_bytes_are_a_public_key_or_refused(modulus: bytes, exponent: bytes) -> None:
    try:
        key = RsaPublicKey(modulus, exponent)
    except FormatError:
        return
    assert 8 * key.size == int.from_bytes(modulus).bit_length()
    assert key.size in rsa.MODULUS and len(exponent) in rsa.EXPONENT
    assert bytes(key.size) == key.recover(bytes(key.size))


@given(st.binary(max_size=130))
def test_any_signature_is_recovered_or_refused(signature: bytes) -> None:
    key = key_of_size(1024).public
    if len(signature) == key.size and signature < key.modulus:
        assert key.size == len(key.recover(signature))
    else:
        with pytest.raises(FormatError, match=r"^9F4B: .* modulus$"):
            key.recover(signature, "9F4B")


@pytest.mark.parametrize("change", [-1, 1])
def test_blocks_have_the_length_of_the_modulus(change: int) -> None:
    key = key_of_size(1016)
    size = key.public.size + change
    rule = f"{size} bytes, must be 127, the length of the modulus"
    with pytest.raises(FormatError, match=f"^certificate: {rule}$"):
        key.public.recover(bytes(size), "certificate")
    with pytest.raises(FormatError, match=f"^block: {rule}$"):
        key.sign(bytes(size), bytes)


# Secrets


def test_no_text_form_of_a_key_shows_it() -> None:
    key, parts = key_of_size(512), parts_of(512)
    for secret in (key, parts):
        assert MASK == repr(secret) == str(secret) == f"{secret}"
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                way(secret)
    with pytest.raises(FrozenInstanceError):
        key.public = key.public  # type: ignore[misc]


@given(st.sampled_from([item.name for item in fields(CrtParts)]))
def test_a_refusal_does_not_show_a_part(name: str) -> None:
    parts = parts_of(512)
    whole = bytearray(getattr(parts, name))
    whole[-2] ^= 1
    with pytest.raises(FormatError) as refused:
        RsaPrivateKey.from_crt(replace(parts, **{name: bytes(whole)}))
    for item in fields(CrtParts):
        value = getattr(parts, item.name)
        text = str(refused.value).lower()
        assert value.hex()[:8] not in text
        assert str(int.from_bytes(value))[:8] not in text


# Threads, and the library that may be there


def test_eight_threads_sign_alike() -> None:
    key = key_of_size(512)
    blocks = [b"\x6a" + bytes((number,)) * 63 for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        signed = list(pool.map(lambda block: key.sign(block, lambda size: b"\x33" * size), blocks))
    assert blocks == list(map(key.public.recover, signed))


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(rsa, "import_module", absent)
    rsa._arithmetic.cache_clear()
    yield
    rsa._arithmetic.cache_clear()


@pytest.mark.usefixtures("without_library")
def test_keys_work_without_the_library_that_makes_them_fast() -> None:
    assert (int, pow) == rsa._arithmetic()
    key = RsaPrivateKey.from_crt(parts_of(1024))
    block = b"\x6a" + bytes(range(127))
    assert block == key.public.recover(key.sign(block, lambda size: b"\x99" * size))
