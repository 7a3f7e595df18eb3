# SPDX-License-Identifier: Apache-2.0
"""Scripts are sent until it is known what became of them; loads move money only with the card."""

from __future__ import annotations

import pytest
from issuerbench import NOON, PAN, BenchCard, IssuerBench, results, reversal_of

from apdu.crypto.pinblock import read_pin_change
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.flags import Cvr
from apdu.wire.pboc.script_results import (
    ScriptOutcome,
)
from host.issuer import scripts
from host.issuer.delivery import MOST_TIMES
from host.issuer.faults import BankUnavailable
from host.issuer.wishes import Fate, Sending, fate
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    NoAnswer,
    Purpose,
)

DONE, FAILED, NOT = ScriptOutcome.SUCCEEDED, ScriptOutcome.FAILED, ScriptOutcome.NOT_PROCESSED
LIMIT = scripts.put_data(tags.EC_SINGLE_LIMIT, amount_bytes(5000))


# What became of them


@pytest.mark.parametrize(
    ("sending", "counted", "bits", "expected"),
    [
        (Sending(1, 0, 1), 0, 0, Fate.NOT_RECEIVED),
        (Sending(1, 0, 1), 1, 0, Fate.DONE),
        (Sending(1, 0, 2), 1, 0, Fate.FAILED),
        (Sending(1, 0, 2), 2, 0, Fate.DONE),
        (Sending(1, 0, 1), 1, Cvr.LAST_SCRIPT_FAILED, Fate.FAILED),
        (Sending(1, 0, 1), 0, Cvr.LAST_SCRIPT_FAILED, Fate.NOT_RECEIVED),
        (Sending(1, 0, 20), 15, 0, Fate.DONE),
        (Sending(1, 0, 20), 14, 0, Fate.FAILED),
        (Sending(1, 1, 1), 1, Cvr.LAST_ONLINE_NOT_COMPLETED, Fate.NOT_RECEIVED),
        (Sending(1, 1, 1), 1, Cvr.LAST_ISSUER_AUTHENTICATION_FAILED, Fate.NOT_RECEIVED),
        (Sending(1, 1, 1), 1, 0, Fate.DONE),
        (Sending(1, 1, 1), 2, Cvr.LAST_ONLINE_NOT_COMPLETED, Fate.DONE),
    ],
)
def test_the_cvr_tells_what_became_of_a_sending(
    sending: Sending, counted: int, bits: int, expected: Fate
) -> None:
    assert expected is fate(sending, int(bits) | counted << 4)


def outcomes(bench: IssuerBench) -> list[str]:
    return [each.outcome for each in bench.host.scripts.outbox.all(PAN)]


def test_a_script_is_sent_until_the_card_has_it() -> None:
    bench = IssuerBench()
    card = bench.card()
    number = bench.host.scripts.commands(PAN, [LIMIT], NOON)
    for _ in range(5):
        request = card.request()
        got = card.commands(request, bench.host.authorise(request))
        assert [number] == [name for name, _ in got]
        assert [""] == outcomes(bench)
    card.scripts = 1
    request = card.request()
    assert [] == card.commands(request, bench.host.authorise(request))
    assert ["done"] == outcomes(bench)


def test_a_script_that_fails_is_given_up_in_the_end() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.host.scripts.commands(PAN, [LIMIT], NOON)
    sent = []
    for _ in range(MOST_TIMES + 2):
        request = card.request()
        sent.append(len(card.commands(request, bench.host.authorise(request))))
        card.scripts, card.script_failed = 1, True
    assert [1] * MOST_TIMES + [0, 0] == sent
    assert ["failed"] == outcomes(bench)


def test_scripts_go_with_a_no_as_well() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.host.scripts.commands(PAN, [scripts.application_block()], NOON)
    bench.bank.freeze(bench.reference(), PAN, NOON)
    request = card.request()
    answer = bench.host.authorise(request)
    assert "62" == answer.response_code
    assert card.believes(request, answer)
    assert [0x1E] == [each.ins for _, found in card.commands(request, answer) for each in found]


def test_nothing_is_sent_to_a_card_that_has_proven_nothing() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.host.scripts.commands(PAN, [scripts.card_block()], NOON)
    assert b"" == bench.host.authorise(card.request(t9F26=bytes(8))).icc
    assert b"" == bench.host.authorise(card.request(result=2, t9F27=b"\x40")).icc


