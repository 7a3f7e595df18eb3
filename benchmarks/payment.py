# SPDX-License-Identifier: Apache-2.0
"""What does GENERATE AC cost beside the cryptography in it? Ratios, all in one run.

python benchmarks/payment.py             prints a table
python benchmarks/payment.py --check     exit status 1 when a ratio misses its goal

The bare cryptography is what the card cannot do without: the transaction's two keys, the MAC of
the cryptogram and that of the issuer's data in 9F10.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from time import thread_time

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from apdu import dol, tlv  # noqa: E402
from apdu.crypto.derive import pboc_session_key  # noqa: E402
from apdu.crypto.suite import BlockKey  # noqa: E402
from apdu.crypto.tdes import TDES  # noqa: E402
from apdu.wire.iso7816 import SELECT, Selection  # noqa: E402
from apdu.wire.pboc import tags  # noqa: E402
from apdu.wire.pboc.application import DEBIT_AID  # noqa: E402
from apdu.wire.pboc.commands import (  # noqa: E402
    GENERATE_AC,
    GET_PROCESSING_OPTIONS,
    AcRequest,
)
from apdu.wire.pboc.flags import Result  # noqa: E402
from card_os.chip import FLASH_SIZE, Chip  # noqa: E402
from card_os.nvm import Flash  # noqa: E402
from card_os.world import seeded  # noqa: E402
from host.card import Card, command_of  # noqa: E402
from host.channel.memory import MemoryChannel  # noqa: E402
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip  # noqa: E402
from host.issuer.profile import PUBLISHED, shipped_profile  # noqa: E402
from host.keys import MemoryKeys  # noqa: E402
from host.terminal.personalise import personalise  # noqa: E402
from host.terminal.personalise_debit import personalise_debit  # noqa: E402

ROUNDS, TRANSACTIONS = 60, 200
GOAL = 1.5
TERMINAL = {
    tags.AMOUNT: bytes.fromhex("000000001234"),
    tags.TERMINAL_COUNTRY: bytes.fromhex("0156"),
    tags.CURRENCY: bytes.fromhex("0156"),
    tags.DATE: bytes.fromhex("260105"),
    tags.UNPREDICTABLE_NUMBER: bytes.fromhex("1E78EEBC"),
    tags.ARC: b"00",
}
GROUPS = {group.number: group.value for group in shipped_profile(PUBLISHED)}
LISTS, KEYS, CONTACT_FCI = 0x0402, 0x8000, 0x9102
INPUT, ISSUER_INPUT = bytes(37), bytes(8)
"""As long as those of CVN 01 and of issuer data with one amount are."""


def list_in(group: int, tag: int) -> bytes:
    """A data object list of the published card."""
    found = [tlv.parse(GROUPS[group])[0]]
    while found[0].tag != tag:
        item = found.pop(0)
        found += item.children
    return found[0].value


def generate(result: Result, tag: int) -> bytes:
    data = dol.fill(list_in(LISTS, tag), TERMINAL)
    return bytes(command_of(GENERATE_AC, AcRequest(result), data, 256))


OPTIONS = dol.fill(list_in(CONTACT_FCI, tags.PDOL), TERMINAL)
BEGIN = (
    bytes(command_of(SELECT, Selection(), DEBIT_AID, 256)),
    bytes(command_of(GET_PROCESSING_OPTIONS, None, OPTIONS, 256)),
)
FIRST = {result: generate(result, tags.CDOL1) for result in Result}
SECOND = generate(Result.TC, tags.CDOL2)


def cells() -> bytes:
    """The memory of an issued card, whose debit application is the published one."""
    flash = Flash(bytearray(FLASH_SIZE))
    card = Card(MemoryChannel(blank_chip(seeded(7, TEST_DAY), flash)))
    personalise(card, TEST_HOLDER, MemoryKeys())
    personalise_debit(card, shipped_profile(PUBLISHED))
    return bytes(flash.cells)


def transactions(memory: bytes, commands: tuple[bytes, ...], result: Result) -> float:
    """Seconds of a transaction: these commands again and again, on a card of their own."""
    chip = Chip.boot(Flash(bytearray(memory)), seeded(7, TEST_DAY))
    chip.reset()
    for command in commands:
        answer = chip.transmit(command)
    if commands is not BEGIN and (answer[-2:] != b"\x90\x00" or answer[2] >> 6 != result):
        raise SystemExit(f"the card answers {answer.hex()}, not {result.name}")
    transmit = chip.transmit
    start = thread_time()
    for _ in range(TRANSACTIONS):
        for command in commands:
            transmit(command)
    return (thread_time() - start) / TRANSACTIONS


def bare(keys: tuple[BlockKey, BlockKey]) -> float:
    """Seconds of the cryptography in one GENERATE AC."""
    cryptogram, script = keys
    start = thread_time()
    for number in range(TRANSACTIONS):
        atc = number.to_bytes(2)
        TDES.once(pboc_session_key(script, atc)).mac(ISSUER_INPUT)
        TDES.once(pboc_session_key(cryptogram, atc)).mac(INPUT)
    return (thread_time() - start) / TRANSACTIONS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a ratio misses its goal")
    check = parser.parse_args().check
    memory = cells()
    value = GROUPS[KEYS]
    keys = TDES.key(value[:16]), TDES.key(value[16:32])
    asked = FIRST[Result.ARQC]
    lines = [
        ("first GENERATE AC, ARQC", BEGIN, (*BEGIN, asked), Result.ARQC),
        ("first GENERATE AC, AAC", BEGIN, (*BEGIN, FIRST[Result.AAC]), Result.AAC),
        ("second GENERATE AC, TC and log", (*BEGIN, asked), (*BEGIN, asked, SECOND), Result.TC),
    ]
    late = False
    print(f"{'':36}{'ours':>12}{'bare':>12}{'ratio':>7}  goal")
    for name, before, commands, result in lines:
        found = []
        for _ in range(ROUNDS):
            begun = transactions(memory, before, Result.ARQC)
            ours = transactions(memory, commands, result) - begun
            found.append((ours, bare(keys)))
        ratio = median(ours / theirs for ours, theirs in found)
        ours, theirs = (median(column) for column in zip(*found, strict=True))
        late = late or ratio > GOAL
        shown = f"{ours * 1e6:9.2f} us{theirs * 1e6:9.2f} us{ratio:7.2f}  <={GOAL:5.1f}"
        print(f"{name:36}{shown}{'  !' * (ratio > GOAL)}", flush=True)
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
