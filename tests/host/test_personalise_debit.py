# SPDX-License-Identifier: Apache-2.0
"""The host's half of a bank's personalisation: what it sends, and what it does not believe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from personalisationbench import bare, give, profile

from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.globalplatform import Level
from apdu.wire.pboc.groups import KEYS, PIN, RSA_P, DataGroup
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card
from host.faults import CardFault, CardMisspoke, CardNotGenuine, CardRefused
from host.issuer.profile import known_chance
from host.terminal.personalise_debit import BLOCK, personalise_debit
from host.terminal.secure_channel import TEST_CHANNEL_KEYS, ChannelSecrets, open_channel

protocols = pytest.mark.parametrize("protocol", ["SCP02", "SCP03"])
levels = pytest.mark.parametrize("level", Level)


class Heard(MemoryChannel):
    """Notes the commands, and may change the answers."""

    def __init__(
        self, chip: Chip, change: Callable[[bytes, bytes], bytes] = lambda _, answer: answer
    ) -> None:
        super().__init__(chip)
        self.commands: list[bytes] = []
        self._change = change

    def _exchange(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self._change(command, super()._exchange(command))


def run(channel: Heard, level: Level = Level.MAC_AND_ENCIPHERMENT) -> None:
    groups = [DataGroup(*item) for item in profile().items()]
    personalise_debit(Card(channel), groups, random=known_chance(), level=level)


@protocols
@levels
def test_secrets_are_on_the_way_only_enciphered(protocol: str, level: Level) -> None:
    channel = Heard(bare(protocol))
    run(channel, level)
    said = b"".join(channel.commands)
    keys = profile()[KEYS[1]]
    for secret in (keys[:16], keys[16:32], keys[32:], profile()[PIN], profile()[RSA_P]):
        assert secret[:8] not in said
    shown = profile()[0x0302] in said
    assert shown == (level is Level.MAC)


@protocols
@levels
def test_every_command_is_short_and_everything_after_the_handshake_has_a_mac(
    protocol: str, level: Level
) -> None:
    channel = Heard(bare(protocol))
    run(channel, level)
    assert all(len(command) <= 5 + 255 for command in channel.commands)
    select, begin, prove, *blocks = channel.commands
    assert ["00A4", "8050", "8482"] == [each[:2].hex().upper() for each in (select, begin, prove)]
    assert {"84E2"} == {each[:2].hex().upper() for each in blocks}
    assert list(range(len(blocks))) == [each[3] for each in blocks]
    assert [False] * (len(blocks) - 1) + [True] == [bool(each[2] & 0x80) for each in blocks]


def test_a_block_is_full_before_the_next_begins() -> None:
    channel = Heard(bare())
    run(channel, Level.MAC)
    sizes = [(each[2] & 0x60, each[4] - 8) for each in channel.commands[3:]]
    kinds = [kind for kind, _ in sizes]
    for at, (kind, size) in enumerate(sizes[:-1]):
        assert size == BLOCK or kinds[at + 1] != kind


@protocols
@pytest.mark.parametrize("name", ["enc", "mac", "dek"])
def test_a_bank_with_other_keys_makes_no_card(protocol: str, name: str) -> None:
    keys = {each: Secret(bytes(range(0x40, 0x50))) for each in ("enc", "mac", "dek")}
    keys[name] = Secret(bytes(16))
    chip = bare(protocol)
    with pytest.raises(CardFault) as fault:
        give(chip, keys=ChannelSecrets(**keys))
    assert isinstance(fault.value, CardRefused if name == "dek" else CardNotGenuine)
    give(chip)


@protocols
@pytest.mark.parametrize("at", [0, 10, 12, 13, 17, 22, -3, -2])
def test_an_answer_that_was_changed_is_not_believed(protocol: str, at: int) -> None:
    """The first byte is what the keys were made from: here they were not, and nobody looks."""

    def change(command: bytes, answer: bytes) -> bytes:
        if command[1] != 0x50:
            return answer
        place = at % len(answer)
        return answer[:place] + bytes((answer[place] ^ 1,)) + answer[place + 1 :]

    channel = Heard(bare(protocol), change)
    if at == 0 or (at in (10, 12) and (protocol, at) != ("SCP02", 12)):
        run(channel)
        return
    with pytest.raises((CardNotGenuine, CardRefused, CardMisspoke)):
        run(channel)
    assert not [each for each in channel.commands if each[1] == 0xE2]


@pytest.mark.parametrize("answer", ["", "00", "00" * 28, "00" * 11 + "01" + "00" * 16, "00" * 33])
def test_an_answer_that_is_none_is_told_as_such(answer: str) -> None:
    def change(command: bytes, real: bytes) -> bytes:
        return bytes.fromhex(answer) + b"\x90\x00" if command[1] == 0x50 else real

    with pytest.raises(CardMisspoke):
        run(Heard(bare(), change))


def test_there_must_be_something_to_personalise_with() -> None:
    channel = Heard(bare())
    with pytest.raises(FormatError, match="no data groups"):
        personalise_debit(Card(channel), [])
    assert not channel.commands


def test_a_channel_key_has_16_bytes_and_no_text() -> None:
    for size in (0, 8, 15, 17, 24):
        with pytest.raises(FormatError, match="channel key MAC"):
            ChannelSecrets(Secret(bytes(16)), Secret(bytes(size)), Secret(bytes(16)))
    assert "4041" not in repr(TEST_CHANNEL_KEYS)
    assert "@A" not in repr(TEST_CHANNEL_KEYS)


def test_a_card_in_use_opens_no_channel() -> None:
    card = Card(MemoryChannel(issue_test_card()))
    aid = bytes.fromhex("A000000333010101")
    card.select(aid)
    with pytest.raises(CardRefused):
        open_channel(card, aid, TEST_CHANNEL_KEYS, known_chance())
