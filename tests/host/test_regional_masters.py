# SPDX-License-Identifier: Apache-2.0
"""PSAMs of provinces and cities: what their masters are, and what they say of their region."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psambench import FLASH_SIZE, IN_PSAM

from apdu.crypto.derive import diversify
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.hrss.keys import KeySpec, PsamName
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import (
    TEST_DAY,
    TEST_SERIAL,
    TEST_TERMINAL,
    blank_psam,
    issue_test_psam,
)
from host.keys import TEST_ROOT, CardIdentity, MemoryKeys
from host.psam_region import (
    NATIONAL,
    Level,
    PsamRegion,
    reaches,
    region_named,
    region_said,
)
from host.regions import PROVINCES
from host.terminal.personalise_psam import personalise_psam

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
CARD = CardIdentity("430200", bytes.fromhex("8660531234567890"))
PROVINCE, CITY = PsamRegion("430000"), PsamRegion("430200")
cities = st.builds(
    "{}{:04}".format, st.sampled_from(sorted(PROVINCES)), st.integers(1, 9999)
)  # every province and anything below it


# What a region's masters are


@pytest.mark.parametrize(
    ("usage", "in_province", "in_city"),
    [
        (0x67, 0x47, 0x27),
        (0x48, 0x48, 0x28),
        (0x47, 0x47, 0x27),
        (0x46, 0x46, 0x26),
        (0x28, 0x28, 0x28),
        (0x27, 0x27, 0x27),
        (0x22, 0x22, 0x22),
    ],
)
def test_a_master_is_called_by_the_levels_that_are_left(
    usage: int, in_province: int, in_city: int
) -> None:
    name = PsamName(usage, 0x0A)
    stored = [region.stored(name) for region in (NATIONAL, PROVINCE, CITY)]
    assert [PsamName(each, 0x0A) for each in (usage, in_province, in_city)] == stored


def test_no_two_masters_of_a_psam_have_the_same_name() -> None:
    for region in (NATIONAL, PROVINCE, CITY):
        names = [region.stored(slot.psam) for slot in IN_PSAM if slot.psam]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("region", "levels", "expected"),
    [
        ("000000", 3, "00112233445566778899AABBCCDDEEFF"),
        ("430000", 3, "CCBEA7E87E0C076912411F7FC1D30CE5"),
        ("430200", 3, "FFB7359CCAAFB5D8843BEBD8FDC8803D"),
        ("430000", 2, "00112233445566778899AABBCCDDEEFF"),
        ("430200", 1, "00112233445566778899AABBCCDDEEFF"),
    ],
)
def test_the_masters_of_the_worked_example_are_those_of_its_levels(
    region: str, levels: int, expected: str
) -> None:
    lowered = PsamRegion(region).lowered(SUITES[1], levels, Secret(TEST_ROOT))
    assert expected == lowered.reveal().hex().upper()


def test_a_citys_master_of_two_levels_makes_the_worked_examples_key() -> None:
    suite = SUITES[1]
    city = suite.key(CITY.lowered(suite, 2, Secret(TEST_ROOT)).reveal())
    assert "6C815FC25E20D4894DCFECCFF0F37520" == diversify(city, CARD.unique).hex().upper()


@suites
@given(cities, st.sampled_from(IN_PSAM), st.binary(min_size=8, max_size=8))
def test_every_regions_master_makes_the_keys_of_its_own_cards(
    suite: Suite, city: str, slot: KeySpec, unique: bytes
) -> None:
    assert slot.psam is not None
    keys, card = MemoryKeys(suite=suite), CardIdentity(city, unique, suite)
    for code in ("000000", city[:2] + "0000", city):
        region = PsamRegion(code)
        left = card.factors(region.stored(slot.psam).levels)
        value = region.master(keys, slot.psam).reveal()
        for at in reversed(range(0, len(left), 8)):
            value = diversify(suite.key(value), left[at : at + 8])
        assert keys.card_key(slot, city, unique).reveal() == value


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("000000", Level.NATIONAL),
        ("110000", Level.PROVINCE),
        ("820000", Level.PROVINCE),
        ("110101", Level.CITY),
        ("430001", Level.CITY),
        ("430010", Level.CITY),
    ],
)
def test_a_region_says_how_far_down_it_is(code: str, level: Level) -> None:
    assert level is PsamRegion(code).level


@pytest.mark.parametrize(
    "code", ["", "43", "4302000", "43020A", "990000", "000001", "National", "４３０２００"]
)
def test_what_is_no_region_is_refused(code: str) -> None:
    for make in (PsamRegion, region_named):
        with pytest.raises(FormatError, match=r"^region: "):
            make(code)
    assert NATIONAL == region_named("national") == region_named("000000")


# What a PSAM says of its region


@given(cities, cities)
def test_a_psam_that_says_its_region_reaches_its_own_cards(one: str, other: str) -> None:
    for code in ("000000", one[:2] + "0000", one):
        said = region_said(PsamRegion(code).mark)
        assert reaches(said, one)
        same_province = code == "000000" or one[:2] == other[:2]
        if code != one:
            assert same_province == reaches(said, other)
        elif one == other:
            assert reaches(said, other)
        elif one[:4] != other[:4] and one[2:4] != "00":
            assert not reaches(said, other)


@pytest.mark.parametrize("issuer", ["0000", "FFFF", "0001", "9900", "4A02", "43FF", "A302"])
def test_bytes_that_are_no_region_say_none(issuer: str) -> None:
    assert "" == region_said(bytes.fromhex(issuer))
    assert reaches("", "430200")


# Numbers of a PSAM


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"terminal": "12345678901"}, "terminal: must be 12 digits"),
        ({"terminal": "1234567890123"}, "terminal: must be 12 digits"),
        ({"terminal": "12345678901x"}, "terminal: must be 12 digits"),
        ({"serial": ""}, "serial: must be 1 to 20 digits"),
        ({"serial": "1" * 21}, "serial: must be 1 to 20 digits"),
        ({"serial": "²"}, "serial: must be 1 to 20 digits"),
        ({"key_index": 0}, "key index: must be 1, 2 or 3"),
        ({"key_index": 4}, "key index: must be 1, 2 or 3"),
    ],
    ids=str,
)
def test_a_number_that_does_not_fit_is_refused_before_anything_is_sent(
    changes: dict[str, object], rule: str
) -> None:
    chip = blank_psam(seeded(8, TEST_DAY), Flash(bytearray(FLASH_SIZE)))
    before = chip.snapshot()
    given: dict[str, object] = {"terminal": TEST_TERMINAL, "serial": TEST_SERIAL} | changes
    with pytest.raises(FormatError, match=rule):
        personalise_psam(Card(MemoryChannel(chip)), MemoryKeys(), **given)  # type: ignore[arg-type]
    assert before == chip.snapshot()


def test_a_test_psam_of_no_generation_is_not_made() -> None:
    with pytest.raises(ValueError, match="there are 1"):
        issue_test_psam(generation="4")
