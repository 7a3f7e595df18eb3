# SPDX-License-Identifier: Apache-2.0
"""A payment where no Le can stand behind data: the same as where it can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import issued, sscard

from host.channel.memory import MemoryChannel


def paid(directory: Path) -> dict[str, Any]:
    directory.mkdir()
    words = ("pay", "--card", issued(directory), "--amount", "1", "--offline", "--json")
    told: dict[str, Any] = json.loads(sscard(*words, "--outbox", directory / "outbox").stdout)
    return told


def test_a_payment_goes_the_same_way_over_t0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = paid(tmp_path / "T1")
    monkeypatch.setattr(MemoryChannel, "le_with_data", False)
    found = paid(tmp_path / "T0")
    assert expected["cryptogram"] is not None
    for name in ("outcome", "approved", "reason", "tvr", "tsi"):
        assert expected[name] == found[name]
    assert found["cryptogram"] is not None
