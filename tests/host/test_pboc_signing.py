# SPDX-License-Identifier: Apache-2.0
"""Cards that sign their cryptograms (CDA), under RSA and under SM2; and tampering."""

from __future__ import annotations

import pytest
from paymentdesk import (
    CONFIG,
    ProvingIssuer,
    ScriptedIssuer,
    order,
    parse_elements,
)
from slots import PIN_1234, Tampered, slot

from apdu.wire.pboc import flags, tags
from apdu.wire.pboc.flags import Tvr
from host.card import Card
from host.cli.testcard import issue_test_card
from host.issuer.keys import IssuerKeys
from host.issuer.scripts import put_balance
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Purpose
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome
from host.terminal.pboc import pay
from host.terminal.recovery import PAID, resolve

TEST_ISSUER = IssuerKeys(TEST_IMKS)


@pytest.mark.parametrize("bank", ["rsa-1152", "sm2"])
def test_a_card_that_can_signs_its_cryptogram(bank: str) -> None:
    chip = issue_test_card(bank=bank)
    issuer = ProvingIssuer(keys=TEST_ISSUER)
    result = pay(slot(chip), order(), CONFIG, issuer, pad=PIN_1234)
    assert Outcome.APPROVED_ONLINE is result.outcome
    assert ["CDA prepared", "CDA succeeded"] == [
        each.outcome for each in result.trail if each.step is Step.ODA
    ]
    assert not result.tvr & (Tvr.CDA_FAILED | Tvr.ISSUER_AUTHENTICATION_FAILED)
    assert issuer.proven[0].ac == parse_elements(issuer.asked[0].icc)[tags.AC]


def test_an_arqc_whose_signature_does_not_hold_is_never_sent() -> None:
    chip = issue_test_card()
    issuer = ProvingIssuer(keys=TEST_ISSUER)
    result = pay(Card(Tampered(chip)), order(), CONFIG, issuer, pad=PIN_1234)
    assert (Outcome.DECLINED_OFFLINE, "Z1") == (result.outcome, result.response_code)
    assert Tvr.CDA_FAILED & result.tvr
    assert [] == issuer.asked
    assert flags.Result.AAC.value == result.cid >> 6


def test_a_tc_whose_signature_does_not_hold_is_no_payment_though_the_card_made_one() -> None:
    chip = issue_test_card()
    loaded = ProvingIssuer(commands=[put_balance(50_000)], keys=TEST_ISSUER)
    assert pay(slot(chip), order(50_000, Purpose.LOAD), CONFIG, loaded, pad=PIN_1234).approved
    result = pay(Card(Tampered(chip)), order(1_000), CONFIG, None)
    assert (Outcome.DECLINED_OFFLINE, True) == (result.outcome, result.cash)
    assert "paid" in result.doubt
    assert PAID == resolve(slot(chip), result, CONFIG, ScriptedIssuer()).doubt
