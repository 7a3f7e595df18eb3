# SPDX-License-Identifier: Apache-2.0
"""Recorders: everything is written, whole and at once, and nothing of the card's work is lost."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tracemalloc
from errno import ENOSPC
from pathlib import Path

import pytest
from commandline import ROOT
from recordings import CHALLENGE, READ, SELECT, VERIFY, Scripted, read, recorded, ticking

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.recording import Exchanged, Fault, Remark, Reset
from apdu.trace import Exchange
from host.channel import recorder as recorders
from host.channel.memory import MemoryChannel
from host.channel.pcsc import Protocol
from host.channel.recorder import Recorder, reading, recording
from host.channel.trace import RecordingChannel
from host.cli.testcard import issue_test_card
from host.faults import CardMute, CardReset

OK = b"\x90\x00"


def test_what_passes_is_written_with_its_times(tmp_path: Path) -> None:
    channel = MemoryChannel(issue_test_card(seed=7))
    path = tmp_path / "r.jsonl"
    header, events, lost = read(recorded(channel, path, SELECT, READ, b"", CHALLENGE))
    assert "" == lost
    assert (channel.atr, Interface.CONTACT, "", False) == (
        header.atr,
        header.interface,
        header.protocol,
        header.kept,
    )
    assert header.by.startswith("sscard")
    assert [(1.0, 1.0), (3.0, 1.0), (5.0, None), (6.0, 1.0)] == [
        (each.at, getattr(each, "took", None)) for each in events if not isinstance(each, Remark)
    ]
    sent = [each.exchange.command for each in events if isinstance(each, Exchanged)]
    assert [SELECT, READ, CHALLENGE] == sent
    assert Reset(5.0, channel.atr) == events[2]


def test_the_answers_are_those_of_the_card(tmp_path: Path) -> None:
    bare = MemoryChannel(issue_test_card(seed=7))
    with recording(MemoryChannel(issue_test_card(seed=7)), tmp_path / "r.jsonl") as channel:
        for command in (SELECT, READ, VERIFY, CHALLENGE):
            assert bare.transmit(command) == channel.transmit(command)
        assert bare.reset() == channel.reset()


def test_it_is_reached_as_the_card_is(tmp_path: Path) -> None:
    class OverT0(Scripted):
        le_with_data = False
        interface = Interface.CONTACTLESS

    with recording(OverT0(), tmp_path / "r.jsonl") as channel:
        assert (False, Interface.CONTACTLESS) == (channel.le_with_data, channel.interface)
    with reading(tmp_path / "r.jsonl") as found:
        assert ("T=0", Interface.CONTACTLESS) == (found.header.protocol, found.header.interface)


@pytest.mark.parametrize(
    ("agreed", "told"),
    [(Protocol.T0, "T=0"), (Protocol.T1, "T=1"), (Protocol.T0 | Protocol.T1, "")],
)
def test_what_a_reader_agreed_on_is_in_the_header(
    tmp_path: Path, agreed: Protocol, told: str
) -> None:
    class Agreed(Scripted):
        protocol = agreed

    with recording(Agreed(), tmp_path / "r.jsonl"):
        pass
    with reading(tmp_path / "r.jsonl") as found:
        assert told == found.header.protocol


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CardMute("nothing for 10 s"), "nothing for 10 s"),
        (CardReset("somebody else"), "somebody else"),
        (KeyboardInterrupt(), ""),
        (RuntimeError("271828"), ""),
    ],
)
def test_what_comes_instead_of_an_answer_is_written_and_raised(
    tmp_path: Path, error: BaseException, sentence: str
) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(path, clock=ticking())
    channel = recorder.around(Scripted(error, error))
    with pytest.raises(type(error)):
        channel.transmit(VERIFY)
    with pytest.raises(type(error)):
        channel.reset()
    recorder.close()
    _, (unanswered, unreset), _ = read(path.read_bytes())
    kind = type(error).__name__
    masked = Exchange.of(VERIFY, b"")
    assert Fault(1.0, kind, sentence, masked, 1.0) == unanswered
    assert Fault(3.0, kind, sentence, None, 1.0) == unreset
    assert b"271828" not in path.read_bytes()


def test_an_answer_without_a_status_word_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with recording(Scripted(b"\x90"), path) as channel, pytest.raises(Exception, match="1 bytes"):
        channel.transmit(READ)
    _, (event,), _ = read(path.read_bytes())
    assert isinstance(event, Fault)
    assert "CardMisspoke" == event.kind


def test_cards_one_after_the_other_go_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(path, clock=ticking())
    for atr in (b"\x3b\x01\x11", b"\x3b\x01\x22"):
        card = Scripted(OK)
        card.atr = atr
        with recorder.around(card) as channel:
            channel.transmit(READ)
    recorder.remark("both are gone")
    recorder.close()
    header, events, _ = read(path.read_bytes())
    assert b"\x3b\x01\x11" == header.atr
    assert [Exchanged, Reset, Exchanged, Remark] == [type(each) for each in events]
    assert Reset(3.0, b"\x3b\x01\x22") == events[1]


def test_the_reason_of_a_refusal_stands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(path)
    reasons = iter(["", "the PIN is blocked"])
    channel = recorder.around(Scripted(OK, b"\x69\x83"), lambda: next(reasons))
    channel.transmit(READ)
    channel.transmit(READ)
    recorder.close()
    _, events, _ = read(path.read_bytes())
    assert ["", "the PIN is blocked"] == [getattr(each, "reason", None) for each in events]


# The file


def test_the_file_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with recording(Scripted(), path):
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    before = path.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "nowhere.jsonl")
    for taken in (path, link):
        with pytest.raises(FileExistsError), recording(Scripted(), taken):
            raise AssertionError("it must not come so far")
    assert before == path.read_bytes()
    assert not (tmp_path / "nowhere.jsonl").exists()


def test_a_recording_that_no_card_began_leaves_no_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r.jsonl")
    recorder.close()
    recorder.close()
    assert [] == list(tmp_path.iterdir())


def test_every_line_is_in_the_file_when_the_answer_is_given(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with recording(Scripted(OK, OK), path) as channel:
        for lines in (2, 3):
            channel.transmit(READ)
            assert lines == path.read_bytes().count(b"\n")


def test_a_killed_program_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from recordings import READ, Scripted\n"
        "from host.channel.recorder import recording\n"
        "with recording(Scripted(b'\\x90\\x00', b'\\x90\\x00'), Path(sys.argv[1])) as channel:\n"
        "    channel.transmit(READ)\n"
        "    channel.transmit(READ)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    ran = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert -signal.SIGKILL == ran.returncode
    _, events, lost = read(path.read_bytes())
    assert (2, "") == (len(events), lost)


def test_a_full_disk_ends_the_recording_and_not_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    refused: list[int] = []

    def write(_: int, raw: bytes) -> int:
        if len(written) == 3:
            refused.append(len(raw))
            raise OSError(ENOSPC, "No space left on device")
        written.append(raw[:7])
        return len(written[-1])

    monkeypatch.setattr(recorders.os, "write", write)
    card = Scripted(OK, b"\x6a\x82")
    with (
        pytest.raises(OSError, match="No space left"),
        recording(card, tmp_path / "r.jsonl") as channel,
    ):
        assert OK == channel.transmit(READ)
        assert b"\x6a\x82" == channel.transmit(READ)
    assert b'{"sscard-recording":' == b"".join(written)[:20]
    assert 1 == len(refused)


def test_a_line_is_whole_even_if_the_system_takes_it_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(recorders.os, "write", lambda file, raw: write(file, raw[:5]))
    path = tmp_path / "r.jsonl"
    _, events, lost = read(recorded(Scripted(OK), path, READ))
    assert (1, "") == (len(events), lost)


def test_a_name_that_no_text_can_hold_does_not_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fault = CardMute("reader \udc80")
    with recording(Scripted(fault), path) as channel, pytest.raises(CardMute):
        channel.transmit(READ)
    _, (event,), _ = read(path.read_bytes())
    assert isinstance(event, Fault)
    assert "reader ?" == event.sentence


# Secrets


def test_pins_and_what_a_get_response_fetches_are_masked(tmp_path: Path) -> None:
    decipher = bytes.fromhex("804E00010811111111111111110A")
    fetch = bytes.fromhex("00C0000008")
    key = bytes(range(0x51, 0x59))
    for way in ("recorder", "sink"):
        taken: list[Exchange] = []
        card = Scripted(b"\x61\x08", key + OK, OK, OK)
        path = tmp_path / f"{way}.jsonl"
        if way == "recorder":
            _, events, _ = read(recorded(card, path, decipher, fetch, VERIFY, fetch), keep=True)
            taken = [each.exchange for each in events if isinstance(each, Exchanged)]
            assert key.hex().upper() not in path.read_text(encoding="utf-8")
        else:
            channel = RecordingChannel(card, taken.append)
            for command in (decipher, fetch, VERIFY, fetch):
                channel.transmit(command)
        assert ["61 08", "•• " * 8 + "90 00", "90 00", "90 00"] == [
            each.answer_text for each in taken
        ]
        assert "00 20 00 00 03 •• •• ••" == taken[2].command_text


def test_secrets_are_kept_where_that_is_asked_for_and_the_name_says_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="secrets"):
        Recorder(tmp_path / "r.jsonl", with_secrets=True)
    assert [] == list(tmp_path.iterdir())
    path = tmp_path / "r.secrets.jsonl"
    raw = recorded(Scripted(OK), path, VERIFY, with_secrets=True)
    header, (kept,), _ = read(raw, keep=True)
    _, (masked,), _ = read(raw)
    assert header.kept
    assert isinstance(kept, Exchanged)
    assert isinstance(masked, Exchanged)
    assert VERIFY == kept.exchange.command
    assert Exchange.of(VERIFY, OK) == masked.exchange


# Reading


def test_a_file_is_read_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(Scripted(OK), path, READ)
    text = tmp_path / "r.apdu"
    text.write_text("> 00 B2 01 35 00\n< 90 00\n", encoding="utf-8")
    found = []
    for each in (path, text):
        with reading(each) as recording_:
            found.append([e.exchange for e in recording_ if isinstance(e, Exchanged)])
    assert [Exchange(READ, OK)] == found[0] == found[1]


def test_an_endless_line_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(Scripted(OK), path, READ)
    endless = 1 << 26
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + endless)
    tracemalloc.start()
    with reading(path) as found, pytest.raises(FormatError, match="line 3: longer than"):
        list(found)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < endless // 4
