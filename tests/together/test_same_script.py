# SPDX-License-Identifier: Apache-2.0
"""5 000 commands have the same answers in memory and over a socket."""

from __future__ import annotations

import pytest
from apscript import COMMANDS, InSlot, conversation, script, script_chip
from plugbench import over_a_socket

from apdu.atr import Transmission, contact_atr
from host.channel import LONGEST
from host.channel.memory import MemoryChannel


def test_the_script_has_everything_in_it() -> None:
    said = [step for step in script() if step.command is not None]
    assert COMMANDS == len(said)
    assert len(script()) > COMMANDS + 10, "resets"
    lengths = {len(step.command) for step in said if step.command is not None}
    assert {4, 5, 260, 261, 65_534, LONGEST} <= lengths
    assert max(len(step.answer) for step in said) > 258, "extended"
    refusals = {step.answer[-2:].hex() for step in said}
    assert {"9000", "6982", "6700", "6a82", "6a83", "6d00", "6e00", "63c5", "63ce"} <= refusals
    assert any(sw.startswith("61") for sw in refusals)
    cryptograms = {step.answer for step in said if step.command[:2] == b"\x80\xae"}
    assert len([answer for answer in cryptograms if answer.endswith(b"\x90\x00")]) > 10


GENERATIONS = ("2.0", "3.0")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_second_chip_says_the_same(generation: str) -> None:
    again = conversation(MemoryChannel(script_chip(generation)), script(generation))
    assert script(generation) == tuple(again)


@pytest.mark.parametrize("transmission", Transmission, ids=str)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_socket_changes_nothing(generation: str, transmission: Transmission) -> None:
    in_memory = MemoryChannel(InSlot(script_chip(generation), transmission))
    expected = conversation(in_memory, script(generation))
    with over_a_socket(InSlot(script_chip(generation), transmission)) as channel:
        assert in_memory.atr == channel.atr
        assert in_memory.interface is channel.interface
        assert (transmission is Transmission.T1) == channel.le_with_data
        told = conversation(channel, script(generation))
        for in_there, out_here in zip(expected, told, strict=True):
            assert in_there == out_here


def test_the_protocol_changes_the_atr_alone() -> None:
    historical = script_chip().reset()[-13:]
    for transmission in Transmission:
        told = conversation(MemoryChannel(InSlot(script_chip(), transmission)), script())
        atr = contact_atr(historical, transmission)
        expected = [step if step.command is not None else (None, atr) for step in script()]
        assert expected == list(told)
