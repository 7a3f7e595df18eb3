# SPDX-License-Identifier: Apache-2.0
"""SM2: what one side makes the other takes, nothing else is taken, and nothing secret is said."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import near

from apdu.crypto import sm2, sm2_gmssl, sm3
from apdu.crypto.sm2_curve import RECOMMENDED, Curve, Provider
from apdu.crypto.sm2_python import PYTHON, base_point, multiplied
from apdu.errors import FormatError

N = RECOMMENDED.n
SAMPLE = Curve(
    p=0x8542D69E4C044F18E8B92435BF6FF7DE457283915C45517D722EDB8B08F1DFC3,
    a=0x787968B4FA32C3FD2417842E73BBFEFF2F3C848B6831D7E0EC65228B3937E498,
    b=0x63E4C6D3B23B0C849CF84241484BFE48F61D59A5B16BA06E6E12D1DA27C5249A,
    n=0x8542D69E4C044F18E8B92435BF6FF7DD297720630485628D5AE74EE7C32E79B7,
    gx=0x421DEBD61B62EAB6746434EBC3CC315E32220B3BADD50BDC4C4E6C147FEDD43D,
    gy=0x0680512BCBB42C07D47349D2153B70C4E5D7FDFCBFA36EA1A85841B9E46E09A2,
)


GMSSL = sm2_gmssl.installed()
absent = pytest.mark.skipif(GMSSL is None, reason="needs gmssl-pyx: pip install 'sscard[sm2]'")
PROVIDERS = [pytest.param(PYTHON, id="python"), pytest.param(GMSSL, id="gmssl", marks=absent)]
every_provider = pytest.mark.parametrize("provider", PROVIDERS)
few = settings(max_examples=15)

seeds = st.integers(0, 2**64)
factors = st.integers(1, N - 1) | st.sampled_from([1, 2, 31, 32, 33, 64, N - 1, N - 2, 2**255])
messages = st.binary(max_size=80)
bits = st.integers(0, 511)


def drawn(seed: int) -> sm2.Random:
    return Random(seed).randbytes  # noqa: S311 - the same in every run


KEYS = [sm2.generate(drawn(1)), sm2.generate(drawn(2), SAMPLE), sm2.PrivateKey((1).to_bytes(32))]
KEY, SAMPLE_KEY = KEYS[:2]
keys = st.sampled_from(KEYS)


def flipped(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw) ^ 1 << bit).to_bytes(len(raw))


def pair(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


def digest_of(key: sm2.PrivateKey, message: bytes) -> bytes:
    return sm2.message_digest(key.public, message)


# Points


@few
@given(factors, factors)
def test_a_multiple_of_a_multiple_is_the_multiple_of_the_product(a: int, b: int) -> None:
    assert base_point(RECOMMENDED, a * b % N) == multiplied(
        RECOMMENDED, b, base_point(RECOMMENDED, a)
    )


@few
@given(st.integers(1, SAMPLE.n - 1), st.integers(1, SAMPLE.n - 1))
def test_the_sample_curve_has_the_same_arithmetic(a: int, b: int) -> None:
    found = multiplied(SAMPLE, b, base_point(SAMPLE, a))
    assert SAMPLE.contains(found)
    assert base_point(SAMPLE, a * b % SAMPLE.n) == found


@few
@given(factors)
def test_n_less_a_factor_gives_the_same_point_below_the_axis(factor: int) -> None:
    above, below = base_point(RECOMMENDED, factor), base_point(RECOMMENDED, N - factor)
    assert above[:32] == below[:32]
    assert RECOMMENDED.p == int.from_bytes(above[32:]) + int.from_bytes(below[32:])


@given(
    st.binary(min_size=64, max_size=64)
    | st.integers(0, 511).map(lambda bit: flipped(KEY.public.value, bit))
)
def test_a_point_off_the_curve_is_no_public_key(value: bytes) -> None:
    with pytest.raises(FormatError, match=r"^public key: not a point of the curve$"):
        sm2.PublicKey(value)


# Signatures


@every_provider
@few
@given(key=keys, message=messages, seed=seeds)
def test_what_is_signed_verifies(
    provider: Provider, key: sm2.PrivateKey, message: bytes, seed: int
) -> None:
    signature = sm2.sign(key, message, drawn(seed))
    public = key.public
    assert provider.verify(public.curve, public.value, digest_of(key, message), signature)


@few
@given(keys, messages, seeds, st.binary(max_size=40))
def test_the_same_random_bytes_make_the_same_signature_and_it_verifies(
    key: sm2.PrivateKey, message: bytes, seed: int, identity: bytes
) -> None:
    signature = sm2.sign(key, message, drawn(seed), identity)
    assert signature == sm2.sign(key, message, drawn(seed), identity)
    assert sm2.verify(key.public, message, signature, identity)
    assert not sm2.verify(key.public, message, signature, identity + b"1")


@every_provider
@settings(max_examples=40)
@given(bit=bits, of_digest=st.booleans())
def test_any_flipped_bit_fails(provider: Provider, bit: int, of_digest: bool) -> None:
    digest = digest_of(KEY, b"message")
    signature = sm2.sign(KEY, b"message", drawn(0))
    if of_digest:
        digest = flipped(digest, bit % 256)
    else:
        signature = flipped(signature, bit)
    assert not provider.verify(RECOMMENDED, KEY.public.value, digest, signature)


@few
@given(messages, messages)
def test_a_signature_is_good_for_one_message_and_one_key(one: bytes, other: bytes) -> None:
    signature = sm2.sign(KEY, one, drawn(0))
    assert (one == other) == sm2.verify(KEY.public, other, signature)
    assert not sm2.verify(KEYS[2].public, one, signature)


@pytest.mark.parametrize("r", [0, 1, N - 1, N, N + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, N - 1, N, N + 1, 2**256 - 1])
def test_numbers_at_the_ends_of_their_range_do_not_verify(r: int, s: int) -> None:
    assert not sm2.verify(KEY.public, b"message", pair(r, s))


@few
@given(st.binary(min_size=64, max_size=64), messages)
def test_any_64_bytes_do_not_verify(signature: bytes, message: bytes) -> None:
    assert not sm2.verify(KEY.public, message, signature)


@pytest.mark.parametrize("size", [0, 1, 63, 65, 71, 128])
def test_a_signature_of_another_length_is_not_in_its_shape(size: int) -> None:
    with pytest.raises(FormatError, match=rf"^signature: {size} bytes, must be 64$"):
        sm2.verify(KEY.public, b"", bytes(size))


@every_provider
@few
@given(t=st.integers(2, N - 2))
def test_a_sum_at_infinity_and_a_sum_of_nothing_do_not_verify(provider: Provider, t: int) -> None:
    d = int.from_bytes(KEY.secret.reveal())
    s = -t * d % N
    alone = int.from_bytes(base_point(RECOMMENDED, s)[:32])
    for r, e in (((t - s) % N, 0), (N - s, (N - s - alone) % N)):
        if r:
            digest = e.to_bytes(32)
            assert not provider.verify(RECOMMENDED, KEY.public.value, digest, pair(r, s))


@every_provider
@few
@given(s=st.integers(1, N - 1), e=st.integers(0, 2**256 - 1))
def test_a_sum_of_a_point_and_itself_is_its_double(provider: Provider, s: int, e: int) -> None:
    # Under d = 1 the public key is G: s G + t G with t = r + s.
    for t in (s, 2 * s % N, (1 - s) % N):
        x = int.from_bytes(base_point(RECOMMENDED, s + t)[:32]) if (s + t) % N else 0
        r = (t - s) % N
        if not (r and t and x):
            continue
        right, wrong = (r - x) % N, (r - x + 1) % N
        public = KEYS[2].public.value
        assert provider.verify(RECOMMENDED, public, right.to_bytes(32), pair(r, s))
        assert not provider.verify(RECOMMENDED, public, wrong.to_bytes(32), pair(r, s))


@few
@given(messages)
def test_a_number_and_n_more_is_another_number(message: bytes) -> None:
    signature = sm2.sign(SAMPLE_KEY, message, drawn(0))
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    for more in ((r + SAMPLE.n, s), (r, s + SAMPLE.n)):
        if max(more) < 2**256:
            assert not sm2.verify(SAMPLE_KEY.public, message, pair(*more))


@pytest.mark.parametrize("what", ["r is 0", "r + k is n", "s is 0"])
def test_a_k_that_would_give_the_key_away_is_not_used(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    k, d = 4711, int.from_bytes(KEY.secret.reveal())
    r = {"r is 0": 0, "r + k is n": N - k, "s is 0": k * pow(d, -1, N) % N}[what]
    e = (r - int.from_bytes(base_point(RECOMMENDED, k)[:32])) % N
    monkeypatch.setattr(sm2, "message_digest", lambda *_: e.to_bytes(32))
    left = [k, k + 1]
    signature = sm2.sign(KEY, b"", lambda size: left.pop(0).to_bytes(size))
    assert [] == left
    assert sm2.verify(KEY.public, b"", signature)


def test_random_bytes_that_are_of_no_use_are_drawn_again() -> None:
    useless = [bytes(32), N.to_bytes(32), b"\xff" * 32]
    k = (12345).to_bytes(32)
    left = [*useless, k]
    assert sm2.sign(KEY, b"", lambda _: k) == sm2.sign(KEY, b"", lambda _: left.pop(0))
    assert [] == left


# Encipherment


@every_provider
@few
@given(key=keys, message=st.binary(min_size=1, max_size=400), seed=seeds)
@example(key=KEY, message=bytes(255), seed=0)
@example(key=KEY, message=bytes(256), seed=0)
def test_what_is_enciphered_is_deciphered(
    provider: Provider, key: sm2.PrivateKey, message: bytes, seed: int
) -> None:
    made = sm2.encrypt(key.public, message, drawn(seed))
    assert len(message) + 97 == len(made)
    parts = made[1:65], made[65:97], made[97:]
    secret = key.secret.reveal()
    assert message == provider.decrypt(key.public.curve, secret, *parts)


@few
@given(keys, st.binary(min_size=1, max_size=40), seeds)
def test_both_orders_are_deciphered(key: sm2.PrivateKey, message: bytes, seed: int) -> None:
    made = sm2.encrypt(key.public, message, drawn(seed))
    assert made == sm2.encrypt(key.public, message, drawn(seed))
    assert message == sm2.decrypt(key, made)
    old = made[:65] + made[97:] + made[65:97]
    assert message == sm2.decrypt(key, old, old_order=True)


@settings(max_examples=60)
@given(st.integers(0, 8 * 104 - 1))
def test_a_ciphertext_with_a_flipped_bit_is_refused(bit: int) -> None:
    made = sm2.encrypt(KEY.public, b"message", drawn(0))
    hidden = 8 * 39  # C3 and C2: no word about which of them it was
    match = "^ciphertext: not one for this key$" if bit < hidden else "^ciphertext: "
    with pytest.raises(FormatError, match=match):
        sm2.decrypt(KEY, flipped(made, bit))


def hollow() -> tuple[int, bytes]:
    """A factor whose shared point makes a mask of one zero byte, and that point."""
    d = int.from_bytes(KEY.secret.reveal())
    for factor in range(1, 5000):
        shared = base_point(RECOMMENDED, factor * d % N)
        if sm3.derive_key(shared, 1) == b"\0":
            return factor, shared
    raise AssertionError("one in 256 has it")


@every_provider
def test_a_mask_of_zeros_is_refused(provider: Provider) -> None:
    factor, shared = hollow()
    point = base_point(RECOMMENDED, factor)
    check = sm3.digest(shared[:32] + b"A" + shared[32:])
    assert provider.decrypt(RECOMMENDED, KEY.secret.reveal(), point, check, b"A") is None


def test_a_mask_of_zeros_is_not_used() -> None:
    left = [hollow()[0], 4711]
    made = sm2.encrypt(KEY.public, b"A", lambda size: left.pop(0).to_bytes(size))
    assert [] == left
    assert b"A" == sm2.decrypt(KEY, made)


@settings(max_examples=40)
@given(near(st.just(sm2.encrypt(KEY.public, b"message", drawn(0))), longest=200), st.booleans())
@example(b"\x04" + bytes(200), False)
@example(b"\x04" + base_point(RECOMMENDED, 1) + bytes(33), True)
def test_any_other_bytes_are_refused(raw: bytes, old_order: bool) -> None:
    whole = sm2.encrypt(KEY.public, b"message", drawn(0))
    if raw == whole and not old_order:
        return
    with pytest.raises(FormatError, match=r"^ciphertext: "):
        sm2.decrypt(KEY, raw, old_order=old_order)


# Keys, and who computes


@pytest.mark.parametrize("key", KEYS, ids=["recommended", "sample", "one"])
def test_a_private_key_has_no_text_form_and_does_not_change(key: sm2.PrivateKey) -> None:
    value = key.secret.reveal()
    for text in (repr(key), str(key), f"{key}", repr([key]), repr(key.secret)):
        assert "•••" in text
        assert value.hex() not in text.lower()
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be copied"):
            copied(key)
    with pytest.raises(FrozenInstanceError):
        key.public = KEY.public  # type: ignore[misc]


@pytest.mark.parametrize("number", [0, N - 1, N, 2**256 - 1])
def test_a_number_out_of_range_is_no_private_key_and_is_not_shown(number: int) -> None:
    with pytest.raises(FormatError, match=r"^private key: must be from 1 to n - 2$"):
        sm2.PrivateKey(number.to_bytes(32))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_key_or_not_in_its_shape(raw: bytes) -> None:
    for make in (sm2.PrivateKey, sm2.PublicKey):
        try:
            make(raw)
        except FormatError as error:
            assert len(raw) < 4 or raw.hex() not in str(error).lower()


def test_a_key_of_another_curve_does_not_verify() -> None:
    signature = sm2.sign(SAMPLE_KEY, b"", drawn(0))
    assert sm2.verify(SAMPLE_KEY.public, b"", signature)
    with pytest.raises(FormatError, match="not a point of the curve"):
        sm2.PublicKey(SAMPLE_KEY.public.value)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)  # an import of it fails
    sm2.provider.cache_clear()
    yield
    sm2.provider.cache_clear()


@pytest.mark.usefixtures("without_library")
def test_without_the_library_python_does_all() -> None:
    assert sm2_gmssl.installed() is None
    assert sm2.provider() is PYTHON
    assert sm2.verify(KEY.public, b"", sm2.sign(KEY, b"", drawn(0)))


def test_the_provider_is_chosen_when_it_is_first_needed() -> None:
    program = (
        "import sys; from apdu.crypto import sm2, x509;"
        "heavy = {'gmssl_pyx', 'cryptography', 'construct'};"
        "print(heavy & set(sys.modules), sm2.provider.cache_info().currsize)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "set() 0\n" == ran.stdout


def test_eight_threads_get_the_same_answers() -> None:
    def work(seed: int) -> tuple[bytes, bool, bytes]:
        message = bytes((seed,))
        signature = sm2.sign(KEY, message, drawn(seed))
        made = sm2.encrypt(KEY.public, message, drawn(seed))
        return signature, sm2.verify(KEY.public, message, signature), sm2.decrypt(KEY, made)

    alone = [work(seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert alone == list(pool.map(work, range(24)))
    assert all(verified for _, verified, _ in alone)