@pytest.mark.parametrize(
    ("outcome", "expected"), [(DONE, "done"), (FAILED, ""), (NOT, "")], ids=str
)
def test_the_terminal_tells_what_became_of_a_script(outcome: ScriptOutcome, expected: str) -> None:
    bench = IssuerBench()
    card = bench.card()
    number = bench.host.scripts.commands(PAN, [LIMIT], NOON)
    request = card.request()
    bench.host.authorise(request)
    told = card.request(
        amount=request.amount,
        reference=request.reference,
        advice=True,
        same=True,
        result=1,
        final=True,
        more={tags.SCRIPT_RESULTS: results((outcome, number))},
    )
    assert "00" == bench.host.advise(told).response_code
    assert [expected] == outcomes(bench)


# Loads


def balance_sent(
    card: BenchCard, request: AuthorisationRequest, answer: AuthorisationResponse
) -> int:
    ((_, (command,)),) = card.commands(request, answer)
    assert "00DA9F79" == bytes(command)[:4].hex().upper()
    return int(command.data.hex())


@pytest.mark.parametrize("purpose", [Purpose.LOAD, Purpose.CASH_LOAD])
def test_a_load_moves_the_money_and_tells_the_card_its_new_balance(purpose: Purpose) -> None:
    bench = IssuerBench()
    card = bench.card(cash=700)
    request = card.request(purpose, 5000)
    answer = bench.host.authorise(request)
    assert answer.approved and 5700 == balance_sent(card, request, answer)
    paid = 5000 if purpose is Purpose.LOAD else 0
    assert (1_000_000 - paid, 5000) == (bench.balance(), bench.cash())
    card.cash, card.scripts = 5700, 1
    bench.host.authorise(card.request())
    assert ["done"] == outcomes(bench)
    assert () == bench.bank.audit()


def test_a_load_that_never_arrived_is_undone_and_not_sent_again() -> None:
    bench = IssuerBench()
    card = bench.card(cash=700)
    load = card.request(Purpose.LOAD, 5000)
    bench.host.authorise(load)
    request = card.request(Purpose.LOAD, 1000)
    assert 1700 == balance_sent(card, request, bench.host.authorise(request))
    assert ["failed", ""] == outcomes(bench)
    # Nobody had told so before: the reversal comes too late to change anything.
    assert "00" == bench.host.reverse(reversal_of(load)).response_code
    assert (999_000, 1000) == (bench.balance(), bench.cash())
    assert () == bench.bank.audit()


def test_a_load_that_was_never_sent_is_undone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = IssuerBench()
    card = bench.card()
    load = card.request(Purpose.LOAD, 5000)
    with monkeypatch.context() as patch:
        patch.setattr(bench.host.scripts, "send", fails)
        with pytest.raises(NoAnswer):
            bench.host.authorise(load)
    assert 5000 == bench.cash()
    request = card.request(amount=1)
    assert [] == card.commands(request, bench.host.authorise(request))
    assert (999_999, 0) == (bench.balance(), bench.cash())


def fails(*_: object) -> None:
    raise BankUnavailable("busy")


@pytest.mark.parametrize("counted", [0, 1, 2, 15])
def test_a_load_never_leaves_the_card_s_counter_as_it_stood(counted: int) -> None:
    bench = IssuerBench()
    card = bench.card(cash=700, scripts=counted)
    request = card.request(Purpose.LOAD, 5000)
    ((_, commands),) = card.commands(request, bench.host.authorise(request))
    assert counted != len(commands)
    told = [int(each.data.hex()) for each in commands]
    assert [700] * (counted == 1) + [5700] == told


@pytest.mark.parametrize("got", [True, False])
def test_whether_a_load_arrived_is_known_even_when_the_next_transaction_failed(got: bool) -> None:
    # The card's counter stood at 1 from the load before; and it was online since, without an end.
    bench = IssuerBench()
    card = bench.card(scripts=1)
    request = card.request(Purpose.LOAD, 5000)
    ((_, commands),) = card.commands(request, bench.host.authorise(request))
    card.scripts = len(commands) if got else 1
    card.cash = 5000 if got else 0
    card.atc += 1
    not_completed = int(Cvr.LAST_ONLINE_NOT_COMPLETED)
    bench.host.authorise(card.request(amount=1, cvr=not_completed))
    assert ["done" if got else "failed"] == outcomes(bench)
    assert card.cash == bench.cash()


