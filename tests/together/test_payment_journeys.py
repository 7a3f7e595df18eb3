# SPDX-License-Identifier: Apache-2.0
"""Whole payments, from the card's reset to the issuer's books, recorded from our chip and replayed
byte for byte: its commands against the chip, its answers against terminal and issuer.

`PYTHONPATH=.:tests python tests/together/test_payment_journeys.py` records them anew.
"""

from __future__ import annotations

import pytest
from journeybench import PlayBack, interface_of
from journeytape import ANSWER, COMMAND, POWER, Line, read
from payjourneybench import Desk, chip_of
from payjourneys import FOLDER, JOURNEYS, Journey

from apdu.trace import Exchange
from apdu.wire.pboc import commands
from host.cli.explain import Explainer

every_journey = pytest.mark.parametrize("journey", JOURNEYS, ids=[each.name for each in JOURNEYS])


def with_books() -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")


@every_journey
def test_the_chip_answers_byte_for_byte(journey: Journey) -> None:
    chip = chip_of(journey.profile)
    said = b""
    for entry in read(journey.recorded()):
        if not isinstance(entry, Line):
            continue
        match entry.mark:
            case mark if mark == POWER:
                assert entry.raw == chip.reset(interface_of(entry.slot))
            case mark if mark == COMMAND:
                said = chip.transmit(entry.raw)
            case mark if mark == ANSWER:
                assert entry.raw == said
            case _:
                pytest.fail(f"{entry.mark} in a journey from which no card is pulled")


@every_journey
def test_terminal_and_issuer_speak_byte_for_byte(journey: Journey) -> None:
    with_books()
    wire = PlayBack(read(journey.recorded()))
    journey.play(Desk(wire, journey.profile))
    wire.finish()


@every_journey
def test_a_payment_is_what_would_be_recorded_today(journey: Journey) -> None:
    with_books()
    assert journey.recorded() == journey.record()


def test_there_is_no_recording_of_a_payment_that_is_none() -> None:
    assert {each.path for each in JOURNEYS} == set(FOLDER.glob("pay_*.apdu"))
    assert len(JOURNEYS) == len({each.name for each in JOURNEYS})


def lines(journey: Journey) -> list[Line]:
    return [entry for entry in read(journey.recorded()) if isinstance(entry, Line)]


def test_every_command_of_a_transaction_and_of_a_script_is_in_a_journey() -> None:
    sent = {
        (line.raw[0] & 0xFB, line.raw[1])
        for journey in JOURNEYS
        for line in lines(journey)
        if line.mark == COMMAND
    }
    wanted = {
        commands.GET_PROCESSING_OPTIONS,
        commands.GET_DATA,
        commands.VERIFY_OFFLINE_PIN,
        commands.INTERNAL_AUTHENTICATE,
        commands.GENERATE_AC,
        commands.EXTERNAL_AUTHENTICATE,
        commands.PIN_CHANGE_UNBLOCK,
        commands.APPLICATION_BLOCK,
        commands.APPLICATION_UNBLOCK,
        commands.PUT_DATA,
    }
    assert {(form.cla, form.ins) for form in wanted} <= sent


@every_journey
def test_every_exchange_of_a_payment_is_explained(journey: Journey) -> None:
    explainer, command = Explainer(), b""
    for line in lines(journey):
        if line.mark == POWER:
            explainer.reset()
        elif line.mark == COMMAND:
            command = line.raw
        else:
            said = explainer.explain(Exchange.of(command, line.raw))
            assert "known form" not in said.meaning
            shown = (*said.sent, *said.got)
            assert [] == [each for each in shown if each.meaning.startswith("raw")]
            # What is answered with data is taken apart, and so is what a list asked for.
            assert bool(said.got) == (len(line.raw) > 2), said.name
            if said.name in (commands.GET_PROCESSING_OPTIONS.name, commands.GENERATE_AC.name):
                assert len(said.sent) > 2


if __name__ == "__main__":
    for each in JOURNEYS:
        each.path.write_text(each.record(), encoding="utf-8")
