# SPDX-License-Identifier: Apache-2.0
"""Only a whole card is put in use; one that is not waits to be corrected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from personalisationbench import (
    Bank,
    bare,
    directory,
    give,
    profile,
    whole,
)

from apdu.wire.pboc.groups import (
    CHECK_VALUES,
    CONTACT_FCI,
    CONTACT_IADS,
    CONTACTLESS_FCI,
    KEYS,
    PARAMETERS,
    PIN,
    PIN_LIMIT,
    RSA_DP,
    SM2_PRIVATE,
    WAYS,
    Way,
)
from apdu.wire.perso import Algorithm, Life

Change = Callable[[dict[int, bytes]], None]


def without(number: int) -> Change:
    return lambda groups: groups.pop(number) and None


def instead(number: int, value: Callable[[bytes], bytes]) -> Change:
    def change(groups: dict[int, bytes]) -> None:
        groups[number] = value(groups[number])

    return change


def replaced(number: int, old: str, new: str) -> Change:
    def other(value: bytes) -> bytes:
        assert bytes.fromhex(old) in value
        return value.replace(bytes.fromhex(old), bytes.fromhex(new))

    return instead(number, other)


DEBITS = [WAYS[algorithm, Way.DEBIT] for algorithm in KEYS]
DEBIT, CASH = WAYS[Algorithm.TDES, Way.DEBIT], WAYS[Algorithm.TDES, Way.CASH]
FAULTS: dict[str, tuple[int, Change]] = {
    "no contact FCI": (0x6985, without(CONTACT_FCI)),
    "no contactless FCI": (0x6985, without(CONTACTLESS_FCI)),
    "an FCI of another application": (
        0x6A80,
        replaced(CONTACT_FCI, "8408A000000333010101", "8408A000000333010102"),
    ),
    "a broken FCI": (0x6985, instead(CONTACT_FCI, lambda value: value[:-1])),
    "no way for a debit": (0x6985, lambda groups: [groups.pop(n) for n in DEBITS] and None),
    "no AFL": (0x6985, instead(DEBIT, lambda value: value[:4])),
    "a broken AFL": (0x6985, replaced(DEBIT, "08010100", "08020100")),
    "an AFL with a record too many": (0x6985, replaced(DEBIT, "20010300", "20010400")),
    "an AFL with a file too many": (0x6985, replaced(CASH, "20010200", "40010200")),
    "no record": (0x6985, without(0x0402)),
    "an empty record": (0x6A80, instead(0x0401, lambda _: b"")),
    "a record without template": (0x6A80, instead(0x0401, lambda value: value[2:])),
    "a broken record": (0x6985, instead(0x0302, lambda value: value[:-1])),
    "a record and a half": (0x6A80, instead(0x0401, lambda value: value + b"\x9f\x14\x01\x03")),
    "no 9F10": (0x6985, without(CONTACT_IADS[Algorithm.TDES])),
    "a broken 9F10": (0x6985, replaced(CONTACT_IADS[Algorithm.TDES], "07010103", "07010203")),
    "CDOL1 without the country": (
        0x6985,
        replaced(0x0402, "8C1B9F02069F03069F1A02", "8C1B9F02069F03069F1B02"),
    ),
    "CDOL1 with a short amount": (0x6985, replaced(0x0402, "8C1B9F0206", "8C1B9F0205")),
    "CDOL2 without the ARC": (0x6985, replaced(0x0402, "8D1D8A02", "8D1D8902")),
    "a PDOL without TTQ": (0x6985, replaced(CONTACTLESS_FCI, "9F6604", "9F6504")),
    "a PDOL without the date": (0x6985, replaced(CONTACTLESS_FCI, "9A03", "9B03")),
    "no keys": (0x6985, without(KEYS[Algorithm.TDES])),
    "no keys for SM": (0x6985, without(KEYS[Algorithm.SM4])),
    "a part of the card's key missing": (0x6985, without(RSA_DP)),
    "a part of the card's key damaged": (
        0x6985,
        instead(RSA_DP, lambda value: bytes((value[0] ^ 1,)) + value[1:]),
    ),
    "another card's key": (0x6A80, lambda groups: groups.update(another_key())),
    "another exponent": (0x6A80, replaced(0x0202, "9F470103", "9F470111")),
    "no ICC certificate": (0x6985, replaced(0x0202, "9F4681", "9F4C81")),
    "no ICC exponent": (0x6985, replaced(0x0202, "9F470103", "9F450103")),
    "no SM2 key": (0x6985, without(SM2_PRIVATE)),
    "another SM2 key": (0x6A80, instead(SM2_PRIVATE, lambda _: bytes(31) + b"\x02")),
    "a PIN without limit": (0x6985, without(PIN_LIMIT)),
    "a limit without PIN": (0x6985, without(PIN)),
    "a parameter twice": (0x6985, instead(PARAMETERS[0], lambda value: value * 2)),
    "broken parameters": (0x6985, instead(PARAMETERS[1], lambda value: value[:-1])),
    "a balance that is none": (
        0x6A80,
        replaced(PARAMETERS[0], "9F7906000000000000", "9F790600000000000A"),
    ),
}


def another_key() -> dict[int, bytes]:
    other = profile("rsa-1408")
    return {number: other[number] for number in range(0x8201, 0x8206)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_card_that_is_not_whole_is_not_put_in_use_and_can_be_corrected(fault: str) -> None:
    chip = bare()
    expected, change = FAULTS[fault]
    groups = dict(profile("sm2"))
    change(groups)
    # Check values are held to the keys when they come; here it is the end that counts.
    for algorithm, number in CHECK_VALUES.items():
        if KEYS[algorithm] not in groups:
            del groups[number]
    bank = Bank(chip)
    assert expected == bank.groups(groups), fault
    assert Life.INITIALISATION is directory(chip).life
    bank.number += 1  # the block was taken; what it ended was not whole
    right = profile("sm2")
    room = {n: v for n, v in right.items() if groups.get(n) != v}
    small = any(len(v) > len(groups.get(n, v)) for n, v in room.items())
    if not small:
        assert 0x9000 == bank.groups({**room, PIN_LIMIT: right[PIN_LIMIT]})
        whole(chip, "sm2")
    else:
        give(chip, right)
        whole(chip, "sm2")


def test_nothing_at_all_is_no_card() -> None:
    bank = Bank(bare())
    assert 0x6985 == bank.group(0x9104, b"\x01", last=1)
