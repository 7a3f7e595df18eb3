# SPDX-License-Identifier: Apache-2.0
"""The till's side of the medical account: bad terms, cards that lie, doubts that are said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import NEW_PIN
from medicalbench import AT, cells
from medicaltears import used_cells
from psambench import psam
from testbench import world

from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.hrss.df04 import TRANSACTIONS, MedicalTransaction
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.medical import CREDIT_LOAD, DEBIT, INITIALISE_DEBIT, INITIALISE_LOAD
from apdu.wire.iso7816 import READ_RECORD
from apdu.wire.psam_commands import VERIFY_MAC2
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import (
    CardFault,
    CardGone,
    CardMisspoke,
    CardMute,
    CardNotGenuine,
    CardRefused,
    NotAllowed,
)
from host.keys import MemoryKeys
from host.load import LoadKeys
from host.psam import PsamKeys
from host.terminal.authentication import identity
from host.terminal.load import LoadInDoubt, LoadTerms, begin_load, load
from host.terminal.medical import PurchaseInDoubt, Terms, begin_purchase, purchase

TERMINAL = "990000000001"
TERMS = Terms(1234, 56, 78, AT, TERMINAL)
LOAD = LoadTerms(4321, AT, TERMINAL)
Lie = Callable[[bytes], bytes]


class Liar(MemoryChannel):
    """A card whose answers to some instructions are altered, or do not come."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.lies: dict[int, Lie] = {}
        self.heard: list[bytes] = []

    def _exchange(self, command: bytes) -> bytes:
        self.heard.append(command)
        answer = super()._exchange(command)
        return self.lies.get(command[1], bytes)(answer)


class Desk:
    """A card that may lie, a PSAM that may, and the holder's PIN."""

    def __init__(self, generation: str = "2.0", psam_lies: dict[int, Lie] | None = None) -> None:
        chip = Chip(ROM, Flash(bytearray(used_cells(generation, 1))), world())
        self.channel, self.psam = Liar(chip), Liar(psam())
        self.client = HrssClient(Card(self.channel))
        self.card = identity(self.client)
        self.client.verify(NEW_PIN)
        self.source = PsamKeys(Card(self.psam))
        self.psam.lies = psam_lies or {}

    def buy(self) -> Any:
        return purchase(self.client, self.source, self.card, TERMS)

    def load(self) -> Any:
        return load(self.client, LoadKeys(MemoryKeys()).allow, self.card, LOAD)


def gone(_: bytes) -> bytes:
    raise CardGone("pulled")


def mute(_: bytes) -> bytes:
    raise CardMute("silent")


def status(sw: int) -> Lie:
    return lambda _: sw.to_bytes(2)


# Terms

BAD_TERMS: list[tuple[dict[str, Any], str]] = [
    ({"account": -1}, "account: must be an amount in fen"),
    ({"own": 0xFFFFFFFF}, "own: must be an amount in fen"),
    ({"pool": 1.5}, "pool: must be an amount in fen"),
    ({"pool": True}, "pool: must be an amount in fen"),
    ({"pool": "78"}, "pool: must be an amount in fen"),
    ({"account": 0, "own": 0, "pool": 0}, "account, own, pool: there is nothing to pay"),
    ({"terminal": "99000000000"}, "terminal: must be 12 digits"),
    ({"terminal": "9900000000011"}, "terminal: must be 12 digits"),
    ({"terminal": "99000000000A"}, "terminal: must be 12 digits"),
    ({"terminal": "９９００００００００01"}, "terminal: must be 12 digits"),
    ({"at": datetime(2026, 1, 5, 9, 30, 0, 1)}, "time: must be a local time"),
    ({"at": datetime(2026, 1, 5, 9, 30, tzinfo=UTC)}, "time: must be a local time"),
    ({"key_index": 256}, "key index: must be 0 to 255"),
    ({"key_index": -1}, "key index: must be 0 to 255"),
]


@pytest.mark.parametrize(("change", "rule"), BAD_TERMS)
def test_terms_that_no_card_could_hold_are_refused_by_name(
    change: dict[str, Any], rule: str
) -> None:
    with pytest.raises(FormatError, match=rule):
        replace(TERMS, **change)


