# SPDX-License-Identifier: Apache-2.0
"""Electronic cash and loads over contact: what is paid, what is loaded, and what a card that was
lost in the middle says of it later."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paymentbench import LOAD_LOG, fen, payment_chip, set_state, state_of
from paymentdesk import (
    CONFIG,
    ProvingIssuer,
    ScriptedIssuer,
    order,
    parse_elements,
)
from slots import CASH, PIN_1234, Pulled, slot

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tvr
from host.card import Card
from host.faults import CardGone
from host.issuer.scripts import put_balance
from host.network.authorisation import Purpose
from host.terminal.kernel.transaction import CannotGoOn, Outcome
from host.terminal.pboc import pay, settle
from host.terminal.pboc_log import loads
from host.terminal.recovery import PAID, resolve


def test_electronic_cash_is_paid_without_the_issuer_and_told_later() -> None:
    chip = payment_chip(CASH)
    result = pay(slot(chip), order(1_234), CONFIG, None)
    assert (Outcome.APPROVED_OFFLINE, "Y1", True) == (
        result.outcome,
        result.response_code,
        result.cash,
    )
    assert (5_000, 5_000 - 1_234) == (result.cash_before, state_of(chip).balance)
    (advice,) = result.outstanding
    issuer = ProvingIssuer()
    assert () == settle(result, issuer)
    assert [advice] == issuer.advised
    assert "TC" == issuer.proven[0].result.name


def test_electronic_cash_that_runs_low_goes_online_and_pays_nothing() -> None:
    chip = payment_chip(CASH)
    issuer = ProvingIssuer()
    result = pay(slot(chip), order(4_500), CONFIG, issuer, pad=PIN_1234)
    assert Outcome.APPROVED_ONLINE is result.outcome
    assert 5_000 == state_of(chip).balance
    assert Tvr.ONLINE_PIN_ENTERED & result.tvr
    assert bytes(8) == issuer.asked[0].pin_block


@pytest.mark.parametrize("done", [False, True])
def test_a_card_pulled_while_it_pays_is_asked_later_whether_it_has(done: bool) -> None:
    chip = payment_chip(CASH)
    result = pay(Card(Pulled(chip, "80AE40", done)), order(1_234), CONFIG, None)
    assert (Outcome.TERMINATED, True) == (result.outcome, bool(result.doubt))
    assert isinstance(result.fault, CardGone)
    with pytest.raises(CannotGoOn):
        settle(result, ScriptedIssuer())

    found = resolve(slot(chip), result, CONFIG, ScriptedIssuer())

    assert (5_000 - 1_234 if done else 5_000) == state_of(chip).balance
    assert (PAID if done else "") == found.doubt
    assert (Outcome.TERMINATED if done else Outcome.DECLINED_OFFLINE) is found.outcome


# Loads


LOADER = {**CASH, tags.EC_BALANCE: fen(100)}


def loading(issuer_tag: int = 0x72) -> ProvingIssuer:
    return ProvingIssuer(commands=[put_balance(100 + 2_000)], tag=issuer_tag)


@pytest.mark.parametrize("tag", [0x71, 0x72])
def test_a_load_is_the_issuers_new_balance_on_the_card(tag: int) -> None:
    chip = payment_chip(LOADER, LOAD_LOG)
    issuer = loading(tag)
    result = pay(slot(chip), order(2_000, Purpose.LOAD), CONFIG, issuer)
    assert Outcome.APPROVED_ONLINE is result.outcome
    assert (100, 2_100) == (result.cash_before, state_of(chip).balance)
    assert b"\x60" == parse_elements(issuer.asked[0].icc)[tags.TRANSACTION_TYPE]
    assert bytes.fromhex("2000000001") == result.script_results
    (entry,) = loads(slot(chip))
    assert (tags.EC_BALANCE, 100, 2_100, result.atc) == (
        entry.tag,
        entry.before,
        entry.after,
        entry.transaction.atc,
    )
    assert [] == issuer.reversed


def test_a_load_that_the_card_refuses_is_reversed_with_its_result() -> None:
    chip = payment_chip(LOADER)
    issuer = ProvingIssuer(commands=[put_balance(100_001)])
    result = pay(slot(chip), order(99_901, Purpose.LOAD), CONFIG, issuer)
    assert Outcome.DECLINED_ONLINE is result.outcome
    assert 100 == state_of(chip).balance
    (reversal,) = issuer.reversed
    assert bytes.fromhex("1100000001") == parse_elements(reversal.icc)[tags.SCRIPT_RESULTS]


def test_an_approved_load_without_a_script_is_none() -> None:
    issuer = ProvingIssuer()
    result = pay(slot(payment_chip(LOADER)), order(2_000, Purpose.LOAD), CONFIG, issuer)
    assert Outcome.DECLINED_ONLINE is result.outcome
    assert ["06"] == [each.reason for each in issuer.reversed]


@pytest.mark.parametrize("log", [{}, LOAD_LOG])
@pytest.mark.parametrize("done", [False, True])
def test_a_card_pulled_in_a_load_is_asked_before_anything_is_reversed(
    done: bool, log: dict[int, bytes]
) -> None:
    chip = payment_chip(LOADER, log)
    issuer = loading()
    result = pay(Card(Pulled(chip, "04DA", done)), order(2_000, Purpose.LOAD), CONFIG, issuer)
    assert Outcome.TERMINATED is result.outcome
    assert result.doubt and [] == issuer.reversed
    assert 1 == len(result.outstanding)

    found = resolve(slot(chip), result, CONFIG, issuer)

    assert (2_100 if done else 100) == state_of(chip).balance
    assert (Outcome.APPROVED_ONLINE if done else Outcome.DECLINED_ONLINE) is found.outcome
    assert ("", (), None) == (found.doubt, found.outstanding, found.fault)
    assert (0 if done else 1) == len(issuer.reversed)
    with pytest.raises(CannotGoOn):
        resolve(slot(chip), found, CONFIG, issuer)


def test_a_balance_that_tells_neither_leaves_the_doubt() -> None:
    for purpose, card, amount in (
        (Purpose.LOAD, "04DA", 2_000),
        (Purpose.PURCHASE, "80AE40", 1_234),
    ):
        chip = payment_chip(CASH)
        issuer = ProvingIssuer(commands=[put_balance(7_000)])
        result = pay(Card(Pulled(chip, card, False)), order(amount, purpose), CONFIG, issuer)
        set_state(chip, replace(state_of(chip), balance=42))
        found = resolve(slot(chip), result, CONFIG, issuer)
        assert (result.doubt, result.outstanding) == (found.doubt, found.outstanding)
        assert found.doubt and [] == issuer.reversed


def test_another_card_cannot_end_a_doubt() -> None:
    chip = payment_chip(LOADER)
    result = pay(Card(Pulled(chip, "04DA", True)), order(2_000, Purpose.LOAD), CONFIG, loading())
    with pytest.raises(CannotGoOn, match="not the card"):
        resolve(slot(chip), replace(result, pan="622801******1117"), CONFIG, loading())
