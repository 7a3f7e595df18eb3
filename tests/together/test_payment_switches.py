# SPDX-License-Identifier: Apache-2.0
"""Every bit by which an issuer tells its card what to do (ADA, 9F68) makes a difference in whole
transactions: the same ones with and without it, with a real card at the real kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from bitbench import (
    ASKING,
    BAD_COMMAND,
    FALSE,
    SILENT,
    STRICT,
    UNPROVEN,
    WRONG,
    Desk,
    scripting,
    typed,
    verification,
)
from paymentbench import Parameters, fen, lose_pin
from slots import slot

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ada, CardProcessing, Cid, Ctq
from host.terminal.kernel.transaction import Outcome
from host.terminal.pboc_log import transactions
from host.terminal.result import Result

OFFLINE, ONLINE = Outcome.APPROVED_OFFLINE, Outcome.APPROVED_ONLINE
REFUSED, DECLINED = Outcome.DECLINED_OFFLINE, Outcome.DECLINED_ONLINE


# Application default action (9F52)


@dataclass(frozen=True)
class Default:
    """What is done with a card, and how the last transaction of it ends without a bit of ADA and
    with it: its outcome, the bits of CID below the cryptogram's two, the application blocked."""

    run: Callable[[Desk], Result]
    without: tuple[Outcome, int, bool]
    having: tuple[Outcome, int, bool]
    parameters: Parameters = field(default_factory=dict)
    new: bool = False
    beside: int = 0
    """Bits of ADA that are set both times."""
    tries: bool = True
    """Whether the PIN has tries left when it begins."""


def wrong_pins(desk: Desk) -> Result:
    return desk.pay(setup=STRICT, pad=typed(*[WRONG] * 3))


def false_issuer(desk: Desk) -> Result:
    return desk.pay(setup=ASKING, issuer=FALSE)


def silent_issuer(desk: Desk) -> Result:
    return desk.pay(setup=ASKING, issuer=SILENT)


def plain(desk: Desk) -> Result:
    return desk.pay()


def false_then_unproven(desk: Desk) -> Result:
    desk.pay(setup=ASKING, issuer=FALSE)
    desk.pay(setup=ASKING, issuer=UNPROVEN)
    return desk.pay()


def script_that_fails(desk: Desk) -> Result:
    desk.pay(setup=ASKING, issuer=scripting(BAD_COMMAND))
    return desk.pay()


PROOF_OPTIONAL: Final[Parameters] = {tags.ISSUER_AUTHENTICATION_INDICATOR: b"\x00"}
ADVICE, TRIES = int(Cid.ADVICE), int(Cid.ADVICE | Cid.REASON_PIN_TRIES)
DEFAULTS: dict[Ada, Default] = {
    Ada.ONLINE_AFTER_FAILED_AUTHENTICATION: Default(
        false_then_unproven, (OFFLINE, 0, False), (ONLINE, 0, False), PROOF_OPTIONAL
    ),
    Ada.DECLINE_ON_FAILED_AUTHENTICATION: Default(
        false_issuer, (ONLINE, 0, False), (DECLINED, 0, False)
    ),
    Ada.DECLINE_WITHOUT_AUTHENTICATION: Default(
        lambda desk: desk.pay(setup=ASKING, issuer=UNPROVEN),
        (ONLINE, 0, False),
        (DECLINED, 0, False),
    ),
    Ada.ADVICE_ON_DECLINE: Default(
        lambda desk: desk.pay(setup=STRICT), (REFUSED, 0, False), (REFUSED, ADVICE, False)
    ),
    Ada.ADVICE_ON_PIN_TRIES: Default(wrong_pins, (REFUSED, 0, False), (REFUSED, TRIES, False)),
    Ada.ADVICE_ON_AUTHENTICATION: Default(
        false_issuer,
        (DECLINED, 0, False),
        (DECLINED, ADVICE, False),
        beside=Ada.DECLINE_ON_FAILED_AUTHENTICATION,
    ),
    Ada.ONLINE_FOR_NEW_CARD: Default(plain, (OFFLINE, 0, False), (ONLINE, 0, False), new=True),
    Ada.DECLINE_NEW_CARD_OFFLINE: Default(
        silent_issuer, (OFFLINE, 0, False), (REFUSED, 0, False), new=True
    ),
    Ada.BLOCK_ON_PIN_TRIES: Default(wrong_pins, (REFUSED, 0, False), (REFUSED, 0, True)),
    Ada.DECLINE_ON_EARLIER_PIN_TRIES: Default(
        plain, (OFFLINE, 0, False), (REFUSED, 0, False), tries=False
    ),
    Ada.ONLINE_ON_EARLIER_PIN_TRIES: Default(
        plain, (OFFLINE, 0, False), (ONLINE, 0, False), tries=False
    ),
    Ada.DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES: Default(
        silent_issuer, (OFFLINE, 0, False), (REFUSED, 0, False), tries=False
    ),
    Ada.ONLINE_AFTER_FAILED_SCRIPT: Default(
        script_that_fails, (OFFLINE, 0, False), (ONLINE, 0, False)
    ),
    Ada.BLOCK_ON_EARLIER_PIN_TRIES: Default(
        plain, (OFFLINE, 0, False), (Outcome.TERMINATED, 0, True), tries=False
    ),
}


def ended(case: Default, ada: int) -> tuple[Outcome, int, bool]:
    parameters = {**case.parameters, tags.ADA: ada.to_bytes(2)}
    groups = verification("41001F00") if case.run is wrong_pins else {}
    desk = Desk(parameters, groups, new=case.new)
    if not case.tries:
        lose_pin(desk.chip)
    result = case.run(desk)
    return result.outcome, result.cid & 0x3F, desk.blocked