BAD_LOADS: list[tuple[dict[str, Any], str]] = [
    ({"amount": 0}, "amount: there is nothing to load"),
    ({"amount": -5}, "amount: must be an amount in fen"),
    ({"amount": 0xFFFFFFFF}, "amount: must be an amount in fen"),
    ({"terminal": ""}, "terminal: must be 12 digits"),
    ({"at": datetime(2026, 1, 5, tzinfo=UTC)}, "time: must be a local time"),
    ({"key_index": 999}, "key index: must be 0 to 255"),
]


@pytest.mark.parametrize(("change", "rule"), BAD_LOADS)
def test_loads_that_no_card_could_hold_are_refused_by_name(
    change: dict[str, Any], rule: str
) -> None:
    with pytest.raises(FormatError, match=rule):
        replace(LOAD, **change)


moments = st.datetimes(min_value=datetime(1, 1, 1)).map(lambda at: at.replace(microsecond=0))
amounts = st.integers(0, 0xFFFFFFFE)


@given(amounts, st.integers(1, 0xFFFFFFFE), amounts, moments, st.integers(0, 10**12 - 1))
def test_terms_reach_the_key_source_as_they_are(
    account: int, own: int, pool: int, at: datetime, number: int
) -> None:
    desk = Desk()
    # The card may refuse the sums; what it is asked for is what counts here.
    terms = Terms(account, own, pool, at, f"{number:012}")
    try:
        request = begin_purchase(desk.client, desk.card, terms)
    except NotAllowed:
        raw = desk.channel.heard[-1]
        assert (account, own, pool) == tuple(int.from_bytes(raw[n : n + 4]) for n in (6, 10, 14))
        return
    asked = request.terms
    assert (account, own, pool) == (asked.account, asked.own, asked.pool)
    assert f"{number:012}{at.year:04}{at:%m%d%H%M%S}" == (asked.terminal + asked.time).hex()


# Cards that lie


@pytest.mark.parametrize(
    "lie",
    [
        lambda answer: answer[:-3] + b"\x90\x00",
        lambda answer: answer[:17] + b"\x02" + answer[18:],
        lambda answer: answer[:17] + b"\x04" + answer[18:],
        lambda answer: answer[:17] + b"\x01" + answer[18:],
        lambda answer: answer[:16] + b"\x09" + answer[17:],
        lambda answer: answer[:10] + b"\x01" + answer[11:],
        lambda answer: b"\x00" + answer,
        status(0x9000),
    ],
)
def test_an_init_that_is_not_right_is_no_beginning(lie: Lie) -> None:
    desk = Desk()
    desk.channel.lies[INITIALISE_DEBIT.ins] = lie
    with pytest.raises(CardMisspoke):
        desk.buy()
    assert DEBIT.ins not in {raw[1] for raw in desk.channel.heard}


@pytest.mark.parametrize(
    "lie",
    [
        lambda answer: answer[:-3] + b"\x90\x00",
        lambda answer: answer[:6] + b"\x09" + answer[7:],
        lambda answer: answer[:7] + b"\x04" + answer[8:],
        lambda answer: b"\xff\xff\xff\xfe" + answer[4:],
    ],
)
def test_an_init_of_a_load_that_is_not_right_is_no_beginning(lie: Lie) -> None:
    desk = Desk("1.0")
    desk.channel.lies[INITIALISE_LOAD.ins] = lie
    with pytest.raises(CardMisspoke):
        desk.load()
    assert CREDIT_LOAD.ins not in {raw[1] for raw in desk.channel.heard}


