# SPDX-License-Identifier: Apache-2.0
"""Contact transactions from end to end: a recorded one to the byte, and what becomes of ours."""

from __future__ import annotations

from datetime import datetime

from books import VECTORS
from paymentdesk import (
    Playback,
    ScriptedIssuer,
    approve,
    config,
    order,
)

from apdu.trace import read
from apdu.wire.pboc.flags import Tvr
from host.card import Card
from host.terminal.kernel.transaction import Outcome
from host.terminal.pboc import pay

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
