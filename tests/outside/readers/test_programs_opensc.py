# SPDX-License-Identifier: Apache-2.0
"""OpenSC with our card: it knows no such card, and carries commands all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Serve
from hermetic import READERS
from programs import needs, opensc_tool, run
from serving import PLAIN_READS, SELECT, answers, snapshot

from apdu.atr import Atr

pytestmark = [pytest.mark.outside, needs("opensc-tool", "pkcs15-tool")]
both = pytest.mark.parametrize("protocol", ["T0", "T1"])
WHOLE = tuple(
    each + b"\0" if each[1] == SELECT[1] and len(each) > 5 else each
    for each in PLAIN_READS
    if each[1] != 0xC0
)
"""Selections with Le: for one without, OpenSC says 9000 and leaves the answer on the card."""


@both
def test_opensc_tool_shows_the_atr_of_the_protocol(
    serve: Serve, image: Path, protocol: str
) -> None:
    card = serve(image, "--atr-protocol", protocol)
    ran = run("opensc-tool", "-a")
    assert (0, card.seen().hex(":")) == (ran.code, ran.out.strip())
    assert (int(protocol[1]),) == Atr.parse(card.seen()).protocols


@both
def test_opensc_tool_gets_the_answers_that_memory_gives(
    serve: Serve, image: Path, protocol: str
) -> None:
    expected = answers(image, WHOLE, followed=True)
    serve(image, "--atr-protocol", protocol)
    assert expected == opensc_tool(*WHOLE)


def test_looking_for_the_cards_that_opensc_knows_changes_nothing(serve: Serve, image: Path) -> None:
    before = snapshot(image)
    serve(image)
    name = run("opensc-tool", "-n")
    assert (0, "Unsupported card") == (name.code, name.out.strip())
    for words in (
        ("pkcs15-tool", "-D"),
        ("pkcs15-tool", "--list-pins"),
        ("opensc-tool", "--serial"),
        ("opensc-tool", "-f"),
        ("opensc-tool", "--reset"),
    ):
        assert 0 <= run(*words, "-r", READERS[0]).code < 128, "no program crashed"
    assert answers(image, WHOLE, followed=True) == opensc_tool(*WHOLE)
    assert before == snapshot(image)
