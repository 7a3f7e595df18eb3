# SPDX-License-Identifier: Apache-2.0
"""GET PROCESSING OPTIONS: when a transaction begins, what it costs, and which way it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import (
    Reader,
    block,
    chip_of,
    context,
    fci,
    in_use,
    lived,
    payment_cells,
    payment_chip,
    state_of,
    with_pdol,
)
from paymenttears import PaymentScenario
from tearing import done_or_not_and_tried_again
from testbench import SELECT_DEBIT, command, sw
from waybench import CARD, DEBIT_AFL, ttq, way

from apdu.atr import Interface
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import GET_PROCESSING_OPTIONS
from apdu.wire.pboc.flags import Ttq
from apdu.wire.pboc.groups import CONTACT_FCI, CONTACTLESS_FCI
from apdu.wire.perso import Life
from card_os.apps.pboc import contactless, processing
from card_os.apps.pboc.state import LARGEST_ATC
from card_os.apps.pboc.tap import Tap, Verdict
from card_os.apps.pboc.transaction import Phase, current

# The state machine


def test_the_answer_in_the_slot_is_aip_and_afl_in_format_1() -> None:
    answer = Reader(payment_chip()).ask()
    assert bytes.fromhex("8012 7C00") + DEBIT_AFL + bytes.fromhex("9000") == answer


def test_a_second_gpo_is_refused_and_counts_nothing() -> None:
    reader = Reader(payment_chip())
    assert 0x9000 == sw(reader.ask())
    assert 0x6985 == sw(reader.ask())
    assert 1 == state_of(reader.chip).atc


def test_select_begins_anew() -> None:
    reader = Reader(payment_chip())
    reader.options()
    assert 0x9000 == reader.select()
    assert 0x9000 == sw(reader.ask())
    assert 2 == state_of(reader.chip).atc


@pytest.mark.parametrize("size", [0, 30, 32])
def test_other_data_than_the_pdol_asks_for_is_refused_and_costs_nothing(size: int) -> None:
    reader = Reader(payment_chip())
    assert 0x6700 == sw(reader.send(GET_PROCESSING_OPTIONS, None, bytes(size)))
    assert 0 == state_of(reader.chip).atc
    assert 0x9000 == sw(reader.ask())


@pytest.mark.parametrize("data", ["8400", "831E", "83008300", "1234"])
def test_data_in_another_template_is_refused_and_costs_nothing(data: str) -> None:
    reader = Reader(payment_chip())
    size = len(data) // 2
    sent = bytes.fromhex(f"80A80000{size:02X}{data}00")
    assert 0x6A80 == sw(reader.transmit(sent))
    assert 0 == state_of(reader.chip).atc


@pytest.mark.parametrize("interface", list(Interface))
def test_an_amount_that_is_none_is_refused_and_costs_nothing(interface: Interface) -> None:
    reader = Reader(payment_chip(), interface)
    assert 0x6A80 == sw(reader.ask({tags.AMOUNT: bytes.fromhex("00000000010A")}))
    assert 0 == state_of(reader.chip).atc
    assert 0x9000 == sw(reader.ask({**ttq(Ttq.QPBOC, Ttq.CRYPTOGRAM_REQUIRED)}))


def test_a_card_without_a_pdol_takes_no_data() -> None:
    chip = payment_chip(groups={CONTACT_FCI: fci(False, None)})
    reader = Reader(chip)
    assert 0x6700 == sw(reader.send(GET_PROCESSING_OPTIONS, None, b"\0"))
    assert b"" == reader.fill()
    assert DEBIT_AFL == reader.options()[tags.AFL]


def test_a_blocked_application_still_answers_in_the_slot() -> None:
    chip = payment_chip()
    block(chip)
    reader = Reader(chip)
    assert 0x6283 == reader.select()
    assert DEBIT_AFL == reader.options()[tags.AFL]


# The counter


def test_the_counter_has_moved_for_good_before_anything_is_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = payment_chip()
    seen = []

    def spy(tap: Tap) -> Verdict:
        after_a_cut = chip_of(bytes(chip._flash.cells))
        seen.append(state_of(after_a_cut).atc)
        return decide(tap)

    decide = contactless.decide
    monkeypatch.setattr(contactless, "decide", spy)
    Reader(chip, Interface.CONTACTLESS).options(ttq(Ttq.QPBOC, Ttq.CRYPTOGRAM_REQUIRED))
    assert [1] == seen


def test_what_is_refused_after_the_count_has_cost_a_number_and_is_over() -> None:
    reader = Reader(in_use(), Interface.CONTACTLESS)
    assert 0x6985 == sw(reader.ask(ttq(Ttq.CONTACT_PBOC)))
    assert 2 == state_of(reader.chip).atc
    assert Phase.ENDED is current(context(reader.chip)).phase
    assert 0x6985 == sw(reader.ask())
    assert 2 == state_of(reader.chip).atc


@pytest.mark.parametrize("interface", list(Interface))
def test_the_counter_never_begins_anew(interface: Interface) -> None:
    chip = in_use(atc=LARGEST_ATC - 2)
    reader = Reader(chip, interface)
    assert 0x9000 == sw(reader.ask())
    assert LARGEST_ATC - 1 == state_of(chip).atc
    for _ in range(3):
        reader = Reader(chip, interface)
        assert 0x6985 == sw(reader.ask())
        assert LARGEST_ATC == state_of(chip).atc
        assert 0x6283 == reader.select()


def test_unblocking_gives_no_new_numbers() -> None:
    chip = in_use(atc=LARGEST_ATC)
    reader = Reader(chip)
    assert 0x6985 == sw(reader.ask())
    directory = context(chip).session.directory
    context(chip).tree.set_life(directory, Life.ACTIVATED)
    assert 0x6985 == sw(Reader(chip).ask())
    assert LARGEST_ATC == state_of(chip).atc


def test_a_card_that_runs_out_of_numbers_is_blocked_at_once() -> None:
    reader = Reader(in_use(atc=LARGEST_ATC - 1))
    assert 0x6985 == sw(reader.ask())
    assert context(reader.chip).session.stage == processing._BLOCKED


STEPS = st.lists(
    st.sampled_from(("select", "ask", "wrong", "amount", "reset", "field", "read")), max_size=40
)


@given(STEPS)
def test_the_counter_counts_every_transaction_that_begins_and_nothing_else(
    steps: list[str],
) -> None:
    reader = Reader(in_use(atc=5))
    expected, fresh = 5, True
    for step in steps:
        match step:
            case "select":
                reader.select()
                fresh = True
            case "reset" | "field":
                interface = Interface.CONTACT if step == "reset" else Interface.CONTACTLESS
                reader = Reader(reader.chip, interface)
                fresh = True
            case "ask":
                reader.ask()
                expected += fresh
                fresh = False
            case "wrong":
                reader.send(GET_PROCESSING_OPTIONS, None, b"\0")
            case "amount":
                reader.ask({tags.AMOUNT: b"\xff" * 6})
            case "read":
                reader.record(2, 1)
        assert expected == state_of(reader.chip).atc


# Which algorithm


@pytest.mark.parametrize(("said", "sm"), [("00", False), ("01", True), ("02", False)])
@pytest.mark.parametrize("interface", list(Interface))
def test_the_terminal_says_whether_it_is_sm(interface: Interface, said: str, sm: bool) -> None:
    reader = Reader(in_use(base="sm2"), interface)
    reader.options({tags.SM_INDICATOR: bytes.fromhex(said)})
    route = current(context(reader.chip)).route
    assert route is not None
    assert sm == (route.algorithm.name == "SM4")


def test_a_card_without_sm_records_takes_the_others() -> None:
    chip = payment_chip(groups=with_pdol(contact=bytes.fromhex("DF6901")))
    assert DEBIT_AFL == Reader(chip).options({tags.SM_INDICATOR: b"\x01"})[tags.AFL]


def test_a_card_that_has_only_sm_refuses_a_terminal_that_has_not() -> None:
    chip = payment_chip(groups={0x9104: None, 0x9203: None, 0x9207: None}, base="sm2")
    assert 0x6985 == sw(Reader(chip).ask())
    assert 0x9000 == sw(Reader(chip).ask({tags.SM_INDICATOR: b"\x01"}))


# In the field


def test_a_terminal_of_qpboc_gets_a_cryptogram() -> None:
    found = Reader(in_use(CARD), Interface.CONTACTLESS).options(ttq(Ttq.QPBOC))
    assert {tags.AC, tags.IAD, tags.ATC} <= found.keys()


@pytest.mark.parametrize("more", [(), (Ttq.QPBOC,), (Ttq.CONTACT_PBOC,)])
def test_a_terminal_of_contactless_pboc_gets_what_it_would_in_the_slot(
    more: tuple[Ttq, ...],
) -> None:
    reader = Reader(in_use(CARD), Interface.CONTACTLESS)
    assert DEBIT_AFL == reader.options(ttq(Ttq.CONTACTLESS_PBOC, *more))[tags.AFL]
    assert Phase.INITIATED is current(context(reader.chip)).phase


def test_cash_is_spent_in_the_field_where_the_card_asks_for_it() -> None:
    chip = in_use(CARD, with_pdol(contactless=bytes.fromhex("9F7A01")))
    assert "cash" == way(Reader(chip, Interface.CONTACTLESS), ttq(Ttq.CONTACTLESS_PBOC))


@pytest.mark.parametrize("bits", [(), (Ttq.CONTACT_PBOC,), (Ttq.ONLINE_PIN, Ttq.SIGNATURE)])
def test_a_terminal_of_neither_is_refused(bits: tuple[Ttq, ...]) -> None:
    assert 0x6985 == sw(Reader(in_use(CARD), Interface.CONTACTLESS).ask(ttq(*bits)))


def test_a_card_without_qpboc_or_without_9f66_refuses_a_tap() -> None:
    for groups in ({0x9207: None}, {CONTACTLESS_FCI: fci(True, bytes.fromhex("9F0206"))}):
        reader = Reader(in_use(CARD, groups), Interface.CONTACTLESS)
        assert 0x6985 == sw(reader.ask(ttq(Ttq.QPBOC)))


def test_the_ttq_means_nothing_in_the_slot() -> None:
    chip = in_use(CARD, with_pdol(contact=bytes.fromhex("9F6604")))
    assert DEBIT_AFL == Reader(chip).options(ttq(Ttq.QPBOC))[tags.AFL]


# Losing power


def options_command(interface: Interface) -> bytes:
    return command(GET_PROCESSING_OPTIONS, None, Reader(payment_chip(), interface).fill())


@pytest.mark.parametrize("interface", list(Interface))
def test_wherever_gpo_is_torn_the_transaction_is_counted_or_not(interface: Interface) -> None:
    done_or_not_and_tried_again(
        PaymentScenario(
            "GPO",
            setup=(SELECT_DEBIT,),
            torn=(options_command(interface),),
            memory=lived(payment_cells(CARD), last_online_atc=1, atc=0x00FF),
            interface=interface,
        )
    )


def test_wherever_the_last_gpo_is_torn_the_card_is_out_of_numbers_or_has_one() -> None:
    done_or_not_and_tried_again(
        PaymentScenario(
            "the last GPO",
            setup=(),
            before=(),
            torn=(SELECT_DEBIT, options_command(Interface.CONTACT)),
            answer=0x6985,
            memory=lived(payment_cells(CARD), last_online_atc=1, atc=LARGEST_ATC - 1),
        )
    )
