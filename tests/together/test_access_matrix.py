# SPDX-License-Identifier: Apache-2.0
"""Who may read and write what on an issued card, held against a table that stands here by itself.

Every combination of the PIN and the keys that rules name is proven, without and with all other
keys of the directory, and every file of it tried.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations

import pytest
from testbench import (
    BENCH_ROM,
    PROVE,
    SELECT_DEBIT,
    SELECT_HRSS,
    command,
    select_df,
    send_all,
    sw,
    verify,
    world,
)

from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.iso7816 import (
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    RecordRef,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.perso import FileKind, KeyRef, KeyUsage
from card_os.chip import Chip
from card_os.nvm import Flash

PIN, UKSSSE, RK1DF01, UK1DF01, UK7DF01 = "PIN", 0x04, 0x88, 0x83, 0x8A
Proven = frozenset[str | int]
May = Callable[[Proven], bool]


def free(_: Proven) -> bool:
    return True


def needs(*each: str | int) -> May:
    """Any one of these."""
    return lambda proven: bool(proven & set(each))


MATRIX: dict[str, dict[int, tuple[May, May]]] = {
    "SSSE": {
        5: (free, needs(UKSSSE)),
        6: (free, needs(UKSSSE)),
    },
    "DF01": {
        5: (needs(PIN, RK1DF01), needs(UK1DF01)),
        22: (free, needs(UK7DF01)),
    },
    "DF02": {},
    "DF03": {},
    "DF04": {},
    "DF05": {},
    "DF06": {},
    "DF07": {},
}
"""By SFI, who may read and who may update: 读写权限 of cards of generation 2.0."""


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda directory: directory.label)
def test_the_table_has_every_file_of_the_application(directory: object) -> None:
    label, files = directory.label, directory.files  # type: ignore[attr-defined]
    assert set(MATRIX[label]) == {file.sfi for file in files}


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda directory: directory.label)
def test_every_combination_of_proofs_opens_what_the_table_says(
    directory: object, flash: Flash, chip: Chip
) -> None:
    fid, label = directory.fid, directory.label  # type: ignore[attr-defined]
    chip = Chip(BENCH_ROM, flash, world())  # the issued card, with a way to prove keys
    before = chip.snapshot()
    named = {UKSSSE, RK1DF01, UK1DF01, UK7DF01} if label in ("SSSE", "DF01") else set()
    provable = {
        key.kid
        for key in (*SSSE.keys, *directory.keys)  # type: ignore[attr-defined]
        if key.usage is KeyUsage.EXTERNAL_AUTHENTICATE
    }
    in_rules: list[str | int] = [PIN, *sorted(named & provable)]
    others: tuple[str | int, ...] = tuple(sorted(provable - named))
    files = {file.sfi: file for file in directory.files}  # type: ignore[attr-defined]
    ways = chain.from_iterable(combinations(in_rules, n) for n in range(len(in_rules) + 1))
    # The keys of no rule here open nothing, even all together.
    for proven in chain.from_iterable((way, (*way, *others)) for way in ways):
        send_all(chip, [SELECT_HRSS])
        if fid != SSSE.fid:
            send_all(chip, [select_df(fid)])
        for proof in proven:
            send_all(
                chip,
                [verify("123456") if isinstance(proof, str) else command(PROVE, KeyRef(proof))],
            )
        for sfi, (may_read, may_update) in MATRIX[label].items():
            if files[sfi].kind is FileKind.TRANSPARENT:
                read = command(READ_BINARY, SfiOffset(sfi))
                update = command(UPDATE_BINARY, SfiOffset(sfi, 255), bytes(255))  # too long
            else:
                read = command(READ_RECORD, RecordRef(1, sfi))
                update = command(UPDATE_RECORD, RecordTarget(1, sfi), b"\x01")  # half an item
            assert may_read(frozenset(proven)) == (sw(chip.transmit(read)) == 0x9000)
            assert may_update(frozenset(proven)) == (sw(chip.transmit(update)) != 0x6982)
    assert before == chip.snapshot()


def test_the_account_of_the_bank_is_free_to_read_and_nobody_writes_it(chip: Chip) -> None:
    send_all(chip, [SELECT_DEBIT])
    assert 0x9000 == sw(chip.transmit(command(READ_RECORD, RecordRef(1, 1))))
    assert 0x6982 == sw(chip.transmit(command(UPDATE_RECORD, RecordTarget(1, 1), b"x")))
