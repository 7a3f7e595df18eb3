# SPDX-License-Identifier: Apache-2.0
"""Blocking the bank's application and giving it back, ending the bank's side of the card, and an
application that waits for its holder."""

from __future__ import annotations

import pytest
from paymentbench import (
    Reader,
    debit_directory,
    payment_cells,
    payment_chip,
    state_of,
)
from scriptbench import (
    UNBLOCK,
    WRONG,
    ScriptIssuer,
    asked,
    boot_card,
    facts,
    finished,
    pin_of,
)
from testbench import SELECT_DEBIT, SELECT_HRSS, SELECT_MF, command, select_name, sw

from apdu.atr import Interface
from apdu.command import CommandAPDU
from apdu.wire.form import CommandForm
from apdu.wire.iso7816 import SELECT, Occurrence, Selection
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import PARTIAL_AID, PPSE_NAME, PSE_NAME
from apdu.wire.pboc.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    PIN_CHANGE_UNBLOCK,
    PUT_DATA,
    DataTag,
)
from apdu.wire.pboc.flags import Result
from apdu.wire.perso import Life
from card_os.chip import Chip
from card_os.nvm import Flash

ONLINE_TOO = {tags.ADA: bytes(2)}


def block(chip: Chip) -> None:
    """Block the application in a transaction that is over then."""
    assert 0x9000 == finished(chip).script(APPLICATION_BLOCK)


def selects(chip: Chip, interface: Interface = Interface.CONTACT) -> dict[str, int]:
    """What the names of the bank, and that of the social security application, answer."""
    chip.reset(interface)
    names = {"PSE": PSE_NAME, "PPSE": PPSE_NAME, "part": PARTIAL_AID}
    asked_for = {name: select_name(value) for name, value in names.items()}
    asked_for |= {"DEBIT": SELECT_DEBIT, "HRSS": SELECT_HRSS, "MF": SELECT_MF}
    return {name: sw(chip.transmit(raw)) for name, raw in asked_for.items()}


# The application


def test_a_blocked_application_is_found_with_a_warning_and_its_fci() -> None:
    chip = payment_chip()
    image = Reader(chip).image
    block(chip)
    for interface in Interface:
        reader = Reader(chip, interface)
        assert 0x6283 == reader.select()
    assert image == Reader(chip).image
    assert {"DEBIT": 0x6283, "part": 0x6283, "PSE": 0x9000, "HRSS": 0x9000}.items() <= selects(
        chip
    ).items()


@pytest.mark.parametrize("asked_for", [Result.TC, Result.ARQC, Result.AAC])
def test_a_blocked_application_declines_everything(asked_for: Result) -> None:
    chip = payment_chip(ONLINE_TOO)
    block(chip)
    balance = state_of(chip).balance
    bank = ScriptIssuer(chip, values={tags.AMOUNT: bytes(6), tags.EC_INDICATOR: b"\x01"})
    assert Result.AAC is bank.begin(asked_for)
    bank.values = {}
    assert Result.AAC is bank.begin(asked_for)
    assert balance == state_of(chip).balance
    assert bank.reader.data(tags.ATC) is not None


def test_a_block_takes_effect_when_the_transaction_ends() -> None:
    bank = asked()
    assert 0x9000 == bank.script(APPLICATION_BLOCK)
    assert 0x9000 == bank.authenticate()
    assert Result.TC is bank.finish()
    assert 0x9000 == bank.script(PUT_DATA, DataTag(tags.EC_SINGLE_LIMIT), bytes(6))
    assert 0x6283 == bank.reader.select()


def test_a_block_outlasts_power_lost_in_the_transaction() -> None:
    bank = asked()
    assert 0x9000 == bank.script(APPLICATION_BLOCK)
    bank.chip.reset()
    assert 0x6283 == sw(bank.chip.transmit(SELECT_DEBIT))


def test_an_application_given_back_is_as_before_with_the_tries_of_its_pin() -> None:
    chip = payment_chip(ONLINE_TOO)
    bank = ScriptIssuer(chip)
    bank.options()
    assert 0x63C2 == bank.verify(WRONG)
    before = list(facts(chip)[1:])
    block(chip)
    assert before != list(facts(chip)[1:])
    assert Result.AAC is bank.begin()
    assert 0x9000 == bank.script(APPLICATION_UNBLOCK)
    assert before == list(facts(chip)[1:])
    assert 2 == pin_of(chip).counter.left
    assert 0x9000 == bank.reader.select()
    assert Result.TC is bank.begin(Result.TC)


def test_unblocking_takes_effect_when_the_transaction_ends() -> None:
    chip = payment_chip()
    block(chip)
    bank = ScriptIssuer(chip)
    assert Result.AAC is bank.begin()
    for _ in range(2):
        assert 0x9000 == bank.script(APPLICATION_UNBLOCK)
    assert 0x9000 == bank.reader.select()


