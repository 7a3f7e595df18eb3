# SPDX-License-Identifier: Apache-2.0
"""GENERATE AC on the chip: when it is answered, what it says and what it leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from acbench import IAD, Till, iad
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import (
    block,
    fen,
    in_use,
    lose_pin,
    payment_chip,
    published,
    state_of,
)
from testbench import sw

from apdu import dol
from apdu.crypto.cryptogram import transaction_key, verify_idd
from apdu.crypto.pinblock import build_iso_2
from apdu.tlv import parse, tlv
from apdu.wire.cryptogram import Cvn, TwoAmountsIdd, parse_idd
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from apdu.wire.pboc.commands import VERIFY_OFFLINE_PIN
from apdu.wire.pboc.flags import Ada, Cvr, Result, first_of, second_of
from apdu.wire.pboc.groups import CONTACT_IAD
from card_os.apps.pboc.state import CardState, Flag
from card_os.apps.pboc.transaction import Phase
from card_os.chip import Chip
from host.faults import NotAllowed

AAC, TC, ARQC = Result
WRONG_PHASE, WRONG_LENGTH = 0x6985, 0x6700
CASH = {tags.EC_INDICATOR: b"\x01"}
LISTS = 0x0402
"""The record with the card's CDOLs."""
NO_AUTHENTICATION_NEEDED = {tags.ISSUER_AUTHENTICATION_INDICATOR: b"\x00"}


def begun(chip: Chip | None = None, values: dict[int, bytes] | None = None) -> Till:
    till = Till(chip or in_use())
    assert 0x9000 == till.begin(values)
    return till


def lists(cdol1: str | None = None, cdol2: str | None = None) -> dict[int, bytes | None]:
    """A card that asks for other things; hexadecimal."""
    (template,) = parse(published()[LISTS])
    found = {item.tag: item.value for item in template.children}
    found[tags.CDOL1] = found[tags.CDOL1] if cdol1 is None else bytes.fromhex(cdol1)
    found[tags.CDOL2] = found[tags.CDOL2] if cdol2 is None else bytes.fromhex(cdol2)
    inside = [tlv(tag, value) for tag, value in found.items()]
    return {LISTS: bytes(tlv(tags.RECORD_TEMPLATE, inside))}


# When it is answered


def test_a_transaction_offline_is_one_cryptogram() -> None:
    till = begun()
    assert TC is till.first(TC)
    assert (TC, ARQC) == (first_of(till.cvr), second_of(till.cvr))
    assert Phase.ENDED is till.transaction.phase


def test_a_transaction_online_is_two() -> None:
    till = begun()
    assert ARQC is till.first(ARQC)
    assert Phase.CARD_ACTION is till.transaction.phase
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)
    assert (ARQC, TC) == (first_of(till.cvr), second_of(till.cvr))
    assert Phase.ONLINE is till.transaction.phase
    assert till.arqc.atc == till.answer.atc
    # What comes behind is bound to the first one.
    assert till.arqc.ac == till.transaction.ac


@pytest.mark.parametrize("wanted", Result)
def test_before_gpo_there_is_none(wanted: Result) -> None:
    till = begun()
    data = till.data(tags.CDOL1)
    till.reader.select()
    assert WRONG_PHASE == sw(till.ask(wanted, data))
    assert Phase.SELECTED is till.transaction.phase


@pytest.mark.parametrize("wanted", Result)
@pytest.mark.parametrize("first", [AAC, TC])
def test_behind_a_tc_or_an_aac_there_is_no_other(wanted: Result, first: Result) -> None:
    till = begun()
    assert first is till.first(first)
    before = till.chip.snapshot()
    for tag in (tags.CDOL1, tags.CDOL2):
        assert WRONG_PHASE == sw(till.ask(wanted, till.data(tag)))
    assert before == till.chip.snapshot()


