# SPDX-License-Identifier: Apache-2.0
"""A personalisation that is begun anew leaves nothing of the one before, wherever that was torn."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from personalisationbench import (
    NOT_KEPT,
    Bank,
    bare,
    bare_cells,
    boot,
    context,
    directory,
    give,
    held,
    profile,
    whole,
)
from powercuts import NOTHING_DONE, Damage, PowerCut, TornFlash, prefix, some_bits

from apdu import tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.groups import (
    CHECK_VALUES,
    KEYS,
    PIN,
    PIN_LIMIT,
)
from apdu.wire.perso import Algorithm, Life
from card_os.apps.pboc.channel import COUNTER_FID
from host.issuer.profile import SHIPPED


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
