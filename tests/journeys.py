# SPDX-License-Identifier: Apache-2.0
"""What holders go through with their cards, in calls of LD/T 33 functions.

Every journey begins with a card as it was issued. Each takes place on all generations that its
table entry names; the recorded ones are in vectors/journeys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from journeybench import DEVICE, OTHER, Desk
from journeytape import LATE, UNHEARD

from apdu.sw import SW
from apdu.wire.hrss.medical import DEBIT
from host.cli.testcard import TEST_HOLDER, TEST_TERMINAL
from host.driver import Code

"""A key that was wrong once, of its 15 tries."""
FOREIGN = "440300"
"""A city in another province than the card's."""
MEDICAL = "DF04EF05|81|84|87|8C|83|$"
INSURED = "DF04EF05|31000000|430200|00000000000000017|11|H43020001|$"
PHONE, PHONED = "DF01EF06|28|2C|$", "DF01EF06|073100000000|测试联系人|$"
HOUSEHOLD = "DF01EF05|20|21|0E|$"
NO_HOUSEHOLD = "DF01EF05||||$"
TOTALS = "DF04EF06|90|92|93|$"
MORNING, NOON, EVENING = "20260106081500", "20260106120000", "20260106183000"
NOWHERE = "990000000009"
"""The number of a terminal without a PSAM."""

Given = dict[str, int | str]
"""Parameters of a function."""


def card_info(basics: str) -> str:
    """pCardInfo, from what iReadCardBas says."""
    _, _, number, code, *_ = basics.split("|")
    return f"{code}|{number}|"


def basics(desk: Desk, iType: int = 1) -> str:
    """Read the basic data, and pCardInfo from it."""
    said = desk.ok("iReadCardBas", iType=iType)
    _of_the_test_holder(said)
    return card_info(said)


def basics_by_hand(desk: Desk) -> str:
    """The same, by which the centre learns the card too."""
    said = desk.by_hand("iReadCardBas", iType=1)
    _of_the_test_holder(said)
    return card_info(said)


def _of_the_test_holder(said: str) -> None:
    region, number, card_number, _, name, *_, terminal, device, end = said.split("|")
    who = TEST_HOLDER
    assert (who.region, who.number, who.card_number) == (region, number, card_number)
    assert (who.name, DEVICE, "") == (name, device, end)
    assert terminal in (TEST_TERMINAL, NOWHERE)


def choose_pin(desk: Desk) -> None:
    pins = desk.pins
    pin = pins.chosen
    desk.ok("iChangePIN", pins.initial, pin, pin, iType=1)


def records(desk: Desk, pin: str) -> list[str]:
    """The purchases on the card, the newest first, without terminal and type."""
    said = desk.ok("iReadDebitRecord", pin, iType=1)
    assert said.endswith("$") or not said
    found = [each.split("|") for each in said.split("$")[:-1]]
    return [f"{int(number)} {at} {own}" for number, _, _, at, own, _, _, _ in found]


# The journeys


