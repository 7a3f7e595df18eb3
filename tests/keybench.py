# SPDX-License-Identifier: Apache-2.0
"""Issued cards under both suites, and a desk that has all their keys: proofs in one line.

What the desk sends it computes from the rules themselves (`apdu.crypto.derive`), not with what
terminals use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from benchplan import holds
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    command,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    verify,
    world,
)

from apdu.atr import Atr
from apdu.command import CommandAPDU
from apdu.crypto.derive import authentication, challenge_key
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.messaging import challenge_messaging
from apdu.wire.access import Key, Pin
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import PIN_REFERENCE
from apdu.wire.hrss.commands import (
    EXTERNAL_AUTHENTICATE,
    PIN_CHANGE_UNBLOCK,
    ExternalData,
    KeyNumber,
    PinService,
    PinServiceRef,
)
from apdu.wire.hrss.generations import DF01, DIRECTORIES, GENERATIONS, SECOND, SSSE, THIRD
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    By,
    Offset,
    RecordRef,
    RecordTarget,
    Selection,
)
from apdu.wire.pboc.groups import DataGroup
from apdu.wire.perso import FileKind, KeyUsage
from card_os.chip import FLASH_SIZE, ROM, Chip
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_HOLDER, blank_chip
from host.issuer.profile import DEFAULT, known_chance, shipped_profile
from host.keys import MemoryKeys
from host.terminal.personalise import personalise
from host.terminal.personalise_debit import personalise_debit

TDES, SM4 = SUITES[1], SUITES[2]
GENERATION_OF = {TDES.number: SECOND, SM4.number: THIRD}
LIMIT = 15
"""Tries of every key of an issued card."""
DATA = bytes.fromhex("0102030405060708")
"""What a terminal chooses to have its cryptograms over, as one driver does."""
PIN, WRONG_PIN, NEW_PIN = "123456", "000000", "87654321"

DF_OF: dict[str, DfSpec] = {
    spec.name: directory for directory in DIRECTORIES for spec in directory.keys
}
SPEC: dict[str, KeySpec] = {spec.name: spec for each in DIRECTORIES for spec in each.keys}
EXTERNAL = [name for name, spec in SPEC.items() if spec.usage is KeyUsage.EXTERNAL_AUTHENTICATE]
"""The keys by which a terminal proves itself."""

both_suites = pytest.mark.parametrize("suite", [TDES, SM4], ids=repr)
every_external_key = pytest.mark.parametrize("name", EXTERNAL)


@cache
def issued_cells(suite: Suite, generation: str | None = None) -> bytes:
    """The memory of the test card of seed 7, with keys of one suite; the latest generation that
    has such keys, or another one."""
    flash = Flash(bytearray(FLASH_SIZE))
    card = Card(MemoryChannel(blank_chip(world(), flash)))
    which = GENERATIONS[generation] if generation else GENERATION_OF[suite.number]
    personalise(card, TEST_HOLDER, MemoryKeys(suite=suite), which)
    personalise_debit(card, bank_groups(), random=known_chance())
    return bytes(flash.cells)


@cache
def bank_groups() -> tuple[DataGroup, ...]:
    """What the bank puts on every test card."""
    return shipped_profile(DEFAULT)


@cache
def key(suite: Suite, name: str) -> BlockKey:
    """A key of that card, at work."""
    chip = Chip(ROM, Flash(bytearray(issued_cells(suite))), world())
    unique = Atr.parse(chip.reset()).historical[-8:]
    keys = MemoryKeys(suite=suite)
    return suite.key(keys.card_key(SPEC[name], TEST_HOLDER.region, unique).reveal())


def challenge(n: int = 8) -> bytes:
    return command(GET_CHALLENGE, ne=n)


def external(kid: int, cryptogram: bytes, data: bytes = DATA, version: bytes = b"") -> bytes:
    return command(EXTERNAL_AUTHENTICATE, KeyNumber(kid), ExternalData(cryptogram, data, version))


def flipped(raw: bytes, bit: int = 0) -> bytes:
    """With one bit changed, counted from the last one."""
    return (int.from_bytes(raw) ^ 1 << bit).to_bytes(len(raw))


class Desk:
    """A chip in a reader, and somebody who has every one of its keys."""

    def __init__(self, suite: Suite = TDES, flash: Flash | None = None) -> None:
        self.suite = suite
        self.flash = flash or Flash(bytearray(issued_cells(suite)))
        self.world = world()
        self.chip = Chip(ROM, self.flash, self.world)
        self.generation = GENERATION_OF[suite.number]
        self.directory = self.generation.directory("SSSE")
        """Where it went last."""

    def send(self, raw: bytes) -> int:
        """The status word of the answer."""
        return sw(self.chip.transmit(raw))

    def go(self, place: str) -> None:
        """Select the application anew, and from there the DF with this label, or of this key."""
        label = DF_OF[place].label if place in DF_OF else place
        self.directory = self.generation.directory(label)
        send_all(self.chip, [SELECT_HRSS])
        if label != SSSE.label:
            self.move(self.directory)

    def move(self, directory: DfSpec) -> None:
        """Go to another DF of the application."""
        send_all(self.chip, [select_df(directory.fid)])
        self.directory = self.generation.directory(directory.label)

    def challenge(self, n: int = 8) -> bytes:
        answer = self.chip.transmit(challenge(n))
        assert 0x9000 == sw(answer)
        return answer[:-2]

    # Key authentication

    def cryptogram(self, name: str, factor: bytes, data: bytes = DATA) -> bytes:
        """What proves a key for a challenge."""
        return authentication(challenge_key(key(self.suite, name), factor), data)

    def proof(self, name: str, factor: bytes, version: bytes = b"") -> bytes:
        """The command that proves it."""
        return external(SPEC[name].kid, self.cryptogram(name, factor), version=version)

    def authenticate(self, name: str) -> int:
        """Fetch a challenge and prove a key, as an honest terminal does."""
        return self.send(self.proof(name, self.challenge()))

    def fail(self, name: str) -> int:
        """Fetch a challenge and get the cryptogram wrong by a bit."""
        wrong = flipped(self.cryptogram(name, self.challenge()))
        return self.send(external(SPEC[name].kid, wrong))

    # Secure messaging

    def protect(self, raw: bytes, name: str = "STK", *, enciphered: bool = False) -> bytes:
        """A command under a messaging key and a challenge that is fetched for it."""
        messaging = challenge_messaging(key(self.suite, name), self.challenge())
        return bytes(messaging.protect(CommandAPDU.parse(raw), enciphered=enciphered))

    def unblock(self, name: str = "STK") -> bytes:
        return self.protect(pin_service(PinService.UNBLOCK), name, enciphered=True)

    def reload(self, pin: str = NEW_PIN, name: str = "STK") -> bytes:
        raw = pin_service(PinService.RELOAD, pin_bytes(pin))
        return self.protect(raw, name, enciphered=True)

    # What is open

    def tries(self) -> int:
        """Tries of the PIN as the chip tells them; -1 while it is proven."""
        answer = self.send(tries())
        return {0x9000: -1, 0x6983: 0}.get(answer, answer - 0x63C0)

    def access(self) -> dict[tuple[int, str], bool]:
        """What of the current DF's files may be read and updated, by SFI. Changes nothing."""
        found = {}
        for file in self.directory.files:
            send_all(self.chip, [select_df(file.fid)])
            # An update aims at what is not there, which is noticed behind the access gate.
            if file.kind is FileKind.TRANSPARENT:
                read = command(READ_BINARY, Offset(0))
                update = command(UPDATE_BINARY, Offset(0x7000), b"\0")
            else:
                read = command(READ_RECORD, RecordRef(1))
                update = command(UPDATE_RECORD, RecordTarget(0xFE), b"\x01\x00")
            for may, raw in (("read", read), ("update", update)):
                answer = self.send(raw)
                opened = (0x9000, 0x6A83) if may == "read" else (0x6A83, 0x6B00)
                assert answer in (0x6982, *opened)
                found[file.sfi, may] = answer != 0x6982
        return found

    def opens(self, *proven: str) -> bool:
        """Whether the files of the current DF open as the keys of these names, and "PIN", say."""
        proofs = [Pin(PIN_REFERENCE) if p == "PIN" else Key(SPEC[p].kid) for p in proven]
        return self.access() == {
            (file.sfi, may): holds(condition, proofs)
            for file in self.directory.files
            for may, condition in (("read", file.read), ("update", file.update))
        }


