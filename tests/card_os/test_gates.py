# SPDX-License-Identifier: Apache-2.0
"""Commands are judged in one order, and only those exist that are documented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import chain, combinations
from typing import Any

import pytest
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    boot,
    command,
    go_to,
    send_all,
    sw,
    unsealed_cells,
)

from apdu.command import encode
from apdu.wire.access import NEVER
from apdu.wire.form import CommandForm
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    CHANGE_PIN,
    EXTERNAL_AUTHENTICATE,
    INTERNAL_AUTHENTICATE,
    PIN_CHANGE_UNBLOCK,
)
from apdu.wire.hrss.medical import (
    CREDIT_LOAD,
    DEBIT,
    GET_TRANSACTION_PROVE,
    INITIALISE_DEBIT,
    INITIALISE_LOAD,
)
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    UPDATE_RECORD,
    VERIFY,
)
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    DEACTIVATE_FILE,
    TERMINATE_DF,
    WRITE_KEY,
    FileHeader,
    FileKind,
)
from card_os.chip import Chip
from card_os.nvm import Flash

CONTEXTS = {"MF": SELECT_MF, "HRSS": SELECT_HRSS, "DEBIT": SELECT_DEBIT}
FILE_COMMANDS = [
    SELECT,
    READ_BINARY,
    UPDATE_BINARY,
    READ_RECORD,
    UPDATE_RECORD,
    APPEND_RECORD,
    GET_RESPONSE,
    GET_CHALLENGE,
]
ADMINISTRATION = [CREATE_FILE, WRITE_KEY, ACTIVATE_FILE, DEACTIVATE_FILE, TERMINATE_DF]
BLOCKING = [APPLICATION_BLOCK, APPLICATION_UNBLOCK, CARD_BLOCK]
BY_HOLDER = [INITIALISE_DEBIT, DEBIT, INITIALISE_LOAD, CREDIT_LOAD]
"""Commands that the holder's PIN opens."""
MUST_BE_PROTECTED = [PIN_CHANGE_UNBLOCK, *BLOCKING]
"""Commands that come here bare, and so get no further than to the gate of messaging."""
COMMANDS: dict[str, list[CommandForm[Any, Any, Any]]] = {
    "MF": [*FILE_COMMANDS, *ADMINISTRATION],
    "HRSS": [
        *FILE_COMMANDS,
        *ADMINISTRATION,
        VERIFY,
        CHANGE_PIN,
        PIN_CHANGE_UNBLOCK,
        INTERNAL_AUTHENTICATE,
        EXTERNAL_AUTHENTICATE,
        *BLOCKING,
        *BY_HOLDER,
        GET_TRANSACTION_PROVE,
    ],
    "DEBIT": [*FILE_COMMANDS, *ADMINISTRATION],
}
"""What each application offers, as documented."""


class Gate(IntEnum):
    """The order in which `card_os.gates` judges, told apart from it."""

    LENGTHS = 1
    INSTRUCTION = 2
    CLASS = 3
    LIFE = 4
    CHAIN = 5
    MESSAGING = 6
    CASE = 7
    PARAMETERS = 8
    DATA = 9
    ACCESS = 10


STATUS = {
    Gate.LENGTHS: 0x6700,
    Gate.INSTRUCTION: 0x6D00,
    Gate.CLASS: 0x6E00,
    Gate.LIFE: 0x6985,
    Gate.CHAIN: 0x6883,
    Gate.MESSAGING: 0x6987,
    Gate.CASE: 0x6700,
    Gate.PARAMETERS: 0x6A86,
    Gate.DATA: 0x6A80,
    Gate.ACCESS: 0x6982,
}
CLOSED_SFI = {"MF": 2, "HRSS": 8, "DEBIT": 6}
"""A transparent file that nobody may use as things are on the bench."""
PROTECTED = (UPDATE_BINARY, UPDATE_RECORD, APPEND_RECORD, *MUST_BE_PROTECTED)
"""Commands that may, or must, come under secure messaging, in the application that has it."""
OPEN_IN_LIFE = (SELECT, GET_RESPONSE, GET_CHALLENGE, *BLOCKING)
"""Commands that a blocked application still takes."""
WRONG_P1P2 = 0xFF07
"""P1-P2 that no command takes."""


