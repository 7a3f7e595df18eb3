# SPDX-License-Identifier: Apache-2.0
"""`--record` and `sscard trace`: made, shown, compared, played again; and what cannot be."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from books import VECTORS
from click.testing import Result
from commandline import ASK, SELECT, issued, refusal, sscard
from recordings import read

from apdu.recording import Exchanged
from host.cli.main import cli

WRITE = "00D6970001AA"
READ = "00B2013500"
CHALLENGE = "0084000008"
VERIFY = "0020000003123456"
FIRST_USE = VECTORS / "journeys" / "hrss_first_use.apdu"
PURCHASE = VECTORS / "journeys" / "medical_purchase.sm4.apdu"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return issued(tmp_path)


def taped(card: Path, name: str, *commands: str, more: tuple[str, ...] = ()) -> Path:
    """A recording of these commands."""
    path = card.parent / name
    found = sscard("apdu", "--card", card, "--record", path, *more, *commands)
    assert 0 == found.exit_code, found.output
    return path


def lines(result: Result, status: int = 0) -> list[dict[str, Any]]:
    assert status == result.exit_code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


# Recording


def test_commands_are_recorded_as_they_were_answered(card: Path) -> None:
    path = card.parent / "r.jsonl"
    said = sscard("apdu", "--card", card, "--record", path, SELECT, READ)
    _, events, lost = read(path.read_bytes())
    assert "" == lost
    answers = [each.exchange.answer for each in events if isinstance(each, Exchanged)]
    assert [bytes.fromhex(line) for line in said.stdout.splitlines()] == answers
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_every_command_with_a_card_can_be_recorded() -> None:
    with_a_card = {
        name
        for name, verb in cli.commands.items()
        if any("--card" in option.opts for option in verb.params)
    }
    recorded = {
        name
        for name, verb in cli.commands.items()
        if any("--record" in option.opts for option in verb.params)
    }
    assert {"apdu", "info", "pay", "load", "balance", "log", "driver", "service"} <= with_a_card
    assert with_a_card <= recorded


def test_a_recording_says_why_the_card_refused(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, "00A4000002DF01", READ, more=("--explain",))
    _, events, _ = read(path.read_bytes())
    reasons = [each.reason for each in events if isinstance(each, Exchanged)]
    assert ["", ""] == reasons[:2]
    assert reasons[2]
    shown = sscard("trace", "show", path)
    assert " ".join(f"because: {reasons[2]}".split()[:6]) in " ".join(shown.stdout.split())


def test_a_driver_function_is_recorded_too(card: Path) -> None:
    path = card.parent / "r.jsonl"
    sscard("driver", "iReadCardBas", "--card", card, "--hsm", "test", "--record", path)
    header, events, _ = read(path.read_bytes())
    assert header.atr
    assert any(isinstance(each, Exchanged) for each in events)


def test_secrets_are_masked_unless_they_are_asked_for_by_name(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, VERIFY)
    assert "0020000003••••••" in path.read_text(encoding="utf-8")
    assert "secrets" in refusal(
        sscard("apdu", "--card", card, "--record", "k.jsonl", "--with-secrets", SELECT)
    )
    assert not Path("k.jsonl").exists()
    assert "--record" in refusal(sscard("apdu", "--card", card, "--with-secrets", SELECT))
    kept = card.parent / "k.secrets.jsonl"
    found = sscard("apdu", "--card", card, "--record", kept, "--with-secrets", SELECT, VERIFY)
    assert "keep it to yourself" in found.stderr
    assert VERIFY in kept.read_text(encoding="utf-8")


def test_a_file_that_exists_is_not_written_over_and_no_card_is_asked(card: Path) -> None:
    taken = card.parent / "taken"
    taken.write_bytes(b"mine")
    before = card.read_bytes()
    found = sscard("apdu", "--card", card, "--record", taken, SELECT, "0020000003000000")
    assert "File exists" in refusal(found)
    assert (b"mine", before) == (taken.read_bytes(), card.read_bytes())


def test_a_card_that_cannot_be_opened_leaves_no_file(card: Path) -> None:
    found = sscard("apdu", "--card", "none.img", "--record", "r.jsonl", SELECT)
    assert 2 == found.exit_code
    assert not Path("r.jsonl").exists()


# Show


def test_a_recording_is_shown_in_words(card: Path) -> None:
    shown = sscard("trace", "show", taped(card, "r.jsonl", SELECT, READ, ASK)).stdout
    for words in (
        "ATR 3B",
        "SELECT",
        "社会保障环境",
        "姓名",
        "90 00  done",
        "PINs and keys masked",
    ):
        assert words in shown


def test_as_json_each_event_is_an_object(card: Path) -> None:
    head, *events = lines(sscard("trace", "show", taped(card, "r.jsonl", SELECT, ASK), "--json"))
    assert ("contact", "masked", 1) == (head["interface"], head["secrets"], head["version"])
    assert [("exchange", 1, "SELECT"), ("exchange", 2, "VERIFY")] == [
        (each["event"], each["number"], each["name"]) for each in events
    ]


def test_all_kinds_of_events_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    taken = (
        '{"sscard-recording":1,"secrets":"masked","remark":"at the window"}',
        '{"event":"reset","at":0,"atr":"3B00","interface":"contactless"}',
        '{"event":"remark","at":1,"text":"the holder waits\\u001b[2J"}',
        '{"event":"battery","at":1,"level":3}',
        '{"event":"fault","at":2,"took":10,"command":"00B2012D00","kind":"CardMute",'
        '"sentence":"nothing for 10 s"}',
        '{"event":"fault","at":12,"kind":"CardGone","sentence":"pulled"}',
        '{"event":"exchange","at":13,"command":"00840000',
    )
    path.write_text("\n".join(taken), encoding="utf-8")
    shown = sscard("trace", "show", path)
    assert 0 == shown.exit_code
    assert "\x1b" not in shown.stdout
    for words in (
        *("at the window", "contactless", "3B 00", "the holder waits", "battery", "level"),
        *("CardMute: nothing for 10 s", "CardGone: pulled", "no answer came"),
        "line 7 breaks off",
    ):
        assert words in shown.stdout
    *_, last = lines(sscard("trace", "show", path, "--json"))
    assert {"lost": "line 7 breaks off: what it said is lost"} == last


def test_after_a_reset_nothing_is_selected_any_more(tmp_path: Path) -> None:
    path = tmp_path / "t.apdu"
    path.write_text(f"> {SELECT}\n< 9000\n> {READ}\n< 9000\n^ 3B00\n> {READ}\n< 6A82\n")
    _, _, known, _, unknown = lines(sscard("trace", "show", path, "--json"))
    assert "持卡人" in known["meaning"] or "EF06" in known["meaning"]
    assert "EF06" not in unknown["meaning"]


@pytest.mark.parametrize("path", [FIRST_USE, PURCHASE], ids=lambda path: path.stem)
def test_the_text_of_a_conversation_is_shown_too(path: Path) -> None:
    shown = sscard("trace", "show", path)
    assert 0 == shown.exit_code
    assert "SELECT" in shown.stdout


def test_the_psam_is_told_from_the_card() -> None:
    events = lines(sscard("trace", "show", PURCHASE, "--json"))[1:]
    slots = {(each["slot"], each["to"]) for each in events if each["event"] == "exchange"}
    assert {("card", "card"), ("psam", "psam")} == slots


def test_a_pin_in_a_recording_is_never_shown(card: Path) -> None:
    kept = taped(card, "k.secrets.jsonl", SELECT, VERIFY, more=("--with-secrets",))
    for words in (("show",), ("show", "--json")):
        shown = sscard("trace", words[0], kept, *words[1:])
        assert "123456" not in shown.stdout.replace(" ", "")


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "it is empty"),
        (b'{"sscard-recording":2}\n', "version 2, which is newer than version 1"),
        (b"{}\n", "line 1: no header"),
        (b"hello\n", "line 1: neither a remark"),
        (b"\xff\xfe\n", "line 1: not UTF-8"),
    ],
)
@pytest.mark.parametrize("verb", ["show", "diff", "pcap", "convert", "replay"])
def test_a_file_that_is_no_recording_is_refused(
    tmp_path: Path, verb: str, raw: bytes, rule: str
) -> None:
    path, out = tmp_path / "r.jsonl", tmp_path / "out"
    path.write_bytes(raw)
    more = {"diff": (path,), "replay": ("--card", "no.img")}.get(verb, ())
    more = ("-o", out) if verb in ("pcap", "convert") else more
    assert rule in refusal(sscard("trace", verb, path, *more))
    assert not out.exists()


def test_a_file_that_is_not_there_is_refused() -> None:
    assert "No such file" in refusal(sscard("trace", "show", "nowhere.jsonl"))


# Diff


def test_two_recordings_of_the_same_are_the_same(card: Path) -> None:
    first, second = (taped(card, f"{n}.jsonl", SELECT, READ, CHALLENGE) for n in (1, 2))
    found = sscard("trace", "diff", first, second)
    assert (0, "the same\n") == (found.exit_code, found.stdout)
    assert [{"same": True}] == lines(sscard("trace", "diff", first, second, "--json"))


def test_what_differs_is_told_and_the_status_is_1(card: Path) -> None:
    first = taped(card, "1.jsonl", SELECT, ASK, READ)
    taped(card, "0.jsonl", SELECT, "0020000003000000")
    second = taped(card, "2.jsonl", SELECT, ASK, CHALLENGE)
    found = sscard("trace", "diff", first, second)
    assert 1 == found.exit_code
    for words in ("2  VERIFY", "63C6", "63C5", "status word", "READ RECORD", "only in the first"):
        assert words in found.stdout
    *apart, last = lines(sscard("trace", "diff", first, second, "--json"), 1)
    assert {"same": False} == last
    assert [(2, 2), (3, None), (None, 3)] == [(each["first"], each["second"]) for each in apart]


# Replay


def test_a_recording_is_replayed_against_the_card_that_it_is_of(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, READ, ASK, CHALLENGE)
    found = sscard("trace", "replay", path, "--card", card)
    assert (0, "4 commands, answered as they were then\n") == (found.exit_code, found.stdout)
    assert [{"same": True, "sent": 4, "left_out": 0}] == lines(
        sscard("trace", "replay", path, "--card", card, "--json")
    )


def test_it_stops_at_the_first_answer_that_is_another_one(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, ASK, "0020000003000000", ASK)
    kept = taped(
        card, "k.secrets.jsonl", SELECT, ASK, "0020000003000000", ASK, more=("--with-secrets",)
    )
    before = card.read_bytes()
    assert "masked" in refusal(sscard("trace", "replay", path, "--card", card))
    assert before == card.read_bytes()
    found = sscard("trace", "replay", kept, "--card", card)
    assert 1 == found.exit_code
    assert "63C5" in found.stdout
    assert "63C4" in found.stdout
    # The wrong PIN comes behind the first difference, so it cost nothing.
    assert before == card.read_bytes()
    *apart, last = lines(
        sscard("trace", "replay", kept, "--card", card, "--keep-going", "--json"), 1
    )
    assert [2, 3, 4] == [each["first"] for each in apart]
    assert {"same": False, "sent": 4, "left_out": 0} == last
    assert before != card.read_bytes()


def test_a_masked_command_is_left_out_only_if_that_is_asked_for(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, "0020000003000000", READ)
    said = refusal(sscard("trace", "replay", path, "--card", card))
    for words in ("line 3", "VERIFY", "masked", "nothing was sent"):
        assert words in said
    found = sscard("trace", "replay", path, "--card", card, "--keep-going")
    assert (0, "2 commands, answered as they were then, 1 left out\n") == (
        found.exit_code,
        found.stdout,
    )


def test_resets_come_where_they_came(card: Path) -> None:
    first, second = sscard("apdu", "--card", card, SELECT, READ).stdout.splitlines()
    atr = read(taped(card, "r.jsonl", SELECT).read_bytes())[0].atr.hex(" ")
    text = f"^ {atr}\n> {SELECT}\n< {first}\n^ {atr}\n> {READ}\n< {{}}\n"
    path = card.parent / "t.apdu"
    # After a reset the MF is selected again, and there is no such record.
    path.write_text(text.format(second), encoding="utf-8")
    assert 1 == sscard("trace", "replay", path, "--card", card).exit_code
    now = sscard("apdu", "--card", card, READ).stdout.strip()
    path.write_text(text.format(now), encoding="utf-8")
    assert 0 == sscard("trace", "replay", path, "--card", card).exit_code


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (
            '{"event":"fault","at":9,"command":"00B2012D00","kind":"CardMute"}\n',
            "READ RECORD: no answer was recorded",
        ),
        ('{"event":"fault","at":9,"kind":"CardMute"}\n', "a reset: no answer was recorded"),
        ('{"event":"exch', "line 3 breaks off"),
    ],
)
def test_what_cannot_be_replayed_is_said_before_anything_is_sent(
    card: Path, line: str, rule: str
) -> None:
    path = taped(card, "r.jsonl", SELECT)
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    said = refusal(sscard("trace", "replay", path, "--card", card))
    assert rule in said
    assert "nothing was sent" in said


def test_one_slot_is_replayed(card: Path) -> None:
    assert "no command for the slot" in refusal(
        sscard("trace", "replay", FIRST_USE, "--card", card, "--slot", "psam", "--keep-going")
    )


def test_a_replay_can_be_recorded_and_compared(card: Path) -> None:
    first = taped(card, "1.jsonl", SELECT, READ, CHALLENGE)
    second = card.parent / "2.jsonl"
    assert 0 == sscard("trace", "replay", first, "--card", card, "--record", second).exit_code
    assert 0 == sscard("trace", "diff", first, second).exit_code


# Captures and conversion


def test_a_capture_is_written_to_a_new_file(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT, VERIFY)
    out = card.parent / "r.pcap"
    assert 0 == sscard("trace", "pcap", path, "-o", out).exit_code
    raw = out.read_bytes()
    assert bytes.fromhex("A1B2C3D4") == raw[:4]
    assert bytes.fromhex(SELECT) in raw
    assert bytes.fromhex("0020000003000000") in raw
    assert 0o600 == stat.S_IMODE(out.stat().st_mode)
    assert "File exists" in refusal(sscard("trace", "pcap", path, "-o", out))
    assert raw == out.read_bytes()


def test_a_recording_that_is_wrong_in_its_middle_leaves_no_capture(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT)
    path.write_text(path.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    for verb in ("pcap", "convert"):
        assert "line 3" in refusal(sscard("trace", verb, path, "-o", "out"))
        assert not Path("out").exists()


def test_what_is_lost_is_said_beside_what_is_made(card: Path) -> None:
    path = taped(card, "r.jsonl", SELECT)
    path.write_text(path.read_text(encoding="utf-8") + '{"ev', encoding="utf-8")
    for verb in ("pcap", "convert"):
        found = sscard("trace", verb, path, "-o", f"out.{verb}")
        assert 0 == found.exit_code
        assert "line 3 breaks off" in found.stderr


def test_a_text_becomes_a_recording_that_is_the_same(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    assert 0 == sscard("trace", "convert", PURCHASE, "-o", out).exit_code
    assert 0 == sscard("trace", "diff", PURCHASE, out).exit_code
    again = tmp_path / "again.jsonl"
    assert 0 == sscard("trace", "convert", out, "-o", again).exit_code
    assert out.read_bytes() == again.read_bytes()


def test_what_was_kept_is_masked_when_it_is_converted(card: Path) -> None:
    kept = taped(card, "k.secrets.jsonl", SELECT, VERIFY, more=("--with-secrets",))
    assert 0 == sscard("trace", "convert", kept, "-o", "m.jsonl").exit_code
    text = Path("m.jsonl").read_text(encoding="utf-8")
    assert '"secrets":"masked"' in text
    assert "0020000003••••••" in text
