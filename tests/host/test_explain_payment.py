# SPDX-License-Identifier: Apache-2.0
"""Payments in words: elements by name and value, lists of the card's remembered, secrets hidden."""

from __future__ import annotations

import pytest

from apdu.tlv import Tlv, build, tlv
from apdu.trace import Exchange
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
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.names import Shown

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
