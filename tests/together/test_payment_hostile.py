# SPDX-License-Identifier: Apache-2.0
"""Between a card, a terminal and a bank that are honest somebody lies: the transaction ends as it
must, no money moves that should not, and the next one with the same card at the same terminal is
as good as any."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from books import book
from hostworker import WRONG_EVERY
from hypothesis import given, settings
from hypothesis import strategies as st
from issuerbench import PAN as BENCH_PAN
from issuerbench import IssuerBench
from moneybench import CASH, LOAD, NOON, ONLINE, PAN, TAP, Doing, Market

from apdu.atr import Interface
from apdu.tlv import Tlv, build, parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tvr
from card_os.chip import Chip
from card_os.image import ImageError, ImageFlash, save
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY
from host.faults import CardMisspoke
from host.issuer.bank import Bank
from host.network.authorisation import Issuer
from host.terminal.kernel.transaction import Order, Outcome
from host.terminal.pboc import pay
from host.terminal.result import Result
from host.terminal.tap import tap

TESTS = Path(__file__).parents[1]
Lie = Callable[[bytes], bytes]
"""From an answer's data to another's."""


# Lies


def changed(tag: int, make: Lie) -> Lie:
    """An element anywhere in an answer has another value."""

    def within(items: tuple[Tlv, ...]) -> list[Tlv]:
        return [
            Tlv(item.tag, make(item.value))
            if item.tag == tag
            else Tlv(item.tag, build(within(item.children)))
            if item.children
            else item
            for item in items
        ]

    return lambda data: build(within(tuple(parse(data))))


def flipped(value: bytes) -> bytes:
    middle = len(value) // 2
    return value[:middle] + bytes((value[middle] ^ 1,)) + value[middle + 1 :]


def certificate(data: bytes) -> bytes:
    """Another certificate of the card."""
    return changed(tags.ICC_CERTIFICATE, flipped)(data)


class Liar(MemoryChannel):
    """A reader that changes the answers to one command, while `lie` is set."""

    def __init__(self, market: Market, where: Interface, begins: str, lie: Lie) -> None:
        super().__init__(market.chip, where)
        self.begins, self.lie, self.lies = bytes.fromhex(begins), lie, True
        self.altered = 0

    def _exchange(self, command: bytes) -> bytes:
        answer = super()._exchange(command)
        if not self.lies or not command.startswith(self.begins) or answer[-2:] != b"\x90\x00":
            return answer
        found = self.lie(answer[:-2])
        self.altered += found != answer[:-2]
        return found + b"\x90\x00"


class Case(NamedTuple):
    begins: str
    """The command whose answer is another, in hexadecimal."""
    lie: Lie
    outcome: Outcome
    fault: type[Exception] | None
    bit: Tvr = Tvr(0)
    """What the TVR must tell."""
    offline: bool = False
    """At a terminal without a line: else the issuer may take the card's cryptogram for proof."""


def cid(kind: int) -> Lie:
    def lie(data: bytes) -> bytes:
        if data[0] == tags.FORMAT_1:
            return data[:2] + bytes((kind,)) + data[3:]
        return changed(tags.CID, lambda _: bytes((kind,)))(data)

    return lie


def amount(value: str) -> Lie:
    return changed(tags.EC_BALANCE, lambda _: bytes.fromhex(value))


def afl(value: str) -> Lie:
    """In GPO's answer of format 1."""
    return lambda data: build([Tlv(tags.FORMAT_1, data[2:4] + bytes.fromhex(value))])


