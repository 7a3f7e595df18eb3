# SPDX-License-Identifier: Apache-2.0
"""The gate before a physical card: what passes, what is held back, and what the card sees of it."""

from __future__ import annotations

import pytest
from guardbench import (
    ATR,
    BY_NUMBER,
    COMMANDS,
    GPO,
    LISTED,
    NUMBER,
    OK,
    OTHER,
    READ,
    SELECT,
    UPDATE,
    Seen,
    behind,
    held_back,
)
from hypothesis import given
from hypothesis import strategies as st

from apdu.atr import Interface
from apdu.wire.effects import Effect, effect_of
from host.channel import Channel
from host.channel.guard import Gate, GuardedChannel
from host.channel.stakes import Stake
from host.faults import HeldBack, NotConfirmed, NotListed, NotSent
from host.rules import AllowList, Rules

# The list


@given(st.lists(COMMANDS, max_size=10))
def test_without_leave_the_card_sees_reads_and_nothing_else(commands: list[bytes]) -> None:
    card = Seen()
    channel = behind(card, AllowList())
    for command in commands:
        if effect_of(command) < Effect.TRY:
            assert OK == channel.transmit(command)
        else:
            held_back(channel, command, NotListed)
    assert [each for each in commands if effect_of(each) < Effect.TRY] == card.seen


@given(st.lists(COMMANDS, max_size=10))
def test_with_leave_every_command_arrives_as_it_was(commands: list[bytes]) -> None:
    card = Seen()
    channel = behind(card, floor=0)
    for command in commands:
        assert OK == channel.transmit(command)
        assert command == card.seen[-1]


@given(COMMANDS)
def test_no_fault_has_what_is_in_a_command(command: bytes) -> None:
    for channel in (behind(Seen(), AllowList()), behind(Seen(), dry_run=True)):
        if effect_of(command) >= Effect.TRY:
            with pytest.raises(HeldBack) as fault:
                channel.transmit(command)
            said = str(fault.value).replace(ATR.hex().upper(), "").upper()
            assert len(command) < 9 or command[5:].hex().upper() not in said


def test_a_card_that_is_not_on_the_list_is_told_how_it_gets_there() -> None:
    said = held_back(behind(Seen(), AllowList(frozenset({OTHER}))), UPDATE, NotListed)
    assert said.startswith("UPDATE BINARY was not sent")
    assert f"--allow {ATR.hex().upper()}" in said


def test_a_gate_for_readers_lets_nothing_else_through_whatever_the_list_says() -> None:
    card = Seen()
    channel = behind(card, reads_only=True)
    assert OK == channel.transmit(READ)
    assert "nothing but reads" in held_back(channel, UPDATE, NotListed)
    assert [READ] == card.seen


def test_the_layer_is_what_the_card_is() -> None:
    card = Seen(ATR, OTHER)
    channel = behind(card)
    assert (ATR, Interface.CONTACTLESS, False) == (
        channel.atr,
        channel.interface,
        channel.le_with_data,
    )
    assert OTHER == channel.reset() == channel.atr


# The card's own number


