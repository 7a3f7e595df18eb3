# SPDX-License-Identifier: Apache-2.0
"""The words for purchases and loads, for the PSAM's part in them, and for rings and blocks."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_explain import explained, select

from apdu.trace import Exchange
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.df02 import SPELLS, EmploymentSpell
from apdu.wire.hrss.df04 import MedicalTransaction
from apdu.wire.hrss.medical import DebitTerms
from apdu.wire.psam import PSAM_AID
from apdu.wire.purchase import PURCHASE
from host.amounts import yuan
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.layouts import shown_ring
from host.cli.names import Shown

SELECT_SSSE = (select(SSSE_NAME).hex(), "9000")
SELECT_DF04 = ("00A4000002DF04", "9000")
TERMINAL = bytes.fromhex("990000000001")
INIT = "B028010113 01 000004D2 0000012C 00000000 990000000001 16"
INIT_REPLY = "00000000 000004D2 0003 00000000 0007 02 04 BFDEE753 9000"
DEBIT = "B02C01000F 00000102 20260105093000 4BBB281C 08"

amounts = st.integers(0, 0xFFFFFFFE)
moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)
transactions = st.builds(
    MedicalTransaction,
    st.integers(0, 0xFFFF),
    st.just(PURCHASE),
    st.from_regex("[0-9]{12}", fullmatch=True),
    st.none() | moments,
    *[st.none() | amounts] * 3,
)


def in_df04(command: str, answer: str = "9000") -> Explanation:
    return explained(SELECT_SSSE, SELECT_DF04, (command, answer))


def on_psam(command: str, answer: str = "9000") -> Explanation:
    return explained((select(PSAM_AID).hex(), "9000"), (command, answer))


def values(shown: tuple[Shown, ...]) -> dict[str, str]:
    """What is said of each thing, by its English name."""
    return {each.english: f"{each.value} {each.meaning}".strip() for each in shown}


# Purchases


def test_the_terms_of_a_purchase_are_in_yuan_and_its_answer_in_numbers() -> None:
    said = in_df04(INIT, INIT_REPLY)
    assert "begins a purchase of 15.34 yuan, and books nothing yet" == said.meaning
    assert {
        "purchase key": "01 DPK1",
        "from the account": "12.34 yuan 元",
        "by the holder": "3.00 yuan 元",
        "from the pool": "0.00 yuan 元",
        "terminal number": "990000000001",
    } == values(said.sent)
    assert {
        "balance": "0.00 yuan 元",
        "settled off line": "12.34 yuan 元",
        "times off line": "3",
        "card's number": "7",
        "key version": "2",
        "algorithm": "04 SM4",
        "card's random number": "BFDEE753",
    } == values(said.got)


@given(amounts, amounts, amounts)
def test_every_amount_is_shown_to_the_fen(account: int, own: int, pool: int) -> None:
    terms = bytes(DebitTerms(1, account, own, pool, TERMINAL))
    said = in_df04("B028010113" + terms.hex())
    shown = values(said.sent)
    for name, fen in (("from the account", account), ("by the holder", own)):
        assert f"{fen // 100}.{fen % 100:02} yuan 元" == shown[name]
    assert f"{yuan(pool)} yuan 元" == shown["from the pool"]
    assert f"of {yuan(account + own + pool)} yuan" in said.meaning


def test_what_the_terminal_orders_and_the_card_proves_is_named() -> None:
    said = in_df04(DEBIT, "EAB0E2C7 18CB313B 9000")
    assert "books the purchase that was begun" == said.meaning
    assert {
        "terminal's number": "258",
        "time": "2026-01-05 09:30:00",
        "MAC1": "4BBB281C by the PSAM: a genuine terminal",
    } == values(said.sent)
    assert {
        "TAC": "EAB0E2C7 for the centre, to settle by",
        "MAC2": "18CB313B by the card: it has booked",
    } == values(said.got)


def test_a_time_that_is_none_is_said_to_be_none() -> None:
    wrong = DEBIT.replace("20260105093000", "20261305093000")
    assert "20261305093000 no such time" == values(in_df04(wrong).sent)["time"]
    erased = DEBIT.replace("20260105093000", "FF" * 7)
    assert "" == values(in_df04(erased).sent)["time"]


def test_everything_has_a_chinese_name() -> None:
    for said in (in_df04(INIT, INIT_REPLY), in_df04(DEBIT, "00" * 8 + "9000")):
        assert all(each.chinese for each in (*said.sent, *said.got))


@pytest.mark.parametrize(("kind", "words"), [("32", "purchase 消费"), ("31", "load 划入")])
def test_the_proof_of_a_transaction_says_of_which_kind_it_is(kind: str, words: str) -> None:
    said = in_df04(f"805A00{kind} 02 0102 08", "11223344 55667788 9000")
    assert f"the proof of a {words}" == said.meaning
    assert {"card's number": "258"} == values(said.sent)
    assert ["MAC2", "TAC"] == [each.english for each in said.got]
    assert ["11223344", "55667788"] == [each.value for each in said.got]


@pytest.mark.parametrize("command", [INIT, DEBIT, "805A003202000108"])
@pytest.mark.parametrize("answer", ["9302", "00 9000", "00 00 00 9000"])
def test_an_answer_in_another_shape_is_not_taken_apart(command: str, answer: str) -> None:
    assert () == in_df04(command, answer).got


# Loads


def test_a_load_has_macs_of_card_and_centre() -> None:
    said = in_df04(
        "805000310B 01 00002710 990000000001 10", "000003E8 0005 01 00 A1B2C3D4" + "0A" * 4 + "9000"
    )
    assert "begins a load of 100.00 yuan, and books nothing yet" == said.meaning
    assert "01 DLK" == values(said.sent)["load key"]
    assert "100.00 yuan 元" == values(said.sent)["amount"]
    assert "10.00 yuan 元" == values(said.got)["balance"]
    assert "0A0A0A0A by the card: it has this balance" == values(said.got)["MAC1"]
    said = in_df04("805200000B 20260105093000 0B0B0B0B 04", "0C0C0C0C 9000")
    assert "credits the load that was begun" == said.meaning
    assert "0B0B0B0B by the centre: it may be credited" == values(said.sent)["MAC2"]
    assert "0C0C0C0C for the centre, to settle by" == values(said.got)["TAC"]


# The PSAM's part


def test_a_psam_is_told_the_purchase_and_the_card() -> None:
    factors = "1122334455667788" + b"430200sx".hex()
    said = on_psam(
        "807001002C BFDEE753 0001 000004D2 0000012C 00000000 32 20260105093000 01 00" + factors,
        "00000102 4BBB281C 9000",
    )
    shown = values(said.sent)
    assert "12.34 yuan 元" == shown["from the account"]
    assert "32 purchase 消费" == shown["kind"]
    assert "2026-01-05 09:30:00" == shown["time"]
    assert "00 3DES" == shown["algorithm"]
    assert "1122334455667788" == shown["card factor"]
    assert '"430200sx"' == shown["city factor"]
    assert "province factor" not in shown
    assert {
        "terminal's number": "258",
        "MAC1": "4BBB281C by the PSAM: a genuine terminal",
    } == values(said.got)
    judged = on_psam("8072000004 18CB313B")
    assert {"MAC2": "18CB313B by the card: it has booked"} == values(judged.sent)


def test_what_a_session_is_derived_from_is_shown() -> None:
    factors = "1122334455667788" + b"430200sx430000sh".hex()
    shown = values(on_psam("BFDE670820" + factors + "A1" * 8).sent)
    assert ['"430200sx"', '"430000sh"'] == [shown["city factor"], shown["province factor"]]
    assert "A1" * 8 == shown["key factor"]


@pytest.mark.parametrize(
    ("command", "answer", "english", "value"),
    [
        (
            "00B095000E",
            "99000000000000000001 01 01 4302 9000",
            "serial number",
            "99000000000000000001",
        ),
        ("00B0960006", "9900000000019000", "terminal number", "990000000001"),
    ],
)
def test_a_psam_in_its_slot_is_known_from_its_first_answer(
    command: str, answer: str, english: str, value: str
) -> None:
    explainer = Explainer(psam=True)
    said = explainer.explain(Exchange.of(bytes.fromhex(command), bytes.fromhex(answer)))
    assert value == values(said.got)[english]
    assert {} == values(explained((command, answer)).got)


def test_the_numbers_of_a_psam_are_read_as_numbers() -> None:
    assert {"terminal sequence": "258"} == values(on_psam("00B0990004", "00000102 9000").got)
    assert {"purchase key index": "2"} == values(on_psam("00B09C0001", "02 9000").got)
    assert () == on_psam("00B0990104", "00000102 9000").got
    assert () == on_psam("00B0990004", "0102 9000").got


# Rings


@given(st.lists(transactions, min_size=1, max_size=4))
def test_the_log_is_shown_field_by_field_the_newest_first(found: list[MedicalTransaction]) -> None:
    raw = b"".join(map(bytes, found))
    said = in_df04("00B2014500", raw.hex() + "9000")
    heads = [each.english for each in said.got if each.value is None]
    assert [f"record {n}" for n in range(1, len(found) + 1) if len(found) > 1] == heads
    fields = [each for each in said.got if each.value is not None]
    assert [str(each.sequence) for each in found] == [
        each.value for each in fields if each.chinese == "交易序号"
    ]
    assert ["" if each.at is None else each.at.isoformat(" ") for each in found] == [
        each.value for each in fields if each.english == "time"
    ]
    assert ["" if each.pool is None else str(yuan(each.pool)) for each in found] == [
        each.value for each in fields if each.chinese == "统筹基金支付金额"
    ]
    assert {"purchase 消费"} == {each.meaning for each in fields if each.english == "kind"}


def test_a_record_that_is_not_as_declared_is_shown_raw_with_the_reason() -> None:
    good = bytes(MedicalTransaction(1, PURCHASE, "990000000001", None, 1, 2, 3))
    bad = good[:3] + b"\xaa" * 6 + good[9:]
    said = in_df04("00B2014500", (bad + good).hex() + "9000")
    (raw,) = [each for each in said.got if each.meaning.startswith("raw: ")]
    assert bad.hex(" ").upper() == raw.value
    assert "1" == next(each.value for each in said.got if each.chinese == "交易序号")
    assert () == in_df04("00B2014500", good[1:].hex() + "9000").got


@pytest.mark.parametrize("fill", ["00", "FF"])
def test_a_record_that_was_erased_has_nothing_in_it(fill: str) -> None:
    said = in_df04("00B2014500", "0001" + "32" + fill * 25 + "9000")
    shown = values(said.got)
    assert ["", ""] == [shown["terminal number"], shown["time"]]
    ring = shown_ring(SPELLS, bytes.fromhex(fill * 85), {})
    assert ["", "", "", ""] == [each.value for each in ring]


def test_other_rings_are_shown_by_the_names_of_their_fields() -> None:
    raw = bytes(EmploymentSpell("2010100", None, None, "某厂"))
    assert ["occupation", "begin", "end", "employer"] == [
        each.english for each in shown_ring(SPELLS, raw, {})
    ]
    said = explained(SELECT_SSSE, ("00A4000002DF02", "9000"), ("00B2013C00", raw.hex() + "9000"))
    assert ("单位名称", "某厂") == (said.got[-1].chinese, said.got[-1].value)
    pushed = explained(SELECT_SSSE, ("00A4000002DF02", "9000"), ("00DC003B55" + raw.hex(), "9000"))
    assert said.got == pushed.sent


# Generations


@pytest.mark.parametrize(
    ("version", "item", "chinese"),
    [
        ("312E3000", "9004000004D2", "个人账户余额"),
        ("322E3030", "9204000004D2", "脱网累计金额"),
        ("332E3030", "9204000004D2", "脱网累计金额"),
    ],
)
@pytest.mark.parametrize("told", [("00B2032C00", "0304{}9000"), ("00E2002806 0304{}", "9000")])
def test_what_a_file_holds_goes_by_what_the_card_says_of_its_generation(
    told: tuple[str, str], version: str, item: str, chinese: str
) -> None:
    command, answer = (part.format(version) for part in told)
    said = explained(SELECT_SSSE, (command, answer), SELECT_DF04, ("00B2013500", f"{item}9000"))
    (shown,) = said.got
    assert (chinese, "12.34", "yuan 元") == (shown.chinese, shown.value, shown.meaning)


@pytest.mark.parametrize("version", ["342E3030", "FFFFFFFF", "00000000"])
def test_a_generation_that_there_is_not_changes_nothing(version: str) -> None:
    said = explained(SELECT_SSSE, ("00B2032C00", f"0304{version}9000"), ("00B2012D00", "6982"))
    assert "issuer" in said.meaning


def test_the_current_file_stays_the_current_file_when_the_generation_is_learned() -> None:
    said = explained(
        SELECT_SSSE,
        ("00A4000002EF05", "9000"),
        ("00B2030400", "0304312E30009000"),
        ("00B2010400", "6A83"),
    )
    assert "EF05" in said.meaning


def test_a_file_that_was_used_by_its_short_identifier_is_the_current_one() -> None:
    before = SELECT_SSSE, ("00A4000002EF06", "9000")
    for answer, current in (("0304322E30309000", "EF05"), ("6982", "EF06")):
        said = explained(*before, ("00B2032C00", answer), ("00B2010400", "6A83"))
        assert current in said.meaning


# Blocking, and proofs


@pytest.mark.parametrize(
    ("directory", "command", "meaning", "key"),
    [
        ("DF04", "841E0000", "(social insurance, medical), until it is unblocked", "LKDF04"),
        ("DF03", "841E0001", "(social insurance), for good", "LKDF03"),
        ("DF05", "84180000", "(extension), to be used again", "STKDF05"),
        ("DF01", "841E0000", "(public data), until it is unblocked", ""),
        ("DF01", "84160000", "ends the card, for good", "BK"),
    ],
)
def test_a_block_says_what_how_long_and_under_whose_key(
    directory: str, command: str, meaning: str, key: str
) -> None:
    said = explained(
        SELECT_SSSE, (f"00A4000002{directory}", "9000"), (f"{command}04A1B2C3D4", "9000")
    )
    assert said.meaning.endswith(meaning)
    assert {"MAC": f"A1B2C3D4 {f'under {key}' if key else ''}".strip()} == values(said.sent)


def test_a_proof_is_taken_apart_into_cryptogram_and_what_it_is_over() -> None:
    card, terminal = "11" * 8 + "22" * 8, "33" * 8 + "44" * 8
    said = in_df04(f"0088000010{card}08", "55" * 8 + "9000")
    assert {"key factor": "11" * 8, "data": "22" * 8} == values(said.sent)
    assert {"cryptogram": "55" * 8} == values(said.got)
    assert () == in_df04(f"0088000010{card}08", "55" * 7 + "9000").got
    said = in_df04(f"0082008410{terminal}")
    assert "key 84 RK1DF04" == said.meaning
    assert {"cryptogram": "33" * 8, "data": "44" * 8} == values(said.sent)
