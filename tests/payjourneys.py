# SPDX-License-Identifier: Apache-2.0
"""What holders go through with their bank's application, at terminals and at the bank.

Every journey begins with a card of a shipped profile as it was issued, and an account with 1000.00
yuan. The recorded ones are in vectors/journeys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from books import VECTORS
from journeybench import Recorder
from journeytape import CARD, Entry, Remark, write
from payjourneybench import (
    CARD_SEED,
    DEPOSIT,
    MISTYPED,
    OFFLINE_PIN,
    PASSWORD,
    TERMINAL_SEED,
    Desk,
    chip_of,
)

from apdu.wire.pboc.flags import Cvr, TerminalCapabilities, Tvr, scripts_of
from host.issuer.scripts import application_block, application_unblock, pin_unblock
from host.terminal.kernel.transaction import Outcome
from host.terminal.pboc_log import balance, loads, transactions

FOLDER = VECTORS / "journeys"
ONLINE, OFFLINE = Outcome.APPROVED_ONLINE, Outcome.APPROVED_OFFLINE
_UNTRUSTED = Tvr.CDA_FAILED | Tvr.DDA_FAILED | Tvr.SDA_FAILED | Tvr.ISSUER_AUTHENTICATION_FAILED


def online_cda(desk: Desk) -> None:
    result = desk.pay(1_234, PASSWORD)
    assert (ONLINE, "00") == (result.outcome, result.response_code)
    assert not result.tvr & _UNTRUSTED
    assert result.cvr & Cvr.NEW_CARD
    assert desk.holds(DEPOSIT - 1_234, 0)
    again = desk.pay(100, PASSWORD)
    assert ONLINE is again.outcome
    assert not again.cvr & Cvr.NEW_CARD


def online_dda(desk: Desk) -> None:
    desk.without(TerminalCapabilities.CDA)
    result = desk.pay(1_234, PASSWORD)
    assert ONLINE is result.outcome
    assert result.cvr & Cvr.DDA_PERFORMED
    assert not result.tvr & _UNTRUSTED
    assert desk.holds(DEPOSIT - 1_234, 0)


def declined(desk: Desk) -> None:
    for amount, typed, code in (
        (DEPOSIT + 1, PASSWORD, "51"),
        (100, MISTYPED, "55"),
    ):
        result = desk.pay(amount, typed)
        assert (Outcome.DECLINED_ONLINE, code) == (result.outcome, result.response_code)
    desk.without(TerminalCapabilities.ONLINE_PIN)
    result = desk.pay(100, OFFLINE_PIN, online=False)
    assert Outcome.DECLINED_OFFLINE is result.outcome
    assert desk.holds(DEPOSIT, 0)


def cash(desk: Desk) -> None:
    assert ONLINE is desk.load(5_000, PASSWORD).outcome
    assert desk.holds(DEPOSIT - 5_000, 5_000)
    first = desk.pay(1_234, online=False, cash=True)
    second = desk.pay(300, online=False, cash=True)
    assert [OFFLINE, OFFLINE] == [first.outcome, second.outcome]
    desk.settle(first, second)
    assert desk.holds(DEPOSIT - 5_000, 5_000 - 1_534)
    # The card is told what it will have, so the issuer must know what it has.
    assert ONLINE is desk.load(1_000, PASSWORD).outcome
    assert desk.holds(DEPOSIT - 6_000, 6_000 - 1_534)
    card = desk.card(CARD)
    assert 6_000 - 1_534 == balance(card).balance
    assert [1_000, 300, 1_234, 5_000] == [each.amount for each in transactions(card)]
    # The second script says first what the card has, so that its counter of commands tells more.
    written = [(each.before, each.after) for each in loads(card)]
    assert [(3_466, 4_466), (3_466, 3_466), (0, 5_000)] == written


def tap_offline(desk: Desk) -> None:
    assert ONLINE is desk.load(5_000, PASSWORD).outcome
    result = desk.tap(560, online=False)
    assert (OFFLINE, 5_000 - 560) == (result.outcome, result.available)
    desk.settle(result)
    assert Outcome.DECLINED_OFFLINE is desk.tap(5_000, online=False).outcome
    assert desk.holds(DEPOSIT - 5_000, 5_000 - 560)


def tap_online(desk: Desk) -> None:
    result = desk.tap(1_234, force=True)
    assert (ONLINE, "00") == (result.outcome, result.response_code)
    assert desk.holds(DEPOSIT - 1_234, 0)
    # Above the card's own limit the holder is to be verified.
    assert ONLINE is desk.tap(40_000, PASSWORD).outcome
    assert "51" == desk.tap(90_000, PASSWORD).response_code
    assert desk.holds(DEPOSIT - 41_234, 0)


def unblocked_pin(desk: Desk) -> None:
    desk.without(TerminalCapabilities.ONLINE_PIN)
    mistyped = desk.pay(100, MISTYPED, MISTYPED, MISTYPED)
    assert mistyped.tvr & Tvr.PIN_TRIES_EXCEEDED
    desk.wants(pin_unblock())
    blocked = desk.pay(100)
    assert blocked.cvr & Cvr.PIN_TRIES_EXCEEDED
    result = desk.pay(100, OFFLINE_PIN)
    assert ONLINE is result.outcome
    assert not result.tvr & (Tvr.PIN_TRIES_EXCEEDED | Tvr.CARDHOLDER_VERIFICATION_FAILED)
    assert result.cvr & Cvr.PIN_VERIFICATION_PERFORMED
    assert 1 == scripts_of(result.cvr)


def blocked_application(desk: Desk) -> None:
    desk.wants(application_block())
    assert ONLINE is desk.pay(100, PASSWORD).outcome
    assert Outcome.TERMINATED is desk.pay(100).outcome
    assert Outcome.TERMINATED is desk.tap(100).outcome
    desk.counter(application_unblock())
    assert ONLINE is desk.pay(100, PASSWORD).outcome
    assert desk.holds(DEPOSIT - 200, 0)


@dataclass(frozen=True)
class Journey:
    """A journey, the profile of its card, and what its recording says it is."""

    play: Callable[[Desk], None]
    about: str
    profile: str = "rsa-1152"
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"pay_{self.play.__name__}{self.suffix}"

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.apdu"

    def recorded(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def record(self) -> str:
        """As it is today."""
        wire = Recorder("", {CARD: chip_of(self.profile)})
        self.play(Desk(wire, self.profile))
        return self.written(wire.entries)

    def written(self, entries: list[Entry]) -> str:
        """The text of a journey that took place."""
        header = [
            *wrap(f"{self.about}.", 98),
            f"card: issue_test_card(seed={CARD_SEED}, bank={self.profile!r})",
            f"terminal: the shipped terminal.toml, its chance seeded({TERMINAL_SEED}, ...).random",
            "issuer: host.issuer over books in memory, an account with 1000.00 yuan",
            "source: ours; the chip of this project answered the terminal of this project",
            "how: PYTHONPATH=.:tests python tests/together/test_payment_journeys.py",
            "checked: by the journey itself: outcomes, bits, sums (tests/payjourneys.py)",
            "lines: as tests/journeytape.py says; PINs are test PINs in the clear",
        ]
        return write([*map(Remark, header), *entries])


JOURNEYS = (
    Journey(
        online_cda,
        "Two online purchases with a signed cryptogram (CDA) and the transaction password: the"
        " first of a new card, and one after the issuer has proven itself",
    ),
    Journey(
        online_dda,
        "An online purchase at a terminal that can do DDA and not CDA: the card signs by itself,"
        " then asks the issuer, whose ARPC it believes",
    ),
    Journey(
        online_cda,
        "The same as with RSA and 3DES under the national algorithms: SM2 certificates and"
        " signatures, SM3, and cryptograms under SM4",
        "sm2",
        "_sm",
    ),
    Journey(
        declined,
        "Declined: no funds, a wrong transaction password, and a purchase that would have to go"
        " online at a terminal that cannot",
    ),
    Journey(
        cash,
        "Electronic cash: loaded from the account by a script, paid twice offline in the slot,"
        " settled later, loaded again, and both logs read",
    ),
    Journey(
        tap_offline,
        "Taps without the issuer: one that the card pays by itself, and one for which it has not"
        " enough",
    ),
    Journey(
        tap_online,
        "Taps that the issuer decides: one that the merchant wants so, one above the card's limit"
        " with the password, and one without funds",
    ),
    Journey(
        unblocked_pin,
        "An offline PIN mistyped until it is blocked, unblocked by the issuer's script with the"
        " next online purchase, and shown again",
    ),
    Journey(
        blocked_application,
        "An application blocked by the issuer's script, refused by terminals, and unblocked at the"
        " bank's counter",
    ),
    Journey(
        cash,
        "Electronic cash under the national algorithms: loaded by a script under SM4, paid twice"
        " offline, settled later, loaded again, and both logs read",
        "sm2",
        "_sm",
    ),
)
