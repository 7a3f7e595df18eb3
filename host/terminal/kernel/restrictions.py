# SPDX-License-Identifier: Apache-2.0
"""Processing restrictions (处理限制): version, dates, and what the issuer lets the card be used for
(EMV Book 3 10.4; JR/T 0025.6)."""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Auc, Tvr
from host.faults import CardMisspoke
from host.network.authorisation import Purpose
from host.terminal.kernel.capks import full_year
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

_CASH: Final = {True: Auc.DOMESTIC_CASH, False: Auc.INTERNATIONAL_CASH}
_GOODS: Final = {
    True: Auc.DOMESTIC_GOODS | Auc.DOMESTIC_SERVICES,
    False: Auc.INTERNATIONAL_GOODS | Auc.INTERNATIONAL_SERVICES,
}
_CASHBACK: Final = {True: Auc.DOMESTIC_CASHBACK, False: Auc.INTERNATIONAL_CASHBACK}


def restrict(transaction: Transaction, config: TerminalConfig) -> None:
    """Set the bits of TVR byte 2 that the card's data call for. Nothing here ends a transaction."""
    before = transaction.tvr
    _version(transaction)
    _dates(transaction)
    _usage(transaction, config)
    if transaction.tvr == before:
        transaction.note(Step.RESTRICTIONS, "none apply")


def _version(transaction: Transaction) -> None:
    card = transaction.card.get(tags.CARD_VERSION)
    own = transaction.terminal.get(tags.TERMINAL_VERSION, b"")
    if card is not None and card != own:
        transaction.set(
            Tvr.DIFFERENT_VERSIONS,
            Step.RESTRICTIONS,
            f"card {card.hex().upper()}, terminal {own.hex().upper()}",
        )


def _dates(transaction: Transaction) -> None:
    today = transaction.order.time.date()
    effective = transaction.card.get(tags.EFFECTIVE)
    if effective is not None and (begins := day("5F25", effective)) > today:
        transaction.set(Tvr.NOT_YET_EFFECTIVE, Step.RESTRICTIONS, f"effective {begins}")
    ends = day("5F24", transaction.card.get(tags.EXPIRY, b""))
    if ends < today:
        transaction.set(Tvr.EXPIRED, Step.RESTRICTIONS, f"expired {ends}")


def day(name: str, value: bytes) -> date:
    """A date of the card's, YYMMDD in BCD, or CardMisspoke."""
    digits = value.hex()
    if len(digits) == 6 and digits.isdecimal():
        year, month, number = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        try:
            return date(full_year(year), month, number)
        except ValueError:
            pass
    raise CardMisspoke(f"date ({name}): must be YYMMDD")


def _usage(transaction: Transaction, config: TerminalConfig) -> None:
    control = transaction.card.get(tags.AUC)
    if control is None:
        return
    if len(control) != 2:
        raise CardMisspoke("AUC (9F07): must be 2 bytes")
    allowed = int.from_bytes(control)
    place = Auc.AT_ATM if config.dispenses_cash else Auc.ELSEWHERE
    _want(transaction, allowed, place, "an ATM" if place is Auc.AT_ATM else "no ATM")
    country = transaction.card.get(tags.ISSUER_COUNTRY)
    if country is None:
        return
    home = country.hex().lstrip("0") == config.country.lstrip("0")
    where = "at home" if home else "abroad"
    purpose = transaction.order.purpose
    if purpose is Purpose.WITHDRAWAL:
        _want(transaction, allowed, _CASH[home], f"cash {where}")
    elif purpose is Purpose.PURCHASE:
        _want(transaction, allowed, _GOODS[home], f"goods and services {where}")
        if transaction.order.other_amount:
            _want(transaction, allowed, _CASHBACK[home], f"cashback {where}")


def _want(transaction: Transaction, allowed: int, bits: Auc, what: str) -> None:
    """One of these bits must be in the AUC."""
    if not allowed & bits:
        transaction.set(
            Tvr.SERVICE_NOT_ALLOWED, Step.RESTRICTIONS, f"AUC {allowed:04X} has no bit for {what}"
        )
