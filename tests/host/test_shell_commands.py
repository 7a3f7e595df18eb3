# SPDX-License-Identifier: Apache-2.0
"""The commands of the shell on test cards in memory."""

from __future__ import annotations

import pytest
from shelldesk import PIN, Desk, desk

from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.pki import CERTIFICATES_NAME, PKI_NAME
from card_os.chip import Chip
from host.cli.testcard import issue_test_card, issue_test_psam


@pytest.fixture
def typed(chip: Chip) -> Desk:
    return desk(chip, pins=(PIN, PIN, PIN), sure=True)


@pytest.fixture(scope="module")
def third() -> Chip:
    return issue_test_card("3.0")


CLOSED = "closed (6982)"


def row(said: str, first: str) -> list[str]:
    """The cells behind the first one of a row."""
    (line,) = (line for line in said.splitlines() if line.startswith(f"{first} "))
    return [cell.strip() for cell in line.removeprefix(first).split("  ") if cell.strip()]


# From place to place


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["select HRSS"], "3F00/SSSE"),
        (["select 社会保障环境"], "3F00/SSSE"),
        (["select ssse"], "3F00/SSSE"),
        (["select sx1.sh.社会保障"], "3F00/SSSE"),
        (["select 7378312e73682EC9E7BBE1B1A3D5CF"], "3F00/SSSE"),
        (["select DF01"], "3F00/SSSE/DF01"),
        (["select SSSE/DF04/EF05"], "3F00/SSSE/DF04/EF05"),
        (["select DF04", "select EF08"], "3F00/SSSE/DF04/EF08"),
        (["select DF04", "select 医疗交易明细"], "3F00/SSSE/DF04/EF08"),
        (["select DF04", "select EF08", "select DF01"], "3F00/SSSE/DF01"),
        (["select DF01", "select .."], "3F00/SSSE"),
        (["select DF01", "select ../DF02/EF05"], "3F00/SSSE/DF02/EF05"),
        (["select DF01", "select /"], "3F00"),
        (["select DF01", "select /SSSE/DF07"], "3F00/SSSE/DF07"),
        (["select DF01", "select 3F00"], "3F00"),
        (["select HRSS", "select DF01", "select EF0A"], "3F00/SSSE/DF01/EF0A"),
        (["select HRSS", "select EF06"], "3F00/SSSE/EF06"),
        (["select HRSS", "select holder"], "3F00/SSSE/EF06"),
        (["select DEBIT"], "3F00/debit"),
        (["select A000000333010101"], "3F00/debit"),
        (["select A000000333"], "3F00/debit"),
        (["select PSE/EF01"], "3F00/PSE/EF01"),
        (["select 1PAY.SYS.DDF01"], "3F00/PSE"),
        (["reset contactless", "cd PPSE"], "3F00/PPSE"),
        (["select DEBIT", "select DF02"], "3F00/SSSE/DF02"),
        (["apdu 00A404000F7378312E73682EC9E7BBE1B1A3D5CF"], "3F00/SSSE"),
        (["select HRSS", "reset"], "3F00"),
        (["select HRSS", "select A0000000031010"], "3F00/SSSE"),
    ],
)
def test_select_goes_where_a_word_leads(typed: Desk, lines: list[str], place: str) -> None:
    typed.type(*lines)
    assert place == typed.session.place


def test_the_pki_application_is_entered_by_way_of_its_environment(third: Chip) -> None:
    typed = desk(third)
    typed.type("select CERT")
    names = [
        told.exchange.command[5 : 5 + told.exchange.command[4]] for told in typed.session.exchanges
    ]
    assert [PKI_NAME, CERTIFICATES_NAME] == names
    assert "3F00/PKI/SS.CERT.ADF1" == typed.session.place
    assert "open" in typed.type("ls")
    assert "证书" in typed.type("read EF18")
    typed.type("select ..")
    assert "3F00/PKI" == typed.session.place


def test_a_card_tells_its_generation_when_its_application_is_selected(third: Chip) -> None:
    typed = desk(third)
    typed.type("select HRSS")
    assert "3.0" == typed.session.explainer.generation.name
    said = typed.type("ls")
    assert row(said, "EF06") == ["持卡人基本信息 (holder)", "items, 91", "RKSSSE", "UKSSSE", CLOSED]


