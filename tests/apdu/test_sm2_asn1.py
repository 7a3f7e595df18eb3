# SPDX-License-Identifier: Apache-2.0
"""SM2's DER forms: each is one to one with the plain bytes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from strategies import near

from apdu.crypto import sm2_asn1
from apdu.errors import FormatError


@given(st.binary(min_size=64, max_size=64))
@example(bytes(64))
def test_a_signature_and_its_der_are_a_pair(signature: bytes) -> None:
    der = sm2_asn1.signature_to_der(signature)
    assert signature == sm2_asn1.signature_from_der(der)


@given(st.binary(min_size=97, max_size=300).map(lambda raw: b"\x04" + raw))
def test_a_ciphertext_and_its_der_are_a_pair(ciphertext: bytes) -> None:
    assert ciphertext == sm2_asn1.ciphertext_from_der(sm2_asn1.ciphertext_to_der(ciphertext))


@given(
    near(st.binary(min_size=64, max_size=64).map(sm2_asn1.signature_to_der))
    | near(
        st.binary(min_size=97, max_size=99).map(
            lambda raw: sm2_asn1.ciphertext_to_der(b"\x04" + raw)
        )
    )
)
def test_der_has_one_form(der: bytes) -> None:
    for there, back in (
        (sm2_asn1.signature_from_der, sm2_asn1.signature_to_der),
        (sm2_asn1.ciphertext_from_der, sm2_asn1.ciphertext_to_der),
    ):
        try:
            plain = there(der)
        except FormatError:
            continue
        assert der == back(plain)
