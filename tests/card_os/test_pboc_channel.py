# SPDX-License-Identifier: Apache-2.0
"""The secure channel on the chip: what opens it, what closes it, and what a wrong key costs."""

from __future__ import annotations

import pytest
from personalisationbench import Bank, bare, context, give, profile, sw_of
from testbench import command, select_name, sw

from apdu.command import CommandAPDU
from apdu.secret import Secret
from apdu.secure_channel import Handshake, begin
from apdu.wire.globalplatform import (
    INITIALIZE_UPDATE,
    OPEN_CHANNEL,
    STORE_DATA,
    KeySetRef,
    Level,
    LevelRef,
    StoreDataRef,
)
from apdu.wire.pboc.application import (
    CHANNEL_DEK_KEY,
    CHANNEL_ENC_KEY,
    CHANNEL_MAC_KEY,
    DEBIT_AID,
)
from apdu.wire.perso import Algorithm, KeyUsage
from card_os.access import NOTHING_PROVEN
from card_os.apps.pboc.channel import COUNTER_FID
from card_os.chip import Chip
from host.card import Card, command_of
from host.channel.memory import MemoryChannel
from host.faults import CardNotGenuine, PinBlocked
from host.issuer.profile import known_chance
from host.terminal.personalise import KEY_TRIES
from host.terminal.secure_channel import (
    TEST_CHANNEL_KEYS,
    ChannelSecrets,
    SecureChannel,
    open_channel,
)

protocols = pytest.mark.parametrize("protocol", ["SCP02", "SCP03"])
HOST = bytes(range(8))
BEGIN = command(INITIALIZE_UPDATE, KeySetRef(), HOST)
BARE = command(STORE_DATA, StoreDataRef(), b"\x91\x04\x00")


def begun(chip: Chip) -> SecureChannel:
    """A channel before EXTERNAL AUTHENTICATE, as the host has it."""
    card = Card(MemoryChannel(chip))
    card.select(DEBIT_AID)
    found = card.send(INITIALIZE_UPDATE, KeySetRef(), HOST)
    keys = TEST_CHANNEL_KEYS.under(context(chip).key(0x91, KeyUsage.CHANNEL_ENC).cipher.suite)
    return SecureChannel(card, begin(keys, Handshake(HOST, found.counter, found.challenge)))


def prove(channel: SecureChannel, cryptogram: bytes = b"", level: Level = Level.MAC) -> int:
    """EXTERNAL AUTHENTICATE, with another cryptogram than the right one if it is given."""
    right = channel._channel.host_cryptogram
    return sw_of(lambda: channel.send(OPEN_CHANNEL, LevelRef(level), cryptogram or right))


def tries(chip: Chip) -> tuple[int, int]:
    ctx = context(chip)
    keys = ctx.tree.names[DEBIT_AID].keys
    enc = keys.held(CHANNEL_ENC_KEY, KeyUsage.CHANNEL_ENC)
    mac = keys.held(CHANNEL_MAC_KEY, KeyUsage.CHANNEL_MAC)
    return enc.counter.left, mac.counter.left


@protocols
@pytest.mark.parametrize("level", Level)
def test_a_bank_with_the_right_keys_opens_a_channel(protocol: str, level: Level) -> None:
    bank = Bank(bare(protocol), level=level)
    assert 0x9000 == bank.group(0x9104, profile()[0x9104])


@protocols
def test_without_a_channel_nothing_is_stored(protocol: str) -> None:
    chip = bare(protocol)
    chip.transmit(select_name(DEBIT_AID))
    before = chip.snapshot()
    assert b"\x69\x82" == chip.transmit(BARE)
    assert b"\x69\x82" == chip.transmit(bytes.fromhex("84E200000B9104000102030405060708"))
    assert b"\x69\x82" == chip.transmit(command(OPEN_CHANNEL, LevelRef(Level.MAC), HOST))
    assert b"\x69\x85" == chip.transmit(bytes.fromhex("848201001000112233445566778899AABBCCDDEEFF"))
    assert before == chip.snapshot()