GPO, RECORD, FIRST_AC, BALANCE = "80A8", "00B2", "80AE", "80CA9F79"
REFUSED, STOPPED = Outcome.DECLINED_OFFLINE, Outcome.TERMINATED
LIES: dict[str, Case] = {
    "TC where ARQC was asked": Case(FIRST_AC, cid(0x40), STOPPED, CardMisspoke),
    "a CID that is none": Case(FIRST_AC, cid(0xC0), STOPPED, CardMisspoke),
    "another cryptogram": Case(
        FIRST_AC, changed(tags.SIGNED_DYNAMIC_DATA, flipped), REFUSED, None, Tvr.CDA_FAILED
    ),
    "another certificate": Case(RECORD, certificate, REFUSED, None, Tvr.CDA_FAILED, offline=True),
    "a card number that was not signed": Case(
        RECORD,
        changed(tags.PAN, lambda value: value[:-1] + bytes((value[-1] ^ 0x10,))),
        STOPPED,
        CardMisspoke,
    ),
    "a date that was not signed": Case(
        RECORD,
        changed(tags.EXPIRY, lambda _: bytes.fromhex("491231")),
        REFUSED,
        None,
        Tvr.CDA_FAILED,
        offline=True,
    ),
    "unknown methods of verification": Case(
        RECORD,
        changed(tags.CVM_LIST, lambda value: value[:8] + bytes.fromhex("07000D00")),
        REFUSED,
        None,
        Tvr.UNRECOGNISED_CVM,
        offline=True,
    ),
    "no list of methods that could be one": Case(
        RECORD, changed(tags.CVM_LIST, lambda value: value[:9]), STOPPED, CardMisspoke
    ),
    "an AFL of 1020 records": Case(GPO, afl("0801FF00" * 4), STOPPED, CardMisspoke),
    "an AFL of SFI 0": Case(GPO, afl("00010100"), STOPPED, CardMisspoke),
    "an AFL backwards": Case(GPO, afl("08020100"), STOPPED, CardMisspoke),
    "an AFL of 2 bytes": Case(GPO, afl("0801"), STOPPED, CardMisspoke),
    "an AFL that authenticates more than there is": Case(
        GPO, afl("08010102"), STOPPED, CardMisspoke
    ),
    "no AFL": Case(GPO, afl(""), STOPPED, CardMisspoke),
}
CASH_LIES: dict[str, Lie] = {
    "FFFFFFFF": amount("FFFFFFFF"),
    "FFFFFFFFFFFF": amount("FFFFFFFFFFFF"),
    "no digits": amount("00000000000A"),
    "nothing": amount(""),
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[Market]:
    """One world for many transactions, with money enough for them."""
    made = Market()
    made.bank.deposit("800000000001", PAN, 10**9, NOON)
    made.happen(LOAD, 100_000)
    yield made
    made.close()


@pytest.fixture
def market() -> Iterator[Market]:
    made = Market()
    made.happen(LOAD, 20_000)
    yield made
    made.close()


def money(market: Market) -> tuple[int, int]:
    """In the account, and in the float of electronic cash."""
    account = market.bank.account(PAN)
    return account.balance, account.cash


def paid(
    market: Market, card: Card, purpose: object = ONLINE, issuer: Issuer | None = None
) -> Result:
    """A purchase with this very card object; what is outstanding is told the bank."""
    number = next(market.numbers)
    force = purpose is ONLINE and issuer is not None
    order = Order(
        700,
        ONLINE.purpose,
        NOON,
        f"{number:012d}",
        number,
        number.to_bytes(4),
        force_online=force,
    )
    if purpose is TAP:
        return tap(card, order, market.config, issuer, pad=market.pad)
    setup = market.config if purpose is CASH else market.padless
    return pay(card, order, setup, issuer)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_declined_and_the_next_transaction_is_as_good_as_any(
    market: Market, name: str
) -> None:
    case = LIES[name]
    channel = Liar(market, Interface.CONTACT, case.begins, case.lie)
    card = Card(channel)
    before = money(market)

    result = paid(market, card, issuer=None if case.offline else market.line)

    assert channel.altered
    assert case.outcome is result.outcome
    assert case.fault is (None if result.fault is None else type(result.fault))
    assert case.bit & result.tvr == case.bit
    assert () == result.outstanding
    assert before == money(market)

    channel.lies = False
    assert Outcome.APPROVED_ONLINE is paid(market, card, issuer=market.line).outcome
    assert (before[0] - 700, before[1]) == money(market)
    assert () == market.bank.audit()


@pytest.mark.parametrize("name", CASH_LIES)
def test_a_balance_that_is_none_stops_a_purchase_with_electronic_cash(
    market: Market, name: str
) -> None:
    channel = Liar(market, Interface.CONTACT, BALANCE, CASH_LIES[name])
    card = Card(channel)
    result = paid(market, card, CASH, market.line)
    assert (STOPPED, CardMisspoke) == (result.outcome, type(result.fault))
    channel.lies = False
    assert Outcome.APPROVED_OFFLINE is paid(market, card, CASH, market.line).outcome
    assert (20_000 - 700, 20_000 - 700) == (market.bank.account(PAN).cash, market.cash())


TAP_LIES: dict[str, tuple[str, Lie]] = {
    "another signature in a record": (
        RECORD,
        changed(tags.SIGNED_DYNAMIC_DATA, flipped),
    ),
    "another card's number": (GPO, changed(tags.TRACK_2, lambda value: value[:9])),
    "a cryptogram of 7 bytes": (GPO, changed(tags.AC, lambda value: value[:7])),
    "an absurd AFL": (GPO, changed(tags.AFL, lambda _: bytes.fromhex("F801FF00"))),
    "a CVR that is none": (GPO, changed(tags.IAD, lambda value: value[:4])),
}


@pytest.mark.parametrize("name", TAP_LIES)
def test_a_tap_in_which_somebody_lies_is_not_approved_and_the_next_one_is(
    market: Market, name: str
) -> None:
    channel = Liar(market, Interface.CONTACTLESS, *TAP_LIES[name])
    card = Card(channel)
    result = paid(market, card, TAP)
    assert channel.altered
    assert not result.approved
    lost = 20_000 - market.cash()
    assert lost in ((700,) if result.doubt else (0,))
    channel = Liar(market, Interface.CONTACTLESS, "FF", bytes)
    assert Outcome.APPROVED_OFFLINE is paid(market, Card(channel), TAP, market.line).outcome
    assert 20_000 - 700 - lost == market.cash()
    assert 20_000 - 700 == market.bank.account(PAN).cash


# Noise


class Noisy(MemoryChannel):
    """A reader that changes one byte of one answer."""

    def __init__(self, market: Market, where: Interface, at: int, byte: int, noise: int) -> None:
        super().__init__(market.chip, where)
        self.at, self.byte, self.noise = at, byte, noise

    def _exchange(self, command: bytes) -> bytes:
        answer = bytearray(super()._exchange(command))
        if self.at == 0:
            answer[self.byte % len(answer)] ^= self.noise
        self.at -= 1
        return bytes(answer)


@given(
    doing=st.sampled_from([ONLINE, CASH, TAP]),
    at=st.integers(0, 24),
    byte=st.integers(0, 255),
    noise=st.integers(1, 255),
)
@settings(max_examples=150)
def test_one_byte_of_noise_is_never_more_than_a_fault(
    loaded: Market, doing: Doing, at: int, byte: int, noise: int
) -> None:
    noisy = Noisy(loaded, doing.where, at, byte, noise)
    result = paid(loaded, Card(noisy), doing, loaded.host)
    assert result.as_json()["trail"]
    assert (result.fault is not None) == (result.outcome is STOPPED)
    assert () == loaded.bank.audit()
    after = paid(loaded, Card(MemoryChannel(loaded.chip)), ONLINE, loaded.host)
    assert Outcome.APPROVED_ONLINE is after.outcome


# Many at once


def test_two_issuers_over_the_same_books_post_each_request_once(tmp_path: Path) -> None:
    store, often = str(tmp_path / "bank.db"), 60
    IssuerBench(store).bank.ledger.close()
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "hostworker", store, str(often)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        for _ in range(2)
    ]
    passed = often - len(range(0, often, WRONG_EVERY))
    assert [passed, passed] == [int(each.communicate()[0]) for each in running]
    bank = Bank(store)
    assert 1_000_000 - passed == bank.account(BENCH_PAN).balance
    assert () == bank.audit()
    bank.ledger.close()


def test_a_card_in_one_terminal_is_in_no_other(market: Market, tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    save(path, memoryview(bytes(market.flash.cells)))
    for _ in range(2):
        with ImageFlash(path) as flash:
            market.chip = Chip.boot(flash, seeded(7, TEST_DAY))
            with pytest.raises(ImageError, match="in use by another process"):
                ImageFlash(path)
            card = Card(MemoryChannel(market.chip))
            assert Outcome.APPROVED_ONLINE is paid(market, card, issuer=market.line).outcome


def test_no_sequence_waits_any_more() -> None:
    assert [] == [case["id"] for case in book("cards/sequences.json")["cases"] if "needs" in case]
