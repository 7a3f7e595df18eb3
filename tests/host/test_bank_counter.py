# SPDX-License-Identifier: Apache-2.0
"""The bank's counter with a card in it, what a card's face tells, several at once, a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import ROOT, sscard
from deskbench import Desk, on_a_fixed_day
from paymentbench import payment_chip

from apdu.wire.pboc import tags
from apdu.wire.perso import Algorithm
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.banks import issuer_keys
from host.cli.orders import new_order, new_reference, now
from host.cli.payment_names import OPERATIONS, OUTCOMES, PURPOSES, STATES, STEPS, code_words
from host.cli.testcard import issue_test_card
from host.faults import CardMisspoke, CardNotGenuine, CardRefused, NotFound
from host.issuer.accounts import State
from host.issuer.counter import give
from host.issuer.faults import Reason
from host.issuer.keys import IssuerKeys
from host.issuer.scripts import application_unblock, pin_unblock
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Purpose
from host.terminal.card_face import card_face
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return on_a_fixed_day(tmp_path, monkeypatch)


# The counter, and what a card's face tells


def wanted(chip: object) -> Card:
    return Card(MemoryChannel(chip))  # type: ignore[arg-type]


def at_the_counter(card: Card, keys: IssuerKeys | None = None) -> str:
    order = new_order(0, Purpose.BALANCE)
    return give(card, [application_unblock()], keys or issuer_keys(), load_config(), order)


def test_a_card_of_another_bank_is_not_genuine() -> None:
    chip = payment_chip({tags.NOT_ACTIVATED: b"\x01"})
    with pytest.raises(CardNotGenuine, match="cryptogram"):
        at_the_counter(wanted(chip), IssuerKeys(TEST_IMKS))
    assert card_face(wanted(chip)).blocked
    assert "6228000100001117" == at_the_counter(wanted(chip))
    assert not card_face(wanted(chip)).blocked


@pytest.mark.parametrize("profile", ["rsa-1152", "sm2"])
def test_a_card_on_which_nothing_is_blocked_takes_nothing_at_the_counter(profile: str) -> None:
    chip = issue_test_card(bank=profile)
    order = new_order(0, Purpose.BALANCE)
    with pytest.raises(CardRefused) as refused:
        give(wanted(chip), [pin_unblock()], issuer_keys(), load_config(), order)
    assert 0x6985 == refused.value.sw


def test_the_face_is_read_without_a_change_on_the_card() -> None:
    chip = issue_test_card(bank="published")
    before = chip.snapshot()
    face = card_face(wanted(chip))
    assert before == chip.snapshot()
    assert ("6228000100001117", "01", "FULL FUNCTIONAL", "2030-12-31", False) == (
        face.pan,
        face.psn,
        face.holder,
        face.expires.isoformat(),
        face.blocked,
    )
    assert "FULL" not in repr(face)


def record(*objects: str) -> bytes:
    inside = bytes.fromhex("".join(objects))
    return bytes((0x70, len(inside))) + inside


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (record("5F2403301231"), "PAN"),
        (record("5A08622800010000111A", "5F2403301231"), "PAN"),
        (record("5A086228000100001117"), "5F24"),
        (record("5A086228000100001117", "5F2403301331"), "5F24"),
        (record("5A086228000100001117", "5F2403301231", "5F34010A"), "5F34"),
        (record("5A086228000100001117", "5A086228000100001125"), "5A is there twice"),
        (b"\x71\x00", "template 70"),
    ],
)
def test_a_face_that_is_none_is_a_fault(found: bytes, why: str) -> None:
    groups = {number: None for number in (0x0101, 0x0201, 0x0202, 0x0302, 0x0303, 0x0304)}
    groups |= {number: None for number in (0x0401, 0x0402, 0x0403)}
    chip = payment_chip(groups=groups | {0x0301: found})
    with pytest.raises(CardMisspoke, match=why):
        card_face(wanted(chip))


def test_a_card_without_the_application_has_no_face() -> None:
    with pytest.raises(NotFound):
        card_face(wanted(issue_test_card()), bytes.fromhex("A000000333010199"))


# Names


def test_everything_has_a_chinese_name() -> None:
    assert set(Step) == set(STEPS)
    assert set(Outcome) == set(OUTCOMES)
    assert set(Purpose) == set(PURPOSES)
    assert set(State) == set(STATES)
    assert all(OPERATIONS.values())


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_response_code_of_the_bank_is_put_into_words(reason: Reason) -> None:
    english, chinese = code_words(reason.code)
    assert english and chinese
    assert ("", "") == code_words("ZZ")


def test_orders_are_of_this_moment_and_each_of_its_own() -> None:
    assert 0 == now().microsecond
    assert len({new_reference() for _ in range(50)}) == 50
    order = new_order(1234, Purpose.LOAD)
    assert (1234, Purpose.LOAD, 4) == (order.amount, order.purpose, len(order.unpredictable_number))
    assert 0 <= order.lot <= 98
    assert 1 <= order.trace <= 999_999


def test_the_keys_are_those_of_made_and_of_published_cards() -> None:
    keys = issuer_keys()
    published = keys.card("6228000100001117", "01", Algorithm.TDES)
    other = keys.card("6228000100001117", "02", Algorithm.TDES)
    assert published.ac.encrypt(bytes(8)) != other.ac.encrypt(bytes(8))


# Several at once, and a server


def sscard_process(directory: Path, *words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "host.cli.main", *map(str, words)],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_two_processes_at_once_lose_no_money(desk: Desk) -> None:
    pan = desk.pan(desk.card())
    words = ("bank", "deposit", "--account", pan, "--amount", "1", "--json")
    running = [sscard_process(desk.directory, *words) for _ in range(2)]
    assert [0, 0] == [each.wait() for each in running]
    assert {100100, 100200} == {json.loads(each.communicate()[0])["balance"] for each in running}
    assert 100200 == desk.account(pan).balance


def test_the_banks_host_serves_until_it_is_told_to_end(desk: Desk) -> None:
    card = desk.card()
    server = sscard_process(desk.directory, "bank", "serve", "--port", "0", "--json")
    try:
        assert server.stdout is not None
        at = json.loads(server.stdout.readline())
        assert "127.0.0.1" == at["host"]
        result = sscard(
            *("pay", "--card", card, "--amount", "12.34", "--json"),
            *("--host", f"{at['host']}:{at['port']}"),
        )
        # Whether the card is still good, the server's own calendar says.
        assert json.loads(result.stdout)["outcome"].endswith("online")
    finally:
        server.send_signal(signal.SIGTERM)
        out, error = server.communicate()
    assert (0, b"", b"") == (server.returncode, out, error)
