# SPDX-License-Identifier: Apache-2.0
"""A recording in place of a card: the same is answered the same, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import (
    CHALLENGE,
    READ,
    SELECT,
    VERIFY,
    Scripted,
    open_exchanges,
    recorded,
    recording_of,
)

from apdu.atr import Interface
from apdu.recording import Event, Exchanged, Fault, Header, Recording, Remark, Reset, Unknown
from apdu.trace import Exchange
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.recorder import reading, recording
from host.channel.replay import ReplayCard, ReplayChannel, Strayed
from host.channel.trace import RecordingChannel
from host.cli.info import report
from host.cli.testcard import issue_test_card
from host.cli.traces.replaying import replay
from host.faults import CardFault, CardGone, CardMute, CardReset

OK = b"\x90\x00"
ATR, OTHER = b"\x3b\x00", b"\x3b\x01\x05"


@given(st.lists(open_exchanges, max_size=8))
def test_what_was_answered_is_answered_again(exchanges: list[Exchange]) -> None:
    recording_ = Recording(Header(ATR), [Exchanged(0.0, each) for each in exchanges])
    channel = ReplayChannel(recording_)
    assert ATR == channel.atr
    for each in exchanges:
        assert each.answer == channel.transmit(each.command)
    channel.finish()


def test_a_program_runs_on_a_recording_as_on_the_card(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with recording(MemoryChannel(issue_test_card(seed=7)), path) as channel:
        on_the_card = report(Card(channel)).as_json()
    with reading(path) as found:
        replayed = ReplayChannel(found)
        assert on_the_card == report(Card(replayed)).as_json()
        replayed.finish()


def test_a_recording_is_powered_like_a_chip(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    channel = MemoryChannel(issue_test_card(seed=7))
    recorded(channel, path, SELECT, b"", READ)
    with reading(path) as found:
        card = ReplayCard(found)
        again = MemoryChannel(card)
        assert channel.atr == again.atr
        again.transmit(SELECT)
        assert channel.atr == again.reset()
        again.transmit(READ)
        card.finish()


# Where the program strays


def test_another_command_is_told_with_the_one_that_comes_and_moves_nothing_on() -> None:
    card = ReplayCard(recording_of((SELECT.hex(), "9000"), (READ.hex(), "AA9000")))
    with pytest.raises(Strayed) as strayed:
        card.transmit(READ)
    assert str(strayed.value) == (
        "00 B2 01 35 00 was sent, but the recording goes on with"
        f" {SELECT.hex(' ').upper()} (no line)"
    )
    assert OK == card.transmit(SELECT)
    assert b"\xaa\x90\x00" == card.transmit(READ)
    with pytest.raises(Strayed, match="the recording is at its end"):
        card.transmit(READ)


def test_the_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(Scripted(OK, OK), path, READ, CHALLENGE)
    with reading(path) as found:
        card = ReplayCard(found)
        card.transmit(READ)
        with pytest.raises(Strayed, match="line 3"):
            card.transmit(READ)


def test_a_pin_that_was_sent_is_not_in_what_is_told() -> None:
    card = ReplayCard(recording_of((READ.hex(), "9000")))
    with pytest.raises(Strayed) as strayed:
        card.transmit(bytes.fromhex("0020000003271828"))
    assert "27 18 28" not in str(strayed.value)
    assert "•• •• ••" in str(strayed.value)


def test_what_was_not_said_again_is_told_at_the_end() -> None:
    channel = ReplayChannel(recording_of((READ.hex(), "9000"), (READ.hex(), "9000")))
    channel.transmit(READ)
    with pytest.raises(Strayed, match="the program ended, but the recording goes on"):
        channel.finish()
    channel.transmit(READ)
    channel.finish()


def test_an_end_that_was_lost_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    raw = recorded(Scripted(OK), path, READ)
    path.write_bytes(raw + b'{"event":')
    with reading(path) as found:
        channel = ReplayChannel(found)
        channel.transmit(READ)
        with pytest.raises(Strayed, match="line 3 breaks off"):
            channel.finish()


# Masked bytes


@given(st.binary(min_size=3, max_size=3))
def test_a_masked_byte_of_a_command_stands_for_any(pin: bytes) -> None:
    exchange = Exchange.of(VERIFY, OK)
    card = ReplayCard(Recording(Header(), [Exchanged(0.0, exchange)]))
    assert OK == card.transmit(VERIFY[:5] + pin)


@pytest.mark.parametrize(
    "sent", ["002000000212 34", "0020000103123456", "00200000031234", "00200000"]
)
def test_what_is_not_masked_has_to_be_the_same(sent: str) -> None:
    exchange = Exchange.of(VERIFY, OK)
    card = ReplayCard(Recording(Header(), [Exchanged(0.0, exchange)]))
    with pytest.raises(Strayed):
        card.transmit(bytes.fromhex(sent))


def test_what_stands_behind_the_mask_has_to_be_the_same() -> None:
    exchange = Exchange.of(VERIFY + b"\x05", OK)
    card = ReplayCard(Recording(Header(), [Exchanged(0.0, exchange)]))
    with pytest.raises(Strayed):
        card.transmit(VERIFY + b"\x06")
    assert OK == card.transmit(VERIFY + b"\x05")


def test_an_answer_that_is_masked_is_not_given() -> None:
    decipher = bytes.fromhex("804E00010811111111111111110A")
    exchange = Exchange.of(decipher, b"\x11" * 8 + OK)
    card = ReplayCard(Recording(Header(), [Exchanged(0.0, exchange)]))
    with pytest.raises(Strayed, match="masked"):
        card.transmit(decipher)


# Resets and faults


def events(*what: Event) -> Recording:
    return Recording(Header(ATR), what)


def test_a_reset_comes_where_it_was_recorded() -> None:
    answered = Exchanged(0.0, Exchange(READ, OK))
    contactless = Reset(0.0, OTHER, Interface.CONTACTLESS)
    channel = ReplayChannel(events(answered, Remark(0.0, "now"), contactless, answered))
    with pytest.raises(CardFault):
        channel.transmit(CHALLENGE)
    channel.transmit(READ)
    with pytest.raises(Strayed, match="goes on with a reset"):
        channel.transmit(READ)
    assert OTHER == channel.reset()
    assert (OTHER, Interface.CONTACTLESS) == (channel.atr, channel.interface)
    with pytest.raises(Strayed, match="the card is reset, but"):
        channel.reset()
    channel.transmit(READ)
    channel.finish()


def test_the_first_reset_is_free() -> None:
    card = ReplayCard(events(Exchanged(0.0, Exchange(READ, OK))))
    assert ATR == card.reset()
    with pytest.raises(Strayed):
        card.reset()
    assert OK == card.transmit(READ)


def test_a_reader_may_reset_at_will_if_that_is_said() -> None:
    answered = Exchanged(0.0, Exchange(READ, OK))
    card = ReplayCard(
        events(answered, Reset(0.0, OTHER), Fault(0.0, "CardGone", "reset"), answered),
        resets_at_will=True,
    )
    assert [ATR, ATR] == [card.reset(), card.reset()]
    card.transmit(READ)
    assert ATR == card.atr
    assert OTHER == card.reset()
    card.transmit(READ)
    card.finish()


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("CardMute", CardMute),
        ("CardGone", CardGone),
        ("CardReset", CardReset),
        ("KeyboardInterrupt", CardMute),
        ("PinWrong", CardMute),
        ("os", CardMute),
        ("CardBurnt", CardMute),
    ],
)
def test_a_fault_that_was_recorded_is_raised_again(kind: str, fault: type[CardFault]) -> None:
    unanswered = Fault(0.0, kind, "as it was", Exchange(READ, b""))
    unreset = Fault(0.0, kind, "no power", None)
    channel = ReplayChannel(events(unanswered, unreset, Exchanged(0.0, Exchange(READ, OK))))
    with pytest.raises(fault, match="as it was") as raised:
        channel.transmit(READ)
    assert fault is type(raised.value)
    with pytest.raises(fault, match="no power"):
        channel.reset()
    assert OK == channel.transmit(READ)


def test_only_the_events_of_the_slot_are_played() -> None:
    psam = Exchanged(0.0, Exchange(CHALLENGE, b"\x11\x90\x00"), slot="psam")
    card = Exchanged(0.0, Exchange(READ, OK))
    resets = Reset(0.0, OTHER, slot="psam")
    other = Unknown(0.0, "battery", {})
    for slot, command, answer in (
        ("card", READ, OK),
        ("psam", CHALLENGE, b"\x11\x90\x00"),
    ):
        replayed = ReplayCard(events(psam, other, card), slot=slot)
        assert answer == replayed.transmit(command)
        replayed.finish()
    only = ReplayCard(events(resets, card))
    assert OK == only.transmit(READ)
    only.finish()


def test_over_t0_data_and_le_do_not_go_together_in_the_replay_either() -> None:
    assert not ReplayChannel(Recording(Header(ATR, protocol="T=0"))).le_with_data
    assert ReplayChannel(Recording(Header(ATR, protocol="T=1"))).le_with_data


# Against a card


def test_what_was_kept_is_compared_and_not_shown() -> None:
    decipher = bytes.fromhex("804E00010811111111111111110A")
    key, other = bytes(range(0x51, 0x59)), bytes(range(0x61, 0x69))
    fetch = bytes.fromhex("00C0000008")
    taken = [
        Exchanged(0.0, Exchange(decipher, b"\x61\x08")),
        Exchanged(0.0, Exchange(fetch, key + OK)),
    ]
    same = list(replay(events(*taken), Scripted(b"\x61\x08", key + OK)))
    (apart,) = replay(events(*taken), Scripted(b"\x61\x08", other + OK))
    assert [] == same
    assert ["answer, what is masked"] == [each.where for each in apart.differences]
    for secret in (key, other):
        assert secret.hex() not in f"{apart}{apart.as_json()}".lower().replace(" ", "")
        assert repr(secret)[2:-1] not in f"{apart}"


def test_what_was_masked_is_not_compared() -> None:
    decipher = bytes.fromhex("804E00010811111111111111110A")
    masked = Exchanged(0.0, Exchange.of(decipher, bytes(8) + OK))
    assert [] == list(replay(events(masked), Scripted(b"\x11" * 8 + OK)))
    (apart,) = replay(events(masked), Scripted(b"\x69\x82"))
    assert ["answer, its length", "status word"] == [each.where for each in apart.differences]


def test_nothing_is_sent_before_the_difference_was_taken() -> None:
    sent: list[bytes] = []
    channel = RecordingChannel(Scripted(b"\x6a\x82", OK), lambda each: sent.append(each.command))
    taken = [Exchanged(0.0, Exchange(command, OK)) for command in (READ, CHALLENGE)]
    found = replay(events(*taken), channel)
    assert ["status word"] == [each.where for each in next(found).differences]
    assert [READ] == sent
    assert [] == list(found)
    assert [READ, CHALLENGE] == sent


def test_atrs_are_compared_with_those_that_were() -> None:
    def atrs(*answers: bytes, recorded: bytes = ATR) -> list[tuple[int, str | None, str | None]]:
        taken = Recording(Header(recorded), [Reset(0.0, ATR)])
        return [
            (apart.first.number, each.first, each.second)
            for apart in replay(taken, Scripted(*answers))
            for each in apart.differences
            if apart.first is not None
        ]

    assert [] == atrs(ATR)
    assert [(1, "3B 00", "3B 01 05")] == atrs(OTHER)
    assert [(0, "3B 01 05", "3B 00")] == atrs(ATR, recorded=OTHER)
