# SPDX-License-Identifier: Apache-2.0
"""Issuer scripts (发卡行脚本): what the issuer has a card do, from the wish to its template.

A wish is a plain command, and may wait for the card's next online transaction; only then is it
protected, under the keys of that transaction (JR/T 0025.5 annexes B and C; EMV Book 3 10.10).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from apdu.command import CommandAPDU
from apdu.crypto.pinblock import build_pin_change
from apdu.crypto.script import AFTER_FINAL, Script
from apdu.errors import FormatError
from apdu.messaging import script_messaging
from apdu.tlv import parse
from apdu.wire.elements import BY_TAG, Format
from apdu.wire.form import CommandForm
from apdu.wire.iso7816 import RecordTarget
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes, amount_of
from apdu.wire.pboc.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    BALANCES,
    CARD_BLOCK,
    PARAMETERS,
    PIN_CHANGE_UNBLOCK,
    PUT_DATA,
    UPDATE_RECORD,
    DataTag,
    PinChange,
    PinChangeRef,
)
from host.issuer.keys import CardKeys

CHANGEABLE: Final = BALANCES | PARAMETERS
"""What PUT DATA may write."""
RECORD_SFIS: Final = range(1, 11)
LONGEST_RECORD: Final = 251
"""Bytes that UPDATE RECORD can carry beside its MAC."""
IDENTIFIER: Final = 4


# Wishes: commands before their protection


def put_data(tag: int, value: bytes) -> CommandAPDU:
    """Give one of the `CHANGEABLE` elements a value. FormatError for another one, or its length."""
    if tag not in CHANGEABLE:
        raise FormatError(f"PUT DATA: {tag:X} is not among the elements that may be put")
    known = BY_TAG[tag]
    if not known.least <= len(value) <= known.most:
        raise FormatError(f"PUT DATA {tag:X}: {len(value)} bytes, must be {known.most}")
    if known.format is Format.NUMERIC:
        amount_of(value)
    return _command(PUT_DATA, DataTag(tag), value)


def put_balance(balance: int) -> CommandAPDU:
    """圈存: the electronic cash's new balance in fen, absolute (9F79)."""
    return put_data(tags.EC_BALANCE, amount_bytes(balance))


def update_record(sfi: int, number: int, record: bytes) -> CommandAPDU:
    """Replace a record, `record` with its template 70. Raises FormatError."""
    if sfi not in RECORD_SFIS or not 1 <= number <= 0xFF:
        raise FormatError(
            f"UPDATE RECORD: record {number} of SFI {sfi} is none that may be changed"
        )
    if len(record) > LONGEST_RECORD:
        raise FormatError(f"UPDATE RECORD: {len(record)} bytes, {LONGEST_RECORD} at most")
    if [item.tag for item in parse(record)] != [tags.RECORD_TEMPLATE]:
        raise FormatError("UPDATE RECORD: must be one template 70")
    return _command(UPDATE_RECORD, RecordTarget(number, sfi), record)


def application_block() -> CommandAPDU:
    """应用锁定."""
    return _command(APPLICATION_BLOCK, None, None)


def application_unblock() -> CommandAPDU:
    """应用解锁."""
    return _command(APPLICATION_UNBLOCK, None, None)


def card_block() -> CommandAPDU:
    """卡片锁定; nothing undoes it."""
    return _command(CARD_BLOCK, None, None)


def pin_unblock() -> CommandAPDU:
    """PIN 解锁: its tries are full again."""
    return _command(PIN_CHANGE_UNBLOCK, PinChangeRef(PinChange.UNBLOCK), b"")


def pin_change(keys: CardKeys, pin: str, current: str = "") -> CommandAPDU:
    """PIN 修改: a new offline PIN; with the current one where the card is to check that.

    Nothing of it is to be stored: it holds the PIN, masked with the card's key but not enciphered.
    """
    service = PinChange.CHANGE_WITH_CURRENT if current else PinChange.CHANGE
    block = build_pin_change(pin, keys.pin_mask.reveal(), current)
    return _command(PIN_CHANGE_UNBLOCK, PinChangeRef(service), block)


def _command(form: CommandForm[Any, Any, Any], params: Any, data: Any) -> CommandAPDU:
    header = form.params.number(params)
    return CommandAPDU(form.cla, form.ins, header >> 8, header & 0xFF, form.data.build(data))


# What the card gets


def protected(
    keys: CardKeys, atc: bytes, ac: bytes, commands: Iterable[CommandAPDU]
) -> tuple[bytes, ...]:
    """The commands as the card gets them in the transaction with this ATC (2 bytes) and first
    cryptogram (8), each with its MAC. Raises FormatError when one does not fit."""
    messaging = script_messaging(keys.mac, keys.enc, atc, ac)
    return tuple(
        bytes(messaging.protect(command, enciphered=command.ins == PIN_CHANGE_UNBLOCK.ins))
        for command in commands
    )


def script(
    keys: CardKeys,
    atc: bytes,
    ac: bytes,
    commands: Iterable[CommandAPDU],
    identifier: int = 0,
    tag: int = AFTER_FINAL,
) -> bytes:
    """The template 71 or 72 around protected commands; `identifier` becomes 9F18."""
    name = identifier.to_bytes(IDENTIFIER)
    return Script(protected(keys, atc, ac, commands), name, tag).build()
