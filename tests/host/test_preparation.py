# SPDX-License-Identifier: Apache-2.0
"""Data preparation: whatever a bank decides, what comes out is a card that a terminal believes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apdu import tlv
from apdu.crypto import gmcert, oda
from apdu.crypto.derive import udk
from apdu.crypto.pinblock import read_iso_2
from apdu.crypto.rsa import CrtParts, RsaPrivateKey
from apdu.crypto.sm2 import PrivateKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.tlv import Tlv
from apdu.wire.cryptogram import Cvn, IssuerApplicationData, OneAmount, TwoAmounts
from apdu.wire.elements import BY_TAG
from apdu.wire.pboc import groups, tags
from apdu.wire.pboc.answers import parse_afl
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.groups import Way, record_place
from apdu.wire.perso import Algorithm
from host.issuer.card_data import CardData, SecondCash, luhn_digit
from host.issuer.preparation import RECORD, prepare
from host.issuer.profile import BankProfile, bank_profile, known_chance
from host.issuer.test_keys import (
    TEST_IMKS,
    TEST_ISSUER,
    rsa_ca_key,
    sm2_ca_key,
)

NAMES = ("rsa-1152", "rsa-1408", "rsa-1984", "sm2")


@cache
def data_of(name: str) -> CardData:
    found = bank_profile(name).source
    assert isinstance(found, CardData)
    return found


Groups = dict[int, bytes]


def prepared(data: CardData) -> Groups:
    made = prepare(data, known_chance())
    found = {group.number: group.value for group in made}
    assert len(found) == len(made)
    return found


def items(value: bytes) -> dict[int, bytes]:
    """What stands in a group of TLVs, no tag twice."""
    parsed = tlv.parse(value)
    found = {item.tag: item.value for item in parsed}
    assert len(parsed) == len(found)
    return found


def read(made: Groups, algorithm: Algorithm, way: Way) -> tuple[dict[int, bytes], bytes]:
    """What a terminal reads of one way: all elements by tag, and the static data with the AIP."""
    options = items(made[groups.WAYS[algorithm, way]])
    found: dict[int, bytes] = {}
    static = b""
    for entry in parse_afl(options[tags.AFL]):
        for number in range(entry.first, entry.last + 1):
            record = made[entry.sfi << 8 | number]
            assert len(record) <= RECORD
            (template,) = tlv.parse(record)
            assert tags.RECORD_TEMPLATE == template.tag
            for item in template.children:
                assert item.tag not in found
                found[item.tag] = item.value
            if number < entry.first + entry.authenticated:
                static += template.value
    return found, static + options[tags.AIP]


def ways(data: CardData) -> list[tuple[Algorithm, Way]]:
    algorithms = [Algorithm.TDES, Algorithm.SM4] if data.sm else [Algorithm.TDES]
    present = [Way.DEBIT]
    present += [Way.CASH] if data.cash else []
    present += [Way.QPBOC] if data.contactless else []
    return [(algorithm, way) for algorithm in algorithms for way in present]


def believed(data: CardData, made: Groups) -> None:
    """Assert that each way's certificates hold, from the authority's key down to the card's."""
    pan = data.face.pan
    for algorithm, way in ways(data):
        found, static = read(made, algorithm, way)
        signed = way is not Way.QPBOC
        if algorithm is Algorithm.SM4:
            assert bytes((sm2_ca_key().index,)) == found[tags.CA_INDEX]
            issuer = gmcert.issuer_key(sm2_ca_key().key, found[tags.ISSUER_CERTIFICATE])
            icc = gmcert.icc_key(issuer.key, found[tags.ICC_CERTIFICATE], static, pan)
            assert PrivateKey(made[groups.SM2_PRIVATE]).public == icc.key
            if signed:
                gmcert.static_data(issuer.key, found[tags.SIGNED_STATIC_DATA], static)
        else:
            ca = rsa_ca_key(data.rsa_bits)
            assert bytes((ca.index,)) == found[tags.CA_INDEX]
            above = oda.issuer_key(
                ca.public(),
                found[tags.ISSUER_CERTIFICATE],
                found.get(tags.ISSUER_REMAINDER, b""),
                found[tags.ISSUER_EXPONENT],
            )
            below = oda.icc_key(
                above.key,
                found[tags.ICC_CERTIFICATE],
                found.get(tags.ICC_REMAINDER, b""),
                found[tags.ICC_EXPONENT],
                static,
                pan,
            )
            parts = CrtParts(*(made[n] for n in (0x8205, 0x8204, 0x8203, 0x8202, 0x8201)))
            assert RsaPrivateKey.from_crt(parts).public == below.key
            assert above.fits(pan)
            assert data.face.expires.strftime("%m%y") == below.expires
            if signed:
                oda.static_data(above.key, found[tags.SIGNED_STATIC_DATA], static)


