# SPDX-License-Identifier: Apache-2.0
"""The tap on the chip: what GPO answers, and that the issuer can believe it."""

from __future__ import annotations

import pytest
from paymentbench import (
    TERMINAL,
    Reader,
    context,
    fci,
    fen,
    published,
    state_of,
)
from tapbench import (
    BITS,
    FIELD,
    NUMBER,
    ONLINE,
    Parameters,
    asked,
    card,
    cvr_of,
    tap,
)
from testbench import sw

from apdu.crypto.cryptogram import verify_card, verify_idd
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.suites import SUITES
from apdu.wire.cryptogram import Cvn, Cvn01Input, Cvn17Input, IssuerApplicationData, OneAmountIdd
from apdu.wire.pboc import groups, tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.flags import Ctq, Result, Ttq, first_of, second_of
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.transaction import Phase, current

# The answer


def test_an_approval_has_the_list_of_records_and_the_signature() -> None:
    _, found = tap(card())
    assert [
        tags.AIP,
        tags.AFL,
        tags.ATC,
        tags.AC,
        tags.IAD,
        tags.TRACK_2,
        tags.PSN,
        tags.SIGNED_DYNAMIC_DATA,
        tags.CTQ,
    ] == list(found)
    assert Result.TC is first_of(cvr_of(found))
    assert Result.ARQC is second_of(cvr_of(found))


@pytest.mark.parametrize(
    ("values", "result"),
    [(ONLINE, Result.ARQC), ({**asked(Ttq.OFFLINE_ONLY), tags.AMOUNT: fen(5001)}, Result.AAC)],
)
def test_a_question_and_a_refusal_have_no_list_of_records(
    values: dict[int, bytes], result: Result
) -> None:
    reader, found = tap(card(parameters={tags.CARD_CVM_LIMIT: None}), values)
    assert [
        tags.AIP,
        tags.ATC,
        tags.TRACK_2,
        tags.IAD,
        tags.AC,
        tags.PRODUCT,
        tags.PSN,
        tags.CTQ,
        tags.CARDHOLDER_NAME,
    ] == list(found)
    assert result is first_of(cvr_of(found))
    assert Phase.ENDED is current(context(reader.chip)).phase


@pytest.mark.parametrize("values", [{}, ONLINE])
def test_what_is_available_is_told_behind_the_qualifiers_where_the_card_tells_it(
    values: dict[int, bytes],
) -> None:
    _, found = tap(card(BITS | Bit.TELL_AVAILABLE_AMOUNT), values)
    order = list(found)
    assert order.index(tags.AVAILABLE_AMOUNT) == order.index(tags.CTQ) + 1
    assert (5000 if values else 4900) == amount_of(found[tags.AVAILABLE_AMOUNT])


@pytest.mark.parametrize(
    ("method", "available"),
    [
        (Bit.CASH_CHECK, 4900),
        (Bit.CASH_AND_CTTA_CHECK, 300),
        (Bit.CASH_OR_CTTA_CHECK, 4900 + 400),
    ],
)
def test_what_is_available_is_what_is_left_after_this_tap(method: Bit, available: int) -> None:
    limits: Parameters = {tags.CTTAL: fen(600)}
    _, found = tap(card(method | Bit.TELL_AVAILABLE_AMOUNT, limits, spent=200))
    assert available == amount_of(found[tags.AVAILABLE_AMOUNT])


def test_the_upper_limit_goes_before_the_limit_where_there_is_one() -> None:
    limits: Parameters = {tags.CTTAL: fen(600), tags.CTTAUL: fen(1000)}
    _, found = tap(card(Bit.CASH_AND_CTTA_CHECK | Bit.TELL_AVAILABLE_AMOUNT, limits))
    assert 900 == amount_of(found[tags.AVAILABLE_AMOUNT])
    limits[tags.CTTAUL] = fen(0)
    _, found = tap(card(Bit.CASH_AND_CTTA_CHECK | Bit.TELL_AVAILABLE_AMOUNT, limits))
    assert 500 == amount_of(found[tags.AVAILABLE_AMOUNT])


def test_elements_that_are_no_parameters_come_from_the_records() -> None:
    parameters: Parameters = {tags.PSN: None, tags.PRODUCT: None}
    _, found = tap(card(parameters=parameters), ONLINE)
    assert b"\x01" == found[tags.PSN]
    assert 16 == len(found[tags.PRODUCT])


