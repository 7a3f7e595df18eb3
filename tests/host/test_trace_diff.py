# SPDX-License-Identifier: Apache-2.0
"""Two recordings side by side: events that belong together, and what differs, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import CHALLENGE, READ, SELECT, VERIFY, any_exchanges, events_of

from apdu.recording import Event, Exchanged, Fault, Header, Recording, Remark, Reset
from apdu.trace import Exchange
from host.cli.traces.aligning import align
from host.cli.traces.differing import Apart, compare

OK = b"\x90\x00"
ATR = b"\x3b\x00"


# Aligning


@dataclass(frozen=True)
class Item:
    """An event to be aligned: its kind, and what makes it another one of that kind."""

    kind: int
    data: int = 0

    @property
    def key(self) -> bytes:
        return bytes((self.kind, self.data))

    @property
    def kin(self) -> bytes:
        return bytes((self.kind,))


items = st.lists(st.builds(Item, st.integers(0, 3), st.integers(0, 2)), max_size=30)


@given(items, items, st.integers(1, 8))
def test_every_event_stands_in_one_pair_and_in_its_order(
    left: list[Item], right: list[Item], window: int
) -> None:
    pairs = list(align(left, right, window))
    assert left == [a for a, _ in pairs if a is not None]
    assert right == [b for _, b in pairs if b is not None]
    assert all(a is not None or b is not None for a, b in pairs)
    assert all(a.kin == b.kin for a, b in pairs if a is not None and b is not None)


@given(items)
def test_what_is_the_same_is_paired_with_itself(left: list[Item]) -> None:
    assert [(each, each) for each in left] == list(align(left, left))


@given(items, st.data())
def test_what_one_side_has_more_stands_alone(left: list[Item], data: st.DataObject) -> None:
    strange = Item(9)
    at = data.draw(st.integers(0, len(left)))
    right = [*left[:at], strange, *left[at:]]
    assert [(None, strange)] == [pair for pair in align(left, right) if pair[0] != pair[1]]
    assert [(strange, None)] == [pair for pair in align(right, left) if pair[0] != pair[1]]


def test_a_changed_event_is_paired_with_the_one_in_its_place() -> None:
    left = [Item(1), Item(2, 1), Item(3)]
    right = [Item(1), Item(2, 2), Item(3)]
    assert list(zip(left, right, strict=True)) == list(align(left, right))


def test_events_of_one_kin_belong_together_though_nothing_is_the_same() -> None:
    left = [Item(1, 1), Item(2, 1)]
    right = [Item(9), Item(1, 2), Item(2, 2)]
    assert [(None, right[0]), (left[0], right[1]), (left[1], right[2])] == list(align(left, right))


def test_long_recordings_are_not_held() -> None:
    """Two that never end are aligned as far as they are asked for."""
    left: Iterator[Item] = (Item(at % 3) for at in count())
    assert 10_000 == len(list(islice(align(left, (Item(at % 3) for at in count())), 10_000)))
    apart = align(repeat(Item(1)), repeat(Item(2)))
    assert 10_000 == len(list(islice(apart, 10_000)))


# Comparing


def exchanged(command: bytes, answer: bytes = OK) -> Exchanged:
    return Exchanged(0.0, Exchange.of(command, answer))


def apart(first: list[Event], second: list[Event], atr: bytes = ATR) -> list[Apart]:
    return list(compare(Recording(Header(ATR), first), Recording(Header(atr), second)))


def told(found: list[Apart]) -> list[tuple[str, str | None, str | None]]:
    return [(each.name, each.first, each.second) for one in found for each in one.differences]


@given(events_of(any_exchanges))
def test_a_recording_is_the_same_as_itself(events: list[Event]) -> None:
    assert [] == apart(events, events)


@given(events_of(any_exchanges), st.integers(1, 1000))
def test_times_reasons_and_remarks_are_not_compared(events: list[Event], later: int) -> None:
    others: list[Event] = [Remark(0.0, "begins")]
    for each in events:
        if isinstance(each, Exchanged):
            others.append(replace(each, at=each.at + later, took=1.0, reason="because"))
        elif not isinstance(each, Remark):
            others.append(replace(each, at=each.at + later))
    assert [] == apart(events, others)


def test_a_status_word_is_told_with_what_it_says() -> None:
    (found,) = apart([exchanged(READ)], [exchanged(READ, b"\x69\x82")])
    assert ("READ RECORD", 1, 1) == (
        found.first and found.first.name,
        found.first and found.first.number,
        found.second and found.second.number,
    )
    assert [("status word", "9000 done", "6982 a PIN or key must be proven first")] == told([found])


def test_a_value_is_told_by_its_names() -> None:
    select = exchanged(SELECT)
    name = bytes.fromhex("0906") + "张三".encode("gb18030").ljust(6, b"\0")
    other = bytes.fromhex("0906") + "李四".encode("gb18030").ljust(6, b"\0")
    records = [bytes.fromhex("0801") + b"1" + each for each in (name, other)]
    found = apart(
        [select, exchanged(READ, records[0] + OK)], [select, exchanged(READ, records[1] + OK)]
    )
    assert [where for where, _, _ in told(found)] == ["answer, 09 name 姓名"]


def test_bytes_that_nobody_knows_are_told_by_their_place() -> None:
    read = bytes.fromhex("00B0970008")
    first, second = bytes.fromhex("1122334455667788"), bytes.fromhex("1199994455667700")
    found = apart([exchanged(read, first + OK)], [exchanged(read, second + OK)])
    assert [
        ("answer, bytes 1 to 2", "22 33", "99 99"),
        ("answer, byte 7", "88", "00"),
    ] == told(found)
    shorter = apart([exchanged(read, first + OK)], [exchanged(read, first[:4] + OK)])
    assert [("answer, its length", "8 bytes", "4 bytes")] == told(shorter)


def test_a_command_with_other_data_is_one_that_was_changed() -> None:
    first, second = (bytes.fromhex(f"00D6970002{data}") for data in ("1122", "1133"))
    (found,) = apart(
        [exchanged(READ), exchanged(first), exchanged(CHALLENGE)],
        [exchanged(READ), exchanged(second), exchanged(CHALLENGE)],
    )
    assert [("command, byte 6", "22", "33")] == told([found])


def test_what_is_on_one_side_alone_is_told_with_its_number() -> None:
    found = apart([exchanged(READ), exchanged(CHALLENGE)], [exchanged(CHALLENGE)])
    assert [(1, None)] == [
        (each.first and each.first.number, each.second and each.second.number) for each in found
    ]
    assert () == found[0].differences
    assert {"first": 1, "second": None, "slot": "card", "name": "READ RECORD"}.items() <= found[
        0
    ].as_json().items()


def test_atrs_are_compared_at_the_beginning_and_at_each_reset() -> None:
    other = b"\x3b\x01\x05"
    assert [("ATR", "3B 00", "3B 01 05")] == told(apart([], [], other))
    found = apart([Reset(0.0, ATR)], [Reset(0.0, other)])
    assert [("ATR", "3B 00", "3B 01 05")] == told(found)


def test_chance_is_not_compared() -> None:
    pairs = [exchanged(CHALLENGE, bytes((n,)) * 8 + OK) for n in (1, 2)]
    assert [] == apart(pairs[:1], pairs[1:])


def test_a_fault_and_an_answer_are_two_outcomes() -> None:
    muted = Fault(0.0, "CardMute", "10 s", Exchange(READ, b""))
    pulled = Fault(0.0, "CardGone", "pulled", Exchange(READ, b""))
    answered = exchanged(READ)
    assert [("outcome", "CardMute", "an answer")] == told(apart([muted], [answered]))
    assert [("outcome", "CardMute", "CardGone")] == told(apart([muted], [pulled]))
    assert [] == apart([muted], [replace(muted, sentence="20 s")])
    unreset = Fault(0.0, "CardGone", "pulled", None)
    found = apart([Reset(0.0, ATR)], [unreset])
    assert [("ATR", "3B 00", None), ("outcome", "an answer", "CardGone")] == told(found)


def test_the_same_at_another_slot_is_something_else() -> None:
    at_psam = replace(exchanged(CHALLENGE), slot="psam")
    assert 2 == len(apart([exchanged(CHALLENGE)], [at_psam]))
    # Each slot is a conversation of its own, whatever is said at the other meanwhile.
    mixed: list[Event] = [exchanged(SELECT), at_psam, exchanged(READ)]
    assert [] == apart(mixed, list(mixed))


def test_what_is_said_to_a_psam_is_told_as_that() -> None:
    select = exchanged(bytes.fromhex("00A40000023F00"))
    (found,) = apart([replace(select, slot="psam-430000")], [])
    assert ("psam-430000", "SELECT") == (found.as_json()["slot"], found.as_json()["name"])
    assert "PSAM MF" in str(found.as_json()["meaning"])


def test_what_is_masked_is_not_compared() -> None:
    first, second = exchanged(VERIFY), exchanged(VERIFY[:5] + b"\x99\x99\x99")
    assert [] == apart([first], [second])
    decipher = bytes.fromhex("804E00010811111111111111110A")
    masked = exchanged(decipher, b"\x01" * 8 + OK)
    kept = Exchanged(0.0, Exchange(decipher, b"\x02" * 8 + OK))
    assert [] == apart([masked], [kept])
    assert [] == apart([kept], [masked])
    longer = exchanged(decipher, b"\x01" * 9 + OK)
    assert [("answer, its length", "8 bytes", "9 bytes")] == told(apart([masked], [longer]))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_one_command_less_is_one_difference(missing: int) -> None:
    events: list[Event] = [exchanged(SELECT), exchanged(READ), exchanged(CHALLENGE)]
    fewer = [each for at, each in enumerate(events) if at != missing]
    assert 1 == len(apart(events, fewer))
    assert 1 == len(apart(fewer, events))
