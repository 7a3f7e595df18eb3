# SPDX-License-Identifier: Apache-2.0
"""Whom a terminal trusts: its keys are what they say, and are found, expire and are revoked."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from books import book
from hypothesis import given
from hypothesis import strategies as st
from terminalfiles import shipped

from apdu.crypto import sm2
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.rsa import RsaPublicKey
from apdu.errors import FormatError
from host.terminal.kernel.capks import (
    AuthorityKey,
    AuthorityKeys,
    Revoked,
    full_year,
    last_day,
    rsa_authority,
)

UNIONPAY = bytes.fromhex("A000000333")
PUBLISHED = {
    case["given"]["index"]: case["given"]
    for case in book("crypto/ca_keys.json")["cases"]
    if case["id"].startswith("capk-a000000333") and case["op"].endswith("check_value")
}
DAY = date(2026, 1, 5)
KEYS = shipped().keys


def published(index: str) -> CaKey:
    found = PUBLISHED[index]
    numbers = (bytes.fromhex(found[name]) for name in ("modulus", "exponent"))
    return CaKey(UNIONPAY, int(index, 16), *numbers)


@pytest.mark.parametrize(
    "index", ["02", "03", "04", "08", "09", "0A", "0B", "80", "83", "84", "85"]
)
def test_the_shipped_terminal_has_every_key_with_a_published_check_value(index: str) -> None:
    found = KEYS.find(UNIONPAY, int(index, 16), date(2020, 1, 1))
    assert published(index).public() == found.public
    assert f"CA key A000000333 {index}" == found.name


def test_the_shipped_terminal_has_the_sm2_key_of_unionpay() -> None:
    found = KEYS.find(UNIONPAY, 0x18, DAY)
    assert isinstance(found.public, sm2.PublicKey)
    assert date(2030, 12, 31) == found.expires


def test_the_shipped_terminal_has_the_test_keys_of_this_projects_cards() -> None:
    for index in (0xE1, 0xE2, 0xE3):
        assert isinstance(KEYS.find(UNIONPAY, index, DAY).public, RsaPublicKey)
    assert isinstance(KEYS.find(UNIONPAY, 0xE4, DAY).public, sm2.PublicKey)


@pytest.mark.parametrize("index", ["06", "0C", "0F", "19", "61"])
def test_keys_without_a_published_check_value_are_not_shipped(index: str) -> None:
    with pytest.raises(FormatError, match=rf"CA key A000000333 {index}: the terminal has no such"):
        KEYS.find(UNIONPAY, int(index, 16), DAY)


def test_a_key_is_of_one_rid() -> None:
    with pytest.raises(FormatError, match="CA key A000000003 08: the terminal has no such key"):
        KEYS.find(bytes.fromhex("A000000003"), 0x08, DAY)


@given(st.integers(0, 19), st.integers(1, 255))
def test_a_check_value_with_any_byte_changed_is_refused(at: int, change: int) -> None:
    key = published("80")
    wrong = bytearray(key.check_value())
    wrong[at] ^= change
    with pytest.raises(FormatError, match="CA key A000000333 80: its check value does not match"):
        rsa_authority(key, bytes(wrong), None)


def test_numbers_that_cannot_be_a_key_are_refused_though_the_check_value_is_right() -> None:
    key = published("19")
    with pytest.raises(FormatError, match="CA key A000000333 19: exponent"):
        rsa_authority(key, key.check_value(), None)


@given(st.integers(-400, 400))
def test_a_key_is_good_to_the_end_of_its_last_day(days: int) -> None:
    key = AuthorityKey(UNIONPAY, 1, published("80").public(), DAY)
    store, day = AuthorityKeys((key,)), DAY + timedelta(days)
    if days <= 0:
        assert key is store.find(UNIONPAY, 1, day)
    else:
        with pytest.raises(FormatError, match="CA key A000000333 01: expired on 2026-01-05"):
            store.find(UNIONPAY, 1, day)


def test_a_key_without_a_date_does_not_expire() -> None:
    key = AuthorityKey(UNIONPAY, 1, published("80").public())
    assert key is AuthorityKeys((key,)).find(UNIONPAY, 1, date.max)


def test_no_two_keys_have_one_name() -> None:
    key = AuthorityKey(UNIONPAY, 1, published("80").public())
    with pytest.raises(FormatError, match="CA key A000000333 01: is there twice"):
        AuthorityKeys((key, key))


def test_a_certificate_is_revoked_by_authority_and_serial_number() -> None:
    first = AuthorityKey(UNIONPAY, 1, published("80").public())
    second = AuthorityKey(UNIONPAY, 2, published("80").public())
    store = AuthorityKeys((first, second), frozenset({Revoked(UNIONPAY, 1, b"\0\0\7")}))
    assert store.is_revoked(first, b"\0\0\7")
    assert not store.is_revoked(first, b"\0\0\6")
    assert not store.is_revoked(second, b"\0\0\7")


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)))
def test_a_month_ends_before_the_next_one_begins(day: date) -> None:
    found = last_day(f"{day:%m%y}")
    assert (day.year, day.month) == (found.year, found.month)
    assert 1 == (found + timedelta(1)).day


def test_years_of_two_digits_are_those_of_emv() -> None:
    assert [2000, 2049, 1950, 1999] == [full_year(each) for each in (0, 49, 50, 99)]