@protocols
def test_the_card_proves_itself_before_the_host_says_anything(protocol: str) -> None:
    wrong = ChannelSecrets(*[Secret(bytes(16))] * 3)
    chip = bare(protocol)
    card = Card(MemoryChannel(chip))
    card.select(DEBIT_AID)
    with pytest.raises(CardNotGenuine):
        open_channel(card, DEBIT_AID, wrong, known_chance())
    assert (KEY_TRIES, KEY_TRIES) == tries(chip)


@protocols
def test_a_wrong_cryptogram_costs_a_try_and_ends_the_handshake(protocol: str) -> None:
    chip = bare(protocol)
    channel = begun(chip)
    assert 0x6300 == prove(channel, HOST)
    assert (KEY_TRIES - 1, KEY_TRIES) == tries(chip)
    assert 0x6985 == prove(channel)
    assert 0x9000 == prove(begun(chip))
    assert (KEY_TRIES, KEY_TRIES) == tries(chip)


@protocols
def test_a_wrong_mac_costs_a_try_and_ends_the_handshake(protocol: str) -> None:
    chip = bare(protocol)
    channel = begun(chip)
    inner = channel._channel
    _, right = inner.protect(command_of(OPEN_CHANNEL, LevelRef(Level.MAC), HOST, 0))
    raw = bytes(right)
    assert b"\x69\x88" == chip.transmit(raw[:-1] + bytes((raw[-1] ^ 1,)))
    assert (KEY_TRIES, KEY_TRIES - 1) == tries(chip)
    assert b"\x69\x85" == chip.transmit(raw)


@protocols
@pytest.mark.parametrize("wrong", ["cryptogram", "MAC"])
def test_wrong_authentications_block_the_keys_for_good(protocol: str, wrong: str) -> None:
    chip = bare(protocol)
    for _ in range(KEY_TRIES):
        channel = begun(chip)
        if wrong == "cryptogram":
            assert 0x6300 == prove(channel, HOST)
        else:
            chip.transmit(bytes.fromhex("848201001000112233445566778899AABBCCDDEEFF"))
    assert b"\x69\x83" == chip.transmit(BEGIN)
    chip.reset()
    with pytest.raises(PinBlocked):
        Bank(chip)


@protocols
@pytest.mark.parametrize("p1", [0x00, 0x02, 0x10, 0x11, 0x13, 0x33])
def test_there_is_no_channel_without_mac_and_none_with_protected_answers(
    protocol: str, p1: int
) -> None:
    chip = bare(protocol)
    inner = begun(chip)._channel
    plain = command_of(OPEN_CHANNEL, LevelRef(Level.MAC), inner.host_cryptogram, 0)
    raw = bytearray(bytes(plain))
    raw[2] = p1
    _, sent = inner.protect(type(plain).parse(bytes(raw)))
    assert b"\x6a\x86" == chip.transmit(bytes(sent))
    assert b"\x69\x82" == chip.transmit(bytes.fromhex("84E200000B9104000102030405060708"))


@protocols
def test_a_command_outside_of_an_open_channel_closes_it(protocol: str) -> None:
    chip = bare(protocol)
    bank = Bank(chip)
    assert 0x9000 == bank.group(0x9104, b"\x01")
    assert b"\x69\x82" == chip.transmit(BARE)
    assert 0x6982 == bank.group(0x9104, b"\x01")


@protocols
@pytest.mark.parametrize("level", Level)
def test_a_wrong_mac_closes_an_open_channel(protocol: str, level: Level) -> None:
    chip = bare(protocol)
    bank = Bank(chip, level=level)
    assert b"\x69\x88" == chip.transmit(bytes.fromhex("84E200000B9104000102030405060708"))
    assert 0x6982 == bank.group(0x9104, b"\x01")