@pytest.mark.parametrize("wanted", Result)
@pytest.mark.parametrize("second", [AAC, TC])
def test_behind_the_second_there_is_no_third(wanted: Result, second: Result) -> None:
    till = begun()
    till.first(ARQC)
    till.authenticate()
    assert second is till.second(second)
    before = till.chip.snapshot()
    for tag in (tags.CDOL1, tags.CDOL2):
        assert WRONG_PHASE == sw(till.ask(wanted, till.data(tag)))
    assert before == till.chip.snapshot()


def test_a_second_arqc_is_refused_and_the_transaction_goes_on() -> None:
    till = begun()
    till.first(ARQC)
    assert WRONG_PHASE == sw(till.ask(ARQC, till.data(tags.CDOL2)))
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)


@pytest.mark.parametrize("anew", ["select", "reset"])
def test_a_transaction_does_not_outlive_its_session(anew: str) -> None:
    till = begun()
    till.first(ARQC)
    data = till.data(tags.CDOL2)
    if anew == "reset":
        till.chip.reset()
    till.reader.select()
    assert [WRONG_PHASE] * 2 == [sw(till.ask(wanted, data)) for wanted in (TC, AAC)]


def test_there_is_no_fourth_kind_of_cryptogram() -> None:
    till = begun()
    raw = bytes.fromhex("80AEC000") + bytes((32,)) + till.data(tags.CDOL1) + b"\0"
    assert 0x6A86 == sw(till.chip.transmit(raw))
    assert TC is till.first(TC)


@pytest.mark.parametrize("change", [-1, 1])
def test_data_that_are_not_as_long_as_the_list_are_refused(change: int) -> None:
    till = begun()
    for tag in (tags.CDOL1, tags.CDOL2):
        data = till.data(tag)
        wrong = data[:-1] if change < 0 else data + b"\0"
        assert WRONG_LENGTH == sw(till.ask(AAC, wrong))
        if tag == tags.CDOL1:
            till.first(ARQC)
    assert AAC is till.second(AAC)


