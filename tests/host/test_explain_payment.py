# SPDX-License-Identifier: Apache-2.0
"""Payments in words: elements by name and value, lists of the card's remembered, secrets hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.tlv import Tlv, build, tlv
from apdu.trace import Exchange
from apdu.wire.elements import BY_TAG, ELEMENTS
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import (
    DEBIT_AID,
    PPSE_NAME,
    PSE_NAME,
    directory_entry,
    directory_record,
    ppse_fci,
    pse_fci,
)
from apdu.wire.pboc.flags import Ada, Aip, Auc, CardProcessing, Ctq, Cvr, Tsi, Ttq, Tvr
from apdu.wire.pboc.meanings import known_bits
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.names import Shown
from host.cli.payment_elements import payment_objects, shown_bits, shown_element, shown_list

PDOL = bytes.fromhex("9F7A019F02065F2A02")
FCI = build(
    [
        tlv(
            tags.FCI_TEMPLATE,
            [
                Tlv(tags.DF_NAME, DEBIT_AID),
                tlv(
                    tags.FCI_PROPRIETARY,
                    [
                        Tlv(tags.PDOL, PDOL),
                        tlv(
                            tags.FCI_DISCRETIONARY,
                            [
                                Tlv(tags.LOG_ENTRY, b"\x0b\x0a"),
                                Tlv(tags.LOAD_LOG_ENTRY, b"\x0c\x0a"),
                            ],
                        ),
                    ],
                ),
            ],
        )
    ]
).hex()
CDOL1 = "9F02069F1A029505" + "5F2A02" + "9A03"
CDOL1_DATA = "000000001234" + "0156" + "0000008000" + "0156" + "260105"


def select(name: bytes, answer: str = "") -> tuple[str, str]:
    return (f"00A40400{len(name):02X}{name.hex()}", f"{answer}9000")


def explained(*exchanges: tuple[str, str]) -> Explanation:
    """What is said of the last of these."""
    explainer = Explainer()
    for command, answer in exchanges:
        said = explainer.explain(Exchange.of(bytes.fromhex(command), bytes.fromhex(answer)))
    return said


def in_bank(*exchanges: tuple[str, str]) -> Explanation:
    return explained(select(DEBIT_AID, FCI), *exchanges)


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


# Commands


def test_an_application_is_known_by_the_beginning_of_its_name() -> None:
    said = explained(select(DEBIT_AID[:7], FCI), ("80CA9F3600", "9F3602000A9000"))
    assert "GET DATA" == said.name
    assert ["9F36: 10"] == rows(said.got)
    nobody = explained(
        select(DEBIT_AID[:7], "6F0984073132333435363790"[:-2]), ("80CA9F3600", "6D00")
    )
    assert "80 CA" == nobody.name


def test_what_is_sent_for_a_list_is_told_by_element() -> None:
    gpo = in_bank(("80A800000B830901000000001234015600", "80060000080101009000"))
    assert [
        "9F7A: 01 electronic cash 支持电子现金",
        "9F02: 12.34 yuan 元",
        "5F2A: 156 CNY 人民币",
    ] == rows(gpo.sent)
    assert ["82: 00 00", "94: 08 01 01 00", "SFI 1: record 1"] == rows(gpo.got)


def test_lists_are_those_that_the_card_gave() -> None:
    record = f"70{len(CDOL1) // 2 + 2:02X}8C{len(CDOL1) // 2:02X}{CDOL1}9000"
    ask = (f"80AE9000{len(CDOL1_DATA) // 2:02X}{CDOL1_DATA}00", "6985")
    said = in_bank(("00B2012400", record), ask)
    assert [
        "9F02: 12.34 yuan 元",
        "9F1A: 156 China 中国",
        "95: 00 00 00 80 00",
        "floor limit exceeded: byte 4 b8",
        "5F2A: 156 CNY 人民币",
        "9A: 2026-01-05",
    ] == rows(said.sent)
    assert "asks for the first cryptogram: ARQC, to go online 联机, with a signature (CDA)" == (
        said.meaning
    )
    forgotten = in_bank(("00B2012400", record), select(DEBIT_AID, FCI), ask)
    (raw,) = forgotten.sent
    assert "raw: not its list" == raw.meaning


def test_cryptograms_are_counted_since_the_transaction_began() -> None:
    gpo = ("80A800000B830901000000001234015600", "80060000080101009000")
    first = ("80AE4000020102", "80128000010102030405060708070101039000009000")
    assert "first" in in_bank(gpo, first).meaning
    second = in_bank(gpo, first, first)
    assert "second cryptogram: TC, to approve 批准" in second.meaning
    assert "Card Risk Management DOL 2" in second.sent[0].english
    assert "first" in in_bank(gpo, first, gpo, first).meaning


def test_a_cryptogram_in_either_format_is_told() -> None:
    plain = in_bank(("80AE4000020102", "801340000A" + "AB" * 8 + "07010103900002019000"))
    assert ["9F27", "9F36", "9F26", "9F10"] == [each.tag for each in plain.got if each.tag]
    signed = in_bank(("80AE5000020102", "77099F2701409F3602000A9000"))
    assert ["77", "9F27", "9F36"] == [each.tag for each in signed.got]


def test_a_signature_is_told_in_either_format() -> None:
    for answer in ("8004AABBCCDD9000", "77079F4B04AABBCCDD9000"):
        said = in_bank(("008800000411223344", answer))
        assert "AA BB CC DD" in [each.value for each in said.got if each.tag == "9F4B"]
        assert "raw: not its list" == said.sent[0].meaning


def test_the_same_instruction_is_another_command_in_another_place() -> None:
    issuer = in_bank(("008200000A" + "11" * 8 + "3030", "9000"))
    assert "the issuer proves itself to the card" == issuer.meaning
    assert ["ARPC: 11 11 11 11 11 11 11 11", 'response code: "00"'] == rows(issuer.sent)[1:]
    channel = in_bank(("8482030010" + "11" * 16, "9000"))
    assert "GP EXTERNAL AUTHENTICATE" == channel.name
    assert "each command enciphered and with a MAC" in channel.meaning
    ours = explained(select(SSSE_NAME), ("008200841011111111111111110102030405060708", "63CE"))
    assert "key 84" in ours.meaning


@pytest.mark.parametrize(
    ("command", "meaning", "sent"),
    [
        (
            "04DA9F790A000000005000AABBCCDD",
            "by the issuer's script: EC Balance 电子现金余额 (9F79)",
            ["9F79: 50.00 yuan 元", "MAC: AABBCCDD by the issuer"],
        ),
        (
            "04DC011C0A70048A023030AABBCCDD",
            "by the issuer's script: record 1 of the file with SFI 3",
            ["70: None", '8A: "00"', "MAC: AABBCCDD by the issuer"],
        ),
        (
            "841E000004AABBCCDD",
            "by the issuer's script: the application makes no payments now",
            ["MAC: AABBCCDD by the issuer"],
        ),
        (
            "8418000004AABBCCDD",
            "by the issuer's script: the application may pay again",
            ["MAC: AABBCCDD by the issuer"],
        ),
        (
            "8416000004AABBCCDD",
            "by the issuer's script: the card's payment ends, for good",
            ["MAC: AABBCCDD by the issuer"],
        ),
        (
            "8424000004AABBCCDD",
            "by the issuer's script: the offline PIN gets all its tries back",
            [],
        ),
        (
            "8424000214" + "11" * 20,
            "by the issuer's script: a new offline PIN, hidden",
            [],
        ),
        ("0020008008241234FFFFFFFFFF", "the offline PIN, hidden", []),
        ("80E2000103112233", "block 1 of the bank's data: data groups, hidden", []),
        (
            "84E2E00203112233",
            "block 2 of the bank's data: keys and PIN, enciphered once more, hidden;"
            " with it the application is in use",
            [],
        ),
        ("80CADF7900", "Second EC Balance 第二币种电子现金余额 (DF79)", []),
        ("80CADFEE00", "an element (DFEE)", []),
        ("00B2012400", "record 1 of the file with SFI 4", []),
        ("00B2025C00", "record 2 of the transaction log 交易日志", []),
        ("00B2016400", "record 1 of the load log 圈存日志", []),
        ("00B2006400", "all of the load log 圈存日志", []),
        ("0084000008", "8 random bytes", []),
    ],
)
def test_a_command_of_the_bank_is_told(command: str, meaning: str, sent: list[str]) -> None:
    said = in_bank((command, "9000"))
    assert (meaning, sent) == (said.meaning, rows(said.sent))


def test_no_pin_and_no_key_is_left_of_what_is_hidden() -> None:
    for command in ("0020008008241234FFFFFFFFFF", "84E2E00205AABBCCDDEE", "8424000205AABBCCDDEE"):
        said = in_bank((command, "9000"))
        assert "1234" not in said.exchange.command_text.replace(" ", "")
        assert "AABB" not in repr(said).upper()
        assert said.exchange.command_text.endswith("••")


def test_a_secure_channel_is_told_by_its_protocol() -> None:
    begun = "00" * 10 + "01" + "02" + "0007" + "11" * 6 + "22" * 8
    said = in_bank(("8050000008" + "33" * 8, begun + "9000"))
    assert "a secure channel under the card's keys" == said.meaning
    assert ["1", "0007"] == [each.value for each in said.got][1:3]
    third = "00" * 10 + "01" + "03" + "10" + "11" * 8 + "22" * 8 + "000007"
    said = in_bank(("8050010008" + "33" * 8, third + "9000"))
    assert "a secure channel under keys of version 1" == said.meaning
    assert "000007" in [each.value for each in said.got]


# Logs and directories


ENTRY = "260105" + "000000001234" + "0007"


def test_a_log_is_read_by_its_format() -> None:
    form = ("80CA9F4F00", "9F4F089A039F02069F36029000")
    said = in_bank(form, ("00B2015C00", ENTRY + "9000"))
    assert ["9A: 2026-01-05", "9F02: 12.34 yuan 元", "9F36: 7"] == rows(said.got)
    assert () == in_bank(("00B2015C00", ENTRY + "9000")).got


LOADED = [
    "loaded: 9F79 EC Balance 电子现金余额 (9F79)",
    "before: 1.00 yuan 元",
    "after: 51.00 yuan 元",
    "9A: 2026-01-05",
    "9F36: 7",
]


def test_a_load_log_is_read_by_its_format_and_as_a_whole() -> None:
    form = ("80CADF4F00", "DF4F059A039F36029000")
    record = "9F79" + "000000000100" + "000000005100" + "260105" + "0007"
    assert LOADED == rows(in_bank(form, ("00B2016400", record + "9000")).got)
    whole = "0009" + "02" + record * 2 + "AABBCCDD"
    assert ["9F36: 9", *LOADED, *LOADED, "MAC: AABBCCDD by the issuer"] == rows(
        in_bank(form, ("00B2006400", whole + "9000")).got
    )
    none = "0009" + "00" + "AABBCCDD"
    assert ["9F36: 9", "MAC: AABBCCDD by the issuer"] == rows(
        in_bank(form, ("00B2006400", none + "9000")).got
    )
    for broken in ("0009", "9F79", "00" * 20):
        in_bank(form, ("00B2006400", broken + "9000"), ("00B2016400", broken + "9000"))


def test_the_directories_tell_what_they_list() -> None:
    record = directory_record(directory_entry()).hex()
    said = explained(select(PSE_NAME, pse_fci().hex()), ("00B2010C00", f"{record}9000"))
    assert "record 1 of the directory 支付系统目录" == said.meaning
    assert ["70", "61", "4F", "50", "87"] == [each.tag for each in said.got]
    named = explained(select(PPSE_NAME, ppse_fci(directory_entry()).hex()))
    assert named.meaning.startswith("PPSE 近距离支付系统环境")
    assert "A0 00 00 03 33 01 01 01" in [each.value for each in named.got]


def test_what_waits_is_taken_apart_as_well() -> None:
    said = in_bank(("80CA9F3600", "6105"), ("00C0000005", "9F3602000A9000"))
    assert ["9F36: 10"] == rows(said.got)
