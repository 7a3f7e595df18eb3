# SPDX-License-Identifier: Apache-2.0
"""X.509 with SM2: what is made is read and verifies, and what is changed is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import near

from apdu.crypto import sm2, x509
from apdu.crypto.x509 import Purpose
from apdu.errors import FormatError
from apdu.tlv import parse, tlv

pytestmark = pytest.mark.filterwarnings("ignore:.*Attribute's length")
"""The library warns of a country of three letters, and takes it."""

CHANCE = Random(5).randbytes  # noqa: S311 - test data
CA, CARD, STRANGER = (sm2.generate(CHANCE) for _ in range(3))
CA_NAME, NAME = "CN=Test CA,O=Test,C=CN", "CN=张三,C=CN"
BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def make(
    authority: sm2.PrivateKey = CA,
    issuer: str = CA_NAME,
    subject: str = NAME,
    public: sm2.PublicKey = CARD.public,
    serial: int = 7,
    not_before: datetime = BEGIN,
    not_after: datetime = END,
    purpose: Purpose = Purpose.SIGNATURE,
) -> bytes:
    return x509.make(
        authority,
        issuer,
        lambda size: (4711).to_bytes(size),
        subject=subject,
        public=public,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        purpose=purpose,
    )


ROOT = make(subject=CA_NAME, public=CA.public, purpose=Purpose.AUTHORITY)
DER = make()

words = st.text(st.sampled_from('abcXYZ019 张三李,+\\"=<>;#-.'), min_size=1, max_size=20)
moments = st.datetimes(
    datetime(1950, 1, 2),
    datetime(9998, 1, 1),
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=8))),
).map(lambda moment: moment.replace(microsecond=0))


def name_of(word: str) -> str:
    from cryptography.x509 import Name, NameAttribute, NameOID

    return Name([NameAttribute(NameOID.COMMON_NAME, word)]).rfc4514_string()


@settings(max_examples=40)
@given(
    words.map(name_of),
    st.integers(1, x509.MAX_SERIAL - 1),
    st.tuples(moments, moments).map(sorted),
    st.sampled_from(Purpose),
)
@example(
    NAME,
    1,
    [datetime(2049, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)],
    Purpose.AUTHORITY,
)
def test_what_is_made_is_read(
    subject: str, serial: int, validity: list[datetime], purpose: Purpose
) -> None:
    begin, end = validity
    found = x509.read(
        make(subject=subject, serial=serial, not_before=begin, not_after=end, purpose=purpose)
    )
    assert (subject, CA_NAME, serial) == (found.subject, found.issuer, found.serial)
    assert (begin, end) == (found.not_before, found.not_after)
    assert (CARD.public, {purpose}) == (found.public, found.purposes)
    assert x509.verify(found, CA.public)


def test_the_same_random_bytes_make_the_same_certificate() -> None:
    assert DER == make()


def test_only_its_authority_is_trusted_with_a_certificate() -> None:
    root, found = x509.read(ROOT), x509.read(DER)
    assert x509.trusted(root, root, BEGIN)
    assert x509.trusted(found, root, BEGIN)
    assert not x509.verify(found, STRANGER.public)
    impostor = x509.read(
        make(STRANGER, subject=CA_NAME, public=STRANGER.public, purpose=Purpose.AUTHORITY)
    )
    other_name = x509.read(make(subject="CN=Other", public=CA.public, purpose=Purpose.AUTHORITY))
    no_authority = x509.read(make(subject=CA_NAME, public=CA.public))
    for wrong in (impostor, other_name, no_authority, found):
        assert not x509.trusted(found, wrong, BEGIN)


@pytest.mark.parametrize("moment", [BEGIN - SECOND, BEGIN, END, END + SECOND])
def test_a_certificate_is_valid_from_its_first_second_to_its_last(moment: datetime) -> None:
    assert (BEGIN <= moment <= END) == x509.trusted(x509.read(DER), x509.read(ROOT), moment)


def test_an_authority_must_be_valid_as_well() -> None:
    old = x509.read(
        make(subject=CA_NAME, public=CA.public, purpose=Purpose.AUTHORITY, not_after=BEGIN)
    )
    assert x509.trusted(x509.read(DER), old, BEGIN)
    assert not x509.trusted(x509.read(DER), old, BEGIN + SECOND)


@settings(max_examples=150)
@given(st.integers(0, 8 * len(DER) - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    changed = (int.from_bytes(DER) ^ 1 << bit).to_bytes(len(DER))
    try:
        found = x509.read(changed)
    except FormatError:
        return
    assert not x509.verify(found, CA.public)


@settings(max_examples=200)
@given(near(st.sampled_from([DER, ROOT]), longest=120))
@example(b"")
@example(b"\x30\x00")
@example(DER[:-1])
@example(DER + b"\x05\x00")
def test_any_other_bytes_are_not_in_the_shape_of_a_certificate(raw: bytes) -> None:
    try:
        found = x509.read(raw)
    except FormatError:
        return
    assert raw == found.der
    assert raw in (DER, ROOT) or not x509.verify(found, CA.public)


def test_a_critical_extension_that_is_not_known_is_refused() -> None:
    key_usage, unknown = bytes.fromhex("0603551D0F0101FF"), bytes.fromhex("0603551D7F0101FF")
    assert key_usage in DER
    with pytest.raises(FormatError, match=r"critical extension that is not known"):
        x509.read(DER.replace(key_usage, unknown))


def without(der: bytes, *extensions: str) -> bytes:
    """A certificate that lacks these of its extensions, named by their OIDs."""
    signed, algorithm, signature = parse(der)[0].children
    tag = signed.children[-1].tag
    kept = [
        item
        for item in signed.children[-1].children[0].children
        if item.children[0].value.hex().upper() not in extensions
    ]
    rest = [tlv(tag, [tlv(0x30, kept)])] if kept else []
    return bytes(tlv(0x30, [tlv(0x30, [*signed.children[:-1], *rest]), algorithm, signature]))


def test_a_certificate_that_names_no_usage_may_do_all_but_certify() -> None:
    basic, usage, subject, authority = "551D13", "551D0F", "551D0E", "551D23"
    both = {Purpose.SIGNATURE, Purpose.ENCIPHERMENT}
    for extensions in ((usage,), (usage, basic), (usage, basic, subject, authority)):
        assert both == x509.read(without(DER, *extensions)).purposes
    assert {Purpose.SIGNATURE} == x509.read(without(DER, basic)).purposes
    assert set(Purpose) == x509.read(without(ROOT, usage)).purposes
    assert set() == x509.read(without(ROOT, basic)).purposes


@pytest.mark.parametrize("value", ["", "=", "CN", "XX=1", "CN=a,,", "1.2=#zz", "C=CHN\0"])
def test_a_name_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(FormatError, match=r"^subject: not a name"):
        make(subject=value)


def test_a_certificate_is_shown_by_what_it_says() -> None:
    shown = repr(x509.read(DER))
    assert NAME in shown
    assert "der=" not in shown