def test_both_may_come_again_and_the_last_one_counts() -> None:
    bank = finished()
    for form, life in (
        (APPLICATION_BLOCK, Life.DEACTIVATED),
        (APPLICATION_BLOCK, Life.DEACTIVATED),
        (APPLICATION_UNBLOCK, Life.ACTIVATED),
        (APPLICATION_UNBLOCK, Life.ACTIVATED),
        (APPLICATION_BLOCK, Life.DEACTIVATED),
    ):
        assert 0x9000 == bank.script(form)
        assert life is debit_directory(bank.chip).life


def test_the_pin_and_the_application_are_given_back_in_one_transaction() -> None:
    chip = payment_chip({tags.ADA: bytes.fromhex("0080")})
    bank = ScriptIssuer(chip)
    bank.options()
    for _ in range(3):
        bank.verify(WRONG)
    assert Life.DEACTIVATED is debit_directory(chip).life
    assert Result.AAC is Result(bank.generate(Result.ARQC).cid >> 6)
    assert 0x9000 == bank.script(PIN_CHANGE_UNBLOCK, UNBLOCK)
    assert 0x9000 == bank.script(APPLICATION_UNBLOCK)
    assert Result.ARQC is bank.begin()


def test_neither_knows_parameters() -> None:
    bank = finished()
    for ins in (APPLICATION_BLOCK.ins, APPLICATION_UNBLOCK.ins, CARD_BLOCK.ins):
        for p1, p2 in ((0, 1), (1, 0)):
            plain = CommandAPDU(0x80, ins, p1, p2)
            assert 0x6A86 == bank.send(bytes(bank.messaging().protect(plain)))
        long = CommandAPDU(0x80, ins, 0, 0, b"\0")
        assert 0x6700 == bank.send(bytes(bank.messaging().protect(long)))


# The card


def test_card_block_ends_the_bank_and_not_the_social_security_application() -> None:
    chip = payment_chip()
    before = selects(chip)
    assert 0x9000 == before["PSE"] == before["DEBIT"]
    assert 0x9000 == finished(chip).script(CARD_BLOCK)
    ended = {"PSE": 0x6A81, "PPSE": 0x6A81, "part": 0x6A81, "DEBIT": 0x6A81}
    for interface in Interface:
        assert {**ended, "HRSS": 0x9000, "MF": 0x9000} == selects(chip, interface)
    chip.transmit(SELECT_HRSS)
    following = command(SELECT, Selection(occurrence=Occurrence.LAST), PARTIAL_AID)
    assert 0x6A81 == sw(chip.transmit(following))


def test_card_block_takes_effect_when_the_transaction_ends() -> None:
    bank = asked()
    assert 0x9000 == bank.script(CARD_BLOCK)
    assert 0x9000 == bank.authenticate()
    assert Result.TC is bank.finish()
    assert 0x6A81 == sw(bank.chip.transmit(SELECT_DEBIT))


@pytest.mark.parametrize("form", [APPLICATION_UNBLOCK, APPLICATION_BLOCK], ids=lambda f: f.name)
def test_nothing_brings_an_ended_application_back(form: CommandForm[None, None, None]) -> None:
    bank = finished()
    assert 0x9000 == bank.script(CARD_BLOCK)
    lives = facts(bank.chip)[3]
    assert 0x6985 == bank.script(form)
    assert lives == facts(bank.chip)[3]
    assert 0x9000 == bank.script(CARD_BLOCK)
    assert 0x6A81 == selects(bank.chip)["DEBIT"]


def test_an_ended_application_is_ended_after_power_comes_back() -> None:
    flash = Flash(bytearray(payment_cells()))
    assert 0x9000 == finished(boot_card(flash)).script(CARD_BLOCK)
    found = selects(boot_card(Flash(bytearray(flash.cells))))
    assert {0x6A81} == {found[name] for name in ("PSE", "PPSE", "DEBIT")}


# Waiting for the holder


def test_an_application_may_wait_for_the_holder_to_activate_the_account() -> None:
    chip = payment_chip({tags.NOT_ACTIVATED: b"\x01", **ONLINE_TOO})
    for interface in Interface:
        assert 0x6283 == Reader(chip, interface).select()
    bank = ScriptIssuer(chip)
    for result in (Result.TC, Result.ARQC):
        assert Result.AAC is bank.begin(result)
    assert 0x9000 == bank.script(APPLICATION_UNBLOCK)
    assert 0x9000 == bank.reader.select()
    assert Result.TC is bank.begin(Result.TC)


def test_an_application_that_does_not_wait_is_in_use_at_once() -> None:
    for value in (None, b"\x00"):
        assert 0x9000 == Reader(payment_chip({tags.NOT_ACTIVATED: value})).select()


def test_whether_it_waited_is_told_to_nobody() -> None:
    reader = Reader(payment_chip({tags.NOT_ACTIVATED: b"\x01"}))
    assert reader.data(tags.NOT_ACTIVATED) is None
