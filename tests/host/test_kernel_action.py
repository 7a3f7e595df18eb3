# SPDX-License-Identifier: Apache-2.0
"""Terminal action analysis: which cryptogram is asked for, and that the reason is told."""

from __future__ import annotations

from typing import Any

import pytest
from books import cases
from hypothesis import example, given
from hypothesis import strategies as st
from paymentdesk import config, order, transaction

from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.flags import Result, Tvr
from host.faults import CardMisspoke
from host.network.authorisation import Purpose
from host.terminal.kernel.action import (
    ActionCodes,
    action_codes,
    analyse,
    analyse_unable,
    decide,
    decide_unable,
)
from host.terminal.kernel.transaction import CannotGoOn, Transaction

five = st.integers(0, (1 << 40) - 1)
codes = st.builds(ActionCodes, five, five, five)
NOTHING = {"tac_denial": bytes(5), "tac_online": bytes(5), "tac_default": bytes(5)}
SILENT = {tag: bytes(5) for tag in (tags.IAC_DENIAL, tags.IAC_ONLINE, tags.IAC_DEFAULT)}
"""Action codes of a card and a terminal that want nothing."""


def made(
    card: dict[int, bytes] | None = None,
    tacs: dict[str, bytes] | None = None,
    tvr: int = 0,
    purpose: Purpose = Purpose.PURCHASE,
    **fields: Any,
) -> Transaction:
    setup = config(NOTHING | (tacs or {}))
    found = transaction(SILENT | (card or {}), order(1000, purpose), setup, **fields)
    found.tvr = Tvr(tvr)
    return found


@pytest.mark.parametrize("case", cases("terminal/action_analysis.json"))
def test_the_rule_gives_what_the_book_says(case: dict[str, Any]) -> None:
    card = {
        tags.IAC_DENIAL: bytes.fromhex(case["iac"]["denial"]),
        tags.IAC_ONLINE: bytes.fromhex(case["iac"]["online"]),
        tags.IAC_DEFAULT: bytes.fromhex(case["iac"]["default"]),
    }
    tacs = {f"tac_{name}": bytes.fromhex(value) for name, value in case["tac"].items()}
    found = made(card, tacs, int(case["tvr"], 16))
    assert Result[case["request"]] is analyse(found, case["online_capable"])


@given(five, codes, st.booleans())
def test_denial_wins_and_a_bit_that_nobody_names_decides_nothing(
    tvr: int, given: ActionCodes, online: bool
) -> None:
    found = decide(tvr, given, online)
    assert (found is Result.AAC) or not tvr & given.denial
    assert found is not Result.ARQC or online
    if not tvr & (given.denial | given.online | given.default):
        assert Result.TC is found
    asked = given.online if online else given.default
    if not tvr & given.denial:
        told = Result.ARQC if online else Result.AAC
        assert (told if tvr & asked else Result.TC) is found


@given(five, codes, five)
def test_more_bits_are_never_more_lenient(tvr: int, given: ActionCodes, more: int) -> None:
    rank = [Result.TC, Result.ARQC, Result.AAC]
    for online in (True, False):
        before = rank.index(decide(tvr, given, online))
        assert before <= rank.index(decide(tvr | more, given, online))
    assert rank.index(decide_unable(tvr, given)) <= rank.index(decide_unable(tvr | more, given))


def test_codes_that_a_card_does_not_have_are_none_to_deny_and_all_to_go_online() -> None:
    found = transaction({}, setup=config(NOTHING))
    assert ActionCodes(0, (1 << 40) - 1, (1 << 40) - 1) == action_codes(found)


def test_issuer_and_terminal_are_heard_both() -> None:
    for tag, name, online, expected in (
        (tags.IAC_DENIAL, "tac_denial", True, Result.AAC),
        (tags.IAC_ONLINE, "tac_online", True, Result.ARQC),
        (tags.IAC_DEFAULT, "tac_default", False, Result.AAC),
    ):
        bit = Tvr.NEW_CARD
        by_card = made({tag: bit.to_bytes(5)}, tvr=bit)
        by_terminal = made(tacs={name: bit.to_bytes(5)}, tvr=bit)
        for found in (by_card, by_terminal):
            assert expected is analyse(found, online)
            assert "new card" in found.trail[-1].why


def test_a_code_of_another_length_is_not_believed() -> None:
    with pytest.raises(CardMisspoke, match="9F0E"):
        analyse(made({tags.IAC_DENIAL: bytes(4)}), True)


def test_without_parameters_nothing_can_be_decided() -> None:
    with pytest.raises(CannotGoOn):
        analyse(made(parameters=None), True)


# What is for the issuer alone


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.PURCHASE])
def test_all_but_purchases_are_for_the_issuer_alone(purpose: Purpose) -> None:
    assert Result.ARQC is analyse(made(purpose=purpose), True)
    assert Result.AAC is analyse(made(purpose=purpose), False)
    assert Result.AAC is analyse_unable(made(purpose=purpose))
    assert Result.TC is analyse_unable(made())
    denied = {tags.IAC_DENIAL: b"\xff" * 5}
    assert Result.AAC is analyse(made(denied, tvr=1, purpose=purpose), True)


def test_when_no_answer_comes_the_default_codes_decide() -> None:
    found = made({tags.IAC_DEFAULT: Tvr.FLOOR_LIMIT_EXCEEDED.to_bytes(5)}, tvr=0x8000)
    assert Result.AAC is analyse_unable(found)
    assert "floor limit" in found.trail[-1].why


# Electronic cash


@given(st.integers(1000, 3000), st.integers(0, 3000), st.booleans())
@example(1500, 500, True)
@example(1500, 501, True)
def test_cash_that_runs_low_goes_online_where_that_can_be(
    balance: int, threshold: int, online: bool
) -> None:
    card = {
        tags.EC_BALANCE: amount_bytes(balance),
        tags.EC_RESET_THRESHOLD: amount_bytes(threshold),
    }
    low = balance - 1000 < threshold
    expected = Result.ARQC if low and online else Result.TC
    assert expected is analyse(made(card, cash=True), online)
    assert Result.TC is analyse(made(card, cash=False), online)


def test_cash_of_which_nothing_is_told_does_not_run_low() -> None:
    assert Result.TC is analyse(made(cash=True), True)
