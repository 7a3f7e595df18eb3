# SPDX-License-Identifier: Apache-2.0
"""The PKI application while its card is personalised: what is written, and what is not done yet."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from keybench import SM4
from pkibench import SELECT_CERTIFICATES, SELECT_PKI, WORK, Holder
from testbench import sw

from apdu.wire.hrss.generations import THIRD
from apdu.wire.perso import Algorithm, KeyBlock, KeyUsage
from apdu.wire.pki import PAIRS
from card_os.chip import Chip
from card_os.world import World
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip
from host.keys import MemoryKeys
from host.terminal.personalise import personalise

KEY = bytes(range(16))


class Interrupting(MemoryChannel):
    """Sends commands of its own before each WRITE PKI KEY, and notes the answers."""

    def __init__(self, chip: Chip, raws: Iterable[bytes]) -> None:
        super().__init__(chip)
        self._raws = list(raws)
        self.answers: list[list[int]] = []

    def _exchange(self, command: bytes) -> bytes:
        if command[:2] == bytes.fromhex("80D8"):
            self.answers.append([sw(self._chip.transmit(raw)) for raw in self._raws])
        return super()._exchange(command)


def personalised(raws: Iterable[bytes]) -> list[list[int]]:
    """A card that was made with commands between; the answers to them, one list a key."""
    chip = blank_chip(World(bytes, lambda: TEST_DAY))
    channel = Interrupting(chip, raws)
    personalise(Card(channel), TEST_HOLDER, MemoryKeys(suite=SM4), THIRD)
    return channel.answers


@pytest.mark.parametrize("work", WORK)
def test_no_key_works_while_the_card_is_personalised(work: str) -> None:
    """Nothing asks for a PIN then."""
    environment, *inside = personalised([WORK[work]])
    assert [0x6D00] == environment
    assert [[0x6985]] * 3 == inside


def write(reference: int, block: KeyBlock) -> bytes:
    data = bytes(block)
    return bytes((0x80, 0xD8, 0x00, reference, len(data))) + data


@pytest.mark.parametrize(
    "block",
    [
        *(
            KeyBlock(usage, 1, Algorithm.SM4, 6, KEY)
            for usage in KeyUsage
            if usage not in (KeyUsage.MASTER, KeyUsage.CHALLENGED_PIN)
        ),
        KeyBlock(KeyUsage.MASTER, 1, Algorithm.TDES, 6, KEY),
        KeyBlock(KeyUsage.CHALLENGED_PIN, 1, Algorithm.NONE, 6, KEY),
        KeyBlock(KeyUsage.CHALLENGED_PIN, 1, Algorithm.SM4, 0, KEY),
        KeyBlock(KeyUsage.CHALLENGED_PIN, 1, Algorithm.SM4, 16, KEY),
    ],
    ids=lambda block: f"{block.usage.name} {block.algorithm.name} {block.limit}",
)
def test_only_secrets_that_the_application_knows_are_written(block: KeyBlock) -> None:
    assert [[0x6A80]] * 4 == personalised([write(0x05, block)])


@pytest.mark.parametrize("size", [15, 17])
def test_a_key_has_16_bytes(size: int) -> None:
    block = KeyBlock(KeyUsage.MASTER, 1, Algorithm.SM4, 15, bytes(size))
    assert [[0x6700]] * 4 == personalised([write(0x05, block)])


def test_an_issued_card_has_the_files_of_two_pairs_and_no_keys_in_them() -> None:
    tree = Holder().chip._ctx.tree
    environment, inner = (tree.names[raw[5:-1]] for raw in (SELECT_PKI, SELECT_CERTIFICATES))
    assert environment is inner.parent
    assert inner is inner.root
    assert {} == environment.by_fid
    files = [file for pair in PAIRS for file in pair.files]
    assert {file.fid for file in files} == set(inner.by_fid)
    for file in files:
        content = inner.by_fid[file.fid].read_binary(0, file.size)
        assert bytes(file.size) == content
