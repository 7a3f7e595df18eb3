# SPDX-License-Identifier: Apache-2.0
"""Requests to a key source, and the source that has its masters in memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.command import CommandAPDU
from apdu.crypto import purchase as cryptograms
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import MASK, Secret
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.hrss.keys import TABLES, PsamName, key_named
from apdu.wire.purchase import Mac1Input, Mac2Input
from host.card import command_of
from host.faults import CardMisspoke, CardNotGenuine, KeyUnavailable, Lack
from host.keys import (
    TEST_ROOT,
    Authentication,
    CardIdentity,
    MemoryKeys,
    Protection,
    Purchase,
    chip_number,
)

CARD = CardIdentity("430200", bytes.fromhex("8660531234567890"))
CHALLENGE, DATA = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
TERMS = Mac1Input(1, 2, 3, bytes(6), bytes(7))


class RootItself(MemoryKeys):
    """Masters that are all the test root, as the worked examples have it."""

    def master(self, name: PsamName) -> Secret:
        return Secret(TEST_ROOT)


def pin_service(service: PinService, pin: str = "") -> Protection:
    data = pin_bytes(pin) if pin else b""
    command = command_of(PIN_CHANGE_UNBLOCK, PinServiceRef(service), data, 0)
    return Protection(key_named("STK"), CARD, CHALLENGE, command, enciphered=True)


# Worked examples of the drivers' rules


def test_an_authentication_is_that_of_the_worked_example() -> None:
    request = Authentication(key_named("RKSSSE"), CARD, CHALLENGE, DATA)
    assert "0AB23DB42F991FCE" == RootItself().authenticate(request).hex().upper()


def test_the_messages_of_the_pin_service_are_those_of_the_worked_example() -> None:
    keys = RootItself()
    reload = bytes(keys.protect(pin_service(PinService.RELOAD, "123456")))
    assert "842400010C64AF80B1A9711AFF9DDB9A11" == reload.hex().upper()
    unblock = bytes(keys.protect(pin_service(PinService.UNBLOCK)))
    assert "8424000004C0C6930D" == unblock.hex().upper()


def test_a_card_key_of_three_levels_is_that_of_the_worked_example() -> None:
    key = RootItself().card_key(key_named("RKSSSE"), CARD.region, CARD.unique)
    assert "06B372C3F4BF1ED6F4A4B15C2E65FE4A" == key.reveal().hex().upper()


def test_factors_are_given_card_first() -> None:
    assert CARD.unique + b"430200sx" + b"430000sh" == CARD.factors(3)
    assert CARD.unique + b"430200sx" == CARD.factors(2)
    assert CARD.unique == CARD.factors(1)


# What cannot be asked


@pytest.mark.parametrize("region", ["", "43020", "4302000", "43020x", "４３０２００", "-30200"])
def test_a_region_has_six_digits(region: str) -> None:
    with pytest.raises(FormatError, match="region"):
        CardIdentity(region, bytes(8))


@given(st.binary(max_size=20).filter(lambda raw: len(raw) != 8))
def test_numbers_factors_and_data_have_8_bytes(wrong: bytes) -> None:
    key, command = key_named("UKSSSE"), CommandAPDU(0x80, 0x24)
    with pytest.raises(FormatError, match="chip number"):
        CardIdentity("430200", wrong)
    with pytest.raises(FormatError, match="key factor"):
        Authentication(key, CARD, wrong, DATA)
    with pytest.raises(FormatError, match="data"):
        Authentication(key, CARD, CHALLENGE, wrong)
    with pytest.raises(FormatError, match="key factor"):
        Protection(key, CARD, wrong, command)


@pytest.mark.parametrize("text", ["", "3B", "3B6D0000", "3B640000AABBCCDD"])
def test_an_atr_without_a_chip_number_is_no_cards(text: str) -> None:
    with pytest.raises(CardMisspoke):
        chip_number(bytes.fromhex(text))


def test_the_chip_number_is_the_end_of_the_atr() -> None:
    atr = bytes.fromhex("3B6D0000008154443686605328A8888888")
    assert "86605328A8888888" == chip_number(atr).hex().upper()


REQUESTS: dict[str, Callable[[MemoryKeys, CardIdentity], object]] = {
    "authentication": lambda keys, card: keys.authenticate(
        Authentication(key_named("PUK"), card, CHALLENGE, DATA)
    ),
    "protection": lambda keys, card: keys.protect(
        Protection(key_named("STK"), card, CHALLENGE, CommandAPDU(0x80, 0x24))
    ),
    "purchase": lambda keys, card: keys.begin_purchase(
        Purchase(key_named("DPK1"), card, DATA[:4], b"ab", TERMS)
    ),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=list(REQUESTS))
@pytest.mark.parametrize("own", SUITES.values(), ids=lambda suite: suite.name)
def test_a_card_of_another_algorithm_is_told_before_it_costs_a_try(
    own: Suite, ask: Callable[[MemoryKeys, CardIdentity], object]
) -> None:
    card = CardIdentity("430200", bytes(8), own)
    for suite in SUITES.values():
        if suite is own:
            assert ask(MemoryKeys(suite=suite), card) is not None
            continue
        with pytest.raises(KeyUnavailable) as told:
            ask(MemoryKeys(suite=suite), card)
        assert Lack.ALGORITHM is told.value.lack


# Purchases


def purchase() -> Purchase:
    return Purchase(key_named("DPK1"), CARD, bytes.fromhex("A1B2C3D4"), b"\x00\x07", TERMS)


def test_numbers_are_given_once_also_to_many_threads() -> None:
    keys = MemoryKeys(first_sequence=0xFE)
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: keys.begin_purchase(purchase()), range(200)))
    numbers = sorted(int.from_bytes(each.terminal_sequence) for each in begun)
    assert list(range(0xFE, 0xFE + 200)) == numbers


@given(st.integers(0, 31))
def test_a_wrong_mac2_is_told(bit: int) -> None:
    keys, request = MemoryKeys(), purchase()
    begun = keys.begin_purchase(request)
    dpk = SUITES[1].key(keys.card_key(request.key, CARD.region, CARD.unique).reveal())
    session = cryptograms.purchase_key(dpk, request.random, b"\x00\x07", begun.terminal_sequence)
    booked = Mac2Input(request.card_sequence, begun.terminal_sequence, begun.mac1)
    right = cryptograms.mac2(session, booked)
    assert keys.end_purchase(request, begun, right)
    wrong = (int.from_bytes(right) ^ 1 << bit).to_bytes(4)
    with pytest.raises(CardNotGenuine):
        keys.end_purchase(request, begun, wrong)
    with pytest.raises(CardNotGenuine):
        keys.end_purchase(request, begun, right[:3])


# Nothing secret in a text


def test_no_text_of_a_source_or_a_request_holds_a_key_or_a_pin() -> None:
    keys = MemoryKeys()
    request = pin_service(PinService.RELOAD, "975318")
    texts = [repr(keys), str(keys), f"{keys}", repr(request), str(request)]
    texts += [repr(keys.master(PsamName(0x48, 9))), repr(keys.session(request.key, CARD, DATA))]
    with pytest.raises(KeyUnavailable) as told:
        keys.authenticate(
            Authentication(
                key_named("PUK"), CardIdentity("430200", bytes(8), SUITES[2]), DATA, DATA
            )
        )
    texts += [str(told.value), repr(told.value)]
    hidden = [TEST_ROOT.hex(), "975318", repr(TEST_ROOT)[2:10]]
    for text in texts:
        assert not [secret for secret in hidden if secret in text.lower()]
    assert MASK in repr(keys)


# The table


def test_every_slot_has_a_name_of_its_own() -> None:
    names = [spec.name for table in TABLES for spec in table]
    assert sorted(set(names)) == sorted(names)
    assert all(key_named(spec.name) is spec for table in TABLES for spec in table)


def test_a_psam_knows_no_two_masters_by_one_name() -> None:
    found = [spec.psam for table in TABLES for spec in table if spec.psam]
    assert len(set(found)) == len(found)
