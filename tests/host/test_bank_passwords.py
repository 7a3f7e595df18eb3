# SPDX-License-Identifier: Apache-2.0
"""The transaction password: who may set it, what a wrong one costs, and that nobody sees it."""

from __future__ import annotations

import logging
from pathlib import Path

import hypothesis.strategies as st
import pytest
from bankbench import NOON, PAN, PASSWORD, UNKNOWN, WRONG, new, opened, refused
from hypothesis import given

from apdu.crypto.pinblock import build_iso_0
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.perso import Algorithm
from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused
from host.issuer.passwords import PinKeys, PinValue, published_pin_keys

KEYS = published_pin_keys()


@pytest.fixture
def bank() -> Bank:
    return opened(Bank())


def attempt(bank: Bank, password: str) -> str:
    """`right`, or the reason and the tries left."""
    try:
        bank.verify_pin(PAN, bank.pin_keys.enciphered(password, PAN))
    except Refused as error:
        return f"{error.reason.name} {error.tries_left}"
    return "right"


def test_three_wrong_passwords_block_and_the_right_one_then_does_not_help(bank: Bank) -> None:
    tried = [attempt(bank, each) for each in (WRONG, WRONG, WRONG, PASSWORD, WRONG)]
    blocked = "PIN_BLOCKED 0"
    assert ["WRONG_PIN 2", "WRONG_PIN 1", "WRONG_PIN 0", blocked, blocked] == tried


def test_the_right_password_gives_all_tries_back(bank: Bank) -> None:
    assert ["WRONG_PIN 2", "WRONG_PIN 1", "right", "WRONG_PIN 2"] == [
        attempt(bank, each) for each in (WRONG, WRONG, PASSWORD, WRONG)
    ]
    assert 2 == bank.account(PAN).pin_tries


@given(st.from_regex(r"[0-9]{4,12}", fullmatch=True), st.from_regex(r"[0-9]{4,12}", fullmatch=True))
def test_only_the_whole_password_is_right(right: str, other: str) -> None:
    kept = KEYS.kept(right, PAN)
    assert KEYS.right(KEYS.enciphered(right, PAN), PAN, kept)
    assert (right == other) == KEYS.right(KEYS.enciphered(other, PAN), PAN, kept)


def test_what_is_kept_must_be_right_in_both_its_parts() -> None:
    kept, other = KEYS.kept(PASSWORD, PAN), KEYS.kept("864209", PAN)
    assert kept.pvv != other.pvv
    block = KEYS.enciphered(PASSWORD, PAN)
    assert not KEYS.right(block, PAN, PinValue(other.pvv, kept.offset))
    assert not KEYS.right(block, PAN, PinValue(kept.pvv, other.offset))


@given(st.binary(min_size=8, max_size=8))
def test_a_block_of_anything_else_is_wrong_and_no_error(block: bytes) -> None:
    kept = KEYS.kept(PASSWORD, PAN)
    assert (block == KEYS.enciphered(PASSWORD, PAN)) == KEYS.right(block, PAN, kept)


def test_a_terminal_may_have_a_key_of_its_own(bank: Bank) -> None:
    own = SUITES[Algorithm.TDES].key(bytes(range(16)))
    block = own.encrypt(build_iso_0(PASSWORD, PAN))
    with refused(Reason.WRONG_PIN):
        bank.verify_pin(PAN, block)
    bank.verify_pin(PAN, block, own)


def test_a_try_is_paid_before_the_password_is_looked_at(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(*_: object) -> bool:
        seen.append(bank.account(PAN).pin_tries)
        raise KeyboardInterrupt

    monkeypatch.setattr(PinKeys, "right", spy)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            bank.verify_pin(PAN, bytes(8))
    assert [2, 1] == seen


def test_a_blocked_password_is_not_looked_at(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        attempt(bank, WRONG)
    monkeypatch.setattr(PinKeys, "right", lambda *_: pytest.fail("was looked at"))
    assert "PIN_BLOCKED 0" == attempt(bank, PASSWORD)


def test_a_right_answer_to_the_old_password_gives_no_tries_to_the_new_one(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = PinKeys.right

    def meanwhile(keys: PinKeys, *rest: object) -> bool:
        monkeypatch.undo()
        bank.reset_password(new(), PAN, "999999", NOON)
        attempt(bank, WRONG)
        return right(keys, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(PinKeys, "right", meanwhile)
    assert "right" == attempt(bank, PASSWORD)
    assert 2 == bank.account(PAN).pin_tries


def test_a_block_of_another_length_costs_nothing(bank: Bank) -> None:
    with pytest.raises(FormatError, match=r"^PIN block: 7 bytes, must be 8$"):
        bank.verify_pin(PAN, bytes(7))
    assert 3 == bank.account(PAN).pin_tries


def test_an_account_without_a_password_has_none_to_try() -> None:
    bank = Bank()
    bank.open(new(), PAN, "01", "ZHANG SAN", NOON)
    with refused(Reason.INACTIVE):
        bank.verify_pin(PAN, bytes(8))
    with refused(Reason.INACTIVE):
        bank.reset_password(new(), PAN, PASSWORD, NOON)
    with refused(Reason.UNKNOWN_CARD):
        bank.verify_pin(UNKNOWN, bytes(8))
    bank.activate(new(), PAN, PASSWORD, NOON)
    bank.close(new(), PAN, NOON)
    with refused(Reason.CLOSED):
        bank.verify_pin(PAN, bytes(8))
    assert 0 == bank.account(PAN).pin_tries


def test_an_account_is_activated_once(bank: Bank) -> None:
    with refused(Reason.INVALID):
        bank.activate(new(), PAN, "999999", NOON)
    assert "right" == attempt(bank, PASSWORD)


def test_who_knows_the_password_changes_it_and_a_wrong_one_costs_a_try(bank: Bank) -> None:
    with refused(Reason.WRONG_PIN):
        bank.change_password(new(), PAN, KEYS.enciphered(WRONG, PAN), "864209", NOON)
    assert 2 == bank.account(PAN).pin_tries
    reference, old = new(), KEYS.enciphered(PASSWORD, PAN)
    bank.change_password(reference, PAN, old, "864209", NOON)
    assert ["right", "WRONG_PIN 2"] == [attempt(bank, each) for each in ("864209", PASSWORD)]
    assert bank.change_password(reference, PAN, old, "864209", NOON).again
    assert 2 == bank.account(PAN).pin_tries


def test_the_bank_resets_a_blocked_password(bank: Bank) -> None:
    for _ in range(4):
        attempt(bank, WRONG)
    bank.reset_password(new(), PAN, "864209", NOON)
    assert 3 == bank.account(PAN).pin_tries
    assert "right" == attempt(bank, "864209")


def test_no_password_is_kept_shown_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "bank.db"
    bank = opened(Bank(str(path)))
    attempt(bank, PASSWORD)
    said = [repr(bank), repr(bank.pin_keys), repr(bank.account(PAN)), caplog.text]
    for bad in (PASSWORD + "x", PASSWORD * 3):
        with pytest.raises(FormatError) as caught:
            bank.activate(new(), PAN, bad, NOON)
        said.append(str(caught.value))
    bank.ledger.close()
    kept = KEYS.kept(PASSWORD, PAN)
    said.append(repr(kept))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert kept.pvv.encode() in stored
    block = build_iso_0(PASSWORD, PAN)
    assert not any(value in stored for value in (PASSWORD.encode(), block, block.hex().encode()))
    assert not any(PASSWORD in each or kept.offset in each for each in said)
    assert "ZHANG" not in "".join(said)