class Register:
    """Reads numbers, with a command of its own."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = list(numbers)
        self.asked = 0
        self.alone = True

    def __call__(self, channel: Channel) -> frozenset[str]:
        self.asked += 1
        channel.transmit(SELECT)
        assert isinstance(channel, Seen)
        self.alone = self.alone and channel.held > 0
        return frozenset({self.numbers[min(self.asked, len(self.numbers)) - 1]})


def known(card: Seen, register: Register, allowed: AllowList, **rules: bool) -> GuardedChannel:
    gate = Gate(Rules(allowed, **rules), numbers=register, sure=lambda _: True)  # type: ignore[arg-type]
    return GuardedChannel(card, gate)


def test_a_card_may_be_listed_by_a_number_of_its_own() -> None:
    card, register = Seen(), Register(NUMBER)
    channel = known(card, register, BY_NUMBER)
    assert OK == channel.transmit(UPDATE)
    assert ([SELECT, UPDATE], 1, 1) == (card.seen, register.asked, card.resets)
    assert register.alone


def test_nothing_stays_selected_by_the_reading_of_numbers() -> None:
    card, register = Seen(ATR, ATR), Register("12345678")
    channel = known(card, register, BY_NUMBER)
    assert (1, []) == (card.resets, card.seen[1:])
    held_back(channel, UPDATE, NotListed)


@pytest.mark.parametrize(
    ("allowed", "rules"),
    [
        (LISTED, {}),
        (AllowList(LISTED.atrs, BY_NUMBER.numbers), {}),
        (AllowList(), {}),
        (BY_NUMBER, {"reads_only": True}),
        (BY_NUMBER, {"dry_run": True}),
    ],
)
def test_numbers_are_not_asked_for_where_nothing_hangs_on_them(
    allowed: AllowList, rules: dict[str, bool]
) -> None:
    card, register = Seen(), Register(NUMBER)
    known(card, register, allowed, **rules)
    assert (0, [], 0) == (register.asked, card.seen, card.resets)


def test_after_a_reset_it_may_be_another_card() -> None:
    card = Seen(ATR, OTHER, ATR)
    channel = behind(card)
    assert OK == channel.transmit(UPDATE)
    channel.reset()
    held_back(channel, UPDATE, NotListed)
    channel.reset()
    assert OK == channel.transmit(UPDATE)


def test_after_a_reset_the_number_is_read_anew() -> None:
    card, register = Seen(), Register(NUMBER, "87654321")
    channel = known(card, register, BY_NUMBER)
    channel.transmit(UPDATE)
    channel.reset()
    held_back(channel, UPDATE, NotListed)
    assert 2 == register.asked


# What cannot be undone

UNDOABLE = [
    ("84160000", Stake.CARD),
    ("841E0000", Stake.APPLICATION),
    ("00E60000", Stake.END),
    ("80D4000005", Stake.KEY),
    ("80D8000005", Stake.KEY),
    ("80C2400005", Stake.KEY),
    ("80C9820008", Stake.KEY),
    ("80E0000005", Stake.PERSONALISATION),
    ("80E2000005", Stake.PERSONALISATION),
    ("00440000", Stake.PERSONALISATION),
    ("80A8000002830000", Stake.COUNTER),
    ("80AE800000", Stake.COUNTER),
    ("8070010000", Stake.COUNTER),
    ("B028010100", Stake.COUNTER),
    ("B02C010000", Stake.COUNTER),
    ("8050000000", Stake.COUNTER),
]


@pytest.mark.parametrize(("command", "stake"), UNDOABLE)
def test_what_cannot_be_undone_is_said_and_has_to_be_meant(command: str, stake: Stake) -> None:
    card, said = Seen(), []
    gate = Gate(Rules(LISTED), sure=lambda sentence: bool(said.append(sentence)))
    fault = held_back(GuardedChannel(card, gate), bytes.fromhex(command), NotConfirmed)
    (sentence,) = said
    assert stake.value in sentence
    assert stake.value in fault
    assert "--yes" in fault
    assert [] == card.seen


@pytest.mark.parametrize("command", [UPDATE, bytes.fromhex("00820000"), bytes.fromhex("00F10000")])
def test_nobody_is_asked_about_other_writes(command: bytes) -> None:
    assert OK == behind(Seen(), sure=False).transmit(command)


def test_what_is_meant_is_asked_about_once_and_for_one_card_after_the_other() -> None:
    said: list[str] = []
    gate = Gate(Rules(LISTED), sure=lambda sentence: not said.append(sentence))
    for channel in (GuardedChannel(Seen(), gate), GuardedChannel(Seen(), gate)):
        for command in (GPO, GPO, bytes.fromhex("84160000")):
            channel.transmit(command)
    assert 2 == len(said)


def test_what_was_not_meant_is_asked_about_again() -> None:
    said: list[str] = []
    gate = Gate(Rules(LISTED), sure=lambda sentence: bool(said.append(sentence)))
    channel = GuardedChannel(Seen(), gate)
    held_back(channel, GPO, NotConfirmed)
    held_back(channel, GPO, NotConfirmed)
    assert 2 == len(said)


def test_without_anybody_to_ask_nothing_is_meant() -> None:
    held_back(GuardedChannel(Seen(), Gate(Rules(LISTED))), GPO, NotConfirmed)
    assert OK == GuardedChannel(Seen(), Gate(Rules(LISTED))).transmit(UPDATE)


# Dry runs


@given(st.lists(COMMANDS, max_size=10))
def test_a_dry_run_sends_reads_and_shows_the_rest(commands: list[bytes]) -> None:
    card, told = Seen(), []
    gate = Gate(Rules(AllowList(), dry_run=True), told=told.append)
    channel = GuardedChannel(card, gate)
    for command in commands:
        if effect_of(command) < Effect.TRY:
            channel.transmit(command)
        else:
            assert "dry run" in held_back(channel, command, NotSent)
    assert [each for each in commands if effect_of(each) < Effect.TRY] == card.seen
    assert [each for each in commands if effect_of(each) >= Effect.TRY] == told
