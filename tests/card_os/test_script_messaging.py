# SPDX-License-Identifier: Apache-2.0
"""Secure messaging as PBOC has it, on a chip: an application whose scripts are chained to a
transaction, with one command whose data comes in the clear and one whose data is hidden."""

from __future__ import annotations

import pytest
from benchplan import noise
from keybench import SM4, TDES, both_suites, flipped
from testbench import (
    FLASH_SIZE,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    command,
    send_all,
    sw,
    verify,
    world,
)

from apdu.command import CommandAPDU, encode
from apdu.crypto.suite import Suite
from apdu.errors import StatusError
from apdu.messaging import Messaging, script_messaging
from apdu.sw import SW
from apdu.wire.access import ALWAYS, NEVER, Pin
from apdu.wire.fields import bits, wire
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.iso7816 import READ_BINARY, SfiOffset
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from apdu.wire.record import BitRecord, record
from card_os.apps.hrss import HRSS
from card_os.apps.root import ROOT
from card_os.chip import Chip
from card_os.dispatch import Application, CommandTable, Context, Protection
from card_os.nvm import Flash

ATC, CRYPTOGRAM = bytes.fromhex("0012"), bytes.fromhex("E2F6ED390FDB4755")
UDK_MAC, UDK_ENC = noise("UDK MAC", 16), noise("UDK ENC", 16)
VALUE = bytes.fromhex("000000000104")


@record
class Where(BitRecord):
    at: int = wire(bits(16))


def _form(name: str, ins: int) -> CommandForm[Where, bytes, None]:
    return CommandForm(name, ins, Where, RAW, NOTHING, cases=frozenset({3}), lc=range(1, 33))


PUT, PUT_HIDDEN = _form("PUT DATA", 0xDA), _form("PUT HIDDEN DATA", 0xDB)
FORMS = {PUT: Protection.MAC, PUT_HIDDEN: Protection.ENCIPHERED}
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def put(ctx: Context, where: Where, data: bytes) -> None:
    ctx.aim(1).update_binary(where.at, data)


def the_scripts_of(suite: Suite, transaction: bool = True) -> Messaging:
    """What chip and issuer know during the transaction; before it there is nothing to know."""
    if not transaction:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
    return script_messaging(suite.key(UDK_MAC), suite.key(UDK_ENC), ATC, CRYPTOGRAM)


def card(suite: Suite, transaction: bool = True) -> Chip:
    """A sealed chip with that application, a file that PUT writes to, and one behind the PIN."""
    flash = Flash(bytearray(FLASH_SIZE))
    block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, 3, b"\x12\x34\x56")
    chip = blank(flash)
    steps = [
        FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME),
        FileHeader(FileKind.TRANSPARENT, 0xEF01, ALWAYS, NEVER, 1, 64),
        FileHeader(FileKind.TRANSPARENT, 0xEF02, Pin(0), NEVER, 2, 8),
    ]
    send_all(chip, [command(CREATE_FILE, None, each) for each in steps])
    send_all(chip, [command(WRITE_KEY, KeyRef(0), block), SELECT_MF, command(ACTIVATE_FILE)])
    table = CommandTable()
    for form, protection in FORMS.items():
        table.on(form, messaging=protection)(put)
    commands = CommandTable(HRSS.commands, table)
    messaging = lambda ctx, form: the_scripts_of(suite, transaction)  # noqa: E731
    chip = Chip((ROOT, Application("SCRIPTS", SSSE_NAME, commands, messaging)), flash, world())
    send_all(chip, [SELECT_HRSS, verify("123456")])
    assert proven(chip)
    return chip


def proven(chip: Chip) -> bool:
    return sw(chip.transmit(command(READ_BINARY, SfiOffset(2)))) == 0x9000


def content(chip: Chip) -> bytes:
    return chip.transmit(command(READ_BINARY, SfiOffset(1), ne=len(VALUE)))[:-2]


def protected(suite: Suite, form: CommandForm[Where, bytes, None], data: bytes = VALUE) -> bytes:
    plain = CommandAPDU(form.cla, form.ins, 0, 0, data)
    hidden = FORMS[form] is Protection.ENCIPHERED
    return bytes(the_scripts_of(suite).protect(plain, enciphered=hidden))


@both_suites
@every_form
def test_a_script_command_does_what_it_says(
    suite: Suite, form: CommandForm[Where, bytes, None]
) -> None:
    chip = card(suite)
    raw = protected(suite, form)
    assert (VALUE in raw) == (form is PUT)
    assert b"\x90\x00" == chip.transmit(raw)
    assert VALUE == content(chip)
    assert proven(chip)


@both_suites
@every_form
def test_every_flipped_bit_is_noticed_and_changes_nothing(
    suite: Suite, form: CommandForm[Where, bytes, None]
) -> None:
    chip = card(suite)
    before = chip.snapshot()
    raw = protected(suite, form)
    # Another class or instruction; the bit that makes PUT DATA the other one is no exception.
    allowed = {
        0: {0x6881, 0x6882, 0x6987, 0x6E00},
        1: {0x6D00, 0x6E00, 0x6882, 0x6988},
        4: {0x6700},
    }
    for bit in range(8 * len(raw)):
        send_all(chip, [verify("123456")])
        answer = chip.transmit(flipped(raw, bit))
        assert 2 == len(answer)
        assert sw(answer) in allowed.get(len(raw) - 1 - bit // 8, {0x6988})
        assert (sw(answer) in (0x6987, 0x6988)) == (not proven(chip))
        assert before == chip.snapshot()


@both_suites
@every_form
def test_a_bare_command_is_refused(suite: Suite, form: CommandForm[Where, bytes, None]) -> None:
    chip = card(suite)
    before = chip.snapshot()
    for data in (VALUE, protected(suite, form)[5:]):
        send_all(chip, [verify("123456")])
        assert b"\x69\x87" == chip.transmit(encode(0x00, form.ins, 0, data))
        assert not proven(chip)
    assert before == chip.snapshot()


@both_suites
@pytest.mark.parametrize("form", [PUT, PUT_HIDDEN], ids=lambda form: form.name)
def test_data_in_the_clear_is_not_taken_where_it_is_to_be_hidden(
    suite: Suite, form: CommandForm[Where, bytes, None]
) -> None:
    """And the other way round it would be taken as it comes: 16 other bytes."""
    chip = card(suite)
    before = chip.snapshot()
    plain = CommandAPDU(form.cla, form.ins, 0, 0, bytes(16))
    raw = bytes(the_scripts_of(suite).protect(plain, enciphered=False))
    assert (0x9000 if form is PUT else 0x6988) == sw(chip.transmit(raw))
    assert (form is PUT_HIDDEN) == (not proven(chip))
    assert before == chip.snapshot()


@both_suites
@every_form
def test_outside_of_a_transaction_there_are_no_scripts(
    suite: Suite, form: CommandForm[Where, bytes, None]
) -> None:
    chip = card(suite, transaction=False)
    before = chip.snapshot()
    assert b"\x69\x85" == chip.transmit(protected(suite, form))
    assert not proven(chip)
    assert before == chip.snapshot()


@every_form
def test_the_script_of_the_other_suite_is_refused(form: CommandForm[Where, bytes, None]) -> None:
    for suite, other in ((TDES, SM4), (SM4, TDES)):
        chip = card(suite)
        assert b"\x69\x88" == chip.transmit(protected(other, form))
