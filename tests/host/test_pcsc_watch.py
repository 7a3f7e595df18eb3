# SPDX-License-Identifier: Apache-2.0
"""Readers and cards that come and go, as the poller tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from threading import Event, Timer

import pytest
from fakescard import CONTACT, CONTACTLESS, Service, Slot, installed
from hypothesis import given
from hypothesis import strategies as st

from host.channel.pcsc import watch as poller
from host.channel.pcsc.watch import (
    Happened,
    Presence,
    Reader,
    ReaderEvent,
    Use,
    changes,
    states,
    wait_for_card,
    wait_for_removal,
    watch,
)
from host.faults import CardGone, ReaderGone

ONE, TWO = "ACME One", "ACME Two"
EMPTY = (Reader(ONE), Reader(TWO))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = installed(monkeypatch)
    monkeypatch.setattr(poller, "SLICE", 0.01)
    yield service
    service.is_left_alone()


def told(events: Iterator[ReaderEvent], number: int) -> list[str]:
    """The next events, each in words."""
    found = [
        f"{each.what.value} {each.reader} {each.atr.hex()}".split()
        for each in islice(events, number)
    ]
    return [" ".join(words) for words in found]


# What a change is


@st.composite
def looks(draw: st.DrawFn) -> list[tuple[Reader, ...]]:
    """Readers at moments one after the other, as a service that counts tells them."""
    counts = dict.fromkeys("abc", 0)
    found, before = [], {}
    for _ in range(draw(st.integers(1, 6))):
        now = {}
        for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
            presence = draw(st.sampled_from(Presence))
            stays = name in before and before[name].presence is presence and draw(st.booleans())
            counts[name] += not stays
            there = presence is not Presence.EMPTY
            atr = (
                draw(st.sampled_from([CONTACT, CONTACTLESS])) if presence is Presence.CARD else b""
            )
            use = draw(st.sampled_from(Use)) if there else Use.FREE
            now[name] = Reader(name, presence, atr, use, counts[name])
        found.append(tuple(now.values()))
        before = now
    return found


@given(looks())
def test_who_hears_the_events_knows_the_readers(found: list[tuple[Reader, ...]]) -> None:
    known: dict[str, tuple[Presence, Use]] = {}
    before: tuple[Reader, ...] = ()
    for after in found:
        for event in changes(before, after):
            hear(known, event)
        assert {each.name: (each.presence, each.use) for each in after} == known
        before = after


def hear(known: dict[str, tuple[Presence, Use]], event: ReaderEvent) -> None:
    """Follow an event that can happen to what is known, and only such a one."""
    name = event.reader
    presence, use = known.get(name, (None, None))
    match event.what:
        case Happened.READER_ADDED:
            assert presence is None
            known[name] = Presence.EMPTY, Use.FREE
        case Happened.READER_REMOVED:
            assert presence is Presence.EMPTY
            del known[name]
        case Happened.CARD_INSERTED:
            assert presence in (Presence.EMPTY, Presence.MUTE)
            assert event.atr
            known[name] = Presence.CARD, use or Use.FREE
        case Happened.CARD_MUTE:
            assert presence in (Presence.EMPTY, Presence.CARD)
            known[name] = Presence.MUTE, use or Use.FREE
        case Happened.CARD_REMOVED:
            assert presence in (Presence.CARD, Presence.MUTE)
            known[name] = Presence.EMPTY, Use.FREE
        case what:
            new = {v: k for k, v in poller._OF_USE.items()}[what]
            assert presence is not Presence.EMPTY
            assert use is not new
            known[name] = known[name][0], new


@given(looks())
def test_nothing_happens_where_nothing_changes(found: list[tuple[Reader, ...]]) -> None:
    for each in found:
        assert [] == list(changes(each, each))


def card(atr: bytes, count: int) -> tuple[Reader]:
    return (Reader(ONE, Presence.CARD, atr, count=count),)


@pytest.mark.parametrize(
    ("before", "after", "swapped"),
    [
        (card(CONTACT, 1), card(CONTACT, 3), True),
        (card(CONTACT, 1), card(CONTACTLESS, 1), False),  # other bytes after a warm reset
        (card(CONTACT, 0), card(CONTACTLESS, 0), True),
        (card(CONTACT, 0), card(CONTACT, 0), False),
    ],
)
def test_a_card_exchanged_between_two_looks_is_noticed(
    before: tuple[Reader], after: tuple[Reader], swapped: bool
) -> None:
    expected = [Happened.CARD_REMOVED, Happened.CARD_INSERTED] if swapped else []
    assert expected == [event.what for event in changes(before, after)]


# A look


def test_a_look_tells_all_readers_and_their_cards(service: Service) -> None:
    service.insert()
    service.insert(b"", TWO)
    service.use(1)
    expected = (
        Reader(ONE, Presence.CARD, CONTACT, Use.EXCLUSIVE, 1),
        Reader(TWO, Presence.MUTE, count=1),
    )
    assert expected == states()
    assert expected[1:] == states("two")
    assert () == states("three")
    service.use(2)
    assert Use.SHARED is states("ONE")[0].use
    service.slots = {}
    assert () == states()


def test_a_card_that_is_being_powered_is_not_there_yet(service: Service) -> None:
    service.insert()
    service.slots[ONE].powering = True
    assert Presence.EMPTY is states(ONE)[0].presence


def test_a_look_connects_to_no_card(service: Service) -> None:
    service.insert()
    states()
    asked = {call[0] for call in service.calls}
    assert {
        "SCardEstablishContext",
        "SCardListReaders",
        "SCardGetStatusChange",
        "SCardReleaseContext",
    } == asked


def test_a_reader_unplugged_while_one_looks_is_not_there(service: Service) -> None:
    service.hidden = ONE
    assert EMPTY[1:] == states()


def test_without_a_service_there_is_no_look(service: Service) -> None:
    service.alive = False
    for use in states, lambda: next(watch()), wait_for_card, wait_for_removal:
        with pytest.raises(ReaderGone, match="does not run"):
            use()  # type: ignore[operator]


def test_a_failure_of_a_look_is_told(service: Service) -> None:
    service.fails["SCardGetStatusChange"] = 0x8010FFFF
    with pytest.raises(CardGone, match="SCardGetStatusChange failed with 8010FFFF"):
        states()


# Watching


def test_what_is_there_and_what_happens_is_told_in_order(service: Service) -> None:
    service.insert(b"", TWO)
    with closing(watch()) as events:
        assert [f"reader added {ONE}", f"reader added {TWO}", f"card mute {TWO}"] == told(events, 3)
        service.insert()
        assert [f"card inserted {ONE} 3b00"] == told(events, 1)
        service.use(2)
        assert [f"card in use {ONE}"] == told(events, 1)
        service.use(1)
        assert [f"card in exclusive use {ONE}"] == told(events, 1)
        service.use(0)
        assert [f"card free {ONE}"] == told(events, 1)
        service.remove()
        assert [f"card removed {ONE}"] == told(events, 1)
        service.slots["ACME Three"] = Slot(CONTACTLESS)
        assert ["reader added ACME Three", "card inserted ACME Three 3b80800101"] == told(events, 2)
        del service.slots[TWO]
        assert [f"card removed {TWO}", f"reader removed {TWO}"] == told(events, 2)
        service.slots.clear()
        assert 3 == len(told(events, 3))
        service.slots[ONE] = Slot()
        assert [f"reader added {ONE}"] == told(events, 1)


def test_only_the_readers_that_are_meant_are_told(service: Service) -> None:
    with closing(watch("two")) as events:
        assert [f"reader added {TWO}"] == told(events, 1)
        service.insert()
        service.insert(name=TWO)
        assert [f"card inserted {TWO} 3b00"] == told(events, 1)


def test_a_service_that_dies_and_comes_back_is_told_and_watched_on(service: Service) -> None:
    with closing(watch(ONE)) as events:
        told(events, 1)
        for _ in range(3):
            service.ends()
            assert ["service lost"] == told(events, 1)
            service.alive = True
            assert ["service back", f"reader added {ONE}"] == told(events, 2)
            service.insert()
            assert [f"card inserted {ONE} 3b00"] == told(events, 1)
        assert 1 == len(service.contexts)


def test_a_service_that_hangs_ends_the_watch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "ANSWERS_WITHIN", 0.5)
    with closing(watch(ONE)) as events:
        told(events, 1)
        service.hangs["SCardListReaders"] = hung = Event()
        with pytest.raises(ReaderGone, match="does not answer"):
            next(events)
    hung.set()
    service.is_left_alone()


def test_a_watch_ends_at_its_deadline_and_when_it_is_stopped(service: Service) -> None:
    assert [f"reader added {ONE}", f"reader added {TWO}"] == told(watch(deadline=0), 9)
    assert 2 == len(told(watch(deadline=0.05), 9))
    stop = Event()
    Timer(0.05, stop.set).start()
    assert 2 == len(told(watch(stop=stop), 9))


def test_a_watch_that_nobody_finishes_leaves_nothing(service: Service) -> None:
    events = watch()
    next(events)
    assert service.contexts
    del events
    assert not service.contexts


# Waiting


def nothing() -> None:
    """At the first calls, so that the first look is over."""


LATER = [nothing, nothing]


def test_a_card_is_waited_for(service: Service) -> None:
    with pytest.raises(CardGone, match=r"PC/SC: no card came within 0\.02 s"):
        wait_for_card(deadline=0.02)
    service.insert(b"")
    service.meanwhile = [*LATER, nothing, lambda: service.insert(CONTACTLESS, TWO)]
    assert TWO == wait_for_card(deadline=10).name
    assert CONTACTLESS == wait_for_card("two", deadline=10).atr
    with pytest.raises(CardGone, match="'one': no card came"):
        wait_for_card("one", deadline=0)


def test_a_wait_for_a_card_outlives_the_service(service: Service) -> None:
    service.meanwhile = [*LATER, service.ends, nothing, service.begins, service.insert]
    assert ONE == wait_for_card(deadline=10).name
    assert [] == service.meanwhile


def test_a_removal_is_waited_for(service: Service) -> None:
    wait_for_removal(deadline=0)
    service.insert()
    with pytest.raises(CardGone, match="the card was not removed within 0 s"):
        wait_for_removal(deadline=0)
    wait_for_removal("two", deadline=0)
    service.meanwhile = [*LATER, nothing, service.remove]
    wait_for_removal(deadline=10)
    assert [] == service.meanwhile


def test_a_card_exchanged_for_another_was_removed(service: Service) -> None:
    def exchange() -> None:
        service.remove()
        service.insert()

    service.insert(b"", TWO)
    service.insert()
    service.meanwhile = [*LATER, exchange, nothing, lambda: service.remove(TWO)]
    wait_for_removal(deadline=10)
    assert [] == service.meanwhile


def test_a_card_whose_reader_was_unplugged_was_removed(service: Service) -> None:
    service.insert()
    service.meanwhile = [*LATER, service.slots.clear]
    wait_for_removal(deadline=10)


def test_a_wait_for_a_removal_outlives_the_service(service: Service) -> None:
    service.insert()
    service.meanwhile = [*LATER, service.ends, nothing, service.begins, nothing, service.remove]
    wait_for_removal(deadline=10)
    assert [] == service.meanwhile


def test_a_wait_can_be_given_up(service: Service) -> None:
    stop = Event()
    stop.set()
    service.insert(b"")
    for wait in wait_for_card, wait_for_removal:
        with pytest.raises(CardGone, match="before the wait was given up"):
            wait(stop=stop)
