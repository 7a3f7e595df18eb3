# SPDX-License-Identifier: Apache-2.0
"""How a terminal finds a master in a PSAM, whose levels it does not know."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from psambench import FLASH_SIZE

from apdu.secret import Secret
from apdu.wire.hrss.keys import KeySpec, PsamName, key_named
from apdu.wire.psam import with_levels
from apdu.wire.psam_commands import CRYPT, DERIVE_SESSION_KEY, INITIALISE_PURCHASE
from apdu.wire.purchase import Mac1Input
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import (
    TEST_DAY,
    TEST_TERMINAL,
    blank_psam,
    issue_psam,
    issue_test_psam,
)
from host.faults import CardRefused, KeyUnavailable, Lack
from host.keys import Authentication, CardIdentity, MemoryKeys, Purchase
from host.psam import PsamKeys
from host.psam_region import PsamRegion

CARD = CardIdentity("430200", bytes.fromhex("8660531234567890"))
R, D = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
IRK, RKSSSE, UKSSSE, DSK = map(key_named, ("IRK", "RKSSSE", "UKSSSE", "DSK"))
DPK1, UK3DF01 = key_named("DPK1"), key_named("UK3DF01")


# How a terminal finds them


@cache
def _cells(region: str) -> bytes:
    flash = Flash(bytearray(FLASH_SIZE))
    issue_test_psam(flash=flash, region=region)
    return bytes(flash.cells)


class Heard(MemoryChannel):
    """A PSAM of a region, and what it was asked."""

    def __init__(self, region: str) -> None:
        super().__init__(Chip.boot(Flash(bytearray(_cells(region))), seeded(8, TEST_DAY)))
        self.commands: list[bytes] = []
        self.refuse: dict[int, int] = {}
        """Status words for instructions, in place of an answer."""

    def _exchange(self, command: bytes) -> bytes:
        self.commands.append(command)
        refusal = self.refuse.get(command[1])
        return super()._exchange(command) if refusal is None else refusal.to_bytes(2)

    def put_in(self, chip: Chip) -> None:
        """Another PSAM into the reader."""
        self._chip = chip
        self.reset()

    def asked(self) -> list[tuple[int, int, int]]:
        """INS, the first parameter (the usage byte) and the data's length, of what was heard since
        the last time."""
        found = [(each[1], each[2], each[4] if len(each) > 5 else 0) for each in self.commands]
        self.commands.clear()
        return found


SELECTED = (0xA4, 0x04, 6)
CRYPTED = (0xFA, 0x00, 8)


def derived(usage: int) -> tuple[int, int, int]:
    """A derivation under a usage byte with as many factors as that says, and a challenge."""
    return DERIVE_SESSION_KEY.ins, usage, 8 * (usage >> 5) + 8


def request(key: KeySpec = IRK, card: CardIdentity = CARD) -> Authentication:
    return Authentication(key, card, R, D)


@pytest.mark.parametrize(
    ("region", "key", "tried"),
    [
        ("national", IRK, [0x67]),
        ("430000", IRK, [0x67, 0x47]),
        ("430200", IRK, [0x67, 0x47, 0x27]),
        ("national", UKSSSE, [0x48]),
        ("430000", UKSSSE, [0x48]),
        ("430200", UKSSSE, [0x48, 0x28]),
        ("national", DSK, [0x28]),
        ("430000", DSK, [0x28]),
        ("430200", DSK, [0x28]),
    ],
    ids=lambda each: each.name if isinstance(each, KeySpec) else None,
)
def test_all_levels_are_asked_for_first_and_what_fits_is_remembered(
    region: str, key: KeySpec, tried: list[int]
) -> None:
    heard = Heard(region)
    source = PsamKeys(Card(heard))
    heard.asked()
    expected = MemoryKeys().authenticate(request(key))
    assert expected == source.authenticate(request(key))
    assert [SELECTED, *map(derived, tried), CRYPTED] == heard.asked()
    for _ in range(2):
        assert expected == source.authenticate(request(key))
        assert [SELECTED, derived(tried[-1]), CRYPTED] == heard.asked()


def test_each_key_is_remembered_by_itself() -> None:
    heard = Heard("430200")
    source = PsamKeys(Card(heard))
    for key in (IRK, UKSSSE, DSK, IRK, UK3DF01):
        source.authenticate(request(key))
    usages = [p1 for ins, p1, _ in heard.asked() if ins == DERIVE_SESSION_KEY.ins]
    assert [0x67, 0x47, 0x27, 0x48, 0x28, 0x28, 0x27, 0x47, 0x27] == usages


def test_a_psam_that_was_exchanged_for_one_of_another_level_is_searched_anew() -> None:
    heard = Heard("430200")
    source = PsamKeys(Card(heard))
    source.authenticate(request())
    heard.put_in(issue_test_psam())
    heard.asked()
    assert MemoryKeys().authenticate(request()) == source.authenticate(request())
    assert [SELECTED, derived(0x27), derived(0x67), CRYPTED] == heard.asked()


def test_a_key_that_is_not_there_is_looked_for_at_all_levels_and_never_remembered() -> None:
    heard = Heard("national")
    source = PsamKeys(Card(heard))
    absent = replace(IRK, name="XK", psam=PsamName(0x67, 0x7F))
    heard.asked()
    for _ in range(2):
        with pytest.raises(KeyUnavailable, match="key XK: the PSAM has no master") as told:
            source.authenticate(request(absent))
        assert Lack.KEY is told.value.lack
        assert [SELECTED, *map(derived, (0x67, 0x47, 0x27))] == heard.asked()


@pytest.mark.parametrize("sw", [0x6985, 0x6982, 0x6700, 0x6E00, 0x6F00])
def test_another_refusal_than_that_there_is_none_is_not_searched_around(sw: int) -> None:
    heard = Heard("430200")
    source = PsamKeys(Card(heard))
    heard.refuse[DERIVE_SESSION_KEY.ins] = sw
    heard.asked()
    with pytest.raises((KeyUnavailable, CardRefused)):
        source.authenticate(request())
    assert [SELECTED, derived(0x67)] == heard.asked()


def test_what_a_session_is_refused_later_is_no_reason_to_search() -> None:
    heard = Heard("national")
    source = PsamKeys(Card(heard))
    heard.refuse[CRYPT.ins] = 0x6A88
    heard.asked()
    with pytest.raises(KeyUnavailable):
        source.authenticate(request())
    assert [SELECTED, derived(0x67), CRYPTED] == heard.asked()


@pytest.mark.parametrize(
    ("region", "levels"), [("national", (3, 2, 1)), ("430000", (2, 2, 1)), ("430200", (1, 1, 1))]
)
def test_the_levels_that_are_left_can_be_asked_for(region: str, levels: tuple[int, ...]) -> None:
    source = PsamKeys(Card(Heard(region)))
    assert levels == tuple(source.levels(key) for key in (IRK, UKSSSE, DSK))
    assert 1 == source.sequence()
    for key, lack in ((DPK1, Lack.USE), (key_named("DLK"), Lack.KEY)):
        with pytest.raises(KeyUnavailable) as told:
            source.levels(key)
        assert lack is told.value.lack


# PSAMs that nobody foresaw


class WithRoot(PsamRegion):
    """A region whose PSAMs have the nation's master of IRK all the same."""

    def stored(self, name: PsamName) -> PsamName:
        return name if name == IRK.psam else PsamRegion.stored(self, name)

    def master(self, keys: MemoryKeys, name: PsamName) -> Secret:
        return keys.master(name) if name == IRK.psam else PsamRegion.master(self, keys, name)


