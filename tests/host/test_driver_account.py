# SPDX-License-Identifier: Apache-2.0
"""iDoDebit and iReadDebitRecord, with a PSAM and through an HSM."""

from __future__ import annotations

import pytest
from driverbench import Line, Pad, Reader, activated, code_of, every_generation

from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_TERMINAL, issue_test_card
from host.driver import Code, PinPrompt
from host.faults import CardGone
from host.ldt33.syntax import fields, groups

PAY = "12.34|0.56|20260105093000|"
LATER = PAY.replace("0930", "0931")


def paying(generation: str) -> Reader:
    """A reader with a card that may pay 0 from a balance, or anything off line."""
    return Reader(generation)


def terms(generation: str) -> str:
    """On cards of 1.0 the balance is 0, so the holder pays all of it."""
    return PAY if generation != "1.0" else PAY.replace("12.34|0.56", "0|12.90")


@every_generation
def test_a_purchase_is_booked_and_read_back(generation: str) -> None:
    reader, pay = Reader(generation), terms(generation)
    pad = Pad("864209")
    found = fields("x", reader.driver(pad=pad).iDoDebit(1, reader.info, pay))
    assert [PinPrompt.PIN] == pad.asked
    sequence, terminal_sequence, tac, time, terminal, judged = found
    assert ("0001", "20260105093000", TEST_TERMINAL, "1") == (sequence, time, terminal, judged)
    assert (8, 8) == (len(terminal_sequence), len(tac))
    account, own = ("1234", "56") if generation != "1.0" else ("0", "1290")
    expected = f"0001|32|{TEST_TERMINAL}|20260105093000|{account}|{own}|0|$"
    assert expected == reader.driver().iReadDebitRecord(1)


def test_records_come_the_newest_first() -> None:
    reader = Reader()
    assert "" == reader.driver().iReadDebitRecord(1)
    reader.driver().iDoDebit(1, reader.info, PAY)
    reader.driver().iDoDebit(1, reader.info, LATER)
    found = groups("x", reader.driver().iReadDebitRecord(1))
    assert ["0002", "0001"] == [each[0] for each in found]
    as_files = reader.driver().iReadCard(1, 1, reader.info, "DF04EF08|01|03|$")
    assert f"DF04EF08|{'^'.join(found[0])}||$" == as_files


def test_the_initial_pin_does_not_pay() -> None:
    reader = Reader(chip=issue_test_card())
    driver = reader.driver("123456")
    assert Code.INITIAL_PIN == code_of(driver.iDoDebit, 1, reader.info, PAY)
    assert Code.PIN_WRONG == code_of(reader.driver("654321").iDoDebit, 1, reader.info, PAY)


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_a_purchase_goes_through_an_hsm(generation: str) -> None:
    reader, line = Reader(generation), Line(generation)
    driver = reader.driver(psam=False, hsm=line, terminal="000000000042")
    found = fields("x", driver.iDoDebit(1, reader.info, PAY))
    assert ["0001", "00000001"] == found[:2]
    assert ["20260105093000", "000000000042", "0"] == found[3:]
    assert 2 == len(line.asked)
    assert "|000004D20000003800000000|32|000000000042|20260105093000|" in line.asked[1]


def test_without_anybody_to_ask_the_holder_is_not_asked_either() -> None:
    reader, pad = Reader(), Pad("864209")
    without = reader.driver(psam=False, pad=pad)
    assert Code.NO_PSAM == code_of(without.iDoDebit, 1, reader.info, PAY)
    nameless = reader.driver(psam=False, hsm=Line(), pad=pad)
    assert Code.UNSUPPORTED == code_of(nameless.iDoDebit, 1, reader.info, PAY)
    assert [] == pad.asked


def test_a_purchase_that_the_card_refuses_says_its_status_word() -> None:
    reader = Reader("1.0")
    assert -0x9401 == code_of(reader.driver().iDoDebit, 1, reader.info, PAY)
    assert Code.PARAMETER == code_of(
        reader.driver().iDoDebit, 1, reader.info, "0|0|20260105093000|"
    )
    other = Reader(chip=activated(seed=9)).info
    assert Code.OTHER_CARD == code_of(reader.driver().iDoDebit, 1, other, PAY)


class Slipping(MemoryChannel):
    """A PSAM that is pulled when MAC2 comes."""

    def _exchange(self, command: bytes) -> bytes:
        if command[1] == 0x72:
            raise CardGone("pulled")
        return super()._exchange(command)


def test_a_psam_that_goes_once_the_card_has_booked_does_not_undo_it() -> None:
    """A code would have the program try again, or go on with the HSM, and pay twice."""
    reader = Reader()
    reader.psam = Slipping(reader.psam._chip)  # type: ignore[arg-type]
    line = Line()
    found = fields("x", reader.driver(hsm=line).iDoDebit(1, reader.info, PAY))
    assert ("0", []) == (found[-1], line.asked)
    assert 1 == reader.driver().iReadDebitRecord(1).count("$")


class Lying(MemoryChannel):
    """A card whose MAC2 is wrong."""

    def _exchange(self, command: bytes) -> bytes:
        answer = super()._exchange(command)
        return answer[:4] + bytes(4) + answer[-2:] if command[1] == 0x2C else answer


def test_a_card_that_does_not_prove_its_booking_is_not_genuine() -> None:
    reader = Reader()
    driver = reader.driver(card=Lying(reader.chip))
    assert Code.NOT_GENUINE == code_of(driver.iDoDebit, 1, reader.info, PAY)
    assert reader.channel.atr == Card(reader.channel).channel.atr