def test_the_answer_of_select_is_its_own_and_not_that_of_what_was_read_aside(typed: Desk) -> None:
    status, _ = typed.run("select HRSS\nexpect 9000 data 6F 16 84 0F *")
    assert 0 == status


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("select EF5", "did you mean `EF"),
        ("select 社会保障环", "did you mean `社会保障环境`"),
        ("select DF1", "did you mean `DF01`"),
        ("select A00000033301010", "5 to 16 bytes, which are 10 to 32 hex digits"),
        ("select ZZ", "no file, directory or application has such a name"),
        ("select A0000003", "5 to 16 bytes, which are 10 to 32 hex digits"),
        ("select DF01/A000000333010101/EF05", "did you mean|no file|an application stands first"),
        ("read EF77", "there is no file EF77"),
        ("read", "no file is current"),
        ("read DF01", "leads to a directory"),
        ("read EF05 x", "must be a number"),
        ("authenticate UKSSS", "did you mean `UKSSSE`"),
        ("authenticate STK", "no key here has this name"),
        ("get 9F", "get 9F|GET DATA"),
        ("get Nothing", "no data element has such a tag or name"),
        ("verify admin", "nothing stands behind it here"),
        ("explain yes", "must be on or off"),
        ("reset warm", "contact or contactless"),
        ("record stop", "nothing is being recorded"),
        ("slect HRSS", "no such command; did you mean `select`"),
        ("select", "usage: select"),
        ("ls here", "usage: ls"),
        ("edit EF06 name", "usage: edit"),
        ("edit EF06 nam X", "did you mean `name`"),
        ("edit EF07 x 00", "only files of items"),
        ("apdu 00B2010", "apdu: an odd number of hex digits"),
        ("apdu 00B2", "C-APDU of 2 bytes"),
        ("apdu 00 zz", "apdu: character 3 is not a hex digit"),
        ("set 1 2", "a name is letters"),
        ("set x", "nothing has this name"),
    ],
)
def test_bad_lines_are_said_with_what_was_meant(typed: Desk, line: str, said: str) -> None:
    typed.type("select HRSS")
    found = " ".join(typed.type(line).split())
    assert any(each in found for each in said.split("|")), found
    assert typed.shell.status != 0


def test_a_pin_in_the_wrong_place_is_not_repeated(typed: Desk) -> None:
    for line in ("123456", "verify 123456", "select HRSS", "verify 123456", "select 123456x"):
        assert "123456" not in typed.type(line)


# Looking around


def test_ls_asks_the_card_and_leaves_everything_as_it_was(chip: Chip) -> None:
    typed = desk(chip)
    typed.type("select HRSS", "select EF05")
    before = chip.snapshot()
    said = typed.type("ls")
    assert row(said, "EF07") == ["指纹 (fingerprint)", "bytes, 1024", "RKSSSE", "UKSSSE", CLOSED]
    assert ["社会保险信息区二（医疗） (social insurance, medical)"] == row(said, "DF04/")
    assert before == chip.snapshot()
    assert "3F00/SSSE/EF05" == typed.session.place
    assert "卡的识别码" in typed.type("apdu 00B2010400")


def test_ls_in_the_banks_application_finds_its_records(typed: Desk) -> None:
    said = typed.type("select DEBIT", "ls")
    rows = [line.split() for line in said.splitlines() if line.startswith("SFI")]
    assert ["SFI", "1", "1", "open"] in rows
    assert ["SFI", "11", "0", "empty"] in rows


def test_tree_shows_all_and_comes_back(typed: Desk) -> None:
    typed.type("select DF01", "select EF06")
    said = typed.type("tree")
    assert "3F00/SSSE/DF01/EF06" == typed.session.place
    for word in ("DF07", "EF1B", "debit", "PSE", "not there", "is forgotten"):
        assert word in said


def test_the_tree_of_a_psam_is_its_own() -> None:
    typed = desk(issue_test_psam())
    typed.type("select PSAM")
    said = typed.type("tree")
    assert "terminal number" in said
    assert "SSSE " not in said
    assert "PSAM" in typed.session.place


# Reading


def test_read_decodes_with_names_in_both_languages(typed: Desk) -> None:
    said = typed.type("select HRSS", "read EF06")
    assert "09  name             姓名          测试持卡人" in said
    assert "birth date       出生日期      1990-03-07" in said
    assert "1 男 male" in said


def test_read_raw_shows_the_bytes_alone(typed: Desk) -> None:
    said = typed.type("select HRSS", "read EF05 3 --raw")
    assert "03 04 32 2E 30 30" in said
    assert "规范版本  2.00" not in said


def test_read_of_a_number_is_that_record(typed: Desk) -> None:
    said = typed.type("read SSSE/EF06 2")
    assert "姓名" in said
    assert "出生日期" not in said


def test_read_of_an_offset_is_the_bytes_from_there(typed: Desk) -> None:
    typed.type("select DF01", "read EF16")
    assert typed.session.answer is not None
    whole = typed.session.answer.data
    typed.type("read EF16 100")
    assert typed.session.answer is not None
    assert whole is not None
    assert whole[100:] == typed.session.answer.data


def test_read_without_a_file_is_of_the_current_one(typed: Desk) -> None:
    assert "卡的识别码" in typed.type("select SSSE/EF05", "read")


