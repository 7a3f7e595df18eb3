# SPDX-License-Identifier: Apache-2.0
"""Whole stories with every chip asked for its reasons: there is one for every no, and no reason has
a key, a PIN, a cryptogram or the data of a command in it."""

from __future__ import annotations

from typing import Any

import pytest
from askbench import Listener, judge, listener
from books import book
from journeybench import InMemory, Recorder, interface_of
from journeyfiles import every_journey
from journeys import Journey
from journeytape import COMMAND, POWER, Line, read
from payjourneybench import chip_of
from payjourneys import JOURNEYS as PAYMENTS
from payjourneys import Journey as Payment
from secretscan import PART, Watch, is_random, leaks
from testbench import SELECT_DEBIT, SELECT_HRSS, SELECT_MF, select_df

from apdu.crypto.suite import BlockKey
from apdu.secret import Secret
from card_os.chip import Chip
from host.cli.testcard import issue_test_card

__all__ = ["listener"]

BAD = "cards/bad_apdus.json"
BEFORE = {
    "MF": [SELECT_MF],
    "hrss": [SELECT_HRSS],
    "hrss_df04": [SELECT_HRSS, select_df(0xDF04)],
    "pboc": [SELECT_DEBIT],
    "pboc_gpo": [SELECT_DEBIT],
    "fresh": [],
    "any": [SELECT_HRSS],
}


@pytest.mark.parametrize("case", book(BAD)["cases"], ids=lambda case: case["id"])
def test_a_bad_command_is_answered_with_a_reason(case: dict[str, Any]) -> None:
    asked, silent = issue_test_card(seed=7), issue_test_card(seed=7)
    later = [bytes.fromhex(step["hex"]) for step in case["follow"]]
    before = [*BEFORE[case["context"]], *map(bytes.fromhex, case["pre"])]
    for raw in [*before, bytes.fromhex(case["hex"]), *later]:
        answer = asked.transmit(raw)
        judge(answer, asked.refusal)
        assert answer == silent.transmit(raw)
    assert asked.snapshot() == silent.snapshot()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch, Secret, BlockKey)


def tells_nothing(listener: Listener, watch: Watch, *pins: str) -> None:
    sent = {each[at : at + PART] for each in listener.sent for at in range(0, len(each), PART)}
    assert [] == leaks(listener.said, watch.keys | set(filter(is_random, sent)), pins)


@every_journey
def test_the_reasons_of_a_journey_tell_no_secret(
    listener: Listener, watch: Watch, journey: Journey, generation: str
) -> None:
    journey.play(InMemory(Recorder(generation), generation))
    tells_nothing(listener, watch)


@pytest.mark.parametrize("payment", PAYMENTS, ids=lambda each: each.name)
def test_the_reasons_of_a_payment_tell_no_secret(
    listener: Listener, watch: Watch, payment: Payment
) -> None:
    chip = chip_of(payment.profile)
    for entry in read(payment.recorded()):
        if isinstance(entry, Line) and entry.mark == POWER:
            chip.reset(interface_of(entry.slot))
        elif isinstance(entry, Line) and entry.mark == COMMAND:
            chip.transmit(entry.raw)
    tells_nothing(listener, watch)


def test_a_wrong_secret_is_in_no_reason(listener: Listener, watch: Watch) -> None:
    chip = issue_test_card(seed=7)
    pin = "739158"
    for raw in (
        SELECT_HRSS,
        bytes.fromhex("0020000003" + pin),
        bytes.fromhex("0084000008"),
        bytes.fromhex("0082000610" + "A1B2C3D4E5F60718" + "293A4B5C6D7E8F90"),
        bytes.fromhex("0084000008"),
        bytes.fromhex("842400010C" + "8877665544332211" + "FEDCBA98"),
        bytes.fromhex("00B2014400"),
    ):
        chip.transmit(raw)
    assert len(listener.refusals) == 4
    tells_nothing(listener, watch, pin)


def test_the_listener_would_find_a_secret(listener: Listener, watch: Watch) -> None:
    chip: Chip = issue_test_card(seed=7)
    listener.said.append("the PIN is 739158")
    chip.transmit(SELECT_HRSS)
    with pytest.raises(AssertionError):
        tells_nothing(listener, watch, "739158")
