# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that serve cards: images of their own, and readers to put them into."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import PLAIN, issued, sscard
from fakereader import Reader, two_readers


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return issued(tmp_path_factory.mktemp("issued"))


@pytest.fixture(scope="session")
def fresh_psam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("issued") / "psam.img"
    assert 0 == sscard("issue", "--psam", "national", "-o", path, "--seed", 8).exit_code
    return path


@pytest.fixture
def image(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fresh, tmp_path / "card.img"))


@pytest.fixture
def psam(fresh_psam: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fresh_psam, tmp_path / "psam.img"))


@pytest.fixture
def images(fresh: Path, tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first.img", tmp_path / "second card.img"
    shutil.copy(fresh, first)
    other = sscard("issue", PLAIN, "-o", second, "--seed", 9)
    assert 0 == other.exit_code
    return first, second


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


@pytest.fixture
def readers() -> Iterator[tuple[Reader, Reader]]:
    first, second = two_readers()
    with first, second:
        yield first, second
