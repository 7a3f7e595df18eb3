# SPDX-License-Identifier: Apache-2.0
"""Payment cryptograms: a card's own is taken, any other is not, for every version and suite."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import layout_values, near

from apdu.crypto import cryptogram
from apdu.crypto.derive import common_session_key, pboc_session_key, udk
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.cryptogram import (
    Cvn,
    Cvn01Input,
    IadAlgorithm,
    Idd,
    IssuerApplicationData,
    OneAmountIdd,
    TwoAmountsIdd,
    VisCvn,
    VisInput,
    atc_of,
    idd_input,
    parse_idd,
)

MASTER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PAN, PSN = "6228000100001117", "01"
every_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=str)
every_cvn = pytest.mark.parametrize("cvn", cryptogram.RULES, ids=repr)
acs = st.binary(min_size=8, max_size=8)
atcs = st.binary(min_size=2, max_size=2)
idds: st.SearchStrategy[Idd] = layout_values(OneAmountIdd) | layout_values(TwoAmountsIdd)


def flipped(raw: bytes, bit: int) -> bytes:
    """One bit turned over."""
    number = int.from_bytes(raw) ^ 1 << bit % (8 * len(raw))
    return number.to_bytes(len(raw))


def card_key(suite: Suite) -> BlockKey:
    return suite.key(udk(suite.key(MASTER), PAN, PSN))


def inputs(cvn: int) -> st.SearchStrategy[bytes]:
    """Inputs of a cryptogram version; what VIS ends with has at least a byte."""
    values = layout_values(cryptogram.RULES[cvn].layout)
    return values.map(lambda value: bytes(value) + b"\x06" * isinstance(value, VisInput))


def made(suite: Suite, cvn: int, data: bytes) -> bytes:
    """The cryptogram of the card with these data, step by step as the rules say it."""
    rule, key = cryptogram.RULES[cvn], card_key(suite)
    atc = rule.layout.parse(data).atc  # type: ignore[attr-defined]
    match cvn:
        case Cvn.CVN_01 | Cvn.CVN_17:
            key = suite.key(pboc_session_key(key, atc))
        case VisCvn.CVN_18 | VisCvn.CVN_22:
            key = suite.key(common_session_key(key, atc + bytes(6)))
    fill = b"" if cvn == VisCvn.CVN_10 else b"\x80"
    padded = data + fill
    padded += bytes(-len(padded) % suite.block)
    return key.mac(padded, lambda data, block: data)[:8]


# The card's cryptogram


@every_suite
@every_cvn
@given(data=st.data())
def test_the_card_s_own_cryptogram_is_taken(suite: Suite, cvn: int, data: st.DataObject) -> None:
    whole = data.draw(inputs(cvn))
    ac = made(suite, cvn, whole)
    assert cryptogram.verify(suite.key(MASTER), PAN, PSN, cvn, whole, ac)
    assert cryptogram.verify_card(card_key(suite), cvn, whole, ac)
    rule = cryptogram.RULES[cvn]
    session = cryptogram.transaction_key(card_key(suite), cvn, atc_of(rule.layout, whole))
    assert ac == cryptogram.cryptogram(session, whole, rule.padding)


@every_suite
@every_cvn
@given(data=st.data(), bit=st.integers(0))
def test_any_flipped_bit_is_not_taken(
    suite: Suite, cvn: int, data: st.DataObject, bit: int
) -> None:
    whole = data.draw(inputs(cvn))
    ac, key = made(suite, cvn, whole), card_key(suite)
    assert not cryptogram.verify_card(key, cvn, flipped(whole, bit), ac)
    assert not cryptogram.verify_card(key, cvn, whole, flipped(ac, bit))


@every_suite
@given(data=inputs(Cvn.CVN_01), bit=st.integers(0, 127))
def test_another_master_key_or_card_is_not_taken(suite: Suite, data: bytes, bit: int) -> None:
    ac = made(suite, Cvn.CVN_01, data)
    parity = suite.name == "3DES" and bit % 8 == 0  # bits which the cipher ignores
    for master, pan, psn, expected in (
        (flipped(MASTER, bit), PAN, PSN, parity),
        (MASTER, "6228000100001118", PSN, False),
        (MASTER, PAN, "02", False),
    ):
        key = suite.key(master)
        assert expected == cryptogram.verify(key, pan, psn, Cvn.CVN_01, data, ac)


@every_suite
@given(data=inputs(Cvn.CVN_01), bit=st.integers(0, 15))
def test_the_counter_changes_the_key_and_not_the_data_alone(
    suite: Suite, data: bytes, bit: int
) -> None:
    key, atc = card_key(suite), atc_of(Cvn01Input, data)
    one, other = (
        cryptogram.transaction_key(key, Cvn.CVN_01, each) for each in (atc, flipped(atc, bit))
    )
    assert cryptogram.cryptogram(one, data) != cryptogram.cryptogram(other, data)


@every_cvn
@given(data=st.data())
def test_the_counter_is_taken_from_where_the_layout_has_it(cvn: int, data: st.DataObject) -> None:
    layout, raw = cryptogram.RULES[cvn].layout, data.draw(inputs(cvn))
    assert layout.parse(raw).atc == atc_of(layout, raw)  # type: ignore[attr-defined]
    for wrong in (raw[:33], raw[:12]) if layout is VisInput else (raw[:-1], raw + b"\0", b""):
        with pytest.raises(FormatError, match=f"^{layout.__name__}: {len(wrong)} bytes"):
            atc_of(layout, wrong)


def test_a_wrong_length_is_named_and_an_unknown_version_refused() -> None:
    key = card_key(SUITES[1])
    good, ac = bytes(33) + b"\x03" + bytes(3), bytes(8)
    assert not cryptogram.verify_card(key, 1, good, ac)
    for cvn, data, mac, name in (
        (1, good[1:], ac, "Cvn01Input: 36 bytes"),
        (1, good + b"\0", ac, "Cvn01Input: 38 bytes"),
        (0x17, good, ac, "Cvn17Input: 37 bytes"),
        (0x12, good[:33], ac, "VisInput: 33 bytes"),
        (1, good, ac[1:], "cryptogram: 7 bytes"),
        (1, good, b"", "cryptogram: 0 bytes"),
        (0x11, good, ac, "CVN: no such"),
    ):
        with pytest.raises(FormatError, match=f"^{name}"):
            cryptogram.verify_card(key, cvn, data, mac)


@every_suite
@given(data=st.lists(inputs(Cvn.CVN_01), min_size=8, max_size=8))
def test_eight_threads_with_one_master_key_agree_with_one(suite: Suite, data: list[bytes]) -> None:
    master = suite.key(MASTER)
    pairs = [(each, made(suite, Cvn.CVN_01, each)) for each in data * 4]

    def judged(pair: tuple[bytes, bytes]) -> bool:
        whole, ac = pair
        right = cryptogram.verify(master, PAN, PSN, Cvn.CVN_01, whole, ac)
        return right and not cryptogram.verify(master, PAN, "02", Cvn.CVN_01, whole, ac)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(judged, pairs))


# The issuer's answer


@every_suite
@given(ac=acs, arc=atcs, bit=st.integers(0))
def test_the_issuer_s_answer_is_one_enciphered_block(
    suite: Suite, ac: bytes, arc: bytes, bit: int
) -> None:
    session = card_key(suite)
    answer = cryptogram.arpc(session, ac, arc)
    mixed = bytes(a ^ b for a, b in zip(ac, arc + bytes(6), strict=True))
    assert session.encrypt(mixed + bytes(suite.block - 8))[:8] == answer
    assert cryptogram.verify_arpc(session, ac, arc, answer)
    assert not cryptogram.verify_arpc(session, flipped(ac, bit), arc, answer)
    assert not cryptogram.verify_arpc(session, ac, flipped(arc, bit), answer)
    assert not cryptogram.verify_arpc(session, ac, arc, flipped(answer, bit))


@every_suite
@given(
    ac=acs,
    csu=st.binary(min_size=4, max_size=4),
    own=st.binary(max_size=8),
    bit=st.integers(0),
)
def test_the_answer_by_method_2_covers_all_it_is_over(
    suite: Suite, ac: bytes, csu: bytes, own: bytes, bit: int
) -> None:
    session = card_key(suite)
    answer = cryptogram.csu_arpc(session, ac, csu, own)
    assert 4 == len(answer)
    assert cryptogram.verify_csu_arpc(session, ac, csu, own, answer)
    assert not cryptogram.verify_csu_arpc(session, flipped(ac, bit), csu, own, answer)
    assert not cryptogram.verify_csu_arpc(session, ac, flipped(csu, bit), own, answer)
    assert not cryptogram.verify_csu_arpc(session, ac, csu, own, flipped(answer, bit))
    if own:
        assert not cryptogram.verify_csu_arpc(session, ac, csu, flipped(own, bit), answer)


# Issuer discretionary data


@every_suite
@given(idd=idds, atc=atcs, bit=st.integers(0))
def test_an_idd_is_proven_by_its_mac(suite: Suite, idd: Idd, atc: bytes, bit: int) -> None:
    session = card_key(suite)
    proven = replace(idd, mac=cryptogram.idd_mac(session, atc, idd))
    assert cryptogram.verify_idd(session, atc, proven)
    assert not cryptogram.verify_idd(session, flipped(atc, bit), proven)
    assert not cryptogram.verify_idd(session, atc, replace(proven, mac=flipped(proven.mac, bit)))
    for name in amounts(proven):
        changed = replace(proven, **{name: flipped(getattr(proven, name), bit)})
        assert not cryptogram.verify_idd(session, atc, changed)


def amounts(idd: Idd) -> Iterator[str]:
    """The names of its fields with an amount."""
    return (name for name in ("amount", "first", "second") if hasattr(idd, name))


@given(idd=idds, atc=atcs)
def test_the_mac_of_an_idd_is_over_whole_blocks_of_eight(idd: Idd, atc: bytes) -> None:
    found = idd_input(atc, idd)
    values = b"".join(getattr(idd, name) for name in amounts(idd))
    assert 0 == len(found) % 8
    assert atc + values == found.rstrip(b"\0").ljust(len(atc + values), b"\0")


@given(near(idds.map(bytes)))
def test_any_bytes_are_one_idd_or_refused(raw: bytes) -> None:
    try:
        found = parse_idd(raw)
    except FormatError:
        return
    assert raw == bytes(found)


@given(idd=st.none() | idds)
def test_the_issuer_s_data_hold_an_idd_or_none(idd: Idd | None) -> None:
    written = IssuerApplicationData(
        1, Cvn.CVN_01, b"\xa0\0\0", IadAlgorithm.TDES, bytes(idd or b"")
    )
    assert idd == IssuerApplicationData.parse(bytes(written)).idd


@every_suite
def test_every_suite_has_a_number_in_the_issuer_s_data(suite: Suite) -> None:
    assert suite in map(cryptogram.suite_of, IadAlgorithm)