@pytest.mark.parametrize("name", NAMES)
def test_every_certificate_of_a_shipped_profile_holds(name: str) -> None:
    data = data_of(name)
    believed(data, prepared(data))


@pytest.mark.parametrize("name", NAMES)
def test_every_element_has_a_length_that_it_may_have(name: str) -> None:
    made = prepared(data_of(name))
    numbers = [*groups.WAYS.values(), *groups.PARAMETERS, *groups.CONTACT_IADS.values()]
    numbers += [number for number in made if record_place(number)]
    for number in set(numbers) & made.keys():
        stack: list[Tlv] = list(tlv.parse(made[number]))
        while stack:
            item = stack.pop()
            stack += item.children
            known = BY_TAG[item.tag]
            assert known.least <= len(item.value) <= known.most, f"{item.tag:X}"


pans = st.builds(
    lambda digits: TEST_ISSUER + digits + luhn_digit(TEST_ISSUER + digits),
    st.text("0123456789", min_size=6, max_size=12),
)
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=2, max_size=26)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@st.composite
def card_data(draw: st.DrawFn) -> CardData:
    base = data_of(draw(st.sampled_from(NAMES)))
    first, last = sorted([draw(days), draw(days)])
    face = replace(
        base.face,
        pan=draw(pans),
        psn=draw(st.text("0123456789", min_size=2, max_size=2)),
        name=draw(printable),
        effective=first,
        expires=last,
        pin=Secret(draw(st.text("0123456789", min_size=4, max_size=12)).encode()),
        pin_tries=draw(st.integers(1, 15)),
        document_number=draw(st.text("0123456789X", min_size=1, max_size=40)),
    )
    if draw(st.booleans()):
        face = replace(face, document_type="", document_number="")
    cash = base.cash if draw(st.booleans()) else None
    if cash is not None and draw(st.booleans()):
        cash = replace(cash, second=SecondCash("840", 5, 100, 10, 1, 7))
    told = draw(st.sampled_from([None, *OneAmount, *TwoAmounts]))
    return replace(
        base,
        face=face,
        cash=cash,
        contactless=base.contactless if draw(st.booleans()) else None,
        cryptograms=replace(base.cryptograms, told=told),
    )


@given(card_data())
@settings(max_examples=25)
def test_whatever_the_bank_decides_the_card_is_believed(data: CardData) -> None:
    made = prepared(data)
    believed(data, made)
    for algorithm, way in ways(data):
        found, _ = read(made, algorithm, way)
        face = data.face
        assert face.pan == found[tags.PAN].hex().rstrip("f")
        assert face.psn == found[tags.PSN].hex()
        assert face.name == found[tags.CARDHOLDER_NAME].decode()
        assert face.expires.strftime("%y%m%d") == found[tags.EXPIRY].hex()
        assert face.effective.strftime("%y%m%d") == found[tags.EFFECTIVE].hex()
        assert (way is Way.CASH) == (tags.CVM_LIST in found and b"\x1f\x00" in found[tags.CVM_LIST])
    track = items(made[0x0101][2:])[tags.TRACK_2].hex().upper()
    assert track.startswith(f"{data.face.pan}D{data.face.expires:%y%m}220")
    assert data.face.pin.reveal().decode() == read_iso_2(made[groups.PIN])
    assert data.face.pin_tries == made[groups.PIN_LIMIT][-1]


