# SPDX-License-Identifier: Apache-2.0
"""The first GENERATE AC: every test of the card decides in a case where it alone does."""

from __future__ import annotations

import pytest
from riskbench import (
    AAC,
    ARQC,
    ASKED,
    CDA_FAILED,
    DDA_FAILED,
    NEW,
    NO_TRIES,
    NOT_REQUESTED,
    OTHER,
    SDA_FAILED,
    SECOND,
    SPENT,
    STATE,
    TC,
    WITHOUT_ISSUER_AUTHENTICATION,
    Case,
    asked,
    case,
    limits,
    name_of,
    standing,
    state,
)

from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from apdu.wire.pboc.flags import Ada, Aip, Cid, Cvr
from card_os.apps.pboc.risk import Decision, first_action
from card_os.apps.pboc.state import Flag

AUTHENTICATION_FAILED = state(Flag.ISSUER_AUTHENTICATION_FAILED)
SCRIPT_FAILED = state(Flag.SCRIPT_FAILED)
DOUBLE = bytes.fromhex("00000002")
"""A conversion factor."""
FOUND_BEFORE = Cvr.PIN_VERIFICATION_PERFORMED | Cvr.PIN_VERIFICATION_FAILED | Cvr.DDA_PERFORMED
FOR_PIN = (
    Ada.DECLINE_ON_EARLIER_PIN_TRIES,
    Ada.ONLINE_ON_EARLIER_PIN_TRIES,
    Ada.BLOCK_ON_EARLIER_PIN_TRIES,
)

