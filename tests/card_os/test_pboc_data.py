# SPDX-License-Identifier: Apache-2.0
"""READ RECORD and GET DATA: all that a card tells, and that it tells nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paymentbench import (
    LOAD_LOG,
    Reader,
    block,
    chip_of,
    context,
    debit_directory,
    fen,
    in_use,
    lose_pin,
    payment_cells,
    payment_chip,
    profile,
    published,
    state_of,
)
from testbench import sw

from apdu.atr import Interface
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.suites import SUITES
from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LoadLog, LoadLogHead
from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.groups import KEYS, SECRET, record_place
from apdu.wire.perso import Algorithm
from card_os.apps.pboc import logs

DOLLARS = bytes.fromhex("0840")
SECOND = {
    tags.SECOND_EC_CURRENCY: DOLLARS,
    tags.SECOND_EC_CVM_LIMIT: fen(72),
    tags.SECOND_EC_THRESHOLD: fen(76),
    tags.SECOND_EC_BALANCE_LIMIT: fen(9900),
    tags.SECOND_EC_SINGLE_LIMIT: fen(780),
    tags.SECOND_EC_BALANCE: fen(790),
}
OWN = {
    tags.EC_BALANCE: fen(5000),
    tags.EC_RESET_THRESHOLD: fen(1500),
    tags.EC_BALANCE_LIMIT: fen(15000),
    tags.EC_SINGLE_LIMIT: fen(1000),
    tags.CARD_CVM_LIMIT: fen(500),
}
REST = {
    tags.CTTAL: fen(54),
    tags.CTTAUL: fen(58),
    tags.CONVERSION_FACTOR: bytes.fromhex("20000123"),
    tags.DUAL_LIMIT: fen(75),
    tags.DEDUCTION_INDICATOR: b"\x40",
    tags.DEDUCTION_LIMIT: fen(62),
    tags.DEDUCTION_USED: fen(0),
}
FULL = {**OWN, **SECOND, **REST}
"""Every element that GET DATA may tell, beside those the published card has."""
TOLD = {
    *SECOND,
    *OWN,
    *REST,
    tags.ATC,
    tags.LAST_ONLINE_ATC,
    tags.PIN_TRIES,
    tags.LOG_FORMAT,
    tags.LOAD_LOG_FORMAT,
    tags.RISK_CURRENCY,
    tags.ADA,
    tags.INTERNATIONAL_CURRENCY_LIMIT,
    tags.ISSUER_AUTHENTICATION_INDICATOR,
    tags.RISK_COUNTRY,
    tags.LOWER_LIMIT,
    tags.UPPER_LIMIT,
    tags.AVAILABLE_AMOUNT,
    tags.CARD_PROCESSING,
    tags.INTERNATIONAL_COUNTRY_LIMIT,
    tags.SECOND_CURRENCY,
}


# GET DATA


def test_get_data_tells_these_elements_and_no_others() -> None:
    chip = payment_chip(FULL, LOAD_LOG)
    Reader(chip)
    head, not_there = bytes.fromhex("80CA"), bytes.fromhex("6A88")
    told = {
        tag for tag in range(0x10000) if chip.transmit(head + tag.to_bytes(2) + b"\0") != not_there
    }
    assert TOLD == told


def test_nothing_that_the_card_says_has_a_secret_in_it() -> None:
    reader = Reader(payment_chip(FULL, LOAD_LOG))
    reader.options()
    said = b"".join(reader.data(tag) or b"" for tag in TOLD)
    said += b"".join(reader.record(sfi, number) for sfi in range(31) for number in range(256))
    for number in SECRET & set(published()):
        secret = published()[number]
        for at in range(0, len(secret) - 7, 8):
            assert secret[at : at + 8] not in said


@pytest.mark.parametrize("tag", sorted({*OWN, *SECOND, *REST}))
def test_an_element_is_told_as_it_was_given(tag: int) -> None:
    assert FULL[tag] == Reader(payment_chip(FULL)).data(tag)


@pytest.mark.parametrize("tag", sorted({*OWN, *SECOND, *REST} - {tags.DEDUCTION_USED}))
def test_an_element_that_the_card_does_not_have_is_not_told(tag: int) -> None:
    assert Reader(payment_chip({**FULL, tag: None})).data(tag) is None


def test_what_was_deducted_goes_with_its_limit() -> None:
    chip = payment_chip({**FULL, tags.DEDUCTION_LIMIT: None})
    assert Reader(chip).data(tags.DEDUCTION_USED) is None
    chip = in_use(FULL, deducted=33)
    assert fen(33) == Reader(chip).data(tags.DEDUCTION_USED)


def test_counters_and_balances_are_told_as_they_are() -> None:
    chip = in_use(FULL, atc=0x0203, last_online_atc=0x0102, balance=17, second_balance=18)
    reader = Reader(chip)
    assert bytes.fromhex("0203") == reader.data(tags.ATC)
    assert bytes.fromhex("0102") == reader.data(tags.LAST_ONLINE_ATC)
    assert (17, 18) == (reader.amount(tags.EC_BALANCE), reader.amount(tags.SECOND_EC_BALANCE))


def test_the_counter_is_told_as_soon_as_it_has_moved() -> None:
    reader = Reader(payment_chip())
    assert bytes(2) == reader.data(tags.ATC)
    reader.options()
    assert bytes.fromhex("0001") == reader.data(tags.ATC)


def test_the_tries_of_the_pin_are_told_and_of_none_there_are_none() -> None:
    chip = payment_chip()
    assert b"\x03" == Reader(chip).data(tags.PIN_TRIES)
    lose_pin(chip)
    assert b"\x00" == Reader(chip).data(tags.PIN_TRIES)
    assert Reader(payment_chip(groups={0x8010: None, 0x9010: None})).data(tags.PIN_TRIES) is None


@pytest.mark.parametrize(
    ("method", "available"),
    [
        (Bit.CASH_CHECK, 5000),
        (Bit.CASH_AND_CTTA_CHECK, 30),
        (Bit.CASH_OR_CTTA_CHECK, 5030),
        (Bit(0), 0),
    ],
)
def test_what_is_available_is_computed(method: Bit, available: int) -> None:
    parameters = {
        **OWN,
        tags.CTTAL: fen(40),
        tags.CARD_PROCESSING: int(method).to_bytes(4),
        tags.AVAILABLE_AMOUNT: fen(1),
    }
    assert available == Reader(in_use(parameters, spent=10)).amount(tags.AVAILABLE_AMOUNT)


PAIRS = {
    tags.EC_BALANCE: tags.SECOND_EC_BALANCE,
    tags.EC_RESET_THRESHOLD: tags.SECOND_EC_THRESHOLD,
    tags.EC_BALANCE_LIMIT: tags.SECOND_EC_BALANCE_LIMIT,
    tags.EC_SINGLE_LIMIT: tags.SECOND_EC_SINGLE_LIMIT,
    tags.CARD_CVM_LIMIT: tags.SECOND_EC_CVM_LIMIT,
}


@pytest.mark.parametrize("tag", PAIRS)
def test_while_the_second_currency_is_spent_its_elements_are_told(tag: int) -> None:
    reader = Reader(in_use(FULL))
    assert FULL[tag] == reader.data(tag)
    reader.options({tags.EC_INDICATOR: b"\x01", tags.CURRENCY: DOLLARS})
    assert SECOND[PAIRS[tag]] == reader.data(tag)
    assert SECOND[PAIRS[tag]] == reader.data(PAIRS[tag])
    reader.select()
    assert FULL[tag] == reader.data(tag)


def test_while_the_own_currency_is_spent_its_elements_are_told() -> None:
    reader = Reader(in_use(FULL))
    reader.options({tags.EC_INDICATOR: b"\x01"})
    assert FULL[tags.EC_BALANCE] == reader.data(tags.EC_BALANCE)


def test_what_is_available_of_the_second_currency_is_told_while_it_is_spent() -> None:
    reader = Reader(in_use(FULL))
    assert 5000 == reader.amount(tags.AVAILABLE_AMOUNT)
    reader.options({tags.EC_INDICATOR: b"\x01", tags.CURRENCY: DOLLARS})
    assert 790 == reader.amount(tags.AVAILABLE_AMOUNT)


def test_a_blocked_application_tells_what_it_did() -> None:
    chip = payment_chip(OWN)
    block(chip)
    reader = Reader(chip)
    assert 5000 == reader.amount(tags.EC_BALANCE)
    assert 0x9000 == sw(reader.record(1, 1))


# READ RECORD


@pytest.mark.parametrize("interface", list(Interface))
def test_every_record_is_read_as_it_was_given_and_nothing_else_is(interface: Interface) -> None:
    reader = Reader(payment_chip(), interface)
    records = {
        place: value for number, value in published().items() if (place := record_place(number))
    }
    for sfi in range(1, 31):
        for number in range(256):
            answer = reader.record(sfi, number)
            if (sfi, number) in records:
                assert records[sfi, number] + b"\x90\x00" == answer
            else:
                known = sfi in {1, 2, 3, 4, 11}
                assert (0x6A83 if known else 0x6A82) == sw(answer)
                assert 2 == len(answer)


def test_records_are_read_before_and_after_gpo() -> None:
    reader = Reader(payment_chip())
    before = reader.record(2, 1)
    reader.options()
    assert before == reader.record(2, 1)
    assert 0x9000 == sw(before)


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 5, 6, 7])
def test_records_are_named_by_number_alone(mode: int) -> None:
    reader = Reader(payment_chip())
    assert 0x6A86 == sw(reader.transmit(bytes((0, 0xB2, 1, 1 << 3 | mode, 0))))


def test_no_file_is_current() -> None:
    assert 0x6A82 == sw(Reader(payment_chip()).record(0, 1))


# The load log


def load(chip_reader: Reader, amount: int, merchant: bytes = b"SHOP".ljust(20)) -> None:
    """What a load leaves behind."""
    chip = chip_reader.chip
    state = state_of(chip)
    card = profile(chip)
    assert card.load_log is not None
    asked = card.contact_pdol
    sent = bytearray(asked.length)
    place = asked.places[tags.MERCHANT_NAME]
    sent[place.at : place.at + place.length] = merchant
    entry = logs.load_record(
        card,
        tags.EC_BALANCE,
        state.balance,
        amount,
        state.atc.to_bytes(2),
        (asked, bytes(sent)),
    )
    logs.commit_load(context(chip), card, replace(state, balance=amount), entry)


def whole_log(reader: Reader) -> LoadLog:
    answer = reader.record(12, 0)
    assert 0x9000 == sw(answer)
    return LoadLog.parse(answer[:-2])


def mac_of(found: LoadLog, key: bytes) -> bytes:
    suite = SUITES[Algorithm.TDES]
    session = suite.key(pboc_session_key(suite.key(key), found.atc))
    return session.mac(bytes(found)[:-4])[:4]


def test_the_load_log_is_read_record_by_record() -> None:
    reader = Reader(payment_chip(OWN, LOAD_LOG))
    reader.options()
    for amount in (6000, 7000):
        load(reader, amount)
    newest = reader.record(12, 1)[:-2]
    head = LoadLogHead.parse(newest[: LoadLogHead.byte_length()])
    assert LoadLogHead(tags.EC_BALANCE, fen(6000), fen(7000)) == head
    assert bytes(8) + b"SHOP".ljust(20) + bytes(1) + bytes.fromhex("0001") == newest[14:]
    assert fen(5000) == reader.record(12, 2)[2:8]
    assert 0x6A83 == sw(reader.record(12, 3))


@pytest.mark.parametrize("loads", [0, 1, 3, 10, 11])
def test_the_load_log_is_read_as_a_whole_with_a_mac(loads: int) -> None:
    reader = Reader(payment_chip(OWN, LOAD_LOG))
    reader.options()
    for amount in range(1, loads + 1):
        load(reader, amount)
    found = whole_log(reader)
    assert min(loads, 10) == found.count
    size = 14 + 31
    records = [found.records[at : at + size] for at in range(0, len(found.records), size)]
    newest = range(loads, max(loads - 10, 0), -1)
    assert list(newest) == [amount_of(each[8:14]) for each in records]
    key = published()[KEYS[Algorithm.TDES]][16:32]
    assert mac_of(found, key) == found.mac
    assert state_of(reader.chip).atc.to_bytes(2) == found.atc


def test_before_gpo_the_load_log_is_under_the_last_transaction() -> None:
    reader = Reader(in_use(OWN, LOAD_LOG, atc=9))
    found = whole_log(reader)
    assert bytes.fromhex("0009") == found.atc
    assert mac_of(found, published()[KEYS[Algorithm.TDES]][16:32]) == found.mac


def test_a_card_that_cannot_say_where_its_load_log_is_has_none() -> None:
    reader = Reader(payment_chip(OWN))
    assert profile(reader.chip).load_log is None
    assert 0x6A82 == sw(reader.record(12, 0))


def test_the_transaction_log_is_not_read_as_a_whole() -> None:
    assert 0x6A83 == sw(Reader(payment_chip(OWN, LOAD_LOG)).record(11, 0))


def test_without_a_way_to_go_there_is_no_key_for_the_load_log() -> None:
    groups = {**LOAD_LOG, 0x9104: None, 0x9203: None, 0x9207: None}
    assert 0x6985 == sw(Reader(payment_chip(OWN, groups)).record(12, 0))


# Records of a log


def test_an_element_of_another_length_is_fitted_and_one_that_nobody_sent_is_zeros() -> None:
    layout = bytes.fromhex("9F3603 9F0204 9F4E05 9F2103")
    chip = chip_of(payment_cells({tags.LOG_FORMAT: layout}))
    card = profile(chip)
    sent = bytes.fromhex("0156 00 000000012345 0156") + b"MERCHANT".ljust(20)
    entry = logs.transaction_record(card, bytes.fromhex("0007"), (card.contact_pdol, sent))
    expected = bytes.fromhex("000700 00012345") + b"MERCH" + bytes(3)
    assert expected == entry


def test_the_first_of_what_was_sent_counts() -> None:
    chip = payment_chip({tags.LOG_FORMAT: bytes.fromhex("9F0206")})
    card = profile(chip)
    lists = ((card.contactless_pdol, bytes(33)), (card.contact_pdol, b"\x11" * 31))
    assert fen(0) == logs.transaction_record(card, bytes(2), *lists)
    assert b"\x11" * 6 == logs.transaction_record(card, bytes(2), *reversed(lists))


def test_a_card_without_a_log_records_nothing() -> None:
    chip = payment_chip({tags.LOG_FORMAT: None, tags.LOAD_LOG_FORMAT: None}, LOAD_LOG)
    card = profile(chip)
    assert b"" == logs.transaction_record(card, bytes(2))
    assert b"" == logs.load_record(card, tags.EC_BALANCE, 0, 1, bytes(2))
    Reader(chip)
    before = state_of(chip)
    logs.commit(context(chip), card, replace(before, atc=3), b"")
    assert 3 == state_of(chip).atc
    assert not debit_directory(chip).by_sfi


def test_what_a_card_was_given_is_what_its_profile_says() -> None:
    card = profile(payment_chip(groups=LOAD_LOG))
    assert card.transaction_log is not None
    assert card.load_log is not None
    assert (11, 10, 45) == (
        card.transaction_log.sfi,
        card.transaction_log.records,
        card.transaction_log.layout.length,
    )
    assert (12, 10, 31) == (card.load_log.sfi, card.load_log.records, card.load_log.layout.length)
    assert parse(card.contact_fci)[0].tag == tags.FCI_TEMPLATE
