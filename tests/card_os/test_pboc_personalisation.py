# SPDX-License-Identifier: Apache-2.0
"""Personalising the bank's application: what is taken, what refused, and what it leaves torn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from personalisationbench import (
    ENCIPHERED,
    PLAIN,
    Bank,
    bare,
    bare_cells,
    boot,
    context,
    give,
    profile,
)
from powercuts import NOTHING_DONE, Damage, PowerCut, TornFlash, prefix, some_bits
from testbench import command, select_name

from apdu import tlv
from apdu.wire.iso7816 import READ_RECORD, RecordRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import AC_KEY, DEBIT_AID, PIN_REFERENCE
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
    RSA_P,
    SECRET,
    SM2_PRIVATE,
    WAYS,
    Way,
)
from apdu.wire.perso import Algorithm, KeyUsage, Life
from card_os.apps.pboc.channel import COUNTER_FID
from card_os.apps.pboc.groups import group_numbers, read_group
from card_os.apps.pboc.state import STATE_FID, CardState, load
from card_os.chip import Chip
from card_os.files.tree import Directory
from host.issuer.profile import SHIPPED

protocols = pytest.mark.parametrize("protocol", ["SCP02", "SCP03"])
NOT_KEPT = {*KEYS.values(), PIN, PIN_LIMIT}
"""Groups that become keys and a PIN; no file has them."""


def directory(chip: Chip) -> Directory:
    return context(chip).tree.names[DEBIT_AID]


def held(chip: Chip) -> dict[int, bytes | None]:
    """All groups that the chip keeps as they came."""
    own = {STATE_FID, COUNTER_FID}
    found = directory(chip)
    return {n: read_group(found, n) for n in group_numbers(found) if n not in own}


def whole(chip: Chip, name: str = "rsa-1152") -> None:
    """Assert that the chip has been personalised with all of this profile, and no more."""
    wanted = profile(name)
    assert Life.ACTIVATED is directory(chip).life
    assert {n: v for n, v in wanted.items() if n not in NOT_KEPT} == held(chip)
    chip.reset()
    assert wanted[CONTACT_FCI] + b"\x90\x00" == chip.transmit(select_name(DEBIT_AID))
    pin = context(chip).pin(PIN_REFERENCE)
    assert wanted[PIN_LIMIT][-1] == pin.counter.left == pin.counter.limit
    assert wanted[PIN] == pin.initial
    for algorithm in Algorithm:
        if KEYS.get(algorithm) in wanted:
            key = context(chip).key(AC_KEY, KeyUsage.CRYPTOGRAM, algorithm)
            assert wanted[CHECK_VALUES[algorithm]][:3] == key.cipher.check_value()
    assert CardState() == load(directory(chip))


@protocols
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_makes_a_card(protocol: str, name: str) -> None:
    chip = bare(protocol)
    give(chip, profile(name))
    whole(chip, name)


def test_an_application_that_is_being_personalised_tells_nothing() -> None:
    chip = bare()
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x0101, profile()[0x0101])
    assert b"\x6d\x00" == chip.transmit(command(READ_RECORD, RecordRef(1, 1)))
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("80CA9F3600"))
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("80A8000002830000"))
    assert 0x9000 == bank.group(0x0102, b"\x70\x00")


# Blocks


def test_a_block_out_of_its_order_is_refused() -> None:
    bank = Bank(bare())
    data = bank.stream([(0x9104, b"\x01")])
    bank.number = 1
    assert 0x6985 == bank.block(data)
    bank.number = 0
    assert 0x9000 == bank.block(data)
    bank.number = 0
    assert 0x6985 == bank.block(data)
    bank.number = 1
    assert 0x9000 == bank.block(data)


def test_the_numbers_of_blocks_begin_again_after_255_and_groups_stay() -> None:
    chip = bare()
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x0101, b"\x70\x00")
    for _ in range(300):
        assert 0x9000 == bank.block(bank.stream([(0x9104, b"\x01")]))
    assert b"\x70\x00" == read_group(directory(chip), 0x0101)


@given(st.lists(st.integers(1, 220), max_size=12), st.sampled_from(["SCP02", "SCP03"]))
@settings(max_examples=10)
def test_groups_may_be_cut_anywhere(cuts: list[int], protocol: str) -> None:
    chip = bare(protocol)
    bank = Bank(chip)
    late = {*SECRET, *CHECK_VALUES.values(), PIN_LIMIT}
    plain = {n: v for n, v in profile().items() if n not in late}
    data = bank.stream(plain.items())
    while data:
        size = cuts.pop() if cuts else 200
        assert 0x9000 == bank.block(data[:size])
        data = data[size:]
    assert 0x9000 == bank.groups({n: v for n, v in profile().items() if n not in plain})
    whole(chip)


def test_a_group_that_is_cut_at_the_end_is_refused() -> None:
    bank = Bank(bare())
    for number, value in profile().items():
        bank.group(number, value)
    assert 0x6A80 == bank.block(b"\x91\x20\x05\x01", last=1)


@pytest.mark.parametrize("marked", [1, 2])
def test_a_block_is_enciphered_whole_or_not_at_all(marked: int) -> None:
    bank = Bank(bare())
    assert 0x6A86 == bank.block(bank.stream([(0x9104, b"\x01")]), marked)


@protocols
@pytest.mark.parametrize("number", [PIN, RSA_P, SM2_PRIVATE, *KEYS.values()])
def test_secret_groups_come_enciphered(protocol: str, number: int) -> None:
    bank = Bank(bare(protocol))
    value = bytes(48) if number in KEYS.values() else profile("sm2")[number]
    assert 0x6A80 == bank.block(bank.stream([(number, value)]), PLAIN)
    assert 0x9000 == bank.group(number, value)


def test_a_secret_group_that_was_not_enciphered_under_the_dek_is_refused() -> None:
    bank = Bank(bare())
    naked = number_and(PIN, profile()[PIN])
    assert 0x6A80 == bank.block(naked, ENCIPHERED)
    assert 0x6A80 == bank.block(number_and(PIN, bytes(15)), ENCIPHERED)


def number_and(number: int, value: bytes) -> bytes:
    return number.to_bytes(2) + bytes((len(value),)) + value


def test_other_groups_do_not_come_enciphered() -> None:
    bank = Bank(bare())
    assert 0x6A80 == bank.block(bank.stream([(0x9104, b"\x01")]), ENCIPHERED)


def test_a_group_that_is_cut_goes_on_in_a_block_of_its_kind() -> None:
    bank = Bank(bare())
    data = bank.stream([(PIN, profile()[PIN])])
    assert 0x9000 == bank.block(data[:5], ENCIPHERED)
    assert 0x6A80 == bank.block(data[5:], PLAIN)
    assert 0x9000 == bank.block(data[5:], ENCIPHERED)


@pytest.mark.parametrize("number", [STATE_FID, COUNTER_FID, 0xEF0B, 0xEFFF])
def test_what_the_chip_keeps_for_itself_is_no_group(number: int) -> None:
    assert 0x6A80 == Bank(bare()).group(number, b"\x01\x02\x03")


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (KEYS[Algorithm.TDES], bytes(47)),
        (KEYS[Algorithm.TDES], bytes(49)),
        (PIN, bytes(7)),
        (PIN, bytes(9)),
        (PIN_LIMIT, b""),
        (PIN_LIMIT, b"\x9f\x17\x01\x00\x00"),
        (PIN_LIMIT, b"\x9f\x17\x01\x10\x10"),
        (CHECK_VALUES[Algorithm.TDES], bytes(9)),
    ],
)
def test_a_group_of_another_shape_is_refused_when_it_comes(number: int, value: bytes) -> None:
    assert 0x6A80 == Bank(bare()).group(number, value)


@pytest.mark.parametrize("wrong", range(3))
def test_every_key_is_held_to_its_check_value(wrong: int) -> None:
    bank = Bank(bare())
    keys, values = profile()[KEYS[Algorithm.TDES]], profile()[CHECK_VALUES[Algorithm.TDES]]
    assert 0x9000 == bank.group(KEYS[Algorithm.TDES], keys)
    other = bytearray(values)
    other[3 * wrong] ^= 1
    for bad in (bytes(other), values[:-1], values + b"\0"):
        assert 0x6A80 == bank.group(CHECK_VALUES[Algorithm.TDES], bad)


def test_a_check_value_that_was_refused_can_be_sent_right() -> None:
    chip = bare()
    bank = Bank(chip)
    values = CHECK_VALUES[Algorithm.TDES]
    assert 0x6A80 == bank.group(values, bytes(9))
    assert 0x9000 == bank.groups(profile())
    whole(chip)


# What makes a whole card

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


# Again, and torn


@pytest.mark.parametrize("first", SHIPPED)
@pytest.mark.parametrize("second", ["rsa-1152", "sm2"])
def test_a_new_channel_begins_anew_and_leaves_nothing_of_before(first: str, second: str) -> None:
    chip = bare()
    bank = Bank(chip)
    most = list(profile(first).items())[:-1]
    for number, value in most:
        assert 0x9000 == bank.group(number, value)
    chip.reset()
    give(chip, profile(second))
    whole(chip, second)


def test_a_group_or_key_that_comes_twice_takes_the_place_of_the_first() -> None:
    chip = bare()
    bank = Bank(chip)
    other = {**profile(), 0x0302: b"\x70\x00".ljust(len(profile()[0x0302]), b"\0")}
    other[KEYS[Algorithm.TDES]] = bytes(48)
    del other[CHECK_VALUES[Algorithm.TDES]]
    for number, value in other.items():
        assert 0x9000 == bank.group(number, value)
    assert 0x9000 == bank.groups(profile())
    whole(chip)


def test_a_longer_group_finds_no_room_in_the_first_ones_place_but_does_anew() -> None:
    chip = bare()
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x0101, b"\x70\x00")
    assert 0x6A84 == bank.group(0x0101, profile()[0x0101])
    give(chip)
    whole(chip)


def test_the_sequence_counter_outlives_a_new_beginning() -> None:
    chip = bare()
    for number in range(1, 4):
        bank = Bank(chip)
        assert 0x9000 == bank.group(0x9104, b"\x01")
        file = directory(chip).by_fid[COUNTER_FID]
        assert number == int.from_bytes(file.read_binary(0, 2))


def test_what_was_stored_in_a_blank_place_and_what_in_a_used_one_is_the_same() -> None:
    """Logs and the state begin as zeros, whatever stood in their place before."""
    chip = bare()
    bank = Bank(chip)
    for number in range(1, 30):
        assert 0x9000 == bank.group(0x0A00 | number, b"\xaa" * 200)
    give(chip)
    whole(chip)
    log = directory(chip).by_sfi[0x0B]
    assert b"\0" == context(chip).nvm.read(log.at, 1)


DAMAGES: tuple[Damage, ...] = (NOTHING_DONE, prefix(4), prefix(8), some_bits(1))


def test_wherever_it_is_torn_it_is_done_or_can_be_done_anew() -> None:
    """The whole of it, cut at every write; the damage differs from write to write."""
    cut, done = 0, False
    while not done:
        flash = TornFlash(bare_cells())
        chip = boot(flash)
        flash.arm(cut, DAMAGES[cut % len(DAMAGES)])
        try:
            give(chip, SHORT)
            done = True
        except PowerCut:
            flash.arm(None)
        again = boot(bytes(flash.cells))
        if directory(again).life is Life.INITIALISATION:
            assert not done
            give(again, SHORT)
        assert Life.ACTIVATED is directory(again).life
        assert {n: v for n, v in SHORT.items() if n not in NOT_KEPT} == held(again)
        cut += 1
    assert cut > 80


@given(st.integers(0, 10**6), st.sampled_from(["SCP02", "SCP03"]), st.sampled_from(DAMAGES))
@settings(max_examples=15)
def test_a_whole_card_that_was_torn_can_be_made_anew_with_another_profile(
    at: int, protocol: str, damage: Damage
) -> None:
    flash = TornFlash(bare_cells(protocol))
    give(boot(flash), profile("sm2"))
    writes = flash.writes
    flash = TornFlash(bare_cells(protocol))
    chip = boot(flash)
    flash.arm(at % writes, damage)
    with pytest.raises(PowerCut):
        give(chip, profile("sm2"))
    again = boot(bytes(flash.cells))
    if directory(again).life is Life.ACTIVATED:
        whole(again, "sm2")
    else:
        give(again, profile("rsa-1984"))
        whole(again, "rsa-1984")


def _short() -> dict[int, bytes]:
    """A card that is small enough to be torn everywhere: one way, and no signatures."""
    found = {
        number: profile()[number]
        for number in (0x9102, 0x9200, 0x0402, 0x8000, 0x9000, PIN, PIN_LIMIT)
    }
    found[0x9104] = tlv.build(
        [tlv.tlv(tags.AIP, b"\x1c\x00"), tlv.tlv(tags.AFL, bytes.fromhex("20020200"))]
    )
    return dict(sorted(found.items(), key=lambda item: item[0] in (PIN, PIN_LIMIT)))


SHORT = _short()