@dataclass(frozen=True)
class Parts:
    """P1-P2, data and Ne with which a command passes the gates up to access."""

    p1p2: int
    data: bytes
    ne: int


def good(form: CommandForm[Any, Any, Any], context: str) -> Parts:
    """A command in the right shape that aims at the closed file, where it has a target."""
    sfi = CLOSED_SFI[context]
    new_file = bytes(FileHeader(FileKind.TRANSPARENT, 0x2F77, NEVER, NEVER, size=1))
    return {
        SELECT: Parts(0x0400, b"nobody", 256),
        READ_BINARY: Parts(0x80FF | sfi << 8, b"", 256),
        UPDATE_BINARY: Parts(0x80FF | sfi << 8, b"data", 0),
        READ_RECORD: Parts(0x0004 | sfi << 3, b"", 256),
        UPDATE_RECORD: Parts(0x0004 | sfi << 3, b"data", 0),
        APPEND_RECORD: Parts(sfi << 3, b"data", 0),
        GET_RESPONSE: Parts(0, b"", 256),
        GET_CHALLENGE: Parts(0, b"", 8),
        CREATE_FILE: Parts(0, new_file, 0),
        WRITE_KEY: Parts(0x0011, bytes.fromhex("0201020F") + bytes(16), 0),
        VERIFY: Parts(0x0055, b"123456", 0),
        CHANGE_PIN: Parts(0x0100, bytes.fromhex("000000FF876543"), 0),
        INTERNAL_AUTHENTICATE: Parts(0, bytes(16), 256),
        EXTERNAL_AUTHENTICATE: Parts(0x0004, bytes(16), 0),
        INITIALISE_DEBIT: Parts(0x0101, bytes(19), 22),
        DEBIT: Parts(0x0100, bytes(15), 8),
        GET_TRANSACTION_PROVE: Parts(0x0032, bytes(2), 8),
        INITIALISE_LOAD: Parts(0x0031, bytes(11), 16),
        CREDIT_LOAD: Parts(0, bytes(11), 4),
    }.get(form, Parts(0, b"", 0))


def wrong_lengths(form: CommandForm[Any, Any, Any]) -> tuple[bytes, int]:
    """Data and Ne of a case, or a length, that the form does not allow."""
    for data, ne in ((b"", 0), (b"", 256), (bytes(9), 256), (bytes(18), 256), (bytes(300), 0)):
        case = 1 + bool(ne) + 2 * bool(data)
        if case not in form.cases or (data and len(data) not in form.lc):
            return data, ne
    raise AssertionError(f"{form.name} takes every length")


def possible(form: CommandForm[Any, Any, Any], context: str) -> list[Gate]:
    """The gates at which this command can be stopped on the bench."""
    gates = [Gate.LENGTHS, Gate.INSTRUCTION, Gate.CLASS]
    # The MF cannot be blocked; what then ends is the whole chip, further below.
    if form in ADMINISTRATION or (form not in OPEN_IN_LIFE and context != "MF"):
        gates.append(Gate.LIFE)
    gates.append(Gate.CHAIN)
    if form in MUST_BE_PROTECTED:
        return [*gates, Gate.MESSAGING]
    gates += [Gate.CASE, Gate.PARAMETERS]
    if form in (CREATE_FILE, WRITE_KEY, CHANGE_PIN):
        gates.append(Gate.DATA)
    on_files = (READ_BINARY, UPDATE_BINARY, READ_RECORD, UPDATE_RECORD, APPEND_RECORD)
    if form in (*on_files, *BY_HOLDER):
        gates.append(Gate.ACCESS)
    return gates


def build(form: CommandForm[Any, Any, Any], context: str, faults: frozenset[Gate]) -> bytes:
    """The command, wrong in just these ways as far as its bytes go."""
    parts = good(form, context)
    data, ne = wrong_lengths(form) if Gate.CASE in faults else (parts.data, parts.ne)
    if Gate.DATA in faults and Gate.CASE not in faults:
        data = b"\x99" * form.lc.start
    raw = encode(
        0xFF if Gate.CLASS in faults else form.cla,
        0x77 if Gate.INSTRUCTION in faults else form.ins,
        WRONG_P1P2 if Gate.PARAMETERS in faults else parts.p1p2,
        data,
        ne,
    )
    # Behind the header stands a length of which the rest is missing.
    return raw[:4] + b"\0\0" if Gate.LENGTHS in faults else raw


