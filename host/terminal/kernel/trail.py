# SPDX-License-Identifier: Apache-2.0
"""The decision trail: which step decided what, and why, in the words of the specification."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """The steps of a transaction (JR/T 0025.6; EMV Book 3 figure 7)."""

    SELECTION = "application selection"
    INITIATION = "initiate application processing"
    READ_DATA = "read application data"
    ODA = "offline data authentication"
    RESTRICTIONS = "processing restrictions"
    CARDHOLDER_VERIFICATION = "cardholder verification"
    TERMINAL_RISK = "terminal risk management"
    TERMINAL_ACTION = "terminal action analysis"
    CARD_ACTION = "card action analysis"
    ONLINE = "online processing"
    ISSUER_AUTHENTICATION = "issuer authentication"
    SCRIPTS = "issuer script processing"
    COMPLETION = "completion"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the trail."""

    step: Step
    outcome: str
    """In a word or a few: `DDA succeeded`, `online PIN`, `ARQC`."""
    why: str = ""
    """The rule and the data that led to it, without anything secret."""
