# SPDX-License-Identifier: Apache-2.0
"""The same seed makes the same card: on every machine, in every process and Python version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from books import cases
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import commands, near
from testbench import SELECT_DEBIT, SELECT_HRSS, change_pin, tries, verify

from host.cli.testcard import issue_test_card

ROOT = Path(__file__).parents[2]
BOOK = "cards/test_cards.json"
PRINT_IT = (
    "from host.cli.testcard import issue_test_card\n"
    "chip = issue_test_card(seed=7)\n"
    "print(chip.reset().hex(), chip.snapshot().hex())"
)


@pytest.mark.parametrize("case", cases(BOOK))
def test_a_test_card_is_the_published_one(case: dict[str, Any]) -> None:
    """When layout or personalisation change on purpose, publish the new digests in the book."""
    chip = issue_test_card(case["generation"], case["seed"])
    assert case["atr"] == chip.reset().hex().upper()
    assert case["snapshot"] == chip.snapshot().hex().upper()


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_another_process_makes_the_same_card(hash_seed: str) -> None:
    chip = issue_test_card(seed=7)
    expected = f"{chip.reset().hex()} {chip.snapshot().hex()}"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    said = subprocess.run(
        [sys.executable, "-c", PRINT_IT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected == said.stdout.strip()


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=20)
def test_cards_of_two_seeds_are_two_cards(one: int, other: int) -> None:
    first, second = issue_test_card(seed=one), issue_test_card(seed=other)
    assert (one == other) == (first.snapshot() == second.snapshot())
    assert (one == other) == (first.reset() == second.reset())


talk = st.sampled_from(
    [
        SELECT_HRSS,
        SELECT_DEBIT,
        verify("123456"),
        verify("000000"),
        tries(),
        change_pin("123456", "87654321"),
        bytes.fromhex("0084000008"),
        bytes.fromhex("00B2010500"),
        bytes.fromhex("00B2012D00"),
    ]
)


@settings(max_examples=30)
@given(st.integers(0, 9), st.lists(talk | near(commands.map(bytes)), max_size=20))
def test_the_same_seed_and_commands_give_the_same_answers(seed: int, said: list[bytes]) -> None:
    one, other = issue_test_card(seed=seed), issue_test_card(seed=seed)
    for each in said:
        assert one.transmit(each) == other.transmit(each)
    assert one.snapshot() == other.snapshot()


def test_a_generation_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"generation '4\.0': there are 1\.0, 2\.0, 3\.0"):
        issue_test_card(generation="4.0")
