# SPDX-License-Identifier: Apache-2.0
"""Faults on purpose: each does what it says to the card and to its answer, and on a seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.atr import Interface
from host.channel import Channel
from host.channel.chaos import ChaosChannel, Struck
from host.channel.chaos_profile import SHIPPED, Fault, Kind, Profile, load_profile
from host.faults import CardFault, CardGone, CardMisspoke, CardMute, CardReset

READ = bytes.fromhex("00B2010C00")
UPDATE = bytes.fromhex("00D6850001AA")
COMMANDS = st.lists(st.sampled_from([READ, UPDATE, b"\x80\xca\x9f\x17\x00"]), max_size=30)
SEEDS = st.integers(-(2**64), 2**64)


class Counting(Channel):
    """A card that counts what it carried out, and answers with the count."""

    atr = b"\x3b\x00"
    interface = Interface.CONTACTLESS
    le_with_data = False

    def __init__(self) -> None:
        self.done = self.resets = 0
        self.closed = False

    def _exchange(self, command: bytes) -> bytes:
        self.done += 1
        return bytes(7) + bytes((self.done,)) + b"\x90\x00"

    def reset(self) -> bytes:
        self.resets += 1
        self.atr = b"\x3b\x01" + bytes((self.resets,))
        return self.atr

    def close(self) -> None:
        self.closed = True


class Tried:
    """A counting card behind chaos, and what it was told."""

    def __init__(self, *faults: Fault, seed: int = 1, deadline: float = 0.0) -> None:
        self.card = Counting()
        self.told: list[Struck] = []
        self.slept: list[float] = []
        self.channel = ChaosChannel(
            self.card,
            Profile(faults),
            seed,
            told=self.told.append,
            sleep=self.slept.append,
            deadline=deadline,
        )

    def send(self, command: bytes = READ) -> bytes | type[CardFault]:
        """The answer, or the kind of fault."""
        try:
            return self.channel.transmit(command)
        except CardFault as fault:
            return type(fault)


def answer(count: int) -> bytes:
    return bytes(7) + bytes((count,)) + b"\x90\x00"


def first(kind: Kind, **more: object) -> Fault:
    """On the first command alone."""
    return Fault(kind, at=(1,), **more)  # type: ignore[arg-type]


def test_without_faults_the_layer_is_not_there() -> None:
    tried = Tried()
    assert [answer(1), answer(2)] == [tried.send(), tried.send()]
    assert (b"\x3b\x00", Interface.CONTACTLESS, False) == (
        tried.channel.atr,
        tried.channel.interface,
        tried.channel.le_with_data,
    )
    assert b"\x3b\x01\x01" == tried.channel.reset() == tried.channel.atr
    with tried.channel.transaction():
        tried.channel.close()
    assert (True, [], []) == (tried.card.closed, tried.told, tried.slept)


@pytest.mark.parametrize(
    ("kind", "heard", "done"),
    [
        (Kind.DROP_COMMAND, CardMute, 0),
        (Kind.DROP_ANSWER, CardMute, 1),
        (Kind.MUTE, CardMute, 0),
        (Kind.REMOVE_BEFORE, CardGone, 0),
        (Kind.REMOVE_AFTER, CardGone, 1),
        (Kind.RESET, CardReset, 0),
        (Kind.REFUSE, b"\x6f\x00", 0),
        (Kind.STATUS, answer(1)[:-2] + b"\x6f\x00", 1),
        (Kind.DOUBLE, answer(1), 1),
    ],
)
def test_a_fault_lets_the_card_do_as_much_as_it_says(
    kind: Kind, heard: bytes | type[CardFault], done: int
) -> None:
    tried = Tried(first(kind))
    assert (heard, done) == (tried.send(), tried.card.done)
    (struck,) = tried.told
    assert (1, kind, "READ RECORD") == (struck.number, struck.kind, struck.command)


@pytest.mark.parametrize("kind", [Kind.DROP_COMMAND, Kind.DROP_ANSWER, Kind.REFUSE, Kind.STATUS])
def test_these_are_over_with_the_next_command(kind: Kind) -> None:
    tried = Tried(first(kind))
    tried.send()
    assert answer(tried.card.done + 1) == tried.send()


@pytest.mark.parametrize(
    ("kind", "heard", "resets"),
    [
        (Kind.MUTE, CardMute, 0),
        (Kind.REMOVE_BEFORE, CardGone, 0),
        (Kind.REMOVE_AFTER, CardGone, 0),
        (Kind.RESET, CardReset, 1),
    ],
)
def test_these_last_until_the_card_is_reset(
    kind: Kind, heard: type[CardFault], resets: int
) -> None:
    tried = Tried(first(kind))
    tried.send()
    done = tried.card.done
    assert [heard, heard] == [tried.send(), tried.send()]
    assert (done, resets, 1) == (tried.card.done, tried.card.resets, len(tried.told))
    assert tried.card.atr != tried.channel.reset()[:-1]
    assert (resets + 1, answer(done + 1)) == (tried.card.resets, tried.send())


def test_an_answer_that_comes_twice_takes_the_place_of_the_next() -> None:
    tried = Tried(first(Kind.DOUBLE))
    assert [answer(1), answer(1), answer(3)] == [tried.send(), tried.send(), tried.send()]
    assert 3 == tried.card.done


def test_an_answer_that_would_come_twice_is_forgotten_by_a_reset() -> None:
    tried = Tried(first(Kind.DOUBLE))
    tried.send()
    tried.channel.reset()
    assert answer(2) == tried.send()


@pytest.mark.parametrize(
    ("keep", "heard", "told"),
    [
        (0, CardMisspoke, "0 of 10 bytes"),
        (1, CardMisspoke, "1 of 10 bytes"),
        (9, answer(1)[:9], "9 of 10 bytes"),
        (10, answer(1), None),
        (11, answer(1), None),
    ],
)
def test_an_answer_breaks_off_where_it_is_told_to(
    keep: int, heard: bytes | type[CardFault], told: str | None
) -> None:
    tried = Tried(first(Kind.TRUNCATE, keep=keep))
    assert heard == tried.send()
    assert ([] if told is None else [told]) == [each.detail for each in tried.told]
    assert 1 == tried.card.done


@given(SEEDS)
def test_an_answer_always_breaks_off_somewhere(seed: int) -> None:
    tried = Tried(first(Kind.TRUNCATE), seed=seed)
    heard = tried.send()
    assert heard is CardMisspoke or (isinstance(heard, bytes) and len(heard) < 10)


def turned(heard: bytes | type[CardFault]) -> list[int]:
    """The bits that were turned, 0 the highest of the first byte."""
    assert isinstance(heard, bytes)
    difference = int.from_bytes(heard) ^ int.from_bytes(answer(1))
    return [at for at in range(80) if difference >> (79 - at) & 1]


@given(SEEDS, st.integers(1, 8))
def test_of_a_mac_one_bit_is_turned_behind_the_data(seed: int, last: int) -> None:
    tried = Tried(first(Kind.MAC, last=last), seed=seed)
    (bit,) = turned(tried.send())
    assert bit in range((8 - last) * 8, 64)
    assert [f"bit {bit} of the answer"] == [each.detail for each in tried.told]


def test_an_answer_too_short_for_a_mac_is_left_alone() -> None:
    tried = Tried(first(Kind.MAC, last=9))
    assert (answer(1), []) == (tried.send(), tried.told)


@given(SEEDS)
def test_of_any_answer_one_bit_is_turned(seed: int) -> None:
    tried = Tried(first(Kind.FLIP), seed=seed)
    (bit,) = turned(tried.send())
    assert [f"bit {bit} of the answer"] == [each.detail for each in tried.told]


# Time


def test_delays_add_up_and_the_answer_comes() -> None:
    tried = Tried(first(Kind.DELAY, seconds=1.5), first(Kind.DELAY, seconds=0.25))
    assert (answer(1), answer(2), [1.75]) == (tried.send(), tried.send(), tried.slept)
    assert ["1.5 s", "0.25 s"] == [each.detail for each in tried.told]


def test_a_delay_up_to_the_deadline_makes_a_card_mute_that_has_done_its_work() -> None:
    tried = Tried(first(Kind.DELAY, seconds=2), deadline=2)
    assert (CardMute, 1, [2]) == (tried.send(), tried.card.done, tried.slept)
    tried = Tried(first(Kind.DELAY, seconds=1.9), deadline=2)
    assert (answer(1), [1.9]) == (tried.send(), tried.slept)


@pytest.mark.parametrize("kind", [Kind.MUTE, Kind.DROP_COMMAND, Kind.DROP_ANSWER])
def test_a_mute_card_is_waited_for_until_the_deadline(kind: Kind) -> None:
    tried = Tried(first(kind), deadline=3)
    assert (CardMute, [3]) == (tried.send(), tried.slept)


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.STATUS, Kind.FLIP, Kind.DOUBLE])
def test_an_answer_that_lies_may_be_late_too(kind: Kind) -> None:
    tried = Tried(first(Kind.DELAY, seconds=1), first(kind))
    tried.send()
    assert [1] == tried.slept


def test_the_second_of_a_double_answer_may_be_late_too() -> None:
    tried = Tried(first(Kind.DOUBLE), Fault(Kind.DELAY, at=(2,), seconds=1))
    assert [answer(1), answer(1)] == [tried.send(), tried.send()]
    assert [1] == tried.slept


# When


def statuses(tried: Tried, commands: list[bytes]) -> list[int]:
    """The numbers, from 1, of the commands that were refused."""
    return [at for at, each in enumerate(commands, 1) if tried.send(each) == b"\x6f\x00"]


def test_every_nth_is_counted_over_the_commands_that_a_fault_is_on() -> None:
    reads = frozenset({(0, 0xB2)})
    tried = Tried(Fault(Kind.REFUSE, reads, every=2))
    assert [3, 6] == statuses(tried, [READ, UPDATE, READ, UPDATE, READ, READ])


def test_places_are_counted_over_the_commands_that_a_fault_is_on() -> None:
    reads = frozenset({(None, 0xB2)})
    tried = Tried(Fault(Kind.REFUSE, reads, at=(1, 3)))
    assert [2, 4] == statuses(tried, [UPDATE, READ, READ, READ])


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("00B2010C00", True),
        ("04B2010C00", True),
        ("12B2010C00", True),
        ("80B2010C00", False),
        ("FFB2010C00", False),
        ("00B0010C00", False),
    ],
)
def test_a_class_stands_for_its_channels_and_its_messaging(command: str, meant: bool) -> None:
    assert meant is Fault(Kind.MUTE, frozenset({(0, 0xB2)})).meant(bytes.fromhex(command))


def test_the_first_of_several_faults_strikes() -> None:
    tried = Tried(first(Kind.REFUSE), first(Kind.DROP_ANSWER))
    assert (b"\x6f\x00", 0, 1) == (tried.send(), tried.card.done, len(tried.told))


def test_what_is_improbable_never_happens_and_what_is_certain_always() -> None:
    never, always = Fault(Kind.MUTE, probability=0), Fault(Kind.REFUSE, probability=1)
    tried = Tried(never, always)
    assert [b"\x6f\x00"] * 50 == [tried.send() for _ in range(50)]


@given(st.sampled_from(SHIPPED), SEEDS, COMMANDS)
def test_the_same_seed_brings_the_same_faults(name: str, seed: int, commands: list[bytes]) -> None:
    faults = load_profile(name).faults
    runs = [Tried(*faults, seed=seed, deadline=10) for _ in range(2)]
    one, two = ([run.send(each) for each in commands] for run in runs)
    assert one == two
    assert runs[0].told == runs[1].told
    assert runs[0].slept == runs[1].slept


@given(SEEDS)
def test_a_fault_does_not_change_when_others_strike(seed: int) -> None:
    late = Fault(Kind.DELAY, probability=0.3, seconds=1)
    alone = Tried(Fault(Kind.DELAY, probability=0), late, seed=seed)
    beside = Tried(Fault(Kind.REFUSE, probability=0.5), late, seed=seed)
    for tried in (alone, beside):
        for _ in range(30):
            tried.send()
    delayed = [
        [each.number for each in tried.told if each.kind is Kind.DELAY] for tried in (alone, beside)
    ]
    assert delayed[0] == delayed[1]


@given(SEEDS)
def test_two_faults_with_the_same_rate_do_not_always_strike_together(seed: int) -> None:
    half = Fault(Kind.DELAY, probability=0.5, seconds=1), Fault(Kind.REFUSE, probability=0.5)
    tried = Tried(*half, seed=seed)
    refused = statuses(tried, [READ] * 64)
    assert refused != [each.number for each in tried.told if each.kind is Kind.DELAY]


def test_other_seeds_bring_other_faults() -> None:
    runs = []
    for seed in range(5):
        tried = Tried(Fault(Kind.REFUSE, probability=0.5), seed=seed)
        runs.append(tuple(statuses(tried, [READ] * 100)))
    assert 5 == len(set(runs))


# What is told


def test_what_is_told_is_a_sentence_and_an_object_and_has_no_data() -> None:
    tried = Tried(Fault(Kind.STATUS, at=(1, 2), sw=0x6A82))
    tried.send(bytes.fromhex("00B0850000"))
    tried.send(bytes.fromhex("00F10000041234567800"))
    assert [
        "command 1, READ BINARY: status, 9000 is 6A82",
        "command 2, an unknown command 00 F1: status, 9000 is 6A82",
    ] == [str(each) for each in tried.told]
    assert {
        "number": 1,
        "kind": "status",
        "command": "READ BINARY",
        "detail": "9000 is 6A82",
    } == tried.told[0].as_json()
    assert "command 3, READ RECORD: mute" == str(Struck(3, Kind.MUTE, "READ RECORD"))


def test_a_kind_of_every_name_is_in_the_profile_of_everything() -> None:
    assert set(Kind) == {each.kind for each in load_profile("everything").faults}
