# SPDX-License-Identifier: Apache-2.0
"""The card's signatures, as a terminal checks them: down the chain of certificates to the card."""

from __future__ import annotations

import pytest
from books import book
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import Reader, context, payment_chip, published
from testbench import sw

from apdu.crypto import gmcert, oda, sm2
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.oda_input import transaction_hash
from apdu.crypto.rsa import RsaPrivateKey, RsaPublicKey
from apdu.errors import StatusError
from apdu.tlv import parse
from apdu.wire.pboc import groups, tags
from apdu.wire.pboc.commands import INTERNAL_AUTHENTICATE
from apdu.wire.pboc.flags import Cvr
from card_os.apps.pboc.profile import Route
from card_os.apps.pboc.signatures import card_key, sign_combined, sign_dynamic
from card_os.apps.pboc.transaction import Phase, Transaction, current
from card_os.chip import Chip
from card_os.world import World
from host.issuer.test_keys import rsa_chain, sm2_chain

NUMBER = bytes.fromhex("1E78EEBC")
SM = {tags.SM_INDICATOR: b"\x01"}
HASHED = (b"pdol", b"cdol1", b"cdol2", bytes.fromhex("77099F2701809F36020001"))
"""What a transaction's hash is made of: lists, and an answer whose TLVs are all hashed."""


def authority(index: int) -> RsaPublicKey:
    """A key of the test authority of the published card."""
    for case in book("crypto/ca_keys.json")["cases"]:
        given = case["given"]
        if case["op"].endswith("public") and given["index"] == f"{index:02X}":
            values = {name: bytes.fromhex(value) for name, value in given.items()}
            key = CaKey(values["rid"], index, values["modulus"], values["exponent"])
            return key.public()
    raise LookupError(index)


def icc_key(reader: Reader, ca: RsaPublicKey) -> RsaPublicKey:
    """The card's key, certified from the authority down."""
    found, static = reader.records(), reader.static_data()
    remainder = found.get(tags.ISSUER_REMAINDER, b"")
    issuer = oda.issuer_key(
        ca, found[tags.ISSUER_CERTIFICATE], remainder, found[tags.ISSUER_EXPONENT]
    )
    pan = found[tags.PAN].hex().rstrip("f")
    assert issuer.fits(pan)
    return oda.icc_key(
        issuer.key,
        found[tags.ICC_CERTIFICATE],
        found.get(tags.ICC_REMAINDER, b""),
        found[tags.ICC_EXPONENT],
        static,
        pan,
    ).key


def sm2_icc_key(reader: Reader) -> sm2.PublicKey:
    found, static = reader.records(), reader.static_data()
    issuer = gmcert.issuer_key(sm2_chain().ca.public, found[tags.ISSUER_CERTIFICATE]).key
    pan = found[tags.PAN].hex().rstrip("f")
    return gmcert.icc_key(issuer, found[tags.ICC_CERTIFICATE], static, pan).key


def signed(reader: Reader, number: bytes = NUMBER) -> bytes:
    """9F4B of INTERNAL AUTHENTICATE."""
    (template,) = parse(reader.good(INTERNAL_AUTHENTICATE, None, number))
    assert tags.FORMAT_1 == template.tag
    return template.value


def begun(chip: Chip, values: dict[int, bytes] | None = None) -> tuple[Reader, Route]:
    reader = Reader(chip)
    reader.options(values)
    route = current(context(chip)).route
    assert route is not None
    return reader, route


# DDA


def test_the_published_card_is_certified_and_signs_under_its_key() -> None:
    reader, _ = begun(payment_chip())
    found = oda.dynamic_data(icc_key(reader, authority(0x80)), signed(reader), NUMBER)
    assert (bytes.fromhex("0001"), b"") == (found.number, found.more)


@pytest.mark.parametrize("bits", [1152, 1408, 1984])
def test_prepared_cards_are_certified_and_sign_under_their_key(bits: int) -> None:
    reader, _ = begun(payment_chip(base=f"rsa-{bits}"))
    key = icc_key(reader, rsa_chain(bits).ca.public)
    assert bytes.fromhex("0001") == oda.dynamic_data(key, signed(reader), NUMBER).number


