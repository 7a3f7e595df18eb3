# SPDX-License-Identifier: Apache-2.0
"""Cardholder verification: rules and conditions, each method's ends, and where a PIN may be."""

from __future__ import annotations

import logging

import pytest
from cardholderbench import (
    ALL,
    DOCUMENT,
    DONE,
    LOST,
    NEXT,
    PIN,
    People,
    PinCard,
    begun,
    cvm_list,
    encipher,
    terminal,
    told,
    verified,
)
from hypothesis import given
from hypothesis import strategies as st
from odacards import PAN

from apdu.crypto.pinblock import build_iso_0, build_iso_2
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, Tsi, Tvr
from host.faults import CardGone, CardMisspoke, CardRefused, PinBlocked, PinWrong
from host.terminal.kernel import cardholder
from host.terminal.kernel.cardholder import PIN_METHODS, signature_wanted
from host.terminal.kernel.cvm_list import NEEDS, Method
from host.terminal.kernel.pin_entry import DocumentKind, PinPad
from host.terminal.kernel.trail import Step

# Whether a list is gone through


def test_a_card_without_cardholder_verification_is_not_asked() -> None:
    found = begun(cvm_list((Method.PLAINTEXT_PIN, 0)))
    found.aip = int(Aip.DDA)
    cardholder.verify(found, terminal(), PinCard(), PinPad(People(), encipher))
    assert ("3F0000", Tvr(0), Tsi(0)) == told(found)


@pytest.mark.parametrize("value", [None, cvm_list()])
def test_a_list_that_is_not_there_is_missing_data(value: bytes | None) -> None:
    found = begun(value)
    cardholder.verify(found, terminal(), PinCard(), PinPad(People(), encipher))
    assert ("3F0000", Tvr.ICC_DATA_MISSING, Tsi(0)) == told(found)


@pytest.mark.parametrize("value", [b"", bytes(7), bytes(9), bytes(11)])
def test_a_list_that_is_none_is_the_cards_fault(value: bytes) -> None:
    with pytest.raises(CardMisspoke, match="CVM list"):
        cardholder.verify(begun(value), terminal(), PinCard(), None)


# What each method comes to

ENDS = [
    (Method.FAIL, "000001", LOST),
    (Method.PLAINTEXT_PIN, "010002", Tvr(0)),
    (Method.ONLINE_PIN, "020000", Tvr.ONLINE_PIN_ENTERED),
    (Method.PLAINTEXT_PIN_AND_SIGNATURE, "030000", Tvr(0)),
    (Method.ENCIPHERED_PIN, "040001", LOST | Tvr.PIN_PAD_MISSING),
    (Method.ENCIPHERED_PIN_AND_SIGNATURE, "050001", LOST | Tvr.PIN_PAD_MISSING),
    (Method.SIGNATURE, "1E0000", Tvr(0)),
    (Method.NO_CVM, "1F0002", Tvr(0)),
    (Method.HOLDER_DOCUMENT, "200002", Tvr(0)),
]


@pytest.mark.parametrize(("method", "results", "tvr"), ENDS)
def test_each_method_has_its_result(method: Method, results: str, tvr: Tvr) -> None:
    found = verified((method, 0), elements=DOCUMENT)
    assert (results, tvr, DONE) == told(found)
    signed = {Method.SIGNATURE, Method.PLAINTEXT_PIN_AND_SIGNATURE}
    assert (method in signed) == signature_wanted(found.cvm_results)


@pytest.mark.parametrize(("method", "results", "tvr"), ENDS)
@given(missing=st.integers(0, (1 << 24) - 1))
def test_a_method_needs_all_that_the_terminal_must_have_for_it(
    method: Method, results: str, tvr: Tvr, missing: int
) -> None:
    capabilities = int(ALL) & ~missing
    able = capabilities & NEEDS[method] == NEEDS[method]
    people = People()
    found = verified((method, 0), config=terminal(capabilities), people=people, elements=DOCUMENT)
    if able:
        assert (results, tvr, DONE) == told(found)
        return
    pin = Tvr.PIN_PAD_MISSING if method in PIN_METHODS else Tvr(0)
    assert (f"{method:02X}0001", LOST | pin, DONE) == told(found)
    assert [] == people.asked


@pytest.mark.parametrize("capabilities", [int(ALL), 0xFFFFFF])
def test_enciphered_offline_pins_are_not_done_whatever_the_terminal_says(
    capabilities: int,
) -> None:
    people = People()
    found = verified((Method.ENCIPHERED_PIN, 0), config=terminal(capabilities), people=people)
    assert ("040001", LOST | Tvr.PIN_PAD_MISSING, DONE) == told(found)
    assert [] == people.asked