FIRST = [
    case("nothing is in its way", TC),
    case("the terminal asks for AAC", AAC, 0, asked(wanted=AAC)),
    case("the terminal asks for ARQC", ARQC, 0, asked(wanted=ARQC)),
    # What failed to authenticate last time
    case("SDA failed", TC, Cvr.LAST_SDA_FAILED, state(Flag.SDA_FAILED)),
    case("SDA failed, not offered now", TC, 0, state(Flag.SDA_FAILED), standing(aip=Aip.DDA)),
    case("DDA failed", TC, Cvr.LAST_DDA_FAILED, state(Flag.DDA_FAILED)),
    case("DDA failed, not offered now", TC, 0, state(Flag.DDA_FAILED), standing(aip=Aip.SDA)),
    # What was left open
    case("not completed online", ARQC, Cvr.LAST_ONLINE_NOT_COMPLETED, state(Flag.ONLINE_REQUESTED)),
    case("a wrong ARPC", TC, Cvr.LAST_ISSUER_AUTHENTICATION_FAILED, AUTHENTICATION_FAILED),
    case(
        "a wrong ARPC: go online",
        ARQC,
        Cvr.LAST_ISSUER_AUTHENTICATION_FAILED,
        AUTHENTICATION_FAILED,
        limits(ada=Ada.ONLINE_AFTER_FAILED_AUTHENTICATION),
    ),
    case(
        "a wrong ARPC, not offered now",
        TC,
        0,
        AUTHENTICATION_FAILED,
        limits(ada=Ada.ONLINE_AFTER_FAILED_AUTHENTICATION),
        standing(aip=WITHOUT_ISSUER_AUTHENTICATION),
    ),
    case("scripts came", TC, 7 << 4, state(scripts=7)),
    case("as many scripts came as can be told", TC, 15 << 4, state(scripts=15)),
    case("more scripts came than can be told", TC, 15 << 4, state(scripts=16)),
    case("a script failed", TC, Cvr.LAST_SCRIPT_FAILED, SCRIPT_FAILED),
    case(
        "a script failed: go online",
        ARQC,
        Cvr.LAST_SCRIPT_FAILED,
        SCRIPT_FAILED,
        limits(ada=Ada.ONLINE_AFTER_FAILED_SCRIPT),
    ),
    # How often
    case("the last one offline", TC, 0, limits(lower=1)),
    case("one too many offline", ARQC, Cvr.VELOCITY_EXCEEDED, limits(lower=0)),
    case("many offline, and no limit", TC, 0, state(atc=0xFFFE)),
    case(
        "the last one in other currencies",
        TC,
        0,
        limits(international_currency=3),
        state(international_currency=2),
        asked(currency=OTHER),
        after={"international_currency": 3},
    ),
    case(
        "one too many in other currencies",
        ARQC,
        Cvr.VELOCITY_EXCEEDED,
        limits(international_currency=3),
        state(international_currency=3),
        asked(currency=OTHER),
    ),
    case(
        "enough in other currencies, and this is its own",
        TC,
        0,
        limits(international_currency=3),
        state(international_currency=3),
    ),
    case(
        "a card that knows no currency of its own",
        TC,
        0,
        limits(currency=b"", international_currency=0, spent=1, dual=1),
        after={},
    ),
    case(
        "the last one abroad",
        TC,
        0,
        limits(international_country=3),
        state(international_country=2),
        asked(country=OTHER),
        after=SPENT | {"international_country": 3},
    ),
    case(
        "one too many abroad",
        ARQC,
        Cvr.VELOCITY_EXCEEDED,
        limits(international_country=3),
        state(international_country=3),
        asked(country=OTHER),
    ),
    case(
        "enough abroad, and this is at home",
        TC,
        0,
        limits(international_country=3),
        state(international_country=3),
    ),
    case(
        "a card that knows no country of its own",
        TC,
        0,
        limits(country=b"", international_country=0),
    ),
    # How much
    case(
        "all that may be spent",
        TC,
        0,
        limits(spent=150),
        state(spent=50),
        after=SPENT | {"spent": 150},
    ),
    case("one fen too much", ARQC, Cvr.VELOCITY_EXCEEDED, limits(spent=150), state(spent=51)),
    case(
        "all is spent, and this is another currency",
        TC,
        0,
        limits(spent=150),
        state(spent=150),
        asked(currency=OTHER),
        after={"international_currency": 1},
    ),
    case(
        "much is spent, and no limit",
        TC,
        0,
        state(spent=10**9),
        after=SPENT | {"spent": 10**9 + 100},
    ),
    case(
        "all that may be spent in both",
        TC,
        0,
        limits(dual=150),
        state(spent_dual=50),
        after=SPENT | {"spent_dual": 150},
    ),
    case(
        "one fen too much in both",
        ARQC,
        Cvr.VELOCITY_EXCEEDED,
        limits(dual=150),
        state(spent_dual=51),
    ),
    case(
        "all that may be spent in both, with the second that counts double",
        TC,
        0,
        limits(dual=250, factor=DOUBLE),
        state(spent_dual=50),
        asked(currency=SECOND),
        after={"spent_dual": 250, "international_currency": 1},
    ),
    case(
        "too much in both, with the second that counts double",
        ARQC,
        Cvr.VELOCITY_EXCEEDED,
        limits(dual=250, factor=DOUBLE),
        state(spent_dual=51),
        asked(currency=SECOND),
    ),
    case(
        "the second currency, and nobody knows what it is worth",
        ARQC,
        Cvr.VELOCITY_EXCEEDED,
        limits(dual=LARGEST_AMOUNT),
        asked(currency=SECOND),
    ),
    case(
        "a third currency counts in neither",
        TC,
        0,
        limits(dual=1, factor=DOUBLE),
        state(spent_dual=10**6),
        asked(currency=OTHER),
        after={"international_currency": 1},
    ),
    case(
        "the second currency is counted without a limit",
        TC,
        0,
        limits(factor=bytes.fromhex("10000005")),
        asked(currency=SECOND, amount=101),
        after={"spent_dual": 51, "international_currency": 1},
    ),
    # Who
    case("a new card", TC, Cvr.NEW_CARD, NEW),
    case("a new card: go online", ARQC, Cvr.NEW_CARD, NEW, limits(ada=Ada.ONLINE_FOR_NEW_CARD)),
    case("no PIN try is left", TC, Cvr.PIN_TRIES_EXCEEDED, NO_TRIES),
    case(
        "no PIN try is left: decline",
        AAC,
        Cvr.PIN_TRIES_EXCEEDED,
        NO_TRIES,
        limits(ada=FOR_PIN[0] | FOR_PIN[1] | FOR_PIN[2]),
    ),
    case(
        "no PIN try is left: go online",
        ARQC,
        Cvr.PIN_TRIES_EXCEEDED,
        NO_TRIES,
        limits(ada=FOR_PIN[1] | FOR_PIN[2]),
    ),
    case(
        "no PIN try is left, and the application is blocked already",
        AAC,
        Cvr.PIN_TRIES_EXCEEDED,
        standing(pin_blocked=True, blocked=True),
        limits(ada=FOR_PIN[2]),
    ),
    case("a blocked application", AAC, 0, standing(blocked=True)),
    case(
        "to decline is more than to go online",
        AAC,
        Cvr.PIN_TRIES_EXCEEDED | Cvr.LAST_ONLINE_NOT_COMPLETED,
        NO_TRIES,
        limits(ada=FOR_PIN[0]),
        state(Flag.ONLINE_REQUESTED),
    ),
    # What is told and remembered
    case(
        "declined with advice",
        AAC,
        0,
        limits(ada=Ada.ADVICE_ON_DECLINE),
        asked(wanted=AAC),
        reason=Cid.ADVICE,
    ),
    case(
        "declined after the last PIN try with advice",
        AAC,
        0,
        limits(ada=Ada.ADVICE_ON_PIN_TRIES),
        asked(wanted=AAC),
        standing(pin_exceeded=True),
        reason=Cid.ADVICE | Cid.REASON_PIN_TRIES,
    ),
    case(
        "declined, and the PIN tries were lost earlier",
        AAC,
        0,
        limits(ada=Ada.ADVICE_ON_PIN_TRIES),
        asked(wanted=AAC),
    ),
    case(
        "approved after the last PIN try",
        TC,
        0,
        limits(ada=Ada.ADVICE_ON_PIN_TRIES | Ada.ADVICE_ON_DECLINE),
        standing(pin_exceeded=True),
    ),
    case(
        "SDA fails now",
        AAC,
        0,
        asked(wanted=AAC, tvr=SDA_FAILED),
        after={"flags": int(Flag.SDA_FAILED)},
    ),
    case(
        "DDA fails now",
        AAC,
        0,
        asked(wanted=AAC, tvr=DDA_FAILED),
        after={"flags": int(Flag.DDA_FAILED)},
    ),
    case(
        "CDA fails now",
        AAC,
        0,
        asked(wanted=AAC, tvr=CDA_FAILED),
        after={"flags": int(Flag.DDA_FAILED)},
    ),
    case("SDA fails now, and a TC is asked for", TC, 0, asked(tvr=SDA_FAILED)),
    case(
        "declined abroad",
        AAC,
        0,
        asked(currency=OTHER, country=OTHER, wanted=AAC),
        after={"international_currency": 1, "international_country": 1},
    ),
    case("online from abroad", ARQC, 0, asked(currency=OTHER, country=OTHER, wanted=ARQC)),
    case("what was found before is told", TC, FOUND_BEFORE, standing(cvr=int(FOUND_BEFORE))),
    # Counters stop
    case(
        "abroad more often than can be counted",
        TC,
        0,
        state(international_currency=255, international_country=255),
        asked(currency=OTHER, country=OTHER),
        after={},
    ),
    case(
        "more spent than can be counted",
        TC,
        0,
        state(spent=LARGEST_AMOUNT, spent_dual=LARGEST_AMOUNT - 99),
        after={"spent": LARGEST_AMOUNT, "spent_dual": LARGEST_AMOUNT},
    ),
    case(
        "more spent in the second currency than can be counted",
        TC,
        0,
        limits(factor=DOUBLE),
        state(spent_dual=LARGEST_AMOUNT - 1),
        asked(currency=SECOND),
        after={"spent_dual": LARGEST_AMOUNT, "international_currency": 1},
    ),
]


