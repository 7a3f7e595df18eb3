# SPDX-License-Identifier: Apache-2.0
"""--allow, --floor, --dry-run and --yes: what commands may do to a card in a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from commandline import ASK, SELECT, WRONG, refusal, sscard
from deskbench import CARD_PIN, Desk, on_a_fixed_day
from readersbench import PIN, UPDATE, Readers, answers

from host.channel.memory import MemoryChannel
from host.cli.own_numbers import own_numbers


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Readers]:
    found = Readers.put(monkeypatch, tmp_path)
    yield found
    assert 0 == found.open


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
    assert (status == 1) == ("CARD BLOCK was not sent" in result.stderr)


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
    card, psam = ("--allow", readers.atr), ("--allow", readers.psam_atr)
    before = readers.cells()
    for more, held in ((psam, "VERIFY"), (card, "INITIALISE PURCHASE")):
        said = sscard(*words, *paid, *more, stdin="654321\n")
        assert f"{held} was not sent" in said.stderr, said.output
        assert before[1] == readers.cells()[1]
    said = sscard(*words, *paid, *card, *psam, stdin="654321\n")
    assert 0 == said.exit_code, said.output
    assert before[1] != readers.cells()[1]


def _change_the_pin(readers: Readers) -> None:
    """With the initial one nobody pays."""
    words = ("driver", "iChangePIN", "--reader", "card", "--allow", readers.atr)
    said = sscard(*words, stdin=f"{CARD_PIN}\n654321\n654321\n")
    assert 0 == said.exit_code, said.output


def _card_info(readers: Readers) -> str:
    numbers = own_numbers(MemoryChannel(readers.card))
    by_length = {len(each): each for each in numbers}
    return f"{by_length[32]}|{by_length[9]}|"


@pytest.mark.parametrize(
    "verb",
    ["apdu", "driver", "service", "pay", "load", "bank activate", "bank script"],
)
def test_what_may_change_a_card_has_the_options(verb: str) -> None:
    said = sscard(*verb.split(), "--help").stdout
    assert all(option in said for option in ("--allow", "--floor", "--dry-run", "--yes"))


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