def pin_service(service: PinService, data: bytes = b"") -> bytes:
    """PIN CHANGE/UNBLOCK before its protection."""
    return command(PIN_CHANGE_UNBLOCK, PinServiceRef(service), data)


def logged_in(desk: Desk) -> None:
    """Prove the PIN, PUK and UKSSSE, from the beginning."""
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(PIN))
    assert [0x9000, 0x9000] == [desk.authenticate("PUK"), desk.authenticate("UKSSSE")]


# What a desk does about the PIN, what it may try, and how it may go away

SERVICES: dict[str, Callable[[Desk], bytes]] = {"unblock": Desk.unblock, "reload": Desk.reload}
every_service = pytest.mark.parametrize("service", SERVICES)


def ready(suite: Suite = TDES, wrong: int = 0) -> Desk:
    """A desk that has proven PUK, after so many wrong PINs."""
    desk = Desk(suite)
    desk.go("SSSE")
    for _ in range(wrong):
        desk.send(verify(WRONG_PIN))
    assert 0x9000 == desk.authenticate("PUK")
    return desk


Attempt = Callable[[Desk, bytes], bytes]
ATTEMPTS: dict[str, Attempt] = {
    "right": lambda desk, factor: desk.proof("RK1DF01", factor),
    "wrong": lambda desk, factor: external(SPEC["RK1DF01"].kid, bytes(8)),
    "of a key there is not": lambda desk, factor: external(0x9F, bytes(8)),
    "of a key for something else": lambda desk, factor: external(SPEC["STK"].kid, bytes(8)),
    "of a version there is not": lambda desk, factor: desk.proof("RK1DF01", factor, b"\x02"),
    "of a blocked key": lambda desk, factor: desk.proof("UK2DF01", factor),
    "under messaging": lambda desk, factor: bytes.fromhex("842400000400000000"),
}
"""In DF01, with a challenge; UK2DF01 is the key that is blocked."""
ANSWERS = dict(zip(ATTEMPTS, (0x9000, 0x63CE, 0x6A88, 0x6985, 0x6A88, 0x6983, 0x6988), strict=True))


AWAY = {
    "the application": [SELECT_HRSS],
    "the MF": [SELECT_MF],
    "the MF, not named": [command(SELECT, Selection(By.FILE_ID))],
    "another application": [SELECT_DEBIT],
    "a DF by its name": [select_name(DF01.name)],
}
"""Commands that select an application, from SSSE."""
