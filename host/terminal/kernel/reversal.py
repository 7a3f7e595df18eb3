# SPDX-License-Identifier: Apache-2.0
"""Reversal (冲正) and advice: what the issuer must hear of when a transaction ended otherwise than
it thinks. What cannot be delivered stays outstanding, and is to be sent again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from host.network.authorisation import (
    AuthorisationRequest,
    EntryMode,
    Issuer,
    NoAnswer,
    Purpose,
    Reversal,
)
from host.terminal.kernel import online
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome, Transaction

Message = Reversal | AuthorisationRequest
"""A reversal, or an advice of what was approved offline."""
CARD_FAILED, NO_ANSWER = "06", "98"
"""Reasons of a reversal."""
_MOVES_NOTHING: Final = frozenset({Purpose.BALANCE})
_APPROVED: Final = frozenset({Outcome.APPROVED_OFFLINE, Outcome.APPROVED_ONLINE})


def owed(
    transaction: Transaction,
    config: TerminalConfig,
    outcome: Outcome,
    entry: EntryMode = EntryMode.CHIP,
) -> Message | None:
    """What the issuer must be told of a transaction that ended so; None: it knows all.

    What was approved offline is told by an advice. After an unanswered request that has the
    request's own reference, so an issuer that did it already does it no second time, and no
    reversal is needed. Everything else that the issuer approved, or may have approved, and that
    did not come about is reversed.
    """
    if outcome is Outcome.APPROVED_OFFLINE:
        return online.request(transaction, config, entry, advice=True)
    request, response = transaction.request, transaction.response
    if request is None or outcome in _APPROVED or request.purpose in _MOVES_NOTHING:
        return None
    if response is not None and not response.approved:
        return None
    return Reversal(
        reference=request.reference,
        trace=request.trace,
        time=request.time,
        amount=request.amount,
        pan=request.pan,
        terminal_id=request.terminal_id,
        merchant_id=request.merchant_id,
        reason=NO_ANSWER if response is None else CARD_FAILED,
        icc=online.chip_data(transaction),
    )


def tell(transaction: Transaction, message: Message, issuer: Issuer) -> tuple[Message, ...]:
    """Send it once; returns what is outstanding still."""
    name = "reversal" if isinstance(message, Reversal) else "advice"
    left = deliver([message], issuer)
    why = "no answer came" if left else _why(message)
    transaction.note(Step.REVERSAL, f"{name} {'outstanding' if left else 'delivered'}", why)
    return left


def deliver(messages: Iterable[Message], issuer: Issuer) -> tuple[Message, ...]:
    """Send each once; returns those that got no answer, in their order."""
    left = []
    for message in messages:
        try:
            if isinstance(message, Reversal):
                issuer.reverse(message)
            else:
                issuer.advise(message)
        except NoAnswer:
            left.append(message)
    return tuple(left)


def _why(message: Message) -> str:
    if isinstance(message, AuthorisationRequest):
        return "approved offline"
    return "the card failed" if message.reason == CARD_FAILED else "no answer had come"
