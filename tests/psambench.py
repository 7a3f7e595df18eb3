# SPDX-License-Identifier: Apache-2.0
"""PSAMs to test with, of either suite, and their commands in one line."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from keybench import GENERATION_OF
from testbench import command, select_name

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.wire.hrss.keys import TABLES, KeySpec
from apdu.wire.psam import PSAM_AID, CryptMode
from apdu.wire.psam_commands import (
    CRYPT,
    DERIVE_SESSION_KEY,
    INITIALISE_PURCHASE,
    VERIFY_MAC2,
    CryptRef,
    DeriveData,
    MasterRef,
    PurchaseData,
)
from apdu.wire.purchase import PurchaseAlgorithm
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue, issue_test_psam
from host.keys import CardIdentity, MemoryKeys

FLASH_SIZE = 32_768
SLOTS: list[KeySpec] = [spec for table in TABLES for spec in table]
IN_PSAM = [spec for spec in SLOTS if spec.psam]
"""The keys whose masters a PSAM holds."""
NO_ICV = bytes(8)
CARD_FACTOR, CITY, PROVINCE = bytes.fromhex("8660531234567890"), b"430200sx", b"430000sh"
CHALLENGE = bytes.fromhex("1122334455667788")
SELECT_PSAM = select_name(PSAM_AID)
ALGORITHM_OF = {1: PurchaseAlgorithm.TDES, 2: PurchaseAlgorithm.SM4}


@cache
def _psam_cells(number: int) -> bytes:
    flash = Flash(bytearray(FLASH_SIZE))
    issue_test_psam(MemoryKeys(suite=SUITES[number]), flash=flash)
    return bytes(flash.cells)


def psam_flash(suite: Suite = SUITES[1]) -> Flash:
    return Flash(bytearray(_psam_cells(suite.number)))


def psam(suite: Suite = SUITES[1], flash: Flash | None = None) -> Chip:
    """A sealed PSAM of one's own, its application selected."""
    chip = Chip.boot(flash or psam_flash(suite), seeded(8, TEST_DAY))
    assert chip.transmit(SELECT_PSAM)[-2:] == b"\x90\x00"
    return chip


@cache
def _card_cells(number: int) -> tuple[bytes, CardIdentity]:
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank_chip(seeded(7, TEST_DAY), flash)
    issue(chip, TEST_HOLDER, GENERATION_OF[number], MemoryKeys(suite=SUITES[number]))
    unique = chip.reset()[-8:]
    return bytes(flash.cells), CardIdentity(TEST_HOLDER.region, unique, SUITES[number])


def holder_card(suite: Suite = SUITES[1]) -> Chip:
    """A sealed card of one's own, with keys of this suite."""
    return Chip.boot(Flash(bytearray(_card_cells(suite.number)[0])), seeded(7, TEST_DAY))


def holder_identity(suite: Suite = SUITES[1]) -> CardIdentity:
    return _card_cells(suite.number)[1]


# Commands


def derive(usage: int, number: int, factors: bytes | None = None) -> bytes:
    """DERIVE SESSION KEY, without `factors` with as many as the usage byte wants."""
    if factors is None:
        factors = (CARD_FACTOR + CITY + PROVINCE)[: 8 * (usage >> 5)]
    return command(DERIVE_SESSION_KEY, MasterRef(usage, number), DeriveData(factors, CHALLENGE))


def encipher(data: bytes) -> bytes:
    return command(CRYPT, CryptRef(CryptMode.ENCIPHER), data)


def mac(blocks: bytes, initial: bytes = NO_ICV) -> bytes:
    return command(CRYPT, CryptRef(CryptMode.MAC), initial + blocks)


PURCHASE = PurchaseData(
    random=bytes.fromhex("A1B2C3D4"),
    card_sequence=b"\x00\x01",
    account=1234,
    own=56,
    pool=0,
    time=bytes.fromhex("20260105093000"),
    version=1,
    algorithm=PurchaseAlgorithm.TDES,
    factors=CARD_FACTOR,
)


def purchase(**changes: object) -> bytes:
    return command(INITIALISE_PURCHASE, None, replace(PURCHASE, **changes))  # type: ignore[arg-type]


def verify_mac2(mac2: bytes) -> bytes:
    return command(VERIFY_MAC2, None, mac2)
