# SPDX-License-Identifier: Apache-2.0
"""What payments, balances and logs look like, on a terminal and in a trace; the issuer over TCP."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import refusal, sscard
from deskbench import NOON, Desk, on_a_fixed_day
from paymentbench import payment_chip
from rich.cells import cell_len

from apdu.atr import Interface
from apdu.recording import Exchanged
from host.channel.memory import MemoryChannel
from host.channel.recorder import reading
from host.channel.trace import RecordingChannel
from host.network.server import serve


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


# What the card tells


def test_the_balance_shows_card_and_account_and_begins_nothing(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "100")
    before = card.read_bytes()
    found = desk.said("balance", "--card", card)
    assert before == card.read_bytes()
    assert (10000, "100.00", 100000) == tuple(
        found["electronic_cash"][name] for name in ("balance", "balance_yuan", "limit")
    )
    assert (1, 1, 3) == tuple(
        found["counters"][name] for name in ("atc", "last_online_atc", "pin_tries")
    )
    assert ("active", 90000, 10000) == tuple(
        found["account"][name] for name in ("state", "balance", "electronic_cash")
    )


def test_without_books_the_balance_is_the_cards_alone(desk: Desk) -> None:
    assert desk.said("balance", "--card", desk.image())["account"] is None
    assert not Path("bank.db").exists()


def test_the_logs_tell_purchases_and_loads_the_newest_first(desk: Desk) -> None:
    card = desk.card()
    desk.pay(card, "12.34")
    desk.load(card, "20")
    desk.pay(card, "8.50", "--offline", "--cash")
    desk.pay(card, "2", "--contactless", "--offline")
    found = desk.said("log", "--card", card)
    assert [(4, 200), (3, 850), (2, 2000), (1, 1234)] == [
        (each["atc"], each["amount"]) for each in found["transactions"]
    ]
    assert [(0, 2000, "2026-03-02T12:00:00")] == [
        (each["before"], each["after"], each["time"]) for each in found["loads"]
    ]


def test_a_card_that_did_nothing_has_empty_logs(desk: Desk) -> None:
    assert {"transactions": [], "loads": []} == desk.said("log", "--card", desk.image())


# For people


def test_people_see_the_outcome_each_step_and_the_bits(desk: Desk) -> None:
    shown = sscard("pay", "--card", desk.card(), "--amount", "12.34").stdout
    assert shown.startswith("✓ approved online 联机批准   12.34 yuan   purchase 消费\n")
    for words in (
        "cardholder verification  持卡人验证\n",
        "CDA succeeded",
        "TVR  终端验证结果  0008008000",
        "new card              新卡",
        "CVR  卡片验证结果  601002",
        "second cryptogram: TC   第二个密文：TC",
        "签名        the holder signs the receipt\n",
    ):
        assert words in shown


def test_people_see_why_it_was_declined(desk: Desk) -> None:
    card = desk.card()
    shown = sscard("pay", "--card", card, "--amount", "2000")
    assert 1 == shown.exit_code
    first, second = shown.stdout.splitlines()[:2]
    assert first.startswith("✗ declined online")
    assert "  the issuer says 51: insufficient funds 余额不足" == second
    offline = sscard("pay", "--card", card, "--amount", "2000", "--offline").stdout
    assert "AAC to be asked for: default action code: floor limit exceeded" in " ".join(
        offline.split()
    )


def test_nothing_is_wider_than_eighty_columns(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    for words in (
        ("pay", "--amount", "2", "--contactless"),
        ("pay", "--amount", "2000"),
        ("pay", "--amount", "2", "--cash"),
        ("load", "--amount", "2"),
        ("balance",),
        ("log",),
        ("bank", "statement"),
    ):
        shown = sscard(*words, "--card", card).stdout
        assert [] == [line for line in shown.splitlines() if cell_len(line) > 80]
        assert [] == [line for line in shown.splitlines() if line != line.rstrip()]


# The issuer over TCP


def test_the_issuer_may_be_asked_over_tcp(desk: Desk) -> None:
    card = desk.card()
    pan = desk.pan(card)
    host = desk.host()
    with serve(host, today=NOON.date) as server:
        at = f"127.0.0.1:{server.port}"
        assert "approved online" == desk.pay(card, "12.34", "--host", at)["outcome"]
        assert "approved online" == desk.load(card, "20", "--host", at)["outcome"]
        assert "51" == desk.pay(card, "2000", "--host", at, status=1)["response_code"]
    host.bank.ledger.close()
    assert (96766, 2000) == (desk.account(pan).balance, desk.account(pan).cash)


def test_when_no_answer_comes_the_reversal_is_kept_and_told_later(desk: Desk) -> None:
    card = desk.card()
    with serve(desk.host()) as server:
        closed = server.port
    paid = desk.pay(card, "12.34", "--host", f"127.0.0.1:{closed}", status=1)
    assert ("declined offline", "Z3", 1) == (
        paid["outcome"],
        paid["response_code"],
        paid["kept_for_later"],
    )
    assert "cannot be reached" in paid["reason"]
    assert [f"{paid['reference']}-reversal.json"] == desk.waiting
    assert 1 == desk.pay(card, "1")["told_before"]
    assert [] == desk.waiting
    assert 99900 == desk.account(desk.pan(card)).balance


def test_what_cannot_be_told_stays_in_the_outbox(desk: Desk) -> None:
    card = desk.card()
    desk.load(card, "20")
    with serve(desk.host()) as server:
        closed = f"127.0.0.1:{server.port}"
    desk.pay(card, "8.50", "--offline", "--cash")
    again = desk.pay(card, "1", "--host", closed, status=1)
    assert (0, 0, 1) == tuple(
        again[name] for name in ("told_before", "refused_before", "kept_for_later")
    )
    assert 2 == len(desk.waiting)
    assert 2 == desk.pay(card, "1")["told_before"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:", ":8583", "x:0", "x:65536", "x:8a", "::1:8583", "x:８５"]
)
def test_a_host_that_is_no_address_is_refused(desk: Desk, host: str) -> None:
    found = refusal(sscard("pay", "--card", desk.image(), "--amount", "1", "--host", host))
    assert found.startswith("--host: ")


# The trace


def test_a_trace_has_every_command_of_the_transaction(desk: Desk) -> None:
    desk.pay(desk.card(), "12.34", "--record", "t.txt")
    with reading(Path("t.txt")) as recorded:
        sent = [each.exchange.command[1] for each in recorded if isinstance(each, Exchanged)]
    assert [0xA4, 0xA8, 0xAE, 0x82, 0xAE] == [ins for ins in sent if ins not in (0xB2, 0xCA)][-5:]


def test_a_channel_that_is_recorded_is_reached_as_it_was() -> None:
    for way in Interface:
        channel = MemoryChannel(payment_chip(), way)
        assert way is RecordingChannel(channel, lambda _: None).interface


def test_a_trace_is_never_written_over_a_file(desk: Desk) -> None:
    card = desk.card()
    before = card.read_bytes()
    result = sscard("pay", "--card", card, "--amount", "1", "--record", card)
    assert "File exists" in refusal(result)
    assert before == card.read_bytes()
