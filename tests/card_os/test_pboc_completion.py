# SPDX-License-Identifier: Apache-2.0
"""The second GENERATE AC: what the issuer said decides, and what it has seen begins anew."""

from __future__ import annotations

import pytest
from riskbench import (
    AAC,
    ARQC,
    DDA_FAILED,
    FAILED,
    NEW,
    NOT_RECEIVED,
    OTHER,
    SDA_FAILED,
    SECOND,
    SPENT,
    TC,
    WAITING,
    WITHOUT_ISSUER_AUTHENTICATION,
    Case,
    asked,
    case,
    limits,
    name_of,
    said,
    standing,
    state,
)

from apdu.wire.pboc.flags import Ada, Cid, Cvr
from card_os.apps.pboc.completion import APPROVALS, UNABLE, completion
from card_os.apps.pboc.risk import Decision
from card_os.apps.pboc.state import Flag

AUTHENTICATION_FAILED = int(Flag.ISSUER_AUTHENTICATION_FAILED)
BUSY = state(
    Flag.ONLINE_REQUESTED | Flag.SDA_FAILED | Flag.DDA_FAILED | Flag.SCRIPT_FAILED,
    scripts=4,
    spent=900,
    spent_dual=1_000,
    international_currency=2,
    international_country=3,
)
"""A card with much to be set back."""
PARTLY = {"flags": 0, "scripts": 0}
WHOLE = PARTLY | {
    "last_online_atc": 10,
    "spent": 0,
    "spent_dual": 0,
    "international_currency": 0,
    "international_country": 0,
}
OPEN = {"flags": BUSY.flags | AUTHENTICATION_FAILED}
"""Nothing is set back, and the missing ARPC is remembered."""
NO_ARPC = {"authentication": NOT_RECEIVED, "authenticated": b""}
WRONG_ARPC = {"authentication": FAILED, "authenticated": b""}
NOT_OFFERED = standing(aip=WITHOUT_ISSUER_AUTHENTICATION)
MISSING = Cvr.NO_ISSUER_AUTHENTICATION
NOT_APPROVED = (b"05", b"51", b"Z1", b"Z2", b"Y2", b"\0\0", b"03", b"12")

