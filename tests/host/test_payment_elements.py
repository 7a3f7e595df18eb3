# SPDX-License-Identifier: Apache-2.0
"""Payment data elements in words: what values say, what is in them, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.tlv import Tlv, tlv
from apdu.wire.elements import BY_TAG, ELEMENTS
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import PSE_NAME
from apdu.wire.pboc.flags import Ada, Aip, Auc, CardProcessing, Ctq, Cvr, Tsi, Ttq, Tvr
from apdu.wire.pboc.meanings import known_bits
from host.cli.names import Shown
from host.cli.payment_elements import payment_objects, shown_bits, shown_element, shown_list


def rows(shown: tuple[Shown, ...]) -> list[str]:
    """Tag or English name, value, and meaning."""
    return [f"{each.tag or each.english}: {each.value} {each.meaning}".strip() for each in shown]


def said_of(tag: int, value: str) -> tuple[str | None, str]:
    first = next(shown_element(tag, bytes.fromhex(value)))
    return first.value, first.meaning


# Values


@pytest.mark.parametrize(
    ("tag", "value", "said", "meaning"),
    [
        (tags.AMOUNT, "000000001234", "12.34", "yuan 元"),
        (tags.EC_BALANCE, "000000000005", "0.05", "yuan 元"),
        (tags.SECOND_EC_BALANCE, "000000000100", "1.00", "of the second currency 第二币种"),
        (tags.DATE, "260105", "2026-01-05", ""),
        (tags.EFFECTIVE, "950701", "1995-07-01", ""),
        (tags.TIME, "235901", "23:59:01", ""),
        (tags.PAN, "6228000100001117", "6228000100001117", ""),
        (tags.PAN, "622800010000111706FF", "622800010000111706", ""),
        (tags.CURRENCY, "0344", "344", "HKD 港元"),
        (tags.CURRENCY, "0999", "999", "another currency"),
        (tags.TERMINAL_COUNTRY, "0156", "156", "China 中国"),
        (tags.TRANSACTION_TYPE, "60", "60", "load"),
        (tags.ATC, "0102", "258", ""),
        (tags.PIN_TRIES, "03", "3", ""),
        (tags.CID, "80", "80", "ARQC, to go online 联机"),
        (tags.CID, "0A", "0A", "AAC, declined 拒绝, with advice, PIN tries exceeded"),
        (tags.CID, "40", "40", "TC, approved 批准"),
        (tags.CID, "C0", "C0", "raw: no kind of cryptogram"),
        (tags.ARC, "3531", '"51"', ""),
        (tags.LABEL, "50424F43", '"PBOC"', ""),
        (tags.MERCHANT_NAME, "C9E7B1A3BFA8000000", '"社保卡"', ""),
        (tags.DF_NAME, "A000000333010101", "A000000333010101", ""),
        (tags.DF_NAME, PSE_NAME.hex(), '"1PAY.SYS.DDF01"', ""),
        (tags.EC_INDICATOR, "01", "01", "electronic cash 支持电子现金"),
        (tags.SM_INDICATOR, "00", "00", "no SM algorithms"),
        (tags.ISSUER_AUTHENTICATION_INDICATOR, "80", "80", "mandatory"),
        (tags.ISSUER_AUTHENTICATION_INDICATOR, "00", "00", "optional"),
        (tags.LOG_ENTRY, "0B0A", "0B0A", "SFI 11, 10 records"),
        (tags.DOCUMENT_TYPE, "05", "05", "other 其它"),
        (tags.DOCUMENT_TYPE, "06", "06", ""),
        (
            tags.CVM_RESULTS,
            "420302",
            "42 03 02",
            "online PIN 联机PIN, if the terminal supports it: successful",
        ),
        (tags.CVM_RESULTS, "3F0A07", "3F 0A 07", "an unknown method, on condition 0A: 07"),
        (tags.ISSUER_CERTIFICATE, "AB" * 33, "AB AB AB AB AB AB AB AB …", "33 bytes"),
        (tags.ISSUER_CERTIFICATE, "AB" * 32, " ".join(["AB"] * 32), ""),
        (0xDFEE, "0102", "01 02", ""),
    ],
)
def test_a_value_says_what_it_is(tag: int, value: str, said: str, meaning: str) -> None:
    assert (said, meaning) == said_of(tag, value)


@pytest.mark.parametrize(
    ("tag", "value", "why"),
    [
        (tags.AMOUNT, "0000000012", "5 bytes, must be 6"),
        (tags.AMOUNT, "00000000123A", "must be packed BCD digits"),
        (tags.DATE, "260231", "day is out of range for month"),
        (tags.TIME, "246000", ""),
        (tags.ISSUER_COUNTRY, "56", "1 byte, must be 2"),
        (tags.AFL, "08020100", "records 2 to 1"),
        (tags.AFL, "0801", "entries of 4"),
        (tags.IAD, "0701", ""),
        (tags.IAD, "07010203A0100201", ""),
        (tags.IAD, "0701010330000001", ""),
        (tags.CVM_LIST, "00000000000000001F", ""),
        (tags.PDOL, "9F", "cut short"),
    ],
)
def test_a_value_that_is_none_is_shown_raw_with_the_reason(tag: int, value: str, why: str) -> None:
    (shown,) = shown_element(tag, bytes.fromhex(value))
    assert shown.value == bytes.fromhex(value).hex(" ").upper()
    assert shown.meaning.startswith("raw: ") or (tag == tags.AFL and value == "08010200")
    assert why in shown.meaning


@given(st.sampled_from(ELEMENTS), st.binary(max_size=60), st.integers(0, 4))
def test_every_element_can_be_shown_with_any_value(element: object, value: bytes, n: int) -> None:
    assert isinstance(element, tuple)
    first, *inside = shown_element(element[0], value, n)
    assert (BY_TAG[element[0]].name, BY_TAG[element[0]].chinese, n) == (
        first.english,
        first.chinese,
        first.depth,
    )
    assert first.value is not None
    assert all(each.depth > n for each in inside)


@given(st.binary(max_size=80))
def test_any_bytes_are_objects_or_nothing(raw: bytes) -> None:
    assert all(isinstance(each, Shown) for each in payment_objects(raw))


KINDS = {Aip: 2, Tvr: 5, Tsi: 2, Auc: 2, Ada: 2, CardProcessing: 4, Ctq: 2, Ttq: 4, Cvr: 3}


@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_is_told_with_its_place(kind: type[Tvr]) -> None:
    size = KINDS[kind]
    offset = 2 if kind is Cvr else 1
    for bit in known_bits(kind):
        raw = int(bit).to_bytes(size)
        byte = next(at for at, value in enumerate(raw) if value)
        number = next(n for n in range(1, 9) if raw[byte] == 1 << n - 1)
        (shown,) = shown_bits(kind, raw, 1, offset)
        assert f"byte {byte + offset} b{number}" == shown.value
    everything = bytes(b"\xff" * size)
    assert len(known_bits(kind)) == len(list(shown_bits(kind, everything, 1)))


def test_amounts_of_another_currency_are_not_called_yuan() -> None:
    dol = bytes.fromhex("9F02065F2A02")
    shown = shown_list(dol, bytes.fromhex("0000000012340840"))
    assert ["9F02: 12.34 USD 美元", "5F2A: 840 USD 美元"] == rows(shown)
    objects = bytes.fromhex("70139F02060000000012345F2A0208409A03260105")
    assert "9F02: 12.34 USD 美元" in rows(payment_objects(objects))
    assert () == shown_list(dol, bytes(7))
    assert () == shown_list(b"\x9f", b"")


# What is in elements


def test_the_card_says_how_it_decided() -> None:
    shown = shown_element(tags.IAD, bytes.fromhex("07010103A0B024010A01000001234511223344"))
    assert [
        "9F10: 07 01 01 03 A0 B0 24 01 0A 01 00 00 01 23 45 11 22 33 44",
        "key index: 1",
        "cryptogram version: 01",
        "card verification results: A0 B0 24",
        "first cryptogram: ARQC",
        "second cryptogram: not asked for",
        "script commands, last time: 2",
        "last online transaction not completed: byte 3 b8",
        "velocity check exceeded: byte 3 b6",
        "new card: byte 3 b5",
        "DDA failed on the last transaction, which was declined offline: byte 4 b3",
        "algorithm: 01 3DES",
        "electronic cash: 123.45 yuan 元",
        "MAC: 11223344 for the issuer",
    ] == rows(tuple(shown))


def test_a_second_cryptogram_and_two_amounts_are_told() -> None:
    raw = "07010103600000040F0400001000000000200000AABBCCDD"
    assert ["first cryptogram: ARQC", "second cryptogram: TC", "algorithm: 04 SM4"] == [
        each
        for each in rows(tuple(shown_element(tags.IAD, bytes.fromhex(raw))))
        if "cryptogram:" in each or "algorithm" in each
    ]
    assert ["spent offline: 1000.00 yuan 元", "limit of it: 2000.00 yuan 元"] == rows(
        tuple(shown_element(tags.IAD, bytes.fromhex(raw)))
    )[-3:-1]


def test_a_file_locator_says_which_records() -> None:
    shown = shown_element(tags.AFL, bytes.fromhex("0801010018010301"))
    assert [
        "94: 08 01 01 00 18 01 03 01",
        "SFI 1: record 1",
        "SFI 3: records 1 to 3 the first 1 to be authenticated",
    ] == rows(tuple(shown))


def test_a_list_says_what_it_asks_for() -> None:
    shown = shown_element(tags.DDOL, bytes.fromhex("9F37049C01"))
    assert ["9F49: 9F 37 04 9C 01", "9F37: 4 bytes", "9C: 1 byte"] == rows(tuple(shown))


def test_the_list_of_methods_says_when_each_applies() -> None:
    shown = shown_element(tags.CVM_LIST, bytes.fromhex("00001388000000004206410302001F00"))
    assert [
        "amount X: 50.00",
        "online PIN 联机PIN: 4206 under X; else the next",
        "offline PIN 脱机明文PIN: 4103 if the terminal supports it; else the next",
        "online PIN 联机PIN: 0200 always; else failed",
        "no CVM 无需CVM: 1F00 always; else failed",
    ] == rows(tuple(shown))[1:]


def test_a_template_is_shown_with_what_is_in_it() -> None:
    record = bytes(tlv(0x70, [Tlv(tags.PSN, b"\x01"), Tlv(tags.AIP, b"\x40\x00")]))
    assert [
        ("70", None, 0),
        ("5F34", "01", 1),
        ("82", "40 00", 1),
        ("", "byte 1 b7", 2),
    ] == [(each.tag, each.value, each.depth) for each in payment_objects(record)]