@pytest.mark.parametrize("code", [0x06, 0x1D, 0x21, 0x3F, 0x81, 0x9F, 0xA0])
@pytest.mark.parametrize("goes_on", [0, NEXT])
def test_a_method_that_nobody_knows_is_said_to_be_none(code: int, goes_on: int) -> None:
    found = verified((code | goes_on, 0), (Method.NO_CVM, 0))
    if goes_on:
        assert ("1F0002", Tvr.UNRECOGNISED_CVM, DONE) == told(found)
    else:
        assert (f"{code:02X}0001", LOST | Tvr.UNRECOGNISED_CVM, DONE) == told(found)


# The offline PIN


def test_a_right_pin_is_sent_once() -> None:
    card, people = PinCard(), People()
    found = verified((Method.PLAINTEXT_PIN, 0), card=card, people=people)
    assert [build_iso_2(PIN)] == card.blocks
    assert [("offline", 3)] == people.asked
    assert Tvr(0) == found.tvr


def test_a_wrong_pin_is_asked_again_with_the_tries_that_are_left() -> None:
    card, people = PinCard(), People(pins=["1111", "2222", PIN])
    found = verified((Method.PLAINTEXT_PIN, 0), card=card, people=people)
    assert [("offline", 3), ("offline", 2), ("offline", 1)] == people.asked
    assert ("010002", Tvr(0), DONE) == told(found)


def test_the_last_wrong_try_is_the_end() -> None:
    card, people = PinCard(), People(pins=["1111", "2222", "3333", PIN])
    found = verified((Method.PLAINTEXT_PIN, 0), card=card, people=people)
    assert 3 == len(people.asked) == len(card.blocks)
    assert ("010001", LOST | Tvr.PIN_TRIES_EXCEEDED, DONE) == told(found)


def test_a_pin_without_tries_is_not_asked_for() -> None:
    card, people = PinCard(tries=0), People()
    found = verified((Method.PLAINTEXT_PIN, 0), card=card, people=people)
    assert ([], []) == (people.asked, card.blocks)
    assert ("010001", LOST | Tvr.PIN_TRIES_EXCEEDED, DONE) == told(found)


def test_a_card_that_does_not_tell_its_tries_is_asked_all_the_same() -> None:
    card, people = PinCard(tries=None), People()
    verified((Method.PLAINTEXT_PIN, 0), card=card, people=people)
    assert [("offline", None)] == people.asked


@pytest.mark.parametrize(
    ("reply", "tvr"),
    [
        (PinBlocked(0x6983, "VERIFY"), Tvr.PIN_TRIES_EXCEEDED),
        (CardRefused(0x6984, "VERIFY"), Tvr.PIN_TRIES_EXCEEDED),
        (PinWrong(0x63C0, "VERIFY"), Tvr.PIN_TRIES_EXCEEDED),
        (CardRefused(0x6300, "VERIFY"), Tvr(0)),
        (CardRefused(0x6283, "VERIFY"), Tvr(0)),
        (CardRefused(0x6A86, "VERIFY"), Tvr(0)),
    ],
    ids=lambda each: f"{each.sw:04X}" if isinstance(each, CardRefused) else "",
)
def test_what_is_not_9000_is_no_success(reply: Exception, tvr: Tvr) -> None:
    card = PinCard(replies=[reply])
    found = verified((Method.PLAINTEXT_PIN, 0), card=card)
    assert ("010001", LOST | tvr, DONE) == told(found)
    assert 1 == len(card.blocks)


@pytest.mark.parametrize("tries", [None, 3])
def test_tries_that_do_not_become_fewer_are_the_cards_fault(tries: int | None) -> None:
    card = PinCard(tries=tries, replies=[PinWrong(0x63C3, "VERIFY")] * 3)
    with pytest.raises(CardMisspoke, match="the tries left do not become fewer"):
        verified((Method.PLAINTEXT_PIN, 0), card=card)
    assert len(card.blocks) <= 2


def test_more_tries_than_there_can_be_are_the_cards_fault() -> None:
    with pytest.raises(CardMisspoke, match="9F17"):
        verified((Method.PLAINTEXT_PIN, 0), card=PinCard(tries=16))


def test_a_card_that_is_gone_ends_the_transaction() -> None:
    with pytest.raises(CardGone):
        verified((Method.PLAINTEXT_PIN, 0), card=PinCard(replies=[CardGone("pulled")]))


@pytest.mark.parametrize("method", [Method.PLAINTEXT_PIN, Method.ONLINE_PIN])
def test_without_a_pin_pad_it_is_missing(method: Method) -> None:
    found = verified((method, 0), pad=False)
    assert (f"{method:02X}0001", LOST | Tvr.PIN_PAD_MISSING, DONE) == told(found)


