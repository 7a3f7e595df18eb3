# SPDX-License-Identifier: Apache-2.0
"""`sscard doctor` as a person and a program meet it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from host.channel.pcsc.watch import Presence, Reader
from host.cli import doctor_view
from host.cli.doctor import doctor
from host.cli.main import cli
from host.doctor import checks
from host.doctor.checks import CHECKS, Seen, examine, first_to_do
from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service, Word
from host.doctor.pyscard import Namesakes
from host.doctor.survey import Survey

LONG = "a sentence that is so long that it has to go over to another line of a terminal of 80"
FINDINGS = (
    Finding("pyscard", "this Python", Verdict.OK, "is there", ("not shown",)),
    Finding("access", "pcscd", Verdict.PROBLEM, LONG, ("# first\x1b[2J", "sudo " + "x" * 90)),
    Finding("port", "35963", Verdict.WARNING, "open", ("shut it",)),
    Finding("vpcd", "its file", Verdict.UNKNOWN, "see service"),
    Finding("usb", "sysfs", Verdict.NOT_APPLICABLE, "none"),
    Finding("cards", "readers", Verdict.PROBLEM, "mute"),
)


def shown(
    monkeypatch: pytest.MonkeyPatch, findings: tuple[Finding, ...], encoding: str = "utf-8"
) -> list[str]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    out = Console(file=stream, width=80, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(doctor_view, "console", lambda: out)
    doctor_view.show(findings, first_to_do(findings))
    stream.flush()
    return [line.rstrip() for line in raw.getvalue().decode(encoding).splitlines()]


def test_each_check_has_its_line_with_a_mark_and_what_to_type_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(monkeypatch, FINDINGS)
    marks = {line.split()[1]: line.split()[0] for line in lines[:10] if not line.startswith("   ")}
    assert {
        "pyscard": "✔",
        "access": "✘",
        "port": "!",
        "vpcd": "?",
        "usb": "–",
        "cards": "✘",
    } == marks
    assert "not shown" not in "\n".join(lines)
    assert "       shut it" in lines
    assert all(len(line) <= 80 for line in lines if "xxx" not in line)
    assert 2 == lines.count("       sudo " + "x" * 90), "a line to type stays one line"


def test_the_end_says_what_to_do_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, FINDINGS)
    at = lines.index("First: access (of 2 problems; an earlier one is often the cause)")
    assert lines[at + 2].startswith("       sudo xxx")
    assert "Nothing keeps PC/SC from working here." == shown(monkeypatch, FINDINGS[:1])[-1]


def test_nothing_that_the_machine_says_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in "".join(shown(monkeypatch, FINDINGS))


def test_a_terminal_without_the_marks_gets_words(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, FINDINGS, "ascii")
    assert lines[0].split()[:2] == ["ok", "pyscard"]
    assert lines[1].split()[:2] == ["NO", "access"]


GOOD = Seen(
    Machine(system="darwin"),
    Namesakes("smartcard/__init__.py", True, "2.3.1"),
    "",
    Service(Word.NOT_ASKED),
    Survey((Reader("ACR", Presence.CARD, bytes.fromhex("3B00")),)),
)
BROKEN = Seen(GOOD.machine, Namesakes(), "", GOOD.service, Survey.left_to("pyscard"))


def run(monkeypatch: pytest.MonkeyPatch, seen: Seen, *words: str) -> Result:
    monkeypatch.setattr(checks, "look", lambda machine: seen)
    return CliRunner().invoke(cli, ["doctor", *words])


def test_the_exit_status_says_whether_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 == run(monkeypatch, GOOD).exit_code
    assert 1 == run(monkeypatch, BROKEN).exit_code


@pytest.mark.parametrize("seen", [GOOD, BROKEN], ids=["good", "broken"])
def test_programs_get_one_object(monkeypatch: pytest.MonkeyPatch, seen: Seen) -> None:
    ran = run(monkeypatch, seen, "--json")
    said: dict[str, Any] = json.loads(ran.stdout)
    assert (seen is GOOD) == said["ok"] == (ran.exit_code == 0)
    assert (None if seen is GOOD else "pyscard") == said["first"]
    assert len(CHECKS) == len(said["findings"]) == len({each["name"] for each in said["findings"]})
    for each in said["findings"]:
        assert {"name", "looked_at", "verdict", "sentence", "fix"} == each.keys()
        assert each["verdict"] in set(Verdict)
        assert each["verdict"] in (doctor.help or "")


def test_this_machine_can_be_examined_whatever_it_is() -> None:
    findings = examine(Machine(deadline=1.0))
    assert len(CHECKS) == len(findings)
    for each in findings:
        assert each.sentence and not each.sentence.endswith(".")
        assert each.fix or each.verdict is not Verdict.PROBLEM


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"module": Namesakes()}, "pyscard"),
        ({"library_error": "gone"}, "libpcsclite"),
        ({"service": Service(Word.REFUSED)}, "access"),
        ({"service": Service(Word.SILENT)}, "service"),
    ],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_pc_sc_is_not_asked_through_what_is_known_to_be_broken(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], where: str
) -> None:
    seen = {"module": GOOD.module, "library_error": "", "service": Service(Word.ANSWERED)} | change
    asked: list[Machine] = []

    def ask(machine: Machine) -> Survey:
        asked.append(machine)
        return Survey()

    monkeypatch.setattr(checks, "look_for_pyscard", lambda _: seen["module"])
    monkeypatch.setattr(checks, "load_library", lambda _: seen["library_error"])
    monkeypatch.setattr(checks, "meet", lambda _: seen["service"])
    monkeypatch.setattr(checks, "ask", ask)
    assert Survey.left_to(where) == checks.look(Machine()).survey
    assert [] == asked