@given(card_data())
@settings(max_examples=15)
def test_the_keys_of_a_card_follow_from_the_issuers(data: CardData) -> None:
    made = prepared(data)
    for algorithm, number in groups.KEYS.items():
        assert (number in made) == (algorithm is Algorithm.TDES or data.sm)
        if number not in made:
            continue
        suite, masters = SUITES[algorithm], TEST_IMKS[algorithm]
        keys = [made[number][at : at + 16] for at in (0, 16, 32)]
        for key, master in zip(keys, (masters.ac, masters.mac, masters.enc), strict=True):
            assert udk(suite.key(master.reveal()), data.face.pan, data.face.psn) == key
        values = [suite.key(key).check_value() for key in keys]
        assert b"".join(values) == made[groups.CHECK_VALUES[algorithm]]


@pytest.mark.parametrize("name", NAMES)
def test_both_faces_name_the_application_and_ask_for_what_their_ways_need(name: str) -> None:
    data = data_of(name)
    made = prepared(data)
    for number, first in ((groups.CONTACT_FCI, "9F7A01"), (groups.CONTACTLESS_FCI, "9F6604")):
        (template,) = tlv.parse(made[number])
        assert DEBIT_AID == template.children[0].value
        pdol = next(i for i in template.children[1].children if i.tag == tags.PDOL).value
        assert pdol.startswith(bytes.fromhex(first))
        assert data.sm == pdol.endswith(bytes.fromhex("DF6901"))


@pytest.mark.parametrize("told", [None, *OneAmount, *TwoAmounts])
def test_9f10_says_who_made_it_and_what_it_tells(told: OneAmount | TwoAmounts | None) -> None:
    base = data_of("sm2")
    cryptograms = replace(base.cryptograms, told=told, key_index=0x2A)
    made = prepared(replace(base, cryptograms=cryptograms))
    assert base.contactless is not None
    for algorithm in groups.KEYS:
        contact = items(made[groups.CONTACT_IADS[algorithm]])[tags.IAD]
        tap = items(made[groups.WAYS[algorithm, Way.QPBOC]])[tags.IAD]
        for raw, cvn in ((contact, Cvn.CVN_01), (tap, base.contactless.cvn)):
            found = IssuerApplicationData.parse(raw)
            assert (0x2A, cvn) == (found.key_index, found.cvn)
            assert algorithm.name == found.algorithm.name
            assert told == (found.idd.kind if found.idd else None)


amounts = st.none() | st.integers(0, 10**12 - 1)
bytes_of_limits = st.none() | st.integers(0, 0xFF)


@given(st.lists(bytes_of_limits, min_size=6, max_size=6), st.lists(amounts, min_size=3, max_size=3))
@settings(max_examples=15)
def test_a_limit_stands_under_its_tag_or_not_at_all(
    numbers: list[int | None], sums: list[int | None]
) -> None:
    base = data_of("rsa-1152")
    risk = replace(
        base.risk,
        terminal_lower_limit=numbers[0],
        terminal_upper_limit=numbers[1],
        lower_limit=numbers[2],
        upper_limit=numbers[3],
        international_currency_limit=numbers[4],
        international_country_limit=numbers[5],
        amount_limit=sums[0],
        amount_upper_limit=sums[1],
        dual_limit=sums[2],
    )
    made = prepared(replace(base, risk=risk))
    found = {tag: value for n in groups.PARAMETERS for tag, value in items(made[n]).items()}
    found |= items(items(made[0x0401])[tags.RECORD_TEMPLATE])
    limits = (0x9F14, 0x9F23, 0x9F58, 0x9F59, 0x9F53, 0x9F72)
    for tag, value in zip(limits, numbers, strict=True):
        assert found.get(tag) == (None if value is None else bytes((value,)))
    for tag, amount in zip((0x9F54, 0x9F5C, 0x9F75), sums, strict=True):
        assert found.get(tag) == (None if amount is None else bytes.fromhex(f"{amount:012d}"))


