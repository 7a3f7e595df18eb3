# SPDX-License-Identifier: Apache-2.0
"""`sscard bank`: from opening an account to its statement."""

from __future__ import annotations

import stat
from itertools import count
from pathlib import Path

import pytest
from commandline import refusal, sscard
from deskbench import NOON, PASSWORD, Desk, on_a_fixed_day, save
from paymentbench import payment_chip

from apdu.wire.pboc import tags
from host.issuer.accounts import State

TWICE = f"{PASSWORD}\n{PASSWORD}\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


# The life of an account


def test_an_account_is_opened_for_whom_the_card_names(desk: Desk) -> None:
    card = desk.image()
    before = card.read_bytes()
    opened = desk.said("bank", "open", "--card", card)
    assert before == card.read_bytes()
    account = desk.account(opened["pan"])
    assert ("TEST/HOLDER", "01", "2035-12-31", State.INACTIVE) == (
        account.holder,
        account.psn,
        str(account.expires),
        account.state,
    )
    assert 0o600 == stat.S_IMODE(Path("bank.db").stat().st_mode)


def test_an_account_is_opened_once(desk: Desk) -> None:
    card = desk.image()
    desk.said("bank", "open", "--card", card)
    assert "has an account already" in refusal(sscard("bank", "open", "--card", card), 1)


def test_until_it_is_activated_an_account_takes_deposits_only(desk: Desk) -> None:
    card = desk.image()
    pan = desk.said("bank", "open", "--card", card)["pan"]
    assert 500 == desk.said("bank", "deposit", "--card", card, "--amount", "5")["balance"]
    result = sscard("bank", "withdraw", "--card", card, "--amount", "1", stdin=f"{PASSWORD}\n")
    assert "not activated 账户未激活" in refusal(result, 1)
    desk.said("bank", "activate", "--account", pan, stdin=TWICE)
    assert State.ACTIVE is desk.account(pan).state
    done = desk.said("bank", "withdraw", "--card", card, "--amount", "1", stdin=f"{PASSWORD}\n")
    assert (400, "4.00") == (done["balance"], done["balance_yuan"])


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("271828\n271829\n", "the second time it was another one"),
        ("271828\n", "nothing was typed"),
        ("", "nothing was typed"),
        ("123\n123\n", "must be 4 to 12 digits"),
        ("abcdef\nabcdef\n", "must be 4 to 12 digits"),
    ],
)
def test_a_password_that_is_none_activates_nothing(desk: Desk, typed: str, why: str) -> None:
    card = desk.image()
    pan = desk.said("bank", "open", "--card", card)["pan"]
    result = sscard("bank", "activate", "--card", card, stdin=typed)
    assert why in refusal(result)
    assert State.INACTIVE is desk.account(pan).state


def test_no_password_is_shown(desk: Desk) -> None:
    card = desk.card()
    references = count(1)  # in those made by chance any digits may stand
    for given in (PASSWORD, "84729163"):
        for words in (("withdraw",), ("transfer", "--to", "6228000100001117")):
            for how in ((), ("--json",)):
                order = "--card", card, "--amount", "1", "--reference", f"{next(references):012}"
                result = sscard("bank", *words, *order, *how, stdin=f"{given}\n")
                assert given not in result.output


def test_a_card_that_was_made_to_wait_is_set_free_when_its_account_is_activated(
    desk: Desk,
) -> None:
    chip = payment_chip({tags.NOT_ACTIVATED: b"\x01"})
    card = save(chip, desk.directory / "waits.img")
    desk.said("bank", "open", "--card", card)
    desk.said("bank", "deposit", "--card", card, "--amount", "20")
    assert desk.said("balance", "--card", card)["card"]["blocked"]
    before = desk.pay(card, "1", status=1)
    assert "no application in common that can be used" in before["reason"]
    done = desk.said("bank", "activate", "--card", card, stdin=TWICE)
    assert "is in use now" in done["remark"]
    assert not desk.said("balance", "--card", card)["card"]["blocked"]
    assert "approved online" == desk.pay(card, "1")["outcome"]


# Money


