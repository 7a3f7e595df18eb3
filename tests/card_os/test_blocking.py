# SPDX-License-Identifier: Apache-2.0
"""APPLICATION BLOCK, APPLICATION UNBLOCK, CARD BLOCK: what they do, in a card with all its keys."""

from __future__ import annotations

import pytest
from blockbench import (
    BLOCK,
    BLOCKED,
    END,
    END_CARD,
    ENDED,
    FIDS,
    KEY_OF,
    NEVER_BLOCKED,
    OPEN,
    UNBLOCK,
    blocked,
    do,
    every_place,
    selects,
    states,
)
from keybench import (
    DF_OF,
    EXTERNAL,
    NEW_PIN,
    PIN,
    SPEC,
    TDES,
    WRONG_PIN,
    Desk,
    both_suites,
    external,
    issued_cells,
    pin_service,
)
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    change_pin,
    command,
    select_df,
    send_all,
    tries,
    verify,
    world,
)

from apdu.crypto.suite import Suite
from apdu.wire.hrss.application import PIN_TRIES, RID
from apdu.wire.hrss.blocking import BLOCKABLE, block_key
from apdu.wire.hrss.commands import PinService
from apdu.wire.hrss.generations import DIRECTORIES
from apdu.wire.hrss.keys import BK, LOCAL_LK, LOCAL_STK, STK, key_named
from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    RecordRef,
    SfiOffset,
)
from card_os.apps.hrss import HRSS
from card_os.chip import ROM, Chip
from card_os.nvm import JOURNAL_SIZE, Flash

STILL_TAKEN = {0xA4, 0xC0, 0x84, 0x1E, 0x18, 0x16}
"""INS that a blocked directory knows: SELECT, GET RESPONSE, GET CHALLENGE, and blocking itself."""


# The table


def test_the_keys_are_those_of_the_key_table() -> None:
    for directory in DIRECTORIES:
        label = directory.label
        assert (label in KEY_OF) == (directory.fid in BLOCKABLE)
        if label in KEY_OF:
            assert KEY_OF[label] == block_key(directory).name
            kid = LOCAL_LK if label in ("DF03", "DF04") else LOCAL_STK
            assert kid == block_key(directory).kid
        else:
            with pytest.raises(ValueError, match=f"{label}.*DF03 to DF07"):
                block_key(directory)
    assert [BK, STK] == [key_named(name).kid for name in ("BK", "STK")]


# A block that can be taken back


@both_suites
@every_place
def test_a_blocked_directory_is_found_with_a_warning_and_its_fci(suite: Suite, place: str) -> None:
    desk = blocked(place, desk=Desk(suite))
    assert {BLOCKED} == selects(desk.chip, place)
    desk.chip.reset()
    send_all(desk.chip, [SELECT_HRSS])
    fci = desk.chip.transmit(select_df(FIDS[place]))
    assert desk.directory.fci + b"\x62\x83" == fci
    assert RID in fci


@every_place
def test_a_blocked_directory_takes_what_gives_it_back_and_no_more(place: str) -> None:
    desk = blocked(place)
    for anew in (False, True):
        if anew:
            desk.go(place)
        before = desk.chip.snapshot()
        for ins, entry in HRSS.commands.entries.items():
            if ins not in STILL_TAKEN:
                for data in (b"", bytes(16)):
                    raw = bytes((entry.form.cla, ins, 0, 0)) + bytes((len(data),)) * bool(data)
                    assert b"\x69\x85" == desk.chip.transmit(raw + data)
        for raw in (
            verify(PIN),
            verify(WRONG_PIN),
            tries(),
            change_pin(PIN, NEW_PIN),
            command(READ_RECORD, RecordRef(1, 5)),
            command(READ_BINARY, SfiOffset(5)),
            command(GET_RESPONSE),
            external(SPEC["UKSSSE"].kid, bytes(8)),
            desk.protect(pin_service(PinService.UNBLOCK)),
        ):
            assert b"\x69\x85" == desk.chip.transmit(raw)
        assert 10 == len(desk.chip.transmit(command(GET_CHALLENGE, ne=8)))
        assert before == desk.chip.snapshot()


@both_suites
@every_place
def test_it_is_blocked_at_once_and_given_back_at_once(suite: Suite, place: str) -> None:
    """Q36."""
    desk = Desk(suite)
    desk.go("SSSE")
    desk.send(verify(WRONG_PIN))
    left = desk.tries()
    desk.go(place)
    before, access = desk.chip.snapshot(), desk.access()
    assert 0x9000 == do(desk, "block")
    assert 0x6985 == desk.send(command(READ_RECORD, RecordRef(1, 5)))
    assert 0x9000 == do(desk, "block")  # once more
    assert 0x9000 == do(desk, "unblock")
    assert access == desk.access()
    assert 0x9000 == do(desk, "unblock")  # once more
    assert before == desk.chip.snapshot()
    assert {OPEN} == selects(desk.chip, place)
    desk.go("SSSE")
    assert left == desk.tries() == PIN_TRIES - 1


@every_place
def test_one_byte_changes_and_no_neighbour_notices(place: str) -> None:
    old = issued_cells(TDES)
    desk = blocked(place)
    new = bytes(desk.flash.cells)
    assert 1 == sum(a != b for a, b in zip(old[JOURNAL_SIZE:], new[JOURNAL_SIZE:], strict=True))
    for restart in (False, True):
        if restart:
            desk.chip.reset()
        assert {other: BLOCKED if other == place else OPEN for other in KEY_OF} == states(desk.chip)
    for name in EXTERNAL:
        if DF_OF[name].label != place:
            desk.go(name)
            assert 0x9000 == desk.authenticate(name)
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(PIN))
    assert 0x9000 == desk.send(SELECT_DEBIT)


