# SPDX-License-Identifier: Apache-2.0
"""What is in the files of a card that has just been made for a holder."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss.application import RID
from apdu.wire.hrss.df04 import AccountState, OfflineTotals
from apdu.wire.hrss.first import FirstHolderData
from apdu.wire.hrss.generations import Generation
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.spec import blank
from apdu.wire.hrss.ssse import FirstIssueData, HolderData, IssuerData, split_name
from apdu.wire.record import Record
from host.holder import Holder
from host.keys import MemoryKeys
from host.numbers import card_number_check_character

CARD_CLASS: Final = "3"
"""卡的类别: 3 is taken to mean a card with a bank application (1 without)."""
FIRST_PURCHASE: Final = 1
"""The number of an account's first purchase, and of its first load."""


class Contents:
    """The contents of one holder's files; what nobody has filled in is blank."""

    def __init__(self, issuer: IssuerData, holder: Holder) -> None:
        self._issuer = issuer
        self._holder = holder

    def of(self, content: type[Record]) -> Record:
        """What a file of this layout begins with. FormatError for a holder who does not fit."""
        holder = self._holder
        if content is IssuerData:
            return self._issuer
        if content is HolderData:
            return _holder_data(holder)
        if content is FirstHolderData:
            return _first_holder_data(holder)
        if content is FirstIssueData:
            return FirstIssueData("", holder.region)
        if content is OfflineTotals:
            return OfflineTotals(OfflineTotals.PERMITTED, 0, "00")
        if content is AccountState:
            return AccountState(FIRST_PURCHASE, FIRST_PURCHASE, 0, bytes(4), bytes(4))
        return blank(content)


def issuer_data(
    holder: Holder, unique: bytes, keys: MemoryKeys, generation: Generation
) -> IssuerData:
    """EF05 of a card: its identification code (卡的识别码) carries a MAC under the card's IRK."""
    key = keys.card_key(key_named("IRK"), holder.region, unique)
    number = bytes.fromhex(holder.region) + RID + unique[-4:]
    return IssuerData(
        identification=number + keys.suite.key(key.reveal()).mac(number)[:4],
        card_class=CARD_CLASS,
        version=generation.version,
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
        sex=holder.sex,
        ethnic_group=holder.ethnic_group,
        birthplace=holder.birthplace,
        born=holder.birth_date,
    )


def _first_holder_data(holder: Holder) -> FirstHolderData:
    name, extension = split_name(holder.name)
    if extension:
        raise FormatError("name: a card of generation 1.0 holds 30 bytes of GB 18030")
    return FirstHolderData(
        number=holder.number,
        name=name,
        sex=holder.sex,
        ethnic_group=holder.ethnic_group,
        birthplace=holder.birthplace,
        born=holder.birth_date,
    )
