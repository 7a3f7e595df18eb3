# SPDX-License-Identifier: Apache-2.0
"""The issuer's look at what a card says: cryptograms verified, and the answer to them.

What is in 9F10 decides how: cryptogram version 01 or 17, 3DES or SM4 (JR/T 0025.5 annexes D and E,
0025.17). Which cryptogram it is stands in the CVR, which every version is computed over; 9F27 has
no such proof and must only not contradict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from apdu.crypto.cryptogram import arpc, cryptogram, suite_of, transaction_key, verify_idd
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.wire.cryptogram import CARD_PART, TERMINAL_PART, Cvn, Idd, IssuerApplicationData
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result
from apdu.wire.perso import Algorithm
from host.issuer.keys import CardKeys, IssuerKeys
from host.network.elements55 import WrongElement, needed

_SIGNED: Final = {cvn: (*part, *CARD_PART[cvn]) for cvn, part in TERMINAL_PART.items()}
"""The elements of an input, but for what 9F10 has of it."""
_CVR: Final = slice(3, 7)
"""Where 9F10 has the CVR, with its length byte."""
_NOT_REQUESTED: Final = int(Result.ARQC)
ARC: Final = 2
"""Bytes of an authorisation response code."""


class CryptogramWrong(Exception):
    """The card did not prove its key: the cryptogram, or the MAC in its IDD, is another one."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a card has proven with its cryptogram, and the keys of this transaction."""

    result: Result
    """Which cryptogram it is: ARQC asks, TC and AAC tell."""
    atc: bytes
    """2 bytes."""
    ac: bytes
    """8 bytes."""
    cvr: int
    """The 3 bytes of `apdu.wire.pboc.flags.Cvr`."""
    cvn: Cvn
    algorithm: Algorithm
    idd: Idd | None
    """What the card told beside it, its MAC verified."""
    keys: CardKeys = field(repr=False)
    session: BlockKey = field(repr=False)
    """SK-AC."""

    def answer(self, arc: str) -> bytes:
        """发卡行认证数据 (91), 10 bytes: ARPC by method 1, and the response code (2 characters).

        Raises FormatError when the code has not two.
        """
        code = arc.encode("ascii")
        return arpc(self.session, self.ac, code) + code


def verify(keys: IssuerKeys, pan: str, psn: str, elements: Mapping[int, bytes]) -> Proven:
    """What the card with this PAN and sequence number (2 digits) proves by a DE55.

    Raises WrongElement when an element is missing or not in its shape, CryptogramWrong when the
    card does not have the key, FormatError when there are no keys for the card.
    """
    ac, atc = needed(elements, tags.AC), needed(elements, tags.ATC)
    if not any(atc):
        raise WrongElement(tags.ATC, "no transaction has the number 0")
    iad = needed(elements, tags.IAD)
    told = _told(iad)
    result = _result(int.from_bytes(told.cvr), elements.get(tags.CID))
    suite = suite_of(told.algorithm)
    algorithm = Algorithm(suite.number)
    card = keys.card(pan, psn, algorithm)
    session = transaction_key(card.ac, told.cvn, atc)
    if not compare_digest(cryptogram(session, _input(told.cvn, iad, elements)), ac):
        raise CryptogramWrong("DE55 9F26: the cryptogram is not the card's")
    idd = _idd(told)
    if idd is not None and not verify_idd(suite.once(pboc_session_key(card.mac, atc)), atc, idd):
        raise CryptogramWrong("DE55 9F10: the MAC of the issuer discretionary data is wrong")
    return Proven(
        result, atc, ac, int.from_bytes(told.cvr), told.cvn, algorithm, idd, card, session
    )


def _told(iad: bytes) -> IssuerApplicationData:
    try:
        return IssuerApplicationData.parse(iad)
    except FormatError as error:
        raise WrongElement(tags.IAD, str(error)) from None


def _idd(told: IssuerApplicationData) -> Idd | None:
    try:
        return told.idd
    except FormatError as error:
        raise WrongElement(tags.IAD, str(error)) from None


def _input(cvn: Cvn, iad: bytes, elements: Mapping[int, bytes]) -> bytes:
    """What the cryptogram is over; `apdu.wire.cryptogram` declares both layouts."""
    told = iad[_CVR] if cvn is Cvn.CVN_01 else iad[4:5]
    return b"".join([needed(elements, tag) for tag in _SIGNED[cvn]]) + told


def _result(cvr: int, cid: bytes | None) -> Result:
    first, second = cvr >> 20 & 3, cvr >> 22
    final = first if second == _NOT_REQUESTED else second
    if 3 in (first, second) or (second != _NOT_REQUESTED and first != _NOT_REQUESTED):
        raise WrongElement(tags.IAD, "its CVR tells of no transaction that there is")
    if cid is not None and cid[0] >> 6 != final:
        raise WrongElement(tags.CID, "it is not the cryptogram that 9F10 tells of")
    return Result(final)
