# SPDX-License-Identifier: Apache-2.0
"""Every bit that a card or a terminal tells of a transaction (TVR, TSI, CVR, CTQ) is told by a
whole one: a real card at the real kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import IntFlag
from typing import NamedTuple

import pytest
from bitbench import (
    ASKING,
    AUC_RECORD,
    BAD_COMMAND,
    FALSE,
    GOOD_COMMAND,
    LIST_RECORD,
    PIN,
    SILENT,
    STRICT,
    UNPROVEN,
    WILLING,
    WRONG,
    Desk,
    element,
    record,
    scripting,
    typed,
    verification,
    willing,
)
from paymentbench import fen
from slots import Pulled

from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import (
    Ada,
    CardProcessing,
    Ctq,
    Cvr,
    TerminalCapabilities,
    Tsi,
    Tvr,
    first_of,
    scripts_of,
    second_of,
)
from apdu.wire.pboc.flags import Result as Kind
from host.network.authorisation import Purpose
from host.terminal.kernel.capks import AuthorityKeys
from host.terminal.kernel.config import TerminalConfig
from host.terminal.result import Result

Bit = Tvr | Tsi | Cvr | Ctq
NUMBERS = Cvr.FIRST | Cvr.SECOND | Cvr.SCRIPTS
"""Fields of the CVR that are no bits by themselves."""
PAN = "6228000100001117"
OFFLINE_METHODS = TerminalCapabilities.SDA | TerminalCapabilities.DDA | TerminalCapabilities.CDA


def able(without: int, more: int = 0) -> TerminalConfig:
    return replace(WILLING, capabilities=WILLING.capabilities & ~without | more)


KEYLESS = replace(WILLING, keys=AuthorityKeys())
ONLY_SDA = able(OFFLINE_METHODS, TerminalCapabilities.SDA)
OFFLINE_PIN = verification("0100")
ONLINE_PIN = verification("0200")


class Scenario(NamedTuple):
    """What happens, and the bits that it is there for."""

    run: Callable[[], Result]
    told: tuple[Bit, ...]


def after(before: Callable[[Desk], Result]) -> Result:
    """The transaction with a card that comes after another one."""
    desk = Desk()
    before(desk)
    return desk.pay()


SCENARIOS: dict[str, Scenario] = {
    # Offline data authentication
    "no method in common": Scenario(
        lambda: Desk().pay(setup=able(OFFLINE_METHODS)), (Tvr.ODA_NOT_PERFORMED,)
    ),
    "a card without the data for SDA": Scenario(
        lambda: Desk().pay(setup=ONLY_SDA),
        (Tvr.SDA_SELECTED, Tvr.SDA_FAILED, Tvr.ICC_DATA_MISSING),
    ),
    "DDA under an unknown authority": Scenario(
        lambda: Desk().pay(setup=KEYLESS), (Tvr.DDA_FAILED,)
    ),
    "CDA under an unknown authority": Scenario(
        lambda: Desk(base="rsa-1152").pay(setup=KEYLESS), (Tvr.CDA_FAILED,)
    ),
    "DDA": Scenario(lambda: Desk().pay(), (Tsi.ODA_PERFORMED, Cvr.DDA_PERFORMED)),
    # Restrictions
    "another version": Scenario(
        lambda: Desk().pay(setup=willing({"version": b"\x00\x20"})), (Tvr.DIFFERENT_VERSIONS,)
    ),
    "after its last day": Scenario(lambda: Desk().pay(time=datetime(2031, 1, 1)), (Tvr.EXPIRED,)),
    "before its first day": Scenario(
        lambda: Desk(groups=record(0x0301, {tags.EFFECTIVE: b"\x26\x01\x06"})).pay(),
        (Tvr.NOT_YET_EFFECTIVE,),
    ),
    "of no use here": Scenario(
        lambda: Desk(groups=record(AUC_RECORD, {tags.AUC: bytes(2)})).pay(),
        (Tvr.SERVICE_NOT_ALLOWED,),
    ),
    # The holder
    "the last method fails": Scenario(
        lambda: Desk(groups=verification("0000")).pay(),
        (Tvr.CARDHOLDER_VERIFICATION_FAILED, Tsi.CARDHOLDER_VERIFIED),
    ),
    "a method that nobody knows": Scenario(
        lambda: Desk(groups=verification("47001F00")).pay(), (Tvr.UNRECOGNISED_CVM,)
    ),
    "no PIN pad": Scenario(lambda: Desk(groups=ONLINE_PIN).pay(), (Tvr.PIN_PAD_MISSING,)),
    "no PIN": Scenario(
        lambda: Desk(groups=OFFLINE_PIN).pay(pad=typed(None)), (Tvr.PIN_NOT_ENTERED,)
    ),
    "an online PIN": Scenario(
        lambda: Desk(groups=ONLINE_PIN).pay(pad=typed("271828")), (Tvr.ONLINE_PIN_ENTERED,)
    ),
    "the right PIN": Scenario(
        lambda: Desk(groups=OFFLINE_PIN).pay(pad=typed(PIN)), (Cvr.PIN_VERIFICATION_PERFORMED,)
    ),
    "a wrong PIN": Scenario(
        lambda: Desk(groups=OFFLINE_PIN).pay(pad=typed(WRONG)),
        (Cvr.PIN_VERIFICATION_PERFORMED, Cvr.PIN_VERIFICATION_FAILED),
    ),
    "three wrong PINs": Scenario(
        lambda: Desk(groups=OFFLINE_PIN).pay(pad=typed(*[WRONG] * 3)),
        (Tvr.PIN_TRIES_EXCEEDED, Cvr.PIN_TRIES_EXCEEDED),
    ),
    "three wrong PINs block it": Scenario(
        lambda: Desk({tags.ADA: int(Ada.BLOCK_ON_PIN_TRIES).to_bytes(2)}, OFFLINE_PIN).pay(
            pad=typed(*[WRONG] * 3)
        ),
        (Cvr.BLOCKED_FOR_PIN,),
    ),
    # The terminal's risk
    "on the exception file": Scenario(
        lambda: Desk().pay(setup=replace(WILLING, exceptions=frozenset({PAN}))),
        (Tvr.ON_EXCEPTION_FILE,),
    ),
    "a new card": Scenario(lambda: Desk(new=True).pay(), (Tvr.NEW_CARD, Cvr.NEW_CARD)),
    "the floor limit": Scenario(
        lambda: Desk().pay(setup=willing({"risk": {"floor_limit": 100}})),
        (Tvr.FLOOR_LIMIT_EXCEEDED, Tsi.TERMINAL_RISK_MANAGED),
    ),
    "chance": Scenario(
        lambda: Desk().pay(setup=willing({"risk": {"random_target": 1}})),
        (Tvr.SELECTED_AT_RANDOM,),
    ),
    "the merchant": Scenario(lambda: Desk().pay(force_online=True), (Tvr.MERCHANT_FORCED_ONLINE,)),
    "long offline": Scenario(
        lambda: Desk(atc=9).pay(),
        (Tvr.LOWER_LIMIT_EXCEEDED, Tvr.UPPER_LIMIT_EXCEEDED, Cvr.VELOCITY_EXCEEDED),
    ),
    "a hash of a TDOL that there is not": Scenario(
        lambda: Desk(
            groups=record(LIST_RECORD, {tags.CDOL1: element(LIST_RECORD, tags.CDOL1) + b"\x98\x14"})
        ).pay(),
        (Tvr.DEFAULT_TDOL_USED, Tsi.CARD_RISK_MANAGED),
    ),
    # The issuer
    "an issuer that proves itself": Scenario(
        lambda: Desk().pay(setup=ASKING), (Tsi.ISSUER_AUTHENTICATED,)
    ),
    "an issuer that is none": Scenario(
        lambda: Desk().pay(setup=ASKING, issuer=FALSE),
        (Tvr.ISSUER_AUTHENTICATION_FAILED, Cvr.ISSUER_AUTHENTICATION_FAILED),
    ),
    "an issuer that was none, last time": Scenario(
        lambda: after(lambda desk: desk.pay(setup=ASKING, issuer=FALSE)),
        (Cvr.LAST_ISSUER_AUTHENTICATION_FAILED,),
    ),
    "an issuer that proves nothing": Scenario(
        lambda: Desk().pay(setup=ASKING, issuer=UNPROVEN), (Cvr.NO_ISSUER_AUTHENTICATION,)
    ),
    "no answer": Scenario(
        lambda: Desk().pay(setup=ASKING, issuer=SILENT), (Cvr.UNABLE_TO_GO_ONLINE,)
    ),
    "pulled while the issuer was asked": Scenario(
        lambda: after(
            lambda desk: desk.pay(setup=ASKING, channel=Pulled(desk.chip, "0082", False))
        ),
        (Cvr.LAST_ONLINE_NOT_COMPLETED,),
    ),
    "a script that fails early": Scenario(
        lambda: Desk().pay(setup=ASKING, issuer=scripting(BAD_COMMAND, tag=0x71)),
        (Tvr.SCRIPT_FAILED_BEFORE_FINAL, Tsi.SCRIPTS_PROCESSED),
    ),
    "a script that fails late": Scenario(
        lambda: Desk().pay(setup=ASKING, issuer=scripting(BAD_COMMAND)),
        (Tvr.SCRIPT_FAILED_AFTER_FINAL,),
    ),
    "a script that failed last time": Scenario(
        lambda: after(lambda desk: desk.pay(setup=ASKING, issuer=scripting(BAD_COMMAND))),
        (Cvr.LAST_SCRIPT_FAILED,),
    ),
    # What failed before
    "SDA failed last time": Scenario(
        lambda: after(
            lambda desk: desk.pay(setup=replace(STRICT, capabilities=ONLY_SDA.capabilities))
        ),
        (Cvr.LAST_SDA_FAILED,),
    ),
    "DDA failed last time": Scenario(
        lambda: after(lambda desk: desk.pay(setup=replace(STRICT, keys=AuthorityKeys()))),
        (Cvr.LAST_DDA_FAILED,),
    ),
}


def tapping(bits: CardProcessing, ctq: int = 0, cash: int = 5000) -> Desk:
    return Desk(
        {
            tags.CARD_PROCESSING: int(bits).to_bytes(4),
            tags.CTQ: ctq.to_bytes(2),
            tags.EC_RESET_THRESHOLD: fen(0),
            tags.EC_BALANCE: fen(cash),
        }
    )


CASH = CardProcessing.CASH_CHECK
ABOVE = 600
"""Above the published card's limit for taps without the holder (9F6B)."""
SCENARIOS |= {
    "a tap with the online PIN": Scenario(
        lambda: tapping(CASH | CardProcessing.ONLINE_PIN).tap(ABOVE, pad=typed("271828")),
        (Ctq.ONLINE_PIN,),
    ),
    "a tap that is signed": Scenario(
        lambda: tapping(CASH | CardProcessing.SIGNATURE).tap(ABOVE), (Ctq.SIGNATURE,)
    ),
    "a tap to be asked about": Scenario(
        lambda: tapping(CASH, Ctq.ONLINE_IF_ODA_FAILS).tap(setup=KEYLESS),
        (Ctq.ONLINE_IF_ODA_FAILS,),
    ),
    "a tap to be made in the slot": Scenario(
        lambda: tapping(CASH, Ctq.CONTACT_IF_ODA_FAILS).tap(setup=KEYLESS),
        (Ctq.CONTACT_IF_ODA_FAILS,),
    ),
}


