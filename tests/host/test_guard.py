# SPDX-License-Identifier: Apache-2.0
"""The gate before a physical card: what passes, what is held back, and what the card sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.atr import Interface
from apdu.wire.effects import Effect, effect_of
from host.channel import Channel
from host.channel.guard import Gate, GuardedChannel
from host.channel.stakes import Stake
from host.faults import HeldBack, NotConfirmed, NotListed, NotSent, TooFewTries
from host.rules import FLOOR, AllowList, Rules

ATR = bytes.fromhex("3B6D00000081544C0102030405060708")
OTHER = bytes.fromhex("3B6D000000815400FFFFFFFFFFFFFFFF")
NUMBER = "A00000017"
LISTED = AllowList(frozenset({ATR}))
BY_NUMBER = AllowList(numbers=frozenset({NUMBER}))

READ = bytes.fromhex("00B2010C00")
SELECT = bytes.fromhex("00A4000002DF01")
CHALLENGE = bytes.fromhex("0084000008")
RESPONSE = bytes.fromhex("00C0000008")
UPDATE = bytes.fromhex("00D6850001AA")
VERIFY = bytes.fromhex("0020000003123456")
ASK = bytes.fromhex("00200000")
PAYMENT_PIN = bytes.fromhex("0020008008241234FFFFFFFFFF")
ASK_PAYMENT = bytes.fromhex("80CA9F1700")
CHANGE = bytes.fromhex("805E010007123456FF654321")
GPO = bytes.fromhex("80A8000002830000")
COMMANDS = st.one_of(
    st.binary(min_size=4, max_size=40),
    st.tuples(
        st.sampled_from([0x00, 0x04, 0x80, 0x84, 0xB0]), st.binary(min_size=3, max_size=20)
    ).map(lambda parts: bytes((parts[0],)) + parts[1]),
    st.sampled_from([READ, SELECT, UPDATE, VERIFY, ASK, CHANGE, GPO]),
)
OK = b"\x90\x00"


def tries(left: int) -> bytes:
    return bytes((0x63, 0xC0 | left))


class Seen(Channel):
    """A card that takes down what it sees; `answers` by command, 9000 without one."""

    interface = Interface.CONTACTLESS
    le_with_data = False

    def __init__(self, *atrs: bytes, **answers: bytes) -> None:
        self.atrs = list(atrs or (ATR,))
        self.atr = self.atrs[0]
        self.answers = {bytes.fromhex(name[1:]): answer for name, answer in answers.items()}
        self.seen: list[bytes] = []
        self.resets = 0
        self.held = 0
        self.alone: list[bool] = []
        """Whether other programs were kept away, by command."""

    def _exchange(self, command: bytes) -> bytes:
        self.seen.append(command)
        self.alone.append(self.held > 0)
        return self.answers.get(command, OK)

    def reset(self) -> bytes:
        self.resets += 1
        self.atr = self.atrs[min(self.resets, len(self.atrs) - 1)]
        return self.atr

    def close(self) -> None: ...

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


def behind(
    card: Seen, allowed: AllowList = LISTED, *, sure: bool = True, **rules: int
) -> GuardedChannel:
    """The card behind a gate; somebody is sure of everything, or of nothing."""
    return GuardedChannel(card, Gate(Rules(allowed, **rules), sure=lambda _: sure))  # type: ignore[arg-type]


def held_back(channel: Channel, command: bytes, kind: type[HeldBack]) -> str:
    with pytest.raises(HeldBack) as fault:
        channel.transmit(command)
    assert kind is type(fault.value)
    return str(fault.value)


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


# PIN tries


def test_the_floor_leaves_a_try() -> None:
    assert 1 == FLOOR == Rules().floor


@pytest.mark.parametrize("floor", range(4))
@pytest.mark.parametrize("left", range(1, 6))
def test_a_pin_is_tried_while_a_wrong_one_leaves_the_floor(floor: int, left: int) -> None:
    card = Seen(x00200000=tries(left))
    channel = behind(card, floor=floor)
    if left - 1 >= floor:
        assert OK == channel.transmit(VERIFY)
        assert [ASK, VERIFY] == card.seen
        assert [True, True] == card.alone
    else:
        said = held_back(channel, VERIFY, TooFewTries)
        assert f"tries left: {left}" in said
        assert f"--floor {left - 1} tries" in said
        assert [ASK] == card.seen


def test_a_pin_that_has_no_tries_left_has_none_to_lose() -> None:
    card = Seen(x00200000=b"\x69\x83", x0020000003123456=b"\x69\x83")
    assert b"\x69\x83" == behind(card).transmit(VERIFY)
    assert b"\x69\x83" == behind(Seen(x0020000003123456=b"\x69\x83")).transmit(VERIFY)


def test_a_pin_that_was_just_proven_may_be_proven_again() -> None:
    card = Seen()
    assert OK == behind(card, floor=3).transmit(VERIFY)
    assert [ASK, VERIFY] == card.seen


@pytest.mark.parametrize("refusal", ["6700", "6D00", "6A88", "6984"])
def test_a_card_that_does_not_tell_its_tries_keeps_them(refusal: str) -> None:
    card = Seen(x00200000=bytes.fromhex(refusal))
    said = held_back(behind(card), VERIFY, TooFewTries)
    assert "does not tell" in said
    assert "--floor 0" in said
    assert OK == behind(card, floor=0).transmit(VERIFY)


def test_a_change_of_the_pin_tries_the_old_one() -> None:
    card = Seen(x00200000=tries(1))
    held_back(behind(card), CHANGE, TooFewTries)
    change_reference_data = bytes.fromhex("0024000006123456654321")
    held_back(behind(card), change_reference_data, TooFewTries)
    assert [ASK, ASK] == card.seen


def test_a_reload_of_the_pin_under_a_key_tries_none() -> None:
    card = Seen(x00200000=tries(1))
    for command in ("805E000007", "845E010107", "8424000104"):
        assert OK == behind(card).transmit(bytes.fromhex(command))


@pytest.mark.parametrize(
    ("cla", "asked"), [("00", "00200001"), ("01", "01200001"), ("42", "42200001")]
)
def test_tries_are_asked_for_on_the_channel_and_of_the_pin_that_is_meant(
    cla: str, asked: str
) -> None:
    card = Seen()
    behind(card).transmit(bytes.fromhex(f"{cla}20000103123456"))
    assert bytes.fromhex(asked) == card.seen[0]


# The PIN of a payment application


def test_a_payment_application_is_asked_for_its_tries_in_its_own_way() -> None:
    card = Seen(x80CA9F1700=bytes.fromhex("9F1701029000"), x00200080=b"\x67\x00")
    assert OK == behind(card).transmit(PAYMENT_PIN)
    assert [ASK_PAYMENT, PAYMENT_PIN] == card.seen
    card = Seen(x80CA9F1700=bytes.fromhex("9F1701019000"))
    held_back(behind(card), PAYMENT_PIN, TooFewTries)
    assert [ASK_PAYMENT] == card.seen


@pytest.mark.parametrize(
    "answer", ["6A88", "9000", "9F1702000290009000", "9F17", "9F36020003", "FFFFFF9000"]
)
def test_a_payment_application_that_does_not_tell_is_asked_as_others_are(answer: str) -> None:
    card = Seen(x80CA9F1700=bytes.fromhex(answer), x00200080=tries(2))
    assert OK == behind(card).transmit(PAYMENT_PIN)
    assert [ASK_PAYMENT, bytes.fromhex("00200080"), PAYMENT_PIN] == card.seen


# Between a challenge and its answer no question may come


def test_a_challenge_is_not_spoiled_by_a_question() -> None:
    card = Seen(x00200000=tries(3))
    channel = behind(card)
    channel.transmit(ASK)
    channel.transmit(CHALLENGE)
    channel.transmit(RESPONSE)
    assert OK == channel.transmit(VERIFY)
    assert [ASK, CHALLENGE, RESPONSE, VERIFY] == card.seen


def test_after_a_challenge_what_the_card_told_before_it_counts() -> None:
    card = Seen(x00200000=tries(1))
    channel = behind(card)
    channel.transmit(ASK)
    channel.transmit(CHALLENGE)
    assert "tries left: 1" in held_back(channel, VERIFY, TooFewTries)
    assert [ASK, CHALLENGE] == card.seen


@pytest.mark.parametrize("between", [[], [ASK, SELECT], [ASK[:3] + b"\x01"], [ASK, None]], ids=str)
def test_what_the_card_told_of_another_pin_or_before_a_reset_does_not_count(
    between: list[bytes | None],
) -> None:
    channel = behind(Seen(x00200000=tries(3), x00200001=tries(3)))
    for each in between:
        channel.reset() if each is None else channel.transmit(each)
    channel.transmit(CHALLENGE)
    assert "ask for them before" in held_back(channel, VERIFY, TooFewTries)


def test_what_a_wrong_pin_left_counts_after_a_challenge() -> None:
    card = Seen(x00200000=tries(3), x0020000003123456=tries(1))
    channel = behind(card)
    channel.transmit(VERIFY)
    channel.transmit(CHALLENGE)
    held_back(channel, VERIFY, TooFewTries)


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


@pytest.mark.parametrize("answer", [tries(1), b"\x67\x00"])
def test_the_last_try_of_a_pin_has_to_be_meant(answer: bytes) -> None:
    card = Seen(x00200000=answer)
    held_back(behind(card, sure=False, floor=0), VERIFY, NotConfirmed)
    assert [ASK] == card.seen
    assert OK == behind(card, floor=0).transmit(VERIFY)


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
