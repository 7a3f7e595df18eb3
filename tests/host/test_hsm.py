# SPDX-License-Identifier: Apache-2.0
"""The two steps with a key centre's HSM: the lines, both halves of them, and answers that lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.command import CommandAPDU
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.hrss.keys import TABLES, KeySpec, key_named
from apdu.wire.purchase import Mac1Input
from host.card import command_of
from host.faults import CentreMisspoke, KeyUnavailable, Lack
from host.hsm import HsmAddresses, HsmKeys, MemoryHsm
from host.keys import Authentication, CardIdentity, MemoryKeys, Protection, Purchase

DES, SM4 = SUITES[1], SUITES[2]
suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
R, D = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
SLOTS = [spec for table in TABLES for spec in table]
DPK_ADDRESS = HsmAddresses({"DPK1": 0x0200})
TERMS = Mac1Input(1234, 56, 0, bytes.fromhex("990000000001"), bytes.fromhex("20260105093000"))


def card(suite: Suite = DES) -> CardIdentity:
    return CardIdentity("430200", bytes.fromhex("8660531234567890"), suite)


def authentication(name: str = "RKSSSE", suite: Suite = DES) -> Authentication:
    return Authentication(key_named(name), card(suite), R, D)


def pin_service(service: PinService, pin: str = "", suite: Suite = DES) -> Protection:
    data = pin_bytes(pin) if pin else b""
    command = command_of(PIN_CHANGE_UNBLOCK, PinServiceRef(service), data, 0)
    return Protection(key_named("STK"), card(suite), R, command, enciphered=True)


def purchase(suite: Suite = DES) -> Purchase:
    return Purchase(key_named("DPK1"), card(suite), bytes.fromhex("A1B2C3D4"), b"\x00\x07", TERMS)


# The lines as they are documented


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (authentication("RKSSSE"), "01|004C0A|1122334455667788|0102030405060708|"),
        (authentication("UKSSSE"), "01|009412|1122334455667788|0102030405060708|"),
        (authentication("PUK"), "01|009010|1122334455667788|0102030405060708|"),
        (pin_service(PinService.UNBLOCK), "01|009010|1122334455667788|8424000004||"),
        (pin_service(PinService.RELOAD, "123456"), "01|009010|1122334455667788|842400010C|123456|"),
        (
            pin_service(PinService.RELOAD, "1234567"),
            "01|009010|1122334455667788|842400010C|1234567|",
        ),
        (
            purchase(),
            "01|020001|A1B2C3D4|0007|000004D20000003800000000|32|990000000001|20260105093000|",
        ),
    ],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_a_request_is_this_line(
    request_: Authentication | Protection | Purchase, line: str
) -> None:
    assert line == HsmKeys(addresses=DPK_ADDRESS).line(request_)


def test_under_sm4_the_algorithm_is_03_and_a_new_pin_takes_16_bytes() -> None:
    hsm = HsmKeys(suite=SM4)
    line = hsm.line(pin_service(PinService.RELOAD, "123456", SM4))
    assert "03|009010|1122334455667788|8424000114|123456|" == line
    assert "03|004C0A|" == hsm.line(authentication(suite=SM4))[:10]


def test_finished_messages_have_the_lengths_that_drivers_know() -> None:
    for suite, reload in ((DES, 17), (SM4, 25)):
        asked = MemoryHsm(MemoryKeys(suite=suite), card(suite)).answer
        for request, size in (
            (pin_service(PinService.RELOAD, "123456", suite), reload),
            (pin_service(PinService.UNBLOCK, "", suite), 9),
        ):
            assert 2 * size == len(asked(HsmKeys(suite=suite).line(request)))


# By hand, and driven


@suites
def test_both_ways_of_asking_come_to_what_the_centres_keys_say(suite: Suite) -> None:
    keys = MemoryKeys(suite=suite)
    centre = MemoryHsm(keys, card(suite), DPK_ADDRESS)
    driven = HsmKeys(centre.answer, suite, DPK_ADDRESS)
    hand = HsmKeys(suite=suite, addresses=DPK_ADDRESS)
    asked = authentication(suite=suite)
    expected = keys.authenticate(asked)
    assert expected == driven.authenticate(asked)
    assert expected == hand.cryptogram(asked, centre.answer(hand.line(asked)))
    message = pin_service(PinService.RELOAD, "87654321", suite)
    finished = keys.protect(message)
    assert finished == driven.protect(message)
    assert finished == hand.finished(message, centre.answer(hand.line(message)))
    bought = purchase(suite)
    begun = keys.purchase_with(bought, b"\x00\x00\x00\x07")
    assert begun == driven.begin_purchase(bought)
    assert begun == hand.begun(bought, centre.answer(hand.line(bought)))
    assert not driven.end_purchase(bought, begun, bytes(4))
    with pytest.raises(TypeError):
        hand.authenticate(asked)


# Addresses


def test_a_key_without_a_known_address_is_named() -> None:
    for spec in SLOTS:
        known = spec.hsm is not None or spec.name == "STK"
        request = Authentication(spec, card(), R, D)
        if known:
            assert HsmKeys().line(request)
            continue
        with pytest.raises(KeyUnavailable, match=spec.name) as told:
            HsmKeys().line(request)
        assert Lack.ADDRESS is told.value.lack


def test_a_centres_own_addresses_count_first() -> None:
    own = HsmAddresses({"RKSSSE": 0x1234, "STK": 0x00C3, "DLK": 0x0001})
    assert "12340A" == own.of(key_named("RKSSSE"))
    assert "00C309" == own.of(key_named("STK"))
    assert key_named("STK") == own.slot("00C309", messaging=True)
    with pytest.raises(KeyUnavailable):  # no PSAM has it, so it has no address either
        own.of(key_named("DLK"))


def test_the_address_of_puk_means_stk_where_a_message_is_asked_for() -> None:
    addresses = HsmAddresses()
    assert key_named("PUK") == addresses.slot("009010")
    assert key_named("STK") == addresses.slot("009010", messaging=True)


@pytest.mark.parametrize(
    "command",
    [
        CommandAPDU(0x00, 0xDC, 1, 4, b"\x07\x09ninebytes"),
        CommandAPDU(0x80, 0x24, 0, 1, bytes.fromhex("12345A")),
    ],
)
@pytest.mark.parametrize("enciphered", [True, False])
def test_a_command_that_no_line_can_carry_is_not_asked_for(
    command: CommandAPDU, enciphered: bool
) -> None:
    request = Protection(key_named("STK"), card(), R, command, enciphered)
    with pytest.raises(KeyUnavailable) as told:
        HsmKeys().line(request)
    assert Lack.USE is told.value.lack


def test_a_card_of_another_algorithm_is_not_asked_for() -> None:
    with pytest.raises(KeyUnavailable) as told:
        HsmKeys(suite=SM4).line(authentication(suite=DES))
    assert Lack.ALGORITHM is told.value.lack


# Answers that lie

RIGHT = MemoryHsm(MemoryKeys(), card(), DPK_ADDRESS)
C_D = RIGHT.answer(HsmKeys().line(authentication()))
RELOAD = pin_service(PinService.RELOAD, "123456")
FINISHED = RIGHT.answer(HsmKeys().line(RELOAD))
BEGUN = RIGHT.answer(HsmKeys(addresses=DPK_ADDRESS).line(purchase()))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " ",
        C_D[:-1],
        C_D + "0",
        C_D + "\n",
        C_D[:-2] + "09",
        C_D[16:] + C_D[:16],
        "Z" * 32,
        "٣" * 32,
        "０" * 32,
        " " + C_D[1:],
        "0x" + C_D[2:],
        C_D[:16] + "|" + C_D[17:],
        None,
        5,
        b"0",
    ],
)
def test_a_cryptogram_that_is_none_is_not_used(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        HsmKeys(lambda line: answer).authenticate(authentication())


@pytest.mark.parametrize(
    "answer",
    [
        "",
        FINISHED[:-2],
        FINISHED + "00",
        "80" + FINISHED[2:],
        FINISHED[:6] + "00" + FINISHED[8:],
        FINISHED[:8] + "0D" + FINISHED[10:],
        FINISHED + "|",
        FINISHED[:-1] + "G",
        "00" * 17,
        None,
    ],
)
def test_a_message_that_is_not_the_one_asked_for_is_not_sent(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        HsmKeys(lambda line: answer).protect(RELOAD)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "|||",
        BEGUN[:-1],
        BEGUN + "|",
        "0" + BEGUN,
        BEGUN.replace("00000007", "00000008"),
        BEGUN.replace("20260105", "20260106"),
        BEGUN[:-2] + "|",
        "0007|" + BEGUN[9:],
        None,
    ],
)
def test_a_purchase_that_is_not_the_one_asked_for_is_not_used(answer: str) -> None:
    with pytest.raises(CentreMisspoke):
        HsmKeys(lambda line: answer, addresses=DPK_ADDRESS).begin_purchase(purchase())


@given(st.text(max_size=120))
def test_whatever_a_centre_answers_is_told_from_an_answer(answer: str) -> None:
    hsm = HsmKeys(lambda line: answer, addresses=DPK_ADDRESS)
    for ask in (
        lambda: hsm.authenticate(authentication()),
        lambda: hsm.protect(RELOAD),
        lambda: hsm.begin_purchase(purchase()),
    ):
        with pytest.raises(CentreMisspoke):
            ask()


# Lines that are none


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("", "line"),
        ("01|004C0A|1122334455667788|0102030405060708", "line"),
        ("01|004C0A|1122334455667788|", "line"),
        ("01|004C0A|1|2|3|4|5|6|7|", "line"),
        ("02|004C0A|1122334455667788|0102030405060708|", "algorithm"),
        ("03|004C0A|1122334455667788|0102030405060708|", "algorithm"),
        ("DES|004C0A|1122334455667788|0102030405060708|", "algorithm"),
        ("01|004C0B|1122334455667788|0102030405060708|", "key address"),
        ("01|4C0A|1122334455667788|0102030405060708|", "key address"),
        ("01|004C0A|11223344556677|0102030405060708|", "factor"),
        ("01|004C0A|1122334455667788|010203040506070|", "data"),
        ("01|009010|112233445566778|842400010C|123456|", "challenge"),
        ("01|009010|1122334455667788|84240001|123456|", "header"),
        ("01|009010|1122334455667788|802400010C|123456|", "header"),
        ("01|009010|1122334455667788|842400010D|123456|", "header"),
        ("01|009010|1122334455667788|842400010C|12345|", "PIN"),
        ("01|009010|1122334455667788|842400010C|12345a|", "PIN"),
        (
            "01|020001|A1B2C3|0007|000004D20000003800000000|32|990000000001|20260105093000|",
            "card random",
        ),
        (
            "01|020001|A1B2C3D4|07|000004D20000003800000000|32|990000000001|20260105093000|",
            "card sequence",
        ),
        ("01|020001|A1B2C3D4|0007|000004D200000038|32|990000000001|20260105093000|", "terms"),
        (
            "01|020001|A1B2C3D4|0007|000004D20000003800000000|06|990000000001|20260105093000|",
            "Mac1Input",
        ),
    ],
)
def test_a_centre_names_the_field_that_is_wrong(line: str, field: str) -> None:
    with pytest.raises(FormatError, match=field) as told:
        RIGHT.answer(line)
    assert "12345" not in str(told.value)


@given(st.text(alphabet="0123456789ABCDEF|x张", max_size=90))
def test_a_centre_answers_any_line_or_says_what_is_wrong(line: str) -> None:
    try:
        assert isinstance(RIGHT.answer(line), str)
    except FormatError:
        pass


def test_no_text_of_either_half_holds_a_key() -> None:
    for each in (RIGHT, HsmKeys(RIGHT.answer), HsmAddresses()):
        assert "112233" not in repr(each)
        assert "0AB23" not in repr(each)


def test_all_addresses_that_were_seen_are_told_apart() -> None:
    addresses = HsmAddresses()
    seen: dict[str, KeySpec] = {addresses.of(spec): spec for spec in SLOTS if spec.hsm is not None}
    assert len([spec for spec in SLOTS if spec.hsm is not None]) == len(seen)