def test_who_bypasses_one_pin_is_not_asked_for_another() -> None:
    people = People(pins=[None])
    found = verified(
        (Method.ONLINE_PIN | NEXT, 0),
        (Method.PLAINTEXT_PIN | NEXT, 0),
        (Method.NO_CVM, 0),
        people=people,
    )
    assert ["online"] == people.asked
    assert ("1F0002", Tvr.PIN_NOT_ENTERED, DONE) == told(found)


@pytest.mark.parametrize("typed", ["123", "1" * 13, "12a4", ""])
@pytest.mark.parametrize("method", [Method.PLAINTEXT_PIN, Method.ONLINE_PIN])
def test_what_is_no_pin_is_refused_before_it_is_sent(method: Method, typed: str) -> None:
    card = PinCard()
    with pytest.raises(FormatError, match="PIN: must be 4 to 12 digits"):
        verified((method, 0), card=card, people=People(pins=[typed]))
    assert [] == card.blocks


# The online PIN


def test_an_online_pin_goes_enciphered_to_the_request_alone() -> None:
    found = verified((Method.ONLINE_PIN, 0))
    assert encipher(build_iso_0(PIN, PAN)) == found.pin_block


def test_a_pad_without_a_key_takes_no_online_pin() -> None:
    found, people = begun(cvm_list((Method.ONLINE_PIN, 0))), People()
    cardholder.verify(found, terminal(), PinCard(), PinPad(people))
    assert ("020001", LOST | Tvr.PIN_PAD_MISSING, DONE) == told(found)
    assert ([], b"") == (people.asked, found.pin_block)
    with pytest.raises(FormatError, match="no key"):
        PinPad(people).online_block(PAN)


@pytest.mark.parametrize("size", [0, 7, 9, 16])
def test_a_key_gives_eight_bytes(size: int) -> None:
    pad = PinPad(People(), lambda _: bytes(size))
    with pytest.raises(FormatError, match="enciphered PIN block"):
        pad.online_block(PAN)


# The holder's document


@pytest.mark.parametrize("kind", range(8))
def test_the_document_is_the_one_that_the_card_names(kind: int) -> None:
    people = People()
    elements = ((tags.DOCUMENT_TYPE, bytes((kind,))), DOCUMENT[1])
    verified((Method.HOLDER_DOCUMENT, 0), people=people, elements=elements)
    known = DocumentKind(kind) if kind <= 5 else DocumentKind.OTHER
    assert [(known, "110101198606200010")] == people.asked


@pytest.mark.parametrize(
    "elements",
    [DOCUMENT[:1], DOCUMENT[1:], (), (DOCUMENT[0], (tags.DOCUMENT_NUMBER, b"\xff\xff"))],
)
def test_a_card_that_names_no_document_is_not_verified_by_one(
    elements: tuple[tuple[int, bytes], ...],
) -> None:
    people = People()
    found = verified((Method.HOLDER_DOCUMENT, 0), people=people, elements=elements)
    assert ("200001", LOST, DONE) == told(found)
    assert [] == people.asked


@pytest.mark.parametrize("pad", [True, False])
def test_a_document_that_is_not_shown_verifies_nobody(pad: bool) -> None:
    people = People(shows=False)
    found = verified((Method.HOLDER_DOCUMENT, 0), people=people, elements=DOCUMENT, pad=pad)
    assert ("200001", LOST, DONE) == told(found)


# Where a PIN may be


@given(
    pins=st.permutations(["739184", "86420975", "314159265358"]),
    methods=st.lists(
        st.sampled_from([*PIN_METHODS, Method.SIGNATURE, Method.NO_CVM]), min_size=1, max_size=5
    ),
)
def test_a_pin_is_in_verify_and_in_the_enciphered_block_and_nowhere_else(
    pins: list[str], methods: list[Method]
) -> None:
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    people, card = People(pins=[*pins, *pins, None, *[None] * 9]), PinCard(pin=pins[-1], tries=15)
    try:
        found = verified(*((method | NEXT, 0) for method in methods), card=card, people=people)
    finally:
        logging.getLogger().removeHandler(handler)
    shown = [repr(found), repr(PinPad(people, encipher)), *heard]
    shown += [f"{each.outcome} {each.why}" for each in found.trail]
    kept = [*found.card.values(), *found.terminal.values(), found.cvm_results, found.options]
    for pin in pins:
        assert not any(pin in text for text in shown)
        block = build_iso_2(pin)
        assert not any(block in value or block[1:4] in value for value in kept)
        assert found.pin_block != build_iso_0(pin, PAN)
    assert all(each in map(build_iso_2, pins) for each in card.blocks)
    assert {Step.CARDHOLDER_VERIFICATION} == {each.step for each in found.trail}


def test_the_number_of_a_document_is_not_on_the_trail() -> None:
    found = verified((Method.HOLDER_DOCUMENT, 0), elements=DOCUMENT)
    assert not any("110101198606200010" in f"{each.outcome}{each.why}" for each in found.trail)
