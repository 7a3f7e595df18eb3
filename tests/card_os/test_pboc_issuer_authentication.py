# SPDX-License-Identifier: Apache-2.0
"""EXTERNAL AUTHENTICATE on the chip: one attempt a transaction, and what comes of it stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from acbench import Till, ways
from paymentbench import in_use, published, set_state, state_of
from testbench import sw

from apdu.crypto.cryptogram import arpc, transaction_key
from apdu.wire.cryptogram import Cvn
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Ada, Aip, Cvr, Result
from apdu.wire.pboc.groups import KEYS
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.state import MOST_FAILURES, Flag
from card_os.apps.pboc.transaction import IssuerAuthentication
from card_os.chip import Chip

AAC, TC, ARQC = Result
FAILED = int(Flag.ISSUER_AUTHENTICATION_FAILED)
REQUESTED = int(Flag.ONLINE_REQUESTED)
WRONG_TIME, WRONG = 0x6985, 0x6300
NEVER_DECLINES = {tags.ADA: b"\0\0"}


def asked(chip: Chip | None = None) -> Till:
    """A card that has given an ARQC."""
    till = Till(chip or in_use(NEVER_DECLINES))
    assert 0x9000 == till.begin()
    assert ARQC is till.first(ARQC)
    return till


def test_the_issuer_s_answer_is_taken_once() -> None:
    till = asked()
    assert [0x9000, WRONG_TIME] == [till.authenticate() for _ in range(2)]
    assert TC is till.second(TC)
    assert not till.cvr & (Cvr.ISSUER_AUTHENTICATION_FAILED | Cvr.NO_ISSUER_AUTHENTICATION)


def test_a_wrong_one_is_the_only_attempt_as_well() -> None:
    till = asked()
    assert [WRONG, WRONG_TIME] == [till.authenticate(wrong=1), till.authenticate()]
    assert IssuerAuthentication.FAILED is till.transaction.authentication


@pytest.mark.parametrize("bit", range(64))
def test_every_bit_of_it_counts(bit: int) -> None:
    assert WRONG == asked().authenticate(wrong=1 << bit)


@pytest.mark.parametrize("arc", [b"01", b"10", b"0\0", b"05"])
def test_it_stands_for_one_code_alone(arc: bytes) -> None:
    till = asked()
    key = transaction_key(till.key(0), Cvn.CVN_01, till.arqc.atc)
    assert WRONG == till.show(arpc(key, till.arqc.ac, b"00"), arc)


def test_what_the_issuer_approved_the_terminal_may_not_say_was_declined_nor_otherwise() -> None:
    till = asked()
    assert 0x9000 == till.authenticate(b"05")
    assert AAC is till.second(TC, b"00")
    other = asked()
    assert 0x9000 == other.authenticate(b"00")
    assert AAC is other.second(TC, b"05")


def test_who_brought_an_answer_was_online() -> None:
    till = asked()
    assert 0x9000 == till.authenticate(b"05")
    assert AAC is till.second(TC, b"Y3")
    assert not till.cvr & Cvr.UNABLE_TO_GO_ONLINE


def test_a_wrong_one_is_told_counted_and_remembered() -> None:
    till = asked()
    before = state_of(till.chip)
    assert WRONG == till.authenticate(wrong=1)
    after = replace(before, flags=before.flags | FAILED, authentication_failures=1)
    assert after == state_of(till.chip)
    assert TC is till.second(TC)
    assert till.cvr & Cvr.ISSUER_AUTHENTICATION_FAILED
    assert after == state_of(till.chip)
    till.begin()
    till.first(TC)
    assert till.cvr & Cvr.LAST_ISSUER_AUTHENTICATION_FAILED


@pytest.mark.parametrize(
    ("bit", "result"), [(0, TC), (int(Ada.DECLINE_ON_FAILED_AUTHENTICATION), AAC)]
)
def test_the_issuer_says_whether_a_wrong_one_declines(bit: int, result: Result) -> None:
    till = asked(in_use({tags.ADA: bit.to_bytes(2)}))
    assert WRONG == till.authenticate(wrong=1)
    assert result is till.second(TC)


def test_a_right_one_takes_earlier_failures_back() -> None:
    chip = in_use(NEVER_DECLINES, flags=FAILED, authentication_failures=MOST_FAILURES - 1)
    till = asked(chip)
    assert 0x9000 == till.authenticate()
    after = state_of(chip)
    assert (REQUESTED, 0) == (after.flags, after.authentication_failures)


def test_after_a_hundred_failures_in_a_row_none_is_taken_any_more() -> None:
    chip = in_use(NEVER_DECLINES, authentication_failures=MOST_FAILURES - 1)
    till = asked(chip)
    assert WRONG == till.authenticate(wrong=1)
    assert MOST_FAILURES == state_of(chip).authentication_failures
    for _ in range(2):
        till = asked(chip)
        before = state_of(chip)
        assert [WRONG_TIME] * 2 == [till.authenticate(), till.authenticate(wrong=1)]
        assert before == state_of(chip)
    assert IssuerAuthentication.NOT_RECEIVED is till.transaction.authentication


def test_it_has_its_time() -> None:
    chip = in_use(NEVER_DECLINES)
    till = asked(chip)
    answer = bytes(8)
    ways_there = {
        "before GPO": lambda: till.reader.select(),
        "before the ARQC": lambda: till.begin(),
        "behind a TC": lambda: (till.begin(), till.first(TC)),
        "behind an AAC": lambda: (till.begin(), till.first(AAC)),
        "behind the second": lambda: (till.begin(), till.first(ARQC), till.second(AAC)),
    }
    for name, go in ways_there.items():
        go()
        before = state_of(chip)
        assert WRONG_TIME == till.show(answer, b"00"), name
        assert before == state_of(chip)
        set_state(chip, replace(before, flags=0, last_online_atc=before.atc))


def test_a_card_that_does_not_offer_it_does_not_take_it() -> None:
    till = asked(in_use(NEVER_DECLINES, groups=ways(int(Aip.DDA))))
    before = state_of(till.chip)
    assert [WRONG_TIME] * 2 == [till.authenticate(), till.authenticate(wrong=1)]
    assert before == state_of(till.chip)
    assert TC is till.second(TC)
    assert not till.cvr & Cvr.NO_ISSUER_AUTHENTICATION


@pytest.mark.parametrize("length", [0, 7, 8, 9, 11, 16])
def test_it_is_ten_bytes(length: int) -> None:
    till = asked()
    head = bytes.fromhex("00820000")
    raw = head + (bytes((length,)) + bytes(length) if length else b"")
    assert 0x6700 == sw(till.chip.transmit(raw))
    assert 0x9000 == till.authenticate()


def test_it_is_answered_under_sm4_as_well() -> None:
    till = Till(in_use(base="sm2"), keys=published("sm2")[KEYS[Algorithm.SM4]])
    assert 0x9000 == till.begin({tags.SM_INDICATOR: b"\x01"})
    assert ARQC is till.first(ARQC)
    assert Algorithm.SM4 is till.route.algorithm
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)


# Q23


def test_the_answer_to_one_transaction_is_wrong_in_the_next() -> None:
    till = asked()
    old = till.arqc
    assert 0x9000 == till.authenticate()
    assert TC is till.second(TC)
    till.begin()
    assert ARQC is till.first(ARQC)
    new, till.arqc = till.arqc, old
    assert WRONG == till.authenticate()
    till.arqc = new
    till.second(TC)
    assert till.cvr & Cvr.ISSUER_AUTHENTICATION_FAILED
    assert state_of(till.chip).flags & FAILED