def test_a_psam_may_have_one_key_of_the_nation_and_the_others_of_a_city() -> None:
    source, keys = PsamKeys(Card(MemoryChannel(psam_of(WithRoot("430200"))))), MemoryKeys()
    foreign = replace(CARD, region="440300")
    for _ in range(2):
        for key, card, right in (
            (RKSSSE, CARD, True),
            (IRK, foreign, True),
            (RKSSSE, foreign, False),
        ):
            found = source.authenticate(request(key, card))
            assert right == (keys.authenticate(request(key, card)) == found)
    assert (3, 1) == (source.levels(IRK), source.levels(RKSSSE))


class TwoLevels(PsamRegion):
    """A region in a country whose purchase keys go by city and card."""

    def stored(self, name: PsamName) -> PsamName:
        return PsamRegion.stored(self, with_levels(name, 2) if name == DPK1.psam else name)

    def master(self, keys: MemoryKeys, name: PsamName) -> Secret:
        return PsamRegion.master(self, keys, with_levels(name, 2) if name == DPK1.psam else name)


def psam_of(region: PsamRegion) -> Chip:
    chip = blank_psam(seeded(8, TEST_DAY), Flash(bytearray(FLASH_SIZE)))
    issue_psam(chip, MemoryKeys(), region)
    return chip