ONLINE = [
    *(
        case(f"approved with {arc!r}", TC, 0, BUSY, said(arc=arc, authenticated=arc), after=WHOLE)
        for arc in sorted(APPROVALS)
    ),
    *(
        case(f"declined with {arc!r}", AAC, 0, BUSY, said(arc=arc), after=PARTLY)
        for arc in NOT_APPROVED
    ),
    case("not by the issuer", AAC, 0, BUSY, said(authenticated=b"05"), after=PARTLY),
    case("the terminal asks for AAC", AAC, 0, BUSY, asked(wanted=AAC), after=PARTLY),
    case("a blocked application", AAC, 0, BUSY, standing(blocked=True), after=PARTLY),
    case(
        "a script before it failed",
        TC,
        0,
        BUSY,
        said(script_failed=True),
        after=WHOLE | {"flags": int(Flag.SCRIPT_FAILED)},
    ),
    case(
        "declined, and a script before it failed",
        AAC,
        0,
        BUSY,
        said(arc=b"05", script_failed=True),
        after=PARTLY | {"flags": int(Flag.SCRIPT_FAILED)},
    ),
    case("no authentication offered", TC, 0, BUSY, NOT_OFFERED, said(**NO_ARPC), after=WHOLE),
    case(
        "no authentication offered, declined",
        AAC,
        0,
        BUSY,
        NOT_OFFERED,
        said(arc=b"05", authentication=NOT_RECEIVED),
        limits(authentication_mandatory=True, ada=0xFFFF),
        after=PARTLY,
    ),
    case("no ARPC", TC, MISSING, BUSY, said(**NO_ARPC), after=WHOLE),
    case(
        "no ARPC, declined",
        AAC,
        MISSING,
        BUSY,
        said(arc=b"05", authentication=NOT_RECEIVED),
        after=PARTLY,
    ),
    case(
        "no ARPC, which must be",
        TC,
        MISSING,
        BUSY,
        said(**NO_ARPC),
        limits(authentication_mandatory=True),
        after=OPEN,
    ),
    case(
        "no ARPC, which must be, declined",
        AAC,
        MISSING,
        BUSY,
        said(arc=b"05", authentication=NOT_RECEIVED),
        limits(authentication_mandatory=True),
        after=OPEN,
    ),
    case(
        "no ARPC, which must be: decline",
        AAC,
        MISSING,
        BUSY,
        said(**NO_ARPC),
        limits(authentication_mandatory=True, ada=Ada.DECLINE_WITHOUT_AUTHENTICATION),
        after=OPEN,
    ),
    case(
        "no ARPC, which need not be",
        TC,
        MISSING,
        BUSY,
        said(**NO_ARPC),
        limits(ada=Ada.DECLINE_WITHOUT_AUTHENTICATION),
        after=WHOLE,
    ),
    case(
        "no ARPC, which must be: decline with advice",
        AAC,
        MISSING,
        BUSY,
        said(**NO_ARPC),
        limits(
            authentication_mandatory=True,
            ada=Ada.DECLINE_WITHOUT_AUTHENTICATION | Ada.ADVICE_ON_AUTHENTICATION,
        ),
        after=OPEN,
        reason=Cid.ADVICE,
    ),
    case("a wrong ARPC", TC, 0, BUSY, said(**WRONG_ARPC), after={}),
    case("a wrong ARPC, declined", AAC, 0, BUSY, said(arc=b"05", authentication=FAILED)),
    case(
        "a wrong ARPC: decline",
        AAC,
        0,
        BUSY,
        said(**WRONG_ARPC),
        limits(ada=Ada.DECLINE_ON_FAILED_AUTHENTICATION),
    ),
    case(
        "a wrong ARPC: decline with advice",
        AAC,
        0,
        BUSY,
        said(**WRONG_ARPC),
        limits(ada=Ada.DECLINE_ON_FAILED_AUTHENTICATION | Ada.ADVICE_ON_AUTHENTICATION),
        reason=Cid.ADVICE,
    ),
    case(
        "what the issuer declines needs no advice",
        AAC,
        0,
        BUSY,
        said(arc=b"05"),
        limits(ada=Ada.ADVICE_ON_AUTHENTICATION | Ada.ADVICE_ON_DECLINE),
        after=PARTLY,
    ),
    *(
        case(f"not online, with an ARPC: {arc!r}", AAC, 0, BUSY, said(arc=arc), after=PARTLY)
        for arc in sorted(UNABLE)
    ),
    case("not online, with a wrong ARPC", AAC, 0, BUSY, said(arc=b"Y3", authentication=FAILED)),
]

