# SPDX-License-Identifier: Apache-2.0
"""The private PC/SC service that the tests of readers share: pcsc-lite knows one to a process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hermetic import Pcscd, missing, until
from serving import Served, issued_card, snapshot


@pytest.fixture(scope="session")
def pcscd() -> Iterator[Pcscd]:
    """A daemon with two empty virtual readers; at the end it must not have crashed."""
    if why := missing():
        pytest.skip(why)
    daemon = Pcscd()
    until("the readers are there", lambda: daemon.listens(0) and daemon.listens(1))
    yield daemon
    code, log = daemon.stop(), daemon.log()
    daemon.remove()
    assert code == 0, log


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of a card that nobody has used; copy it."""
    return issued_card(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def image(issued: Path, tmp_path: Path) -> Path:
    """The image of a new card."""
    return Path(shutil.copy(issued, tmp_path / "card.img"))


Serve = Callable[..., Served]


@pytest.fixture
def serve(pcscd: Pcscd) -> Iterator[Serve]:
    """Puts an image into a reader by `sscard serve`; afterwards all is as it should be."""
    cards: list[Served] = []

    def serve(image: Path, *words: str, slot: int = 0) -> Served:
        cards.append(Served(pcscd, image, *words, slot=slot))
        return cards[-1]

    yield serve
    for card in cards:
        card.end()  # all of them, whatever is wrong with one
    codes = [card.stop() for card in cards]
    assert [0] * len(cards) == codes, [card.told.read_text() for card in cards]
    for card in cards:
        snapshot(card.image)  # it is whole, and nobody has it
    assert pcscd.process.poll() is None, pcscd.log()
