# SPDX-License-Identifier: Apache-2.0
"""Offline data authentication at a terminal: the method, the chain, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odacards import (
    CODE,
    EVERY,
    FAMILIES,
    NUMBER,
    UNPREDICTABLE,
    Face,
    Signing,
    order,
    transaction_of,
)
from terminalfiles import changed, config_of, shipped, shipped_table

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, TerminalCapabilities, Tsi, Tvr
from host.faults import CardGone, CardMisspoke, NotAllowed
from host.terminal.kernel import oda
from host.terminal.kernel.capks import AuthorityKeys, Revoked
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.oda import Method
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

FACES = [
    Face(family, int(aip)) for family in FAMILIES for aip in (Aip.SDA, Aip.DDA, EVERY, Aip.CDA)
]
FAILED = {Method.SDA: Tvr.SDA_FAILED, Method.DDA: Tvr.DDA_FAILED, Method.CDA: Tvr.CDA_FAILED}
BY_AIP = {int(Aip.SDA): Method.SDA, int(Aip.DDA): Method.DDA}


def method_of(face: Face) -> Method:
    return BY_AIP.get(face.aip, Method.CDA)


def name(face: Face) -> str:
    return f"{face.family}-{method_of(face).name}-{face.aip:04X}"


# Which method

CAPABLE = {
    Method.SDA: TerminalCapabilities.SDA,
    Method.DDA: TerminalCapabilities.DDA,
    Method.CDA: TerminalCapabilities.CDA,
}
OFFERED = {Method.SDA: Aip.SDA, Method.DDA: Aip.DDA, Method.CDA: Aip.CDA}


@given(st.sets(st.sampled_from(Method)), st.sets(st.sampled_from(Method)))
def test_the_first_of_cda_dda_and_sda_that_both_have_is_taken(
    card: set[Method], terminal: set[Method]
) -> None:
    both = [method for method in (Method.CDA, Method.DDA, Method.SDA) if method in card & terminal]
    aip = sum(OFFERED[method] for method in card) | Aip.CARDHOLDER_VERIFICATION
    capabilities = sum(CAPABLE[method] for method in terminal) | TerminalCapabilities.CONTACT
    assert (both[0] if both else None) is oda.chosen(aip, capabilities)


def test_without_a_method_nothing_is_performed() -> None:
    transaction = transaction_of(replace(FACES[0], aip=int(Aip.CARDHOLDER_VERIFICATION)))
    assert None is oda.authenticate(transaction, shipped(), Signing("rsa"))
    assert (Tvr.ODA_NOT_PERFORMED, Tsi(0)) == (transaction.tvr, transaction.tsi)
    assert [Step.ODA] == [decision.step for decision in transaction.trail]


# What succeeds


@pytest.mark.parametrize("face", FACES, ids=name)
def test_a_genuine_card_passes(face: Face) -> None:
    transaction, client = transaction_of(face), Signing(face.family)
    method = method_of(face)
    assert method is oda.authenticate(transaction, shipped(), client)
    assert (Tvr.SDA_SELECTED if method is Method.SDA else Tvr(0)) == transaction.tvr
    assert (Tsi(0) if method is Method.CDA else Tsi.ODA_PERFORMED) == transaction.tsi
    assert (method is Method.CDA) == transaction.cda
    assert (method is Method.DDA) == bool(client.told)
    learned = {tags.AUTHENTICATION_CODE: CODE} if method is Method.SDA else {}
    if method is Method.DDA:
        learned = {tags.ICC_DYNAMIC_NUMBER: NUMBER}
    for tag in (tags.AUTHENTICATION_CODE, tags.ICC_DYNAMIC_NUMBER):
        assert learned.get(tag) == transaction.terminal.get(tag)
    (decision,) = transaction.trail
    done = "CDA prepared" if method is Method.CDA else f"{method.name} succeeded"
    index = "E1" if face.family == "rsa" else "E4"
    assert (done, f"under CA key A000000333 {index}") == (decision.outcome, decision.why)


def test_static_data_are_the_records_alone_where_9f4a_is_not_there() -> None:
    face = Face(aip=int(Aip.SDA), static=b"all of it")
    transaction = transaction_of(face)
    del transaction.card[tags.STATIC_TAGS]
    transaction.static_data = face.signed_static
    oda.authenticate(transaction, shipped(), Signing("rsa"))
    assert Tsi.ODA_PERFORMED == transaction.tsi and not transaction.tvr & Tvr.SDA_FAILED


def test_dda_has_a_number_of_its_own_where_the_order_has_one() -> None:
    face = Face()
    given = order(authentication_number=b"\1\2\3\4")
    for ordered, told in ((given, b"\1\2\3\4"), (order(), UNPREDICTABLE)):
        client = Signing("rsa")
        oda.authenticate(transaction_of(face, ordered=ordered), shipped(), client)
        assert [told] == client.told


def test_without_a_ddol_the_terminals_counts() -> None:
    transaction, client = transaction_of(Face()), Signing("rsa")
    del transaction.card[tags.DDOL]
    oda.authenticate(transaction, shipped(), client)
    assert ([UNPREDICTABLE], Tvr(0)) == (client.told, transaction.tvr)


def test_a_ddol_draws_nothing_out_but_what_is_on_the_white_list() -> None:
    transaction, client = transaction_of(Face()), Signing("rsa")
    transaction.card[tags.DDOL] = bytes.fromhex("9F3704990895055A089F26089F0206")
    transaction.pin_block, transaction.card[tags.AC] = b"PINBLOCK", b"CRYPTOGR"
    transaction.tvr = Tvr.MERCHANT_FORCED_ONLINE
    oda.authenticate(transaction, shipped(), client)
    tvr, amount = "0000000800", "000000001234"
    told = UNPREDICTABLE.hex() + "00" * 8 + tvr + "00" * 8 + "00" * 8 + amount
    assert [bytes.fromhex(told)] == client.told


# What fails, and what that leaves


def expect_failure(
    transaction: Transaction, config: TerminalConfig, client: Signing, method: Method, words: str
) -> None:
    assert method is oda.authenticate(transaction, config, client)
    assert FAILED[method] in transaction.tvr
    others = set(FAILED.values()) - {FAILED[method]}
    assert not any(other & transaction.tvr for other in others)
    assert Tsi.ODA_PERFORMED == transaction.tsi
    assert not transaction.cda
    (decision,) = transaction.trail
    assert (Step.ODA, f"{method.name} failed") == (decision.step, decision.outcome)
    assert words in decision.why


NEEDED = {
    "rsa": {
        Method.SDA: "8F 90 92 9F32 93",
        Method.DDA: "8F 90 92 9F32 9F46 9F47 9F48",
        Method.CDA: "8F 90 92 9F32 9F46 9F47 9F48",
    },
    "sm2": {Method.SDA: "8F 90 93", Method.DDA: "8F 90 9F46", Method.CDA: "8F 90 9F46"},
}


@pytest.mark.parametrize(
    ("face", "tag"),
    [(face, tag) for face in FACES for tag in NEEDED[face.family][method_of(face)].split()],
    ids=lambda each: each if isinstance(each, str) else name(each),
)
def test_what_the_card_does_not_hold_is_missing(face: Face, tag: str) -> None:
    transaction = transaction_of(face)
    del transaction.card[int(tag, 16)]
    expect_failure(
        transaction, shipped(), Signing(face.family), method_of(face), f"{tag}: the card has none"
    )
    assert Tvr.ICC_DATA_MISSING in transaction.tvr


@pytest.mark.parametrize("face", FACES, ids=name)
def test_an_unknown_authority_is_not_believed(face: Face) -> None:
    transaction = transaction_of(face)
    transaction.card[tags.CA_INDEX] = b"\x77"
    words = "CA key A000000333 77: the terminal has no such key"
    expect_failure(transaction, shipped(), Signing(face.family), method_of(face), words)
    assert Tvr.ICC_DATA_MISSING not in transaction.tvr


def test_the_authority_is_that_of_the_applications_rid() -> None:
    transaction = transaction_of(Face())
    transaction.aid = bytes.fromhex("A000000003101001")
    words = "CA key A000000003 E1: the terminal has no such key"
    expect_failure(transaction, shipped(), Signing("rsa"), Method.DDA, words)


@pytest.mark.parametrize(
    ("face", "words"),
    [
        (Face(issuer="622801"), "issuer certificate (90): its issuer is not that of the card's"),
        (Face(issuer_expires="1225"), "issuer certificate (90): expired at the end of 12/25"),
        (Face(expires="1225"), "ICC certificate (9F46): expired at the end of 12/25"),
        (Face(pan="6228000100001125"), "ICC certificate (9F46): its PAN is not the card's"),
    ],
    ids=["issuer", "issuer-expired", "card-expired", "pan"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_certificate_is_for_this_card_and_in_force(family: str, face: Face, words: str) -> None:
    transaction = transaction_of(replace(face, family=family))
    expect_failure(transaction, shipped(), Signing(family), Method.DDA, words)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_certificate_is_good_to_the_end_of_its_month(family: str) -> None:
    face = Face(family, issuer_expires="0126", expires="0126")
    for day, good in ((31, True), (1, False)):
        time = datetime(2026, 1 if good else 2, day, 23, 59)
        transaction = transaction_of(face, ordered=order(time=time))
        oda.authenticate(transaction, shipped(), Signing(family))
        assert good is not bool(transaction.tvr & Tvr.DDA_FAILED)


@pytest.mark.parametrize("face", FACES, ids=name)
def test_a_revoked_certificate_is_refused(face: Face) -> None:
    index = 0xE1 if face.family == "rsa" else 0xE4
    rid = bytes.fromhex("A000000333")
    revoked = frozenset({Revoked(rid, index, face.serial)})
    config = replace(shipped(), keys=AuthorityKeys(shipped().keys.keys, revoked))
    words = "issuer certificate (90): serial number 000001 is revoked"
    expect_failure(transaction_of(face), config, Signing(face.family), method_of(face), words)
    other = frozenset({Revoked(rid, index, b"\0\0\2")})
    config = replace(shipped(), keys=AuthorityKeys(shipped().keys.keys, other))
    transaction = transaction_of(face)
    oda.authenticate(transaction, config, Signing(face.family))
    assert not transaction.tvr & FAILED[method_of(face)]


def test_an_expired_authority_is_not_believed() -> None:
    table = shipped_table()
    at = next(at for at, key in enumerate(table["ca_keys"]) if key["index"] == "E1")
    config = config_of(changed(table, ("ca_keys", at, "expires"), "2026-01-04"))
    words = "CA key A000000333 E1: expired on 2026-01-04"
    expect_failure(transaction_of(Face()), config, Signing("rsa"), Method.DDA, words)


def test_a_terminal_without_sm2_does_not_try() -> None:
    config = replace(shipped(), sm=False)
    words = "CA key A000000333 E4: it is of SM2, which the terminal cannot do"
    expect_failure(transaction_of(Face("sm2")), config, Signing("sm2"), Method.DDA, words)


@pytest.mark.parametrize("named", ["", "8482", "82 5A", "5A"])
@pytest.mark.parametrize("face", FACES, ids=name)
def test_static_data_are_82_and_nothing_else(face: Face, named: str) -> None:
    transaction = transaction_of(face)
    transaction.card[tags.STATIC_TAGS] = bytes.fromhex(named)
    words = "static data authentication tag list (9F4A): must be 82 alone"
    expect_failure(transaction, shipped(), Signing(face.family), method_of(face), words)


@pytest.mark.parametrize(
    ("ddol", "words"),
    [("9F0206", "must ask for 9F37"), ("", "must ask for 9F37"), ("9F37", "DOL: no length")],
)
def test_a_ddol_asks_for_the_unpredictable_number(ddol: str, words: str) -> None:
    transaction, client = transaction_of(Face()), Signing("rsa")
    transaction.card[tags.DDOL] = bytes.fromhex(ddol)
    expect_failure(transaction, shipped(), client, Method.DDA, words)
    assert [] == client.told


@pytest.mark.parametrize("fault", [NotAllowed(0x6985, "x"), CardMisspoke("INTERNAL")])
def test_a_card_that_does_not_sign_fails(fault: Exception) -> None:
    client = Signing("rsa", fault)
    expect_failure(transaction_of(Face()), shipped(), client, Method.DDA, str(fault))


def test_a_card_that_is_gone_ends_the_transaction() -> None:
    with pytest.raises(CardGone):
        oda.authenticate(transaction_of(Face()), shipped(), Signing("rsa", CardGone("pulled")))


SIGNED = {
    Method.SDA: (tags.ISSUER_CERTIFICATE, tags.SIGNED_STATIC_DATA),
    Method.DDA: (tags.ISSUER_CERTIFICATE, tags.ICC_CERTIFICATE),
    Method.CDA: (tags.ISSUER_CERTIFICATE, tags.ICC_CERTIFICATE),
}


@given(st.sampled_from(FACES), st.data())
def test_any_changed_byte_fails_the_method_and_raises_nothing(
    face: Face, data: st.DataObject
) -> None:
    transaction, method = transaction_of(face), method_of(face)
    tag = data.draw(st.sampled_from([*SIGNED[method], 0]))
    value = bytearray(transaction.card[tag] if tag else transaction.static_data)
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    if tag:
        transaction.card[tag] = bytes(value)
    else:
        transaction.static_data = bytes(value)
    oda.authenticate(transaction, shipped(), Signing(face.family))
    assert FAILED[method] in transaction.tvr and Tsi.ODA_PERFORMED in transaction.tsi


@given(st.sampled_from(FACES), st.data())
def test_whatever_a_card_holds_nothing_is_raised(face: Face, data: st.DataObject) -> None:
    transaction = transaction_of(face)
    tag = data.draw(st.sampled_from(sorted(transaction.card)))
    transaction.card[tag] = data.draw(st.binary(max_size=150))
    oda.authenticate(transaction, shipped(), Signing(face.family))
    assert transaction.trail
