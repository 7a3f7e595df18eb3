# SPDX-License-Identifier: Apache-2.0
"""The terminal's half of a purchase: MAC1, MAC2, and a number that is never given away twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from powercuts import DAMAGES, FOR_EVER, Damage, FaultyFlash, TornFlash, cells_after
from psambench import (
    ALGORITHM_OF,
    CARD_FACTOR,
    CITY,
    FLASH_SIZE,
    PURCHASE,
    SELECT_PSAM,
    derive,
    encipher,
    psam,
    psam_flash,
    purchase,
    verify_mac2,
)
from testbench import SELECT_MF, command, select_df, send_all, sw, world

from apdu.crypto import purchase as cryptograms
from apdu.crypto.derive import diversify
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.wire.access import NEVER
from apdu.wire.hrss.keys import PsamName
from apdu.wire.iso7816 import READ_BINARY, SfiOffset
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind
from apdu.wire.psam import PSAM_AID
from apdu.wire.psam_commands import PurchaseReply
from apdu.wire.purchase import Mac1Input, Mac2Input, PurchaseAlgorithm
from card_os.chip import Chip
from card_os.files.layout import Mark
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_SERIAL, TEST_TERMINAL
from host.keys import MemoryKeys
from host.terminal.personalise_psam import personalise_psam

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
READ_SEQUENCE = command(READ_BINARY, SfiOffset(0x19), ne=4)
LAST = 0xFFFFFFFF


def begun(chip: Chip, **changes: object) -> PurchaseReply:
    answer = chip.transmit(purchase(**changes))
    assert 0x9000 == sw(answer)
    return PurchaseReply.parse(answer[:-2])


def sequence(chip: Chip) -> int:
    """What EF19 says."""
    return int.from_bytes(chip.transmit(READ_SEQUENCE)[:-2])


def session(suite: Suite, terminal_sequence: bytes, version: int = 1) -> BlockKey:
    master = MemoryKeys(suite=suite).master(PsamName(0x22, version)).reveal()
    dpk = suite.key(diversify(suite.key(master), CARD_FACTOR))
    return cryptograms.purchase_key(dpk, PURCHASE.random, PURCHASE.card_sequence, terminal_sequence)


def mac2(suite: Suite, reply: PurchaseReply) -> bytes:
    """What the card answers when it has booked."""
    booked = Mac2Input(PURCHASE.card_sequence, reply.terminal_sequence, reply.mac1)
    return cryptograms.mac2(session(suite, reply.terminal_sequence), booked)


@suites
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("factors", [CARD_FACTOR, CARD_FACTOR + CITY])
def test_mac1_is_over_amounts_type_terminal_and_time(
    suite: Suite, version: int, factors: bytes
) -> None:
    chip = psam(suite)
    reply = begun(chip, version=version, factors=factors, algorithm=ALGORITHM_OF[suite.number])
    terms = Mac1Input(1234, 56, 0, bytes.fromhex(TEST_TERMINAL), PURCHASE.time)
    key = session(suite, reply.terminal_sequence, version)
    assert cryptograms.mac1(key, terms) == reply.mac1


@suites
def test_each_purchase_has_the_number_that_was_read_and_the_next_one_the_next(
    suite: Suite,
) -> None:
    flash = psam_flash(suite)
    for number in range(1, 6):
        chip = psam(flash=flash)  # the power was off in between
        assert number == sequence(chip)
        reply = begun(chip, algorithm=ALGORITHM_OF[suite.number])
        assert number.to_bytes(4) == reply.terminal_sequence
        assert number + 1 == sequence(chip)


@suites
def test_mac2_is_judged_once(suite: Suite) -> None:
    chip, algorithm = psam(suite), ALGORITHM_OF[suite.number]
    assert 0x6985 == sw(chip.transmit(verify_mac2(bytes(4))))
    right = mac2(suite, begun(chip, algorithm=algorithm))
    send_all(chip, [verify_mac2(right)])
    assert 0x6985 == sw(chip.transmit(verify_mac2(right)))
    right = mac2(suite, begun(chip, algorithm=algorithm))
    wrong = bytes((right[0] ^ 1,)) + right[1:]
    assert 0x9302 == sw(chip.transmit(verify_mac2(wrong)))
    assert 0x6985 == sw(chip.transmit(verify_mac2(right)))


@pytest.mark.parametrize(
    "between",
    [
        [SELECT_PSAM],
        [SELECT_MF, select_df(0xDF01)],
        [purchase()],
    ],
    ids=["selected anew", "left and entered", "begun anew"],
)
def test_a_purchase_lasts_until_another_or_another_selection(between: list[bytes]) -> None:
    chip = psam()
    right = mac2(SUITES[1], begun(chip))
    send_all(chip, between)
    assert 0x9000 != sw(chip.transmit(verify_mac2(right)))


def test_a_refused_purchase_ends_the_one_before_and_takes_no_number() -> None:
    chip = psam()
    right = mac2(SUITES[1], begun(chip))
    assert 0x9403 == sw(chip.transmit(purchase(version=4)))
    assert 0x6985 == sw(chip.transmit(verify_mac2(right)))
    assert 2 == sequence(chip)


def test_a_session_and_a_purchase_do_not_disturb_each_other() -> None:
    chip = psam()
    send_all(chip, [derive(0x48, 0x09)])
    right = mac2(SUITES[1], begun(chip))
    send_all(chip, [encipher(bytes(8)), derive(0x48, 0x10), verify_mac2(right)])
    send_all(chip, [encipher(bytes(8))])


@suites
@pytest.mark.parametrize("version", [0, 4, 8, 9, 255])
def test_an_unknown_key_index_is_refused(suite: Suite, version: int) -> None:
    chip = psam(suite)
    raw = purchase(version=version, algorithm=ALGORITHM_OF[suite.number])
    assert 0x9403 == sw(chip.transmit(raw))
    assert 1 == sequence(chip)


@suites
@pytest.mark.parametrize("algorithm", PurchaseAlgorithm)
def test_a_key_of_another_algorithm_does_not_serve(
    suite: Suite, algorithm: PurchaseAlgorithm
) -> None:
    own = algorithm is ALGORITHM_OF[suite.number]
    assert (0x9000 if own else 0x9403) == sw(psam(suite).transmit(purchase(algorithm=algorithm)))


@pytest.mark.parametrize("factors", [CARD_FACTOR[:7], CARD_FACTOR + CITY[:3], b""])
def test_factors_are_whole(factors: bytes) -> None:
    chip = psam()
    raw = bytes.fromhex("80700100") + bytes((28 + len(factors),))
    raw += bytes(purchase(factors=CARD_FACTOR)[5:33]) + factors
    assert 0x6700 == sw(chip.transmit(raw))
    assert 1 == sequence(chip)


def made_with(first: int) -> Chip:
    chip = Chip.manufacture(Flash(bytearray(FLASH_SIZE)), world(), bytes(13), Mark.PSAM)
    card = Card(MemoryChannel(chip))
    personalise_psam(card, MemoryKeys(), TEST_TERMINAL, TEST_SERIAL, first)
    send_all(chip, [SELECT_PSAM])
    return chip


def test_the_numbers_come_to_an_end_and_never_begin_anew() -> None:
    chip = made_with(LAST - 2)
    assert [LAST - 2, LAST - 1] == [int.from_bytes(begun(chip).terminal_sequence) for _ in range(2)]
    for _ in range(3):
        assert 0x6985 == sw(chip.transmit(purchase()))
        assert LAST == sequence(chip)


def test_a_psam_without_its_files_makes_no_purchase() -> None:
    chip = Chip.manufacture(Flash(bytearray(FLASH_SIZE)), world(), bytes(13), Mark.PSAM)
    header = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=PSAM_AID)
    send_all(chip, [command(CREATE_FILE, None, header)])
    assert 0x9403 == sw(chip.transmit(purchase()))


# Power cuts


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("first", [1, 0xFF, 0x00FFFFFF, LAST - 3])
def test_a_number_is_given_away_once_whenever_the_power_goes(damage: Damage, first: int) -> None:
    cells = bytes(made_with(first)._flash.cells)
    for cut in range(100):
        flash = TornFlash(cells)
        chip = psam(flash=flash)
        flash.arm(cut, damage)
        given: list[bytes] = []
        left = cells_after(
            flash, lambda chip=chip, given=given: given.append(chip.transmit(purchase()))
        )
        if left is None:
            assert [0x9000] == [sw(answer) for answer in given]
            assert cut > 0
            return
        assert not given  # no answer came out, so its number was given to nobody
        again = int.from_bytes(begun(psam(flash=Flash(bytearray(left)))).terminal_sequence)
        assert again in (first, first + 1)
    raise AssertionError("the command never came to its end")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(DAMAGES)), min_size=1, max_size=6))
def test_numbers_only_grow_over_any_number_of_cuts(cuts: list[tuple[int, Damage]]) -> None:
    cells = bytes(psam_flash().cells)
    shown = [0]
    for cut, damage in cuts:
        flash = TornFlash(cells)
        chip = psam(flash=flash)
        flash.arm(cut, damage)
        answers: list[bytes] = []
        left = cells_after(flash, lambda chip=chip, a=answers: a.append(chip.transmit(purchase())))
        cells = bytes(flash.cells) if left is None else left
        shown += [int.from_bytes(answer[:4]) for answer in answers]
    shown.append(int.from_bytes(begun(psam(flash=Flash(bytearray(cells)))).terminal_sequence))
    assert sorted(set(shown)) == shown


def test_memory_that_fails_gives_no_number_away() -> None:
    flash = FaultyFlash(bytes(psam_flash().cells))
    chip = psam(flash=flash)
    flash.arm(range(0, FOR_EVER))
    assert 0x6581 == sw(chip.transmit(purchase()))
    flash.arm(range(0))
    send_all(chip, [SELECT_PSAM])
    assert 1 == sequence(chip)
