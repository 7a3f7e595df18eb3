# SPDX-License-Identifier: Apache-2.0
"""The card's list of cardholder verification methods (持卡人验证方法列表, 8E), and when each of its
rules applies (EMV Book 3 10.5 and annex C3; 20 is PBOC's own method)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import CvmRule
from apdu.wire.pboc.flags import TerminalCapabilities
from host.network.authorisation import Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.transaction import Transaction

HEAD: Final = 8
"""Bytes of X and Y in front of the rules."""
_RULE: Final = 2
_METHOD, _NEXT_IF_UNSUCCESSFUL = 0x3F, 0x40


class Method(IntEnum):
    """Six bits of a rule's first byte."""

    FAIL = 0x00
    PLAINTEXT_PIN = 0x01
    ONLINE_PIN = 0x02
    PLAINTEXT_PIN_AND_SIGNATURE = 0x03
    ENCIPHERED_PIN = 0x04
    ENCIPHERED_PIN_AND_SIGNATURE = 0x05
    SIGNATURE = 0x1E
    NO_CVM = 0x1F
    HOLDER_DOCUMENT = 0x20
    """持卡人证件出示."""


NEEDS: Final[dict[Method, TerminalCapabilities]] = {
    Method.FAIL: TerminalCapabilities(0),
    Method.PLAINTEXT_PIN: TerminalCapabilities.PLAINTEXT_PIN,
    Method.ONLINE_PIN: TerminalCapabilities.ONLINE_PIN,
    Method.PLAINTEXT_PIN_AND_SIGNATURE: (
        TerminalCapabilities.PLAINTEXT_PIN | TerminalCapabilities.SIGNATURE
    ),
    Method.ENCIPHERED_PIN: TerminalCapabilities.ENCIPHERED_PIN,
    Method.ENCIPHERED_PIN_AND_SIGNATURE: (
        TerminalCapabilities.ENCIPHERED_PIN | TerminalCapabilities.SIGNATURE
    ),
    Method.SIGNATURE: TerminalCapabilities.SIGNATURE,
    Method.NO_CVM: TerminalCapabilities.NO_CVM,
    Method.HOLDER_DOCUMENT: TerminalCapabilities.HOLDER_DOCUMENT,
}
"""Bits of 9F33 that a method needs, all of them."""


class Condition(IntEnum):
    """A rule's second byte."""

    ALWAYS = 0x00
    UNATTENDED_CASH = 0x01
    NOT_CASH = 0x02
    """Neither unattended nor manual cash, nor a purchase with cashback."""
    SUPPORTED = 0x03
    """The terminal supports the method."""
    MANUAL_CASH = 0x04
    CASHBACK = 0x05
    UNDER_X = 0x06
    """In the application's currency."""
    OVER_X = 0x07
    UNDER_Y = 0x08
    OVER_Y = 0x09


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the bytes as 9F34 repeats them, and what they mean."""

    code: int
    condition: int

    @property
    def method(self) -> Method | None:
        """None: no method that is known, or a reserved bit is set."""
        found = self.code & ~_NEXT_IF_UNSUCCESSFUL
        return Method(found) if found in _KNOWN else None

    @property
    def goes_on(self) -> bool:
        """Whether the next rule is looked at when this one was not successful."""
        return bool(self.code & _NEXT_IF_UNSUCCESSFUL)


_KNOWN: Final = frozenset(Method)


@dataclass(frozen=True, slots=True)
class CvmList:
    """X and Y in fen, and the rules in their order."""

    x: int
    y: int
    rules: tuple[Rule, ...]


def parse_cvm_list(value: bytes) -> CvmList:
    """Raises FormatError when there are not 8 bytes and then whole rules."""
    if len(value) < HEAD or (len(value) - HEAD) % _RULE:
        raise FormatError(f"CVM list (8E): {len(value)} bytes, must be 8 and 2 for each rule")
    rules = (CvmRule.parse(value[at : at + _RULE]) for at in range(HEAD, len(value), _RULE))
    return CvmList(
        int.from_bytes(value[:4]),
        int.from_bytes(value[4:HEAD]),
        tuple(Rule(each.method, each.condition) for each in rules),
    )


def supported(method: Method | None, config: TerminalConfig) -> bool:
    """Whether the terminal has all that a method needs."""
    if method is None:
        return False
    needs = NEEDS[method]
    return config.capabilities & needs == needs


def applies(rule: Rule, found: CvmList, transaction: Transaction, config: TerminalConfig) -> bool:
    """Whether a rule's condition is met; one that is not known never is."""
    order = transaction.order
    cash = order.purpose is Purpose.WITHDRAWAL
    cashback = order.purpose is Purpose.PURCHASE and order.other_amount > 0
    match rule.condition:
        case Condition.ALWAYS:
            return True
        case Condition.UNATTENDED_CASH:
            return cash and not config.attended
        case Condition.NOT_CASH:
            return not cash and not cashback
        case Condition.SUPPORTED:
            return supported(rule.method, config)
        case Condition.MANUAL_CASH:
            return cash and config.attended
        case Condition.CASHBACK:
            return cashback
        case Condition.UNDER_X:
            return _own_currency(transaction) and order.amount < found.x
        case Condition.OVER_X:
            return _own_currency(transaction) and order.amount > found.x
        case Condition.UNDER_Y:
            return _own_currency(transaction) and order.amount < found.y
        case Condition.OVER_Y:
            return _own_currency(transaction) and order.amount > found.y
    return False


def _own_currency(transaction: Transaction) -> bool:
    """Whether the transaction is in the application's currency; one that does not say is not."""
    return transaction.card.get(tags.CURRENCY_CODE) == transaction.terminal[tags.CURRENCY]
