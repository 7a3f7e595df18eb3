# SPDX-License-Identifier: Apache-2.0
"""Keys that many threads share give each of them the answers that one thread gets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier
from typing import Any

import pytest

from apdu.crypto import derive, padding
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError

THREADS, CALLS = 8, 3_000
PADDINGS = (padding.method_1, padding.method_2)


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def some_keys() -> list[BlockKey]:
    chance = Random(3)  # noqa: S311 - test data
    return [
        suite.key(chance.randbytes(length))
        for suite in SUITES.values()
        for length in suite.key_lengths
    ]


def answers(keys: list[BlockKey], seed: int) -> list[Any]:
    """Random calls to random keys; a refusal is an answer as well."""
    chance = Random(seed)  # noqa: S311 - test data
    found: list[Any] = []
    for _ in range(CALLS):
        key, size = chance.choice(keys), chance.randrange(1, 60)
        block = key.suite.block
        text = chance.randbytes(size)
        match chance.randrange(7):
            case 0:
                found.append(key.encrypt(text * block))
            case 1:
                found.append(key.decrypt(text * block))
            case 2:
                found.append(key.mac(text, chance.choice(PADDINGS)))
            case 3:
                found.append(key.cbc_mac(text, chance.choice(PADDINGS)))
            case 4:
                found.append(key.mac(text))
            case 5:
                found.append(derive.diversify(key, chance.randbytes(8)))
            case _:
                try:
                    found.append(key.mac(text, padding.without))
                except FormatError as error:
                    found.append(str(error))
    return found


def test_eight_threads_get_the_answers_of_one(often: None) -> None:
    expected = [answers(some_keys(), seed) for seed in range(THREADS)]
    shared, gate = some_keys(), Barrier(THREADS)

    def work(seed: int) -> list[Any]:
        gate.wait(60)
        return answers(shared, seed)

    with ThreadPoolExecutor(THREADS) as pool:
        assert expected == list(pool.map(work, range(THREADS)))
    # And what the threads left behind is as good as new.
    assert expected[0] == answers(shared, 0)


def test_threads_that_derive_many_do_not_disturb_one_another(often: None) -> None:
    keys, gate = some_keys(), Barrier(THREADS)
    blocks = derive.factors_with_complement(n.to_bytes(8) for n in range(2_000))
    expected = [derive.derive_many(key, blocks) for key in keys]

    def work(_: int) -> list[bytes]:
        gate.wait(60)
        return [derive.derive_many(key, blocks, 2) for key in keys]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(expected == found for found in pool.map(work, range(THREADS)))
