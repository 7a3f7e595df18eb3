# SPDX-License-Identifier: Apache-2.0
"""Contact transactions from end to end: a recorded one to the byte, and what becomes of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from books import VECTORS
from paymentbench import payment_chip, state_of
from paymentdesk import (
    CONFIG,
    PUBLISHED_KEYS,
    Playback,
    ProvingIssuer,
    RuledCard,
    ScriptedIssuer,
    approve,
    config,
    gone,
    order,
    refuse,
)
from slots import CASH, PIN_1234, Pulled, slot

from apdu.crypto.pinblock import build_iso_2
from apdu.errors import FormatError
from apdu.tlv import tlv
from apdu.trace import read
from apdu.wire.pboc import flags, tags
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Tsi, Tvr
from apdu.wire.perso import Algorithm
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.pboc import PbocClient
from host.faults import CardGone
from host.issuer.scripts import pin_change
from host.network.authorisation import NoAnswer, Purpose
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome
from host.terminal.pboc import pay, settle
from host.terminal.result import Result

SHOP = config(
    {
        "version": bytes.fromhex("0020"),
        "tac_denial": bytes.fromhex("0010000000"),
        "tac_online": bytes.fromhex("D84004F800"),
        "tac_default": bytes.fromhex("D84000A800"),
    },
    country="036",
    currency="036",
    merchant_name=b"",
)
"""The terminal of the recorded transaction, in Australia."""


def test_a_recorded_transaction_is_repeated_to_the_byte() -> None:
    text = (VECTORS / "journeys/upi_contact.apdu").read_text(encoding="utf-8")
    tape = Playback(read(text))
    issuer = ScriptedIssuer(approve(bytes.fromhex("91081122334455667788")))
    asked = order(
        6580,
        time=datetime(2015, 3, 16, 16, 1, 36),
        unpredictable_number=bytes.fromhex("3510540E"),
        authentication_number=bytes.fromhex("7863AFC6"),
        currency="036",
    )

    result = pay(Card(tape), asked, SHOP, issuer)

    assert tape.over
    assert Outcome.APPROVED_ONLINE is result.outcome
    assert "DDA succeeded" in [each.outcome for each in result.trail]
    assert Tvr.FLOOR_LIMIT_EXCEEDED | Tvr.ISSUER_AUTHENTICATION_FAILED == result.tvr
    assert 0xF800 == result.tsi
    assert "621094******0011" == result.pan
    assert 6 == result.atc
    assert bytes.fromhex("E5869B494D460AB4") == result.cryptogram
    assert result.signature_wanted


# With a chip


PURCHASE_STEPS = [
    Step.SELECTION,
    Step.INITIATION,
    Step.READ_DATA,
    Step.ODA,
    Step.RESTRICTIONS,
    Step.CARDHOLDER_VERIFICATION,
    Step.TERMINAL_RISK,
    Step.TERMINAL_ACTION,
    Step.CARD_ACTION,
    Step.ONLINE,
    Step.ISSUER_AUTHENTICATION,
    Step.COMPLETION,
]


def steps(result: Result) -> list[Step]:
    return list(dict.fromkeys(each.step for each in result.trail))


def test_an_online_purchase_goes_through_all_steps_and_issuer_and_card_agree() -> None:
    chip = payment_chip()
    issuer = ProvingIssuer(approve(balance=4_200))

    result = pay(slot(chip), order(), CONFIG, issuer)

    assert (Outcome.APPROVED_ONLINE, "00", "A12345") == (
        result.outcome,
        result.response_code,
        result.authorisation_code,
    )
    assert PURCHASE_STEPS == steps(result)
    assert (4_200, 1, 1) == (result.balance, result.atc, state_of(chip).last_online_atc)
    assert flags.Result.ARQC is issuer.proven[0].result
    assert Tsi.ISSUER_AUTHENTICATED & result.tsi
    assert ((), "", None) == (result.outstanding, result.doubt, result.fault)
    assert [] == issuer.reversed == issuer.advised


def test_what_the_issuer_declines_is_declined() -> None:
    issuer = ProvingIssuer(refuse("51"))
    result = pay(slot(payment_chip()), order(), CONFIG, issuer)
    assert (Outcome.DECLINED_ONLINE, "51", False) == (
        result.outcome,
        result.response_code,
        result.approved,
    )
    assert [] == issuer.reversed


def test_a_forged_answer_is_told_by_the_card_and_reversed_when_it_declines() -> None:
    card = {tags.ADA: bytes.fromhex("4000")}  # declines when issuer authentication failed
    issuer = ScriptedIssuer(approve(bytes(tlv(0x91, bytes(8) + b"00"))))
    result = pay(slot(payment_chip(card)), order(), CONFIG, issuer)
    assert Outcome.DECLINED_ONLINE is result.outcome
    assert Tvr.ISSUER_AUTHENTICATION_FAILED & result.tvr
    assert ["06"] == [each.reason for each in issuer.reversed]


def test_without_an_answer_the_terminal_declines_and_reverses() -> None:
    issuer = ScriptedIssuer(NoAnswer("silence"))
    result = pay(slot(payment_chip()), order(), CONFIG, issuer)
    assert (Outcome.DECLINED_OFFLINE, "Z3") == (result.outcome, result.response_code)
    assert ["98"] == [each.reason for each in issuer.reversed]
    assert () == result.outstanding


def test_without_an_answer_a_lenient_terminal_approves_and_tells_under_the_same_reference() -> None:
    lenient = config({"tac_default": bytes(5), "risk": {"floor_limit": 10_000}})
    chip = payment_chip({tags.ADA: bytes(2)})
    issuer = ProvingIssuer(NoAnswer("silence"))
    result = pay(slot(chip), order(force_online=True), lenient, issuer)
    assert (Outcome.APPROVED_OFFLINE, "Y3") == (result.outcome, result.response_code)
    assert ["260105000001"] == [each.reference for each in issuer.advised]
    assert "TC" == issuer.proven[0].result.name
    assert ([], ()) == (issuer.reversed, result.outstanding)


def test_a_terminal_that_cannot_go_online_asks_nobody() -> None:
    issuer = ScriptedIssuer()
    result = pay(slot(payment_chip()), order(), config(type="23"), issuer)
    assert (Outcome.DECLINED_OFFLINE, []) == (result.outcome, issuer.asked)


def test_what_a_card_spent_here_before_counts_towards_the_floor_limit() -> None:
    shop = config({"risk": {"floor_limit": 2_000, "random_target": 0, "random_maximum": 0}})
    for before, bit in ((765, 0), (766, Tvr.FLOOR_LIMIT_EXCEEDED)):
        spent = {"6228000100001117": before}
        result = pay(slot(payment_chip()), order(), shop, None, spent_before=spent.__getitem__)
        assert bit == result.tvr & Tvr.FLOOR_LIMIT_EXCEEDED


def test_a_reversal_that_is_not_heard_stays_outstanding_until_it_is() -> None:
    deaf = ScriptedIssuer(NoAnswer("silence"), deaf=True)
    result = pay(slot(payment_chip()), order(), CONFIG, deaf)
    assert 1 == len(result.outstanding)
    assert result.outstanding == settle(result, deaf)
    assert () == settle(result, ScriptedIssuer())


# Other purposes


@pytest.mark.parametrize(
    "purpose", [Purpose.WITHDRAWAL, Purpose.DEPOSIT, Purpose.TRANSFER, Purpose.BALANCE]
)
def test_whatever_the_purpose_the_issuer_decides_it(purpose: Purpose) -> None:
    issuer = ProvingIssuer(approve(balance=77))
    amount = 0 if purpose is Purpose.BALANCE else 500
    result = pay(slot(payment_chip(CASH)), order(amount, purpose), CONFIG, issuer)
    assert (Outcome.APPROVED_ONLINE, 77) == (result.outcome, result.balance)
    assert not result.cash
    offline = pay(slot(payment_chip(CASH)), order(amount, purpose), CONFIG, None)
    assert Outcome.DECLINED_OFFLINE is offline.outcome


def test_a_new_offline_pin_comes_in_a_script() -> None:
    chip = payment_chip()
    keys = PUBLISHED_KEYS.card("6228000100001117", "01", Algorithm.TDES)
    issuer = ProvingIssuer(commands=[pin_change(keys, "987654")])
    result = pay(slot(chip), order(0, Purpose.PIN_CHANGE), CONFIG, issuer)
    assert Outcome.APPROVED_ONLINE is result.outcome
    client = PbocClient(slot(chip))
    client.select(DEBIT_AID)
    client.processing_options(bytes(31))
    client.verify(build_iso_2("987654"))


def test_of_a_new_pin_in_doubt_nothing_is_sent() -> None:
    keys = PUBLISHED_KEYS.card("6228000100001117", "01", Algorithm.TDES)
    issuer = ProvingIssuer(commands=[pin_change(keys, "987654")])
    card = Card(Pulled(payment_chip(), "8424", True))
    result = pay(card, order(0, Purpose.PIN_CHANGE), CONFIG, issuer)
    assert (Outcome.TERMINATED, (), []) == (result.outcome, result.outstanding, issuer.reversed)
    assert result.doubt


# Pulled anywhere


WHERE = ["00A4", "80A8", "00B2", "80CA", "0088", "80AE80", "0082", "80AE40"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("where", WHERE)
def test_a_card_pulled_anywhere_ends_the_transaction_and_what_was_approved_is_reversed(
    where: str, done: bool
) -> None:
    chip = payment_chip()
    issuer = ProvingIssuer()
    result = pay(Card(Pulled(chip, where, done)), order(), CONFIG, issuer)
    assert Outcome.TERMINATED is result.outcome
    assert isinstance(result.fault, CardGone)
    assert (
        "terminated"
        == [each for each in result.trail if each.outcome != ""][
            -1 if not issuer.reversed else -2
        ].outcome
    )
    assert len(issuer.asked) == len(issuer.reversed) == int(where in ("0082", "80AE40"))
    assert result.as_json()["fault"] == "CardGone"

    again = pay(slot(chip), order(reference="260105000002"), CONFIG, ProvingIssuer())
    assert Outcome.APPROVED_ONLINE is again.outcome


def test_a_card_pulled_when_all_is_done_changes_nothing() -> None:
    class Late(MemoryChannel):
        depth = 0

        @contextmanager
        def transaction(self) -> Iterator[None]:
            self.depth += 1
            yield
            self.depth -= 1
            if not self.depth:
                raise gone()

    result = pay(Card(Late(payment_chip())), order(), CONFIG, ProvingIssuer())
    assert (Outcome.APPROVED_ONLINE, None) == (result.outcome, result.fault)


# What is told


def test_nothing_that_is_shown_has_the_card_number_or_a_pin() -> None:
    result = pay(slot(payment_chip()), order(), CONFIG, ProvingIssuer(), pad=PIN_1234)
    shown = repr(result) + json.dumps(result.as_json(), ensure_ascii=False)
    assert "6228000100001117" not in shown
    assert "1234FFFF" not in shown.upper()
    assert "622800******1117" == result.pan


def test_a_result_is_json() -> None:
    result = pay(slot(payment_chip()), order(), CONFIG, ScriptedIssuer(NoAnswer("x"), deaf=True))
    told = json.loads(json.dumps(result.as_json()))
    assert ("declined offline", False, 1234) == (told["outcome"], told["approved"], told["amount"])
    assert "floor limit exceeded" in told["tvr"]["bits"]
    assert f"{result.tvr:010X}" == told["tvr"]["value"]
    assert [{"message": "reversal", "reference": "260105000001", "amount": 1234}] == told[
        "outstanding"
    ]
    assert len(result.trail) == len(told["trail"])


def test_an_order_that_cannot_be_written_never_reaches_the_card() -> None:
    card = RuledCard()
    for wrong in (order(10**12), order(-1), order(unpredictable_number=b"")):
        with pytest.raises(FormatError):
            pay(Card(card), wrong, CONFIG, ScriptedIssuer())
    assert [] == card.log
