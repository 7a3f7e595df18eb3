# SPDX-License-Identifier: Apache-2.0
"""Amounts between fen and yuan."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.errors import FormatError
from apdu.wire.hrss.medical import LARGEST
from host.amounts import fen, yuan


@given(st.integers(0, LARGEST))
def test_an_amount_in_yuan_and_back_is_the_amount(amount: int) -> None:
    assert amount == fen(yuan(amount))
    assert amount == fen(str(yuan(amount)))
    assert f"{amount // 100}.{amount % 100:02}" == str(yuan(amount))


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("12", 1200), ("12.3", 1230), ("12.34", 1234), ("12.340", 1234), ("1E2", 10_000)],
)
def test_yuan_may_be_written_short(text: str, amount: int) -> None:
    assert amount == fen(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "1,5", "0.001", "-1", "-0", "NaN", "sNaN", "Infinity", "42949672.95", "1E99", "一"],
)
def test_what_is_no_amount_on_a_card_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="amount"):
        fen(text)


def test_an_amount_is_exact() -> None:
    assert Decimal("42949672.94") == yuan(LARGEST)