@protocols
def test_a_command_that_is_refused_for_its_shape_leaves_the_channel_open(protocol: str) -> None:
    chip = bare(protocol)
    bank = Bank(chip)
    inner = bank.channel
    inner._channel, sent = inner._channel.protect(
        CommandAPDU(0x80, STORE_DATA.ins, 0x01, 0, b"\x91\x04\x00")
    )
    assert b"\x6a\x86" == chip.transmit(bytes(sent))
    assert 0x9000 == bank.group(0x9104, b"\x01")


@protocols
@pytest.mark.parametrize("ends", ["SELECT", "reset", "INITIALIZE UPDATE"])
def test_selecting_reset_and_a_new_beginning_close_a_channel(protocol: str, ends: str) -> None:
    chip = bare(protocol)
    bank = Bank(chip)
    if ends == "INITIALIZE UPDATE":
        chip.transmit(BEGIN)
        assert NOTHING_PROVEN == context(chip).session.status
    else:
        if ends == "reset":
            chip.reset()
        chip.transmit(select_name(DEBIT_AID))
    assert 0x6982 == bank.group(0x9104, b"\x01")


@protocols
def test_the_counter_grows_with_every_channel_and_survives(protocol: str) -> None:
    chip = bare(protocol)
    chip.transmit(select_name(DEBIT_AID))
    seen = [chip.transmit(BEGIN)]
    assert seen == [chip.transmit(BEGIN)]
    for _ in range(3):
        assert 0x9000 == prove(begun(chip))
        chip.reset()
        chip.transmit(select_name(DEBIT_AID))
        seen.append(chip.transmit(BEGIN))
    at = slice(12, 14) if protocol == "SCP02" else slice(29, 32)
    assert [0, 1, 2, 3] == [int.from_bytes(answer[at]) for answer in seen]
    challenges = {answer[14:20] if protocol == "SCP02" else answer[13:21] for answer in seen}
    assert 4 == len(challenges)


@protocols
def test_a_counter_that_is_used_up_opens_no_channel(protocol: str) -> None:
    chip = bare(protocol)
    assert 0x9000 == prove(begun(chip))
    file = context(chip).tree.names[DEBIT_AID].by_fid[COUNTER_FID]
    file.update_binary(0, b"\xff" * file.header.size)
    assert b"\x69\x85" == chip.transmit(BEGIN)


@protocols
def test_only_the_version_of_the_keys_that_there_is_opens_a_channel(protocol: str) -> None:
    chip = bare(protocol)
    chip.transmit(select_name(DEBIT_AID))
    answers = [sw(chip.transmit(command(INITIALIZE_UPDATE, KeySetRef(n), HOST))) for n in (0, 1, 2)]
    assert [0x9000, 0x9000, 0x6A88] == answers


def test_the_keys_say_which_protocol_it_is() -> None:
    for protocol, algorithm, number in (
        ("SCP02", Algorithm.TDES, 2),
        ("SCP03", Algorithm.AES, 3),
    ):
        chip = bare(protocol)
        chip.transmit(select_name(DEBIT_AID))
        key = context(chip).key(CHANNEL_DEK_KEY, KeyUsage.CHANNEL_DEK)
        assert algorithm is key.header.algorithm
        answer = chip.transmit(BEGIN)
        assert number == answer[11]
        assert context(chip).tree.master.historical[-8:] == answer[2:10]


@protocols
def test_a_card_in_use_knows_none_of_these_commands(protocol: str) -> None:
    chip = bare(protocol)
    give(chip)
    chip.transmit(select_name(DEBIT_AID))
    assert b"\x6d\x00" == chip.transmit(BEGIN)
    assert b"\x6d\x00" == chip.transmit(BARE)
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("84E200000B9104000102030405060708"))
    assert b"\x6e\x00" == chip.transmit(bytes.fromhex("848201001000112233445566778899AABBCCDDEEFF"))
