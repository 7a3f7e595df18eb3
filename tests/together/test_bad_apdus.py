# SPDX-License-Identifier: Apache-2.0
"""Commands of a careless or hostile terminal, from vectors/cards/bad_apdus.json, on an issued card.

A case that needs a command which this release does not have may also be told that it does not
exist; the rest of the case holds all the same.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from books import book
from testbench import SELECT_DEBIT, SELECT_HRSS, SELECT_MF, select_df, sw

from apdu.errors import FormatError
from card_os.chip import Chip
from host.channel import LONGEST, SHORTEST
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card

BOOK = "cards/bad_apdus.json"
CONTEXTS = {
    "MF": [SELECT_MF],
    "hrss": [SELECT_HRSS],
    "hrss_df04": [SELECT_HRSS, select_df(0xDF04)],
    "pboc": [SELECT_DEBIT],
    "pboc_gpo": [SELECT_DEBIT],  # GET PROCESSING OPTIONS is still to come
    "fresh": [],
}
ANY = ("MF", "hrss", "pboc")
NOT_THERE = ["6D00", "6E00"]


def runs() -> list[Any]:
    """Each case in each context it is for."""
    found = []
    for case in book(BOOK)["cases"]:
        contexts = ANY if case["context"] == "any" else (case["context"],)
        for context in contexts:
            name = case["id"] if len(contexts) == 1 else f"{case['id']}-{context}"
            found.append(pytest.param(case, context, id=name))
    return found


def fits(status: int, patterns: list[str]) -> bool:
    return any(fnmatchcase(f"{status:04X}", pattern) for pattern in patterns)


@pytest.mark.parametrize(("case", "context"), runs())
def test_a_bad_command_is_answered_as_its_rule_allows(
    case: dict[str, Any], context: str, chip: Chip
) -> None:
    for each in (*CONTEXTS[context], *map(bytes.fromhex, case["pre"])):
        chip.transmit(each)
    before = chip.snapshot()
    answer = chip.transmit(bytes.fromhex(case["hex"]))
    allowed = case["acceptable_sw"] + (NOT_THERE if "needs" in case else [])
    assert fits(sw(answer), allowed), case["why"]
    assert len(answer) - 2 <= case["max_data_bytes"]
    if sw(answer) >> 4 != 0x63C:  # no try was paid: then nothing at all has changed
        assert before == chip.snapshot()
    for step in case["follow"]:
        later = sw(chip.transmit(bytes.fromhex(step["hex"])))
        assert fits(later, step["acceptable_sw"]), step["check"]


@pytest.mark.parametrize(("case", "context"), runs())
def test_a_channel_brings_the_same_answer_or_refuses_to_send(
    case: dict[str, Any], context: str, chip: Chip
) -> None:
    channel = MemoryChannel(issue_test_card(seed=7))  # the same card as the fixture's
    for each in (*CONTEXTS[context], *map(bytes.fromhex, case["pre"])):
        assert chip.transmit(each) == channel.transmit(each)
    raw = bytes.fromhex(case["hex"])
    if SHORTEST <= len(raw) <= LONGEST:
        assert chip.transmit(raw) == channel.transmit(raw)
    else:
        with pytest.raises(FormatError):
            channel.transmit(raw)


def test_the_book_has_a_case_for_every_group_and_context() -> None:
    cases = book(BOOK)["cases"]
    assert {"F", "C", "I", "S", "R", "X", "P", "G", "E", "M", "K", "H"} == {
        case["group"] for case in cases
    }
    assert {case["context"] for case in cases} <= {"any", *CONTEXTS}
