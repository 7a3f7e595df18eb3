# SPDX-License-Identifier: Apache-2.0
"""Contact transactions from end to end: a recorded one to the byte, and what becomes of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from books import VECTORS
from paymentbench import LOAD_LOG, fen, payment_chip, state_of
from paymentdesk import (
    CONFIG,
    PUBLISHED_KEYS,
    Playback,
    ProvingIssuer,
    RuledCard,
    ScriptedIssuer,
    Typing,
    approve,
    config,
    gone,
    order,
    parse_elements,
    refuse,
)

from apdu.crypto.pinblock import build_iso_2
from apdu.errors import FormatError
from apdu.tlv import tlv
from apdu.trace import read
from apdu.wire.pboc import flags, tags
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Tsi, Tvr
from apdu.wire.perso import Algorithm
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card
from host.clients.pboc import PbocClient
from host.faults import CardGone
from host.issuer.keys import IssuerKeys
from host.issuer.scripts import pin_change, put_balance
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import NoAnswer, Purpose
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Outcome
from host.terminal.pboc import pay, settle
from host.terminal.pboc_log import loads
from host.terminal.recovery import PAID, resolve
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


CASH = {
    tags.EC_BALANCE: fen(5_000),
    tags.EC_BALANCE_LIMIT: fen(100_000),
    tags.EC_SINGLE_LIMIT: fen(5_000),
    tags.EC_RESET_THRESHOLD: fen(1_000),
}
PIN_1234 = PinPad(Typing("1234"), lambda block: bytes(8))
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


class Pulled(MemoryChannel):
    """A chip that is pulled out: its command number `at` (from 0) comes too late, or its answer is
    not heard any more (`heard` False)."""

    def __init__(self, chip: Chip, pattern: str, done: bool) -> None:
        super().__init__(chip)
        self.pattern, self.done, self.out = bytes.fromhex(pattern), done, False

    def _exchange(self, command: bytes) -> bytes:
        if self.out:
            raise gone()
        if command.startswith(self.pattern):
            self.out = True
            if self.done:
                super()._exchange(command)
            raise gone()
        return super()._exchange(command)


def slot(chip: Chip) -> Card:
    return Card(MemoryChannel(chip))


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


def test_a_reversal_that_is_not_heard_stays_outstanding_until_it_is() -> None:
    deaf = ScriptedIssuer(NoAnswer("silence"), deaf=True)
    result = pay(slot(payment_chip()), order(), CONFIG, deaf)
    assert 1 == len(result.outstanding)
    assert result.outstanding == settle(result, deaf)
    assert () == settle(result, ScriptedIssuer())


# Electronic cash


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
    assert ("", ()) == (found.doubt, found.outstanding)
    assert (0 if done else 1) == len(issuer.reversed)
    with pytest.raises(CannotGoOn):
        resolve(slot(chip), found, CONFIG, issuer)


def test_another_card_cannot_end_a_doubt() -> None:
    chip = payment_chip(LOADER)
    result = pay(Card(Pulled(chip, "04DA", True)), order(2_000, Purpose.LOAD), CONFIG, loading())
    with pytest.raises(CannotGoOn, match="not the card"):
        resolve(slot(chip), replace(result, pan="622801******1117"), CONFIG, loading())


# Cards that sign


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


class Tampered(MemoryChannel):
    """Somebody between card and reader who changes a byte of every signed cryptogram."""

    def _exchange(self, command: bytes) -> bytes:
        answer = super()._exchange(command)
        if command[1] == 0xAE and answer[:1] == b"\x77":
            at = answer.index(b"\x9f\x4b") + 20
            answer = answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :]
        return answer


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
