# SPDX-License-Identifier: Apache-2.0
"""What a tap costs, and when: with the last record, once, and wherever the power goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import (
    TERMINAL,
    Reader,
    block,
    chip_of,
    context,
    fen,
    lived,
    lose_pin,
    payment_cells,
    payment_chip,
    state_of,
)
from paymenttears import PaymentScenario, torn_chips, torn_states
from tapbench import (
    BITS,
    FIELD,
    LAST,
    ONLINE,
    Parameters,
    asked,
    card,
    cvr_of,
    tap,
)
from testbench import SELECT_DEBIT, command, sw

from apdu.wire.iso7816 import READ_RECORD, RecordRef
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.commands import GET_PROCESSING_OPTIONS
from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.flags import Ctq, Cvr, Result, Ttq, first_of
from card_os.apps.pboc.transaction import Phase, current
from card_os.chip import Chip

# What it costs, and when


def test_nothing_but_the_counter_has_changed_before_the_last_record() -> None:
    chip = card()
    before = state_of(chip)
    reader, _ = tap(chip)
    for place in reader.places()[:-1]:
        reader.record(*place)
        assert (before.atc + 1, 5000, 0) == _costs(chip)
    assert 0x6A83 == sw(reader.record(11, 1))
    reader.record(*LAST)
    assert (before.atc + 1, 4900, 0) == _costs(chip)


def _costs(chip: Chip) -> tuple[int, int, int]:
    state = state_of(chip)
    return state.atc, state.balance, state.spent


def test_the_last_record_costs_once_however_often_it_is_read() -> None:
    chip = card()
    reader, _ = tap(chip)
    first = [reader.record(*LAST) for _ in range(3)]
    assert 1 == len(set(first))
    assert 4900 == state_of(chip).balance
    assert 0x9000 == sw(reader.record(11, 1))
    assert 0x6A83 == sw(reader.record(11, 2))


@pytest.mark.parametrize("away", ["reset", "select"])
def test_who_takes_the_card_away_before_has_paid_nothing(away: str) -> None:
    chip = card()
    reader, _ = tap(chip)
    if away == "reset":
        reader = Reader(chip, FIELD)
    else:
        reader.select()
    reader.record(*LAST)
    assert 5000 == state_of(chip).balance


@pytest.mark.parametrize("values", [ONLINE, {**asked(Ttq.OFFLINE_ONLY), tags.AMOUNT: fen(4999)}])
def test_what_is_not_approved_costs_nothing(values: dict[int, bytes]) -> None:
    chip = card(parameters={tags.CARD_CVM_LIMIT: None})
    reader, _ = tap(chip, values)
    reader.record(*LAST)
    assert 5000 == state_of(chip).balance
    assert 0x6A83 == sw(reader.record(11, 1))


def test_a_tap_is_over_when_it_is_paid() -> None:
    reader, _ = tap(card())
    assert Phase.TAPPED is current(context(reader.chip)).phase
    reader.record(*LAST)
    assert Phase.ENDED is current(context(reader.chip)).phase
    assert 0x6985 == sw(reader.ask())


def test_the_log_has_what_the_terminal_said_and_the_counter() -> None:
    chip = card()
    reader, found = tap(chip)
    reader.records()
    expected = (
        TERMINAL[tags.DATE]
        + bytes(3)  # 9F21: the PDOL does not ask for the time
        + TERMINAL[tags.AMOUNT]
        + TERMINAL[tags.OTHER_AMOUNT]
        + TERMINAL[tags.TERMINAL_COUNTRY]
        + TERMINAL[tags.CURRENCY]
        + bytes(20)  # 9F4E, as well
        + TERMINAL[tags.TRANSACTION_TYPE]
        + found[tags.ATC]
    )
    assert expected + b"\x90\x00" == reader.record(11, 1)


def test_a_card_that_is_not_to_log_taps_does_not() -> None:
    chip = card(BITS & ~Bit.LOG_TRANSACTIONS)
    reader, _ = tap(chip)
    reader.records()
    assert 4900 == state_of(chip).balance
    assert 0x6A83 == sw(reader.record(11, 1))


def test_the_log_keeps_ten_taps_the_newest_first() -> None:
    chip = card()
    for amount in range(1, 13):
        reader, _ = tap(chip, {tags.AMOUNT: fen(amount)})
        reader.records()
    logged = [amount_of(reader.record(11, number)[6:12]) for number in range(1, 11)]
    assert list(range(12, 2, -1)) == logged
    assert 0x6A83 == sw(reader.record(11, 11))


# The card's circumstances


def test_a_card_that_was_never_online_says_so() -> None:
    _, found = tap(card(BITS | Bit.NEW_CARD_CHECK, last_online_atc=0))
    assert Result.ARQC is first_of(cvr_of(found))
    assert Cvr.NEW_CARD in Cvr(cvr_of(found))


def test_a_card_whose_pin_is_blocked_says_so() -> None:
    chip = card(BITS | Bit.PIN_TRIES_CHECK)
    assert Result.TC is first_of(cvr_of(tap(chip)[1]))
    lose_pin(chip)
    _, found = tap(chip)
    assert Result.ARQC is first_of(cvr_of(found))
    assert Cvr.PIN_TRIES_EXCEEDED in Cvr(cvr_of(found))


def test_a_blocked_application_declines() -> None:
    chip = card()
    block(chip)
    _, found = tap(chip)
    assert Result.AAC is first_of(cvr_of(found))
    assert tags.AFL not in found


def test_a_limit_that_was_exceeded_is_told() -> None:
    _, found = tap(card(), {tags.AMOUNT: fen(1001), **asked(Ttq.ONLINE_PIN, Ttq.SIGNATURE)})
    assert Ctq.ONLINE_PIN in Ctq(int.from_bytes(found[tags.CTQ]))
    chip = card(parameters={tags.CARD_CVM_LIMIT: None})
    _, found = tap(chip, {tags.AMOUNT: fen(1001)})
    assert Cvr.VELOCITY_EXCEEDED in Cvr(cvr_of(found))


DOLLARS = {tags.CURRENCY: bytes.fromhex("0840")}


def test_other_currencies_are_counted_and_cost_nothing_of_the_own() -> None:
    chip = card(BITS | Bit.OFFLINE_IN_OTHER_CURRENCY)
    for counted in (1, 2, 3):
        reader, found = tap(chip, DOLLARS)
        assert Result.TC is first_of(cvr_of(found))
        reader.records()
        assert (counted, 5000) == (state_of(chip).international_currency, state_of(chip).balance)
    _, found = tap(chip, DOLLARS)
    assert Result.ARQC is first_of(cvr_of(found))


def test_without_a_limit_of_other_currencies_the_counter_stops_at_its_end() -> None:
    parameters: Parameters = {tags.INTERNATIONAL_CURRENCY_LIMIT: None}
    bits = BITS | Bit.OFFLINE_IN_OTHER_CURRENCY
    for count, result in ((254, Result.TC), (255, Result.ARQC)):
        chip = card(bits, parameters, international_currency=count)
        reader, found = tap(chip, DOLLARS)
        assert result is first_of(cvr_of(found))
        reader.record(*LAST)
        assert 255 == state_of(chip).international_currency


SECOND: Parameters = {
    tags.SECOND_EC_CURRENCY: DOLLARS[tags.CURRENCY],
    tags.SECOND_EC_SINGLE_LIMIT: fen(300),
    tags.SECOND_EC_BALANCE: fen(2000),
    tags.SECOND_EC_THRESHOLD: fen(1000),
    tags.SECOND_EC_CVM_LIMIT: fen(250),
}


@pytest.mark.parametrize(
    ("amount", "result", "ctq"),
    [
        (250, Result.TC, 0x3000),
        (251, Result.TC, 0x7000),
        (301, Result.ARQC, 0x7000),
    ],
)
def test_cash_of_the_second_currency_has_its_own_limits(
    amount: int, result: Result, ctq: int
) -> None:
    chip = card(parameters=SECOND)
    values = {**DOLLARS, tags.AMOUNT: fen(amount), **asked(Ttq.SIGNATURE)}
    reader, found = tap(chip, values)
    assert result is first_of(cvr_of(found))
    assert ctq == int.from_bytes(found[tags.CTQ])
    reader.record(*LAST)
    spent = amount if result is Result.TC else 0
    assert (5000, 2000 - spent) == (state_of(chip).balance, state_of(chip).second_balance)


def test_cash_of_the_second_currency_has_its_own_threshold() -> None:
    chip = card(parameters={**SECOND, tags.SECOND_EC_BALANCE: fen(1099)})
    assert Result.ARQC is first_of(cvr_of(tap(chip, DOLLARS)[1]))


def test_the_second_currency_is_known_to_the_cash_check_alone() -> None:
    limits: Parameters = {tags.CTTAL: fen(900)}
    chip = card(Bit.CASH_OR_CTTA_CHECK | Bit.REJECT_OTHER_CURRENCY, {**SECOND, **limits})
    assert Result.AAC is first_of(cvr_of(tap(chip, DOLLARS)[1]))


def test_a_second_currency_that_is_the_own_has_no_cash_of_its_own() -> None:
    own = {**SECOND, tags.SECOND_EC_CURRENCY: bytes.fromhex("0156")}
    chip = card(parameters=own)
    reader, _ = tap(chip)
    reader.record(*LAST)
    assert (4900, 2000) == (state_of(chip).balance, state_of(chip).second_balance)


@pytest.mark.parametrize(
    ("method", "balance", "spent"),
    [
        (Bit.CASH_CHECK, 4900, 10),
        (Bit.CASH_AND_CTTA_CHECK, 4900, 110),
        (Bit.CASH_OR_CTTA_CHECK, 4900, 10),
    ],
)
def test_prepaid_money_is_gone_with_the_question(method: Bit, balance: int, spent: int) -> None:
    limits: Parameters = {tags.CTTAL: fen(500)}
    chip = card(method | Bit.PREPAID | Bit.LOG_TRANSACTIONS, limits, spent=10)
    reader, found = tap(chip, ONLINE)
    assert Result.ARQC is first_of(cvr_of(found))
    assert (balance, spent) == (state_of(chip).balance, state_of(chip).spent)
    assert 0x6A83 == sw(reader.record(11, 1))


# Many taps


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1200),
            st.sampled_from(("read", "away", "online", "offline")),
        ),
        max_size=12,
    ),
    st.sampled_from((Bit.CASH_CHECK, Bit.CASH_AND_CTTA_CHECK, Bit.CASH_OR_CTTA_CHECK)),
)
def test_balance_and_counter_are_what_was_approved_and_read(
    taps: list[tuple[int, str]], method: Bit
) -> None:
    limits: Parameters = {tags.CTTAL: fen(2000), tags.CARD_CVM_LIMIT: None}
    chip = card(method | Bit.LOG_TRANSACTIONS, limits)
    paid = 0
    for amount, how in taps:
        terminal = {"online": ONLINE, "offline": asked(Ttq.OFFLINE_ONLY)}.get(how, asked())
        reader, found = tap(chip, {tags.AMOUNT: fen(amount), **terminal})
        if how != "away":
            reader.record(*LAST)
            if first_of(cvr_of(found)) is Result.TC:
                paid += amount
        state = state_of(chip)
        taken = 5000 - state.balance
        if method is Bit.CASH_CHECK:
            assert (paid, 0) == (taken, state.spent)
        elif method is Bit.CASH_AND_CTTA_CHECK:
            assert (paid, paid) == (taken, state.spent)
        else:
            assert paid == taken + state.spent
        assert state.balance >= 0
        assert state.spent <= 2000


# Losing power

MEMORY = {
    tags.CARD_PROCESSING: int(BITS).to_bytes(4),
    tags.EC_RESET_THRESHOLD: fen(0),
    tags.EC_BALANCE: fen(5000),
}


def memory(bits: Bit = BITS) -> bytes:
    parameters = {**MEMORY, tags.CARD_PROCESSING: int(bits).to_bytes(4)}
    return lived(payment_cells(parameters), last_online_atc=1, atc=1)


def options_command(values: dict[int, bytes] | None = None) -> bytes:
    return command(GET_PROCESSING_OPTIONS, None, Reader(payment_chip(), FIELD).fill(values))


def read(sfi: int, number: int) -> bytes:
    return command(READ_RECORD, RecordRef(number, sfi))


def test_wherever_the_last_record_is_torn_balance_and_log_are_old_or_new_together() -> None:
    scenario = PaymentScenario(
        "last record",
        setup=(SELECT_DEBIT, options_command()),
        torn=(read(*LAST),),
        memory=memory(),
        interface=FIELD,
    )
    seen = set()
    for chip in torn_chips(scenario):
        state = state_of(chip)
        logged = sw(Reader(chip, FIELD).record(11, 1)) == 0x9000
        seen.add((state.atc, state.balance, logged))
    assert {(2, 5000, False), (2, 4900, True)} == seen


def test_wherever_a_prepaid_tap_is_torn_it_is_not_paid_without_being_counted() -> None:
    scenario = PaymentScenario(
        "prepaid",
        setup=(SELECT_DEBIT,),
        torn=(options_command(ONLINE),),
        memory=memory(Bit.CASH_CHECK | Bit.PREPAID),
        interface=FIELD,
    )
    seen = {(state.atc, state.balance) for state in torn_states(scenario)}
    assert {(1, 5000), (2, 5000), (2, 4900)} == seen


def test_a_tap_that_was_torn_can_be_tapped_again() -> None:
    scenario = PaymentScenario(
        "last record",
        setup=(SELECT_DEBIT, options_command()),
        torn=(read(*LAST),),
        memory=memory(),
        interface=FIELD,
    )
    for chip in torn_chips(scenario):
        before = state_of(chip).balance
        reader, _ = tap(chip_of(bytes(chip._flash.cells)))
        reader.records()
        assert before - 100 == state_of(reader.chip).balance
