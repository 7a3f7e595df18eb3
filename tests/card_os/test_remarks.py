# SPDX-License-Identifier: Apache-2.0
"""What the chip says of its good answers: why a payment was declined, sent online, or no cash."""

from __future__ import annotations

import pytest
from acbench import Till
from paymentbench import TERMINAL, Reader, block, fen, in_use, lose_pin
from tapbench import FIELD, ONLINE, card, tap
from waybench import CARD, DOLLARS, way

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ada, Result
from card_os.apps.pboc.state import Flag
from card_os.chip import Chip

AAC, TC, ARQC = Result


def remark(chip: Chip) -> str:
    assert chip.refusal is None
    assert chip.remark is not None
    return str(chip.remark)


def first(chip: Chip, wanted: Result) -> Result:
    till = Till(chip)
    assert 0x9000 == till.begin()
    return till.first(wanted)


def test_what_was_asked_for_needs_no_remark() -> None:
    chip = in_use()
    assert ARQC is first(chip, ARQC)
    assert chip.remark is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flags": int(Flag.ONLINE_REQUESTED)}, "last online transaction"),
        ({"spent": 10**9, "last_online_atc": 1}, "velocity"),
    ],
)
def test_a_tc_that_became_an_arqc_says_which_check_it_was(
    changes: dict[str, int], expected: str
) -> None:
    chip = in_use({tags.CTTAL: fen(1)}, **changes)
    assert ARQC is first(chip, TC)
    said = remark(chip)
    assert said.startswith("ARQC in place of TC: ")
    assert expected in said


def test_an_aac_says_what_ada_makes_of_lost_tries() -> None:
    ada = int(Ada.DECLINE_ON_EARLIER_PIN_TRIES)
    chip = in_use({tags.ADA: ada.to_bytes(2)}, last_online_atc=1)
    lose_pin(chip)
    assert AAC is first(chip, TC)
    assert "AAC in place of TC: PIN try limit exceeded" in remark(chip)
    assert f"ADA {ada:04X}" in remark(chip)


def test_a_blocked_application_says_that_it_is_blocked() -> None:
    chip = in_use()
    block(chip)
    assert AAC is first(chip, ARQC)
    assert "AAC in place of ARQC: the application is blocked" == remark(chip)


def test_an_issuer_who_declines_is_why() -> None:
    chip = in_use()
    till = Till(chip)
    till.begin()
    assert ARQC is till.first(ARQC)
    assert 0x9000 == till.authenticate(b"05")
    assert AAC is till.second(TC, b"05")
    assert "AAC in place of TC: the issuer did not approve (8A)" == remark(chip)


def test_a_remark_lasts_until_the_next_command() -> None:
    chip = in_use()
    block(chip)
    first(chip, ARQC)
    assert chip.remark is not None
    chip.transmit(bytes.fromhex("80CA9F3600"))
    assert (None, None) == (chip.remark, chip.refusal)


# Electronic cash


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({tags.CURRENCY: DOLLARS}, "not of a currency"),
        ({tags.AMOUNT: fen(1001)}, "more than the balance"),
    ],
)
def test_a_debit_where_cash_was_wanted_says_why(said: dict[int, bytes], expected: str) -> None:
    chip = in_use(CARD)
    assert "debit" == way(Reader(chip), said)
    assert remark(chip).startswith("no electronic cash: ")
    assert expected in remark(chip)


def test_what_the_last_transaction_left_is_in_the_way_of_cash() -> None:
    chip = in_use(CARD, flags=int(Flag.SCRIPT_FAILED))
    assert "debit" == way(Reader(chip))
    assert "a script failed" in remark(chip)


def test_a_lost_pin_is_in_the_way_of_cash() -> None:
    chip = in_use(CARD)
    lose_pin(chip)
    assert "debit" == way(Reader(chip))
    assert "the offline PIN has no try left" in remark(chip)


def test_cash_that_is_spent_and_cash_that_nobody_wants_need_no_remark() -> None:
    for said in ({}, {tags.EC_INDICATOR: b"\x00"}):
        chip = in_use(CARD)
        way(Reader(chip), said)
        assert chip.remark is None


# Taps


def test_a_tap_that_is_approved_needs_no_remark() -> None:
    chip = card()
    tap(chip)
    assert chip.remark is None


def test_a_tap_that_goes_online_says_by_what() -> None:
    chip = card()
    tap(chip, ONLINE)
    assert remark(chip).startswith("the tap is answered ARQC: by 9F68 (")


def test_a_tap_beyond_the_cash_says_what_the_cvr_says() -> None:
    chip = card(parameters={tags.EC_BALANCE: fen(0)}, last_online_atc=1)
    tap(chip, {tags.AMOUNT: fen(1)})
    assert "the tap is answered ARQC: velocity check exceeded" == remark(chip)


def test_a_tap_on_a_blocked_application_says_that_it_is_blocked() -> None:
    chip = card()
    block(chip)
    reader = Reader(chip, FIELD)
    reader.options({**TERMINAL})
    assert "the tap is answered AAC: the application is blocked" == remark(chip)
