# SPDX-License-Identifier: Apache-2.0
"""What a card decides about a tap (qPBOC), and what that costs: values in, a verdict out.

The order of the checks is the card's own protection: first whether it takes the currency at all,
then what the terminal can do, then its money (JR/T 0025.12, as a public card implementation has
it clause by clause).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from apdu.wire.pboc.flags import CardProcessing, Ctq, Cvr, Result, Ttq

# As plain numbers: arithmetic on flags is slow, and this is the path of a tap.
_CASH: Final = int(CardProcessing.CASH_CHECK)
_CASH_AND_CTTA: Final = int(CardProcessing.CASH_AND_CTTA_CHECK)
_CASH_OR_CTTA: Final = int(CardProcessing.CASH_OR_CTTA_CHECK)
_NEW_CARD: Final = int(CardProcessing.NEW_CARD_CHECK)
_PIN_TRIES: Final = int(CardProcessing.PIN_TRIES_CHECK)
_OTHER_OFFLINE: Final = int(CardProcessing.OFFLINE_IN_OTHER_CURRENCY)
_CONTACT_INSTEAD: Final = int(CardProcessing.CONTACT_INSTEAD_OF_ONLINE)
_PREPAID: Final = int(CardProcessing.PREPAID)
_REJECT_OTHER: Final = int(CardProcessing.REJECT_OTHER_CURRENCY)
_NO_NEW_CARD_OFFLINE: Final = int(CardProcessing.DECLINE_NEW_CARD_OFFLINE)
_ONLINE_PIN: Final = int(CardProcessing.ONLINE_PIN)
_OTHER_ONLINE_PIN: Final = int(CardProcessing.ONLINE_PIN_IN_OTHER_CURRENCY)
_OTHER_CVM: Final = int(CardProcessing.CVM_IN_OTHER_CURRENCY)
_SIGNATURE: Final = int(CardProcessing.SIGNATURE)
_T_CONTACT: Final = int(Ttq.CONTACT_PBOC)
_T_OFFLINE: Final = int(Ttq.OFFLINE_ONLY)
_T_ONLINE_PIN: Final = int(Ttq.ONLINE_PIN)
_T_SIGNATURE: Final = int(Ttq.SIGNATURE)
_T_CRYPTOGRAM: Final = int(Ttq.CRYPTOGRAM_REQUIRED)
_T_CVM: Final = int(Ttq.CVM_REQUIRED)
_ASK_PIN: Final = int(Ctq.ONLINE_PIN)
_ASK_SIGNATURE: Final = int(Ctq.SIGNATURE)
_VELOCITY: Final = int(Cvr.VELOCITY_EXCEEDED)
_IS_NEW: Final = int(Cvr.NEW_CARD)
_TRIES_EXCEEDED: Final = int(Cvr.PIN_TRIES_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Purse:
    """What the card may spend offline in the currency of the tap, in its minor unit."""

    balance: int
    """9F79, or DF79 of the second currency."""
    single_limit: int
    """9F78 or DF78."""
    threshold: int
    """9F6D or DF76: with less than this left the card wants to be loaded."""
    spent: int = 0
    """CTTA."""
    limit: int = 0
    """CTTAUL, or CTTAL where there is no such."""

    @property
    def credit(self) -> int:
        """What is left of the limit."""
        return max(self.limit - self.spent, 0)

    def available(self, processing: int) -> int:
        """9F5D 脱机可用余额, by the method that 9F68 names (`processing`)."""
        if processing & _CASH:
            return self.balance
        if processing & _CASH_AND_CTTA:
            return self.credit
        if processing & _CASH_OR_CTTA:
            return min(self.balance + self.credit, LARGEST_AMOUNT)
        return 0

    def covers(self, processing: int, amount: int) -> bool:
        """Whether there is enough for an amount, by that method."""
        if processing & _CASH:
            return amount <= self.balance
        if processing & _CASH_AND_CTTA:
            return amount <= self.balance and amount <= self.credit
        if processing & _CASH_OR_CTTA:
            return amount <= self.balance or amount <= self.credit
        return False

    def without(self, processing: int, amount: int) -> Purse:
        """After an amount that it covers, by that method."""
        balance, spent = self.balance - amount, self.spent + amount
        if processing & _CASH:
            return replace(self, balance=balance)
        if processing & _CASH_AND_CTTA:
            return replace(self, balance=balance, spent=spent)
        if balance >= 0:
            return replace(self, balance=balance)
        return replace(self, spent=spent)


@dataclass(frozen=True, slots=True)
class Tap:
    """All that the decision depends on."""

    ttq: int
    """9F66, 4 bytes."""
    amount: int
    """9F02, in the minor unit."""
    own_currency: bool
    """The transaction's currency is one that the card has money in."""
    processing: int
    """9F68, 4 bytes."""
    purse: Purse
    cvm_limit: int
    """9F6B or DF72: up to this no proof of the holder is needed."""
    new_card: bool
    """It never completed a transaction online."""
    pin_blocked: bool
    international: int
    """Transactions in other currencies since the last one online."""
    international_limit: int
    """9F53: how many there may be."""
    blocked: bool = False
    """The application is blocked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the card answers, and what it will have when that is done."""

    result: Result | None
    """None: no answer but that this is to be done in the slot."""
    purse: Purse
    international: int
    cvr: int = 0
    """What is told of the reasons; the results are not in it yet."""
    ctq: int = 0
    """What is asked of the terminal: `Ctq.ONLINE_PIN`, `Ctq.SIGNATURE`."""