def test_a_closed_file_says_what_it_needs_and_why_says_it_again(typed: Desk) -> None:
    said = typed.type("select HRSS", "read EF08")
    assert "6982" in said
    assert "because: READ BINARY of EF08 needs key RKSSSE" in said
    assert "reading it needs: RKSSSE" in said
    again = typed.type("why")
    assert "6982" in again
    assert "needs key RKSSSE" in again


def test_records_of_the_bank_are_read_by_their_short_identifier(typed: Desk) -> None:
    assert "Track 2" in typed.type("select DEBIT", "read 1 1")
    assert "Track 2" in typed.type("read sfi1 1")
    assert "支付系统目录" in typed.type("read PSE/EF01")


def test_data_elements_are_asked_for_by_tag_and_by_name(typed: Desk) -> None:
    typed.type("select DEBIT")
    for word in ("9f36", '"Application Transaction Counter"', "应用交易计数器"):
        assert "9F 36 02 00 00" in typed.type(f"get {word}")
    assert "9F17  PIN Try Counter" in typed.type("get PIN Try Counter")


def test_apdu_sends_what_is_typed_and_says_what_came(typed: Desk) -> None:
    said = typed.type("apdu 00:A4:04:00 0F 7378312E73682EC9E7BBE1B1A3D5CF 00")
    assert "9000  done" in said
    assert "sx1.sh.社会保障" in said
    assert "6A82  no such file" in typed.type("apdu 00B2010C00")
    assert bytes.fromhex("00B2010C00") == typed.session.last.exchange.command  # type: ignore[union-attr]


def test_apdu_follows_only_when_it_may(typed: Desk) -> None:
    typed.type("select HRSS")
    assert typed.type("apdu 00B2032C02").rstrip().splitlines()[-2].startswith("6C06")
    typed.type("auto on")
    assert "03 04 32 2E 30 30" in typed.type("apdu 00B2032C02")


def test_the_answer_to_reset_is_decoded_and_another_through_the_air(typed: Desk) -> None:
    assert "historical bytes" in typed.type("atr")
    assert "ATR 3B 8" in typed.type("reset contactless")
    assert "contactless" == typed.session.cable.interface.value
    assert "ATR 3B 6D" in typed.type("reset contact")


def test_last_and_explain_show_exchanges_in_words(typed: Desk) -> None:
    typed.type("select HRSS")
    assert "→ 00 A4 04 00 0F" in typed.type("last")
    said = typed.type("explain on", "tries")
    assert "asks for the tries left" in said
    assert "→ 00 20 00 00" in said


# Proving


def test_a_pin_is_asked_for_and_never_shown(typed: Desk) -> None:
    typed.type("select HRSS", "explain on")
    said = typed.type("verify", "read DF01/EF05", "last")
    assert ["PIN 个人密码"] == typed.asked
    assert "户口类别" in said
    assert "12 34 56" not in said
    assert PIN not in said


def test_a_wrong_pin_says_the_tries_that_are_left(chip: Chip) -> None:
    typed = desk(chip, pins=("000000",))
    said = typed.type("select HRSS", "verify")
    assert "63C5" in said
    assert "5 of 6 tries left" in said
    assert "tries left: 5" in typed.type("tries")


def test_a_pin_is_changed_when_the_new_one_was_typed_twice_alike(chip: Chip) -> None:
    typed = desk(chip, pins=(PIN, "654321", "654322"))
    assert "another one" in typed.type("select HRSS", "change")
    typed = desk(chip, pins=(PIN, "654321", "654321", "654321"))
    typed.type("select HRSS", "change", "verify")
    assert 0 == typed.shell.status


def test_the_offline_pin_of_the_bank_is_proven_in_its_own_way(chip: Chip) -> None:
    typed = desk(chip, pins=("12345",))
    said = typed.type("select DEBIT", "tries", "verify")
    assert "tries left: 3" in said
    assert "6985" in said
    assert "it is due within a payment" in said


def test_the_pins_and_the_master_key_of_the_pki_application(third: Chip) -> None:
    typed = desk(third, pins=(PIN, "12345678"))
    typed.type("select HRSS", "select CERT", "verify", "verify admin", "tries admin")
    assert 0 == typed.shell.status
    assert ["user PIN 用户密码", "admin PIN 管理员密码"] == typed.asked


@pytest.mark.parametrize("generation", GENERATIONS)
def test_test_keys_are_proven_and_open_files(generation: str) -> None:
    typed = desk(issue_test_card(generation))
    said = typed.type("select HRSS", "authenticate IRK", "authenticate rkssse")
    assert "it is who it says it is" in said
    assert "key RKSSSE is proven" in said
    typed.type("select DF01", "authenticate RK1DF01", "read EF05", "read EF06")
    assert "常住所在地地址" in typed.out.getvalue()


def test_a_key_is_not_proven_before_it_is_known_whose_it_is(typed: Desk) -> None:
    assert "select an application first" in typed.type("authenticate UKSSSE")