def test_money_moves_and_the_statement_tells_it(desk: Desk) -> None:
    card = desk.card()
    other = desk.card("sm2", "1", "other.img")
    target = desk.pan(other)
    desk.said("bank", "withdraw", "--card", card, "--amount", "100", stdin=f"{PASSWORD}\n")
    desk.said(
        *("bank", "transfer", "--card", card, "--to", target, "--amount", "7.50"),
        stdin=f"{PASSWORD}\n",
    )
    desk.pay(card, "12.34")
    desk.load(card, "20")
    told = desk.said("bank", "statement", "--card", card)
    assert [
        ("deposit", 100000),
        ("withdrawal", -10000),
        ("transfer", -750),
        ("purchase", -1234),
        ("load", -2000),
    ] == [(each["operation"], each["amount"]) for each in told["lines"]]
    assert (0, 86016, "860.16") == (told["opening"], told["closing"], told["closing_yuan"])
    assert [100000, 90000, 89250, 88016, 86016] == [each["balance"] for each in told["lines"]]
    assert ["", "SSCARD01"] == sorted({each["by"] for each in told["lines"]})
    assert 850 == desk.account(target).balance


def test_a_statement_is_of_the_days_that_were_asked_for(desk: Desk) -> None:
    card = desk.card()
    assert ("2026-01-31", "2026-03-02") == tuple(
        desk.said("bank", "statement", "--card", card)[name] for name in ("since", "until")
    )
    before = desk.said("bank", "statement", "--card", card, "--until", "2026-03-01")
    assert ([], 0) == (before["lines"], before["closing"])
    after = desk.said("bank", "statement", "--card", card, "--since", "2026-03-03")
    assert (100000, 100000) == (after["opening"], after["closing"])
    wrong = sscard("bank", "statement", "--card", card, "--since", "2026-02-30")
    assert "Invalid value for '--since'" in refusal(wrong)


def test_people_see_the_statement_in_columns(desk: Desk) -> None:
    card = desk.card()
    desk.pay(card, "12.34")
    shown = sscard("bank", "statement", "--card", card).stdout
    assert "2026-03-02 12:00  purchase 消费" in shown
    assert "-12.34" in shown and "+1000.00" in shown
    assert "closing 期末余额" in shown


def test_people_see_a_receipt(desk: Desk) -> None:
    card = desk.card()
    shown = sscard("bank", "deposit", "--card", card, "--amount", "5").stdout
    assert shown.startswith("✓ 5.00 yuan deposited 存款\n")
    assert "balance    账户余额  1005.00 yuan" in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("withdraw", "--amount", "1000.01"), "51"),
        (("withdraw", "--amount", "20000.01"), "61"),
        (("transfer", "--to", "6228000100001117", "--amount", "1"), "14"),
    ],
)
def test_what_the_bank_refuses_is_said_in_its_words(
    desk: Desk, words: tuple[str, ...], code: str
) -> None:
    card = desk.card()
    result = sscard("bank", *words, "--card", card, stdin=f"{PASSWORD}\n")
    assert refusal(result, 1).startswith(f"the bank says no: {code} ")
    assert 100000 == desk.said("bank", "statement", "--card", card)["closing"]


def test_a_wrong_password_moves_nothing_and_costs_a_try(desk: Desk) -> None:
    card = desk.card()
    said = []
    for _ in range(4):
        result = sscard("bank", "withdraw", "--card", card, "--amount", "1", stdin="999999\n")
        said.append(refusal(result, 1))
    assert ["tries left: 2", "tries left: 1", "tries left: 0"] == [
        each.rpartition(", ")[2] for each in said[:3]
    ]
    assert "75 too many wrong transaction passwords" in said[3]
    assert 100000 == desk.said("bank", "statement", "--card", card)["closing"]


def test_an_order_that_comes_twice_is_done_once(desk: Desk) -> None:
    card = desk.card()
    same = ("--card", card, "--amount", "5", "--reference", "123456789012")
    first = desk.said("bank", "withdraw", *same, stdin=f"{PASSWORD}\n")
    again = desk.said("bank", "withdraw", *same, stdin="no password is asked for\n")
    assert (False, True) == (first["repeated"], again["repeated"])
    assert first["balance"] == again["balance"] == 99500
    assert "nothing was done now" in sscard("bank", "withdraw", *same).stdout
    other = sscard("bank", "deposit", "--card", card, "--amount", "5", "--reference", same[-1])
    assert "94 the reference stands for something else" in refusal(other, 1)
    short = sscard("bank", "deposit", "--card", card, "--amount", "5", "--reference", "12")
    assert "reference: must be 12 digits" == refusal(short)