def decide(tap: Tap) -> Verdict:
    """The verdict on a tap: one for every tap there can be."""
    result, cvr, ctq = _judged(tap)
    purse, international = tap.purse, tap.international
    if result is Result.ARQC and tap.processing & _CONTACT_INSTEAD and tap.ttq & _T_CONTACT:
        result = None
    elif result is Result.ARQC and tap.processing & _PREPAID:
        # Nobody but the card knows what is left, so it pays before the issuer is asked.
        if tap.amount and tap.own_currency and purse.covers(tap.processing, tap.amount):
            purse = purse.without(tap.processing, tap.amount)
        else:
            result = Result.AAC
    elif result is Result.TC:
        if tap.own_currency:
            purse = purse.without(tap.processing, tap.amount)
        else:
            international += 1
    return Verdict(result, purse, international, cvr, ctq)


def _judged(tap: Tap) -> tuple[Result | None, int, int]:
    """The result as far as the offline checks go, with CVR and CTQ."""
    processing, ttq = tap.processing, tap.ttq
    if tap.blocked or (not tap.own_currency and processing & _REJECT_OTHER):
        return Result.AAC, 0, 0
    offline_only = bool(ttq & _T_OFFLINE)
    if offline_only:
        if tap.new_card and processing & _NO_NEW_CARD_OFFLINE:
            return Result.AAC, 0, 0
        if tap.pin_blocked and processing & _PIN_TRIES:
            return Result.AAC, _TRIES_EXCEEDED, 0
        if not tap.own_currency and not processing & _OTHER_OFFLINE:
            return Result.AAC, 0, 0
    ctq = 0
    if _holder_wanted(tap):
        pin = _ONLINE_PIN if tap.own_currency else _OTHER_ONLINE_PIN
        if not offline_only and ttq & _T_ONLINE_PIN and processing & pin:
            return Result.ARQC, 0, _ASK_PIN
        if not (ttq & _T_SIGNATURE and processing & _SIGNATURE):
            return None, 0, 0
        ctq = _ASK_SIGNATURE
    if not offline_only:
        if ttq & _T_CRYPTOGRAM or (not tap.own_currency and not processing & _OTHER_OFFLINE):
            return Result.ARQC, 0, ctq
        if tap.new_card and processing & _NEW_CARD:
            return Result.ARQC, _IS_NEW, ctq
        if tap.pin_blocked and processing & _PIN_TRIES:
            return Result.ARQC, _TRIES_EXCEEDED, ctq
    refusal = Result.AAC if offline_only else Result.ARQC
    if not tap.own_currency:
        if tap.international >= tap.international_limit:
            return refusal, _VELOCITY, ctq
    elif not processing & (_CASH | _CASH_AND_CTTA | _CASH_OR_CTTA):
        return refusal, 0, ctq
    elif not _affordable(tap, offline_only):
        return refusal, _VELOCITY, ctq
    return Result.TC, 0, ctq


def _holder_wanted(tap: Tap) -> bool:
    """Whether the holder must be verified."""
    if tap.ttq & _T_CVM:
        return True
    if tap.own_currency:
        return tap.amount > tap.cvm_limit
    return bool(tap.processing & _OTHER_CVM)


def _affordable(tap: Tap, offline_only: bool) -> bool:
    """Whether the card's money does, by the first of the methods that it has."""
    processing, purse, amount = tap.processing, tap.purse, tap.amount
    if amount > purse.single_limit or not purse.covers(processing, amount):
        return False
    # Where it can be loaded it asks to be, before it is empty; 1.6 has no such check.
    watched = processing & (_CASH | _CASH_AND_CTTA)
    low = bool(watched) and purse.balance - amount < purse.threshold
    return offline_only or not low
