# SPDX-License-Identifier: Apache-2.0
"""DUKPT: terminal and host come to the same keys, each once, and the terminal cannot go back."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from books import book
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import dukpt
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError
from apdu.wire.ksn import Ksn

keys = st.binary(min_size=16, max_size=16)
LAST = 0x1FF800
KSN = Ksn.parse(bytes.fromhex("FFFF9876543210E00000"))
INITIAL = bytes.fromhex("6AC292FAA1315B4D858AB3A3D7D5933A")
ksns = st.builds(Ksn, st.binary(min_size=5, max_size=5), st.integers(0, (1 << 40) - 1))
bits = st.sets(st.integers(0, 20), min_size=1, max_size=10)
counters = bits.map(lambda some: sum(1 << bit for bit in some))
variants = [
    dukpt.pin_variant,
    dukpt.mac_variant,
    dukpt.data_variant,
    lambda key: dukpt.mac_variant(key, response=True),
    lambda key: dukpt.data_variant(key, response=True),
]


# KSN


@given(ksns)
def test_a_ksn_has_10_bytes_and_its_parts_make_it(ksn: Ksn) -> None:
    raw = bytes(ksn)
    assert 10 == len(raw)
    assert ksn == Ksn.parse(raw)
    whole = int.from_bytes(raw)
    assert (whole >> 40, whole >> 21 & 0x7FFFF, whole & 0x1FFFFF) == (
        int.from_bytes(ksn.key_set),
        ksn.device,
        ksn.counter,
    )
    assert (ksn.key_set, ksn.device, 7) == (
        ksn.at(7).key_set,
        ksn.at(7).device,
        ksn.at(7).counter,
    )


def test_the_counter_goes_through_all_with_at_most_ten_ones() -> None:
    # Plain counting is the judge: every number of 21 bits, those with more ones left out.
    allowed = (n for n in range(1, 1 << 21) if n.bit_count() <= 10)
    ksn, used = KSN, 0
    for expected in allowed:
        ksn = ksn.next()
        used += 1
        assert expected == ksn.counter
    assert (LAST, 1_048_575) == (ksn.counter, used)
    with pytest.raises(FormatError, match=r"^KSN: all its transactions are used$"):
        ksn.next()


@given(ksns.filter(lambda ksn: ksn.counter <= LAST - 1))
def test_the_next_ksn_is_of_the_same_device_and_later(ksn: Ksn) -> None:
    following = ksn.next()
    assert (ksn.key_set, ksn.device) == (following.key_set, following.device)
    assert ksn.counter < following.counter <= LAST


@pytest.mark.parametrize("counter", [0x1FFFFF, LAST, LAST + 1])
def test_after_the_last_ksn_there_is_none(counter: int) -> None:
    with pytest.raises(FormatError, match=r"^KSN: all its transactions are used$"):
        KSN.at(counter).next()


@pytest.mark.parametrize("counter", [-1, 1 << 21])
def test_a_counter_has_21_bits(counter: int) -> None:
    with pytest.raises(FormatError, match=r"^KSN: the counter must have 21 bits$"):
        KSN.at(counter)


def test_the_ksns_of_the_rollover_in_the_book_follow_one_another() -> None:
    cases = [case for case in book("crypto/dukpt.json")["cases"] if "pin" in case["given"]]
    found = [Ksn.parse(bytes.fromhex(case["given"]["ksn"])) for case in cases]
    breaks = [at for at in range(1, len(found)) if found[at - 1].next() != found[at]]
    assert [21] == breaks
    assert 34 == len(found)


# Keys


@given(keys, ksns, counters)
def test_a_transaction_key_follows_from_that_without_its_last_bit(
    initial: bytes, ksn: Ksn, counter: int
) -> None:
    """The rule once more, with plain DES blocks and one bit at a time."""
    at = ksn.at(counter)
    before = counter & counter - 1
    key = dukpt.transaction_key(initial, ksn.at(before)) if before else initial
    data = bytes(at)[2:]
    halves = []
    for mask in (bytes.fromhex("C0C0C0C000000000"), bytes(8)):
        left, right = (
            bytes(one ^ other for one, other in zip(half, mask, strict=True))
            for half in (key[:8], key[8:])
        )
        mixed = bytes(one ^ other for one, other in zip(data, right, strict=True))
        done = TDES.key(left).encrypt(mixed)
        halves.append(bytes(one ^ other for one, other in zip(done, right, strict=True)))
    assert b"".join(halves) == dukpt.transaction_key(initial, at)


@given(keys, ksns, st.integers(0, 0x1FFFFF))
def test_an_initial_key_is_for_a_device_and_not_for_a_count(
    bdk: bytes, ksn: Ksn, counter: int
) -> None:
    assert dukpt.initial_key(bdk, ksn) == dukpt.initial_key(bdk, ksn.at(counter))
    other = Ksn(ksn.key_set, ksn.device_and_counter ^ 1 << 21)
    # The right half of the key is the same block under another key; both depend on the device.
    assert dukpt.initial_key(bdk, ksn)[:8] != dukpt.initial_key(bdk, other)[:8]
    assert dukpt.initial_key(bdk, ksn)[8:] != dukpt.initial_key(bdk, other)[8:]


@given(keys)
def test_no_two_variants_of_a_key_are_alike(key: bytes) -> None:
    made = [variant(key) for variant in variants]
    assert all(16 == len(each) for each in made)
    assert 6 == len({key, *made})


def test_a_terminal_takes_what_the_host_derives_and_no_key_twice() -> None:
    terminal, ksn, seen = dukpt.FutureKeys(INITIAL, KSN.at(0x12345)), KSN, set()
    for _ in range(1_100):
        taken, key = terminal.take()
        ksn = ksn.next()
        assert taken == ksn
        assert dukpt.transaction_key(INITIAL, ksn) == key
        seen.add(key)
    assert 1_100 == len(seen)


def test_a_terminal_holds_no_key_of_the_past() -> None:
    terminal, past = dukpt.FutureKeys(INITIAL, KSN), {INITIAL}
    for _ in range(300):
        past.add(terminal.take()[1])
        assert not past & set(terminal._keys)


def test_a_terminal_ends_with_its_last_transaction() -> None:
    terminal = dukpt.FutureKeys(INITIAL, KSN)
    last = KSN.at(LAST)
    terminal._ksn = last
    terminal._keys = [None] * 11 + [dukpt.transaction_key(INITIAL, last)] + [None] * 9
    assert (last, dukpt.transaction_key(INITIAL, last)) == terminal.take()
    for _ in range(2):
        with pytest.raises(FormatError, match=r"^KSN: all its transactions are used$"):
            terminal.take()
    assert {None} == set(terminal._keys)


def test_threads_that_share_a_terminal_take_every_key_once() -> None:
    terminal = dukpt.FutureKeys(INITIAL, KSN)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: terminal.take(), range(400)))
    assert [*range(1, 401)] == sorted(ksn.counter for ksn, _ in taken)
    assert all(dukpt.transaction_key(INITIAL, ksn) == key for ksn, key in taken)


def test_a_terminal_shows_no_key_and_is_not_copied() -> None:
    terminal = dukpt.FutureKeys(INITIAL, KSN)
    assert "•••" == repr(terminal) == f"{terminal}"
    with pytest.raises(TypeError):
        pickle.dumps(terminal)


@given(st.binary(max_size=40).filter(lambda raw: len(raw) != 16))
def test_every_key_has_16_bytes(key: bytes) -> None:
    for name, given_ in {
        "BDK": lambda: dukpt.initial_key(key, KSN),
        "initial key": lambda: dukpt.transaction_key(key, KSN.at(1)),
    }.items():
        with pytest.raises(FormatError, match=rf"^{name}: {len(key)} bytes, must be 16$"):
            given_()
    for variant in variants:
        with pytest.raises(FormatError, match=r"^transaction key: "):
            variant(key)
    with pytest.raises(FormatError, match=r"^initial key: "):
        dukpt.FutureKeys(key, KSN)


@pytest.mark.parametrize("counter", [0, 0x7FF, 0x1FFFFF])
def test_a_counter_that_no_terminal_uses_has_no_key(counter: int) -> None:
    with pytest.raises(FormatError, match=r"^KSN: the counter must have 1 to 10 ones$"):
        dukpt.transaction_key(INITIAL, KSN.at(counter))