# Scripts


def test_a_blocked_application_pays_nothing_until_the_counter_gives_it_back(desk: Desk) -> None:
    card = desk.card()
    desk.said("bank", "script", "block", "--card", card)
    assert ["succeeded"] == [each["outcome"] for each in desk.pay(card, "1")["scripts"]]
    assert "terminated" == desk.pay(card, "1", status=1)["outcome"]
    assert "terminated" == desk.pay(card, "1", "--contactless", status=1)["outcome"]
    result = sscard("bank", "script", "unblock", "--card", card)
    assert "unblock: the card carried it out.\n" == result.stdout
    assert "approved online" == desk.pay(card, "1")["outcome"]


def test_an_application_that_is_not_blocked_is_not_unblocked(desk: Desk) -> None:
    card = desk.card()
    before = card.read_bytes()
    assert "is not blocked" in refusal(sscard("bank", "script", "unblock", "--card", card), 1)
    assert before == card.read_bytes()


def test_unblocking_needs_the_card_itself(desk: Desk) -> None:
    pan = desk.pan(desk.card())
    assert "the card itself is needed" in refusal(
        sscard("bank", "script", "unblock", "--account", pan)
    )


def test_a_blocked_card_pays_no_more(desk: Desk) -> None:
    card = desk.card()
    desk.said("bank", "script", "card-block", "--card", card)
    desk.pay(card, "1")
    paid = desk.pay(card, "1", status=1)
    assert "the card is blocked" == paid["reason"]
    assert "6A81" in refusal(sscard("balance", "--card", card), 1)


def test_a_script_that_there_is_not_is_refused(desk: Desk) -> None:
    assert "'explode'" in refusal(sscard("bank", "script", "explode", "--card", "x.img"))


# What is given wrongly


@pytest.mark.parametrize("word", ["deposit", "withdraw", "transfer", "statement", "activate"])
def test_which_account_must_be_said_once(desk: Desk, word: str) -> None:
    amount = () if word in ("statement", "activate") else ("--amount", "1")
    target = ("--to", "6228000100001117") if word == "transfer" else ()
    for which in ((), ("--card", "c.img", "--account", "6228000100001117")):
        found = refusal(sscard("bank", word, *amount, *target, *which))
        assert "one of --card CARD.img, --reader NAME, --vpcd and --account PAN" in found


def test_only_opening_begins_books(desk: Desk) -> None:
    card = desk.image()
    for words in (("deposit", "--amount", "1"), ("statement",), ("script", "block")):
        found = refusal(sscard("bank", *words, "--card", card))
        assert "there are no such books" in found
    assert "no such books" in refusal(sscard("bank", "serve", "--port", "0"))
    assert not Path("bank.db").exists()


@pytest.mark.parametrize("pan", ["62280x", "1", "６２２８０００１００００１１１７", "6" * 20])
def test_an_account_that_is_no_number_is_refused(desk: Desk, pan: str) -> None:
    desk.card()
    found = refusal(sscard("bank", "deposit", "--account", pan, "--amount", "1"))
    assert found.startswith("PAN: must be")


def test_the_help_of_every_verb_is_there(desk: Desk) -> None:
    shown = sscard("bank")
    assert 0 == shown.exit_code
    for word in ("open", "activate", "deposit", "withdraw", "transfer", "statement", "script"):
        assert f"  {word} " in shown.stdout
        assert 0 == sscard("bank", word, "--help").exit_code
    for word in ("pay", "load", "balance", "log"):
        assert 0 == sscard(word, "--help").exit_code


def test_noon_is_the_time_of_these_tests(desk: Desk) -> None:
    told = desk.said("bank", "statement", "--card", desk.card())
    assert [NOON.isoformat()] == [each["time"] for each in told["lines"]]
