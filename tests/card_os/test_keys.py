# SPDX-License-Identifier: Apache-2.0
"""Keys come in by personalisation, serve one usage, block, and never leave.

`USE` and `FAIL` ask the key store as commands do, for every usage there is: the one answers with
the key's check value, the other spends a try.
"""

from __future__ import annotations

import pytest
from benchplan import DIRECTORIES, BenchDirectory, noise
from hypothesis import given
from hypothesis import strategies as st
from strategies import commands as any_commands
from strategies import near
from testbench import (
    FLASH_SIZE,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    blank,
    command,
    go_to,
    select_df,
    send_all,
    sw,
    world,
)

from apdu.crypto.sm4 import SM4
from apdu.wire.access import NEVER
from apdu.wire.fields import bit_choice, bits, wire
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.hrss.application import RID, SSSE_NAME
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
from apdu.wire.record import BitRecord, record
from card_os.apps.hrss import HRSS
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import Application, CommandTable, Context
from card_os.nvm import Flash

USAGES = [usage for usage in KeyUsage if usage is not KeyUsage.PIN]
CIPHERS = (Algorithm.TDES, Algorithm.SM4)
OF_THE_CHANNEL = (KeyUsage.CHANNEL_ENC, KeyUsage.CHANNEL_MAC, KeyUsage.CHANNEL_DEK)


@record
class Use(BitRecord):
    usage: KeyUsage = wire(bit_choice(KeyUsage, 8))
    kid: int = wire(bits(8))


USE = CommandForm("USE", 0xF9, Use, NOTHING, RAW, cases=frozenset({2}), cla=0x80)
FAIL = CommandForm("FAIL", 0xFA, KeyRef, NOTHING, NOTHING, cases=frozenset({1}), cla=0x80)
table = CommandTable()


@table.on(USE)
def use(ctx: Context, ref: Use, _: None) -> bytes:
    return ctx.key(ref.kid, ref.usage).cipher.check_value()


@table.on(FAIL)
def fail(ctx: Context, ref: KeyRef, _: None) -> None:
    ctx.key(ref.kid, KeyUsage.EXTERNAL_AUTHENTICATE).counter.pay()


ROM = (ROOT, Application("HRSS", SSSE_NAME, CommandTable(HRSS.commands, table)))


def write(
    kid: int,
    usage: KeyUsage = KeyUsage.EXTERNAL_AUTHENTICATE,
    limit: int = 3,
    value: bytes = noise("a key", 16),
    algorithm: Algorithm = Algorithm.SM4,
    version: int = 1,
) -> bytes:
    return command(WRITE_KEY, KeyRef(kid), KeyBlock(usage, version, algorithm, limit, value))


def card_with(
    *keys: bytes, local: tuple[bytes, ...] = (), rom: tuple[Application, ...] = ROM
) -> Chip:
    """A sealed chip with keys in SSSE, and in DF01 below it."""
    flash = Flash(bytearray(FLASH_SIZE))
    ssse = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    df01 = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=RID + b"\0")
    commands = [command(CREATE_FILE, None, ssse), *keys]
    commands += [command(CREATE_FILE, None, df01), *local]
    send_all(blank(flash), [*commands, SELECT_MF, command(ACTIVATE_FILE)])
    chip = Chip(rom, flash, world())
    send_all(chip, [SELECT_HRSS])
    return chip


def shown(value: bytes) -> bytes:
    """What USE answers when the key has this value."""
    return SM4.key(value).check_value() + b"\x90\x00"


def used(kid: int, usage: KeyUsage = KeyUsage.EXTERNAL_AUTHENTICATE) -> bytes:
    return command(USE, Use(usage, kid))


@pytest.mark.parametrize("stored", USAGES)
def test_a_key_serves_the_usage_it_was_stored_for_and_no_other(stored: KeyUsage) -> None:
    value = noise("a key", 16)
    chip = card_with(write(0x04, stored, value=value))
    for usage in KeyUsage:
        expected = shown(value) if usage is stored else b"\x69\x85"
        assert expected == chip.transmit(used(0x04, usage))


@pytest.mark.parametrize("limit", [1, 2, 8, 9, 15])
def test_a_key_blocks_when_its_tries_are_spent_and_others_do_not(limit: int) -> None:
    chip = card_with(write(0x04, limit=limit), write(0x06, limit=limit))
    for _ in range(limit):
        assert 0x9000 == sw(chip.transmit(used(0x04)))
        send_all(chip, [command(FAIL, KeyRef(0x04))])
    for _ in range(2):
        assert b"\x69\x83" == chip.transmit(used(0x04))
        assert b"\x69\x85" == chip.transmit(used(0x04, KeyUsage.MESSAGING))
        assert 0x9000 == sw(chip.transmit(used(0x06)))
        chip.reset()
        send_all(chip, [SELECT_HRSS])


def test_local_keys_belong_to_their_directory_and_others_to_the_whole_application() -> None:
    mine, theirs = noise("local key", 16), noise("key of the root", 16)
    chip = card_with(
        write(0x04, value=theirs), write(0x90, value=theirs), local=(write(0x84, value=mine),)
    )
    assert shown(theirs) == chip.transmit(used(0x04))
    assert shown(theirs) == chip.transmit(used(0x90))
    assert b"\x6a\x88" == chip.transmit(used(0x84))
    send_all(chip, [select_df(0xDF01)])
    assert shown(theirs) == chip.transmit(used(0x04))
    assert shown(mine) == chip.transmit(used(0x84))
    assert b"\x6a\x88" == chip.transmit(used(0x90))


