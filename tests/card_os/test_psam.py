# SPDX-License-Identifier: Apache-2.0
"""The PSAM: what it tells of itself, sessions under masters, and who may do what under which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psambench import (
    CARD_FACTOR,
    CHALLENGE,
    CITY,
    FLASH_SIZE,
    IN_PSAM,
    PROVINCE,
    SELECT_PSAM,
    derive,
    encipher,
    holder_card,
    mac,
    psam,
    psam_flash,
)
from strategies import commands as any_commands
from strategies import near
from testbench import SELECT_HRSS, SELECT_MF, command, select_df, send_all, sw, world

from apdu.crypto.derive import challenge_key, diversify
from apdu.crypto.padding import method_2
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.wire.access import NEVER
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.iso7816 import GET_CHALLENGE, UPDATE_BINARY, SfiOffset
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from apdu.wire.psam import PSAM_AID, CryptMode, may
from apdu.wire.psam_commands import WRITE_MASTER_KEY, MasterRef
from card_os.chip import PSAM_ROM, ROM, Chip
from card_os.files.layout import Mark
from card_os.nvm import Flash
from card_os.world import seeded
from host.cli.testcard import TEST_DAY, TEST_SERIAL, TEST_TERMINAL
from host.keys import TEST_ROOT, MemoryKeys
from host.terminal.personalise_psam import FIRST_SEQUENCE

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
slots = pytest.mark.parametrize("slot", IN_PSAM, ids=lambda slot: slot.name)
NO_SESSION = 0x6985
STK, RKSSSE = (0x48, 0x09), (0x67, 0x0A)


def expected_session(slot: KeySpec, suite: Suite) -> BlockKey:
    """The session key that DERIVE makes of a slot's master, the levels written out."""
    assert slot.psam is not None
    key = suite.key(MemoryKeys(suite=suite).master(slot.psam).reveal())
    for factor in (PROVINCE, CITY, CARD_FACTOR)[-slot.psam.levels :]:
        key = suite.key(diversify(key, factor))
    return challenge_key(key, CHALLENGE)


# What it tells of itself


def test_the_terminals_files_are_free_to_read_and_never_to_change() -> None:
    chip = psam()
    send_all(chip, [SELECT_MF])
    assert bytes.fromhex(TEST_TERMINAL) + b"\x90\x00" == chip.transmit(bytes.fromhex("00B0960006"))
    info = bytes.fromhex(TEST_SERIAL + "01010000")
    assert info + b"\x90\x00" == chip.transmit(bytes.fromhex("00B095000E"))
    send_all(chip, [select_df(0xDF01)])
    number = FIRST_SEQUENCE.to_bytes(4)
    assert number + b"\x90\x00" == chip.transmit(bytes.fromhex("00B0990004"))
    assert b"\x01\x90\x00" == chip.transmit(bytes.fromhex("00B09C0001"))
    before = chip.snapshot()
    for fid, sfi in ((0x3F00, 0x15), (0x3F00, 0x16), (0xDF01, 0x19), (0xDF01, 0x1C)):
        send_all(chip, [SELECT_MF, *([select_df(fid)] if fid != 0x3F00 else [])])
        assert 0x6982 == sw(chip.transmit(command(UPDATE_BINARY, SfiOffset(sfi), b"\x07")))
    assert before == chip.snapshot()


def test_it_is_selected_by_name_and_by_identifier() -> None:
    chip = psam()
    by_name = chip.transmit(bytes.fromhex("00A4040006D1560000059000"))
    assert bytes.fromhex("6F108406D15600000590A5069F0C03010100") + b"\x90\x00" == by_name
    send_all(chip, [command_by_name(SSSE_NAME), select_df(0xDF01), derive(*STK)])
    send_all(chip, [command_by_name(SSSE_NAME)])
    assert 0x6D00 == sw(chip.transmit(derive(*STK)))  # the MF has none of it


def command_by_name(name: bytes) -> bytes:
    return b"\x00\xa4\x04\x00" + bytes((len(name),)) + name


def test_the_name_of_the_mf_is_taken() -> None:
    chip = Chip.manufacture(Flash(bytearray(FLASH_SIZE)), world(), bytes(13), Mark.PSAM)
    header = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    assert 0x6A8A == sw(chip.transmit(command(CREATE_FILE, None, header)))


def test_a_challenge_is_to_be_had() -> None:
    assert 10 == len(psam().transmit(command(GET_CHALLENGE, ne=8)))


@pytest.mark.parametrize(("mark", "rom"), [(Mark.CARD, ROM), (Mark.PSAM, PSAM_ROM)])
def test_the_memory_says_which_chip_it_is(mark: Mark, rom: object) -> None:
    flash = Flash(bytearray(FLASH_SIZE))
    Chip.manufacture(flash, world(), bytes(13), mark)
    chip = Chip.boot(flash, world())
    names = {command_by_name(SSSE_NAME): mark is Mark.PSAM}
    for raw, there in names.items():
        assert (0x9000 if there else 0x6A82) == sw(chip.transmit(raw))
    other = {Mark.CARD: Mark.PSAM, Mark.PSAM: Mark.CARD}[mark]
    assert mark.to_bytes(4) in flash.cells.tobytes()
    assert other.to_bytes(4) not in flash.cells.tobytes()


