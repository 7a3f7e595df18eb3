# SPDX-License-Identifier: Apache-2.0
"""fDDA (快速DDA): what the card signs in a tap, and where the signature stands."""

from __future__ import annotations

import pytest
from paymentbench import (
    TERMINAL,
    Reader,
    published,
    state_of,
)
from tapbench import (
    FIELD,
    LAST,
    NUMBER,
    asked,
    card,
    in_record,
    tap,
)
from testbench import sw

from apdu.crypto import gmcert, oda, sm2
from apdu.crypto.oda_input import fdda_data
from apdu.crypto.rsa import CrtParts, RsaPrivateKey
from apdu.tlv import Tlv, parse
from apdu.wire.pboc import groups, tags
from apdu.wire.pboc.flags import Ttq

# fDDA


def rsa_key(base: str = "published") -> RsaPrivateKey:
    own = published(base)
    numbers = (0x8205, 0x8204, 0x8203, 0x8202, 0x8201)
    return RsaPrivateKey.from_crt(CrtParts(*(own[number] for number in numbers)))


NEW = asked(Ttq.FDDA_01)


def test_the_first_version_signs_the_terminals_number() -> None:
    reader, found = tap(card())
    data = oda.dynamic_data(rsa_key().public, found[tags.SIGNED_DYNAMIC_DATA], NUMBER)
    assert found[tags.ATC] == data.number
    assert tags.CARD_AUTHENTICATION_DATA not in in_record(reader.record(*LAST))


@pytest.mark.parametrize("mark", [None, b"\x40"])
def test_the_second_version_signs_the_amount_and_what_the_card_answers(mark: bytes | None) -> None:
    reader, found = tap(card(parameters={tags.DEDUCTION_INDICATOR: mark}), NEW)
    last = reader.record(*LAST)
    assert last == reader.record(*LAST)
    own = in_record(last)[tags.CARD_AUTHENTICATION_DATA]
    assert (8, b"\x01", found[tags.CTQ], mark or b"\0") == (len(own), own[:1], own[5:7], own[7:])
    terminal = fdda_data(1, NUMBER, TERMINAL[tags.AMOUNT], TERMINAL[tags.CURRENCY], own)
    data = oda.dynamic_data(rsa_key().public, found[tags.SIGNED_DYNAMIC_DATA], terminal)
    assert found[tags.ATC] == data.number
    assert in_record(last)[tags.EC_AUTHORISATION_CODE] == b"ECC001"


def test_the_cards_number_is_another_one_each_time() -> None:
    chip = card()
    numbers = set()
    for _ in range(3):
        reader, _ = tap(chip, NEW)
        numbers.add(in_record(reader.record(*LAST))[tags.CARD_AUTHENTICATION_DATA][1:5])
    assert 3 == len(numbers)


def test_only_a_card_of_pboc_3_signs_in_the_second_version() -> None:
    record = published()[0x0301].replace(bytes.fromhex("9F08020030"), bytes.fromhex("9F08020020"))
    reader, found = tap(card(groups={0x0301: record}), NEW)
    oda.dynamic_data(rsa_key().public, found[tags.SIGNED_DYNAMIC_DATA], NUMBER)
    assert tags.CARD_AUTHENTICATION_DATA not in in_record(reader.record(*LAST))


@pytest.mark.parametrize("base", ["rsa-1152", "rsa-1408"])
@pytest.mark.parametrize("version", [0, 1])
def test_a_long_signature_stands_in_the_last_record(base: str, version: int) -> None:
    chip = card(base=base)
    reader, found = tap(chip, NEW if version else {})
    assert tags.SIGNED_DYNAMIC_DATA not in found
    places = reader.places()
    for place in places[:-1]:
        assert tags.SIGNED_DYNAMIC_DATA not in in_record(reader.record(*place))
    answers = [reader.record(*places[-1]) for _ in range(2)]
    assert answers[0] == answers[1]
    last = in_record(answers[0])
    own = last.get(tags.CARD_AUTHENTICATION_DATA, b"")
    assert bool(version) == bool(own)
    terminal = fdda_data(version, NUMBER, TERMINAL[tags.AMOUNT], TERMINAL[tags.CURRENCY], own)
    signed = last[tags.SIGNED_DYNAMIC_DATA]
    assert found[tags.ATC] == oda.dynamic_data(rsa_key(base).public, signed, terminal).number
    assert 4900 == state_of(chip).balance


def test_a_long_signature_stands_in_the_record_that_was_made_for_it() -> None:
    own = Tlv(tags.SIGNED_DYNAMIC_DATA, b"")
    way = published("rsa-1152")[0x9207]
    afl = parse(way)[1].value
    groups = {
        0x0601: bytes(Tlv(tags.RECORD_TEMPLATE, bytes(own))),
        0x9207: way.replace(
            bytes(Tlv(tags.AFL, afl)), bytes(Tlv(tags.AFL, bytes.fromhex("30010100") + afl))
        ),
    }
    chip = card(groups=groups, base="rsa-1152")
    reader, found = tap(chip, NEW)
    (signed,) = parse(reader.record(6, 1)[:-2])[0].children
    assert 5000 == state_of(chip).balance
    last = in_record(reader.record(*reader.places()[-1]))
    assert tags.SIGNED_DYNAMIC_DATA not in last
    terminal = fdda_data(
        1,
        NUMBER,
        TERMINAL[tags.AMOUNT],
        TERMINAL[tags.CURRENCY],
        last[tags.CARD_AUTHENTICATION_DATA],
    )
    key = rsa_key("rsa-1152").public
    assert found[tags.ATC] == oda.dynamic_data(key, signed.value, terminal).number


@pytest.mark.parametrize("version", [0, 1])
def test_under_sm2_the_signature_stands_in_the_answer(version: int) -> None:
    chip = card(base="sm2")
    values = {**(NEW if version else {}), tags.SM_INDICATOR: b"\x01"}
    reader, found = tap(chip, values)
    last = in_record(reader.record(*reader.places()[-1]))
    own = last.get(tags.CARD_AUTHENTICATION_DATA, b"")
    terminal = fdda_data(version, NUMBER, TERMINAL[tags.AMOUNT], TERMINAL[tags.CURRENCY], own)
    key = sm2.PrivateKey(published("sm2")[groups.SM2_PRIVATE]).public
    signed = found[tags.SIGNED_DYNAMIC_DATA]
    assert found[tags.ATC] == gmcert.dynamic_data(key, signed, terminal).number


def test_a_card_without_dda_approves_without_signing() -> None:
    way = published()[0x9207].replace(bytes.fromhex("82027C00"), bytes.fromhex("82025C00"))
    chip = card(groups={0x9207: way})
    reader, found = tap(chip, NEW)
    assert tags.SIGNED_DYNAMIC_DATA not in found
    assert tags.CARD_AUTHENTICATION_DATA not in in_record(reader.record(*LAST))
    assert 4900 == state_of(chip).balance


def test_a_card_that_cannot_sign_approves_nothing() -> None:
    chip = card(groups={groups.RSA_P: None})
    reader = Reader(chip, FIELD)
    assert 0x6985 == sw(reader.ask())
    reader.record(*LAST)
    assert 5000 == state_of(chip).balance


def test_a_tap_that_is_not_approved_is_not_signed() -> None:
    reader, found = tap(card(), {tags.TTQ: bytes.fromhex("26800080")})
    assert tags.SIGNED_DYNAMIC_DATA not in found
    assert tags.CARD_AUTHENTICATION_DATA not in in_record(reader.record(*LAST))
