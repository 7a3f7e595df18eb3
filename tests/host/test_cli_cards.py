# SPDX-License-Identifier: Apache-2.0
"""`sscard apdu` and `sscard info`, on an image and on a card in a reader."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from commandline import (
    ASK,
    SELECT,
    WRONG,
    issued,
    refusal,
    sscard,
)

from card_os import image
from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, blank_chip, issue_test_card
from host.faults import CardGone


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return issued(tmp_path)


# apdu


def test_raw_answers_are_printed_one_a_line(card: Path) -> None:
    result = sscard("apdu", "--card", card, SELECT, "00 b2 07 28 00", "00:B2:07:2C:00")
    assert (0, "") == (result.exit_code, result.stderr)
    item = "07 09 41 31 32 33 34 35 36 37 34 90 00"
    assert [item, item] == result.stdout.splitlines()[1:]


def test_nothing_is_followed_unless_asked_for(card: Path) -> None:
    without_le = SELECT[:-2]
    raw = sscard("apdu", "--card", card, without_le, "00B2072801").stdout.splitlines()
    assert ["61 18", "6C 0B"] == raw
    whole = sscard("apdu", "--card", card, "--auto", without_le, "00B2072801").stdout.splitlines()
    assert ["6F 16", "07 09"] == [line[:5] for line in whole]
    assert ["90 00", "90 00"] == [line[-5:] for line in whole]


def test_commands_come_from_standard_input(card: Path) -> None:
    text = f"# the card's own words\n{SELECT}  # select\n\n00B2072800\n"
    for words in ((), ("-",)):
        lines = sscard("apdu", "--card", card, *words, stdin=text).stdout.splitlines()
        assert 2 == len(lines)
        assert lines[1].endswith("90 00")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("00A", "odd number of hex digits"),
        ("", "0 bytes"),
        ("00A404", "3 bytes"),
        ("00B2012G00", "character 8 is not a hex digit"),
        ("0x00B2012D00", "character 2 is not a hex digit"),
        ("００B2012D", "character 1 is not a hex digit"),
    ],
)
def test_what_is_no_apdu_is_refused_before_anything_is_sent(
    card: Path, word: str, reason: str
) -> None:
    before = card.read_bytes()
    said = refusal(sscard("apdu", "--card", card, SELECT, WRONG, word))
    assert "argument 3: " in said
    assert reason in said
    assert before == card.read_bytes()


def test_an_apdu_of_70_000_bytes_is_refused_before_anything_is_sent(card: Path) -> None:
    before = card.read_bytes()
    said = refusal(sscard("apdu", "--card", card, stdin=f"{WRONG}\n{'00' * 70_000}\n"))
    assert "line 2: an APDU of 70000 bytes" in said
    assert before == card.read_bytes()


def test_standard_input_that_is_no_text_is_refused(card: Path) -> None:
    assert "line 1" in refusal(sscard("apdu", "--card", card, stdin=b"\xff\xfe\x00"))


def test_a_refusal_does_not_repeat_what_was_typed(card: Path) -> None:
    said = refusal(sscard("apdu", "--card", card, "002000000312345Z"))
    assert "1234" not in said


def test_following_needs_lengths_that_make_sense(card: Path) -> None:
    malformed = "00A4040005AA"
    assert ["67 00"] == sscard("apdu", "--card", card, malformed).stdout.splitlines()
    assert "--auto" in refusal(sscard("apdu", "--card", card, "--auto", malformed))


def test_answers_as_json_echo_the_command_without_its_secrets(card: Path) -> None:
    result = sscard("apdu", "--json", "--card", card, SELECT, "0020000003123456", "00200000031234")
    select, verify, malformed = (json.loads(line) for line in result.stdout.splitlines())
    assert SELECT == select["command"]
    assert {
        "command": "0020000003" + "••" * 3,
        "answer": "9000",
        "sw": "9000",
        "sentence": "done",
    } == verify
    assert "00200000" + "••" * 3 == malformed["command"]


# info


def test_info_names_what_it_shows_in_both_languages(card: Path) -> None:
    shown = sscard("info", "--card", card).stdout
    for words in (
        "T=0",
        "social security environment",
        "卡号",
        "card number",
        "男 male",
        "汉 Han",
        "1990-01-01",
        "6 tries left",
    ):
        assert words in shown


def test_info_as_json_is_one_object(card: Path) -> None:
    found = json.loads(sscard("info", "--json", "--card", card).stdout)
    assert found["social_security_card"]
    assert {"query": True, "tries_left": 6} == {
        key: found["pin"][key] for key in ("query", "tries_left")
    }
    there = {each["label"] for each in found["applications"] if each["found"]}
    assert {"SSSE", "debit", "PSE"} == there
    issuer, holder = ({item["tag"]: item["value"] for item in f["items"]} for f in found["files"])
    assert "A12345674" == issuer["07"]
    assert ("张三", "430200199001010019", "1990-01-01") == (
        holder["09"],
        holder["08"],
        holder["0D"],
    )


def test_info_costs_no_try_and_changes_nothing(card: Path) -> None:
    before = card.read_bytes()
    sscard("info", "--card", card)
    assert before == card.read_bytes()


def test_a_blocked_pin_is_shown_as_blocked(card: Path) -> None:
    sscard("apdu", "--card", card, SELECT, *[WRONG] * 6)
    found = sscard("info", "--card", card)
    assert (0, True) == (found.exit_code, "blocked" in found.stdout)


def test_a_chip_without_the_application_is_no_social_security_card(tmp_path: Path) -> None:
    path, flash = tmp_path / "blank.img", Flash(bytearray(FLASH_SIZE))
    blank_chip(seeded(7, TEST_DAY), flash)
    image.save(path, flash.cells)
    result = sscard("info", "--card", path)
    assert 1 == result.exit_code
    assert "no social security card" in result.stdout
    found = json.loads(sscard("info", "--json", "--card", path).stdout)
    assert (False, None) == (found["social_security_card"], found["pin"])


@pytest.mark.parametrize(
    ("prefix", "answer", "status", "shown"),
    [
        ("00B20135", "0203419000", 1, "02 03 41"),
        ("00B20135", "0A01379000", 1, "not a code of its list"),
        ("00B20135", "9000", 1, "HolderData"),
        ("00B20135", "6982", 0, "6982 a PIN or key must be proven first"),
        ("00B2012D", "6A82", 0, "6A82"),
        ("00200000", "6700", 0, "the card does not tell"),
        ("00200000", "9000", 0, "proven already"),
        ("00200000", "63C0", 0, "blocked"),
        ("00A404000F", "6283", 0, "blocked"),
        ("00A404000F", "6F00", 1, "6F00"),
        ("00A404000E", "6881", 0, "6881"),
    ],
)
def test_info_copes_with_a_card_that_answers_otherwise(
    card: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    answer: str,
    status: int,
    shown: str,
) -> None:
    truth = Chip.transmit
    start, other = bytes.fromhex(prefix), bytes.fromhex(answer)
    monkeypatch.setattr(
        Chip,
        "transmit",
        lambda chip, command: other if command.startswith(start) else truth(chip, command),
    )
    result = sscard("info", "--card", card)
    assert status == result.exit_code, result.output
    assert shown in result.stdout
    json.loads(sscard("info", "--card", card, "--json").stdout)


def test_an_atr_that_cannot_be_read_is_shown_raw(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chip, "reset", lambda chip, *_: b"\x3b\x6d\x00")
    assert "3B 6D 00 raw: ATR" in sscard("info", "--card", card).stdout


# Readers


@pytest.mark.parametrize("verb", ["info", "apdu"])
def test_a_card_comes_from_an_image_or_from_a_reader(verb: str, card: Path) -> None:
    words = [SELECT] if verb == "apdu" else []
    assert "either --card" in refusal(sscard(verb, *words))
    assert "either --card" in refusal(sscard(verb, "--card", card, "--reader", "x", *words))


@pytest.mark.parametrize("verb", ["info", "apdu"])
def test_a_reader_without_pyscard_brings_the_advice(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    words = [SELECT] if verb == "apdu" else []
    said = refusal(sscard(verb, "--reader", "", *words), status=1)
    assert "pip install 'sscard[pcsc]'" in said
    assert "libpcsclite-dev" in said


class Reader(MemoryChannel):
    """A reader with a card in it, which may be pulled."""

    asked_for: ClassVar[list[str]] = []
    closed: ClassVar[list[bool]] = []

    @classmethod
    def open(cls, name_part: str = "") -> Reader:
        cls.asked_for.append(name_part)
        return cls(issue_test_card())

    def _exchange(self, command: bytes) -> bytes:
        if command == bytes.fromhex(ASK):
            raise CardGone("Acme: the card was pulled")
        if command == bytes.fromhex("0084000004"):
            return bytes.fromhex("6C04")
        return super()._exchange(command)

    def close(self) -> None:
        self.closed.append(True)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[Reader]:
    monkeypatch.setattr("host.channel.pcsc.PcscChannel", Reader)
    Reader.asked_for.clear()
    Reader.closed.clear()
    return Reader


def test_a_reader_is_asked_for_by_a_part_of_its_name(reader: type[Reader]) -> None:
    result = sscard("apdu", "--reader", "acme", SELECT)
    assert (0, "90 00") == (result.exit_code, result.stdout.strip()[-5:])
    assert (["acme"], [True]) == (reader.asked_for, reader.closed)


def test_a_card_that_goes_away_ends_it_after_what_was_answered(reader: type[Reader]) -> None:
    result = sscard("apdu", "--reader", "", SELECT, ASK, SELECT)
    assert (1, 1) == (result.exit_code, len(result.stdout.splitlines()))
    assert "sscard: Acme: the card was pulled\n" == result.stderr
    assert "the card was pulled" in refusal(sscard("info", "--reader", ""), status=1)
    assert [True, True] == reader.closed


def test_a_card_that_contradicts_itself_is_not_followed(reader: type[Reader]) -> None:
    said = refusal(sscard("apdu", "--auto", "--reader", "", "0084000004"), status=1)
    assert "another Le than the one it named" in said
