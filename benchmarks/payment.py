# SPDX-License-Identifier: Apache-2.0
"""What does GENERATE AC cost beside the cryptography in it? Ratios, all in one run.

python benchmarks/payment.py             prints a table
python benchmarks/payment.py --check     exit status 1 when a ratio misses its goal

The bare cryptography is what the card cannot do without, asked of the library with nothing around
it: the transaction's two keys, the MAC of the cryptogram and that of the issuer's data in 9F10.
It is done in the place of the command, behind the same commands, for what comes after other work
takes longer than what is done again and again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import thread_time

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, modes  # noqa: E402

from apdu import dol, tlv  # noqa: E402
from apdu.wire.iso7816 import SELECT, Selection  # noqa: E402
from apdu.wire.pboc import tags  # noqa: E402
from apdu.wire.pboc.application import DEBIT_AID  # noqa: E402
from apdu.wire.pboc.commands import (  # noqa: E402
    GENERATE_AC,
    GET_PROCESSING_OPTIONS,
    AcRequest,
)
from apdu.wire.pboc.flags import Result  # noqa: E402
from apdu.wire.pboc.groups import DataGroup  # noqa: E402
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

ROUNDS, TRANSACTIONS = 60, 100
GOAL = 1.5
TERMINAL = {
    tags.AMOUNT: bytes.fromhex("000000001234"),
    tags.TERMINAL_COUNTRY: bytes.fromhex("0156"),
    tags.CURRENCY: bytes.fromhex("0156"),
    tags.DATE: bytes.fromhex("260105"),
    tags.UNPREDICTABLE_NUMBER: bytes.fromhex("1E78EEBC"),
    tags.ARC: b"00",
}
LISTS, KEYS, CONTACT_FCI = 0x0402, 0x8000, 0x9102
GROUPS = {group.number: group.value for group in shipped_profile(PUBLISHED)}
PARAMETERS = 0x0E01
GROUPS[PARAMETERS] = GROUPS[PARAMETERS].replace(
    bytes.fromhex("9F560180"), bytes.fromhex("9F560100")
)
"""The issuer need not answer with an ARPC: so two commands are a whole transaction."""
INPUT, ISSUER_INPUT = bytes(37) + b"\x80\0\0", bytes(8) + b"\x80" + bytes(7)
"""As long as those of CVN 01 and of issuer data with one amount are, and filled."""


def list_in(group: int, tag: int) -> bytes:
    """A data object list of the published card."""
    found = [tlv.parse(GROUPS[group])[0]]
    while found[0].tag != tag:
        found += found.pop(0).children
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
    """The memory of an issued card, whose debit application is nearly the published one."""
    flash = Flash(bytearray(FLASH_SIZE))
    card = Card(MemoryChannel(blank_chip(seeded(7, TEST_DAY), flash)))
    personalise(card, TEST_HOLDER, MemoryKeys())
    groups = [DataGroup(number, value) for number, value in GROUPS.items()]
    personalise_debit(card, groups)
    return bytes(flash.cells)


def bare_cryptography() -> Callable[[int], None]:
    """What one GENERATE AC has of it, with the ATC: the card's keys are kept, sessions are not."""
    ecb, cbc = modes.ECB(), modes.CBC(bytes(8))  # noqa: S305 - what cards are made of
    value = GROUPS[KEYS]
    cards = [
        Cipher(TripleDES(key + key[:8]), ecb).encryptor().update
        for key in (value[16:32], value[:16])
    ]

    def work(atc: int) -> None:
        block = bytes(6) + atc.to_bytes(2) + bytes(6) + (atc ^ 0xFFFF).to_bytes(2)
        for derive, data in zip(cards, (ISSUER_INPUT, INPUT), strict=True):
            key = derive(block)
            chain = Cipher(TripleDES(key[:8] * 3), cbc).encryptor().update(data[:-8])
            last = int.from_bytes(chain[-8:]) ^ int.from_bytes(data[-8:])
            Cipher(TripleDES(key + key[:8]), ecb).encryptor().update(last.to_bytes(8))

    return work


def seconds(
    memory: bytes, commands: tuple[bytes, ...], result: Result | None, bare: int = 0
) -> float:
    """Seconds of these commands, on a card of its own, and of so often the bare cryptography.

    `result`: what the last command must answer, None where it is no GENERATE AC.
    """
    chip = Chip.boot(Flash(bytearray(memory)), seeded(7, TEST_DAY))
    chip.reset()
    work, transmit = bare_cryptography(), chip.transmit
    for number in range(TRANSACTIONS + 1):
        if number == 1:  # the first is for warming up
            start = thread_time()
        for command in commands:
            answer = transmit(command)
        for _ in range(bare):
            work(number)
    spent = thread_time() - start
    if answer[-2:] != b"\x90\x00" or (result is not None and answer[2] >> 6 != result):
        raise SystemExit(f"the card answers {answer.hex()}")
    return spent / TRANSACTIONS


Line = tuple[str, tuple[bytes, ...], Result, int, float | None]
"""What it is, the commands behind GPO, what the last of them answers, cryptograms in them, goal."""
LINES: tuple[Line, ...] = (
    ("AAC", (FIRST[Result.AAC],), Result.AAC, 1, GOAL),
    ("ARQC that is remembered already", (FIRST[Result.ARQC],), Result.ARQC, 1, GOAL),
    ("ARQC and TC, two writes and a log", (FIRST[Result.ARQC], SECOND), Result.TC, 2, None),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a ratio misses its goal")
    check = parser.parse_args().check
    memory = cells()
    late = False
    print(f"{'':36}{'ours':>12}{'bare':>12}{'ratio':>7}  goal")
    for name, commands, result, count, goal in LINES:
        found = []
        for _ in range(ROUNDS):
            begun = seconds(memory, BEGIN, None)
            ours = seconds(memory, BEGIN + commands, result) - begun
            found.append((ours, seconds(memory, BEGIN, None, count) - begun))
        ratio = median(ours / theirs for ours, theirs in found)
        ours, theirs = (median(column) for column in zip(*found, strict=True))
        missed = goal is not None and ratio > goal
        late = late or missed
        aim = "" if goal is None else f"  <={goal:5.1f}{'  !' * missed}"
        print(f"{name:36}{ours * 1e6:9.2f} us{theirs * 1e6:9.2f} us{ratio:7.2f}{aim}", flush=True)
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
