# SPDX-License-Identifier: Apache-2.0
"""A card that another program resets: what is sent again, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resetting import APPLICATIONS, Forgetful, SharedChannel

from apdu.command import CommandAPDU
from apdu.wire.hrss.generations import SSSE
from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    VERIFY,
    By,
    Occurrence,
    Offset,
    PinRef,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.pboc.commands import GET_DATA, DataTag
from apdu.wire.pboc.tags import ATC
from apdu.wire.repeating import Again, again
from card_os.chip import Chip
from host.card import Card
from host.channel import Channel
from host.channel.layer import Layer
from host.channel.told import MANY
from host.channel.trace import RecordingChannel
from host.cli.testcard import issue_test_card
from host.faults import CardFault, CardGone, CardMute, CardReset, NotFound

Step = tuple[Any, ...]

FIRST, SECOND = APPLICATIONS
OPEN, CLOSE, ANEW = ("open",), ("close",), ("reset",)
BY_FILE = Selection(by=By.EF_OF_DF)
NEXT = Selection(occurrence=Occurrence.NEXT)
PROVE: Step = (VERIFY, PinRef(), b"\x12\x34\x56")
READ: Step = (READ_RECORD, RecordRef(1, 3), None)
CURRENT: Step = (READ_RECORD, RecordRef(1), None)
READS: list[Step] = [
    (SELECT, Selection(), FIRST),
    (SELECT, Selection(), SECOND),
    (SELECT, Selection(), b"NOBODY"),
    (SELECT, BY_FILE, b"\x00\x01"),
    (SELECT, BY_FILE, b"\x00\x02"),
    READ,
    CURRENT,
    (READ_BINARY, SfiOffset(sfi=4), None),
    (READ_BINARY, Offset(offset=2), None),
    (GET_DATA, DataTag(ATC), None),
]
OTHERS: list[Step] = [
    PROVE,
    (VERIFY, PinRef(), b""),
    (GET_CHALLENGE, None, None),
    (UPDATE_BINARY, Offset(offset=0), b"\x01"),
    (SELECT, NEXT, FIRST),
]
RAW: list[Step] = [("raw", bytes.fromhex(each)) for each in ("00B2011C00", "0082000108" + "55" * 8)]

anything = st.lists(
    st.sampled_from([*READS, *READS, *OTHERS, *RAW, OPEN, CLOSE, ANEW]), max_size=14
)
reads = st.lists(st.sampled_from(READS), min_size=1, max_size=14)
strikes = st.sets(st.integers(0, 30), max_size=4)


def take(card: Card, step: Step, kept: ExitStack) -> bytes:
    """What came of a step: bytes, or the name of the fault that the card's answer was."""
    if step == OPEN:
        kept.enter_context(card.transaction())
    elif step == CLOSE:
        kept.close()
    elif step == ANEW:
        card.channel.reset()
    elif step[0] == "raw":
        return card.channel.transmit(step[1])
    else:
        form, params, data = step
        try:
            return card.ask(form, params, data).data
        except NotFound as error:
            return str(error).encode()
    return b""


def play(channel: Channel, steps: list[Step]) -> tuple[list[bytes], bool]:
    """What came of the steps up to the first CardReset, and whether there was one."""
    card, answers = Card(channel), []
    with ExitStack() as kept:
        for step in steps:
            try:
                answers.append(take(card, step, kept))
            except CardReset:
                return answers, True
    return answers, False


@given(anything, strikes, st.booleans())
def test_what_is_not_told_makes_no_difference(steps: list[Step], at: set[int], t1: bool) -> None:
    calm, _ = play(SharedChannel(Forgetful(t1)), steps)
    found, told = play(channel := SharedChannel(Forgetful(t1), at), steps)
    assert calm[: len(found)] == found
    assert told or len(calm) == len(found)
    assert not channel.lost or told, "a lost card was talked to"


@given(anything, strikes, st.booleans())
def test_only_reads_and_selections_are_sent_twice(
    steps: list[Step], at: set[int], t1: bool
) -> None:
    calm, card = Forgetful(t1), Forgetful(t1)
    play(SharedChannel(calm), steps)
    play(SharedChannel(card, at), steps)
    for command in {*card.seen}:
        if again(command[:4]) is Again.NEVER:
            assert card.seen.count(command) <= calm.seen.count(command)
    assert {*card.seen} <= {*calm.seen}, "what nobody asked for was sent"