@pytest.mark.parametrize("bit", list(Ada), ids=lambda bit: bit.name)
def test_a_default_action_is_taken_where_it_is_set(bit: Ada) -> None:
    case = DEFAULTS[bit]
    assert case.without != case.having
    assert case.without == ended(case, case.beside)
    assert case.having == ended(case, case.beside | bit)


# Card additional processing (9F68)


@dataclass(frozen=True)
class Tap:
    """How a tap ends without a bit of 9F68 and with it."""

    without: dict[str, Any]
    having: dict[str, Any]
    """What must be seen: any of outcome, ctq, available, cash, logged."""
    beside: int = int(CardProcessing.CASH_CHECK)
    """Bits that are set both times."""
    how: dict[str, Any] = field(default_factory=dict)
    """Of the order: amount, currency, ..."""
    new: bool = False
    tries: bool = True


CASH, BIT = int(CardProcessing.CASH_CHECK), CardProcessing
ABROAD: Final[dict[str, Any]] = {"currency": "840"}
ABOVE: Final[dict[str, Any]] = {"amount": 600}
"""The published card wants no proof of the holder below 5 yuan (9F6B)."""
TAPS: dict[CardProcessing, Tap] = {
    BIT.CASH_CHECK: Tap({"outcome": ONLINE}, {"outcome": OFFLINE, "cash": 4_900}, beside=0),
    BIT.CASH_AND_CTTA_CHECK: Tap(
        {"outcome": ONLINE}, {"outcome": OFFLINE, "cash": 4_900}, beside=0
    ),
    BIT.CASH_OR_CTTA_CHECK: Tap(
        {"outcome": ONLINE},
        {"outcome": OFFLINE, "cash": 5_000},
        beside=0,
        how={"amount": 5_001},
    ),
    BIT.NEW_CARD_CHECK: Tap({"outcome": OFFLINE}, {"outcome": ONLINE}, new=True),
    BIT.PIN_TRIES_CHECK: Tap({"outcome": OFFLINE}, {"outcome": ONLINE}, tries=False),
    BIT.OFFLINE_IN_OTHER_CURRENCY: Tap({"outcome": ONLINE}, {"outcome": OFFLINE}, how=ABROAD),
    BIT.CONTACT_INSTEAD_OF_ONLINE: Tap(
        {"outcome": ONLINE}, {"outcome": Outcome.USE_CONTACT}, how={"force_online": True}
    ),
    BIT.TELL_AVAILABLE_AMOUNT: Tap({"available": None}, {"available": 4_900}),
    BIT.PREPAID: Tap(
        {"outcome": ONLINE, "cash": 5_000},
        {"outcome": ONLINE, "cash": 4_900},
        how={"force_online": True},
    ),
    BIT.REJECT_OTHER_CURRENCY: Tap({"outcome": ONLINE}, {"outcome": REFUSED}, how=ABROAD),
    BIT.DECLINE_NEW_CARD_OFFLINE: Tap(
        {"outcome": OFFLINE}, {"outcome": REFUSED}, how={"online": False}, new=True
    ),
    BIT.LOG_TRANSACTIONS: Tap({"logged": 0}, {"logged": 1}),
    BIT.ONLINE_PIN: Tap(
        {"outcome": Outcome.USE_CONTACT}, {"outcome": ONLINE, "ctq": Ctq.ONLINE_PIN}, how=ABOVE
    ),
    BIT.ONLINE_PIN_IN_OTHER_CURRENCY: Tap(
        {"outcome": Outcome.USE_CONTACT},
        {"outcome": ONLINE, "ctq": Ctq.ONLINE_PIN},
        beside=CASH | BIT.CVM_IN_OTHER_CURRENCY,
        how=ABROAD,
    ),
    BIT.CVM_IN_OTHER_CURRENCY: Tap(
        {"outcome": ONLINE, "ctq": Ctq(0)},
        {"outcome": ONLINE, "ctq": Ctq.SIGNATURE},
        beside=CASH | BIT.SIGNATURE,
        how=ABROAD,
    ),
    BIT.SIGNATURE: Tap(
        {"outcome": Outcome.USE_CONTACT}, {"outcome": OFFLINE, "ctq": Ctq.SIGNATURE}, how=ABOVE
    ),
}


def tapped(case: Tap, bits: int) -> dict[str, Any]:
    parameters: Parameters = {
        tags.CARD_PROCESSING: bits.to_bytes(4),
        tags.CTQ: bytes(2),
        tags.CARD_CVM_LIMIT: fen(500) if case.how is ABOVE else None,
        tags.EC_SINGLE_LIMIT: fen(10_000),
        tags.EC_RESET_THRESHOLD: fen(0),
        tags.EC_BALANCE: fen(5_000),
        tags.CTTAL: fen(6_000),
    }
    desk = Desk(parameters, new=case.new)
    if not case.tries:
        lose_pin(desk.chip)
    result = desk.tap(**{"pad": typed("271828"), **case.how})
    return {
        "outcome": result.outcome,
        "ctq": result.ctq,
        "available": result.available,
        "cash": desk.cash,
        "logged": len(transactions(slot(desk.chip))),
    }


@pytest.mark.parametrize("bit", list(CardProcessing), ids=lambda bit: bit.name)
def test_what_a_card_does_with_a_tap_depends_on_the_bit(bit: CardProcessing) -> None:
    case = TAPS[bit]
    assert case.without != case.having
    for expected, bits in (case.without, case.beside), (case.having, case.beside | bit):
        found = tapped(case, bits)
        assert expected == {name: found[name] for name in expected}
