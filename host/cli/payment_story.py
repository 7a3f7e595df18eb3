# SPDX-License-Identifier: Apache-2.0
"""The part of the story in which the bank's application pays: from its electronic cash, in the slot
and by a tap, with nobody online. What the card has paid it tells itself, in its log.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from typing import Final

from apdu.wire.globalplatform import INITIALIZE_UPDATE, OPEN_CHANNEL
from apdu.wire.pboc.commands import GENERATE_AC, GET_PROCESSING_OPTIONS
from host.amounts import yuan
from host.cli.stage import Script, Stage, require
from host.cli.testcard import TEST_DAY
from host.cli.text import packed
from host.issuer.card_data import CardData
from host.issuer.profile import DEFAULT, BankProfile, bank_profile, known_chance
from host.network.authorisation import Purpose
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Order, Outcome
from host.terminal.pboc import pay
from host.terminal.pboc_log import balance, transactions
from host.terminal.personalise_debit import personalise_debit
from host.terminal.result import Result
from host.terminal.tap import tap

PAYMENT: Final = Script()

LOADED: Final = 10_000
"""Fen of electronic cash that the bank puts on the card with all else: a load needs the issuer."""
INSERTED, TAPPED = 1_234, 560
"""Fen: what is paid in the slot, and by a tap."""
_TOLD: Final = (Step.ODA, Step.TERMINAL_ACTION, Step.CARD_ACTION)
"""Steps whose decisions the story tells."""


@PAYMENT.step(
    "The bank personalises its application",
    "银行个人化",
    "On the sealed card the bank gives its application keys, certificates, limits and records,"
    f" and {yuan(LOADED)} yuan of electronic cash.",
    long=True,
    shown=(INITIALIZE_UPDATE.name, OPEN_CHANNEL.name),
)
def bank_personalises(stage: Stage) -> str:
    groups = _profile().groups(known_chance())
    personalise_debit(stage.card, groups, random=stage.random)
    return f"{len(groups)} data groups; the application is in use"


@PAYMENT.step(
    "The card pays with its electronic cash",
    "电子现金消费",
    f"{yuan(INSERTED)} yuan at a terminal that cannot go online. The card proves that it is genuine"
    " and approves by itself: TC.",
    long=True,
    shown=(GENERATE_AC.name,),
)
def pay_in_the_slot(stage: Stage) -> str:
    stage.power_up()
    return _paid(pay(stage.card, _order(stage, INSERTED, 1), load_config()))


@PAYMENT.step(
    "The card is tapped",
    "闪付",
    f"{yuan(TAPPED)} yuan by qPBOC: the card decides at once, and pays when its last record is"
    " read; a card that leaves before has paid nothing.",
    long=True,
    shown=(GET_PROCESSING_OPTIONS.name,),
)
def tapped(stage: Stage) -> str:
    card = stage.hold_to_reader()
    return _paid(tap(card, _order(stage, TAPPED, 2), load_config()))


@PAYMENT.step(
    "What the card has paid is read",
    "交易日志",
    "Both purchases stand in the card's own log, the newest first, and are gone from its balance.",
)
def paid_log(stage: Stage) -> str:
    stage.power_up()
    logged = [(each.amount, each.atc) for each in transactions(stage.card)]
    require(logged == [(TAPPED, 2), (INSERTED, 1)], "the log says otherwise")
    left = balance(stage.card).balance
    require(left == LOADED - INSERTED - TAPPED, "the balance says otherwise")
    return f"two records, and {yuan(LOADED - INSERTED - TAPPED)} yuan left"


def _profile() -> BankProfile:
    """The usual card, with electronic cash on it."""
    data = bank_profile(DEFAULT).source
    if not isinstance(data, CardData) or data.cash is None:
        raise TypeError(f"profile {DEFAULT}: must be card data with electronic cash")
    return BankProfile(replace(data, cash=replace(data.cash, balance=LOADED)))


def _order(stage: Stage, amount: int, number: int) -> Order:
    """An order on a day on which the bank's application is good: the story has no clock."""
    at = datetime.combine(TEST_DAY, time(8, number))
    reference = f"{at:%y%m%d}{number:06d}"
    return Order(amount, Purpose.PURCHASE, at, reference, number, stage.random(4))


def _paid(result: Result) -> str:
    """What it came to and why, in short."""
    last = {each.step: each.outcome for each in result.trail if each.step in _TOLD}
    why = "; ".join(f"{step.value}, {outcome}" for step, outcome in last.items())
    told = f"{result.outcome.value}: {why}"
    require(result.outcome is Outcome.APPROVED_OFFLINE, told)
    return f"{told}; cryptogram {packed(result.cryptogram)}"