@given(reads, st.integers(0, 40), st.booleans())
def test_reads_do_not_notice_one_reset(steps: list[Step], at: int, t1: bool) -> None:
    steps = [step for step in steps if step != CURRENT and step[1] != Offset(offset=2)]
    calm, _ = play(SharedChannel(Forgetful(t1)), steps)
    channel = SharedChannel(Forgetful(t1), {at})
    assert (calm, False) == play(channel, steps)
    assert channel.struck == channel.taken_up


@given(reads, st.integers(0, 40))
def test_a_transaction_that_a_reset_comes_before_is_not_begun(steps: list[Step], at: int) -> None:
    channel = SharedChannel(Forgetful(), {at})
    play(channel, [OPEN, *steps, CLOSE])
    assert 0 == channel.resets


def lost_at(step: Step, *before: Step) -> SharedChannel:
    """A channel whose card another program resets between these steps."""
    channel = SharedChannel(Forgetful())
    play(channel, list(before))
    channel.strikes = {channel.calls}
    return channel


@pytest.mark.parametrize("other", [*OTHERS, RAW[1]], ids=lambda step: str(step[0])[:40])
def test_after_anything_else_a_reset_is_told_and_nothing_sent(other: Step) -> None:
    channel = lost_at(READ, (SELECT, Selection(), FIRST), other)
    card = channel.card
    assert isinstance(card, Forgetful)
    before = len(card.seen)
    for _ in range(3):
        with pytest.raises(CardReset):
            Card(channel).send(*READ)
    assert (before, 0) == (len(card.seen), channel.resets)


@pytest.mark.parametrize("step", OTHERS, ids=lambda step: str(step[0])[:40])
def test_what_is_no_read_is_never_sent_again(step: Step) -> None:
    channel = lost_at(step, (SELECT, Selection(), FIRST))
    with pytest.raises(CardReset):
        Card(channel).ask(*step)
    assert 0 == channel.resets


def test_what_was_finished_elsewhere_is_never_sent_again() -> None:
    channel = lost_at(READ)
    with pytest.raises(CardReset):
        Card(channel).relay(CommandAPDU(0x00, 0xB2, 1, 0x1C, ne=256), "READ RECORD")
    assert 0 == channel.resets


def test_in_a_transaction_of_the_caller_nothing_is_sent_again() -> None:
    channel = SharedChannel(Forgetful())
    card = Card(channel)
    for _ in range(2):
        with pytest.raises(CardReset) as caught, card.transaction(), card.transaction():
            channel.lost = True  # though others were kept away, and the channel knows no better
            card.send(*READ)
        assert not caught.value.kept
    assert 0 == channel.resets
    channel.lost = True
    card.send(*READ)
    assert 1 == channel.resets


def test_what_goes_on_with_an_answer_is_not_sent_again_alone() -> None:
    channel = lost_at(READ, (SELECT, Selection(), FIRST))
    with pytest.raises(CardReset):
        Card(channel).ask(GET_RESPONSE, None, None)
    assert 0 == channel.resets


def test_a_read_of_a_file_that_a_read_made_current_is_not_sent_again() -> None:
    by_file = (SELECT, BY_FILE, b"\x00\x02")
    for before, same in ((by_file,), True), ((by_file, READ), False), ((READ, by_file), True):
        channel = lost_at(CURRENT, *before)
        assert ([], not same) == ([], play(channel, [CURRENT])[1])


def test_a_card_that_is_reset_again_and_again_is_given_up() -> None:
    channel = SharedChannel(Forgetful(), range(100))
    with pytest.raises(CardReset):
        Card(channel).send(*READ)
    assert 1 == channel.resets


def test_another_card_is_not_taken_for_the_same() -> None:
    channel = lost_at(READ)
    channel.card.atr = b"\x3b\x01\x00"  # type: ignore[attr-defined]
    with pytest.raises(CardGone, match="another card") as caught:
        Card(channel).send(*READ)
    assert not isinstance(caught.value, CardReset)


