# SPDX-License-Identifier: Apache-2.0
"""The part of the story in which the holder buys: a PSAM, a purchase, and one that is torn."""

from __future__ import annotations

from datetime import datetime, time
from typing import Final

from apdu.wire.hrss.df04 import TRANSACTIONS, MedicalTransaction
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.medical import DEBIT
from apdu.wire.purchase import PURCHASE as PURCHASE_KIND
from host.amounts import yuan
from host.cli.stage import Script, Stage, Unmet, refused, require
from host.cli.text import packed
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.psam import PsamKeys
from host.terminal.authentication import authenticate, identity, prove_card
from host.terminal.hrss import begin_transaction
from host.terminal.medical import PurchaseInDoubt, Terms, purchase, recover

PURCHASE: Final = Script()

ACCOUNT: Final = 1234
OWN: Final = 300
"""Fen: what the first purchase takes from the account, and what the holder pays."""
SECOND: Final = 850
"""Fen, from the account: the second purchase."""
_PSAM_SEED: Final = 2
"""Behind those of the two cards."""


@PURCHASE.step(
    "A PSAM goes into the terminal's second slot",
    "插入 PSAM 卡",
    "It has the masters of all cards' keys, computes with them, and never lets one out.",
)
def insert_psam(stage: Stage) -> str:
    stage.psam = PsamKeys(stage.take_psam(stage.seed + _PSAM_SEED))
    stage.key_index = stage.psam.key_index()
    return f"the PSAM of terminal {stage.psam.terminal}, for {stage.psam.suite.name} cards"


@PURCHASE.step(
    "Card and terminal prove themselves to each other",
    "相互认证",
    "The card shows that it has IRK, the terminal that it has RK1DF04; neither key is on the wire.",
)
def mutual(stage: Stage) -> str:
    stage.hrss.select()
    card = stage.identity = identity(stage.hrss)
    prove_card(stage.hrss, stage.psam, card, stage.random)
    stage.hrss.enter(DF04)
    authenticate(stage.hrss, stage.psam, card, key_named("RK1DF04"))
    return "the card is genuine, and it takes the terminal for genuine"


@PURCHASE.step(
    "The medical account is opened",
    "医保账户",
    "DF04 EF06 is guarded by the PIN and RK1DF04 together: 9000 once both are proven.",
)
def account(stage: Stage) -> str:
    stage.remark("the chosen one, to transact")
    begin_transaction(stage.hrss, stage.pin)
    totals = MedicalClient(stage.card).totals()
    require(totals.permitted == totals.PERMITTED, "the card does not permit purchases off line")
    require((totals.amount, totals.count) == (0, "00"), "there are purchases on a new card")
    return "open: purchases off line are permitted, and there was none yet"


@PURCHASE.step(
    "The holder pays at the pharmacy",
    "医保消费",
    f"{yuan(ACCOUNT)} yuan from the account, {yuan(OWN)} by the holder. The card books if MAC1 of"
    " the PSAM is right, and MAC2 proves to the PSAM that it has.",
)
def pay(stage: Stage) -> str:
    terms = Terms(ACCOUNT, OWN, 0, _at(stage, 30), stage.psam.terminal, stage.key_index)
    receipt = purchase(stage.hrss, stage.psam, stage.identity, terms)
    require(receipt.judged, "nobody has judged MAC2")
    terminal_number = int.from_bytes(receipt.terminal_sequence)
    return (
        f"paid: the card's number {receipt.sequence}, the terminal's {terminal_number};"
        f" the centre settles by TAC {packed(receipt.tac)}"
    )


@PURCHASE.step(
    "What the card has booked is read",
    "交易明细",
    "The card itself has written EF08, and counted in EF06; no terminal can.",
)
def log(stage: Stage) -> str:
    found = stage.hrss.records(DF04, TRANSACTIONS)
    totals = MedicalClient(stage.card).totals()
    require(found == (_first_entry(stage),), "the log says otherwise")
    require((totals.amount, totals.count) == (ACCOUNT, "01"), "the totals say otherwise")
    return f"one record, and {yuan(ACCOUNT)} yuan to be settled with the insurance"


@PURCHASE.step(
    "The next time the card is pulled too early",
    "中途拔卡",
    "MEDICAL DEBIT has reached the card, its answer never arrives. Was it booked?",
)
def pull(stage: Stage) -> str:
    terms = Terms(SECOND, 0, 0, _at(stage, 45), stage.psam.terminal, stage.key_index)
    stage.slot.pull_at(DEBIT)
    stage.doubt = refused(
        PurchaseInDoubt, lambda: purchase(stage.hrss, stage.psam, stage.identity, terms)
    )
    return "the terminal cannot know: it neither pays again nor takes it as paid"


@PURCHASE.step(
    "The card is put in again and asked",
    "断点恢复",
    "After the PIN, EF08 and GET TRANSACTION PROVE tell. MEDICAL DEBIT is never sent again.",
)
def ask_again(stage: Stage) -> str:
    stage.power_up()
    stage.hrss = HrssClient(stage.card)
    stage.remark("the chosen one, to transact")
    begin_transaction(stage.hrss, stage.pin)
    request, begun = stage.doubt.request, stage.doubt.begun
    receipt = recover(stage.hrss, request, begun)
    if receipt is None:
        raise Unmet("the card has not booked")
    stage.psam.end_purchase(request, begun, receipt.mac2)
    require(DEBIT.name not in (each.name for each in stage.log), "it was sent again")
    return f"booked, once, as number {receipt.sequence}, and MAC2 proves it: nothing is lost"


def _at(stage: Stage, minute: int) -> datetime:
    """After nine on the day of issue: the story has no clock."""
    return datetime.combine(stage.holder.issue_date, time(9, minute))


def _first_entry(stage: Stage) -> MedicalTransaction:
    """What the log has to say of the first purchase."""
    return MedicalTransaction(
        1, PURCHASE_KIND, stage.psam.terminal, _at(stage, 30), ACCOUNT, OWN, 0
    )
