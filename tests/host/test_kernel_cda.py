# SPDX-License-Identifier: Apache-2.0
"""Combined dynamic data authentication: what the card signed is what the terminal saw."""

from __future__ import annotations

import pytest
from odacards import (
    CRYPTOGRAM,
    EVERY,
    FAMILIES,
    NUMBER,
    Face,
    Signing,
    answer_signed,
    transaction_of,
)
from terminalfiles import shipped

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tsi, Tvr
from host.terminal.kernel import oda
from host.terminal.kernel.transaction import Transaction


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("final", [b"", b"CDOL2 data"])
def test_a_combined_signature_gives_the_cryptogram(family: str, final: bytes) -> None:
    transaction = ready(family, final)
    assert CRYPTOGRAM == oda.check_combined(transaction)
    assert (Tvr(0), Tsi.ODA_PERFORMED) == (transaction.tvr, transaction.tsi)
    assert NUMBER == transaction.terminal[tags.ICC_DYNAMIC_NUMBER]
    assert "CDA succeeded" == transaction.trail[-1].outcome


def ready(family: str, final: bytes = b"") -> Transaction:
    """A transaction whose answer the card signed."""
    transaction = transaction_of(Face(family, int(EVERY)))
    oda.authenticate(transaction, shipped(), Signing(family))
    transaction.options, transaction.first_data = b"PDOL data", b"CDOL1 data"
    transaction.final_data = final
    answer_signed(family, transaction)
    return transaction


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "field", ["options", "first_data", "final_data", "answer", "signed", "cid", "number", "key"]
)
def test_a_combined_signature_is_over_the_whole_transaction(family: str, field: str) -> None:
    transaction = ready(family, b"CDOL2 data")
    if field == "cid":
        transaction.cid = 0x40
    elif field == "number":
        transaction.terminal[tags.UNPREDICTABLE_NUMBER] = b"\0\0\0\0"
    elif field == "key":
        transaction.card_key = None
    else:
        value: bytes = getattr(transaction, field)
        setattr(transaction, field, value[:-1] + bytes((value[-1] ^ 1,)))
        if field == "answer":
            transaction.answer = value.replace(b"\x9f\x36\x02\x00\x07", b"\x9f\x36\x02\x00\x08")
    assert b"" == oda.check_combined(transaction)
    assert Tvr.CDA_FAILED in transaction.tvr and Tsi.ODA_PERFORMED in transaction.tsi
    assert "CDA failed" == transaction.trail[-1].outcome


def test_an_answer_without_signature_fails_cda() -> None:
    transaction = ready("rsa")
    transaction.signed = b""
    assert b"" == oda.check_combined(transaction)
    assert Tvr.CDA_FAILED | Tvr.ICC_DATA_MISSING == transaction.tvr
