# SPDX-License-Identifier: Apache-2.0
"""Taps between the terminal and the real chip: every profile, every moment at which a card leaves,
and no money made or lost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odacards import order
from paymentbench import payment_chip, set_state, state_of, with_pdol
from powercuts import PowerCut, TornFlash
from tapcards import Desk, de55, reasons
from terminalfiles import config_with, shipped

from apdu.atr import Interface
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, issue_test_card
from host.faults import CardGone
from host.issuer.profile import SHIPPED
from host.network.authorisation import Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.transaction import CannotGoOn, Order, Outcome
from host.terminal.pboc_log import transactions
from host.terminal.result import Result
from host.terminal.tap import MAY_HAVE_PAID, resolve, tap

BALANCE = 50000
MODERN = tuple(name for name in SHIPPED if name != "published")
QPBOC = bytes.fromhex("89109000")
"""9F68: the cash balance decides, taps are logged."""
PUBLISHED_AS_PURSE = {
    tags.CARD_PROCESSING: QPBOC,
    tags.EC_SINGLE_LIMIT: amount_bytes(100000),
    tags.EC_RESET_THRESHOLD: amount_bytes(0),
    tags.CARD_CVM_LIMIT: amount_bytes(30000),
}


@cache
def cells(bank: str) -> bytes:
    """A card that was loaded, and has been online before."""
    chip = payment_chip(PUBLISHED_AS_PURSE) if bank == "published" else issue_test_card(bank=bank)
    set_state(chip, replace(state_of(chip), balance=BALANCE, last_online_atc=1))
    return bytes(chip._flash.cells)


def card_of(bank: str = "rsa-1152", flash: Flash | None = None) -> Chip:
    return Chip.boot(flash or Flash(bytearray(cells(bank))), seeded(7, TEST_DAY))


def tapped(
    chip: Chip,
    ordered: Order | None = None,
    issuer: Desk | None = None,
    config: TerminalConfig | None = None,
    pulled_at: int | None = None,
) -> Result:
    return tap(in_field(chip, pulled_at), ordered or order(), config or shipped(), issuer)


def in_field(chip: Chip, pulled_at: int | None = None) -> Card:
    channel = MemoryChannel(chip, Interface.CONTACTLESS)
    if pulled_at is not None:
        channel = Pulled(chip, pulled_at)
    return Card(channel)


class Pulled(MemoryChannel):
    """A card that leaves after so many commands; it may have done the last one."""

    def __init__(self, chip: Chip, commands: int) -> None:
        super().__init__(chip, Interface.CONTACTLESS)
        self.left = commands

    def _exchange(self, command: bytes) -> bytes:
        if self.left < 0:
            raise CardGone("pulled")
        self.left -= 1
        answer = super()._exchange(command)
        if self.left < 0:
            raise CardGone("pulled")
        return answer


# Every profile


@pytest.mark.parametrize("bank", SHIPPED)
def test_a_purchase_by_tap_is_paid_once_and_proven(bank: str) -> None:
    chip, issuer = card_of(bank), Desk()
    found = tapped(chip, issuer=issuer)
    assert (Outcome.APPROVED_OFFLINE, "") == (found.outcome, found.doubt), reasons(found)
    assert "fDDA succeeded: version 01" in reasons(found)
    assert BALANCE - 1234 == state_of(chip).balance
    (advice,) = issuer.advices
    assert (1234, b"\x40") == (advice.amount, de55(advice)[tags.CID])
    (entry,) = transactions(Card(MemoryChannel(chip)))
    assert (1234, found.atc) == (entry.amount, entry.atc)


@pytest.mark.parametrize("sm", [True, False])
def test_a_card_of_both_algorithms_uses_the_one_that_the_terminal_can(sm: bool) -> None:
    chip = card_of("sm2")
    found = tapped(chip, config=config_with(terminal__sm=sm))
    assert found.approved
    assert "fDDA succeeded" in reasons(found)


@pytest.mark.parametrize("bank", MODERN)
@pytest.mark.parametrize("amount", [30001, 60000])
def test_what_the_card_does_not_pay_itself_the_issuer_decides(bank: str, amount: int) -> None:
    chip, issuer = card_of(bank), Desk()
    config = config_with(application__contactless_floor_limit=30000)
    found = tapped(chip, order(amount=amount), issuer, config)
    # Above its own limit the card wants a PIN, and there is no pad.
    assert Outcome.DECLINED_OFFLINE is found.outcome
    assert "no PIN pad" in reasons(found)
    assert issuer.silent
    assert BALANCE == state_of(chip).balance


@pytest.mark.parametrize("code", ["00", "51", None])
def test_a_tap_that_is_to_be_online_is_the_issuers_and_costs_no_cash(code: str | None) -> None:
    chip, issuer = card_of(), Desk(code)
    found = tapped(chip, order(force_online=True), issuer)
    assert (code == "00") == found.approved
    assert BALANCE == state_of(chip).balance
    (request,) = issuer.requests
    assert found.cryptogram == de55(request)[tags.AC]
    assert int(code is None) == len(issuer.reversals)


def test_offline_a_card_that_has_not_enough_declines() -> None:
    chip = card_of()
    set_state(chip, replace(state_of(chip), balance=1233))
    assert Outcome.DECLINED_OFFLINE is tapped(chip).outcome
    assert 1233 == state_of(chip).balance
    assert tapped(chip, order(amount=1233)).approved
    assert 0 == state_of(chip).balance


def test_a_blocked_application_is_not_tapped() -> None:
    chip = card_of()
    exhausted = replace(state_of(chip), atc=0xFFFF)
    set_state(chip, exhausted)
    assert not tapped(chip, issuer=Desk()).approved
    again = tapped(chip, issuer=Desk())
    assert (Outcome.TERMINATED, "left out" in reasons(again)) == (again.outcome, True)


# Electronic cash in steps, over contactless


def test_electronic_cash_is_paid_in_steps_where_the_terminal_says_so() -> None:
    groups = with_pdol(contactless=bytes.fromhex("9F7A01"))
    chip = payment_chip(PUBLISHED_AS_PURSE, groups)
    set_state(chip, replace(state_of(chip), balance=BALANCE, last_online_atc=1))
    config = config_with(application__ttq="56000080")
    issuer = Desk()
    found = tapped(chip, issuer=issuer, config=config)
    assert Outcome.APPROVED_OFFLINE is found.outcome, reasons(found)
    assert found.cash and "DDA succeeded" in reasons(found)
    assert BALANCE - 1234 == state_of(chip).balance
    assert 1 == len(issuer.advices)


# A card that leaves

WHOLE = 8
"""Commands of a whole tap of this card, and more."""


@pytest.mark.parametrize("bank", ["rsa-1152", "sm2"])
def test_a_card_that_leaves_has_paid_only_what_it_says_when_it_comes_again(bank: str) -> None:
    doubts = 0
    for pulled_at in range(WHOLE):
        chip, issuer = card_of(bank), Desk()
        found = tapped(chip, issuer=issuer, pulled_at=pulled_at)
        paid = BALANCE - state_of(chip).balance
        assert paid in (0, 1234)
        if found.approved:
            assert (1234, 1) == (paid, len(issuer.advices))
            continue
        assert Outcome.TERMINATED is found.outcome and issuer.silent
        if not found.doubt:
            assert 0 == paid
            continue
        doubts += 1
        assert MAY_HAVE_PAID == found.doubt
        done = resolve(in_field(chip), found, shipped(), issuer)
        assert bool(paid) == done.approved
        assert ("", ()) == (done.doubt, done.outstanding)
        assert int(bool(paid)) == len(issuer.advices)
    assert 1 == doubts


def test_a_last_record_torn_at_any_write_is_resolved() -> None:
    # The first torn write that there is not ends the search: the tap came to its end.
    for cut in range(100):
        flash = TornFlash(cells("rsa-1152"))
        chip = card_of(flash=flash)
        found = torn(chip, flash, cut)
        if found is None:
            assert cut > 2
            return
        chip = Chip.boot(Flash(bytearray(flash.cells)), seeded(9, TEST_DAY))
        paid = BALANCE - state_of(chip).balance
        assert paid in (0, 1234)
        if not found.doubt:
            assert 0 == paid
            continue
        done = resolve(in_field(chip), found, shipped(), Desk())
        assert (bool(paid), "") == (done.approved, done.doubt)
    pytest.fail("the tap goes on for ever")


def torn(chip: Chip, flash: TornFlash, cut: int) -> Result | None:
    """The tap whose power goes at this write; None when it did not."""

    class Torn(MemoryChannel):
        gone = False

        def _exchange(self, command: bytes) -> bytes:
            try:
                return super()._exchange(command)
            except PowerCut:
                self.gone = True
                raise CardGone("the field is gone") from None

    channel = Torn(chip, Interface.CONTACTLESS)
    flash.arm(cut)
    found = tap(Card(channel), order(), shipped(), Desk())
    return found if channel.gone else None


def doubtful(chip: Chip) -> Result:
    """A tap of this card that was torn at its last record."""
    for pulled_at in range(WHOLE):
        found = tapped(chip, pulled_at=pulled_at)
        if found.doubt:
            return found
    raise AssertionError("the card left no doubt")


def test_an_advice_that_cannot_be_told_stays_outstanding() -> None:
    chip, dead = card_of(), Desk(None)
    found = doubtful(chip)
    for issuer in (None, dead):
        done = resolve(in_field(chip), found, shipped(), issuer)
        assert (True, 1) == (done.approved, len(done.outstanding))


def test_only_the_same_card_resolves_a_doubt() -> None:
    found = doubtful(card_of())
    with pytest.raises(CannotGoOn, match="not the card"):
        resolve(in_field(card_of("rsa-1408")), found, shipped(), Desk())
    with pytest.raises(CannotGoOn, match="no doubt"):
        resolve(in_field(card_of()), tapped(card_of()), shipped(), Desk())


def test_a_card_that_logs_no_taps_leaves_the_doubt() -> None:
    silent = {**PUBLISHED_AS_PURSE, tags.CARD_PROCESSING: bytes.fromhex("89009000")}
    chip = payment_chip(silent)
    set_state(chip, replace(state_of(chip), balance=BALANCE, last_online_atc=1))
    found = doubtful(chip)
    assert found is resolve(in_field(chip), found, shipped(), Desk())


# Money


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20000),
            st.none() | st.integers(0, WHOLE),
            st.booleans(),
            st.sampled_from([Purpose.PURCHASE, Purpose.BALANCE]),
        ),
        max_size=4,
    )
)
def test_what_left_the_card_is_what_was_approved(
    taps: list[tuple[int, int | None, bool, Purpose]],
) -> None:
    chip, spent, issuer = card_of(), 0, Desk()
    for amount, pulled_at, online, purpose in taps:
        ordered = order(amount=amount, purpose=purpose, force_online=online)
        found = tapped(chip, ordered, issuer, pulled_at=pulled_at)
        if found.doubt:
            found = resolve(in_field(chip), found, shipped(), issuer)
        assert "" == found.doubt
        if found.outcome is Outcome.APPROVED_OFFLINE:
            spent += amount
        assert BALANCE - spent == state_of(chip).balance
    assert spent == sum(advice.amount for advice in issuer.advices)
