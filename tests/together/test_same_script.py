# SPDX-License-Identifier: Apache-2.0
"""5 000 commands have the same answers in memory and over a socket."""

from __future__ import annotations

from typing import Any

import pytest
from apscript import COMMANDS, WAYS, InReader, conversation, script, script_chip
from plugbench import over_a_socket

from apdu.atr import Interface, Transmission, contact_atr
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


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_socket_changes_nothing(generation: str, way: Any) -> None:
    in_memory = MemoryChannel(InReader(script_chip(generation), way))
    expected = conversation(in_memory, script(generation))
    with over_a_socket(InReader(script_chip(generation), way)) as channel:
        assert in_memory.atr == channel.atr
        assert (way is Interface.CONTACTLESS) == (channel.interface is Interface.CONTACTLESS)
        assert (way is not Transmission.T0) == channel.le_with_data
        told = conversation(channel, script(generation))
        for in_there, out_here in zip(expected, told, strict=True):
            assert in_there == out_here


def test_the_protocol_changes_the_atr_alone() -> None:
    historical = script_chip().reset()[-13:]
    for transmission in Transmission:
        told = conversation(MemoryChannel(InReader(script_chip(), transmission)), script())
        atr = contact_atr(historical, transmission)
        expected = [step if step.command is not None else (None, atr) for step in script()]
        assert expected == list(told)
