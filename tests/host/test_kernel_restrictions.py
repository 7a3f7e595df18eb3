# SPDX-License-Identifier: Apache-2.0
"""Versions, dates and uses: which bits of TVR byte 2 they set, and that nothing else does."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import CONFIG, config, order, transaction

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Auc, Tvr
from host.faults import CardMisspoke
from host.network.authorisation import Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.restrictions import day, restrict
from host.terminal.kernel.transaction import Transaction

ATM = config(type="14", additional_capabilities=bytes.fromhex("8000000000"))
EVERYTHING = 0xFFC0
HOME, ABROAD = b"\x01\x56", b"\x08\x40"


def judged(
    card: dict[int, bytes],
    purpose: Purpose = Purpose.PURCHASE,
    setup: TerminalConfig = CONFIG,
    other: int = 0,
    when: datetime = datetime(2026, 1, 5),
) -> Transaction:
    made = transaction(card, order(100, purpose, other_amount=other, time=when), setup)
    restrict(made, setup)
    return made


def test_a_card_without_restrictions_has_none() -> None:
    made = judged({})
    assert 0 == made.tvr
    assert "none apply" == made.trail[-1].outcome


@given(st.binary(min_size=2, max_size=2))
def test_versions_must_be_the_same(version: bytes) -> None:
    same = version == CONFIG.applications[0].version
    assert (0 if same else Tvr.DIFFERENT_VERSIONS) == judged({tags.CARD_VERSION: version}).tvr


@given(st.dates(date(2000, 1, 1), date(2049, 12, 31)), st.integers(-400, 400))
def test_a_card_counts_from_its_first_day_to_its_last(today: date, days: int) -> None:
    other = today + timedelta(days)
    if not 2000 <= other.year < 2050:
        return
    when = datetime.combine(today, time(23, 59))
    coded = bytes.fromhex(f"{other:%y%m%d}")
    begins = judged({tags.EFFECTIVE: coded, tags.EXPIRY: b"\x49\x12\x31"}, when=when)
    assert (Tvr.NOT_YET_EFFECTIVE if days > 0 else 0) == begins.tvr
    ends = judged({tags.EXPIRY: coded}, when=when)
    assert (Tvr.EXPIRED if days < 0 else 0) == ends.tvr


def test_years_from_50_are_of_the_last_century() -> None:
    assert date(1950, 1, 1) == day("5F24", bytes.fromhex("500101"))
    assert date(2049, 12, 31) == day("5F24", bytes.fromhex("491231"))


@pytest.mark.parametrize("value", ["", "2601", "26010A", "261301", "260230", "260100"])
def test_a_date_that_there_is_not_is_not_believed(value: str) -> None:
    with pytest.raises(CardMisspoke, match="5F24"):
        judged({tags.EXPIRY: bytes.fromhex(value)})


USES = [
    (Purpose.PURCHASE, HOME, Auc.DOMESTIC_GOODS | Auc.DOMESTIC_SERVICES),
    (Purpose.PURCHASE, ABROAD, Auc.INTERNATIONAL_GOODS | Auc.INTERNATIONAL_SERVICES),
    (Purpose.WITHDRAWAL, HOME, Auc.DOMESTIC_CASH),
    (Purpose.WITHDRAWAL, ABROAD, Auc.INTERNATIONAL_CASH),
]


@pytest.mark.parametrize(("purpose", "country", "wanted"), USES)
@given(control=st.integers(0, 0xFFFF))
def test_one_of_the_bits_for_a_use_is_enough_and_one_is_needed(
    purpose: Purpose, country: bytes, wanted: Auc, control: int
) -> None:
    card = {tags.AUC: (control | Auc.ELSEWHERE).to_bytes(2), tags.ISSUER_COUNTRY: country}
    expected = 0 if control & wanted else Tvr.SERVICE_NOT_ALLOWED
    assert expected == judged(card, purpose).tvr


@pytest.mark.parametrize(
    ("country", "bit"), [(HOME, Auc.DOMESTIC_CASHBACK), (ABROAD, Auc.INTERNATIONAL_CASHBACK)]
)
def test_cashback_wants_a_bit_of_its_own(country: bytes, bit: Auc) -> None:
    card = {tags.AUC: EVERYTHING.to_bytes(2), tags.ISSUER_COUNTRY: country}
    assert 0 == judged(card, other=50).tvr
    card[tags.AUC] = (EVERYTHING & ~bit).to_bytes(2)
    assert 0 == judged(card).tvr
    assert Tvr.SERVICE_NOT_ALLOWED == judged(card, other=50).tvr


@pytest.mark.parametrize("purpose", Purpose)
def test_the_place_must_be_allowed_whatever_is_done(purpose: Purpose) -> None:
    for setup, bit in ((CONFIG, Auc.ELSEWHERE), (ATM, Auc.AT_ATM)):
        card = {tags.AUC: EVERYTHING.to_bytes(2), tags.ISSUER_COUNTRY: HOME}
        assert 0 == judged(card, purpose, setup).tvr
        card[tags.AUC] = (EVERYTHING & ~bit).to_bytes(2)
        assert Tvr.SERVICE_NOT_ALLOWED == judged(card, purpose, setup).tvr


def test_without_a_country_nobody_knows_what_is_abroad() -> None:
    card = {tags.AUC: int(Auc.ELSEWHERE).to_bytes(2)}
    made = transaction(card)
    made.card.pop(tags.ISSUER_COUNTRY, None)
    restrict(made, CONFIG)
    assert 0 == made.tvr


def test_a_usage_control_of_another_length_is_not_believed() -> None:
    with pytest.raises(CardMisspoke, match="9F07"):
        judged({tags.AUC: b"\xff"})