def is_told(bit: Bit, result: Result) -> bool:
    match bit:
        case Tvr():
            return bool(result.tvr & bit)
        case Tsi():
            return bool(result.tsi & bit)
        case Cvr():
            return bool(result.cvr & bit)
        case Ctq():
            return result.ctq is not None and bool(result.ctq & bit)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_whole_transaction_tells_it(name: str) -> None:
    run, told = SCENARIOS[name]
    result = run()
    assert {each.name: True for each in told} == {each.name: is_told(each, result) for each in told}


@pytest.mark.parametrize("kind", [Tvr, Tsi, Cvr, Ctq])
def test_no_bit_is_left_out(kind: type[IntFlag]) -> None:
    reached = {bit for each in SCENARIOS.values() for bit in each.told if isinstance(bit, kind)}
    wanted = {bit for bit in kind.__members__.values() if not bit & NUMBERS or kind is not Cvr}
    assert set() == {bit.name for bit in wanted - reached}


def test_a_transaction_with_nothing_wrong_tells_none_of_what_is_wrong() -> None:
    result = Desk().pay()
    assert Tvr(0) == result.tvr
    assert Cvr.DDA_PERFORMED == result.cvr & ~NUMBERS


# The numbers in the CVR

RESULTS: dict[str, tuple[Callable[[], Result], Kind, Kind]] = {
    "TC": (lambda: Desk().pay(), Kind.TC, Kind.ARQC),
    "AAC": (lambda: Desk().pay(setup=STRICT), Kind.AAC, Kind.ARQC),
    "ARQC, TC": (lambda: Desk().pay(setup=ASKING), Kind.ARQC, Kind.TC),
    "ARQC, AAC": (
        lambda: Desk().pay(0, setup=ASKING, issuer=SILENT, purpose=Purpose.WITHDRAWAL),
        Kind.ARQC,
        Kind.AAC,
    ),
    "tap TC": (lambda: tapping(CASH).tap(), Kind.TC, Kind.ARQC),
    "tap ARQC": (lambda: tapping(CASH).tap(force_online=True), Kind.ARQC, Kind.ARQC),
    "tap AAC": (lambda: tapping(CASH, cash=0).tap(online=False), Kind.AAC, Kind.ARQC),
}


@pytest.mark.parametrize("name", RESULTS)
def test_the_cvr_tells_both_results(name: str) -> None:
    run, first, second = RESULTS[name]
    cvr = run().cvr
    assert (first, second) == (first_of(cvr), second_of(cvr))


@pytest.mark.parametrize("count", [*range(16), 20])
def test_the_cvr_tells_how_many_commands_the_last_scripts_had(count: int) -> None:
    desk = Desk()
    issuer = scripting(*[GOOD_COMMAND] * count)
    assert desk.pay(setup=ASKING, issuer=issuer).approved
    assert min(count, 15) == scripts_of(desk.pay().cvr)
