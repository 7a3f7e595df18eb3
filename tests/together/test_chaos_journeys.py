# SPDX-License-Identifier: Apache-2.0
"""Our own host over chaos: whatever goes wrong on the cable, a journey ends in a result or in a
fault of the desk, nobody pays twice, and no fen is lost where the cable does not lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from driverbench import PIN, Reader, activated
from moneybench import CASH, DOINGS, LOAD, MONEY, ONLINE, PAN, TAP, Doing, Market

from apdu.wire.hrss.generations import DF04
from card_os.chip import Chip
from host.channel import Channel
from host.channel.chaos import ChaosChannel, Struck
from host.channel.chaos_profile import SHIPPED, Fault, Kind, Profile, load_profile
from host.channel.memory import MemoryChannel
from host.driver import Answer, Code, Driver
from host.terminal.result import Result

DEADLINE = 10.0
HONEST = frozenset(
    {
        Kind.DELAY,
        Kind.MUTE,
        Kind.DROP_COMMAND,
        Kind.DROP_ANSWER,
        Kind.REMOVE_BEFORE,
        Kind.REMOVE_AFTER,
        Kind.RESET,
    }
)
"""After these the terminal knows that it does not know; the others change what it is told."""
PAID = "0|12.90|20260105093000|"
HOUSE = "DF01EF05|20|21|$DF02EF05|43|$DF02EF07|$"
HOUSE_DATA = "DF01EF05|1|x|$DF02EF05|1^2^3^20200101^^^^^^|$DF02EF07|1^^^|$"
Call = Callable[[Driver, str], Answer]
CALLS: dict[str, Call] = {
    "iReadCardBas": lambda driver, info: driver.call("iReadCardBas", iType=1),
    "iReadCard": lambda driver, info: driver.call(
        "iReadCard", iType=1, iAuthType=2, pCardInfo=info, pFileAddr=HOUSE
    ),
    "iReadCard by PIN": lambda driver, info: driver.call(
        "iReadCard", iType=1, iAuthType=1, pCardInfo=info, pFileAddr=HOUSE
    ),
    "iWriteCard": lambda driver, info: driver.call(
        "iWriteCard", iType=1, pCardInfo=info, pFileAddr=HOUSE, pWriteData=HOUSE_DATA
    ),
    "iVerifyPIN": lambda driver, info: driver.call("iVerifyPIN", iType=1),
    "iChangePIN": lambda driver, info: driver.call("iChangePIN", iType=1),
    "iReloadPIN": lambda driver, info: driver.call("iReloadPIN", iType=1, pCardInfo=info),
    "iUnblockPIN": lambda driver, info: driver.call("iUnblockPIN", iType=1, pCardInfo=info),
    "iReadDebitRecord": lambda driver, info: driver.call("iReadDebitRecord", iType=1),
}


def storm(profile: Profile, only: frozenset[Kind] = frozenset(Kind)) -> Profile:
    """The same faults, so often that few commands are spared."""
    found = (each for each in profile.faults if each.kind in only)
    return Profile(tuple(replace(each, probability=min(each.probability * 5, 1)) for each in found))


def chaotic(inner: Channel, profile: Profile, seed: int, told: list[Struck]) -> ChaosChannel:
    return ChaosChannel(
        inner, profile, seed, told=told.append, sleep=lambda _: None, deadline=DEADLINE
    )


def runs(profile: str, seeds: int) -> Iterator[tuple[int, Profile]]:
    known = load_profile(profile)
    for seed in range(seeds):
        yield seed, storm(known) if seed % 2 else known


# The functions of LD/T 33


@pytest.mark.parametrize("profile", SHIPPED)
@pytest.mark.parametrize("name", CALLS)
def test_every_function_ends_with_a_code(name: str, profile: str) -> None:
    for seed, faults in runs(profile, 4):
        chip = activated("3.0")
        info, told = Reader("3.0", chip).info, list[Struck]()
        card = chaotic(MemoryChannel(chip), faults, seed, told)
        driver = Reader("3.0", chip).driver(card=card)
        code = CALLS[name](driver, info).code
        assert code <= 0
        assert told or code in (0, Code.INITIAL_PIN)


def booked(chip: Chip) -> int:
    """The purchases that the card has in its log."""
    return chip._ctx.tree.names[DF04.name].by_sfi[8].count


def purchase(generation: str, profile: Profile, seed: int) -> tuple[int, int]:
    """The code of a purchase over chaos, and how often the card booked it."""
    chip, told = activated(generation), list[Struck]()
    info = Reader(generation, chip).info
    card = chaotic(MemoryChannel(chip), profile, seed, told)
    driver = Reader(generation, chip).driver(PIN, card=card)
    code = driver.call("iDoDebit", iType=1, pCardInfo=info, pPayInfo=PAID).code
    chip.reset()
    return code, booked(chip)


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
@pytest.mark.parametrize("profile", SHIPPED)
def test_a_medical_purchase_is_booked_once_or_not_at_all(profile: str, generation: str) -> None:
    for seed, faults in runs(profile, 8):
        code, times = purchase(generation, faults, seed)
        assert code <= 0
        assert times <= 1
        assert times == 1 or code != 0


@pytest.mark.parametrize("kind", Kind)
def test_a_purchase_over_a_fault_at_any_command_is_booked_once_or_not_at_all(kind: Kind) -> None:
    for at in range(1, 21):
        fault = Fault(kind, at=(at,), seconds=2 * DEADLINE, sw=0x9000)
        code, times = purchase("2.0", Profile((fault,)), seed=at)
        assert times <= 1
        assert times == 1 or code != 0


# Payments


class ChaoticMarket(Market):
    """The world of money, with a cable that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.profile = Profile()
        self.seed = 0
        self.told: list[Struck] = []

    def cabled(self, slot: Channel) -> Channel:
        return chaotic(slot, self.profile, self.seed, self.told)

    def over(self, profile: Profile, seed: int, doing: Doing, amount: int) -> Result:
        self.profile, self.seed = profile, seed
        try:
            result = self.begin(doing, amount)
        finally:
            self.profile = Profile()
        assert result is not None
        return result


