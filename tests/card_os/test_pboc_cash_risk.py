# SPDX-License-Identifier: Apache-2.0
"""GENERATE AC in electronic cash: the balance pays, and of the card's tests hardly one is made."""

from __future__ import annotations

import pytest
from riskbench import (
    AAC,
    ARQC,
    CDA_FAILED,
    NO_TRIES,
    NOT_REQUESTED,
    OTHER,
    SDA_FAILED,
    TC,
    Case,
    asked,
    case,
    limits,
    name_of,
    standing,
    state,
)

from apdu.wire.pboc.flags import Ada, Cid, Cvr
from card_os.apps.pboc.risk import cash_action
from card_os.apps.pboc.state import Flag

CASH = [
    case("enough", TC, after={"balance": 4_900}),
    case("all of it", TC, 0, asked(amount=5_000), after={"balance": 0}),
    case("one fen too much", AAC, 0, asked(amount=5_001)),
    case("nothing", TC, 0, asked(amount=0), after={}),
    case("the second", TC, 0, asked(amount=700), after={"second_balance": 0}, second=True),
    case("one fen too much of the second", AAC, 0, asked(amount=701), second=True),
    case("not what was said to GPO", AAC, agrees=False),
    case("ARQC asked", ARQC, 0, asked(wanted=ARQC)),
    case("ARQC asked, whatever was said to GPO", ARQC, 0, asked(wanted=ARQC), agrees=False),
    case("AAC asked", AAC, 0, asked(wanted=AAC)),
    case("a blocked application", AAC, 0, standing(blocked=True)),
    case(
        "what failed last time is told",
        TC,
        Cvr.LAST_SDA_FAILED | Cvr.LAST_DDA_FAILED,
        state(Flag.SDA_FAILED | Flag.DDA_FAILED),
        after={"balance": 4_900},
    ),
    case(
        "what fails now is remembered",
        AAC,
        0,
        asked(wanted=AAC, tvr=SDA_FAILED | CDA_FAILED),
        after={"flags": int(Flag.SDA_FAILED | Flag.DDA_FAILED)},
    ),
    case("advice", AAC, 0, asked(wanted=AAC), limits(ada=Ada.ADVICE_ON_DECLINE), reason=Cid.ADVICE),
    case(
        "nothing else is looked at",
        TC,
        0,
        state(
            Flag.ONLINE_REQUESTED | Flag.ISSUER_AUTHENTICATION_FAILED | Flag.SCRIPT_FAILED,
            scripts=3,
            last_online_atc=0,
            spent=10**6,
        ),
        NO_TRIES,
        limits(ada=0xFFFF, lower=0, spent=1, dual=1, international_country=0),
        asked(country=OTHER),
        after={"balance": 4_900},
    ),
]


@pytest.mark.parametrize("each", CASH, ids=name_of)
def test_electronic_cash_pays_from_its_balance_and_counts_nothing(each: Case) -> None:
    found = cash_action(
        each.limits,
        each.state,
        each.asked,
        each.standing,
        agrees=each.options.get("agrees", True),
        second=each.options.get("second", False),
    )
    assert each.decision(NOT_REQUESTED | each.result << 20) == found