@pytest.mark.parametrize("late", [False, True], ids=["tap", "late"])
def test_what_is_no_new_transaction_in_a_slot_tells_nothing_and_gets_no_script(late: bool) -> None:
    bench = IssuerBench()
    card = bench.card()
    before = card.request(amount=1)
    bench.host.authorise(card.request(Purpose.LOAD, 5000))
    bench.host.scripts.commands(PAN, [LIMIT], NOON)
    other = before if late else card.request(amount=1, entry_mode=EntryMode.CONTACTLESS)
    assert [] == card.commands(other, bench.host.authorise(other))
    card.scripts, card.cash = 1, 5000
    bench.host.authorise(card.request(amount=1))
    assert ["done", ""] == outcomes(bench)
    assert 5000 == bench.cash()


@pytest.mark.parametrize("with_results", [True, False])
def test_a_load_that_is_reversed_is_undone_once_and_sent_no_more(with_results: bool) -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request(Purpose.LOAD, 5000)
    answer = bench.host.authorise(request)
    ((number, _),) = card.commands(request, answer)
    reversal = reversal_of(request, results((FAILED, number)) if with_results else b"")
    for _ in range(2):
        assert "00" == bench.host.reverse(reversal).response_code
        assert (1_000_000, 0) == (bench.balance(), bench.cash())
    request = card.request()
    assert [] == card.commands(request, bench.host.authorise(request))
    assert ["withdrawn"] == outcomes(bench)


def test_a_load_that_the_card_says_failed_is_undone_without_a_reversal() -> None:
    bench = IssuerBench()
    card = bench.card()
    load = card.request(Purpose.LOAD, 5000)
    bench.host.authorise(load)
    card.scripts, card.script_failed = 1, True
    bench.host.authorise(card.request(amount=1))
    assert (999_999, 0) == (bench.balance(), bench.cash())
    assert ["failed"] == outcomes(bench)
    assert "00" == bench.host.reverse(reversal_of(load)).response_code
    assert 999_999 == bench.balance()


@pytest.mark.parametrize("known_by", ["the CVR", "DF31"])
def test_a_load_that_the_card_has_is_not_undone(known_by: str) -> None:
    bench = IssuerBench()
    card = bench.card()
    request = card.request(Purpose.LOAD, 5000)
    ((number, _),) = card.commands(request, bench.host.authorise(request))
    df31 = b""
    if known_by == "DF31":
        df31 = results((DONE, number))
    else:
        card.scripts, card.cash = 1, 5000
        bench.host.authorise(card.request(amount=1))
    for _ in range(2):
        assert "12" == bench.host.reverse(reversal_of(request, df31)).response_code
    assert 5000 == bench.cash()


def test_a_load_needs_a_card_that_tells_its_balance_and_room_for_more() -> None:
    bench = IssuerBench()
    card = bench.card(tells_cash=False)
    assert "12" == bench.host.authorise(card.request(Purpose.LOAD, 100)).response_code
    card.tells_cash, card.cash = True, 10**10 - 100
    assert "13" == bench.host.authorise(card.request(Purpose.LOAD, 100)).response_code
    assert (1_000_000, 0) == (bench.balance(), bench.cash())


def test_a_load_and_another_script_do_not_go_together() -> None:
    bench = IssuerBench()
    card = bench.card()
    number = bench.host.scripts.commands(PAN, [LIMIT], NOON)
    request = card.request(Purpose.LOAD, 100)
    ((load, _),) = card.commands(request, bench.host.authorise(request))
    assert number != load
    card.scripts = 1
    request = card.request(amount=1)
    assert [number] == [each for each, _ in card.commands(request, bench.host.authorise(request))]


def test_a_pin_change_goes_alone_and_is_the_password() -> None:
    bench = IssuerBench()
    card = bench.card()
    bench.host.authorise(card.request(Purpose.LOAD, 100))
    bench.host.scripts.commands(PAN, [LIMIT], NOON)
    request = card.request(Purpose.PIN_CHANGE, 0, pin_block=bench.block())
    answer = bench.host.authorise(request)
    ((_, (command,)),) = card.commands(request, answer)
    assert "271828" == read_pin_change(command.data, card.own.pin_mask.reveal())
    assert "00" == bench.host.reverse(reversal_of(request)).response_code
    assert ["failed", "", "withdrawn"] == outcomes(bench)


def test_the_same_load_asked_twice_is_done_once_and_answered_alike() -> None:
    bench = IssuerBench()
    card = bench.card(scripts=1)
    request = card.request(Purpose.LOAD, 5000)
    first = bench.host.authorise(request)
    assert first == bench.host.authorise(request)
    assert 5000 == bench.cash()
    assert [""] == outcomes(bench)