def test_a_card_that_selects_otherwise_than_before_is_told_as_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = lost_at(READ, (SELECT, Selection(), FIRST))
    monkeypatch.setattr(channel.card, "select", lambda command: b"\x62\x83")
    with pytest.raises(CardReset):
        Card(channel).send(*READ)


class Faulty(SharedChannel):
    """Ends one exchange with a fault."""

    fault: CardFault | None = None

    def _exchange(self, command: bytes) -> bytes:
        if self.fault is not None:
            raise self.fault
        return super()._exchange(command)


def kept_all_the_same() -> CardReset:
    fault = CardReset("while it was kept")
    fault.kept = True
    return fault


@pytest.mark.parametrize("fault", [CardMute("no answer"), CardGone("pulled"), kept_all_the_same()])
def test_no_other_fault_is_tried_again(fault: CardFault) -> None:
    channel = Faulty(Forgetful())
    channel.fault = fault
    with pytest.raises(type(fault)) as caught:
        Card(channel).send(*READ)
    assert fault is caught.value
    assert 0 == channel.resets


def test_the_channel_keeps_the_account_whoever_sends() -> None:
    channel = SharedChannel(Forgetful())
    one, other = Card(channel), Card(channel)
    one.send(SELECT, Selection(), FIRST)
    expected = other.send(*READ)
    channel.strikes = {channel.calls}
    assert expected == other.send(*READ)
    one.send(*PROVE)
    channel.strikes = {channel.calls}
    with pytest.raises(CardReset):
        other.send(*READ)


@pytest.mark.parametrize(
    "layer",
    [Layer, lambda inner: RecordingChannel(inner, lambda _: None)],
    ids=["any", "recording"],
)
def test_a_layer_forgets_what_was_before_a_reset(layer: Callable[[Channel], Channel]) -> None:
    below = SharedChannel(Forgetful())
    channel = layer(below)
    card = Card(channel)
    card.send(*PROVE)
    assert not channel.told.only_reads
    channel.reset()
    expected = card.send(*READ)
    below.strikes = {below.calls}
    assert expected == card.send(*READ)
    assert 2 == below.resets


def test_after_very_many_selections_nothing_is_made_again() -> None:
    steps: list[Step] = [(SELECT, BY_FILE, b"\x00\x01")] * MANY
    for more, told in (0, False), (1, True):
        channel = lost_at(READ, *steps, *[steps[0]] * more)
        assert told == play(channel, [READ])[1]


def test_a_selection_by_name_makes_those_before_it_needless() -> None:
    channel = lost_at(READ, *READS[:5], (SELECT, Selection(), FIRST))
    card = channel.card
    assert isinstance(card, Forgetful)
    before = len(card.seen)
    Card(channel).send(*READ)
    assert [0xA4, 0xB2] == [command[1] for command in card.seen[before:]]


@pytest.fixture(scope="module")
def issued() -> Chip:
    return issue_test_card(generation="2.0", seed=7)


def test_a_real_card_reads_the_same_whenever_it_is_reset(issued: Chip) -> None:
    def everything(channel: Channel) -> list[bytes]:
        card = Card(channel)
        card.select(SSSE.name)
        return [card.ask(READ_RECORD, RecordRef(at, 5), None).data for at in (1, 2, 3)]

    calm = SharedChannel(issued)
    expected = everything(calm)
    struck = 0
    for at in range(calm.calls):
        channel = SharedChannel(issued, {at})
        assert expected == everything(channel)
        assert channel.struck == channel.taken_up
        struck += channel.struck
    assert 4 == struck  # before SELECT, and at three reads


@pytest.mark.parametrize(("name", "resets"), [(FIRST, 0), (b"OTHER", 1)])
def test_a_card_is_reset_once_more_unless_a_selection_leads_there_from_anywhere(
    name: bytes, resets: int
) -> None:
    channel = SharedChannel(Forgetful())
    card = Card(channel)
    with suppress(NotFound):
        card.send(SELECT, Selection(), name)
    expected = card.send(*READ)
    channel.strikes = {channel.calls}
    assert expected == card.send(*READ)
    assert (1, resets) == (channel.taken_up, channel.resets)
