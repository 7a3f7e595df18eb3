# SPDX-License-Identifier: Apache-2.0
"""What a debit card and its bank sign under SM2, judged by gmalg from the authority's key down."""

from __future__ import annotations

from typing import Any

import pytest
from paymentbench import Reader, payment_chip

from apdu.crypto import sm2
from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import INTERNAL_AUTHENTICATE
from host.issuer.test_keys import sm2_chain

pytestmark = pytest.mark.outside

NUMBER = bytes.fromhex("7863AFC6")
SIGNATURE, KEY = 64, 64


def verified(public: bytes, signed: bytes, beside: bytes = b"") -> bool:
    """Whether the last 64 bytes are a signature, under X and Y, over what is before and beside."""
    gmalg = pytest.importorskip("gmalg")
    judge: Any = gmalg.SM2(uid=sm2.DEFAULT_ID, pk=b"\x04" + public)
    body, r, s = signed[:-SIGNATURE], signed[-SIGNATURE:-32], signed[-32:]
    return bool(judge.verify(body + beside, r, s))


def test_gmalg_verifies_certificates_and_signature_of_a_debit_card() -> None:
    reader = Reader(payment_chip(base="sm2"))
    reader.options({tags.SM_INDICATOR: b"\x01"})
    found, static = reader.records(), reader.static_data()
    issuer, icc = found[tags.ISSUER_CERTIFICATE], found[tags.ICC_CERTIFICATE]
    assert verified(sm2_chain().ca.public.value, issuer)
    issuer_key = issuer[-SIGNATURE - KEY : -SIGNATURE]
    assert verified(issuer_key, icc, static)
    icc_key = icc[-SIGNATURE - KEY : -SIGNATURE]
    (answer,) = parse(reader.good(INTERNAL_AUTHENTICATE, None, NUMBER))
    assert verified(icc_key, answer.value, NUMBER)
    assert not verified(icc_key, answer.value, NUMBER[::-1])
    assert not verified(issuer_key, icc, static + b"\0")