def first(each: Case) -> Decision:
    return first_action(each.limits, each.state, each.asked, each.standing)


@pytest.mark.parametrize("each", FIRST, ids=name_of)
def test_the_first_decision_is_what_the_tests_make_of_it(each: Case) -> None:
    assert each.decision(NOT_REQUESTED | each.result << 20) == first(each)


def test_a_card_may_block_itself_for_a_pin_without_tries() -> None:
    found = first_action(limits(ada=FOR_PIN[2]), STATE, ASKED, NO_TRIES)
    assert found.blocks
    assert STATE == found.state


DECIDED_HERE = {
    Ada.ONLINE_AFTER_FAILED_AUTHENTICATION,
    Ada.ADVICE_ON_DECLINE,
    Ada.ADVICE_ON_PIN_TRIES,
    Ada.ONLINE_FOR_NEW_CARD,
    Ada.DECLINE_ON_EARLIER_PIN_TRIES,
    Ada.ONLINE_ON_EARLIER_PIN_TRIES,
    Ada.ONLINE_AFTER_FAILED_SCRIPT,
    Ada.BLOCK_ON_EARLIER_PIN_TRIES,
}


def test_every_default_action_decides_some_case() -> None:
    """Without its bit there is another outcome."""
    blocks = case("blocks", AAC, 0, NO_TRIES, limits(ada=FOR_PIN[2]))
    cases = [*FIRST, blocks]
    found = {bit for bit in Ada for each in cases if first(each) != first(each.without(bit))}
    assert DECIDED_HERE == found


def test_every_bit_of_the_cvr_that_is_told_here_is_in_some_case() -> None:
    told = 0
    for each in FIRST:
        told |= each.cvr
    here = Cvr.LAST_ONLINE_NOT_COMPLETED | Cvr.PIN_TRIES_EXCEEDED | Cvr.VELOCITY_EXCEEDED
    here |= Cvr.NEW_CARD | Cvr.LAST_ISSUER_AUTHENTICATION_FAILED | Cvr.LAST_SDA_FAILED
    here |= Cvr.SCRIPTS | Cvr.LAST_SCRIPT_FAILED | Cvr.LAST_DDA_FAILED
    assert here | FOUND_BEFORE == told