DOUBTS: dict[str, tuple[Lie, type[CardFault]]] = {
    "pulled": (gone, CardGone),
    "silent": (mute, CardMute),
    "too short": (lambda answer: answer[1:], CardMisspoke),
    "too long": (lambda answer: b"\0" + answer, CardMisspoke),
    "nothing but 9000": (status(0x9000), CardMisspoke),
    "memory failed": (status(0x6581), CardRefused),
    "no diagnosis": (status(0x6F00), CardRefused),
    "a warning": (status(0x6282), CardRefused),
    "another warning": (status(0x6310), CardRefused),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_an_answer_that_does_not_say_whether_it_booked_is_a_doubt(doubt: str) -> None:
    lie, cause = DOUBTS[doubt]
    desk = Desk("1.0")
    desk.channel.lies = {DEBIT.ins: lie, CREDIT_LOAD.ins: lie}
    with pytest.raises(PurchaseInDoubt) as bought:
        desk.buy()
    with pytest.raises(LoadInDoubt) as loaded:
        desk.load()
    assert isinstance(bought.value.__cause__, cause)
    assert isinstance(loaded.value.__cause__, cause)
    assert 1234 == bought.value.request.terms.account
    assert 4321 == loaded.value.request.amount
    for ins in (DEBIT.ins, CREDIT_LOAD.ins):  # it was said once
        assert 1 == [raw[1] for raw in desk.channel.heard].count(ins)


@pytest.mark.parametrize("sw", [0x6982, 0x6985, 0x6A80, 0x6700, 0x9302, 0x9401, 0x9406])
def test_a_refusal_is_no_doubt(sw: int) -> None:
    desk = Desk("1.0")
    desk.channel.lies = {DEBIT.ins: status(sw), CREDIT_LOAD.ins: status(sw)}
    for run in (desk.buy, desk.load):
        with pytest.raises(CardRefused) as caught:
            run()
        assert sw == caught.value.sw


def test_a_psam_that_goes_before_it_judges_leaves_a_doubt() -> None:
    desk = Desk(psam_lies={VERIFY_MAC2.ins: gone})
    with pytest.raises(PurchaseInDoubt) as caught:
        desk.buy()
    assert isinstance(caught.value.__cause__, CardGone)
    assert desk.channel.heard[-1][1] == DEBIT.ins


def test_a_wrong_mac2_is_not_taken() -> None:
    desk = Desk()
    desk.channel.lies[DEBIT.ins] = lambda answer: answer[:4] + bytes(4) + answer[8:]
    with pytest.raises(CardNotGenuine):
        desk.buy()


def test_a_key_source_that_cannot_begin_leaves_the_card_as_it_was() -> None:
    desk = Desk()
    before = desk.channel._chip.snapshot()  # type: ignore[attr-defined]
    with pytest.raises(FormatError, match="terminal"):
        purchase(desk.client, desk.source, desk.card, replace(TERMS, terminal="990000000002"))
    assert before == desk.channel._chip.snapshot()  # type: ignore[attr-defined]


# The client


def client() -> tuple[Liar, MedicalClient]:
    desk = Desk()
    desk.client.enter(DF04)
    return desk.channel, MedicalClient(desk.client.card)


def test_an_empty_log_is_no_fault() -> None:
    chip = Chip(ROM, Flash(bytearray(cells("3.0"))), world())
    hrss = HrssClient(Card(MemoryChannel(chip)))
    hrss.verify(NEW_PIN)
    hrss.enter(DF04)
    assert () == MedicalClient(hrss.card).transactions()


def test_a_log_without_end_is_not_followed() -> None:
    channel, medical = client()
    channel.lies[READ_RECORD.ins] = lambda _: (
        bytes(MedicalTransaction(1, b"\x32", TERMINAL, AT, 1, 2, 3)) + b"\x90\x00"
    )
    assert TRANSACTIONS.records == len(medical.transactions())


@pytest.mark.parametrize("raw", [b"", bytes(27), bytes(29), b"\xaa" * 28])
def test_a_record_that_is_none_is_not_taken(raw: bytes) -> None:
    channel, medical = client()
    channel.lies[READ_RECORD.ins] = lambda _: raw + b"\x90\x00"
    with pytest.raises(CardMisspoke):
        medical.transactions()


def test_totals_and_balance_are_not_taken_for_each_other() -> None:
    for generation, wrong in (("1.0", MedicalClient.totals), ("2.0", MedicalClient.balance)):
        desk = Desk(generation)
        desk.client.enter(DF04)
        right = "balance" if generation == "1.0" else "totals"
        with pytest.raises(NotAllowed):  # RK1DF04 has not been proven
            getattr(MedicalClient(desk.client.card), right)()
        desk.channel.lies[READ_RECORD.ins] = lambda _: bytes(3) + b"\x90\x00"
        with pytest.raises(CardMisspoke):
            wrong(MedicalClient(desk.client.card))


def test_nothing_of_the_keys_is_shown() -> None:
    assert "LoadKeys()" == repr(LoadKeys(MemoryKeys()))
    desk = Desk("1.0")
    request = begin_load(desk.client, desk.card, LOAD)
    assert request.card.suite is SUITES[1]
    text = f"{request!r} {LoadInDoubt(request)!r}"
    root = "00112233445566778899aabbccddeeff"
    assert root not in text.lower().replace("\\x", "")