@pytest.mark.parametrize("usage", KeyUsage)
def test_a_key_of_the_application_cannot_be_stored_below_it_where_it_would_hide_another(
    usage: KeyUsage,
) -> None:
    chip = blank()
    for fid, name in ((0xDDF1, SSSE_NAME), (0xDF01, b"below")):
        header = FileHeader(FileKind.DF, fid, NEVER, NEVER, name=name)
        send_all(chip, [command(CREATE_FILE, None, header)])
    is_pin = usage is KeyUsage.PIN
    value = b"\x12\x34\x56" if is_pin else bytes(16)
    block = KeyBlock(usage, 0, Algorithm.NONE if is_pin else Algorithm.SM4, 3, value)
    for reference in (0x00, 0x04, 0x7F):
        assert b"\x6a\x80" == chip.transmit(command(WRITE_KEY, KeyRef(reference), block))
    send_all(chip, [command(WRITE_KEY, KeyRef(0x80), block)])


def test_there_is_one_key_to_a_number_usage_and_version_and_a_pin_may_share_the_number() -> None:
    chip = blank()
    pin = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, 3, b"\x12\x34\x56")
    send_all(chip, [write(0x04), command(WRITE_KEY, KeyRef(0x04), pin)])
    send_all(chip, [write(0x04, KeyUsage.MESSAGING), write(0x04, version=2)])
    for again in (write(0x04), write(0x04, KeyUsage.MESSAGING), write(0x04, version=2)):
        assert b"\x6a\x89" == chip.transmit(again)
    assert b"\x6a\x89" == chip.transmit(command(WRITE_KEY, KeyRef(0x04), pin))


@pytest.mark.parametrize("usage", USAGES)
@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("size", [1, 8, 15, 16, 17, 24, 32])
def test_a_key_has_the_length_of_its_algorithm(
    usage: KeyUsage, algorithm: Algorithm, size: int
) -> None:
    chip = blank()
    before = chip.snapshot()
    answer = sw(chip.transmit(write(0x04, usage, value=bytes(size), algorithm=algorithm)))
    known = (*CIPHERS, Algorithm.AES) if usage in OF_THE_CHANNEL else CIPHERS
    expected = 0x9000 if algorithm in known and size == 16 else 0x6A80
    assert expected == answer
    assert (expected == 0x9000) == (before != chip.snapshot())


@pytest.mark.parametrize("limit", [0, 16, 255])
def test_a_key_has_1_to_15_tries(limit: int) -> None:
    assert b"\x6a\x80" == blank().transmit(write(0x04, limit=limit))


@pytest.mark.parametrize(
    ("version", "algorithm", "value"),
    [
        (1, Algorithm.NONE, b"\x12\x34\x56"),
        (0, Algorithm.TDES, b"\x12\x34\x56"),
        (0, Algorithm.NONE, b"\x12\x34"),
        (0, Algorithm.NONE, b"\x12\x34\x5a"),
        (0, Algorithm.NONE, b"\x12\x34\x56\x78\x90"),
    ],
)
def test_a_pin_comes_without_version_and_algorithm_and_with_6_to_8_digits(
    version: int, algorithm: Algorithm, value: bytes
) -> None:
    block = KeyBlock(KeyUsage.PIN, version, algorithm, 3, value)
    assert b"\x6a\x80" == blank().transmit(command(WRITE_KEY, KeyRef(0), block))


def test_the_text_of_a_key_does_not_show_it() -> None:
    texts: list[str] = []

    def show(ctx: Context, ref: KeyRef, _: None) -> None:
        key = ctx.key(ref.kid, KeyUsage.EXTERNAL_AUTHENTICATE)
        texts.extend([repr(key), str(key), repr(key.cipher), f"{key.counter}"])

    showing = CommandTable()
    showing.on(FAIL)(show)
    rom = (ROOT, Application("HRSS", SSSE_NAME, CommandTable(HRSS.commands, showing)))
    send_all(card_with(write(0x04), rom=rom), [command(FAIL, KeyRef(0x04))])
    value = noise("a key", 16)
    assert 4 == len(texts)
    for text in texts:
        for n in range(0, 13):
            part = value[n : n + 4]
            assert part.hex() not in text.lower()
            assert repr(part)[2:-1] not in text


KEYS = [
    noise(f"{directory.label} key {kid}", 16) for directory in DIRECTORIES for kid in directory.keys
]


@given(st.sampled_from(DIRECTORIES), st.lists(near(any_commands.map(bytes)), max_size=8))
def test_no_answer_of_a_sealed_card_holds_a_part_of_a_key(
    directory: BenchDirectory, attempts: list[bytes]
) -> None:
    chip = bench()
    send_all(chip, go_to(directory.label))
    said = b"".join(map(chip.transmit, attempts))
    assert not [key for key in KEYS for n in range(9) if key[n : n + 8] in said]