def test_a_card_has_no_command_of_a_psam_and_a_psam_none_of_a_card() -> None:
    card = holder_card()
    send_all(card, [SELECT_HRSS])
    for raw in (derive(*STK), encipher(bytes(8)), bytes.fromhex("8072000004" + "00" * 4)):
        assert 0x6D00 == sw(card.transmit(raw))
    chip = psam()
    for text in ("0020000003123456", "00820004100000000000000000" + "00" * 8, "00880000" + "00"):
        assert 0x6D00 == sw(chip.transmit(bytes.fromhex(text)))


# Sessions


@suites
@slots
def test_a_session_does_what_its_masters_usage_byte_lets_it_do(suite: Suite, slot: KeySpec) -> None:
    assert slot.psam is not None
    chip = psam(suite)
    modes = may(slot.psam.usage)
    assert (0x9000 if modes else NO_SESSION) == sw(
        chip.transmit(derive(slot.psam.usage, slot.psam.id))
    )
    session, data = expected_session(slot, suite), bytes(range(2 * suite.block))
    for mode, raw, out in (
        (CryptMode.ENCIPHER, encipher(data), session.encrypt(data)),
        (CryptMode.MAC, mac(method_2(data, suite.block)), session.mac(data)[:8]),
    ):
        wanted = out + b"\x90\x00" if mode in modes else NO_SESSION.to_bytes(2)
        assert wanted == chip.transmit(raw)


def test_the_types_of_the_table_are_those_that_the_usage_bytes_say() -> None:
    both, encipher_alone, mac_alone = set(CryptMode), {CryptMode.ENCIPHER}, {CryptMode.MAC}
    expected = {0x46: mac_alone, 0x47: encipher_alone, 0x67: encipher_alone, 0x27: encipher_alone}
    expected |= {0x48: both, 0x28: both, 0x22: set()}
    assert expected == {slot.psam.usage: set(may(slot.psam.usage)) for slot in IN_PSAM if slot.psam}
    for kind in (0, 1, 2, 3, 4, 5, 9, 31):
        assert frozenset() == may(0x20 | kind)


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (derive(0x48, 0x7F), 0x6A88),
        (derive(0x67, 0x09), 0x6A88),
        (derive(0x28, 0x09), 0x6A88),
        (derive(0x68, 0x09), 0x6A88),
        (derive(0x48, 0x20), 0x6A88),
        (derive(0x42, 0x01), 0x6A88),
        (derive(0x22, 0x01), 0x6985),
        (derive(*STK, factors=CARD_FACTOR), 0x6700),
        (derive(*STK, factors=CARD_FACTOR + CITY + PROVINCE), 0x6700),
        (derive(*STK, factors=b""), 0x6700),
        (derive(*STK, factors=CARD_FACTOR + CITY[:4]), 0x6700),
        (b"\x80" + derive(*STK)[1:], 0x6E00),
    ],
    ids=lambda found: f"{found:04X}" if isinstance(found, int) else "",
)
def test_a_derivation_that_cannot_be_is_refused_and_ends_the_session(
    raw: bytes, answer: int
) -> None:
    chip = psam()
    send_all(chip, [derive(*STK), encipher(bytes(8))])
    assert answer == sw(chip.transmit(raw))
    at_a_gate = answer == 0x6E00  # the command was never begun
    assert (0x9000 if at_a_gate else NO_SESSION) == sw(chip.transmit(encipher(bytes(8))))


def test_a_session_lasts_until_another_selection_or_reset() -> None:
    for end in (SELECT_PSAM, SELECT_MF, None):
        chip = psam()
        assert NO_SESSION == sw(chip.transmit(encipher(bytes(8))))
        send_all(chip, [derive(*STK), encipher(bytes(8)), mac(bytes(8)), encipher(bytes(16))])
        if end is None:
            chip.reset()
        else:
            send_all(chip, [end])
        send_all(chip, [select_df(0xDF01)])
        assert NO_SESSION == sw(chip.transmit(encipher(bytes(8))))
        assert NO_SESSION == sw(chip.transmit(mac(bytes(8))))


@suites
def test_only_whole_blocks_are_worked_on(suite: Suite) -> None:
    chip, block = psam(suite), suite.block
    send_all(chip, [derive(*STK)])
    for size in range(8, 50):
        whole = size % block == 0
        assert (0x9000 if whole else 0x6A80) == sw(chip.transmit(encipher(bytes(size))))
        assert (0x9000 if whole else 0x6A80) == sw(chip.transmit(mac(bytes(size))))
    assert 0x6A80 == sw(chip.transmit(mac(b"")))
    assert 0x6700 == sw(chip.transmit(bytes.fromhex("80FA000007") + bytes(7)))


