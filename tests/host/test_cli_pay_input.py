# SPDX-License-Identifier: Apache-2.0
"""What `sscard pay` and its kin say of wrong amounts, options, files and cards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commandline import PLAIN, refusal, sscard
from deskbench import PASSWORD, Desk, on_a_fixed_day, save
from hypothesis import given
from hypothesis import strategies as st
from paymentbench import payment_chip

import host.issuer
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from card_os.chip import Chip
from card_os.image import ImageFlash
from card_os.world import seeded
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip
from host.cli.yuan import YUAN, said
from host.keys import MemoryKeys
from host.terminal.kernel.config_file import load_config
from host.terminal.personalise import personalise

SHIPPED = Path(load_config.__code__.co_filename).with_name("terminal.toml")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


# What is given wrongly


@given(st.integers(1, LARGEST_AMOUNT))
def test_an_amount_typed_as_it_is_shown_is_the_amount(fen: int) -> None:
    assert fen == YUAN.convert(said(fen), None, None)


@pytest.mark.parametrize(("text", "fen"), [("12", 1200), ("12.3", 1230), ("0.01", 1), ("007", 700)])
def test_an_amount_may_be_written_short(text: str, fen: int) -> None:
    assert fen == YUAN.convert(text, None, None)


@pytest.mark.parametrize(
    "amount",
    [
        *("12.345", "-1", "0", "0.00", "10000000000", "99999999999999999999", "1e3", "1,5"),
        *("１２", "", "abc", "NaN", "+1", " 1", ".5", "1."),
    ],
)
def test_what_is_no_amount_is_refused(desk: Desk, amount: str) -> None:
    card = desk.image()
    before = card.read_bytes()
    for words in (("pay",), ("load",), ("bank", "deposit")):
        found = refusal(sscard(*words, "--card", card, "--amount", amount))
        assert found.startswith("Invalid value for '--amount': must be")
    assert before == card.read_bytes()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--contactless", "--cash"), "--cash is about the slot"),
        (("--offline", "--bank", "x.db"), "--offline goes with neither"),
        (("--offline", "--host", "127.0.0.1:1"), "--offline goes with neither"),
        (("--bank", "x.db", "--host", "127.0.0.1:1"), "either --bank or --host"),
        (("--bank", "x.db"), "--bank x.db: there are no such books"),
        ((), "--bank bank.db: there are no such books"),
        (("--terminal", "x.toml"), "--terminal x.toml: No such file"),
        (("--reader", "x"), "either --card CARD.img, --reader NAME or --vpcd"),
    ],
)
def test_what_does_not_go_together_is_refused(desk: Desk, more: tuple[str, ...], why: str) -> None:
    card = desk.image()
    before = card.read_bytes()
    assert why in refusal(sscard("pay", "--card", card, "--amount", "1", *more))
    assert before == card.read_bytes()
    assert ["card.img"] == [path.name for path in desk.directory.iterdir()]


def test_a_terminal_of_ones_own_is_obeyed(desk: Desk) -> None:
    card = desk.card()
    shipped = SHIPPED.read_text(encoding="utf-8")
    Path("own.toml").write_text(shipped.replace("cash_limit = 100000\n", ""), encoding="utf-8")
    assert "approved online" == desk.pay(card, "1", "--terminal", "own.toml")["outcome"]
    result = sscard("pay", "--card", card, "--amount", "1", "--terminal", "own.toml", "--cash")
    assert "takes no electronic cash" in refusal(result)
    Path("own.toml").write_text(shipped.replace('country = "156"', 'country = "1"'))
    assert "country" in refusal(
        sscard("pay", "--card", card, "--amount", "1", "--terminal", "own.toml")
    )


def test_a_file_that_is_no_books_is_said_so(desk: Desk) -> None:
    Path("bank.db").write_text("three years of work")
    result = sscard("pay", "--card", desk.image(), "--amount", "1")
    assert "--bank bank.db: the bank's store failed" in refusal(result, 1)
    assert "three years of work" == Path("bank.db").read_text()


def test_the_password_in_a_url_is_not_repeated(desk: Desk) -> None:
    url = "nosuch://holder:opensesame@elsewhere/bank"
    result = sscard("pay", "--card", desk.image(), "--amount", "1", "--bank", url)
    assert "opensesame" not in result.output
    assert 1 == result.exit_code


def test_an_image_that_is_in_use_is_said_so(desk: Desk) -> None:
    card = desk.card()
    with ImageFlash(card):
        for words in (("pay", "--amount", "1"), ("balance",), ("log",), ("bank", "statement")):
            assert "in use by another process" in refusal(sscard(*words, "--card", card))


def unpersonalised(desk: Desk) -> Path:
    """A social security card whose bank has not been there yet."""
    from host.card import Card
    from host.channel.memory import MemoryChannel

    chip: Chip = blank_chip(seeded(7, TEST_DAY))
    personalise(Card(MemoryChannel(chip)), TEST_HOLDER, MemoryKeys())
    return save(chip, desk.directory / "unpersonalised.img")


def psam(desk: Desk) -> Path:
    path = desk.directory / "psam.img"
    assert 0 == sscard("issue", "--psam", "national", "-o", path).exit_code
    return path


@pytest.mark.parametrize("make", [unpersonalised, psam])
def test_a_card_without_the_banks_application_is_said_so(desk: Desk, make: object) -> None:
    desk.card()
    assert callable(make)
    path = make(desk)
    for way in ((), ("--contactless",)):
        paid = desk.pay(path, "1", *way, status=1)
        assert "terminated" == paid["outcome"]
        assert paid["reason"]
    for words in (("balance",), ("log",), ("bank", "open"), ("bank", "statement")):
        found = refusal(sscard(*words, "--card", path), 1)
        assert found in (
            "this card has no bank's application (借记应用)",
            "the bank has not personalised its application (借记应用) yet",
        )


def test_without_the_extra_the_command_says_what_to_install(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = desk.card()
    desk.load(card, "20")
    monkeypatch.setattr("host.issuer", host.issuer)  # put back behind the one imported meanwhile
    for name in [name for name in sys.modules if name.startswith(("host.issuer", "sqlalchemy"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for words in (("pay", "--amount", "1"), ("bank", "statement")):
        assert "pip install 'sscard[bank]'" in refusal(sscard(*words, "--card", card), 1)
    assert "approved offline" == desk.pay(card, "1", "--offline", "--cash")["outcome"]


def test_a_card_whose_balance_is_absurd_is_declined_without_a_traceback(desk: Desk) -> None:
    desk.card()
    chip = payment_chip({0x9F79: bytes.fromhex("009999999999")}, groups={})
    card = save(chip, desk.directory / "absurd.img")
    paid = desk.pay(card, "1", status=1)
    assert paid["outcome"].startswith(("declined", "terminated"))


def test_the_issued_example_pays(desk: Desk) -> None:
    path = desk.directory / "zhang-san.img"
    assert 0 == sscard("issue", PLAIN, "-o", path, "--seed", 7).exit_code
    desk.said("bank", "open", "--card", path)
    desk.said("bank", "activate", "--card", path, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    desk.said("bank", "deposit", "--card", path, "--amount", "20")
    assert desk.pay(path, "12.34")["approved"]
