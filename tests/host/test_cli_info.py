# SPDX-License-Identifier: Apache-2.0
"""`sscard info` on cards of every generation, and on chips that nobody has personalised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import PLAIN, sscard

from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind
from card_os import image
from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card, command_of
from host.channel.memory import MemoryChannel
from host.cli.info import report
from host.cli.testcard import TEST_DAY, blank_chip, blank_psam, issue_test_card, issue_test_psam

MADE = {"card": blank_chip, "psam": blank_psam}
BLANK_WORDS = {"card": "A blank card  空白卡", "psam": "A blank PSAM  空白 PSAM"}
HEADER = FileHeader(FileKind.TRANSPARENT, 0x0015, ALWAYS, NEVER, size=14)
FILE = bytes(command_of(CREATE_FILE, None, HEADER, 0))


def made(tmp_path: Path, generation: str) -> Path:
    path = tmp_path / f"{generation}.img"
    words = ("issue", PLAIN, "-o", path, "--seed", 7, "--generation", generation)
    assert 0 == sscard(*words).exit_code
    return path


def blank(tmp_path: Path, kind: str) -> Path:
    path, flash = tmp_path / f"{kind}.img", Flash(bytearray(FLASH_SIZE))
    MADE[kind](seeded(7, TEST_DAY), flash)
    image.save(path, flash.cells)
    return path


def told(path: Path, status: int = 0) -> dict[str, Any]:
    result = sscard("info", "--json", "--card", path)
    assert status == result.exit_code
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def answering(monkeypatch: pytest.MonkeyPatch, prefix: str, answer: str) -> None:
    """Chips answer what begins so with this."""
    truth, start, other = Chip.transmit, bytes.fromhex(prefix), bytes.fromhex(answer)
    monkeypatch.setattr(
        Chip, "transmit", lambda chip, raw: other if raw.startswith(start) else truth(chip, raw)
    )


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_card_of_every_generation_is_sound(tmp_path: Path, generation: str) -> None:
    found = told(made(tmp_path, generation))
    issuer, holder = found["files"]
    assert GENERATIONS[generation].version in [item["value"] for item in issuer["items"]]
    assert ["", ""] == [each["trouble"] for each in found["files"]]
    assert not found["blank"]
    assert {"1.0": 6, "2.0": 7, "3.0": 0}[generation] == len(holder["items"])
    there = {each["label"] for each in found["applications"] if each["found"]}
    assert ({"PKI"} if generation == "3.0" else set()) == there - {"SSSE", "debit", "PSE"}


def test_data_that_is_guarded_is_said_to_be_and_is_no_trouble(tmp_path: Path) -> None:
    path = made(tmp_path, "3.0")
    assert ["", "RKSSSE"] == [each["guarded"] for each in told(path)["files"]]
    said = sscard("info", "--card", path)
    assert 0 == said.exit_code
    assert "guarded by RKSSSE 受保护" in said.stdout
    assert "张三" not in said.stdout


def test_data_that_should_be_free_and_is_not_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, "2.0")
    answering(monkeypatch, "00B20135", "6982")
    assert [("", ""), ("", "READ RECORD: 6982 a PIN or key must be proven first")] == [
        (each["guarded"], each["trouble"]) for each in told(path)["files"]
    ]


def test_guarded_data_that_cannot_be_had_for_another_reason_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, "3.0")
    answering(monkeypatch, "00B20135", "6A82")
    holder = told(path)["files"][1]
    assert ("", True) == (holder["guarded"], "6A82" in holder["trouble"])


# Blank chips


@pytest.mark.parametrize("kind", MADE)
def test_a_blank_chip_is_said_to_be_one_and_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    path = blank(tmp_path, kind)
    before = path.read_bytes()
    found = told(path, status=1)
    assert (True, False) == (found["blank"], found["social_security_card"])
    said = sscard("info", "--card", path)
    assert 1 == said.exit_code
    assert BLANK_WORDS[kind] in said.stdout
    assert "`sscard issue" in " ".join(said.stdout.split())
    assert before == path.read_bytes()


@pytest.mark.parametrize("kind", MADE)
def test_a_blank_chip_can_still_be_personalised_after_it_was_looked_at(kind: str) -> None:
    chip = MADE[kind](seeded(7, TEST_DAY))
    assert report(Card(MemoryChannel(chip))).blank
    assert b"\x90\x00" == chip.transmit(FILE)


def test_a_psam_that_is_half_made_is_not_called_finished() -> None:
    chip = blank_psam(seeded(7, TEST_DAY))
    assert b"\x90\x00" == chip.transmit(FILE)
    assert report(Card(MemoryChannel(chip))).as_json()["blank"]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_finished_card_is_not_even_asked_whether_it_is_blank(
    generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chips = (issue_test_card(generation), issue_test_psam(generation=generation))
    sent: list[bytes] = []
    truth = Chip.transmit

    def spy(chip: Chip, raw: bytes) -> bytes:
        sent.append(raw)
        return truth(chip, raw)

    monkeypatch.setattr(Chip, "transmit", spy)
    for chip in chips:
        assert not report(Card(MemoryChannel(chip))).as_json()["blank"]
    assert [] == [raw.hex() for raw in sent if raw[1] == FILE[1]]


@pytest.mark.parametrize("answer", ["6D00", "6985", "9000", "00"])
def test_a_strange_card_without_the_application_is_not_called_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    path = blank(tmp_path, "card")
    answering(monkeypatch, "80E0", answer)
    assert not told(path, status=1)["blank"]
    assert "no social security card" in sscard("info", "--card", path).stdout


@pytest.mark.parametrize(
    ("prefix", "answer"),
    [("80E0", "6985"), ("0020", "63C6"), ("00B2012C", "6982"), ("00B2012C", "9000")],
)
def test_a_card_that_is_only_like_a_blank_psam_is_not_called_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, answer: str
) -> None:
    path = blank(tmp_path, "psam")
    answering(monkeypatch, prefix, answer)
    found = json.loads(sscard("info", "--json", "--card", path).stdout)
    assert (False, True) == (found["blank"], found["social_security_card"])