Y3 = said(arc=b"Y3", **NO_ARPC)
OFFLINE = [
    case("nothing is in its way", TC, 0, Y3),
    case("nothing is in its way, Z3", TC, 0, said(arc=b"Z3", **NO_ARPC)),
    case("the terminal asks for AAC", AAC, 0, Y3, asked(wanted=AAC)),
    case("a blocked application", AAC, 0, Y3, standing(blocked=True)),
    case("the last one offline", TC, 0, Y3, limits(upper=1)),
    case("one too many offline", AAC, Cvr.VELOCITY_EXCEEDED, Y3, limits(upper=0)),
    case("the lower limit is for the first", TC, 0, Y3, limits(lower=0)),
    case("a new card", TC, Cvr.NEW_CARD, Y3, NEW),
    case(
        "a new card: decline", AAC, Cvr.NEW_CARD, Y3, NEW, limits(ada=Ada.DECLINE_NEW_CARD_OFFLINE)
    ),
    case("no new card", TC, 0, Y3, limits(ada=Ada.DECLINE_NEW_CARD_OFFLINE)),
    case("no PIN try is left", TC, Cvr.PIN_TRIES_EXCEEDED, Y3, standing(pin_blocked=True)),
    case(
        "no PIN try is left: decline",
        AAC,
        Cvr.PIN_TRIES_EXCEEDED,
        Y3,
        standing(pin_blocked=True),
        limits(ada=Ada.DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES),
    ),
    case(
        "all that may be spent",
        TC,
        0,
        Y3,
        state(spent=50),
        limits(spent_upper=150),
        after=SPENT | {"spent": 150},
    ),
    case(
        "one fen too much", AAC, Cvr.VELOCITY_EXCEEDED, Y3, state(spent=51), limits(spent_upper=150)
    ),
    case(
        "all that may be spent in both",
        TC,
        0,
        Y3,
        state(spent_dual=50),
        limits(spent_upper=150),
        after=SPENT | {"spent_dual": 150},
    ),
    case(
        "one fen too much in both",
        AAC,
        Cvr.VELOCITY_EXCEEDED,
        Y3,
        state(spent_dual=51),
        limits(spent_upper=150),
    ),
    case(
        "one fen too much in the second",
        AAC,
        Cvr.VELOCITY_EXCEEDED,
        Y3,
        state(spent_dual=51),
        asked(currency=SECOND),
        limits(spent_upper=150, factor=bytes.fromhex("00000001")),
        after={"international_currency": 1},
    ),
    case(
        "a third currency",
        TC,
        0,
        Y3,
        state(spent=150, spent_dual=150),
        asked(currency=OTHER, country=OTHER),
        limits(spent_upper=150),
        after={"international_currency": 1, "international_country": 1},
    ),
    case(
        "what fails to authenticate is remembered",
        AAC,
        0,
        Y3,
        asked(wanted=AAC, tvr=SDA_FAILED | DDA_FAILED),
        after={"flags": int(Flag.SDA_FAILED | Flag.DDA_FAILED)},
    ),
    case(
        "what was asked online is still open",
        TC,
        0,
        Y3,
        state(Flag.ONLINE_REQUESTED | Flag.SCRIPT_FAILED, scripts=2),
    ),
    case(
        "declined with advice",
        AAC,
        0,
        Y3,
        asked(wanted=AAC),
        limits(ada=Ada.ADVICE_ON_DECLINE),
        reason=Cid.ADVICE,
    ),
    case(
        "declined after the last PIN try with advice",
        AAC,
        0,
        Y3,
        asked(wanted=AAC),
        standing(pin_exceeded=True),
        limits(ada=Ada.ADVICE_ON_PIN_TRIES),
        reason=Cid.ADVICE | Cid.REASON_PIN_TRIES,
    ),
]


def second(each: Case) -> Decision:
    before = each.standing._replace(cvr=WAITING)
    return completion(each.limits, each.state, each.asked, before, each.said)


@pytest.mark.parametrize("each", ONLINE, ids=name_of)
def test_what_the_issuer_said_decides_and_sets_back(each: Case) -> None:
    assert each.decision(each.result << 22 | ARQC << 20) == second(each)


@pytest.mark.parametrize("each", OFFLINE, ids=name_of)
def test_without_the_issuer_the_card_decides_by_its_upper_limits(each: Case) -> None:
    results = each.result << 22 | ARQC << 20 | Cvr.UNABLE_TO_GO_ONLINE
    assert each.decision(results) == second(each)


def test_every_default_action_decides_some_case() -> None:
    """Without its bit there is another outcome."""
    cases = [*ONLINE, *OFFLINE]
    found = {bit for bit in Ada for each in cases if second(each) != second(each.without(bit))}
    assert found == {
        Ada.DECLINE_ON_FAILED_AUTHENTICATION,
        Ada.DECLINE_WITHOUT_AUTHENTICATION,
        Ada.ADVICE_ON_DECLINE,
        Ada.ADVICE_ON_PIN_TRIES,
        Ada.ADVICE_ON_AUTHENTICATION,
        Ada.DECLINE_NEW_CARD_OFFLINE,
        Ada.DECLINE_OFFLINE_ON_EARLIER_PIN_TRIES,
    }