@cache
def unsealed() -> Chip:
    return boot(Flash(bytearray(unsealed_cells())))


@cache
def sealed() -> Chip:
    return bench()


@cache
def blocked() -> Chip:
    """A sealed bench whose applications are both blocked."""
    chip = boot(Flash(bytearray(unsealed_cells())))
    for label in ("SSSE", "DEBIT"):
        send_all(chip, [*go_to(label), command(DEACTIVATE_FILE)])
    send_all(chip, [SELECT_MF, command(ACTIVATE_FILE)])
    return chip


def chip_for(form: CommandForm[Any, Any, Any], context: str, faults: frozenset[Gate]) -> Chip:
    """A chip in that application: where the command exists, or where it does not."""
    if form in ADMINISTRATION:
        chip = sealed() if Gate.LIFE in faults else unsealed()
    else:
        chip = blocked() if Gate.LIFE in faults else sealed()
    chip.transmit(SELECT_MF)  # ends a chain that the case before left open
    chip.transmit(CONTEXTS[context])
    if Gate.CHAIN in faults:
        assert b"\x90\x00" == chip.transmit(bytes.fromhex("10D60000015A"))
    return chip


def fault_sets(gates: list[Gate]) -> Iterator[frozenset[Gate]]:
    """All ways of being wrong at some of these gates. Where a command does not exist, no chain
    can be open either."""
    every = chain.from_iterable(combinations(gates, n) for n in range(1, len(gates) + 1))
    return (frozenset(each) for each in every if not {Gate.LIFE, Gate.CHAIN} <= set(each))


@pytest.mark.parametrize("context", CONTEXTS)
def test_of_all_that_is_wrong_with_a_command_the_first_gate_speaks(context: str) -> None:
    for form in COMMANDS[context]:
        before = {chip: chip.snapshot() for chip in (unsealed(), sealed(), blocked())}
        for faults in fault_sets(possible(form, context)):
            chip = chip_for(form, context, faults)
            answer = chip.transmit(build(form, context, faults))
            # The target that may not be used is behind the access gate, whatever else is wrong.
            expected = STATUS[min(faults)]
            assert expected.to_bytes(2) == answer, (form.name, sorted(faults))
        assert before == {chip: chip.snapshot() for chip in before}


@pytest.mark.parametrize("context", CONTEXTS)
def test_behind_the_gates_the_handler_answers(context: str) -> None:
    """Guards the test above: what it builds without a fault gets past every gate it names."""
    past = {
        SELECT: 0x6A82,
        READ_BINARY: 0x6982,
        UPDATE_BINARY: 0x6982,
        READ_RECORD: 0x6982,
        UPDATE_RECORD: 0x6982,
        APPEND_RECORD: 0x6982,
        GET_RESPONSE: 0x6985,
        VERIFY: 0x6A88,
        CHANGE_PIN: 0x63C5,
        **dict.fromkeys(MUST_BE_PROTECTED, 0x6987),
        INTERNAL_AUTHENTICATE: 0x6A88,
        EXTERNAL_AUTHENTICATE: 0x6984,
        **dict.fromkeys(BY_HOLDER, 0x6982),
        GET_TRANSACTION_PROVE: 0x6985,
    }
    for form in COMMANDS[context]:
        chip = boot(Flash(bytearray(unsealed_cells()))) if form in ADMINISTRATION else bench()
        chip.transmit(CONTEXTS[context])
        answer = chip.transmit(build(form, context, frozenset()))
        expected = past.get(form, 0x9000)
        if form is DEACTIVATE_FILE and context == "MF":
            expected = 0x6985
        assert expected == sw(answer), form.name


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_terminated_chip_knows_its_commands_and_takes_none(context: str) -> None:
    chip = boot(Flash(bytearray(unsealed_cells())))
    send_all(chip, [SELECT_MF, command(TERMINATE_DF)])
    before = chip.snapshot()
    for form in COMMANDS[context]:
        answer = chip.transmit(build(form, "MF", frozenset()))
        assert (0x6A81 if form in COMMANDS["MF"] else 0x6D00) == sw(answer)
        chip.reset()
    assert b"\x6d\x00" == chip.transmit(bytes.fromhex("00770000"))
    assert before == chip.snapshot()
