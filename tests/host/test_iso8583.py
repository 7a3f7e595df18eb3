# SPDX-License-Identifier: Apache-2.0
"""Messages between terminal and issuer: typed values to bytes and back, and everything refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("iso8583")

from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.network import iso8583
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    Purpose,
    Reversal,
)
from host.network.elements55 import WrongElement, read_elements
from host.network.iso8583 import SPEC, Message, MessageWrong, decode, encode
from host.network.messages import (
    ANSWER_TO,
    Asked,
    Echo,
    answer_to,
    question_of,
    read_answer,
    read_question,
)
from host.network.purposes import TRANSACTION_TYPES, processing_code, purpose_of

NOON = datetime(2026, 3, 1, 12, 0, 0)
MAC_KEYS = [suite.key(bytes(range(16))) for suite in SUITES.values()]
PAN = "6228000100001117"
SAMPLE = AuthorisationRequest(
    reference="000000000001",
    trace=1,
    time=NOON,
    purpose=Purpose.PURCHASE,
    amount=1234,
    pan=PAN,
    psn="01",
    terminal_id="TERM0001",
    merchant_id="MERCHANT0000001",
    icc=bytes.fromhex("9F36020001"),
    pin_block=b"\xe1\xa2\xb3\xc4\xd5\xf6\x07\x18",
)


def digits(least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most or least)


def printable(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=size, max_size=size)


near_noon = st.timedeltas(timedelta(days=-180), timedelta(days=180)).map(
    lambda apart: (NOON + apart).replace(microsecond=0)
)
shared = {
    "reference": digits(12),
    "trace": st.integers(1, 999_999),
    "time": near_noon,
    "amount": st.integers(0, LARGEST_AMOUNT),
    "pan": digits(12, 19),
    "terminal_id": printable(8),
    "merchant_id": printable(15),
    "icc": st.binary(max_size=255),
}
requests = st.builds(
    AuthorisationRequest,
    **shared,
    purpose=st.sampled_from(Purpose),
    psn=digits(2),
    entry_mode=st.sampled_from(EntryMode),
    currency=digits(3),
    pin_block=st.just(b"") | st.binary(min_size=8, max_size=8),
    target=st.just("") | digits(12, 19),
    advice=st.booleans(),
)
reversals = st.builds(Reversal, **shared, reason=digits(2))
echoes = st.builds(
    Echo,
    trace=shared["trace"],
    time=near_noon,
    terminal_id=printable(8),
    merchant_id=printable(15),
)
responses = st.builds(
    AuthorisationResponse,
    response_code=printable(2),
    authorisation_code=st.just("") | printable(6),
    balance=st.none() | st.integers(-LARGEST_AMOUNT, LARGEST_AMOUNT),
    icc=st.binary(max_size=255),
)
mac_keys = st.sampled_from([None, *MAC_KEYS])


@given(requests | reversals | echoes, mac_keys)
def test_what_is_asked_comes_out_as_it_went_in(asked: Asked, key: BlockKey | None) -> None:
    sent = encode(question_of(asked), key)
    assert len(sent) <= iso8583.LONGEST
    assert asked == read_question(decode(sent, key), NOON.date())


@given(requests | reversals | echoes, responses, mac_keys)
def test_what_is_answered_comes_out_as_it_went_in(
    asked: Asked, response: AuthorisationResponse, key: BlockKey | None
) -> None:
    question = question_of(asked)
    sent = encode(answer_to(decode(encode(question)), response), key)
    assert response == read_answer(decode(sent, key), question)


@given(requests, st.data())
def test_bytes_that_were_changed_are_told_by_the_mac(
    asked: AuthorisationRequest, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(MAC_KEYS))
    sent = bytearray(encode(question_of(asked), key))
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MessageWrong):
        decode(bytes(sent), key)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda more: b"\2\0\x70" + more))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    try:
        message = decode(raw)
        read_question(message, NOON.date())
    except FormatError:
        pass


@given(requests, st.data())
def test_a_message_cut_short_is_refused(asked: AuthorisationRequest, data: st.DataObject) -> None:
    sent = encode(question_of(asked))
    with pytest.raises(MessageWrong):
        decode(sent[: data.draw(st.integers(0, len(sent) - 1))])
    with pytest.raises(MessageWrong):
        decode(sent + b"\0")


def test_a_request_is_these_very_bytes() -> None:
    expected = (
        "0200" + "7038068008C09A00"  # 2 to 4, 11 to 13, 22, 23, 25, 37, 41, 42, 49, 52, 53, 55
        "166228000100001117" + "000000" + "000000001234" + "000001" + "120000" + "0301"
        "0510"
        + "0001"
        + "00"
        + b"000000000001TERM0001MERCHANT0000001156".hex().upper()
        + "E1A2B3C4D5F60718"
        + "2600000000000000"
        + "00059F36020001"
    )
    assert expected == encode(question_of(SAMPLE)).hex().upper()


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("reference", "12345678901", "reference: must be 12 digits"),
        ("reference", "12345678901A", "reference: must be 12 digits"),
        ("trace", 0, "trace number: must be 1 to 999999"),
        ("trace", 1_000_000, "trace number: must be 1 to 999999"),
        ("amount", -1, "amount: must be 0 to 999999999999"),
        ("amount", 10**12, "amount: must be 0 to 999999999999"),
        ("pan", "62280001000", "PAN: must be 12 to 19 digits"),
        ("psn", "1", "PSN: must be 2 digits"),
        ("currency", "CNY", "currency: must be 3 digits"),
        ("terminal_id", "TERM001", "terminal: must be 8 printable characters of ASCII"),
        ("merchant_id", "商户00000000000001", "merchant: must be 15 printable"),
        ("icc", bytes(256), "DE55: 256 bytes, 255 at most"),
        ("pin_block", bytes(7), "PIN block: 7 bytes, must be 8 or none"),
        ("target", "62", "target: must be a PAN, 12 to 19 digits"),
    ],
)
def test_a_field_that_does_not_fit_is_named(name: str, value: object, rule: str) -> None:
    with pytest.raises(FormatError) as caught:
        question_of(replace(SAMPLE, **{name: value}))
    assert str(caught.value).startswith(rule)


def changed(**fields: str | None) -> Message:
    message = question_of(SAMPLE)
    kept = {**message.fields, **{name[2:]: value for name, value in fields.items()}}
    return Message(message.mti, {name: value for name, value in kept.items() if value is not None})


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        (changed(de2=None), "2", "DE2: it is missing"),
        (changed(de37=None), "37", "DE37: it is missing"),
        (changed(de22="021"), "22", "DE22: must be 05 or 07"),
        (changed(de22="052"), "22", "DE22: must say whether there is a PIN block"),
        (changed(de23="100"), "23", "DE23: must be 000 to 099"),
        (changed(de25="01"), "25", "DE25: must be 00"),
        (changed(de53=None), "53", "DE53: it is missing"),
        (changed(de53="1600000000000000"), "53", "DE53: must be a PIN block of format 0"),
        (changed(de13="0230"), "13", "DE13: is no date"),
        (changed(de12="240000"), "12", "DE12: is no time of day"),
        (replace(changed(), mti="0100"), "t", "message type: it asks for nothing"),
    ],
)
def test_a_message_that_makes_no_request_names_the_field(
    message: Message, field: str, rule: str
) -> None:
    with pytest.raises(MessageWrong) as caught:
        read_question(message, NOON.date())
    assert str(caught.value).startswith(rule)
    assert field == caught.value.field


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ("", "message type"),
        ("0200", "bitmap"),
        ("02A0" + "00" * 8, "message type: must be decimal digits"),
        ("0200" + "0000000000000000" + "00", "bitmap"),
        ("0200" + "2000000000000000" + "0000A0", "DE3: must be decimal digits"),
        ("0200" + "4000000000000000" + "20" + "62" * 10, "DE2"),
        ("0200" + "0800000000000000" + "00", "DE5: no field of these messages"),
        ("0200" + "0000000000800000" + "0A" * 8, "DE41: must be printable"),
        ("0200" + "0000000000800000" + "FF" * 8, "DE41"),
        ("0200" + "0000000000000200" + "0256" + "00" * 256, "DE55"),
        ("0200" + "00" * 1100, "message type: the message has 1102 bytes, 1024 at most"),
    ],
)
def test_bytes_that_make_no_message_name_the_field(raw: str, rule: str) -> None:
    with pytest.raises(MessageWrong) as caught:
        decode(bytes.fromhex(raw))
    assert str(caught.value).startswith(rule)


def test_a_message_without_its_mac_is_refused() -> None:
    with pytest.raises(MessageWrong, match="DE64: the MAC is missing"):
        decode(encode(question_of(SAMPLE)), MAC_KEYS[0])
    with pytest.raises(MessageWrong, match="DE64: the MAC is wrong"):
        decode(encode(question_of(SAMPLE), MAC_KEYS[0]), MAC_KEYS[1])
    with pytest.raises(MessageWrong, match="DE128: the MAC is wrong"):
        decode(encode(question_of(replace(SAMPLE, target=PAN)), MAC_KEYS[0]), MAC_KEYS[1])


@pytest.mark.parametrize("field", ["11", "37", "41", "42"])
def test_an_answer_to_another_question_is_none(field: str) -> None:
    question = question_of(SAMPLE)
    answer = answer_to(question, AuthorisationResponse("00"))
    other = {**answer.fields, field: answer.fields[field][:-1] + "9"}
    with pytest.raises(MessageWrong, match=f"DE{field}: it answers another question"):
        read_answer(Message(answer.mti, other), question)
    with pytest.raises(MessageWrong, match="message type"):
        read_answer(Message("0410", answer.fields), question)


@pytest.mark.parametrize("told", ["1002156C00000000123", "1001156C000000001234", "1" * 20])
def test_a_balance_that_is_none_is_refused(told: str) -> None:
    question = question_of(SAMPLE)
    answer = answer_to(question, AuthorisationResponse("00"))
    with pytest.raises(MessageWrong, match="DE54"):
        read_answer(Message(answer.mti, {**answer.fields, "54": told}), question)


def test_nothing_that_is_secret_is_shown() -> None:
    secrets = (PAN, SAMPLE.pin_block.hex().upper(), SAMPLE.icc.hex().upper())
    message = question_of(replace(SAMPLE, target="6228000100009999"))
    texts = [repr(message), str(message), repr(SAMPLE).replace(PAN, "")]
    for field, value in {"22": "0", "38": "1234567", "52": "00", "55": "0"}.items():
        with pytest.raises(MessageWrong) as caught:
            encode(Message(message.mti, {**message.fields, field: value}))
        assert caught.value.__context__ is None
        texts.append(str(caught.value))
    texts.append("".join(texts))
    assert [] == [text for text in texts for secret in secrets if secret in text]
    assert "6228000100009999" not in texts[-1]


@given(st.dates(date(2000, 3, 1), date(2099, 10, 1)), st.integers(-182, 182))
def test_the_year_is_the_one_that_is_nearest(today: date, days: int) -> None:
    asked = replace(SAMPLE, time=datetime.combine(today + timedelta(days), NOON.time()))
    assert asked == read_question(question_of(asked), today)


def test_the_29th_of_february_finds_its_year() -> None:
    asked = replace(SAMPLE, time=datetime(2028, 2, 29))
    assert asked == read_question(question_of(asked), date(2027, 12, 31))
    with pytest.raises(MessageWrong, match="DE13"):
        read_question(question_of(asked), date(2026, 1, 1))


def test_every_purpose_has_one_type_and_one_code() -> None:
    assert set(Purpose) == set(TRANSACTION_TYPES)
    assert len(Purpose) == len(set(TRANSACTION_TYPES.values()))
    assert list(Purpose) == [purpose_of(processing_code(purpose)) for purpose in Purpose]
    written = {purpose: code.hex() for purpose, code in TRANSACTION_TYPES.items()}
    assert ("00", "01", "60", "63") == tuple(
        written[each]
        for each in (Purpose.PURCHASE, Purpose.WITHDRAWAL, Purpose.LOAD, Purpose.CASH_LOAD)
    )
    with pytest.raises(FormatError, match="DE3: no such processing code"):
        purpose_of("990000")


def test_every_field_of_the_table_has_a_name_and_every_question_an_answer() -> None:
    assert all(how["desc"] for how in SPEC.values())
    assert {"0200": "0210", "0220": "0230", "0400": "0410", "0800": "0810"} == ANSWER_TO


def test_without_the_library_the_error_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iso8583", None)
    with pytest.raises(iso8583.MessagesUnavailable, match=r"pip install 'sscard\[bank\]'"):
        encode(question_of(SAMPLE))


# DE55


@pytest.mark.parametrize(
    ("icc", "tag", "rule"),
    [
        ("9F2607" + "00" * 7, 0x9F26, "DE55 9F26: 7 bytes, must be 8"),
        ("9F36020001" * 2, 0x9F36, "DE55 9F36: it is there twice"),
        ("9F3602", 0, "DE55: TLV"),
        ("9F36" + "81020001", 0, "DE55: TLV"),
        ("9F1021" + "00" * 33, 0x9F10, "DE55 9F10: 33 bytes, must be 0 to 32"),
        ("00" * 256, 0, "DE55: 256 bytes, 255 at most"),
    ],
)
def test_a_broken_element_is_named(icc: str, tag: int, rule: str) -> None:
    with pytest.raises(WrongElement) as caught:
        read_elements(bytes.fromhex(icc))
    assert str(caught.value).startswith(rule)
    assert tag == caught.value.tag
