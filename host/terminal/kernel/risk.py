# SPDX-License-Identifier: Apache-2.0
"""Terminal risk management (终端风险管理): exception file, floor limit, selection at random, and
how often a card was used offline (EMV Book 3 10.6; JR/T 0025.6).

It is done whether or not the card's AIP asks for it: it guards the terminal. On the way of
electronic cash the terminal's limit for that (9F7B) stands for the floor limit, and neither
chance nor the counters of the debit side decide (profile choice `cash-risk`).
"""

from __future__ import annotations

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tsi, Tvr
from host.faults import CardMisspoke
from host.terminal.kernel.config import Risk, TerminalConfig
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Transaction

_STEP = Step.TERMINAL_RISK


def manage(transaction: Transaction, config: TerminalConfig, spent_before: int = 0) -> None:
    """Set the bits of TVR that the terminal's limits call for.

    `spent_before`: what the same card paid at this terminal before, as its log has it, in fen.
    """
    parameters = transaction.parameters
    if parameters is None:
        raise CannotGoOn("the terminal has no parameters for the application")
    before = transaction.tvr
    transaction.tsi |= Tsi.TERMINAL_RISK_MANAGED
    if transaction.pan in config.exceptions:
        transaction.set(Tvr.ON_EXCEPTION_FILE, _STEP, "the card is on the exception file")
    if transaction.order.force_online:
        transaction.set(Tvr.MERCHANT_FORCED_ONLINE, _STEP, "the merchant wants it online")
    amount = transaction.order.amount + spent_before
    if transaction.cash:
        limit = parameters.cash_limit or 0
        if amount > limit:
            transaction.set(Tvr.FLOOR_LIMIT_EXCEEDED, _STEP, f"{amount} fen, 9F7B is {limit}")
    elif amount >= parameters.risk.floor_limit:
        transaction.set(
            Tvr.FLOOR_LIMIT_EXCEEDED,
            _STEP,
            f"{amount} fen, the floor limit is {parameters.risk.floor_limit}",
        )
    elif selected_at_random(parameters.risk, amount, transaction.order.lot):
        transaction.set(Tvr.SELECTED_AT_RANDOM, _STEP, f"lot {transaction.order.lot}")
    if not transaction.cash:
        _velocity(transaction)
    if transaction.tvr == before:
        transaction.note(_STEP, "nothing to object to")


def selected_at_random(risk: Risk, amount: int, lot: int) -> bool:
    """Whether a transaction below the floor limit is to go online by chance. `lot`: 0 to 98.

    The share is the target percentage up to the threshold, and rises from there to the maximum
    at the floor limit (EMV Book 3 10.6.2).
    """
    over = amount - risk.random_threshold
    span = risk.floor_limit - risk.random_threshold
    if over <= 0 or span <= 0:
        return lot < risk.random_target
    rise = risk.random_maximum - risk.random_target
    return lot * span < risk.random_target * span + rise * over


def _velocity(transaction: Transaction) -> None:
    """How many transactions since the last that was online (EMV Book 3 10.6.3)."""
    card = transaction.card
    lower, upper = card.get(tags.TERMINAL_LOWER_LIMIT), card.get(tags.TERMINAL_UPPER_LIMIT)
    if lower is None or upper is None:
        return
    if len(lower) != 1 or len(upper) != 1:
        raise CardMisspoke("offline limits (9F14, 9F23): must be 1 byte")
    counter, last = card.get(tags.ATC), card.get(tags.LAST_ONLINE_ATC)
    if counter is None or last is None:
        why = "the card does not tell its counters"
        transaction.set(Tvr.LOWER_LIMIT_EXCEEDED, _STEP, why)
        transaction.set(Tvr.UPPER_LIMIT_EXCEEDED, _STEP, why)
        return
    since = int.from_bytes(counter) - int.from_bytes(last)
    if since <= 0:
        why = "the last online ATC is not behind the ATC"
        transaction.set(Tvr.LOWER_LIMIT_EXCEEDED, _STEP, why)
        transaction.set(Tvr.UPPER_LIMIT_EXCEEDED, _STEP, why)
    if since > lower[0]:
        why = f"{since} since the last online one, {lower[0]} allowed"
        transaction.set(Tvr.LOWER_LIMIT_EXCEEDED, _STEP, why)
    if since > upper[0]:
        why = f"{since} since the last online one, {upper[0]} allowed"
        transaction.set(Tvr.UPPER_LIMIT_EXCEEDED, _STEP, why)
    if not any(last):
        transaction.set(Tvr.NEW_CARD, _STEP, "the last online ATC is 0")
