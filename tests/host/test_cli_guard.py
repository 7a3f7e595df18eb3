# SPDX-License-Identifier: Apache-2.0
"""--allow, --floor, --dry-run and --yes: what commands may do to a card in a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from commandline import ASK, SELECT, WRONG, refusal, sscard
from deskbench import CARD_PIN, Desk, on_a_fixed_day

from apdu.atr import Interface
from card_os.chip import Chip
from host.channel.memory import MemoryChannel
from host.cli.leave import allow_list
from host.cli.own_numbers import own_numbers
from host.cli.testcard import issue_test_card, issue_test_psam
from host.rules import AllowList

PIN = "0020000003123456"
UPDATE = "00D6850001AA"
GPO = "80A800000283 00"


class Readers:
    """Readers with cards in them; '' and `card` name the first one, `psam` the other."""

    def __init__(self, generation: str = "2.0") -> None:
        self.card = issue_test_card(generation)
        self.psam = issue_test_psam(generation=generation)
        self.open = 0

    def chip(self, name: str) -> Chip:
        return self.psam if "psam" in name else self.card

    @property
    def atr(self) -> str:
        return self.card.reset(Interface.CONTACT).hex().upper()

    @property
    def psam_atr(self) -> str:
        return self.psam.reset(Interface.CONTACT).hex().upper()

    def cells(self) -> tuple[bytes, bytes]:
        return bytes(self.card._flash.cells), bytes(self.psam._flash.cells)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Readers]:
    found = Readers()

    class Reader(MemoryChannel):
        @classmethod
        def open(cls, name_part: str = "", **_: object) -> Reader:
            found.open += 1
            return cls(found.chip(name_part))

        def close(self) -> None:
            found.open -= 1

    monkeypatch.setattr("host.channel.pcsc.PcscChannel", Reader)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield found
    assert 0 == found.open


@pytest.fixture
def allow_file(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "sscard" / "allow"
    path.parent.mkdir(parents=True)
    return path


def answers(*words: object) -> list[str]:
    result = sscard("apdu", "--reader", "", *words)
    assert 0 == result.exit_code, result.output
    return [line[-5:] for line in result.stdout.splitlines()]


# What only reads


@pytest.mark.parametrize("verb", [["info"], ["balance"], ["log"], ["apdu", SELECT, ASK]])
def test_what_only_reads_needs_no_leave(readers: Readers, verb: list[str]) -> None:
    before = readers.cells()
    result = sscard(*verb, "--reader", "")
    assert 0 == result.exit_code, result.output
    assert before == readers.cells()


@pytest.mark.parametrize("verb", ["info", "balance", "log"])
def test_what_only_reads_has_no_such_options(readers: Readers, verb: str) -> None:
    assert "--allow" in refusal(sscard(verb, "--reader", "", "--allow", "12345678"))


def test_what_only_reads_does_not_look_at_the_list(readers: Readers, allow_file: Path) -> None:
    allow_file.write_text("nonsense!\n")
    assert 0 == sscard("info", "--reader", "").exit_code


# The list


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


# PIN tries


def test_the_last_try_is_kept(readers: Readers) -> None:
    allow = ("--allow", readers.atr)
    assert ["90 00", "63 C5"] == answers(SELECT, WRONG, *allow)
    assert ["63 C4", "63 C3", "63 C2", "63 C1"] == answers(SELECT, *[WRONG] * 4, *allow)[1:]
    result = sscard("apdu", "--reader", "", SELECT, WRONG, *allow)
    assert (1, 1) == (result.exit_code, len(result.stdout.splitlines()))
    assert "tries left: 1" in result.stderr
    assert ["90 00", "63 C1"] == answers(SELECT, ASK)


def test_a_higher_floor_keeps_more(readers: Readers) -> None:
    allow = ("--allow", readers.atr, "--floor", "5")
    assert ["90 00", "63 C5"] == answers(SELECT, WRONG, *allow)
    said = sscard("apdu", "--reader", "", SELECT, PIN, *allow).stderr
    assert "a wrong PIN must leave 5" in said
    assert ["90 00", "63 C5"] == answers(SELECT, ASK)


def test_the_last_try_is_used_by_whoever_says_so_twice(readers: Readers) -> None:
    allow = ("--allow", readers.atr)
    answers(SELECT, *[WRONG] * 5, *allow)
    refused = sscard("apdu", "--reader", "", SELECT, PIN, *allow, "--floor", "0")
    assert "only its issuer can unblock it" in refused.stderr
    result = sscard("apdu", "--reader", "", SELECT, PIN, *allow, "--floor", "0", "--yes")
    assert "90 00" == result.stdout.splitlines()[1]
    assert "only its issuer can unblock it" in result.stderr


def test_a_function_of_the_driver_keeps_the_last_try(readers: Readers) -> None:
    words = ("driver", "iVerifyPIN", "--reader", "", "--allow", readers.atr)
    for _ in range(6):
        assert 1 == sscard(*words, stdin="000000\n").exit_code
    assert ["90 00", "63 C1"] == answers(SELECT, ASK)
    said = sscard(*words, stdin=f"{CARD_PIN}\n")
    assert "tries left: 1" in said.stderr


# What cannot be undone


def test_what_cannot_be_undone_is_not_done_unless_it_is_meant(readers: Readers) -> None:
    before = readers.cells()
    words = ("apdu", "--reader", "", "80 16 00 00", "--allow", readers.atr)
    said = refusal(sscard(*words), status=1)
    assert "CARD BLOCK was not sent" in said
    assert "--yes" in said
    assert before == readers.cells()
    result = sscard(*words, "--yes")
    assert (0, "CARD BLOCK: the card refuses everything") == (
        result.exit_code,
        result.stderr[: len("CARD BLOCK: the card refuses everything")],
    )


@pytest.mark.parametrize(("answer", "status"), [(True, 0), (False, 1), (None, 1)])
def test_at_a_terminal_it_is_asked_for(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, answer: bool | None, status: int
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        if answer is None:
            raise click.Abort
        return answer

    monkeypatch.setattr("host.cli.leave.at_a_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", confirm)
    commands = ("80160000", "80160000")
    result = sscard("apdu", "--reader", "", *commands, "--allow", readers.atr)
    assert (status, ["Go on?"]) == (result.exit_code, asked)
    assert result.stderr.startswith("CARD BLOCK: the card refuses everything")


# Dry runs


def test_a_dry_run_shows_what_it_does_not_send(readers: Readers) -> None:
    before = readers.cells()
    result = sscard("apdu", "--reader", "", SELECT, PIN, UPDATE, "--dry-run")
    assert (1, 1) == (result.exit_code, len(result.stdout.splitlines()))
    told, command, sentence = result.stderr.splitlines()
    assert told.startswith("not sent: VERIFY ")
    assert "  00 20 00 00 03 •• •• ••" == command
    assert "sscard: VERIFY was not sent: this is a dry run, which ends here" == sentence
    assert before == readers.cells()


def test_a_dry_run_says_what_is_in_a_command(readers: Readers) -> None:
    write = "00DC032C06030432 2E3030"
    said = sscard("apdu", "--reader", "", SELECT, write, "--dry-run").stderr
    assert "not sent: UPDATE RECORD record 3 of EF05" in said
    assert "规范版本 2.00" in said


def test_a_dry_run_begins_no_payment(
    readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_fixed_day(tmp_path, monkeypatch)
    before = readers.cells()
    result = sscard("pay", "--reader", "", "--amount", "1", "--offline", "--dry-run")
    assert 1 == result.exit_code, result.output
    assert "not sent: GET PROCESSING OPTIONS" in result.stderr
    assert before == readers.cells()


# Payments, and the PSAM beside the card


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


def test_a_payment_needs_leave_since_it_moves_a_counter(readers: Readers, desk: Desk) -> None:
    before = readers.cells()
    words = ("pay", "--reader", "", "--amount", "1", "--offline")
    said = sscard(*words)
    assert 1 == said.exit_code
    assert "GET PROCESSING OPTIONS was not sent" in said.output
    assert before == readers.cells()
    said = sscard(*words, "--allow", readers.atr)
    assert "--yes" in said.output
    assert before == readers.cells()
    said = sscard(*words, "--allow", readers.atr, "--yes")
    assert "a counter of the card goes up and never down" in said.stderr
    assert before != readers.cells()


def test_a_purchase_needs_leave_for_the_card_and_for_the_psam(readers: Readers) -> None:
    words = ("driver", "iDoDebit", "--reader", "card", "--psam-reader", "psam", "--yes")
    paid = ("--card-info", _card_info(readers), "--pay-info", "1.00|1.00|20260302120000|")
    _change_the_pin(readers)
    before = readers.cells()
    for more in ((), ("--allow", readers.atr), ("--allow", readers.psam_atr)):
        said = sscard(*words, *paid, *more, stdin="654321\n")
        assert "was not sent" in said.stderr, said.output
    assert before[1] == readers.cells()[1]


def _change_the_pin(readers: Readers) -> None:
    """With the initial one nobody pays."""
    words = ("driver", "iChangePIN", "--reader", "card", "--allow", readers.atr)
    said = sscard(*words, stdin=f"{CARD_PIN}\n654321\n654321\n")
    assert 0 == said.exit_code, said.output


def _card_info(readers: Readers) -> str:
    numbers = own_numbers(MemoryChannel(readers.card))
    by_length = {len(each): each for each in numbers}
    return f"{by_length[32]}|{by_length[9]}|"


# Where there is no card behind the gate


@pytest.mark.parametrize(
    "option", [("--allow", "12345678"), ("--floor", "0"), ("--dry-run",), ("--yes",)]
)
def test_the_options_are_about_cards_in_readers(option: tuple[str, ...]) -> None:
    said = refusal(sscard("apdu", "--card", "no.img", UPDATE, *option))
    assert "are about a card in a PC/SC reader" in said


def test_the_options_may_be_about_a_psam_in_a_reader(readers: Readers, tmp_path: Path) -> None:
    said = sscard(
        "driver",
        "iReadCardBas",
        "--card",
        tmp_path / "none.img",
        "--psam-reader",
        "psam",
        "--allow",
        "12345678",
    )
    assert "are about a card" not in said.stderr


def test_a_reader_whose_card_cannot_be_looked_at_is_let_go(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from host.faults import CardGone

    def gone(channel: object) -> frozenset[str]:
        raise CardGone("pulled")

    monkeypatch.setattr("host.cli.own_numbers.own_numbers", gone)
    assert "pulled" in refusal(
        sscard("apdu", "--reader", "", UPDATE, "--allow", "12345678"), status=1
    )
