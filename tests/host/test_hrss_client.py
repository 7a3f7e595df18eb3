# SPDX-License-Identifier: Apache-2.0
"""The HRSS client, on our card and on cards with other habits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from apdu.wire.hrss.generations import SSSE
from host.card import Card
from host.channel import Channel
from host.cli.testcard import TEST_HOLDER, issue_test_card
from host.clients.hrss import MAX_RECORDS, HrssClient
from host.faults import CardMisspoke, CardRefused, InitialPinInForce, NotAllowed, PinWrong
from host.keys import MemoryKeys
from host.terminal.hrss import activate, begin_transaction
from host.terminal.personalise import personalise


class Habit(Channel):
    """A card that answers some commands in its own way."""

    def __init__(self, otherwise: Callable[[bytes], bytes | None]) -> None:
        self._chip = issue_test_card()
        self._otherwise = otherwise
        self.atr = self._chip.reset()
        self.seen: list[bytes] = []
        self.held = 0
        self.alone: list[bool] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def _exchange(self, command: bytes) -> bytes:
        self.seen.append(command)
        # A transaction that began for this command alone does not count.
        self.alone.append(self.held > bool(len(command) > 5))
        answer = self._otherwise(command)
        return self._chip.transmit(command) if answer is None else answer

    def reset(self) -> bytes:
        return self._chip.reset()

    def close(self) -> None:
        pass


def reads_all(command: bytes) -> bool:
    return command[1] == 0xB2 and command[3] & 7 == 5


def client_of(otherwise: Callable[[bytes], bytes | None]) -> tuple[HrssClient, Habit]:
    channel = Habit(otherwise)
    return HrssClient(Card(channel)), channel


def test_a_card_that_reads_single_records_only_gives_the_same_data() -> None:
    client, _ = client_of(lambda command: b"\x6a\x86" if reads_all(command) else None)
    assert TEST_HOLDER.number == client.holder().number
    assert TEST_HOLDER.card_number == client.issuer().card_number


def test_a_card_whose_records_never_end_is_not_followed_for_ever() -> None:
    def endless(command: bytes) -> bytes | None:
        if reads_all(command):
            return b"\x6a\x81"
        return b"\x08\x01\x30\x90\x00" if command[1] == 0xB2 else None

    client, channel = client_of(endless)
    with pytest.raises(CardMisspoke):
        client.holder()
    assert len(channel.seen) <= MAX_RECORDS + 2


def test_a_refusal_for_want_of_a_proof_is_not_tried_in_another_way() -> None:
    client, channel = client_of(lambda _: None)
    before = len(channel.seen)
    with pytest.raises(NotAllowed):
        client.household()
    assert before + 2 == len(channel.seen)  # SELECT DF01, READ RECORD


def test_a_card_with_unreadable_data_misspoke() -> None:
    client, _ = client_of(lambda command: b"\x01\x10\x90\x00" if reads_all(command) else None)
    with pytest.raises(CardMisspoke, match="IssuerData"):
        client.issuer()


def test_over_a_cable_that_takes_no_le_with_data_the_reply_is_fetched() -> None:
    channel = Habit(lambda _: None)
    channel.le_with_data = False
    client = HrssClient(Card(channel))
    assert SSSE.fci == client.fci
    assert [0xA4, 0xC0] == [command[1] for command in channel.seen]
    assert 5 + 15 == len(channel.seen[0])


def test_a_wrong_pin_tells_the_tries_left_and_carries_no_pin() -> None:
    client, _ = client_of(lambda _: None)
    with pytest.raises(PinWrong) as wrong:
        client.verify("918273")
    assert 5 == wrong.value.tries_left
    assert "918273" not in f"{wrong.value!r} {wrong.value}"


def test_a_pin_that_cannot_be_one_is_not_sent() -> None:
    client, channel = client_of(lambda _: None)
    before = len(channel.seen)
    for pin in ("", "12345", "123456789", "12345a", "１２３４５６"):
        with pytest.raises(ValueError, match="PIN: must be 6 to 8 digits"):
            client.verify(pin)
    assert before == len(channel.seen)


def test_with_the_initial_pin_no_transaction_begins() -> None:
    client, _ = client_of(lambda _: None)
    with pytest.raises(InitialPinInForce):
        begin_transaction(client, "123456")
    with pytest.raises(InitialPinInForce):
        activate(client, "123456", "123456")
    activate(client, "123456", "80471965")
    begin_transaction(client, "80471965")


def test_an_unknown_status_word_is_a_refusal_with_its_number() -> None:
    client, _ = client_of(lambda command: b"\x65\x81" if command[1] == 0x20 else None)
    with pytest.raises(CardRefused, match="VERIFY: 6581 writing to memory failed"):
        client.verify("123456")


@pytest.mark.parametrize(
    "fci",
    [
        "6F80900000",  # indefinite length
        "6F84FFFFFFFF00",  # four gigabytes
        "6F811000000000000000000000000000000000",  # not the shortest form
        "6F10840EA000000333010101",  # cut short
        "5FFFFFFFFFFFFFFF",  # a tag without an end
        "6F0A8408A000000333010101",  # of another application
        "6F03A50100",  # of none
        "7000",
    ],
)
def test_an_fci_that_is_none_or_of_another_application_is_not_believed(fci: str) -> None:
    answer = bytes.fromhex(fci) + b"\x90\x00"
    with pytest.raises(CardMisspoke, match="SELECT"):
        client_of(lambda command: answer if command[1] == 0xA4 else None)


def test_a_card_may_answer_select_without_an_fci() -> None:
    client, _ = client_of(lambda command: b"\x90\x00" if command[1] == 0xA4 else None)
    assert b"" == client.fci


def test_nobody_can_come_between_the_change_of_a_pin_and_its_proof() -> None:
    client, channel = client_of(lambda _: None)
    channel.alone.clear()
    activate(client, "123456", "80471965")
    assert [True, True] == channel.alone


def test_personalisation_is_one_transaction_and_wants_a_chip_with_a_number() -> None:
    channel = Habit(lambda _: b"\x90\x00")
    personalise(Card(channel), TEST_HOLDER, MemoryKeys())
    assert {True} == set(channel.alone)
    channel.atr = bytes.fromhex("3B0100")
    with pytest.raises(CardMisspoke, match="hold no chip number"):
        personalise(Card(channel), TEST_HOLDER, MemoryKeys())
