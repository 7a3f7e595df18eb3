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
    verify,
)

from apdu.command import encode
from apdu.wire.access import NEVER
from apdu.wire.form import RAW, CommandForm, Fixed
from apdu.wire.hrss import CHANGE_PIN
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
    PinRef,
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
from card_os.apps.debit import DEBIT
from card_os.apps.hrss import HRSS
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import CommandTable
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
COMMANDS: dict[str, list[CommandForm[Any, Any, Any]]] = {
    "MF": [*FILE_COMMANDS, *ADMINISTRATION],
    "HRSS": [*FILE_COMMANDS, *ADMINISTRATION, VERIFY, CHANGE_PIN],
    "DEBIT": [*FILE_COMMANDS, *ADMINISTRATION],
}
"""What each application offers, as documented."""


class Gate(IntEnum):
    """The order of `card_os.dispatch`."""

    LENGTHS = 1
    INSTRUCTION = 2
    CLASS = 3
    LIFE = 4
    CHAIN = 5
    CASE = 6
    PARAMETERS = 7
    DATA = 8
    ACCESS = 9


STATUS = {
    Gate.LENGTHS: 0x6700,
    Gate.INSTRUCTION: 0x6D00,
    Gate.CLASS: 0x6E00,
    Gate.LIFE: 0x6985,
    Gate.CHAIN: 0x6883,
    Gate.CASE: 0x6700,
    Gate.PARAMETERS: 0x6A86,
    Gate.DATA: 0x6A80,
    Gate.ACCESS: 0x6982,
}
CLOSED_SFI = {"MF": 2, "HRSS": 8, "DEBIT": 6}
"""A transparent file that nobody may use as things are on the bench."""
OPEN_IN_LIFE = (SELECT, GET_RESPONSE, GET_CHALLENGE)
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
    gates += [Gate.CHAIN, Gate.CASE, Gate.PARAMETERS]
    if form in (CREATE_FILE, WRITE_KEY, CHANGE_PIN):
        gates.append(Gate.DATA)
    if form in (READ_BINARY, UPDATE_BINARY, READ_RECORD, UPDATE_RECORD, APPEND_RECORD):
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


# The class byte


def class_answer(cla: int, form: CommandForm[Any, Any, Any]) -> int | None:
    """What is wrong with a class byte, read off ISO 7816-4 tables 2 and 3; None: nothing."""
    if cla == form.cla:
        return None
    if cla == 0xFF or cla >> 5 == 0b001:
        return 0x6E00
    if cla >= 0x80:
        base, channel, messaging, chaining = cla & 0xF8, cla & 3, cla & 4, 0
    elif cla >= 0x40:
        base, channel, messaging, chaining = 0, 4 + (cla & 15), cla & 0x20, cla & 0x10
    else:
        base, channel, messaging, chaining = 0, cla & 3, cla & 0x0C, cla & 0x10
    if base != form.cla:
        return 0x6E00
    if channel:
        return 0x6881
    if messaging:
        return 0x6882
    return 0x6884 if chaining and form is not UPDATE_BINARY else None


@pytest.mark.parametrize("body", [b"", b"\x01\x00"], ids=["bare", "one byte"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_of_all_65536_headers_exactly_the_documented_ones_lead_to_a_command(
    context: str, body: bytes, chip: Chip
) -> None:
    forms = {form.ins: form for form in COMMANDS[context]}
    expected_digest = chip.snapshot()
    chip.transmit(CONTEXTS[context])
    if context == "HRSS" and body:
        chip.transmit(command(VERIFY, PinRef(0), b"\0"))  # costs a try, here as in the sweep
        expected_digest = chip.snapshot()
        chip.transmit(verify("123456"))
        chip.transmit(CONTEXTS[context])
    reached, wrong = set(), []
    for cla in range(256):
        for ins in range(256):
            answer = sw(chip.transmit(bytes((cla, ins, 0, 0)) + body))
            form = forms.get(ins)
            expected = 0x6D00 if form is None else class_answer(cla, form)
            if expected is None:
                reached.add((cla, ins))
                # It may have selected something, or opened a chain.
                chip.transmit(SELECT_MF)
                chip.transmit(CONTEXTS[context])
                wrong += [(cla, ins, answer)] if answer in (0x6D00, 0x6E00, 0x6F00) else []
            elif answer != expected:
                wrong.append((cla, ins, answer))
    assert [] == wrong
    documented = {(form.cla, form.ins) for form in COMMANDS[context]} | {(0x10, 0xD6)}
    assert documented == reached
    assert expected_digest == chip.snapshot()


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_tables_in_rom_are_the_documented_ones(context: str) -> None:
    application = {"MF": ROOT, "HRSS": HRSS, "DEBIT": DEBIT}[context]
    bound = {entry.form for entry in application.commands.entries.values()}
    assert set(COMMANDS[context]) == bound


def test_a_table_has_one_command_to_an_instruction() -> None:
    table = CommandTable(HRSS.commands)
    with pytest.raises(ValueError, match="A4"):
        table.on(SELECT)(lambda ctx, params, data: None)


# P1-P2


def takes(form: CommandForm[Any, Any, Any], p1: int, p2: int) -> bool:
    """Whether a command takes these, as its clause in ISO 7816-4 and this project's README say."""
    if isinstance(form.params, Fixed):
        return form.params.value == p1 << 8 | p2
    if form is SELECT:
        return p1 in (0, 1, 2, 3, 4, 8, 9) and p2 in (0, 1, 2, 3, 0x0C, 0x0D, 0x0E, 0x0F)
    if form is READ_RECORD:
        return p2 & 7 in (0, 4, 5)
    if form is UPDATE_RECORD:
        return p2 & 7 in (0, 3, 4)  # with 3, P1 is judged at the file
    if form is APPEND_RECORD:
        return p1 == 0 and p2 & 7 == 0
    if form in (READ_BINARY, UPDATE_BINARY):
        return p1 < 0x80 or p1 >> 5 == 0b100
    return p1 == 0  # the reference of a PIN or key


def headers(form: CommandForm[Any, Any, Any]) -> Iterator[tuple[int, int]]:
    """All P1-P2 where that is cheap or matters most; elsewhere every P1 and every P2."""
    whole = isinstance(form.params, Fixed) or form in (SELECT, VERIFY)
    some = (0x00, 0x01, 0x04, 0x7F, 0x80, 0x9E, 0xFF)
    for p1 in range(256):
        for p2 in range(256) if whole or p1 in some else some:
            yield p1, p2


@pytest.mark.parametrize("form", COMMANDS["HRSS"], ids=lambda form: form.name)
def test_p1_p2_are_taken_as_documented_and_no_others(form: CommandForm[Any, Any, Any]) -> None:
    chip = bench()
    parts = good(form, "HRSS")
    data = parts.data if form.data is not RAW else parts.data[:1]
    if form is VERIFY:
        data = b""  # asks for the tries left: nothing is spent
    if form in ADMINISTRATION:
        chip = boot(Flash(bytearray(unsealed_cells())))
    chip.transmit(SELECT_HRSS)
    wrong = []
    for p1, p2 in headers(form):
        if form in ADMINISTRATION and takes(form, p1, p2):
            continue  # they work, and would fill or end the chip; only what is refused is asked
        if form is SELECT:
            chip.transmit(SELECT_HRSS)
        answer = sw(chip.transmit(encode(form.cla, form.ins, p1 << 8 | p2, data, parts.ne)))
        if takes(form, p1, p2) == (answer == 0x6A86) or answer == 0x6F00:
            wrong.append((p1, p2, answer))
    assert [] == wrong
