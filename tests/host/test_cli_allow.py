# SPDX-License-Identifier: Apache-2.0
"""--allow, and the file of cards that may be changed: by ATR, or by a number of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import SELECT, refusal, sscard
from readersbench import PIN, UPDATE, Readers, answers

from host.channel.memory import MemoryChannel
from host.cli.leave import allow_list
from host.cli.own_numbers import own_numbers
from host.cli.testcard import issue_test_card
from host.rules import AllowList


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Readers]:
    found = Readers.put(monkeypatch, tmp_path)
    yield found
    assert 0 == found.open


@pytest.fixture
def allow_file(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "sscard" / "allow"
    path.parent.mkdir(parents=True)
    return path


def test_what_only_reads_does_not_look_at_the_list(readers: Readers, allow_file: Path) -> None:
    allow_file.write_text("nonsense!\n")
    assert 0 == sscard("info", "--reader", "").exit_code


def test_what_changes_a_card_needs_leave(readers: Readers) -> None:
    before = readers.cells()
    said = refusal(sscard("apdu", "--reader", "", UPDATE), status=1)
    assert said.startswith("UPDATE BINARY was not sent")
    assert f"--allow {readers.atr}" in said
    assert before == readers.cells()


def test_with_json_the_fault_has_its_kind(readers: Readers) -> None:
    result = sscard("apdu", "--reader", "", UPDATE, "--json")
    assert '"kind": "NotListed"' in result.stdout


def test_a_card_is_allowed_by_its_atr(readers: Readers) -> None:
    spaced = " ".join(readers.atr[at : at + 2] for at in range(0, len(readers.atr), 2)).lower()
    for atr in (readers.atr, spaced):
        assert ["90 00", "90 00"] == answers(SELECT, PIN, "--allow", atr)


def test_a_card_is_allowed_by_each_of_its_numbers(readers: Readers) -> None:
    numbers = own_numbers(MemoryChannel(readers.card))
    assert [9, 19, 32] == sorted(map(len, numbers))
    for number in sorted(numbers):
        assert ["90 00", "90 00"] == answers(SELECT, PIN, "--allow", number.lower())
    said = refusal(sscard("apdu", "--reader", "", UPDATE, "--allow", "A00000000"), status=1)
    assert "not on the allow-list" in said


def test_nothing_is_selected_by_the_search_for_numbers(readers: Readers) -> None:
    plain = answers("00B0850000")
    assert plain == answers("00B0850000", "--allow", "A00000000")


def test_a_psam_is_known_by_its_serial_number(readers: Readers) -> None:
    (serial,) = own_numbers(MemoryChannel(readers.psam))
    assert 20 == len(serial)


def test_a_card_of_the_third_generation_is_known_by_its_numbers() -> None:
    assert 2 <= len(own_numbers(MemoryChannel(issue_test_card("3.0"))))


def test_cards_are_allowed_by_a_file(readers: Readers, allow_file: Path) -> None:
    allow_file.write_text(f"# mine\n\n{readers.atr}  # the red one\nB0000013 2\n")
    assert ["90 00", "90 00"] == answers(SELECT, PIN)
    allow_file.write_text("B00000132\n")
    said = sscard("apdu", "--reader", "", SELECT, PIN).stderr
    assert "not on the allow-list" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ABC", "line 1: must be an ATR"),
        ("\n3B6D0", "line 2: must be an ATR"),
        ("12345678\n3BXY", "line 2: must be an ATR"),
        ("3B" + "00" * 33, "line 1: must be an ATR"),
        ("1234567", "line 1: must be an ATR"),
        ("1" * 33, "line 1: must be an ATR"),
        ("社会保障卡社会保障卡", "line 1: must be an ATR"),
    ],
)
def test_a_list_with_nonsense_is_refused_by_its_line(
    readers: Readers, allow_file: Path, text: str, why: str
) -> None:
    allow_file.write_text(text, encoding="utf-8")
    said = refusal(sscard("apdu", "--reader", "", UPDATE))
    assert why in said
    assert str(allow_file) in said


def test_a_list_that_cannot_be_read_is_refused(readers: Readers, allow_file: Path) -> None:
    allow_file.write_bytes(b"\xff")
    assert "must be UTF-8" in refusal(sscard("apdu", "--reader", "", UPDATE))
    allow_file.unlink()
    allow_file.mkdir()
    assert str(allow_file) in refusal(sscard("apdu", "--reader", "", UPDATE))


def test_nonsense_on_the_command_line_is_refused(readers: Readers) -> None:
    said = refusal(sscard("apdu", "--reader", "", UPDATE, "--allow", "mine"))
    assert "--allow: must be an ATR" in said


def test_entries_are_atrs_or_numbers(tmp_path: Path) -> None:
    found = allow_list(["3b 00", "3F:65", "a0000001 7"], tmp_path / "none")
    assert AllowList(frozenset({b"\x3b\x00", b"\x3f\x65"}), frozenset({"A00000017"})) == found
