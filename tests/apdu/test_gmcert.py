# SPDX-License-Identifier: Apache-2.0
"""The chain under SM2, from the CA's key to what a card signs: whole, and with a link changed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import near

from apdu.crypto import certified, gmcert, gmcert_sign, sm2, sm3
from apdu.errors import FormatError
from apdu.tlv import build, tlv
from apdu.wire.gmcert import Sm2CombinedData
from apdu.wire.oda import DynamicData

CHANCE = Random(6).randbytes  # noqa: S311 - test data
CA, ISSUER, ICC = (sm2.generate(CHANCE) for _ in range(3))
PAN, STATIC, UN = "6228000100001117", bytes.fromhex("5A0862280001000011177C00"), bytes(range(4))
TRANSACTION = sm3.digest(b"transaction")
COMBINED = Sm2CombinedData(b"\x00\x01", 0x80, bytes(8), TRANSACTION)

few = settings(max_examples=12)
months = st.builds("{:02}{:02}".format, st.integers(1, 12), st.integers(0, 99))
serials = st.binary(min_size=3, max_size=3)
numbers = st.binary(min_size=2, max_size=8)
data = st.binary(max_size=60)


def digits(shortest: int, longest: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=shortest, max_size=longest)


SIGNED: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "90": (
        gmcert_sign.sign_issuer(CA, ISSUER.public, "622800", "1230", b"\0\0\1", CHANCE),
        lambda raw: gmcert.issuer_key(CA.public, raw),
    ),
    "93": (
        gmcert_sign.sign_static(ISSUER, b"\xda\xc5", STATIC, CHANCE),
        lambda raw: gmcert.static_data(ISSUER.public, raw, STATIC),
    ),
    "9F46": (
        gmcert_sign.sign_icc(ISSUER, ICC.public, PAN, "1230", b"\0\1\xfc", STATIC, CHANCE),
        lambda raw: gmcert.icc_key(ISSUER.public, raw, STATIC, PAN),
    ),
    "9F4B": (
        gmcert_sign.sign_dynamic(ICC, DynamicData(b"\0\1"), UN, CHANCE),
        lambda raw: gmcert.dynamic_data(ICC.public, raw, UN),
    ),
    "9F4B-cda": (
        gmcert_sign.sign_dynamic(ICC, COMBINED, UN, CHANCE),
        lambda raw: gmcert.combined_data(ICC.public, raw, UN, 0x80, TRANSACTION),
    ),
}
every_object = pytest.mark.parametrize("name", SIGNED)


# What is made is accepted, with what was put in


@few
@given(digits(3, 8), months, serials)
def test_an_issuer_key_comes_back(issuer: str, expires: str, serial: bytes) -> None:
    made = gmcert_sign.sign_issuer(CA, ISSUER.public, issuer, expires, serial, CHANCE)
    assert 142 == len(made)
    found = gmcert.issuer_key(CA.public, made)
    assert certified.IssuerKey(ISSUER.public, issuer, expires, serial) == found
    assert found.fits(issuer + "000000")
    assert not found.fits("9" + issuer if issuer[0] != "9" else "0" + issuer)


@few
@given(digits(8, 19), months, serials, data)
def test_a_card_key_comes_back(pan: str, expires: str, serial: bytes, static: bytes) -> None:
    made = gmcert_sign.sign_icc(ISSUER, ICC.public, pan, expires, serial, static, CHANCE)
    assert 148 == len(made)
    found = gmcert.icc_key(ISSUER.public, made, static, pan)
    assert certified.IccKey(ICC.public, pan, expires, serial) == found
    for wrong_static, wrong_pan in ((static + b"\0", pan), (static, pan[:-1])):
        with pytest.raises(FormatError, match=r"^ICC certificate \(9F46\): "):
            gmcert.icc_key(ISSUER.public, made, wrong_static, wrong_pan)


@few
@given(st.binary(min_size=2, max_size=2), data)
def test_static_data_come_back(code: bytes, static: bytes) -> None:
    made = gmcert_sign.sign_static(ISSUER, code, static, CHANCE)
    assert 67 == len(made)
    assert code == gmcert.static_data(ISSUER.public, made, static)
    with pytest.raises(FormatError, match=r"^signed static data \(93\): its signature"):
        gmcert.static_data(ISSUER.public, made, static + b"\0")


@few
@given(numbers, data, data)
def test_dynamic_data_come_back(number: bytes, more: bytes, terminal: bytes) -> None:
    said = DynamicData(number, more)
    made = gmcert_sign.sign_dynamic(ICC, said, terminal, CHANCE)
    assert said == gmcert.dynamic_data(ICC.public, made, terminal)
    with pytest.raises(FormatError, match=r"^signed dynamic data \(9F4B\): its signature"):
        gmcert.dynamic_data(ICC.public, made, terminal + b"\0")


@few
@given(numbers, st.integers(0, 255), st.binary(min_size=8, max_size=8), data, data, data)
def test_a_combined_signature_covers_the_whole_transaction(
    number: bytes, cid: int, cryptogram: bytes, pdol: bytes, cdol1: bytes, cdol2: bytes
) -> None:
    def answer(cid: int, *signature: bytes) -> bytes:
        objects = [tlv(0x9F27, bytes((cid,))), *(tlv(0x9F4B, raw) for raw in signature)]
        return build([tlv(0x77, [*objects, tlv(0x9F36, b"\0\1"), tlv(0x9F26, cryptogram)])])

    hashed = gmcert.transaction_hash(pdol, cdol1, cdol2, answer(cid))
    said = Sm2CombinedData(number, cid, cryptogram, hashed)
    made = gmcert_sign.sign_dynamic(ICC, said, UN, CHANCE)
    seen = gmcert.transaction_hash(pdol, cdol1, cdol2, answer(cid, made))
    assert said == gmcert.combined_data(ICC.public, made, UN, cid, seen)

    changed = gmcert.transaction_hash(pdol, cdol1, cdol2, answer(cid ^ 1, made))
    for wrong_cid, wrong in ((cid ^ 1, seen), (cid, changed)):
        with pytest.raises(FormatError, match=r"^signed dynamic data \(9F4B\): its "):
            gmcert.combined_data(ICC.public, made, UN, wrong_cid, wrong)


@few
@given(st.binary(min_size=5, max_size=5), st.integers(0, 255), months)
def test_a_ca_signs_its_own_key(rid: bytes, index: int, expires: str) -> None:
    ca = gmcert.CaKey(rid, index, CA.public, expires)
    made = gmcert_sign.sign_ca(CA, ca, CHANCE)
    assert ca.verify(made)
    assert not gmcert.CaKey(rid, index ^ 1, CA.public, expires).verify(made)
    assert not gmcert.CaKey(rid, index, ISSUER.public, expires).verify(made)


# What is changed is refused


@every_object
@settings(max_examples=25)
@given(choice=st.integers(0, 2**32))
def test_any_flipped_bit_is_refused(name: str, choice: int) -> None:
    whole, check = SIGNED[name]
    check(whole)
    bit = choice % (8 * len(whole))
    with pytest.raises(FormatError, match=rf"\({name[:4]}\): "):
        check((int.from_bytes(whole) ^ 1 << bit).to_bytes(len(whole)))


@every_object
@settings(max_examples=30)
@given(chance=st.data())
def test_any_other_bytes_are_refused_by_name(name: str, chance: st.DataObject) -> None:
    whole, check = SIGNED[name]
    raw = chance.draw(near(st.just(whole), longest=160))
    if raw != whole:
        with pytest.raises(FormatError, match=rf"\({name[:4]}\): "):
            check(raw)


@pytest.mark.parametrize("key", [CA, ICC], ids=["CA", "ICC"])
def test_a_link_under_another_key_is_refused(key: sm2.PrivateKey) -> None:
    with pytest.raises(FormatError, match=r"its signature does not verify$"):
        gmcert.static_data(key.public, SIGNED["93"][0], STATIC)
    with pytest.raises(FormatError, match=r"its signature does not verify$"):
        gmcert.icc_key(key.public, SIGNED["9F46"][0], STATIC, PAN)


@few
@given(st.binary(min_size=64, max_size=64))
def test_a_key_off_the_curve_is_refused_though_it_is_signed(value: bytes) -> None:
    whole, check = SIGNED["90"]
    body = whole[:14] + value
    with pytest.raises(FormatError, match=r"^issuer certificate \(90\): public key: not a point"):
        check(body + sm2.sign(CA, body, CHANCE))


@pytest.mark.parametrize("number", [b"", b"\0", bytes(9)])
def test_a_dynamic_number_has_two_to_eight_bytes(number: bytes) -> None:
    with pytest.raises(FormatError, match=rf"a dynamic number of {len(number)} bytes"):
        gmcert_sign.sign_dynamic(ICC, DynamicData(number), UN, CHANCE)
    body = bytes((0x15, 1 + len(number), len(number))) + number
    signed = body + sm2.sign(ICC, body + UN, CHANCE)
    with pytest.raises(FormatError, match=rf"9F4B\): a dynamic number of {len(number)} bytes"):
        gmcert.dynamic_data(ICC.public, signed, UN)


@pytest.mark.parametrize("answer", ["", "7700" * 2, "8002AABB", "770", "7701"])
def test_an_answer_that_is_no_template_77_has_no_hash(answer: str) -> None:
    raw = bytes.fromhex(answer if len(answer) % 2 == 0 else answer + "2")
    with pytest.raises(FormatError):
        gmcert.transaction_hash(b"", b"", b"", raw)
