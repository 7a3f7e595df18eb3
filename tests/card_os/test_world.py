# SPDX-License-Identifier: Apache-2.0
"""Chance and date come from outside, and a seeded world is the same everywhere."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from card_os.world import World, seeded

DAY = date(2026, 1, 5)


@given(st.integers(0, 2**64), st.lists(st.integers(0, 80), max_size=8))
def test_a_seeded_world_gives_one_stream_however_it_is_cut(seed: int, sizes: list[int]) -> None:
    whole = seeded(seed, DAY).random(sum(sizes))
    world = seeded(seed, DAY)
    assert whole == b"".join(world.random(n) for n in sizes)


@given(st.integers(0, 2**64), st.integers(1, 100))
def test_the_stream_is_sha256_of_seed_and_block_number(seed: int, n: int) -> None:
    blocks = [sha256(f"sscard test world {seed} {at}".encode()).digest() for at in range(4)]
    assert b"".join(blocks)[:n] == seeded(seed, DAY).random(n)


def test_the_first_bytes_of_seed_7_are_known() -> None:
    assert "eb3b37bea47d3b70" == seeded(7, DAY).random(8).hex()


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_other_seeds_give_other_bytes(one: int, other: int) -> None:
    same = seeded(one, DAY).random(16) == seeded(other, DAY).random(16)
    assert (one == other) == same


def test_the_day_is_the_one_handed_in() -> None:
    assert DAY == seeded(7, DAY).today()


def test_a_world_cannot_be_altered_once_made() -> None:
    world = World(bytes, lambda: DAY)
    try:
        world.random = bytes  # type: ignore[misc]
    except AttributeError:
        return
    raise AssertionError("the world was altered")