def test_every_parameter_stands_under_its_tag() -> None:
    base = data_of("sm2")
    assert base.cash is not None
    assert base.contactless is not None
    second = SecondCash("840", 11, 66, 55, 44, 33)
    data = replace(
        base,
        cash=replace(
            base.cash,
            balance=1,
            balance_limit=4,
            single_limit=3,
            reset_threshold=2,
            second=second,
        ),
        contactless=replace(base.contactless, cvm_limit=7, qualifiers=b"\x10\x00"),
        risk=replace(
            base.risk,
            default_action=b"\x12\x34",
            issuer_authentication_mandatory=False,
            second_currency="840",
            conversion_factor=bytes.fromhex("20000725"),
        ),
    )
    made = prepared(data)
    found = {tag: value for n in groups.PARAMETERS for tag, value in items(made[n]).items()}
    for tag, amount in (
        *((0x9F79, 1), (0x9F6D, 2), (0x9F78, 3), (0x9F77, 4), (0x9F6B, 7)),
        *((0xDF79, 11), (0xDF72, 33), (0xDF76, 44), (0xDF78, 55), (0xDF77, 66)),
    ):
        assert bytes.fromhex(f"{amount:012d}") == found[tag]
    for tag, value in (
        *((0x9F51, "0156"), (0x9F57, "0156"), (0x9F52, "1234"), (0x9F56, "00")),
        *((0x9F76, "0840"), (0x9F73, "20000725"), (0xDF71, "0840"), (0x9F68, "89109000")),
        *((0x9F6C, "1000"), (0x9F36, "0000"), (0x9F13, "0000"), (0x5F34, "01")),
    ):
        assert value == found[tag].hex()
    assert (
        items(made[0x0101])[tags.RECORD_TEMPLATE][2 : 2 + len(found[tags.TRACK_2])]
        == (found[tags.TRACK_2])
    )


def test_the_same_bytes_of_chance_make_the_same_card() -> None:
    data = data_of("sm2")
    assert prepare(data, known_chance()) == prepare(data, known_chance())


def test_a_card_without_sda_has_no_signed_static_data() -> None:
    base = data_of("sm2")
    made = prepared(replace(base, application=replace(base.application, interchange=b"\x3d\x00")))
    for algorithm in groups.KEYS:
        found, _ = read(made, algorithm, Way.DEBIT)
        assert tags.SIGNED_STATIC_DATA not in found


BAD_FACES = {
    "pan": ["", "622800", "6228001234567890128", "6225001234567890129", "622800123456789012A"],
    "psn": ["", "1", "001", "0x"],
    "name": ["", "A", "A" * 27, "测试", "A\x1b"],
    "service_code": ["", "22", "2200", "22x"],
    "product": [b"", bytes(15), bytes(17)],
    "pin": [Secret(b""), Secret(b"123"), Secret(b"1234567890123"), Secret(b"12a4")],
    "pin_tries": [0, 16, -1],
    "expires": [date(2024, 12, 31), date(2100, 1, 1)],
    "document_type": ["", "0", "000", "0x"],
    "document_number": ["", "4" * 41],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD_FACES.items() for value in values]
)
def test_a_face_that_cannot_be_is_refused_by_its_field(field: str, value: object) -> None:
    face = data_of("rsa-1152").face
    with pytest.raises(FormatError, match=field):
        replace(face, **{field: value})


def test_another_pan_makes_another_card_and_only_of_card_data() -> None:
    pan = "622800" + "7" * 12 + luhn_digit("622800" + "7" * 12)
    profile = bank_profile("rsa-1152")
    made = {g.number: g.value for g in profile.groups(known_chance(), pan)}
    assert pan == items(made[0x0301][2:])[tags.PAN].hex().rstrip("f")
    with pytest.raises(FormatError, match="pan"):
        profile.groups(known_chance(), pan[:-1] + str((int(pan[-1]) + 1) % 10))
    with pytest.raises(FormatError, match="pan"):
        bank_profile("published").groups(known_chance(), pan)


def test_a_record_that_is_too_long_is_refused() -> None:
    base = data_of("rsa-1152")
    many = replace(base.application.methods, cvm=(b"\x42\x03",) * 121)
    with pytest.raises(FormatError, match="record of file 4"):
        prepared(replace(base, application=replace(base.application, methods=many)))


def test_no_text_of_card_data_shows_the_pin() -> None:
    data = data_of("rsa-1152")
    face = replace(data.face, pin=Secret(b"777777777777"))
    assert "7777" not in repr(face) + repr(BankProfile(replace(data, face=face)))