def test_what_was_proven_of_the_application_stays_and_of_the_directory_goes() -> None:
    desk = Desk()
    desk.go("DF03")
    assert 0x9000 == desk.send(verify(PIN))
    assert [0x9000, 0x9000] == [desk.authenticate("UKSSSE"), desk.authenticate("UK1DF03")]
    assert desk.opens("PIN", "UK1DF03")
    assert [0x9000, 0x9000] == [do(desk, "block"), do(desk, "unblock")]
    assert desk.opens("PIN")
    desk.move(DIRECTORIES[0])
    assert desk.opens("PIN", "UKSSSE")


@both_suites
def test_a_purchase_that_was_begun_does_not_outlive_the_block(suite: Suite) -> None:
    begin = bytes.fromhex("B0280101130100000064000000000000000099000000000116")
    debit = bytes.fromhex("B02C01000F00000001202601050930000000000008")
    for between, expected in ((False, 0x9302), (True, 0x6985)):
        desk = Desk(suite)
        desk.go("DF04")
        assert [0x9000, 0x9000] == [desk.send(change_pin(PIN, NEW_PIN)), desk.send(verify(NEW_PIN))]
        assert 24 == len(desk.chip.transmit(begin))
        if between:
            assert [0x9000, 0x9000] == [do(desk, "block"), do(desk, "unblock")]
        assert expected == desk.send(debit)


# A block for good


@both_suites
@every_place
@pytest.mark.parametrize("first", ["", "block"])
def test_a_directory_that_is_ended_comes_back_in_no_way(
    suite: Suite, place: str, first: str
) -> None:
    desk = Desk(suite)
    desk.go(place)
    if first:
        assert 0x9000 == do(desk, first)
    assert 0x9000 == do(desk, "end")
    before = desk.chip.snapshot()
    # Still standing in it:
    for raw in (verify(PIN), tries(), command(READ_RECORD, RecordRef(1, 5))):
        assert b"\x69\x85" == desk.chip.transmit(raw)
    for what in ("unblock", "block", "end"):
        assert ENDED == do(desk, what)
    for _ in range(2):
        assert {ENDED} == selects(desk.chip, place)
        desk.chip.reset()
    assert before == desk.chip.snapshot()
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(PIN))
    assert all(OPEN == found for other, found in states(desk.chip).items() if other != place)


# Where nothing is blocked


@both_suites
@pytest.mark.parametrize("place", NEVER_BLOCKED)
def test_elsewhere_the_right_mac_is_told_that_nothing_is_blocked_here(
    suite: Suite, place: str
) -> None:
    desk = Desk(suite)
    desk.go(place)
    assert 0x9000 == desk.send(verify(PIN))
    before, access = desk.chip.snapshot(), desk.access()
    for raw in (BLOCK, END, UNBLOCK):
        assert b"\x69\x85" == desk.chip.transmit(desk.protect(raw, NEVER_BLOCKED[place]))
        assert before == desk.chip.snapshot()
    assert access == desk.access()
    assert desk.opens("PIN")


def test_the_mf_does_not_know_these_commands() -> None:
    desk = Desk()
    send_all(desk.chip, [SELECT_MF])
    before = desk.chip.snapshot()
    for raw in (BLOCK, END, UNBLOCK, END_CARD):
        assert b"\x6d\x00" == desk.chip.transmit(desk.protect(raw, "BK"))
    assert before == desk.chip.snapshot()


def test_the_bank_application_has_scripts_of_its_own_and_takes_these_never(chip: Chip) -> None:
    send_all(chip, [SELECT_DEBIT])
    before = chip.snapshot()
    for raw in (BLOCK, UNBLOCK, END_CARD):
        assert b"\x69\x85" == chip.transmit(bytes((0x84,)) + raw[1:4] + b"\x04" + bytes(4))
    assert before == chip.snapshot()


# The card


def refuses_everything(chip: Chip) -> None:
    atr = Chip(ROM, Flash(bytearray(issued_cells(TDES))), world()).reset()
    before = chip.snapshot()
    for restart in (False, True):
        if restart:
            assert atr == chip.reset()
        for raw in (
            SELECT_HRSS,
            SELECT_MF,
            SELECT_DEBIT,
            *map(select_df, FIDS.values()),
            command(GET_CHALLENGE, ne=8),
            command(GET_RESPONSE),
            command(READ_RECORD, RecordRef(1, 5)),
        ):
            assert b"\x6a\x81" == chip.transmit(raw)
    assert before == chip.snapshot()


@both_suites
@pytest.mark.parametrize("place", FIDS)
def test_a_blocked_card_answers_to_reset_and_to_nothing_else(suite: Suite, place: str) -> None:
    desk = Desk(suite)
    desk.go(place)
    assert b"\x90\x00" == desk.chip.transmit(desk.protect(END_CARD, "BK"))
    refuses_everything(desk.chip)


@pytest.mark.parametrize("kind", ["block", "end"])
def test_a_card_can_be_blocked_from_a_blocked_directory(kind: str) -> None:
    desk = blocked("DF04", kind)
    assert 0x9000 == desk.send(desk.protect(END_CARD, "BK"))
    refuses_everything(desk.chip)


def test_a_card_block_touches_the_master_block_alone() -> None:
    desk = Desk()
    desk.go("SSSE")
    assert 0x9000 == desk.send(desk.protect(END_CARD, "BK"))
    differ = [
        at
        for at, (a, b) in enumerate(zip(issued_cells(TDES), desk.flash.cells, strict=True))
        if at >= JOURNAL_SIZE and a != b
    ]
    assert set(differ) <= set(range(JOURNAL_SIZE, JOURNAL_SIZE + 32))