def hospital_registration(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()
    info = basics(desk, iType=3)
    desk.ok("iWriteCard", iType=1, pCardInfo=info, pFileAddr=MEDICAL, pWriteData=INSURED)
    desk.ok("iVerifyPIN", pins.initial, iType=1)
    asked: Given = {"iType": 1, "pCardInfo": info}
    assert INSURED == desk.ok("iReadCard", pins.initial, iAuthType=1, pFileAddr=MEDICAL, **asked)
    assert INSURED == desk.ok("iReadCard", iAuthType=2, pFileAddr=MEDICAL, **asked)
    assert "DF04EF06|1|0|00|$" == desk.ok(
        "iReadCard", pins.initial, iAuthType=2, pFileAddr=TOTALS, **asked
    )
    another: Given = {"iType": 1, "pCardInfo": info.replace("B00000131", "A12345674")}
    desk.refused(Code.OTHER_CARD, "iReadCard", iAuthType=2, pFileAddr=MEDICAL, **another)


def pharmacy(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()
    bought: Given = {"iType": 1, "pCardInfo": basics(desk), "pPayInfo": f"12.34|0.56|{MORNING}|"}
    desk.refused(Code.INITIAL_PIN, "iDoDebit", pins.initial, **bought)
    choose_pin(desk)
    said = desk.ok("iDoDebit", pins.chosen, **bought).split("|")
    assert ["0001", "00000001", MORNING, TEST_TERMINAL, "1", ""] == said[:2] + said[3:]
    assert [f"1 {MORNING} 1234"] == records(desk, pins.chosen)


def window_pin_reset(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()
    info = basics(desk)
    choose_pin(desk)
    for _ in range(6):
        desk.refused(Code.PIN_WRONG, "iVerifyPIN", pins.mistyped, iType=1)
    desk.refused(Code.PIN_BLOCKED, "iVerifyPIN", pins.chosen, iType=1)
    desk.ok("iUnblockPIN", iType=1, pCardInfo=info)
    desk.ok("iVerifyPIN", pins.chosen, iType=1)
    desk.refused(Code.PINS_DIFFER, "iReloadPIN", pins.newer, pins.mistyped, iType=1, pCardInfo=info)
    desk.ok("iReloadPIN", pins.newer, pins.newer, iType=1, pCardInfo=info)
    desk.refused(Code.PIN_WRONG, "iVerifyPIN", pins.chosen, iType=1)
    desk.ok("iVerifyPIN", pins.newer, iType=1)


def kiosk_pin_change(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()

    def change(*typed: str | None) -> int:
        return desk.call("iChangePIN", *typed, iType=4).code

    assert Code.PIN_WRONG == change(pins.mistyped, pins.chosen, pins.chosen)
    assert Code.PINS_DIFFER == change(pins.initial, pins.chosen, pins.mistyped)
    assert Code.PIN_LENGTH == change("12345")
    assert Code.CANCELLED == change(pins.initial, None)
    assert Code.TO_INITIAL_PIN == change(pins.initial, pins.initial, pins.initial)
    assert 0 == change(pins.initial, pins.chosen, pins.chosen)
    assert 0 == change(pins.chosen, pins.newer, pins.newer)
    assert Code.TO_INITIAL_PIN == change(pins.newer, pins.initial, pins.initial)
    desk.ok("iVerifyPIN", pins.newer, iType=1)


def cross_region_read(desk: Desk) -> None:
    desk.terminal()
    asked: Given = {"iType": 1, "pCardInfo": basics(desk), "pFileAddr": HOUSEHOLD}
    assert NO_HOUSEHOLD == desk.ok("iReadCard", iAuthType=2, **asked)
    desk.terminal(FOREIGN)
    desk.refused(Code.KEY_USE, "iReadCardBas", iType=1)
    desk.refused(Code.KEY_USE, "iReadCard", iAuthType=2, **asked)
    assert asked["pCardInfo"] == basics_by_hand(desk)
    assert NO_HOUSEHOLD == desk.by_hand("iReadCard", **asked)


def medical_purchase(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()
    info = basics(desk)
    choose_pin(desk)

    def pay(amount: str, at: str) -> dict[str, int | str]:
        return {"iType": 1, "pCardInfo": info, "pPayInfo": f"{amount}|0|{at}|"}

    desk.ok("iDoDebit", pins.chosen, **pay("10", MORNING))
    desk.pull_at(DEBIT.ins, UNHEARD)
    desk.refused(Code.NO_CARD, "iDoDebit", pins.chosen, **pay("20.50", NOON))
    desk.refused(Code.NO_CARD, "iReadDebitRecord", iType=1)
    desk.put_back()
    booked = [f"2 {NOON} 2050", f"1 {MORNING} 1000"]
    assert booked == records(desk, pins.chosen)
    desk.pull_at(DEBIT.ins, LATE)
    desk.refused(Code.NO_CARD, "iDoDebit", pins.chosen, **pay("0.07", EVENING))
    desk.put_back()
    assert booked == records(desk, pins.chosen)
    number, of_terminal, *_ = desk.ok("iDoDebit", pins.chosen, **pay("0.07", EVENING)).split("|")
    assert ("0003", "00000004") == (number, of_terminal)
    totals: Given = {"iType": 1, "iAuthType": 2, "pCardInfo": info, "pFileAddr": TOTALS}
    assert "DF04EF06|1|3057|03|$" == desk.ok("iReadCard", pins.chosen, **totals)


def hsm_reading(desk: Desk) -> None:
    """A terminal without a PSAM, whose program goes to the centre by itself."""
    desk.terminal(None)
    answer = desk.call("iReadCardBas", iType=1)
    assert (Code.NO_PSAM if desk.generation == "3.0" else 0) == answer.code
    info = basics_by_hand(desk)
    asked: Given = {"iType": 1, "pCardInfo": info, "pFileAddr": HOUSEHOLD}
    desk.refused(Code.NO_PSAM, "iReadCard", iAuthType=2, **asked)
    assert NO_HOUSEHOLD == desk.by_hand("iReadCard", **asked)
    written: Given = {"iType": 1, "pCardInfo": info, "pFileAddr": PHONE}
    assert "" == desk.by_hand("iWriteCard", pWriteData=PHONED, **written)
    assert PHONED == desk.by_hand("iReadCard", **written)
    desk.refused(
        Code.HSM_NOT_NEEDED, "iReadCard_HSM_Step1", **(asked | {"pFileAddr": "DF01EF16|$"})
    )
    line = desk.ok("iReadCard_HSM_Step1", **asked)
    desk.refused(Code.PARAMETER, "iWriteCard_HSM_Step2", pKey=desk.centre(line), pWriteData=PHONED)


def hsm_pin_reset(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal(None)
    choose_pin(desk)
    info = basics_by_hand(desk)
    for _ in range(6):
        desk.refused(Code.PIN_WRONG, "iVerifyPIN", pins.mistyped, iType=1)
    desk.refused(Code.NO_PSAM, "iUnblockPIN", iType=1, pCardInfo=info)
    assert "" == desk.by_hand("iUnblockPIN", iType=1, pCardInfo=info)
    desk.ok("iVerifyPIN", pins.chosen, iType=1)
    line = desk.ok("iReloadPIN_HSM_Step1", iType=1, pCardInfo=info)
    desk.refused(Code.CANCELLED, "iReloadPIN_HSM_Step2", None, pKey=desk.centre(line))
    assert "" == desk.by_hand("iReloadPIN", pins.newer, pins.newer, iType=1, pCardInfo=info)
    desk.ok("iVerifyPIN", pins.newer, iType=1)


def hsm_purchase(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal(None)
    choose_pin(desk)
    bought: Given = {
        "iType": 1,
        "pCardInfo": basics_by_hand(desk),
        "pPayInfo": f"12.34|0.56|{MORNING}|",
    }
    desk.refused(Code.NO_PSAM, "iDoDebit", **bought)
    line = desk.ok("iDoDebit_HSM_Step1", pins.chosen, **bought)
    said = desk.ok("iDoDebit_HSM_Step2", pKey=desk.centre(line)).split("|")
    assert ["0001", "00000001", MORNING, NOWHERE, "0", ""] == said[:2] + said[3:]
    assert [f"1 {MORNING} 1234"] == records(desk, pins.chosen)


def old_psam(desk: Desk) -> None:
    """A PSAM of the other algorithm, and a terminal that falls back on its line to the centre."""
    pins = desk.pins
    desk.terminal(OTHER[desk.generation], line=True)
    info = basics(desk)
    choose_pin(desk)
    written: Given = {"iType": 1, "pCardInfo": info, "pFileAddr": PHONE}
    desk.ok("iWriteCard", pWriteData=PHONED, **written)
    assert PHONED == desk.ok("iReadCard", iAuthType=2, **written)
    desk.ok("iUnblockPIN", iType=1, pCardInfo=info)
    desk.ok("iReloadPIN", pins.newer, pins.newer, iType=1, pCardInfo=info)
    desk.ok("iDoDebit", pins.newer, iType=1, pCardInfo=info, pPayInfo=f"0|3|{EVENING}|")
    assert [f"1 {EVENING} 0"] == records(desk, pins.newer)


def balance_purchase(desk: Desk) -> None:
    pins = desk.pins
    desk.terminal()
    info = basics(desk)
    choose_pin(desk)
    bought: Given = {"iType": 1, "pCardInfo": info, "pPayInfo": f"30|0|{NOON}|"}
    desk.refused(-SW.INSUFFICIENT_FUNDS, "iDoDebit", pins.chosen, **bought)
    assert 10_000 == desk.load(10_000, pins.chosen, datetime(2026, 1, 6, 8, 15), TEST_TERMINAL)
    desk.ok("iDoDebit", pins.chosen, **bought)
    assert [f"1 {NOON} 3000", f"1 {MORNING} 10000"] == records(desk, pins.chosen)
    held: Given = {"iType": 1, "iAuthType": 2, "pCardInfo": info, "pFileAddr": TOTALS}
    assert "DF04EF06|7000|0|0|$" == desk.ok("iReadCard", pins.chosen, **held)


@dataclass(frozen=True)
class Journey:
    """A journey and what its recordings say it is."""

    play: Callable[[Desk], None]
    about: str
    generations: tuple[str, ...] = ("2.0", "3.0")

    @property
    def name(self) -> str:
        return self.play.__name__


JOURNEYS = (
    Journey(
        hospital_registration,
        "Registration at a hospital: the basic data, the insurance written, the PIN shown,"
        " the insurance read by PIN and by key, the totals by both, another card refused",
    ),
    Journey(
        pharmacy,
        "First use at a pharmacy: the initial PIN cannot pay, so the holder chooses one, pays from"
        " the account, and reads the record",
    ),
    Journey(
        window_pin_reset,
        "PIN reset at a window: a PIN blocked by wrong tries, unblocked, then forgotten and"
        " reloaded, all with the keys of the PSAM",
    ),
    Journey(
        kiosk_pin_change,
        "PIN change at a kiosk: mistyped, entered twice differently, too short, cancelled, back to"
        " the initial one, and at last changed",
    ),
    Journey(
        cross_region_read,
        "A card in other regions: the nation's PSAM reads it, a foreign city's says that its"
        " keys are of another region and costs the card no try, the key centre helps in steps",
    ),
    Journey(
        medical_purchase,
        "Medical purchases with a PSAM: one that ends well, one whose card is pulled before it"
        " has answered, and has booked, one whose card is pulled before it was asked, and has not",
    ),
    Journey(
        hsm_reading,
        "A terminal without a PSAM: basic data, files and a change of a file in steps, the program"
        " carries the lines to the key centre; no key needed; a step out of order",
    ),
    Journey(
        hsm_pin_reset,
        "PIN unblock and reload in three steps through the key centre, once cancelled at the pad",
    ),
    Journey(hsm_purchase, "A purchase in two steps through the key centre, which judges no MAC2"),
    Journey(
        old_psam,
        "A PSAM of the other algorithm: every function falls back on the line to the key centre",
    ),
    Journey(
        balance_purchase,
        "A card of 1.0: no balance, then a load at the centre's own terminal, then a purchase",
        ("1.0",),
    ),
)
