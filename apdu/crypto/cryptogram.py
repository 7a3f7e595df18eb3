# SPDX-License-Identifier: Apache-2.0
"""Payment cryptograms (应用密文): the card's (ARQC, TC, AAC), the issuer's (ARPC), and IDD MACs.

What differs from one cryptogram version to another is a row of `RULES`: the layout of the
input, its padding, and the session key. What differs between 3DES and SM4 is in the suite: its
MAC and its block (JR/T 0025.5 annexes D and E, 0025.17; VIS for regression).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from apdu.crypto.derive import common_session_key, pboc_session_key, udk
from apdu.crypto.padding import Padding, method_1, method_2
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.cryptogram import (
    Cvn,
    Cvn01Input,
    Cvn17Input,
    IadAlgorithm,
    Idd,
    VisCvn,
    VisInput,
    atc_of,
    idd_input,
)
from apdu.wire.perso import Algorithm
from apdu.wire.record import Record

AC: Final = 8
"""Bytes of a cryptogram, the card's or the issuer's."""
IDD_MAC, CSU_ARPC = 4, 4
_ARC, _CSU, _PROPRIETARY = 2, 4, 8

SessionRule = Callable[[BlockKey, bytes], BlockKey]
"""The card's key and the ATC (2 bytes) to the transaction's key."""


def _card_key(key: BlockKey, atc: bytes) -> BlockKey:
    return key


def _pboc(key: BlockKey, atc: bytes) -> BlockKey:
    return key.suite.once(pboc_session_key(key, atc))


def _common(key: BlockKey, atc: bytes) -> BlockKey:
    return key.suite.once(common_session_key(key, atc + bytes(6)))


@dataclass(frozen=True, slots=True)
class Rule:
    """How one cryptogram version is computed."""

    layout: type[Record]
    padding: Padding
    session: SessionRule


RULES: Final[dict[int, Rule]] = {
    Cvn.CVN_01: Rule(Cvn01Input, method_2, _pboc),
    Cvn.CVN_17: Rule(Cvn17Input, method_2, _pboc),
    VisCvn.CVN_10: Rule(Cvn01Input, method_1, _card_key),
    VisCvn.CVN_18: Rule(VisInput, method_2, _common),
    VisCvn.CVN_22: Rule(VisInput, method_2, _common),
}


def _rule(cvn: int) -> Rule:
    try:
        return RULES[cvn]
    except KeyError:
        raise FormatError("CVN: no such cryptogram version") from None


def suite_of(algorithm: IadAlgorithm) -> Suite:
    """The suite that a card names in its 9F10."""
    return SUITES[Algorithm[algorithm.name]]


# The card's cryptogram


def transaction_key(key: BlockKey, cvn: int, atc: bytes) -> BlockKey:
    """The key of one transaction's cryptograms (SK-AC) from the card's (UDK-AC). `atc`: 2 bytes.

    Raises FormatError for an unknown CVN or an ATC of another length.
    """
    if len(atc) != 2:
        raise FormatError(f"ATC: {len(atc)} bytes, must be 2")
    return _rule(cvn).session(key, atc)


def cryptogram(session: BlockKey, data: bytes, padding: Padding = method_2) -> bytes:
    """The 8 bytes of an ARQC, TC or AAC over `data`, an input as `apdu.wire.cryptogram` has them.

    CVN 10 alone takes padding method 1.
    """
    return session.mac(data, padding)[:AC]


def verify_card(key: BlockKey, cvn: int, data: bytes, ac: bytes) -> bool:
    """Whether `ac` (8 bytes) is the cryptogram of the card with this key (UDK-AC) over `data`.

    `data`: the input as the CVN lays it out; the ATC is taken from it. Raises FormatError when a
    length is wrong or the CVN unknown.
    """
    _check_ac(ac)
    rule = _rule(cvn)
    session = rule.session(key, atc_of(rule.layout, data))
    return compare_digest(session.mac(data, rule.padding)[:AC], ac)


def verify(
    master: BlockKey, pan: str, psn: str, cvn: int, data: bytes, ac: bytes, option: str = "A"
) -> bool:
    """As `verify_card`, from the issuer's master key (IMK-AC) and the card's PAN and sequence
    number (2 digits, 00 when it has none). `option`: how the card's key is derived, A or B."""
    key = master.suite.once(udk(master, pan, psn, option))
    return verify_card(key, cvn, data, ac)


# The issuer's answer


def arpc(session: BlockKey, ac: bytes, arc: bytes) -> bytes:
    """The issuer's 8 bytes by method 1, the one PBOC cards know.

    One block enciphered under SK-AC: the cryptogram (8 bytes) with the authorisation response
    code (2 ASCII bytes) XORed to its front, filled with 00; the first 8 bytes of it.
    """
    _check_ac(ac)
    if len(arc) != _ARC:
        raise FormatError(f"ARC: {len(arc)} bytes, must be {_ARC}")
    mixed = int.from_bytes(ac) ^ int.from_bytes(arc) << 8 * (AC - _ARC)
    return session.encrypt(mixed.to_bytes(AC).ljust(session.suite.block, b"\x00"))[:AC]


def verify_arpc(session: BlockKey, ac: bytes, arc: bytes, answer: bytes) -> bool:
    """Whether the issuer answered this: method 1, `answer` 8 bytes."""
    if len(answer) != AC:
        raise FormatError(f"ARPC: {len(answer)} bytes, must be {AC}")
    return compare_digest(arpc(session, ac, arc), answer)


def csu_arpc(session: BlockKey, ac: bytes, csu: bytes, proprietary: bytes = b"") -> bytes:
    """The issuer's 4 bytes by method 2, MAC over cryptogram, card status update (4 bytes) and
    up to 8 bytes of the issuer's own. No PBOC card knows it (EMV Book 2 8.2.2)."""
    _check_ac(ac)
    if len(csu) != _CSU:
        raise FormatError(f"CSU: {len(csu)} bytes, must be {_CSU}")
    if len(proprietary) > _PROPRIETARY:
        raise FormatError(f"proprietary data: {len(proprietary)} bytes, at most {_PROPRIETARY}")
    return session.mac(ac + csu + proprietary)[:CSU_ARPC]


def verify_csu_arpc(
    session: BlockKey, ac: bytes, csu: bytes, proprietary: bytes, answer: bytes
) -> bool:
    """Whether the issuer answered this: method 2, `answer` 4 bytes."""
    if len(answer) != CSU_ARPC:
        raise FormatError(f"ARPC: {len(answer)} bytes, must be {CSU_ARPC}")
    return compare_digest(csu_arpc(session, ac, csu, proprietary), answer)


def _check_ac(ac: bytes) -> None:
    if len(ac) != AC:
        raise FormatError(f"cryptogram: {len(ac)} bytes, must be {AC}")


# Issuer discretionary data


def idd_mac(session: BlockKey, atc: bytes, idd: Idd) -> bytes:
    """4 bytes that prove the amounts in an IDD, under the key of the transaction's MACs (SK-MAC).

    `atc`: 2 bytes, else FormatError. The MAC that is in `idd` is not looked at.
    """
    return session.mac(idd_input(atc, idd))[:IDD_MAC]


def verify_idd(session: BlockKey, atc: bytes, idd: Idd) -> bool:
    """Whether an IDD carries its MAC."""
    return compare_digest(idd_mac(session, atc, idd), idd.mac)
