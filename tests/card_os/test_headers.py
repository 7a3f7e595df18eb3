# SPDX-License-Identifier: Apache-2.0
"""Of all class bytes, instructions and P1-P2, exactly the documented ones lead to a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from neighbour import NEIGHBOUR
from test_gates import (
    ADMINISTRATION,
    COMMANDS,
    CONTEXTS,
    MUST_BE_PROTECTED,
    PROTECTED,
    good,
)
from testbench import (
    SELECT_HRSS,
    SELECT_MF,
    bench,
    boot,
    command,
    sw,
    unsealed_cells,
    verify,
)

from apdu.command import encode
from apdu.wire.form import RAW, CommandForm, Fixed
from apdu.wire.hrss.medical import GET_TRANSACTION_PROVE
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
from apdu.wire.pboc import commands as pboc
from card_os.apps.hrss import HRSS
from card_os.apps.pboc.application import DEBIT
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import CommandTable
from card_os.nvm import Flash

# The bank's application of an issued card; the bench has a simpler one in its place.
BANK_PROTECTED = (
    pboc.PIN_CHANGE_UNBLOCK,
    pboc.APPLICATION_BLOCK,
    pboc.APPLICATION_UNBLOCK,
    pboc.CARD_BLOCK,
    pboc.PUT_DATA,
    pboc.UPDATE_RECORD,
)
BANK = (
    SELECT,
    GET_RESPONSE,
    GET_CHALLENGE,
    READ_RECORD,
    pboc.GET_PROCESSING_OPTIONS,
    pboc.GET_DATA,
    pboc.VERIFY_OFFLINE_PIN,
    pboc.INTERNAL_AUTHENTICATE,
    pboc.GENERATE_AC,
    pboc.EXTERNAL_AUTHENTICATE,
    *BANK_PROTECTED,
)
ISSUED = COMMANDS | {"DEBIT": BANK}
TAKES_A_MAC = {"MF": (), "HRSS": PROTECTED, "DEBIT": BANK_PROTECTED}


# The class byte


def class_answer(cla: int, form: CommandForm[Any, Any, Any], context: str) -> int | None:
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
        has_it = form in TAKES_A_MAC[context] and cla in (0x04, 0x84)
        return None if has_it else 0x6882
    return 0x6884 if chaining and form is not UPDATE_BINARY else None


@pytest.mark.parametrize("body", [b"", b"\x01\x00"], ids=["bare", "one byte"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_of_all_65536_headers_exactly_the_documented_ones_lead_to_a_command(
    context: str, body: bytes, chip: Chip
) -> None:
    forms = {form.ins: form for form in ISSUED[context]}
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
            expected = 0x6D00 if form is None else class_answer(cla, form, context)
            if expected is None:
                reached.add((cla, ins))
                # It may have selected something, or opened a chain.
                chip.transmit(SELECT_MF)
                chip.transmit(CONTEXTS[context])
                wrong += [(cla, ins, answer)] if answer in (0x6D00, 0x6E00, 0x6F00) else []
            elif answer != expected:
                wrong.append((cla, ins, answer))
    assert [] == wrong
    documented = {(form.cla, form.ins) for form in ISSUED[context]}
    documented |= {(form.cla | 0x04, form.ins) for form in TAKES_A_MAC[context]}
    documented |= {(0x10, 0xD6)} if context != "DEBIT" else set()
    assert documented == reached
    assert expected_digest == chip.snapshot()


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_tables_in_rom_are_the_documented_ones(context: str) -> None:
    for application, documented in (
        ({"MF": ROOT, "HRSS": HRSS, "DEBIT": NEIGHBOUR}[context], COMMANDS[context]),
        ({"MF": ROOT, "HRSS": HRSS, "DEBIT": DEBIT}[context], ISSUED[context]),
    ):
        bound = {entry.form for entry in application.commands.entries.values()}
        assert set(documented) == bound


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
        return p2 & 7 in (0, 4) or (p2 & 7 == 3 and p1 == 0)
    if form is APPEND_RECORD:
        return p1 == 0 and p2 & 7 == 0
    if form in (READ_BINARY, UPDATE_BINARY):
        return p1 < 0x80 or p1 >> 5 == 0b100
    if form is GET_TRANSACTION_PROVE:
        return p1 == 0 and p2 in (0x31, 0x32)
    return p1 == 0  # the reference of a PIN or key


def headers(form: CommandForm[Any, Any, Any]) -> Iterator[tuple[int, int]]:
    """All P1-P2 where that is cheap or matters most; elsewhere every P1 and every P2."""
    whole = isinstance(form.params, Fixed) or form in (SELECT, VERIFY)
    some = (0x00, 0x01, 0x04, 0x7F, 0x80, 0x9E, 0xFF)
    for p1 in range(256):
        for p2 in range(256) if whole or p1 in some else some:
            yield p1, p2


BARE = [form for form in COMMANDS["HRSS"] if form not in MUST_BE_PROTECTED]
"""What comes without secure messaging, which is judged before P1-P2."""


@pytest.mark.parametrize("form", BARE, ids=lambda form: form.name)
def test_p1_p2_are_taken_as_documented_and_no_others(form: CommandForm[Any, Any, Any]) -> None:
    chip = bench()
    parts = good(form, "HRSS")
    data = parts.data if form.data is not RAW else parts.data[: form.lc.start]
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