@suites
@given(st.binary(min_size=8, max_size=8), st.integers(1, 6).map(lambda n: bytes(range(16)) * n))
def test_the_initial_value_goes_into_the_first_block(
    suite: Suite, initial: bytes, blocks: bytes
) -> None:
    chip = psam(suite)
    send_all(chip, [derive(*STK)])
    first = bytes(a ^ b for a, b in zip(initial, blocks, strict=False))
    assert chip.transmit(mac(blocks, initial)) == chip.transmit(mac(first + blocks[8:]))


def test_an_answer_that_was_not_asked_for_waits() -> None:
    chip = psam()
    send_all(chip, [derive(*STK)])
    asked = chip.transmit(encipher(bytes(8)))
    bare = encipher(bytes(8))[:-1]
    assert b"\x61\x08" == chip.transmit(bare)
    assert asked == chip.transmit(bytes.fromhex("00C0000008"))


# Worked examples of the drivers' rules


def psam_with(*masters: tuple[int, int, bytes]) -> Chip:
    """A PSAM with 3DES masters of these usage bytes, key ids and values."""
    chip = Chip.manufacture(Flash(bytearray(FLASH_SIZE)), world(), bytes(13), Mark.PSAM)
    header = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=PSAM_AID)
    send_all(chip, [command(CREATE_FILE, None, header)])
    send_all(chip, [master(*each) for each in masters])
    send_all(chip, [SELECT_MF, command(ACTIVATE_FILE), SELECT_PSAM])
    return chip


def master(usage: int, number: int, value: bytes, use: KeyUsage = KeyUsage.DERIVATION) -> bytes:
    block = KeyBlock(use, 1, Algorithm.TDES, 15, value)
    return command(WRITE_MASTER_KEY, MasterRef(usage, number), block)


def test_the_session_of_three_levels_is_that_of_the_worked_example() -> None:
    chip = psam_with((*RKSSSE, TEST_ROOT))
    send_all(chip, [derive(*RKSSSE)])
    answer = chip.transmit(encipher(bytes.fromhex("0102030405060708")))
    assert "0AB23DB42F991FCE9000" == answer.hex().upper()


def test_the_messages_of_two_levels_are_those_of_the_worked_example() -> None:
    chip = psam_with((*STK, TEST_ROOT))
    send_all(chip, [derive(*STK)])
    pin = chip.transmit(encipher(bytes.fromhex("0312345680000000")))[:-2]
    assert "64AF80B1A9711AFF" == pin.hex().upper()
    reload = method_2(bytes.fromhex("842400010C") + pin, 8)
    assert "9DDB9A11" == chip.transmit(mac(reload))[:4].hex().upper()
    unblock = method_2(bytes.fromhex("8424000004"), 8)
    assert "C0C6930D" == chip.transmit(mac(unblock))[:4].hex().upper()


# Masters come in by personalisation alone


def test_a_master_is_for_derivation_and_has_16_bytes() -> None:
    chip = Chip.manufacture(Flash(bytearray(FLASH_SIZE)), world(), bytes(13), Mark.PSAM)
    block = KeyBlock(KeyUsage.MESSAGING, 1, Algorithm.TDES, 15, TEST_ROOT)
    assert 0x6D00 == sw(chip.transmit(command(WRITE_KEY, KeyRef(0x04), block)))
    header = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=PSAM_AID)
    send_all(chip, [command(CREATE_FILE, None, header)])
    for use in KeyUsage:
        wanted = 0x9000 if use is KeyUsage.DERIVATION else 0x6A80
        assert wanted == sw(chip.transmit(master(0x48, 0x09, TEST_ROOT, use)))
    for size in (1, 8, 15, 17, 24, 32):
        assert 0x6A80 == sw(chip.transmit(master(0x48, 0x10, bytes(size))))
    assert 0x6A89 == sw(chip.transmit(master(0x48, 0x09, TEST_ROOT)))
    send_all(chip, [master(0x67, 0x09, TEST_ROOT), SELECT_MF, command(ACTIVATE_FILE), SELECT_PSAM])
    assert 0x6985 == sw(chip.transmit(master(0x48, 0x10, TEST_ROOT)))


# Nothing comes out


MASTERS = [MemoryKeys().master(slot.psam).reveal() for slot in IN_PSAM if slot.psam]


@given(
    st.lists(
        near(any_commands.map(bytes))
        | st.sampled_from([SELECT_PSAM, derive(*STK), encipher(bytes(8)), mac(bytes(8))]),
        max_size=8,
    )
)
def test_whatever_it_is_told_it_answers_and_no_master_is_in_it(attempts: list[bytes]) -> None:
    chip = psam()
    answers = [chip.transmit(raw) for raw in attempts]
    assert all(len(answer) >= 2 for answer in answers)
    said = b"".join(answers)
    assert not [key for key in MASTERS for n in range(9) if key[n : n + 8] in said]


def test_its_memory_survives_a_reset_and_its_state_shows_nothing() -> None:
    flash = psam_flash()
    chip = psam(flash=flash)
    send_all(chip, [derive(*STK)])
    text = repr(chip._ctx.session.scratch)
    assert "•••" in text
    again = Chip.boot(flash, seeded(8, TEST_DAY))
    assert chip.snapshot() == again.snapshot()
