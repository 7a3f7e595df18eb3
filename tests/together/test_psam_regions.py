# SPDX-License-Identifier: Apache-2.0
"""A card of one region and the PSAM of another: what works, what does not, and what it costs.

A key of three levels (IRK, RK) works with the PSAMs of the nation, and of the card's own province
and city. A key of two levels (UK, PUK, STK) has no province in it, so every province's PSAM has
it; of the cities' only the card's own. A key of one level, and so a purchase, works everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apdu.command import CommandAPDU
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.keys import KeySpec, key_named
from apdu.wire.purchase import Mac1Input
from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, TEST_TERMINAL, issue_test_card, issue_test_psam
from host.clients.hrss import HrssClient
from host.faults import CardNotGenuine, CardRefused, PinWrong
from host.keys import MemoryKeys, Protection, Purchase
from host.psam import PsamKeys
from host.regions import PROVINCES
from host.terminal.authentication import (
    authenticate,
    begin_unblock,
    finish_pin_service,
    identity,
    prove_card,
)

GENERATION_OF = {1: "2.0", 2: "3.0"}
CARDS = ["430200", "430100", "430281", "440300", "110000"]
PSAMS = ["national", "430000", "440000", "110000", "430200", "430281", "440300"]
suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
every_card = pytest.mark.parametrize("region", CARDS)
every_psam = pytest.mark.parametrize("whose", PSAMS)
AUTHENTICATING = ["RKSSSE", "UKSSSE", "PUK", "RK1DF01", "UK1DF01", "UK3DF01", "UK1DF05", "DSK"]
"""One key at least of every usage byte by which a terminal proves itself."""


def serves(psam: str, card: str, levels: int) -> bool:
    """Whether the PSAM of one region has a key of so many levels for a card of another."""
    if psam == "national" or levels == 1:
        return True
    if psam.endswith("0000"):
        return levels == 2 or psam[:2] == card[:2]
    return psam == card


@cache
def _card_cells(region: str, number: int) -> bytes:
    chip = issue_test_card(GENERATION_OF[number], holder=replace(TEST_HOLDER, region=region))
    return bytes(chip._flash.cells)


@cache
def _psam_cells(region: str, number: int) -> bytes:
    flash = Flash(bytearray(FLASH_SIZE))
    issue_test_psam(flash=flash, region=region, generation=GENERATION_OF[number])
    return bytes(flash.cells)


def card_of(region: str, suite: Suite) -> HrssClient:
    flash = Flash(bytearray(_card_cells(region, suite.number)))
    return HrssClient(Card(MemoryChannel(Chip.boot(flash, seeded(7, TEST_DAY)))))


def psam_of(region: str, suite: Suite) -> PsamKeys:
    flash = Flash(bytearray(_psam_cells(region, suite.number)))
    return PsamKeys(Card(MemoryChannel(Chip.boot(flash, seeded(8, TEST_DAY)))))


def random(n: int) -> bytes:
    return bytes(range(n))


def go(client: HrssClient, key: KeySpec) -> None:
    """To the directory that has the key."""
    client.select()
    directory = next(each for each in DIRECTORIES if key in each.keys)
    if directory is not SSSE:
        client.enter(directory)


@suites
@every_card
@every_psam
def test_a_card_is_genuine_and_a_terminal_accepted_where_the_levels_lead(
    suite: Suite, region: str, whose: str
) -> None:
    client, source = card_of(region, suite), psam_of(whose, suite)
    card = identity(client)
    assert region == card.region
    if serves(whose, region, 3):
        prove_card(client, source, card, random)
    else:
        with pytest.raises(CardNotGenuine):
            prove_card(client, source, card, random)
    for key in map(key_named, AUTHENTICATING):
        assert key.psam is not None
        go(client, key)
        if serves(whose, region, key.psam.levels):
            authenticate(client, source, card, key)
            continue
        with pytest.raises(PinWrong) as wrong:
            authenticate(client, source, card, key)
        assert 0x63CE == wrong.value.sw
        authenticate(client, MemoryKeys(suite=suite), card, key)  # which gives the try back


@settings(max_examples=8)
@given(
    st.sampled_from(sorted(SUITES)),
    st.sampled_from(sorted(PROVINCES)),
    st.integers(1, 9999).map("{:04}".format),
    st.sampled_from(sorted(PROVINCES)),
    st.integers(0, 9999).map("{:04}".format),
)
def test_so_it_is_between_any_two_regions(
    number: int, province: str, city: str, other: str, place: str
) -> None:
    suite, region = SUITES[number], province + city
    client = card_of(region, suite)
    card = identity(client)
    for whose in (region, province + "0000", other + place):
        source = psam_of(whose, suite)
        try:
            prove_card(client, source, card, random)
            authenticate(client, source, card, key_named("RKSSSE"))
            genuine = True
        except CardNotGenuine:
            genuine = False
        assert serves(whose, region, 3) == genuine
        assert genuine <= source.reaches(card)


@suites
@every_card
@every_psam
def test_messages_about_the_pin_are_taken_from_a_psam_that_has_the_keys_of_two_levels(
    suite: Suite, region: str, whose: str
) -> None:
    client, source, keys = card_of(region, suite), psam_of(whose, suite), MemoryKeys(suite=suite)
    card = identity(client)
    authenticate(client, keys, card, key_named("PUK"))
    message = begin_unblock(client, card)
    if serves(whose, region, 2):
        finish_pin_service(client, source.protect(message))
    else:
        with pytest.raises(CardRefused) as refused:
            finish_pin_service(client, source.protect(message))
        assert 0x6988 == refused.value.sw
    bare = Protection(key_named("STKDF01"), card, random(8), CommandAPDU(0x80, 0x1E))
    same = keys.protect(bare) == source.protect(bare)
    assert serves(whose, region, 2) == same


@suites
@every_card
@every_psam
def test_a_purchase_has_the_same_mac1_with_every_psam(
    suite: Suite, region: str, whose: str
) -> None:
    card = identity(card_of(region, suite))
    terms = Mac1Input(1, 2, 3, bytes.fromhex(TEST_TERMINAL), bytes(7))
    source, keys = psam_of(whose, suite), MemoryKeys(suite=suite)
    for version in (1, 2, 3):
        asked = Purchase(key_named(f"DPK{version}"), card, b"abcd", b"\x00\x01", terms)
        assert keys.begin_purchase(asked) == source.begin_purchase(asked)


@suites
@every_card
@every_psam
def test_a_psam_that_says_it_does_not_reach_a_card_would_fail(
    suite: Suite, region: str, whose: str
) -> None:
    source, card = psam_of(whose, suite), identity(card_of(region, suite))
    one_city = {region, whose} == {"430200", "430281"}  # counties are not told apart
    assert source.reaches(card) == (serves(whose, region, 3) or one_city)


def test_a_try_is_spared_by_proving_the_card_first() -> None:
    """INTERNAL AUTHENTICATE costs a card nothing, and a foreign PSAM fails in it already."""
    suite = SUITES[1]
    client, source = card_of("430200", suite), psam_of("440300", suite)
    card = identity(client)
    for _ in range(20):
        with pytest.raises(CardNotGenuine):
            prove_card(client, source, card, random)
    for left in range(14, 11, -1):
        with pytest.raises(PinWrong) as wrong:
            authenticate(client, source, card, key_named("UKSSSE"))
        assert left == wrong.value.tries_left
    authenticate(client, psam_of("430200", suite), card, key_named("UKSSSE"))