class OneFactorOnly(Heard):
    """A PSAM that takes no factor too many."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.atr = chip.reset()
        self.commands = []
        self.refuse = {}

    def _exchange(self, command: bytes) -> bytes:
        too_many = command[1] == INITIALISE_PURCHASE.ins and command[4] > 0x24
        self.refuse = {INITIALISE_PURCHASE.ins: 0x9403} if too_many else {}
        return super()._exchange(command)


DPK = replace(DPK1, psam=PsamName(0x42, 0x01))
"""A purchase key of two levels, which no card of ours has."""
BUYS = Purchase(
    DPK,
    CARD,
    bytes.fromhex("A1B2C3D4"),
    b"\x00\x01",
    Mac1Input(1234, 56, 0, bytes.fromhex(TEST_TERMINAL), bytes.fromhex("20260105093000")),
)


@pytest.mark.parametrize("code", ["000000", "430000", "430200"])
def test_a_purchase_key_of_two_levels_is_found_with_fewer_by_the_psam_itself(code: str) -> None:
    source = PsamKeys(Card(MemoryChannel(psam_of(TwoLevels(code)))))
    assert MemoryKeys().begin_purchase(BUYS) == source.begin_purchase(BUYS)
    foreign = replace(BUYS, card=replace(CARD, region="440300"))
    same = MemoryKeys(first_sequence=2).begin_purchase(foreign) == source.begin_purchase(foreign)
    assert (code != "430200") == same


def test_a_psam_that_takes_no_factor_too_many_is_given_fewer_and_loses_no_number() -> None:
    heard = OneFactorOnly(psam_of(TwoLevels("430200")))
    source = PsamKeys(Card(heard))
    heard.asked()
    assert MemoryKeys().begin_purchase(BUYS) == source.begin_purchase(BUYS)
    assert [SELECTED, (0x70, 1, 0x2C), (0x70, 1, 0x24)] == heard.asked()
    assert MemoryKeys(first_sequence=2).begin_purchase(BUYS) == source.begin_purchase(BUYS)
    assert [SELECTED, (0x70, 1, 0x24)] == heard.asked()


def test_a_purchase_of_one_level_is_asked_for_once_everywhere() -> None:
    for region in ("national", "430200"):
        heard = Heard(region)
        source = PsamKeys(Card(heard))
        heard.asked()
        plain = replace(BUYS, key=DPK1, card=replace(CARD, region="440300"))
        assert MemoryKeys().begin_purchase(plain) == source.begin_purchase(plain)
        assert [SELECTED, (0x70, 1, 0x24)] == heard.asked()


@pytest.mark.parametrize(
    ("region", "said", "reached"),
    [
        ("national", "", {"430200", "430100", "440300"}),
        ("430000", "4300", {"430200", "430100"}),
        ("430200", "4302", {"430200"}),
    ],
)
def test_a_psam_tells_which_cards_it_reaches_without_being_asked(
    region: str, said: str, reached: set[str]
) -> None:
    heard = Heard(region)
    source = PsamKeys(Card(heard))
    heard.commands.clear()
    assert said == source.region
    everywhere = ("430200", "430100", "440300")
    assert reached == {r for r in everywhere if source.reaches(replace(CARD, region=r))}
    assert [] == heard.commands
