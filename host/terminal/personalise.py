# SPDX-License-Identifier: Apache-2.0
"""Making a card out of a blank chip: files, keys, PIN, data, and the seal.

Everything goes through the chip's own commands; this file never sees its memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import reduce
from operator import xor
from typing import Final

from apdu.crypto.suite import Suite
from apdu.secret import Secret
from apdu.tlv import SimpleTlv, parse_simple
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss import (
    DF_CONDITION,
    DIRECTORIES,
    INITIAL_PIN,
    MF_FID,
    PIN_REFERENCE,
    PIN_TRIES,
    RID,
    SSSE,
    SSSE_FID,
    DfSpec,
    EfSpec,
    HolderData,
    HouseholdData,
    IssuerData,
    split_name,
)
from apdu.wire.hrss_keys import KeySpec, key_named
from apdu.wire.iso7816 import APPEND_RECORD, SELECT, AppendTarget, By, Selection
from apdu.wire.pboc import DEBIT_AID, DEBIT_FID, account_record, debit_fci
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
from apdu.wire.record import Record
from host.card import Card
from host.holder import Holder
from host.keys import MemoryKeys, chip_number
from host.numbers import card_number_check_character

SPEC_VERSIONS: Final = {"2.0": "2.00"}
"""Generations that can be issued, and what EF05 says of them."""
CARD_CLASS: Final = "3"
"""卡的类别: 3 is taken to mean a card with a bank application (1 without)."""
KEY_TRIES: Final = 15
"""Wrong authentications until a key is blocked."""
_DEBIT_SFI: Final = 1


def personalise(card: Card, holder: Holder, keys: MemoryKeys, generation: str = "2.0") -> None:
    """Turn the blank chip behind `card` into the holder's card, and seal it.

    Raises ValueError for a generation that cannot be issued, a CardFault when the chip refuses.
    """
    if generation not in SPEC_VERSIONS:
        known = ", ".join(SPEC_VERSIONS)
        raise ValueError(f"generation {generation!r}: this release issues {known}")
    unique = chip_number(card.channel.atr)
    issuer = _issuer_data(holder, unique, keys, generation)
    contents: dict[type[Record], Record] = {
        IssuerData: issuer,
        HolderData: _holder_data(holder),
        HouseholdData: HouseholdData("", "", ""),
    }
    with card.transaction():
        for directory in DIRECTORIES:
            if directory is not SSSE:
                _go(card, MF_FID)
                _go(card, SSSE_FID)
            _create_directory(card, directory)
            for spec in directory.keys:
                _write_key(card, spec, keys.suite, keys.card_key(spec, holder.region, unique))
            for file in directory.files:
                _create_file(card, file, contents.get(file.content) if file.content else None)
        _go(card, MF_FID)
        _create_bank_application(card, holder)
        _go(card, MF_FID)
        card.send(ACTIVATE_FILE, None, None)


def _issuer_data(holder: Holder, unique: bytes, keys: MemoryKeys, generation: str) -> IssuerData:
    key = keys.card_key(key_named("IRK"), holder.region, unique)
    number = bytes.fromhex(holder.region) + RID + unique[-4:]
    return IssuerData(
        identification=number + keys.suite.key(key.reveal()).mac(number)[:4],
        card_class=CARD_CLASS,
        version=SPEC_VERSIONS[generation],
        issuer=_issuer_number(holder.region),
        issued=holder.issue_date,
        expires=holder.expiry_date,
        card_number=holder.card_number or _card_number(unique),
    )


def _issuer_number(region: str) -> bytes:
    """初始化机构编号: 5 fixed bytes, city, provincial capital, check. The check is our choice."""
    body = bytes.fromhex("9156000002" + region + region[:2] + "0100")
    return body + bytes((reduce(xor, body),))


def _card_number(unique: bytes) -> str:
    """A card number from the chip's own number, for holders whose file names none."""
    number = int.from_bytes(unique)
    body = chr(ord("A") + number % 26) + f"{number // 26 % 10_000_000:07}"
    return body + card_number_check_character(body)


def _holder_data(holder: Holder) -> HolderData:
    name, extension = split_name(holder.name)
    return HolderData(
        number=holder.number,
        name=name,
        name_extension=extension,
        sex=holder.sex.code,
        ethnic_group=holder.ethnic_group.code,
        birthplace=holder.birthplace,
        born=holder.birth_date,
    )


def _go(card: Card, fid: int) -> None:
    card.send(SELECT, Selection(By.FILE_ID), fid.to_bytes(2))


def _create_directory(card: Card, directory: DfSpec) -> None:
    card.send(
        CREATE_FILE,
        None,
        FileHeader(
            FileKind.DF,
            directory.fid,
            DF_CONDITION,
            DF_CONDITION,
            name=directory.name,
            fci=directory.fci,
        ),
    )
    if directory is SSSE:
        pin = pin_bytes(INITIAL_PIN)
        block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, PIN_TRIES, pin)
        card.send(WRITE_KEY, KeyRef(PIN_REFERENCE), block)


def _write_key(card: Card, spec: KeySpec, suite: Suite, value: Secret) -> None:
    algorithm = Algorithm(suite.number)
    block = KeyBlock(spec.usage, spec.version, algorithm, KEY_TRIES, value.reveal())
    card.send(WRITE_KEY, KeyRef(spec.kid), block)


def _create_file(card: Card, file: EfSpec, content: Record | None) -> None:
    items = parse_simple(bytes(content)) if content is not None else []
    size = sum(len(bytes(item)) for item in items) or file.size
    header = FileHeader(
        file.kind, file.fid, file.read, file.update, file.sfi, size, records=len(items)
    )
    card.send(CREATE_FILE, None, header)
    _append(card, file.sfi, items)


def _append(card: Card, sfi: int, items: Iterable[SimpleTlv]) -> None:
    for item in items:
        card.send(APPEND_RECORD, AppendTarget(sfi), bytes(item))


def _create_bank_application(card: Card, holder: Holder) -> None:
    """A debit application with an account record, so that there is a neighbour to keep out."""
    record = account_record(expires=f"{_last_day(holder.expiry_date):%y%m%d}")
    card.send(
        CREATE_FILE,
        None,
        FileHeader(FileKind.DF, DEBIT_FID, NEVER, NEVER, name=DEBIT_AID, fci=debit_fci()),
    )
    card.send(
        CREATE_FILE,
        None,
        FileHeader(
            FileKind.LINEAR_VARIABLE,
            0xEF00 | _DEBIT_SFI,
            ALWAYS,
            NEVER,
            _DEBIT_SFI,
            len(record),
            records=1,
        ),
    )
    card.send(APPEND_RECORD, AppendTarget(_DEBIT_SFI), record)


def _last_day(day: date) -> date:
    """Two-digit years end with 2099."""
    return min(day, date(2099, 12, 31))
