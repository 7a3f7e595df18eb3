# SPDX-License-Identifier: Apache-2.0
"""The medical account is in DF04 of a sealed card, and what was begun there stays there."""

from __future__ import annotations

import pytest
from keybench import NEW_PIN, PIN
from medicalbench import (
    FLASH_SIZE,
    SUITE_OF,
    begin_debit,
    begin_load,
    credit_load,
    debit,
    every_generation,
    prove,
    rich,
)
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    change_pin,
    command,
    select_df,
    select_name,
    send_all,
    verify,
    world,
)

from apdu.wire.hrss.generations import DF01, DF04, GENERATIONS
from apdu.wire.iso7816 import (
    READ_RECORD,
    SELECT,
    By,
    RecordRef,
    Selection,
)
from apdu.wire.perso import ACTIVATE_FILE
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_HOLDER, blank_chip
from host.keys import MemoryKeys
from host.terminal.personalise import personalise

ALL = [begin_debit(), begin_load(1), debit(bytes(4)), credit_load(bytes(4))]


PLACES: dict[str, tuple[list[bytes], int]] = {
    "SSSE": ([SELECT_HRSS, verify(NEW_PIN)], 0x6985),
    "another DF": ([select_df(DF01.fid)], 0x6985),
    "the MF": ([SELECT_MF], 0x6D00),
    "another application": ([SELECT_DEBIT], 0x6D00),
}
WAYS_OUT: dict[str, list[bytes]] = {
    "and back": [select_df(DF01.fid), select_df(DF04.fid)],
    "to its parent and back": [command(SELECT, Selection(By.PARENT)), select_df(DF04.fid)],
    "in anew": [select_df(DF04.fid)],
    "in by name": [select_name(DF04.name), verify(NEW_PIN)],
    "through the application": [SELECT_HRSS, verify(NEW_PIN), select_df(DF04.fid)],
    "through another one": [SELECT_DEBIT, SELECT_HRSS, verify(NEW_PIN), select_df(DF04.fid)],
    "through the MF": [SELECT_MF, select_df(0xDDF1), verify(NEW_PIN), select_df(DF04.fid)],
}


@pytest.mark.parametrize("place", PLACES)
@every_generation
def test_the_account_is_in_df04_alone(generation: str, place: str) -> None:
    till = rich(generation)
    way, expected = PLACES[place]
    send_all(till.chip, way)
    found = {till.send(raw) for raw in (*ALL, prove(1))}
    assert {expected} == found


@every_generation
def test_another_df_has_no_account_even_with_the_files_of_one(generation: str) -> None:
    till = rich(generation)
    till.chip._ctx.tree.names[DF01.name].by_sfi.update(till.directory_object().by_sfi)
    send_all(till.chip, [select_df(DF01.fid)])
    assert {0x6985} == {till.send(raw) for raw in (*ALL, prove(1))}


class Unsealing(MemoryChannel):
    """A channel that keeps the seal from the card."""

    def _exchange(self, command: bytes) -> bytes:
        return b"\x90\x00" if command[1] == ACTIVATE_FILE.ins else super()._exchange(command)


@every_generation
def test_a_card_that_is_still_being_made_books_nothing(generation: str) -> None:
    chip = blank_chip(world(), Flash(bytearray(FLASH_SIZE)))
    keys = MemoryKeys(suite=SUITE_OF[generation])
    personalise(Card(Unsealing(chip)), TEST_HOLDER, keys, GENERATIONS[generation])
    send_all(chip, [SELECT_HRSS, change_pin(PIN, NEW_PIN), verify(NEW_PIN), select_df(DF04.fid)])
    before = chip.snapshot()
    assert {b"\x69\x85"} == {chip.transmit(raw) for raw in (*ALL, prove(1))}
    assert before == chip.snapshot()


@pytest.mark.parametrize("way", WAYS_OUT)
@every_generation
def test_what_was_begun_does_not_outlive_its_selection(generation: str, way: str) -> None:
    till = rich(generation)
    begun = till.begin()
    order = till.order(begun)
    send_all(till.chip, WAYS_OUT[way])
    before = till.chip.snapshot()
    assert 0x6985 == till.send(order)
    assert before == till.chip.snapshot()
    till.buy()


@every_generation
def test_reading_in_between_does_no_harm(generation: str) -> None:
    till = rich(generation)
    begun = till.begin()
    till.send(command(READ_RECORD, RecordRef(1, 8)))
    till.send(select_df(0xEF08))
    till.send(prove(1))
    till.challenge()
    assert 0x9000 == till.send(till.order(begun))
