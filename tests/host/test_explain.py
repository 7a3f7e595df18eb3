# SPDX-License-Identifier: Apache-2.0
"""Every exchange is put into words; the words are right where we know better than the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import FORMS as DECLARED
from strategies import altered, commands

from apdu.trace import Exchange
from apdu.wire.form import Fixed
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.pboc.application import DEBIT_AID, PPSE_NAME, PSE_NAME
from apdu.wire.pki import CERTIFICATES_NAME, PKI_NAME
from apdu.wire.psam import PSAM_AID
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.forms import FORMS, IN_BANK, IN_PKI, ON_A_PSAM
from host.cli.testcard import issue_test_card
from host.clients.hrss import HrssClient
from host.faults import NotAllowed


def select(name: bytes) -> bytes:
    return bytes((0x00, 0xA4, 0x04, 0x00, len(name))) + name


SELECT_SSSE = select(SSSE_NAME)


def explained(*exchanges: tuple[str, str]) -> Explanation:
    """What is said of the last of these exchanges."""
    explainer = Explainer()
    for command, answer in exchanges:
        said = explainer.explain(Exchange.of(bytes.fromhex(command), bytes.fromhex(answer)))
    return said


def in_ssse(command: str, answer: str = "9000") -> Explanation:
    return explained((SELECT_SSSE.hex(), "9000"), (command, answer))


def test_every_declared_command_can_be_explained() -> None:
    known = (*FORMS.values(), *ON_A_PSAM.values(), *IN_PKI.values(), *IN_BANK.values())
    assert {form.name for form in DECLARED} == {form.name for form in known}


@given(st.binary(max_size=300) | altered(commands.map(bytes)), st.binary(max_size=300))
def test_any_bytes_at_all_can_be_explained(command: bytes, answer: bytes) -> None:
    explainer = Explainer()
    for _ in range(2):
        said = explainer.explain(Exchange.of(command, answer))
        assert said.name
        assert said.meaning
        assert said.sentence
        said.as_json()


WHERE = {
    SSSE_NAME: FORMS.values(),
    PSAM_AID: (FORMS | ON_A_PSAM).values(),
    PKI_NAME: (FORMS | IN_PKI).values(),
    CERTIFICATES_NAME: (FORMS | IN_PKI).values(),
    PSE_NAME: FORMS.values(),
    PPSE_NAME: FORMS.values(),
    DEBIT_AID: ({(form.cla, form.ins): form for form in FORMS.values()} | IN_BANK).values(),
}
"""What is selected, and which commands there are then."""


@given(st.data(), st.sampled_from(sorted(WHERE)), st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_any_p1p2_and_data_of_a_known_command_can_be_explained(
    choice: st.DataObject, where: bytes, p1p2: int, data: bytes
) -> None:
    form = choice.draw(st.sampled_from(list(WHERE[where])))
    if isinstance(form.params, Fixed):
        p1p2 = form.params.value
    command = bytes((form.cla, form.ins)) + p1p2.to_bytes(2) + bytes((len(data),)) + data
    for answer in (b"\x90\x00", data + b"\x90\x00", b"\x61\x05", b"\x6a\x82", b""):
        explainer = Explainer()
        explainer.explain(Exchange.of(select(where), b"\x90\x00"))
        assert explainer.explain(Exchange.of(command, answer)).name == form.name


@pytest.mark.parametrize(
    ("command", "meaning"),
    [
        ("00B2012D00", "all records from 1 of EF05 发卡机构基本数据文件 (issuer)"),
        ("00B2013400", "record 1 of EF06 持卡人基本信息 (holder)"),
        ("00B2072800", "the record with tag 07 卡号 of EF05 发卡机构基本数据文件 (issuer)"),
        ("00B2017400", "record 1 of the file with SFI 14"),
        ("00B2010400", "record 1 of the current file"),
        ("00DC0000010700", "the record with tag 00 of the current file"),
        ("00B0960000", "the file with SFI 22 from offset 0"),
        ("00A4000002DF01", "DF01 公共应用信息区 (public data), by identifier DF01"),
        ("00A4000002EF05", "EF05 发卡机构基本数据文件 (issuer), by identifier EF05"),
        ("00A4040003313233", 'unknown directory, by name "123"'),
        ("0084000008", "8 random bytes"),
        ("00200000", "asks for the tries left, at no cost"),
        ("0020000003123456", "the PIN, hidden"),
        ("805E010007123456FF654321", "the old and the new PIN, hidden"),
        ("00C0000010", "fetches what waits"),
    ],
)
def test_a_command_is_explained_by_where_it_goes(command: str, meaning: str) -> None:
    assert meaning == in_ssse(command).meaning


@pytest.mark.parametrize(
    ("command", "name", "meaning"),
    [
        ("00", "malformed", "C-APDU: 1 bytes, a header has 4"),
        ("00A4040005AA", "malformed", "C-APDU: Lc is 5 but 1 bytes follow it"),
        ("00770000", "00 77", "a command without a known form"),
        ("80B2012D00", "80 B2", "a command without a known form"),
        ("FFB2012D00", "FF B2", "a command without a known form"),
        ("00B2012F00", "READ RECORD", "P1-P2 012F do not belong to it"),
    ],
)
def test_what_is_no_known_command_is_called_what_it_is(
    command: str, name: str, meaning: str
) -> None:
    said = in_ssse(command)
    assert (name, meaning) == (said.name, said.meaning)


def test_the_same_command_means_another_file_in_another_directory() -> None:
    read = ("00B2012D00", "6982")
    inside = [(SELECT_SSSE.hex(), "9000"), ("00A4000002DF01", "9000")]
    assert "issuer" in explained(inside[0], read).meaning
    assert "household" in explained(*inside, read).meaning
    beside = (*inside, ("00A4000002DF02", "6107"))
    assert "skills" in explained(*beside, read).meaning
    assert "the file with SFI 3" in explained(*beside, ("00B2011D00", "6A82")).meaning


def test_a_refused_select_leads_nowhere() -> None:
    said = explained(
        (SELECT_SSSE.hex(), "9000"), ("00A4000002DF01", "6A82"), ("00B2012D00", "9000")
    )
    assert "issuer" in said.meaning


def test_items_are_shown_with_their_meaning() -> None:
    (sex,) = in_ssse("00B2043400", "0A01319000").got
    assert ("0A", "sex", "性别", "1", "男 male") == (
        sex.tag,
        sex.english,
        sex.chinese,
        sex.value,
        sex.meaning,
    )


@pytest.mark.parametrize(
    ("item", "value", "meaning"),
    [
        ("0A0137", "7", "not a code of its list"),
        ("0A0100", "", ""),
        ("0B01AA", "AA", "raw: not packed decimal digits filled with F"),
        ("0D0420230229", "20 23 02 29", "raw: no such day"),
        ("0D03202302", "20 23 02", "raw: bytes are missing or of the wrong number"),
        ("091E" + "FF" * 30, " ".join(["FF"] * 30), "raw: not GB 18030 text"),
        ("7701AB", "AB", ""),
    ],
)
def test_an_item_that_is_wrong_is_shown_raw_with_the_reason(
    item: str, value: str, meaning: str
) -> None:
    (shown,) = in_ssse("00B2013400", item + "9000").got
    assert (value, meaning) == (shown.value, shown.meaning)


def test_a_name_cannot_steer_the_terminal() -> None:
    name = "\x1b]0;owned\x07\u202e".encode("gb18030").ljust(30, b"\0")
    (shown,) = in_ssse("00B2023400", f"091E{name.hex()}9000").got
    assert r"\x1b]0;owned\x07\u202e" == shown.value


def test_an_fci_is_taken_apart() -> None:
    said = explained(("00A4040000", "6F0884064142434445469000"))
    assert [("6F", None, 0), ("84", '"ABCDEF"', 1)] == [
        (each.tag, each.value, each.depth) for each in said.got
    ]


def test_asking_for_the_tries_is_not_called_wrong() -> None:
    assert "not proven, 4 tries left" == in_ssse("00200000", "63C4").sentence
    assert "wrong; 4 tries left" == in_ssse("0020000003123456", "63C4").sentence


def test_an_answer_without_a_status_word_is_said_to_have_none() -> None:
    said = in_ssse("00B2012D00", "90")
    assert None is said.sw
    assert "no status word" == said.sentence
    assert "no answer came" == in_ssse("00B2012D00", "").sentence


def test_no_pin_is_left_in_an_explanation() -> None:
    log: list[Explanation] = []
    explainer = Explainer()
    channel = RecordingChannel(
        MemoryChannel(issue_test_card()), lambda exchange: log.append(explainer.explain(exchange))
    )
    client = HrssClient(Card(channel))
    client.verify("123456")
    client.change_pin("123456", "987654")
    with pytest.raises(NotAllowed):
        client.household()
    text = repr(log)
    for trace in ("123456", "12 34 56", "987654", r"\x124V", r"\x98vT"):
        assert trace not in text


def on_a_psam(command: str, answer: str = "9000") -> str:
    selected = ("00A4040006D15600000590", "9000")
    return explained(
        selected, ("00A40000023F00", "9000"), ("00A4000002DF01", "9000"), (command, answer)
    ).meaning


@pytest.mark.parametrize(
    ("command", "meaning"),
    [
        (
            "BFDE670A20" + "11" * 32,
            "a session under master 67 0A RKSSSE by province, city and card",
        ),
        ("BFDE480918" + "11" * 24, "a session under master 48 09 STK by city and card"),
        ("BFDE287F10" + "11" * 16, "a session under master 28 7F by card"),
        ("80FA000008" + "11" * 8, "enciphers what is hidden here"),
        ("80FA050010" + "11" * 16, "computes a MAC over what is hidden here"),
        ("80D4480914" + "2001010F" + "11" * 16, "key 48 09 STK, its value hidden"),
        ("00B0990004", "EF19 终端交易序号 (terminal sequence) from offset 0"),
    ],
)
def test_the_commands_of_a_psam_name_their_masters(command: str, meaning: str) -> None:
    assert meaning == on_a_psam(command)


def test_a_key_that_is_written_is_named_although_its_usage_is_hidden() -> None:
    value = "2101010F" + "11" * 16
    assert "key 04 UKSSSE, its value hidden" == in_ssse("80D4000414" + value).meaning
    assert "key 02 STK or DPK2, its value hidden" == in_ssse("80D4000214" + value).meaning
    assert "key 7F, its value hidden" == in_ssse("80D4007F14" + value).meaning
