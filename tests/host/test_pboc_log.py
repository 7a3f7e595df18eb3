# SPDX-License-Identifier: Apache-2.0
"""Balances and logs as a card tells them, and lies about them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import fen, payment_chip
from paymentdesk import CONFIG, NOON, Rule, RuledCard, order

from apdu.tlv import tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.channel.memory import MemoryChannel
from host.faults import CardFault, CardMisspoke
from host.terminal.pboc import pay
from host.terminal.pboc_log import (
    MOST_RECORDS,
    CashBalance,
    LoggedTransaction,
    balance,
    loads,
    transactions,
)

OK = b"\x90\x00"
FORMAT = bytes.fromhex("9A039F21039F02065F2A029C019F3602")
CASH = {
    tags.EC_BALANCE: fen(5_000),
    tags.EC_BALANCE_LIMIT: fen(9_000),
    tags.EC_SINGLE_LIMIT: fen(2_000),
    tags.EC_RESET_THRESHOLD: fen(0),
}

SECOND = {tags.SECOND_EC_CURRENCY: b"\x03\x44", tags.SECOND_EC_BALANCE: fen(7)}


def logging(
    records: Iterable[bytes], entry: str = "0B0A", form: bytes = FORMAT, tag: int = tags.LOG_ENTRY
) -> RuledCard:
    inside = tlv(0xBF0C, [tlv(tag, bytes.fromhex(entry))])
    fci = tlv(0x6F, [tlv(tags.DF_NAME, DEBIT_AID), tlv(0xA5, [inside])])
    asked = tags.LOG_FORMAT if tag == tags.LOG_ENTRY else tags.LOAD_LOG_FORMAT
    rules: list[Rule] = [
        ("^00A404", bytes(fci) + OK),
        (f"^80CA{asked:04X}", bytes(tlv(asked, form)) + OK),
        *((f"^00B2{number:02X}", record + OK) for number, record in enumerate(records, 1)),
        ("^00B2", b"\x6a\x83"),
    ]
    return RuledCard(*rules, otherwise=())


def test_a_card_tells_its_electronic_cash() -> None:
    chip = payment_chip({**CASH, **SECOND})
    assert CashBalance(5_000, 9_000, 2_000, 7) == balance(Card(MemoryChannel(chip)))
    without = RuledCard(("^80CA", b"\x6a\x88"))
    assert CashBalance(None, None, None, None) == balance(Card(without))


@pytest.mark.parametrize("value", ["FFFFFFFFFFFF", "0000", "00000000001A"])
def test_a_balance_that_is_none_is_not_believed(value: str) -> None:
    said = bytes(tlv(tags.EC_BALANCE, bytes.fromhex(value))) + OK
    with pytest.raises(CardMisspoke, match="9F79"):
        balance(Card(RuledCard(("^80CA9F79", said))))


def test_what_a_chip_logged_is_read_the_newest_first() -> None:
    chip = payment_chip(CASH)
    card = Card(MemoryChannel(chip))
    for number, amount in enumerate((100, 250), 1):
        given = order(amount, trace=number, reference=f"{number:012d}")
        assert pay(card, given, CONFIG).approved
    found = transactions(card)
    assert [(250, 2), (100, 1)] == [(each.amount, each.atc) for each in found]
    first = found[0]
    assert ("156", "156", "00", NOON) == (first.currency, first.country, first.kind, first.time)
    assert "社保卡测试商户" == first.merchant
    assert {"amount": 250, "time": "2026-01-05T12:00:00"}.items() <= first.as_json().items()
    assert json.dumps([each.as_json() for each in found])
    assert [] == loads(card)


def test_a_load_log_tells_balances_before_and_after() -> None:
    record = bytes.fromhex("9F79") + fen(100) + fen(900) + bytes.fromhex("2601050007")
    card = logging([record], "0C0A", bytes.fromhex("9A039F3602"), tags.LOAD_LOG_ENTRY)
    (found,) = loads(Card(card))
    assert (tags.EC_BALANCE, 100, 900, 7) == (
        found.tag,
        found.before,
        found.after,
        found.transaction.atc,
    )
    assert datetime(2026, 1, 5) == found.transaction.time
    assert {"balance": "9F79", "before": 100, "after": 900}.items() <= found.as_json().items()


def test_a_card_without_a_log_has_none() -> None:
    assert [] == transactions(Card(RuledCard()))
    assert [] == loads(Card(RuledCard()))


def test_records_that_were_never_written_are_none() -> None:
    size = 3 + 3 + 6 + 2 + 1 + 2
    assert [] == transactions(Card(logging([bytes(size), b"\xff" * size])))


def test_a_log_is_read_as_far_as_the_card_says_and_no_further() -> None:
    size = 3 + 3 + 6 + 2 + 1 + 2
    record = bytes.fromhex("260105120000000000000100015600") + b"\0\1"
    assert size == len(record)
    for entry, expected in (("0B03", 3), ("0BFF", MOST_RECORDS)):
        card = logging([record] * 40, entry)
        assert expected == len(transactions(Card(card))) == len(card.sent("^00B2"))


@pytest.mark.parametrize(
    ("entry", "form", "record"),
    [
        ("0A0A", FORMAT, b""),
        ("1F0A", FORMAT, b""),
        ("0B0A0A", FORMAT, b""),
        ("0B0A", b"\x9f", b""),
        ("0B0A", bytes.fromhex("9A039A03"), b""),
        ("0B0A", FORMAT, b"\x01"),
        ("0B0A", bytes.fromhex("9F0206"), bytes.fromhex("00000000000A")),
    ],
)
def test_a_log_that_is_none_is_not_believed(entry: str, form: bytes, record: bytes) -> None:
    with pytest.raises(CardMisspoke):
        transactions(Card(logging([record] if record else [], entry, form)))


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(max_size=12))
def test_no_log_whatever_is_more_than_a_fault(records: list[bytes], form: bytes) -> None:
    for tag, ask in ((tags.LOG_ENTRY, transactions), (tags.LOAD_LOG_ENTRY, loads)):
        try:
            found = ask(Card(logging(records, form=form, tag=tag)))
        except CardFault:
            continue
        assert len(found) <= len(records)
        for each in found:
            assert isinstance(each.as_json(), dict)


@given(st.binary(min_size=3, max_size=3), st.binary(min_size=3, max_size=3))
def test_a_time_that_there_is_not_is_none(day: bytes, time: bytes) -> None:
    (found,) = transactions(
        Card(logging([day + time + b"\1"], form=bytes.fromhex("9A039F21039C01")))
    )
    assert isinstance(found, LoggedTransaction)
    digits = f"20{day.hex()}{time.hex()}"
    assert found.time is None or f"{found.time:%Y%m%d%H%M%S}" == digits