def test_a_card_asked_for_it_signs_under_sm2() -> None:
    reader, route = begun(payment_chip(base="sm2"), SM)
    assert groups.Algorithm.SM4 is route.algorithm
    found = gmcert.dynamic_data(sm2_icc_key(reader), signed(reader), NUMBER)
    assert (bytes.fromhex("0001"), b"") == (found.number, found.more)


def test_a_card_that_is_not_asked_signs_under_rsa() -> None:
    reader, route = begun(payment_chip(base="sm2"))
    assert groups.Algorithm.TDES is route.algorithm
    key = icc_key(reader, rsa_chain(1152).ca.public)
    assert bytes.fromhex("0001") == oda.dynamic_data(key, signed(reader), NUMBER).number


@given(st.binary(min_size=4, max_size=4))
def test_whatever_number_is_sent_is_the_one_that_is_signed(number: bytes) -> None:
    reader, route = begun(payment_chip())
    key = card_key(context(reader.chip), route)
    assert isinstance(key, RsaPrivateKey)
    oda.dynamic_data(key.public, signed(reader, number), number)


def test_the_number_of_a_signature_counts_with_the_transactions() -> None:
    chip = payment_chip()
    key = icc_key(begun(chip)[0], authority(0x80))
    numbers = [oda.dynamic_data(key, signed(begun(chip)[0]), NUMBER).number for _ in range(3)]
    assert [n.to_bytes(2) for n in (2, 3, 4)] == numbers


def test_two_signatures_of_one_transaction_are_made_alike_under_rsa_and_not_under_sm2() -> None:
    reader, _ = begun(payment_chip())
    assert signed(reader) == signed(reader)
    reader, _ = begun(payment_chip(base="sm2"), SM)
    assert signed(reader) != signed(reader)


def test_the_cvr_tells_that_dda_was_performed() -> None:
    reader, _ = begun(payment_chip())
    assert 0 == current(context(reader.chip)).cvr
    signed(reader)
    assert Cvr.DDA_PERFORMED == current(context(reader.chip)).cvr


# CDA


@pytest.mark.parametrize("cid", [0x00, 0x40, 0x80, 0x48])
def test_the_cryptogram_is_signed_under_rsa(cid: int) -> None:
    reader, route = begun(payment_chip())
    ac = bytes(range(8))
    *lists, answer = HASHED
    heard = b"".join(lists) + answer[2:]
    found = sign_combined(context(reader.chip), route, cid, ac, heard, NUMBER)
    key = icc_key(reader, authority(0x80))
    data = oda.combined_data(key, found, NUMBER, cid, transaction_hash(*HASHED))
    assert (bytes.fromhex("0001"), ac, b"") == (data.number, data.cryptogram, data.more)


@pytest.mark.parametrize("cid", [0x00, 0x40, 0x80, 0x48])
def test_the_cryptogram_is_signed_under_sm2(cid: int) -> None:
    reader, route = begun(payment_chip(base="sm2"), SM)
    ac = bytes(range(8))
    *lists, answer = HASHED
    heard = b"".join(lists) + answer[2:]
    found = sign_combined(context(reader.chip), route, cid, ac, heard, NUMBER)
    transaction = gmcert.transaction_hash(*HASHED)
    data = gmcert.combined_data(sm2_icc_key(reader), found, NUMBER, cid, transaction)
    assert (bytes.fromhex("0001"), ac) == (data.number, data.cryptogram)


# Keys


def test_the_key_is_made_once_while_there_is_power_and_anew_when_it_comes_back() -> None:
    chip = payment_chip()
    _, route = begun(chip)
    made = card_key(context(chip), route)
    assert made is card_key(context(chip), route)
    _, route = begun(chip)
    assert made is not card_key(context(chip), route)