@pytest.mark.parametrize("amount", ["00000000000A", "FFFFFFFFFFFF", "0000000000F0"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    till = begun()
    before = till.chip.snapshot()
    data = till.data(tags.CDOL1, {tags.AMOUNT: bytes.fromhex(amount)})
    assert 0x6A80 == sw(till.ask(TC, data))
    assert before == till.chip.snapshot()
    assert TC is till.first(TC)


FULL = "9F02069F03069F1A0295055F2A029A039C019F3704"


@pytest.mark.parametrize("lost", range(8))
def test_a_list_without_what_the_cryptogram_needs_gives_none(lost: int) -> None:
    parts = ("9F0206", "9F0306", "9F1A02", "9505", "5F2A02", "9A03", "9C01", "9F3704")
    less = "".join(part for at, part in enumerate(parts) if at != lost)
    till = begun(in_use(groups=lists(cdol1=less)))
    before = till.chip.snapshot()
    assert WRONG_PHASE == sw(till.ask(TC, till.data(tags.CDOL1)))
    assert before == till.chip.snapshot()
    other = begun(in_use(groups=lists(cdol2="8A02" + less)))
    other.first(ARQC)
    assert WRONG_PHASE == sw(other.ask(AAC, other.data(tags.CDOL2)))


def test_an_element_of_another_length_is_not_what_the_cryptogram_needs() -> None:
    till = begun(in_use(groups=lists(cdol1=FULL.replace("9505", "9504"))))
    assert WRONG_PHASE == sw(till.ask(TC, till.data(tags.CDOL1)))


def test_without_the_issuer_s_code_there_is_no_second() -> None:
    till = begun(in_use(groups=lists(cdol2=FULL)))
    till.first(ARQC)
    assert WRONG_PHASE == sw(till.ask(AAC, till.data(tags.CDOL2)))


@pytest.mark.parametrize("order", [FULL, "9F37049C019A035F2A0295059F1A029F03069F0206"])
def test_the_order_of_a_list_is_the_card_s_own_affair(order: str) -> None:
    till = begun(in_use(groups=lists(order, "8A02" + order)))
    till.first(ARQC)
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)


# What it says


@given(
    amount=st.integers(0, LARGEST_AMOUNT),
    other=st.integers(0, LARGEST_AMOUNT),
    country=st.binary(min_size=2, max_size=2),
    tvr=st.binary(min_size=5, max_size=5),
    currency=st.binary(min_size=2, max_size=2),
    number=st.binary(min_size=4, max_size=4),
    wanted=st.sampled_from(Result),
    cvn=st.sampled_from(Cvn),
)
def test_a_cryptogram_is_over_what_the_terminal_said_and_the_card_found(
    amount: int,
    other: int,
    country: bytes,
    tvr: bytes,
    currency: bytes,
    number: bytes,
    wanted: Result,
    cvn: Cvn,
) -> None:
    till = begun(in_use(groups=iad(IAD[:2] + bytes((cvn,)) + IAD[3:])))
    till.first(
        wanted,
        {
            tags.AMOUNT: fen(amount),
            tags.OTHER_AMOUNT: fen(other),
            tags.TERMINAL_COUNTRY: country,
            tags.TVR: tvr,
            tags.CURRENCY: currency,
            tags.UNPREDICTABLE_NUMBER: number,
        },
    )
    assert not till.proves(bytes(8))
    assert (cvn, 1) == (till.iad.cvn, till.iad.key_index)
    if till.result is ARQC:
        assert AAC is till.second(AAC, b"05")


TELLS = {
    "0A01": lambda state: [state.balance],
    "0A02": lambda state: [state.spent],
    "0F03": lambda state: [state.balance, state.spent],
    "0F04": lambda state: [state.spent, 70_000],
    "0A05": lambda state: [state.balance],
    "0A06": lambda state: [state.balance],
}


@pytest.mark.parametrize("kind", TELLS)
@pytest.mark.parametrize("balance", [0, 123_456, LARGEST_AMOUNT])
def test_the_issuer_is_told_the_amounts_it_wants_as_they_are_afterwards(
    kind: str, balance: int
) -> None:
    size = 14 if kind[1] == "F" else 9
    template = IAD[:8] + bytes.fromhex(kind) + bytes(size)
    chip = in_use({tags.CTTAL: fen(70_000)}, iad(template), balance=balance, spent=5_000)
    till = begun(chip, {tags.AMOUNT: fen(150)})
    assert TC is till.first(TC)
    found = parse_idd(till.iad.discretionary)
    session = transaction_key(till.key(1), Cvn.CVN_01, till.answer.atc)
    assert verify_idd(session, till.answer.atc, found)
    told = [found.first, found.second] if isinstance(found, TwoAmountsIdd) else [found.amount]
    state = state_of(chip)
    assert 5_150 == state.spent
    assert [fen(each)[1:] for each in TELLS[kind](state)] == told


@pytest.mark.parametrize("own", ["", "0411223344", "0A07112233445566778899"])
def test_data_of_the_issuer_s_own_stay_as_they_are(own: str) -> None:
    till = begun(in_use(groups=iad(IAD[:8] + bytes.fromhex(own))))
    till.first(TC)
    assert bytes.fromhex(own) == till.iad.discretionary


def test_a_card_without_9f10_gives_no_cryptogram() -> None:
    till = begun(in_use(groups={CONTACT_IAD: None}))
    before = till.chip.snapshot()
    assert WRONG_PHASE == sw(till.ask(TC, till.data(tags.CDOL1)))
    assert before == till.chip.snapshot()


@pytest.mark.parametrize(
    "template", ["07", "0701020300000001", "07010103000000", IAD[:8].hex() + "00" * 25]
)
def test_a_card_is_not_given_another_9f10_than_there_is(template: str) -> None:
    with pytest.raises(NotAllowed):
        payment_chip(groups=iad(bytes.fromhex(template)))


# What it leaves


def only(before: CardState, **changes: int) -> CardState:
    return replace(before, **changes)


def test_an_arqc_is_remembered_until_the_issuer_has_answered() -> None:
    till = begun()
    before = state_of(till.chip)
    till.first(ARQC)
    asked = only(before, flags=int(Flag.ONLINE_REQUESTED))
    assert asked == state_of(till.chip)
    assert 0x9000 == till.authenticate()
    assert asked == state_of(till.chip)
    till.second(TC)
    assert only(before, last_online_atc=before.atc) == state_of(till.chip)


def test_an_unfinished_transaction_makes_the_next_one_go_online() -> None:
    till = begun()
    till.first(ARQC)
    till.begin()
    assert ARQC is till.first(TC)
    assert till.cvr & Cvr.LAST_ONLINE_NOT_COMPLETED


def test_a_tc_is_counted_and_logged() -> None:
    till = begun(values={tags.AMOUNT: fen(321)})
    before = state_of(till.chip)
    assert TC is till.first(TC)
    assert only(before, spent=321, spent_dual=321) == state_of(till.chip)
    record = till.reader.record(11, 1)[:-2]
    layout = till.reader.data(tags.LOG_FORMAT)
    assert layout is not None
    said = {**till.said, tags.ATC: till.answer.atc}
    assert dol.fill(layout, said) == record


def test_what_was_approved_online_is_logged_with_what_was_said_last() -> None:
    till = begun(in_use(NO_AUTHENTICATION_NEEDED))
    till.first(ARQC)
    assert 0x6A83 == sw(till.reader.record(11, 1))
    assert TC is till.second(TC, values={tags.TIME: bytes.fromhex("235959")})
    record = till.reader.record(11, 1)[:-2]
    assert bytes.fromhex("235959") == record[3:6]
    assert till.said[tags.MERCHANT_NAME] in record


@pytest.mark.parametrize("wanted", [AAC, ARQC])
def test_what_is_not_approved_is_not_logged(wanted: Result) -> None:
    till = begun()
    till.first(wanted)
    if wanted is ARQC:
        till.second(AAC)
    assert 0x6A83 == sw(till.reader.record(11, 1))


def test_a_blocked_application_declines_and_stays_open_to_scripts() -> None:
    for wanted in Result:
        chip = in_use()
        block(chip)
        till = begun(chip)
        assert AAC is till.first(wanted)
        assert (Phase.ENDED, till.answer.ac) == (till.transaction.phase, till.transaction.ac)


def test_a_card_that_blocks_itself_gives_no_cryptogram_and_declines_from_then_on() -> None:
    chip = in_use({tags.ADA: int(Ada.BLOCK_ON_EARLIER_PIN_TRIES).to_bytes(2)})
    lose_pin(chip)
    till = begun(chip)
    before = state_of(chip)
    assert WRONG_PHASE == sw(till.ask(TC, till.data(tags.CDOL1)))
    assert before == state_of(chip)
    assert WRONG_PHASE == sw(till.ask(TC, till.data(tags.CDOL1)))
    assert 0x6283 == till.reader.select()
    for _ in range(2):
        assert 0x9000 == till.begin()
        assert AAC is till.first(TC)
        assert till.cvr & Cvr.PIN_TRIES_EXCEEDED


def test_a_pin_that_is_lost_now_is_not_one_that_was_lost_earlier() -> None:
    chip = in_use({tags.ADA: int(Ada.DECLINE_ON_EARLIER_PIN_TRIES).to_bytes(2)})
    till = begun(chip)
    tries = [till.reader.send(VERIFY_OFFLINE_PIN, None, build_iso_2("4321")) for _ in range(3)]
    assert [0x63C2, 0x63C1, 0x63C0] == [sw(answer) for answer in tries]
    assert TC is till.first(TC)
    assert till.cvr & Cvr.PIN_TRIES_EXCEEDED
    till.begin()
    assert AAC is till.first(TC)


def test_a_counter_at_its_end_stays_there() -> None:
    chip = in_use(spent=LARGEST_AMOUNT - 1)
    till = begun(chip, {tags.AMOUNT: fen(100)})
    assert TC is till.first(TC)
    assert LARGEST_AMOUNT == state_of(chip).spent
