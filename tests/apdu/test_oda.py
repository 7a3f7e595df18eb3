# SPDX-License-Identifier: Apache-2.0
"""Offline data authentication: what is made is accepted, and with any bit changed it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from books import book
from hypothesis import given
from hypothesis import strategies as st
from rsakeys import PRIMES, key_of_size

from apdu.crypto import certified, oda, oda_sign
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.oda_input import fdda_data, transaction_hash
from apdu.crypto.rsa import CARD_MODULUS, RsaPublicKey
from apdu.errors import FormatError
from apdu.tlv import tlv
from apdu.wire.oda import CombinedData, DynamicData

SIZES = sorted(PRIMES)
CARD_SIZES = [size for size in SIZES if size // 8 in CARD_MODULUS]
PAN = "6228000100001117"
STATIC = bytes.fromhex("5A0862280001000011175F24033012317C00")
TOLD = bytes.fromhex("12345678")
SAID = CombinedData(b"\x00\x07", 0x80, b"CRYPTOGR", transaction_hash(b"", b"", b"", b"\x77\x00"))
Check = Callable[..., Any]


def chance(size: int) -> bytes:
    return b"\xc3" * size


@cache
def issuer_parts(ca: int, issuer: int, exponent: int = 3) -> oda_sign.KeyCertificate:
    key = key_of_size(issuer, exponent).public
    return oda_sign.sign_issuer(key_of_size(ca), key, "622800", "1230", b"\0\0\1", chance)


@cache
def icc_parts(
    issuer: int, icc: int, exponent: int = 3, static: bytes = STATIC, pan: str = PAN
) -> oda_sign.KeyCertificate:
    key = key_of_size(icc, exponent).public
    signer = key_of_size(issuer)
    return oda_sign.sign_icc(signer, key, pan, "1230", b"\0\0\2", static, chance)


def beside(parts: oda_sign.KeyCertificate) -> tuple[bytes, bytes, bytes]:
    return parts.certificate, parts.remainder, parts.exponent


# What is made is accepted


@pytest.mark.parametrize("ca", SIZES)
@pytest.mark.parametrize("issuer", CARD_SIZES)
@pytest.mark.parametrize("exponent", [3, 65537])
def test_an_issuers_certificate_is_accepted(ca: int, issuer: int, exponent: int) -> None:
    made = issuer_parts(ca, issuer, exponent)
    found = oda.issuer_key(key_of_size(ca).public, *beside(made))
    assert key_of_size(issuer, exponent).public == found.key
    assert ("622800", "1230", b"\0\0\1") == (found.issuer, found.expires, found.serial)
    assert found.fits(PAN)
    assert max(issuer // 8 - (ca // 8 - 36), 0) == len(made.remainder)


@pytest.mark.parametrize("issuer", CARD_SIZES)
@pytest.mark.parametrize("icc", CARD_SIZES)
def test_a_cards_certificates_are_accepted(issuer: int, icc: int) -> None:
    under = key_of_size(issuer).public
    made = icc_parts(issuer, icc)
    found = oda.icc_key(under, *beside(made), STATIC, PAN)
    assert key_of_size(icc).public == found.key
    assert (PAN, "1230", b"\0\0\2") == (found.pan, found.expires, found.serial)
    assert max(icc // 8 - (issuer // 8 - 42), 0) == len(made.remainder)
    pin = icc_parts(issuer, icc, static=b"")
    assert found == oda.icc_pin_key(under, *beside(pin), PAN)


@pytest.mark.parametrize("bits", CARD_SIZES)
@given(code=st.binary(min_size=2, max_size=2), static=st.binary(max_size=60))
def test_signed_static_data_is_accepted(bits: int, code: bytes, static: bytes) -> None:
    key = key_of_size(bits if bits <= 1024 else 512)
    made = oda_sign.sign_static(key, code, static, chance)
    assert code == oda.static_data(key.public, made, static)


numbers = st.binary(min_size=2, max_size=8)


@pytest.mark.parametrize("bits", CARD_SIZES)
@given(number=numbers, more=st.binary(max_size=12), told=st.binary(max_size=30))
def test_signed_dynamic_data_is_accepted(
    bits: int, number: bytes, more: bytes, told: bytes
) -> None:
    key = key_of_size(bits if bits <= 1024 else 512)
    said = DynamicData(number, more)
    made = oda_sign.sign_dynamic(key, said, told, chance)
    assert said == oda.dynamic_data(key.public, made, told)


@given(
    bits=st.sampled_from([size for size in CARD_SIZES if size <= 1024]),
    number=numbers,
    cid=st.integers(0, 255),
    cryptogram=st.binary(min_size=8, max_size=8),
    told=st.binary(min_size=4, max_size=4),
    values=st.tuples(*[st.binary(max_size=20)] * 3),
)
def test_a_combined_signature_is_accepted(
    bits: int, number: bytes, cid: int, cryptogram: bytes, told: bytes, values: tuple[bytes, ...]
) -> None:
    key = key_of_size(bits)
    pdol, cdol1, cdol2 = values
    answered = [tlv(0x9F27, bytes((cid,))), tlv(0x9F36, b"\0\7")]
    mine = transaction_hash(pdol, cdol1, cdol2, bytes(tlv(0x77, answered)))
    said = CombinedData(number, cid, cryptogram, mine)
    made = oda_sign.sign_dynamic(key, said, told, chance)
    answer = bytes(tlv(0x77, [answered[0], tlv(0x9F4B, made), answered[1]]))
    seen = transaction_hash(pdol, cdol1, cdol2, answer)
    assert said == oda.combined_data(key.public, made, told, cid, seen)


def test_a_whole_chain_of_cards_sizes_is_accepted() -> None:
    for ca, issuer, icc in ((1984, 1408, 1152), (1984, 1984, 1984), (1152, 1024, 768)):
        under = oda.issuer_key(key_of_size(ca).public, *beside(issuer_parts(ca, issuer)))
        code = oda_sign.sign_static(key_of_size(issuer), b"\xda\xc5", STATIC, chance)
        assert b"\xda\xc5" == oda.static_data(under.key, code, STATIC)
        card = oda.icc_key(under.key, *beside(icc_parts(issuer, icc)), STATIC, PAN)
        terminal = fdda_data(1, TOLD, bytes(6), b"\x01\x56", bytes.fromhex("01A1B2C3D4000000"))
        signed = oda_sign.sign_dynamic(key_of_size(icc), DynamicData(b"\0\7"), terminal, chance)
        assert b"\0\7" == oda.dynamic_data(card.key, signed, terminal).number


# What is changed is refused


def _checks() -> dict[str, tuple[Check, list[bytes]]]:
    """Every step with its inputs that are bytes, the key above it among them."""
    ca, issuer, icc = (key_of_size(size).public for size in (768, 768, 512))

    def under(step: Check, *more: Any) -> Check:
        return lambda modulus, exponent, *given: step(
            RsaPublicKey(modulus, exponent), *given, *more
        )

    above = [issuer.modulus, issuer.exponent]
    static = oda_sign.sign_static(key_of_size(768), b"\xda\xc5", STATIC, chance)
    dynamic = oda_sign.sign_dynamic(key_of_size(512), DynamicData(b"\0\7"), TOLD, chance)
    combined = oda_sign.sign_dynamic(key_of_size(512), SAID, TOLD, chance)
    card = [icc.modulus, icc.exponent]
    return {
        "issuer_key": (
            under(oda.issuer_key),
            [ca.modulus, ca.exponent, *beside(issuer_parts(768, 512))],
        ),
        "icc_key": (under(oda.icc_key, PAN), [*above, *beside(icc_parts(768, 768)), STATIC]),
        "icc_pin_key": (
            under(oda.icc_pin_key, PAN),
            [*above, *beside(icc_parts(768, 768, static=b""))],
        ),
        "static_data": (under(oda.static_data), [*above, static, STATIC]),
        "dynamic_data": (under(oda.dynamic_data), [*card, dynamic, TOLD]),
        "combined_data": (
            lambda modulus, exponent, signed, number, transaction: oda.combined_data(
                RsaPublicKey(modulus, exponent), signed, number, 0x80, transaction
            ),
            [*card, combined, TOLD, SAID.transaction_hash],
        ),
    }


CHECKS = _checks()
every_check = pytest.mark.parametrize("name", CHECKS)


@every_check
def test_a_step_accepts_what_it_should(name: str) -> None:
    check, given_ = CHECKS[name]
    check(*given_)


@every_check
@given(data=st.data())
def test_a_flipped_bit_of_any_input_is_refused(name: str, data: st.DataObject) -> None:
    check, right = CHECKS[name]
    which = data.draw(st.sampled_from([at for at, value in enumerate(right) if value]))
    changed = bytearray(right[which])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FormatError):
        check(*right[:which], bytes(changed), *right[which + 1 :])


@every_check
@given(data=st.data())
def test_an_input_that_is_cut_or_grows_is_refused(name: str, data: st.DataObject) -> None:
    check, right = CHECKS[name]
    which = data.draw(st.integers(0, len(right) - 1))
    whole = right[which]
    shorter = [whole[:at] for at in range(len(whole))]
    changed = data.draw(st.sampled_from([*shorter, whole + b"\0", b"\0" + whole, whole + b"\xbb"]))
    with pytest.raises(FormatError):
        check(*right[:which], changed, *right[which + 1 :])


@every_check
@given(data=st.data())
def test_any_bytes_under_a_signature_are_refused_in_words(name: str, data: st.DataObject) -> None:
    check, right = CHECKS[name]
    signer = key_of_size(len(right[0]) * 8)
    block = data.draw(st.binary(min_size=signer.public.size, max_size=signer.public.size))
    known = signer.public.recover(right[2])
    mixed = known[:2] + block[2:-1] + known[-1:]
    for forged in (block, mixed):
        if forged < signer.public.modulus:
            with pytest.raises(FormatError, match=r"\((90|9F46|9F2D|93|9F4B)\): "):
                check(*right[:2], signer.sign(forged, chance), *right[3:])


def test_a_certificate_of_another_card_is_refused() -> None:
    under = key_of_size(768).public
    with pytest.raises(FormatError, match=r"^ICC certificate \(9F46\): its PAN is not the card's$"):
        oda.icc_key(under, *beside(icc_parts(768, 768)), STATIC, PAN[:-1] + "8")
    other = icc_parts(768, 768, static=b"", pan=PAN + "0")
    with pytest.raises(FormatError, match=r"^ICC PIN certificate \(9F2D\): its PAN is not"):
        oda.icc_pin_key(under, *beside(other), PAN)


@pytest.mark.parametrize("pan", ["", "6228000", "6" * 20, "62280001000011AA", "六二二八零零零一"])
def test_a_card_is_not_certified_under_a_wrong_pan(pan: str) -> None:
    with pytest.raises(FormatError, match=r"(?i)pan"):
        icc_parts(768, 512, pan=pan)


@given(st.text(alphabet="0123456789F", max_size=9), st.text(alphabet="0123456789", max_size=19))
def test_an_issuer_fits_the_pans_that_begin_with_three_digits_of_it_or_more(
    issuer: str, pan: str
) -> None:
    key = certified.IssuerKey(key_of_size(512).public, issuer, "1230", b"\0\0\1")
    assert (len(issuer) > 2 and pan[: len(issuer)] == issuer) == key.fits(pan)


def test_an_authority_may_have_a_longer_key_than_a_card() -> None:
    with pytest.raises(FormatError, match=r"^modulus: 256 bytes, must be 64 to 248$"):
        issuer_parts(1984, 2048)


# The keys of authorities


def _published() -> list[CaKey]:
    valid = [case for case in book("crypto/ca_keys.json")["cases"] if case["result"] == "valid"]
    return [
        CaKey(
            bytes.fromhex(case["given"]["rid"]),
            int(case["given"]["index"], 16),
            bytes.fromhex(case["given"]["modulus"]),
            bytes.fromhex(case["given"]["exponent"]),
        )
        for case in valid
        if case["op"] == "ca_keys.CaKey.check_value"
    ]


@given(st.sampled_from(_published()), st.data())
def test_a_changed_bit_changes_the_check_value(key: CaKey, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["rid", "modulus", "exponent"]))
    changed = bytearray(getattr(key, name))
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    assert key.check_value() != replace(key, **{name: bytes(changed)}).check_value()
    assert key.check_value() != replace(key, index=key.index ^ 1 << bit % 8).check_value()


def test_only_keys_that_can_be_rsa_keys_can_be_used() -> None:
    unusable = [key.index for key in _published() if int.from_bytes(key.exponent) % 2 == 0]
    assert [0x19] == unusable
    for key in _published():
        if key.index in unusable:
            with pytest.raises(FormatError, match="exponent"):
                key.public()
        else:
            assert (key.modulus, key.exponent) == (key.public().modulus, key.public().exponent)


def test_a_key_of_another_algorithm_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^algorithm: 04, must be 01$"):
        replace(_published()[0], algorithm=4)