@pytest.mark.parametrize("number", [groups.RSA_P, groups.RSA_QINV])
def test_without_a_part_of_its_key_a_card_does_not_sign(number: int) -> None:
    reader, _ = begun(payment_chip(groups={number: None}))
    assert 0x6985 == sw(reader.send(INTERNAL_AUTHENTICATE, None, NUMBER))


def test_with_a_damaged_key_a_card_does_not_sign() -> None:
    damaged = bytearray(published()[groups.RSA_DP])
    damaged[-1] ^= 2
    reader, _ = begun(payment_chip(groups={groups.RSA_DP: bytes(damaged)}))
    assert 0x6985 == sw(reader.send(INTERNAL_AUTHENTICATE, None, NUMBER))


def test_without_its_key_a_card_does_not_sign_under_sm2() -> None:
    reader, _ = begun(payment_chip(groups={groups.SM2_PRIVATE: None}, base="sm2"), SM)
    assert 0x6985 == sw(reader.send(INTERNAL_AUTHENTICATE, None, NUMBER))


@pytest.mark.parametrize(("base", "asked"), [("published", {}), ("sm2", SM)])
def test_without_chance_a_card_does_not_sign(base: str, asked: dict[int, bytes]) -> None:
    chip = payment_chip(base=base)
    reader, _ = begun(chip, asked)

    def nothing(_: int) -> bytes:
        raise OSError

    context(chip).world = World(nothing, context(chip).world.today)
    assert 0x6400 == sw(reader.send(INTERNAL_AUTHENTICATE, None, NUMBER))


def test_a_computation_that_was_disturbed_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, route = begun(payment_chip())

    def disturbed(*_: object) -> bytes:
        raise ArithmeticError

    monkeypatch.setattr(RsaPrivateKey, "sign", disturbed)
    ctx = context(reader.chip)
    for attempt in (
        lambda: sign_dynamic(ctx, route, NUMBER),
        lambda: sign_combined(ctx, route, 0x40, bytes(8), b"", NUMBER),
    ):
        with pytest.raises(StatusError) as refused:
            attempt()
        assert 0x6400 == refused.value.sw


def test_no_text_of_the_profile_has_a_key_in_it() -> None:
    reader, route = begun(payment_chip())
    key = card_key(context(reader.chip), route)
    assert isinstance(key, RsaPrivateKey)
    text = repr(context(reader.chip).session.directory.made)
    assert "signers" not in text
    assert str(int(key._p)) not in text


# When it is asked for


def internal(reader: Reader, data: bytes = NUMBER) -> int:
    return sw(reader.send(INTERNAL_AUTHENTICATE, None, data))


def test_before_gpo_nothing_is_signed() -> None:
    assert 0x6985 == internal(Reader(payment_chip()))


@pytest.mark.parametrize("phase", [each for each in Phase if each is not Phase.INITIATED])
def test_only_between_gpo_and_the_first_cryptogram_is_signed(phase: Phase) -> None:
    reader, route = begun(payment_chip())
    context(reader.chip).session.scratch = Transaction(phase, route, atc=bytes(2))
    assert 0x6985 == internal(reader)


@pytest.mark.parametrize("size", [5, 8, 252])
def test_other_data_than_the_ddol_asks_for_is_refused(size: int) -> None:
    reader, _ = begun(payment_chip())
    assert 0x6700 == internal(reader, bytes(size))


def test_a_route_without_dda_does_not_sign() -> None:
    way = published()[0x9104]
    reader, _ = begun(payment_chip(groups={0x9104: way.replace(b"\x7c\x00", b"\x5c\x00", 1)}))
    assert 0x6985 == internal(reader)


def test_a_ddol_without_the_terminals_number_is_not_signed_for() -> None:
    record = published()[0x0202].replace(bytes.fromhex("9F49039F3704"), b"\x9f\x49\x03\x9f\x02\x06")
    reader, _ = begun(payment_chip(groups={0x0202: record}))
    assert 0x6700 == internal(reader, bytes(6))