@pytest.fixture
def market() -> Iterator[ChaoticMarket]:
    found = ChaoticMarket()
    yield found
    found.close()


@pytest.mark.parametrize("doing", DOINGS.values(), ids=DOINGS.keys())
def test_no_fen_is_lost_where_the_cable_does_not_lie(market: ChaoticMarket, doing: Doing) -> None:
    market.happen(LOAD, 20_000)
    everything = load_profile("everything")
    for seed in range(5):
        result = market.over(storm(everything, HONEST), seed, doing, 1_000)
        market.end(doing, result)
        market.settle()
        market.agree()
    assert market.told


@pytest.mark.parametrize("kind", sorted(HONEST, key=lambda kind: kind.value))
@pytest.mark.parametrize("doing", [ONLINE, CASH, TAP, LOAD], ids=["online", "cash", "tap", "load"])
def test_no_fen_is_lost_over_a_fault_in_the_middle(
    market: ChaoticMarket, kind: Kind, doing: Doing
) -> None:
    market.happen(LOAD, 20_000)
    for at in (1, 4, 8, 11, 13, 15):
        fault = Fault(kind, at=(at,), seconds=2 * DEADLINE)
        market.end(doing, market.over(Profile((fault,)), at, doing, 100))
        market.settle()
        market.agree()
    assert market.told


@pytest.mark.parametrize("profile", SHIPPED)
@pytest.mark.parametrize("doing", [ONLINE, CASH, LOAD], ids=["online", "cash", "load"])
def test_nobody_pays_twice_whatever_the_cable_says(
    market: ChaoticMarket, doing: Doing, profile: str
) -> None:
    balance = MONEY
    for seed, faults in runs(profile, 4):
        market.over(faults, seed, doing, 1_000)
        market.settle()
        now = market.bank.account(PAN).balance
        assert balance - now in (0, 1_000)
        assert () == market.bank.audit()
        balance = now