def test_an_element_that_the_card_has_nowhere_is_left_out() -> None:
    _, found = tap(card(parameters={tags.TRACK_2: None}), ONLINE)
    assert tags.TRACK_2 not in found


# The cryptogram


def _udk(which: int, algorithm: Algorithm = Algorithm.TDES, base: str = "published") -> bytes:
    keys = published(base)[groups.KEYS[algorithm]]
    return keys[16 * which : 16 * which + 16]


@pytest.mark.parametrize("base", ["published", "sm2"])
@pytest.mark.parametrize("values", [{}, ONLINE])
def test_the_issuer_believes_the_cryptogram_and_the_balance(
    base: str, values: dict[int, bytes]
) -> None:
    algorithm = Algorithm.SM4 if base == "sm2" else Algorithm.TDES
    chip = card(base=base)
    _, found = tap(chip, {**values, tags.SM_INDICATOR: b"\x01"})
    iad = IssuerApplicationData.parse(found[tags.IAD])
    said = {**TERMINAL, **values}
    data = Cvn01Input(
        *(
            said[tag]
            for tag in (
                tags.AMOUNT,
                tags.OTHER_AMOUNT,
                tags.TERMINAL_COUNTRY,
                tags.TVR,
                tags.CURRENCY,
                tags.DATE,
                tags.TRANSACTION_TYPE,
                tags.UNPREDICTABLE_NUMBER,
            )
        ),
        found[tags.AIP],
        found[tags.ATC],
        iad.cvr,
    )
    suite = SUITES[algorithm]
    key = suite.key(_udk(0, algorithm, base))
    assert verify_card(key, Cvn.CVN_01, bytes(data), found[tags.AC])
    assert isinstance(iad.idd, OneAmountIdd)
    assert (fen(5000) if values else fen(4900))[1:] == iad.idd.amount
    mac_key = suite.key(pboc_session_key(suite.key(_udk(1, algorithm, base)), found[tags.ATC]))
    assert verify_idd(mac_key, found[tags.ATC], iad.idd)


def test_the_short_cryptogram_is_over_amount_number_atc_and_result() -> None:
    way = published()[0x9207].replace(bytes.fromhex("0701010300"), bytes.fromhex("0701170300"))
    _, found = tap(card(groups={0x9207: way}))
    iad = IssuerApplicationData.parse(found[tags.IAD])
    assert Cvn.CVN_17 is iad.cvn
    data = Cvn17Input(TERMINAL[tags.AMOUNT], NUMBER, found[tags.ATC], iad.cvr[:1])
    key = SUITES[Algorithm.TDES].key(_udk(0))
    assert verify_card(key, Cvn.CVN_17, bytes(data), found[tags.AC])


def test_a_card_that_does_not_ask_for_what_its_cryptogram_is_over_refuses() -> None:
    pdol = bytes.fromhex("9F66049F02065F2A029F3704")
    chip = card(groups={groups.CONTACTLESS_FCI: fci(True, pdol)})
    assert 0x6985 == sw(Reader(chip, FIELD).ask())
    assert 5000 == state_of(chip).balance


# The qualifiers


@pytest.mark.parametrize("bit", list(Ctq))
def test_the_qualifiers_are_the_cards_own_but_for_those_of_the_holder(bit: Ctq) -> None:
    chip = card(parameters={tags.CTQ: int(bit).to_bytes(2)})
    own = Ctq.ONLINE_IF_ODA_FAILS | Ctq.CONTACT_IF_ODA_FAILS
    _, found = tap(chip)
    assert bit & own == int.from_bytes(found[tags.CTQ])


@pytest.mark.parametrize(
    ("terminal", "said"),
    [
        (asked(Ttq.CVM_REQUIRED, Ttq.ONLINE_PIN, Ttq.SIGNATURE), 0xB000),
        (asked(Ttq.CVM_REQUIRED, Ttq.SIGNATURE), 0x7000),
        (asked(Ttq.ONLINE_PIN, Ttq.SIGNATURE), 0x3000),
    ],
)
def test_the_terminal_is_told_how_the_holder_is_to_be_verified(
    terminal: dict[int, bytes], said: int
) -> None:
    _, found = tap(card(), terminal)
    assert said == int.from_bytes(found[tags.CTQ])
