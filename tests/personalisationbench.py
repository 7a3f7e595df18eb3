# SPDX-License-Identifier: Apache-2.0
"""A sealed card whose bank has not been at it yet, and a bank that may do everything wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from testbench import select_name

from apdu.crypto.suites import SUITES
from apdu.wire.globalplatform import STORE_DATA, Level, StoreDataRef
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.pboc.application import AC_KEY, DEBIT_AID, PIN_REFERENCE
from apdu.wire.pboc.groups import (
    CHECK_VALUES,
    CONTACT_FCI,
    KEYS,
    PIN,
    PIN_LIMIT,
    SECRET,
    DataGroup,
)
from apdu.wire.perso import Algorithm, FileKind, KeyUsage, Life
from card_os.apps.pboc.channel import COUNTER_FID
from card_os.apps.pboc.groups import read_group
from card_os.apps.pboc.state import STATE_FID, CardState, load
from card_os.chip import FLASH_SIZE, Chip
from card_os.dispatch import Context
from card_os.files.tree import Directory
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip
from host.faults import CardRefused
from host.issuer.profile import DEFAULT, known_chance, shipped_profile
from host.keys import MemoryKeys
from host.terminal.personalise import personalise
from host.terminal.personalise_debit import personalise_debit
from host.terminal.secure_channel import (
    TEST_CHANNEL_KEYS,
    ChannelSecrets,
    SecureChannel,
    open_channel,
)

GENERATION_OF = {"SCP02": "2.0", "SCP03": "3.0"}
"""Which cards speak which protocol."""
PLAIN, ENCIPHERED = 0, 3


@cache
def bare_cells(protocol: str = "SCP02") -> bytes:
    """Memory of the sealed card."""
    generation = GENERATIONS[GENERATION_OF[protocol]]
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank_chip(seeded(7, TEST_DAY), flash)
    keys = MemoryKeys(suite=SUITES[generation.algorithm])
    personalise(Card(MemoryChannel(chip)), TEST_HOLDER, keys, generation)
    return bytes(flash.cells)


def boot(cells: bytes | Flash) -> Chip:
    flash = cells if isinstance(cells, Flash) else Flash(bytearray(cells))
    return Chip.boot(flash, seeded(7, TEST_DAY))


def bare(protocol: str = "SCP02") -> Chip:
    return boot(bare_cells(protocol))


def context(chip: Chip) -> Context:
    """What the chip's handlers see, for what no terminal can ask."""
    return chip._ctx


@cache
def profile(name: str = DEFAULT) -> dict[int, bytes]:
    """The groups of a shipped profile by number, in their order."""
    return {group.number: group.value for group in shipped_profile(name)}


def give(chip: Chip, groups: dict[int, bytes] | None = None, **options: Any) -> None:
    """Personalise as a bank does."""
    wanted = [DataGroup(*item) for item in (groups or profile()).items()]
    personalise_debit(Card(MemoryChannel(chip)), wanted, random=known_chance(), **options)


def sw_of(run: Callable[[], object]) -> int:
    """The status word that something ends with."""
    try:
        run()
    except CardRefused as refused:
        return refused.sw
    return 0x9000


class Bank:
    """An open channel, and blocks through it one by one."""

    def __init__(
        self,
        chip: Chip,
        keys: ChannelSecrets = TEST_CHANNEL_KEYS,
        level: Level = Level.MAC_AND_ENCIPHERMENT,
    ) -> None:
        card = Card(MemoryChannel(chip))
        card.select(DEBIT_AID)
        self.channel: SecureChannel = open_channel(card, DEBIT_AID, keys, known_chance(), level)
        self.number = 0

    def stream(self, groups: Iterable[tuple[int, bytes]]) -> bytes:
        """Groups as they go into a block, secret ones enciphered."""
        return b"".join(
            bytes(DataGroup(n, self.channel.encipher(value) if n in SECRET else value))
            for n, value in groups
        )

    def block(self, data: bytes, marked: int = PLAIN, last: int = 0) -> int:
        """Send a block; one that is refused keeps its number."""
        ref = StoreDataRef(last, marked, self.number & 0xFF)
        answer = sw_of(lambda: self.channel.send(STORE_DATA, ref, data))
        self.number += answer == 0x9000
        return answer

    def group(self, number: int, value: bytes, last: int = 0) -> int:
        """Send one group, in as many blocks as it needs."""
        data, marked = self.stream([(number, value)]), ENCIPHERED if number in SECRET else PLAIN
        parts = [data[at : at + 200] for at in range(0, len(data), 200)]
        for part in parts[:-1]:
            assert self.block(part, marked) == 0x9000
        return self.block(parts[-1], marked, last)

    def groups(self, groups: dict[int, bytes]) -> int:
        """Send groups, the last block with the last of them."""
        *most, final = groups.items()
        for number, value in most:
            answer = self.group(number, value)
            if answer != 0x9000:
                return answer
        return self.group(*final, last=1)


# What the chip made of it

NOT_KEPT = {*KEYS.values(), PIN, PIN_LIMIT}
"""Groups that become keys and a PIN; no file has them."""


def directory(chip: Chip) -> Directory:
    return context(chip).tree.names[DEBIT_AID]


def held(chip: Chip) -> dict[int, bytes | None]:
    """All groups that the chip keeps as they came."""
    own = {STATE_FID, COUNTER_FID}
    found = directory(chip)
    kept = {n for n, file in found.by_fid.items() if file.header.kind is FileKind.TRANSPARENT}
    return {n: read_group(found, n) for n in kept - own}


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
