# SPDX-License-Identifier: Apache-2.0
"""The issuer believes what a card proves, and nothing else; what is malformed is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from books import of_format
from hypothesis import given
from hypothesis import strategies as st
from issuerbench import PAN, BenchCard

from apdu.crypto.derive import udk
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.tlv import build, tlv
from apdu.wire.cryptogram import Cvn, OneAmountIdd
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Result
from apdu.wire.perso import Algorithm
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.cryptograms import CryptogramWrong, Proven, verify
from host.issuer.delivery import cash_balance
from host.issuer.keys import KEPT, IssuerKeys, KeySet, UnknownKey, keys_in
from host.issuer.profile import shipped_profile
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import AuthorisationRequest, Purpose
from host.network.elements55 import WrongElement

KEYS = IssuerKeys(TEST_IMKS)
algorithms = st.sampled_from(sorted(TEST_IMKS))
cards = st.builds(
    BenchCard,
    st.just(KEYS),
    pan=st.text("0123456789", min_size=12, max_size=19),
    psn=st.text("0123456789", min_size=2, max_size=2),
    cvn=st.sampled_from(Cvn),
    algorithm=algorithms,
    atc=st.integers(1, 0xFFFF),
    cash=st.integers(0, 10**10 - 1),
    scripts=st.integers(0, 15),
    script_failed=st.booleans(),
    tells_cash=st.booleans(),
)
amounts = st.integers(0, 10**12 - 1)
THREE = (Result.AAC, Result.TC, Result.ARQC)


@given(cards, amounts, st.sampled_from(THREE), st.booleans())
def test_every_cryptogram_of_a_card_is_believed(
    card: BenchCard, amount: int, result: Result, final: bool
) -> None:
    final &= result is not Result.ARQC
    elements = card.elements(Purpose.PURCHASE, amount, result, final=final)
    proven = verify(KEYS, card.pan, card.psn, elements)
    assert (result, card.atc, card.cvn, card.algorithm) == (
        proven.result,
        int.from_bytes(proven.atc),
        proven.cvn,
        proven.algorithm,
    )
    assert (card.cash if card.tells_cash else None) == cash_balance(proven.idd)


PROTECTED = {
    Cvn.CVN_01: {
        tags.AMOUNT: 6,
        tags.OTHER_AMOUNT: 6,
        tags.TERMINAL_COUNTRY: 2,
        tags.TVR: 5,
        tags.CURRENCY: 2,
        tags.DATE: 3,
        tags.TRANSACTION_TYPE: 1,
        tags.UNPREDICTABLE_NUMBER: 4,
        tags.AIP: 2,
        tags.ATC: 2,
        tags.AC: 8,
    },
    Cvn.CVN_17: {tags.AMOUNT: 6, tags.UNPREDICTABLE_NUMBER: 4, tags.ATC: 2, tags.AC: 8},
}


@given(cards, st.data())
def test_a_bit_that_is_another_is_noticed(card: BenchCard, data: st.DataObject) -> None:
    elements = card.elements(Purpose.PURCHASE, 1)
    tag = data.draw(st.sampled_from(sorted(PROTECTED[card.cvn])))
    at = data.draw(st.integers(0, PROTECTED[card.cvn][tag] * 8 - 1))
    value = int.from_bytes(elements[tag]) ^ 1 << at
    elements[tag] = value.to_bytes(len(elements[tag]))
    # A counter of 0 is noticed before.
    with pytest.raises((CryptogramWrong, WrongElement), match=r"9F26|9F36"):
        verify(KEYS, card.pan, card.psn, elements)


@given(cards, st.integers(0, 7), st.booleans())
def test_an_idd_that_is_another_is_noticed(card: BenchCard, bit: int, in_mac: bool) -> None:
    card.tells_cash = True
    elements = card.elements(Purpose.PURCHASE, 1)
    iad = bytearray(elements[tags.IAD])
    iad[-1 if in_mac else 11] ^= 1 << bit
    elements[tags.IAD] = bytes(iad)
    with pytest.raises(CryptogramWrong, match="9F10: the MAC"):
        verify(KEYS, card.pan, card.psn, elements)


@given(cards, st.sampled_from(["pan", "psn"]), st.integers(0, 18))
def test_another_card_s_cryptogram_is_not_believed(card: BenchCard, name: str, at: int) -> None:
    elements = card.elements(Purpose.PURCHASE, 1)
    text = getattr(card, name)
    at = len(text) - 1 - at % min(len(text), 14)
    other = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    with pytest.raises(CryptogramWrong):
        verify(
            KEYS,
            *(other if field == name else getattr(card, field) for field in ("pan", "psn")),
            elements,
        )


@pytest.mark.parametrize("cvn", Cvn)
@pytest.mark.parametrize("algorithm", TEST_IMKS)
def test_whatever_is_missing_or_broken_is_named(cvn: Cvn, algorithm: Algorithm) -> None:
    card = BenchCard(KEYS, cvn=cvn, algorithm=algorithm, atc=7)
    whole = card.elements(Purpose.PURCHASE, 1)
    for tag in (*PROTECTED[cvn], tags.IAD):
        for broken in ({**whole, tag: b""}, {k: v for k, v in whole.items() if k != tag}):
            with pytest.raises(WrongElement, match=f"DE55 {tag:02X}: it is missing") as caught:
                verify(KEYS, card.pan, card.psn, broken)
            assert tag == caught.value.tag


@pytest.mark.parametrize(
    ("iad", "rule"),
    [
        ("06010103A00000", "IssuerApplicationData"),
        ("07010203A0000001", "IssuerApplicationData"),
        ("07010103A0000002", "IssuerApplicationData"),
        ("07010104A0000001", "IssuerApplicationData"),
        ("07010103B0000001", "its CVR tells of no transaction that there is"),
        ("07010103E0000001", "its CVR tells of no transaction that there is"),
        ("0701010350000001", "its CVR tells of no transaction that there is"),
        ("07010103A00000010A09", "OneAmountIdd"),
        ("07010103A00000010A01000000000000000000FF", "OneAmountIdd"),
    ],
)
def test_a_9f10_that_makes_no_sense_is_named(iad: str, rule: str) -> None:
    card = BenchCard(KEYS, atc=7)
    with pytest.raises(FormatError, match=f"^DE55 9F10: .*{rule}"):
        verify(
            KEYS, card.pan, card.psn, card.elements(Purpose.PURCHASE, 1, t9F10=bytes.fromhex(iad))
        )


@pytest.mark.parametrize("told", THREE)
@pytest.mark.parametrize("is_", THREE)
def test_9f27_must_not_contradict_the_cvr(told: Result, is_: Result) -> None:
    card = BenchCard(KEYS, atc=7)
    elements = card.elements(Purpose.PURCHASE, 1, is_) | {tags.CID: bytes((told << 6,))}
    if told is is_:
        assert is_ is verify(KEYS, card.pan, card.psn, elements).result
    else:
        with pytest.raises(WrongElement, match="9F27"):
            verify(KEYS, card.pan, card.psn, elements)
    del elements[tags.CID]
    assert is_ is verify(KEYS, card.pan, card.psn, elements).result


# Keys


def test_the_keys_of_the_books_are_derived() -> None:
    """UDKs that are printed in the worked example, and one of SM4."""
    for case, _ in of_format("crypto"):
        if case["op"] == "derive.udk" and case["given"]["suite"] in ("3DES", "SM4"):
            given_ = case["given"]
            algorithm = next(a for a in TEST_IMKS if SUITES[a].name == given_["suite"])
            if given_.get("option", "A") != "A" or len(given_["pan"]) < 12:
                continue
            secret = Secret(bytes.fromhex(given_["key"]))
            own = IssuerKeys({algorithm: KeySet(secret, secret, secret)})
            expected = SUITES[algorithm].key(bytes.fromhex(case["expected"]["out"]))
            found = own.card(given_["pan"], given_["psn"], algorithm)
            for key in (found.ac, found.mac, found.enc):
                assert expected.check_value(8) == key.check_value(8)


def test_the_three_keys_of_a_card_come_from_three_masters() -> None:
    for algorithm, masters in TEST_IMKS.items():
        found = KEYS.card(PAN, "01", algorithm)
        for master, key in zip(
            (masters.ac, masters.mac, masters.enc), (found.ac, found.mac, found.enc), strict=True
        ):
            expected = udk(SUITES[algorithm].key(master.reveal()), PAN, "01")
            assert SUITES[algorithm].key(expected).check_value(8) == key.check_value(8)


def test_a_published_card_has_keys_of_its_own() -> None:
    published = keys_in(shipped_profile("published"))
    own = {("6228000100001117", "01", each): keys for each, keys in published.items()}
    keys = IssuerKeys(TEST_IMKS, own)
    found = keys.card("6228000100001117", "01", Algorithm.TDES)
    assert ["97DCB0", "CE4E2C", "B37DF3"] == [
        key.check_value().hex().upper() for key in (found.ac, found.mac, found.enc)
    ]
    other = keys.card("6228000100001117", "02", Algorithm.TDES)
    assert found.ac.check_value() != other.ac.check_value()


def test_an_algorithm_without_masters_is_said() -> None:
    keys = IssuerKeys({Algorithm.TDES: TEST_IMKS[Algorithm.TDES]})
    with pytest.raises(UnknownKey, match="SM4: the issuer has no master keys"):
        keys.card(PAN, "01", Algorithm.SM4)
    with pytest.raises(FormatError, match="must have some"):
        IssuerKeys({})


def test_no_more_cards_are_kept_than_allowed_and_none_is_shown() -> None:
    keys = IssuerKeys(TEST_IMKS)
    assert keys.card(PAN, "01", Algorithm.TDES) is keys.card(PAN, "01", Algorithm.TDES)
    assert KEPT == keys.card.cache_info().maxsize
    shown = f"{keys!r} {TEST_IMKS!r} {keys.card(PAN, '01', Algorithm.TDES)!r}"
    assert "A1A1A1A1" not in shown.upper()
    assert "161" not in shown


@pytest.mark.parametrize("size", [0, 15, 17, 47])
def test_a_key_of_a_wrong_length_is_named(size: int) -> None:
    good = Secret(bytes(16))
    for name in ("ac", "mac", "enc"):
        wrong = {"ac": good, "mac": good, "enc": good, name: Secret(bytes(size))}
        with pytest.raises(FormatError, match=f"key {name.upper()}: {size} bytes"):
            KeySet(**wrong)


# The published chain

PUBLISHED = "6228000100001"
IMK_AC, IMK_MAC = "F0C34A8124CEE0A91A0B034AA97D6EAC", "12B1AC4AF070CC35612BFE2D30AB600D"
EXAMPLE = {
    tags.AMOUNT: "000000000001",
    tags.OTHER_AMOUNT: "000000000000",
    tags.TERMINAL_COUNTRY: "0156",
    tags.TVR: "0080046000",
    tags.CURRENCY: "0156",
    tags.DATE: "140701",
    tags.TRANSACTION_TYPE: "00",
    tags.UNPREDICTABLE_NUMBER: "1E78EEBC",
    tags.AIP: "7D00",
    tags.ATC: "0240",
    tags.IAD: "07000103A04002010A010000001000D1F61152",
    tags.AC: "5D016C91005E7CC2",
    tags.CID: "80",
}


def example_keys() -> IssuerKeys:
    ac, mac = (Secret(bytes.fromhex(key)) for key in (IMK_AC, IMK_MAC))
    return IssuerKeys({Algorithm.TDES: KeySet(ac, mac, mac)})


def example_request(elements: dict[int, str]) -> AuthorisationRequest:
    return AuthorisationRequest(
        reference="000000000240",
        trace=1,
        time=datetime(2014, 7, 1, 12),
        purpose=Purpose.PURCHASE,
        amount=1,
        pan=PUBLISHED,
        psn="01",
        terminal_id="TERM0001",
        merchant_id="MERCHANT0000001",
        icc=build(tlv(tag, bytes.fromhex(value)) for tag, value in elements.items()),
    )


def test_the_worked_example_is_verified_and_answered_as_it_is_printed() -> None:
    values = {tag: bytes.fromhex(value) for tag, value in EXAMPLE.items()}
    proven = verify(example_keys(), PUBLISHED, "01", values)
    assert isinstance(proven, Proven)
    assert (Result.ARQC, 1000) == (proven.result, cash_balance(proven.idd))
    assert "21415243527CE78F3031" == proven.answer("01").hex().upper()
    assert isinstance(proven.idd, OneAmountIdd)
    assert bytes.fromhex("D1F61152") == proven.idd.mac


def test_the_worked_example_goes_through_the_issuer_as_a_message() -> None:
    """The example's answer code is 01, which its issuer gave for reasons of its own; ours answers
    a card without an account with 14, and with money 00: the same key proves each."""
    bank, keys = Bank(), example_keys()
    host, request = IssuerHost(bank, keys), example_request(EXAMPLE)
    assert "14" == host.authorise(request).response_code
    bank.open("000000000001", PUBLISHED, "01", "X", datetime(2014, 1, 1))
    bank.activate("000000000002", PUBLISHED, "271828", datetime(2014, 1, 1))
    bank.deposit("000000000003", PUBLISHED, 100, datetime(2014, 1, 1))
    answer = host.authorise(request)
    values = {tag: bytes.fromhex(value) for tag, value in EXAMPLE.items()}
    proven = verify(keys, PUBLISHED, "01", values)
    assert ("00", b"\x91\x0a" + proven.answer("00")) == (answer.response_code, answer.icc)
    broken = example_request(EXAMPLE | {tags.AC: "5D016C91005E7CC3"})
    assert "05" == host.authorise(replace(broken, reference="000000000241")).response_code


def test_nothing_of_a_key_is_shown() -> None:
    values = {tag: bytes.fromhex(value) for tag, value in EXAMPLE.items()}
    shown = repr(verify(example_keys(), PUBLISHED, "01", values)).upper()
    assert "014D996F" not in shown
    assert "D4102725" not in shown
