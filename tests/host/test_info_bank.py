# SPDX-License-Identifier: Apache-2.0
"""What `sscard info` says of the bank's application, and that asking changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from paymentbench import block, lose_pin, payment_chip, set_state, state_of
from testbench import sw

from apdu.atr import Interface
from apdu.wire.pboc import tags
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.bank_info import BLOCKED, IN_USE, NOT_PERSONALISED, BankReport, bank_report
from host.cli.info import CardReport, report
from host.cli.info_view import show
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue_test_card
from host.issuer.profile import SHIPPED
from host.keys import MemoryKeys
from host.terminal.personalise import personalise


def asked(chip: Chip) -> BankReport:
    return bank_report(Card(MemoryChannel(chip)))


def told(chip: Chip) -> CardReport:
    found = report(Card(MemoryChannel(chip)))
    assert isinstance(found, CardReport)
    return found


def values(found: BankReport) -> dict[str, str | None]:
    return {each.tag: each.value for each in found.items}


@pytest.mark.parametrize("bank", SHIPPED)
def test_every_shipped_card_tells_of_its_bank_and_stays_as_it_is(bank: str) -> None:
    chip = issue_test_card(bank=bank)
    before = chip.snapshot()
    found = told(chip)
    assert before == chip.snapshot()
    assert found.bank is not None
    assert (IN_USE, "") == (found.bank.state, found.bank.trouble)
    assert found.sound
    told_of = values(found.bank)
    assert {"50", "9F12", "5A", "5F34", "5F24", "9F36", "9F13", "9F17", "9F79"} <= set(told_of)
    assert ("0", "3", "0.00") == (told_of["9F36"], told_of["9F17"], told_of["9F79"])


def test_counters_balance_and_tries_are_those_of_the_card() -> None:
    chip = payment_chip({tags.SECOND_EC_CURRENCY: b"\x03\x44", tags.SECOND_EC_BALANCE: bytes(6)})
    state = replace(state_of(chip), atc=258, last_online_atc=7, balance=12_34, second_balance=50)
    set_state(chip, state)
    lose_pin(chip)
    found = values(asked(chip))
    assert {
        "50": '"PBOC Credit"',
        "9F12": '"CARD IMAGE 0031"',
        "5A": "622800******1117",
        "5F34": "01",
        "5F24": "2030-12-31",
        "9F36": "258",
        "9F13": "7",
        "9F17": "0",
        "9F79": "12.34",
        "9F77": "150.00",
        "9F78": "10.00",
        "9F5D": "12.34",
        "DF71": "344",
        "DF79": "0.50",
    } == found


def test_a_number_is_never_shown_whole() -> None:
    text = json.dumps(told(issue_test_card(bank="published")).as_json())
    assert "6228000100001117" not in text
    assert "622800******1117" in text


def test_a_blocked_application_still_tells() -> None:
    chip = payment_chip()
    block(chip)
    found = asked(chip)
    assert (BLOCKED, "") == (found.state, found.trouble)
    assert "622800******1117" == values(found)["5A"]


def test_a_blocked_application_that_says_nothing_is_not_called_new() -> None:
    found = bank_report(Card(MemoryChannel(Liar(issue_test_card(), "00A4040008A0", "6283"))))
    assert (BLOCKED, True) == (found.state, bool(found.trouble))


def test_a_card_that_waits_for_its_bank_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    chip = bare()
    found = told(chip)
    assert found.bank == BankReport(NOT_PERSONALISED)
    assert found.sound
    show(found)
    assert "not personalised 未个人化" in capsys.readouterr().out


def bare() -> Chip:
    chip = blank_chip(seeded(7, TEST_DAY))
    personalise(Card(MemoryChannel(chip)), TEST_HOLDER, MemoryKeys())
    return chip


def test_a_card_without_the_application_has_no_report_of_it() -> None:
    found = told(blank_chip(seeded(7, TEST_DAY)))
    assert found.bank is None
    assert found.as_json()["bank"] is None


class Liar:
    """A chip that answers commands with this beginning otherwise."""

    def __init__(self, chip: Chip, start: str, answer: str) -> None:
        self.chip, self.start, self.answer = chip, bytes.fromhex(start), bytes.fromhex(answer)

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        return self.chip.reset(interface)

    def transmit(self, command: bytes, /) -> bytes:
        return self.answer if command.startswith(self.start) else self.chip.transmit(command)


@pytest.mark.parametrize(
    ("start", "answer", "trouble"),
    [
        ("00B2011C", "70045A020A0B9000", "PAN (5A)"),
        ("00B2011C", "FFFF9000", "READ RECORD"),
        ("00B2", "6982", "6982"),
        ("00B2", "6A83", "PAN (5A)"),
        ("80CA9F79", "9F36020001" + "9000", "not the element 9F79"),
        ("80CA9F36", "9F360200" + "9000", "GET DATA"),
        ("00A4040008A0", "8401019000", "template 6F"),
    ],
)
def test_what_a_card_says_wrongly_is_told_and_it_is_not_sound(
    start: str, answer: str, trouble: str
) -> None:
    found = report(Card(MemoryChannel(Liar(issue_test_card(), start, answer))))
    assert isinstance(found, CardReport) and found.bank is not None
    assert trouble in found.bank.trouble
    assert not found.sound
    assert found.social_security_card


@pytest.mark.parametrize("answer", ["6A88", "6D00", "6985"])
def test_what_a_card_does_not_count_is_left_out(answer: str) -> None:
    card = Card(MemoryChannel(Liar(issue_test_card(), "80CA", answer)))
    found = bank_report(card)
    assert "" == found.trouble
    assert ["50", "9F12", "5A", "5F34", "5F24"] == [each.tag for each in found.items]


def test_an_absurd_value_is_shown_raw() -> None:
    absurd = "9F7906FFFFFFFFFFFF9000"
    found = bank_report(Card(MemoryChannel(Liar(issue_test_card(), "80CA9F79", absurd))))
    (balance,) = (each for each in found.items if each.tag == "9F79")
    assert ("FF FF FF FF FF FF", True) == (balance.value, balance.meaning.startswith("raw: "))


def test_no_transaction_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    truth = Chip.transmit

    def spy(chip: Chip, raw: bytes) -> bytes:
        sent.append(raw)
        return truth(chip, raw)

    chip = issue_test_card()
    monkeypatch.setattr(Chip, "transmit", spy)
    asked(chip)
    assert {0xA4, 0xB2, 0xCA} == {raw[1] for raw in sent}
    assert len(sent) < 40
    assert 0x9000 == sw(truth(chip, sent[0]))


def test_it_stands_in_the_report_for_people_and_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chip = issue_test_card()
    set_state(chip, replace(state_of(chip), balance=5_000))
    found = told(chip)
    show(found)
    said = capsys.readouterr().out
    assert "debit 借记应用 (the bank's application)" in said
    assert "电子现金余额" in said
    assert "50.00 yuan 元" in said
    document: Any = found.as_json()["bank"]
    assert IN_USE == document["state"]
    (balance,) = (each for each in document["items"] if each["tag"] == "9F79")
    assert ("EC Balance", "50.00") == (balance["name"], balance["value"])
