# SPDX-License-Identifier: Apache-2.0
"""`sscard pay` and `sscard load`: who decides, and where the money goes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from commandline import refusal, sscard
from deskbench import CARD_PIN, PASSWORD, Desk, on_a_fixed_day, steps


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


# Online, in the slot


def test_a_purchase_is_approved_online_and_leaves_the_account(desk: Desk) -> None:
    card = desk.card()
    paid = desk.pay(card, "12.34")
    assert ("approved online", True, "00") == (
        paid["outcome"],
        paid["approved"],
        paid["response_code"],
    )
    assert (1234, "12.34", "purchase") == (paid["amount"], paid["amount_yuan"], paid["purpose"])
    assert ("ARQC", "TC", 0) == tuple(paid["cvr"][name] for name in ("first", "second", "scripts"))
    assert ("CDA succeeded", "the signed answer is that of this transaction") in steps(
        paid, "offline data authentication"
    )
    assert "" == paid["reason"]
    assert 98766 == desk.account(desk.pan(card)).balance
    assert [] == desk.waiting


def test_bits_are_told_in_both_languages(desk: Desk) -> None:
    tvr = desk.pay(desk.card(), "12.34")["tvr"]
    assert "0008008000" == tvr["value"]
    assert ["new card", "floor limit exceeded"] == tvr["bits"]
    assert ["新卡", "交易超过最低限额"] == tvr["chinese"]


@pytest.mark.parametrize(
    ("yuan", "code", "why"),
    [("1000.01", "51", "insufficient funds"), ("50000.01", "61", "in a day")],
)
def test_what_the_issuer_refuses_is_declined_with_its_reason(
    desk: Desk, yuan: str, code: str, why: str
) -> None:
    card = desk.card()
    paid = desk.pay(card, yuan, status=1)
    assert ("declined online", code) == (paid["outcome"], paid["response_code"])
    assert why in paid["reason"]
    assert "AAC" == paid["cvr"]["second"]
    assert 100000 == desk.account(desk.pan(card)).balance


def test_an_account_that_is_not_activated_pays_nothing(desk: Desk) -> None:
    card = desk.image()
    desk.said("bank", "open", "--card", card)
    desk.said("bank", "deposit", "--card", card, "--amount", "5")
    paid = desk.pay(card, "1", status=1)
    assert "62" == paid["response_code"]
    assert "not activated" in paid["reason"]


def test_a_card_that_the_bank_does_not_know_is_declined(desk: Desk) -> None:
    desk.card()
    paid = desk.pay(desk.image("rsa-1408", "other.img"), "1", status=1)
    assert ("14", "declined online") == (paid["response_code"], paid["outcome"])


@pytest.mark.parametrize(
    ("profile", "oda"),
    [
        ("rsa-1152", "E1"),
        ("rsa-1408", "E2"),
        ("rsa-1984", "E3"),
        ("sm2", "E4"),
        ("published", "80"),
    ],
)
def test_every_shipped_card_pays_online_is_loaded_and_pays_offline(
    desk: Desk, profile: str, oda: str
) -> None:
    card = desk.card(profile)
    paid = desk.pay(card, "1")
    assert "approved online" == paid["outcome"]
    (authority,) = {
        why.rpartition(" ")[2]
        for _, why in steps(paid, "offline data authentication")
        if why.startswith("under CA key")
    }
    assert oda == authority
    assert "approved online" == desk.load(card, "8")["outcome"]
    offline = desk.pay(card, "0.50", "--offline", "--cash")
    assert ("approved offline", True) == (offline["outcome"], offline["paid_with_electronic_cash"])
    assert 750 == offline["electronic_cash_after"] == desk.cash(card)


# PINs


def test_the_transaction_password_is_asked_for_and_verified_by_the_bank(desk: Desk) -> None:
    card = desk.card()
    paid = desk.pay(card, "1", "--pin", stdin=f"{PASSWORD}\n")
    assert "approved online" == paid["outcome"]
    assert ("online pin entered", "the issuer verifies it") in steps(
        paid, "cardholder verification"
    )
    wrong = desk.pay(card, "1", "--pin", stdin="999999\n", status=1)
    assert "55" == wrong["response_code"]
    assert 2 == desk.account(desk.pan(card)).pin_tries


def test_an_empty_line_is_no_pin(desk: Desk) -> None:
    paid = desk.pay(desk.card(), "1", "--pin", stdin="\n")
    assert "PIN required but not entered" in paid["tvr"]["bits"]
    assert paid["signature_wanted"]


def test_an_offline_terminal_asks_for_the_pin_of_the_card(desk: Desk) -> None:
    card = desk.card()
    paid = desk.pay(card, "1", "--pin", "--offline", stdin=f"999999\n{CARD_PIN}\n", status=1)
    verified = [outcome for outcome, _ in steps(paid, "cardholder verification")]
    assert ["plaintext pin wrong", "plaintext pin right"] == verified
    assert "offline PIN verification performed" in paid["cvr"]["bits"]


def test_a_pin_that_was_blocked_is_unblocked_by_a_script(desk: Desk) -> None:
    card = desk.card()
    desk.pay(card, "1")
    blocked = desk.pay(card, "1", "--pin", "--offline", stdin="999999\n" * 3, status=1)
    assert "PIN try limit exceeded" in blocked["tvr"]["bits"]
    assert 0 == desk.said("balance", "--card", card)["counters"]["pin_tries"]
    desk.said("bank", "script", "pin-unblock", "--card", card)
    online = desk.pay(card, "1")
    assert "PIN try limit exceeded" in online["cvr"]["bits"]
    assert ["succeeded"] == [each["outcome"] for each in online["scripts"]]
    assert 3 == desk.said("balance", "--card", card)["counters"]["pin_tries"]
    assert [] == desk.pay(card, "1")["scripts"]


@pytest.mark.parametrize("json_too", [("--json",), ()])
def test_no_pin_is_in_what_is_written(desk: Desk, json_too: tuple[str, ...]) -> None:
    card = desk.card()
    pin = "84729163"
    for more in (("--offline",), ()):
        name = f"trace{len(more)}.txt"
        result = sscard(
            *("pay", "--card", card, "--amount", "1", "--pin", "--record", name, *more, *json_too),
            stdin=f"{pin}\n\n",
        )
        assert 1 == result.exit_code
        trace = Path(name).read_text(encoding="utf-8")
        for written in (result.stdout, result.stderr, trace):
            assert pin not in written
            assert pin not in written.replace(" ", "")


# Electronic cash


def test_a_load_is_sent_in_a_script_and_moves_the_money_with_it(desk: Desk) -> None:
    card = desk.card()
    loaded = desk.load(card, "100")
    assert ("load", "approved online", 10000) == (
        loaded["purpose"],
        loaded["outcome"],
        loaded["electronic_cash_after"],
    )
    assert ["succeeded"] == [each["outcome"] for each in loaded["scripts"]]
    account = desk.account(desk.pan(card))
    assert (90000, 10000) == (account.balance, account.cash)
    assert 10000 == desk.cash(card)


def test_a_load_with_notes_leaves_the_account_alone(desk: Desk) -> None:
    card = desk.card()
    assert "cash load" == desk.load(card, "3.50", "--cash")["purpose"]
    account = desk.account(desk.pan(card))
    assert (100000, 350) == (account.balance, account.cash)


def test_more_than_the_account_has_cannot_be_loaded(desk: Desk) -> None:
    card = desk.card(yuan="5")
    assert "51" == desk.load(card, "5.01", status=1)["response_code"]
    assert 0 == desk.cash(card)


def test_what_was_paid_offline_waits_in_the_outbox_until_the_issuer_is_told(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    paid = desk.pay(card, "8.50", "--offline", "--cash")
    assert ("approved offline", 1, 1150) == (
        paid["outcome"],
        paid["kept_for_later"],
        paid["electronic_cash_after"],
    )
    assert [f"{paid['reference']}-advice.json"] == desk.waiting
    kept = desk.directory / "outbox" / desk.waiting[0]
    assert 0o600 == stat.S_IMODE(kept.stat().st_mode)
    pan = desk.pan(card)
    assert 2000 == desk.account(pan).cash
    assert 1 == desk.pay(card, "1")["told_before"]
    assert [] == desk.waiting
    assert 1150 == desk.account(pan).cash == desk.cash(card)


def test_with_the_issuer_at_hand_it_is_told_at_once(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    paid = desk.pay(card, "8.50", "--cash")
    assert ("approved offline", 0) == (paid["outcome"], paid["kept_for_later"])
    assert 1150 == desk.account(desk.pan(card)).cash


def test_without_cash_the_account_pays_whatever_the_card_holds(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    assert "approved online" == desk.pay(card, "8.50")["outcome"]
    assert 2000 == desk.cash(card)


def test_what_an_issuer_refuses_is_kept_and_not_sent_again(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    paid = desk.pay(card, "8.50", "--offline", "--cash")
    other = desk.image("rsa-1408", "other.img")
    desk.said("bank", "open", "--card", other, "--bank", "other.db")
    elsewhere = desk.pay(other, "1", "--bank", "other.db", status=1)
    assert (0, 1) == (elsewhere["told_before"], elsewhere["refused_before"])
    assert [f"{paid['reference']}-advice.refused"] == desk.waiting
    assert 0 == desk.pay(card, "1")["refused_before"]


def test_an_outbox_with_something_else_in_it_is_said_so(desk: Desk) -> None:
    card = desk.card()
    (desk.directory / "outbox").mkdir()
    (desk.directory / "outbox" / "note.json").write_text("[]")
    result = sscard("pay", "--card", card, "--amount", "1")
    assert "note.json: holds no message" in refusal(result)


# Taps


def test_a_tap_pays_offline_with_electronic_cash(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    paid = desk.pay(card, "2", "--contactless", "--offline")
    assert ("approved offline", 1800, "TC") == (
        paid["outcome"],
        paid["available"],
        paid["cvr"]["first"],
    )
    assert ("fDDA succeeded", "version 01") in steps(paid, "offline data authentication")
    assert 1800 == desk.cash(card)
    assert 1 == desk.pay(card, "1")["told_before"]
    assert 1800 == desk.account(desk.pan(card)).cash


def test_a_tap_goes_online_when_the_cash_does_not_suffice(desk: Desk) -> None:
    card = desk.card()
    paid = desk.pay(card, "150", "--contactless")
    assert ("approved online", "ARQC") == (paid["outcome"], paid["cvr"]["first"])
    assert "3000" == paid["ctq"]["value"]
    assert 85000 == desk.account(desk.pan(card)).balance


def test_a_tap_beyond_the_limit_is_signed_for_or_proven_by_the_password(desk: Desk) -> None:
    card = desk.card()
    assert desk.pay(card, "301", "--contactless")["signature_wanted"]
    paid = desk.pay(card, "301", "--contactless", "--pin", stdin=f"{PASSWORD}\n")
    assert "online PIN required" in paid["ctq"]["bits"]
    assert "approved online" == paid["outcome"]


def test_a_tap_that_the_card_wants_in_the_slot_is_said_so(desk: Desk) -> None:
    paid = desk.pay(desk.card("published"), "1", "--contactless", status=1)
    assert "to be tried again over contact" == paid["outcome"]
    assert "6985" in paid["reason"]
