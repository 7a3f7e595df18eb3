# SPDX-License-Identifier: Apache-2.0
"""Taps and their verdicts: every bit of 9F68 and of the TTQ that decides something, both ways."""

from __future__ import annotations

from dataclasses import replace

from apdu.wire.pboc.flags import CardProcessing as Bit
from apdu.wire.pboc.flags import Ctq, Cvr, Result, Ttq
from card_os.apps.pboc.tap import Purse, Tap

AAC, TC, ARQC = Result.AAC, Result.TC, Result.ARQC
CONTACT = None
"""Instead of a result: this is to be done in the slot."""
ONLINE = Ttq.QPBOC | Ttq.ONLINE_PIN | Ttq.SIGNATURE
OFFLINE = Ttq.QPBOC | Ttq.SIGNATURE | Ttq.OFFLINE_ONLY
PLAIN = Tap(
    ttq=int(ONLINE),
    amount=100,
    own_currency=True,
    processing=int(Bit.CASH_CHECK),
    purse=Purse(balance=5000, single_limit=1000, threshold=1500, spent=200, limit=700),
    cvm_limit=500,
    new_card=False,
    pin_blocked=False,
    international=0,
    international_limit=3,
)
"""A small amount in the card's currency, at a terminal that can go online: approved."""


def tap(*bits: Bit, ttq: Ttq = ONLINE, **changes: object) -> Tap:
    """A tap on a card with these bits of 9F68."""
    processing = int(sum(bits))
    return replace(PLAIN, processing=processing, ttq=int(ttq), **changes)  # type: ignore[arg-type]


def purse(**changes: int) -> Purse:
    return replace(PLAIN.purse, **changes)


C, A, O = Bit.CASH_CHECK, Bit.CASH_AND_CTTA_CHECK, Bit.CASH_OR_CTTA_CHECK  # noqa: E741
VELOCITY, NEW, TRIES = Cvr.VELOCITY_EXCEEDED, Cvr.NEW_CARD, Cvr.PIN_TRIES_EXCEEDED
NO, PIN, SIGN = Ctq(0), Ctq.ONLINE_PIN, Ctq.SIGNATURE
NEW_CARD, PIN_BLOCKED, ABROAD = {"new_card": True}, {"pin_blocked": True}, {"own_currency": False}
ALLOWED = Bit.OFFLINE_IN_OTHER_CURRENCY
WITH_PIN = Ttq.QPBOC | Ttq.ONLINE_PIN
BARE = Ttq.QPBOC
BARE_OFFLINE = Ttq.QPBOC | Ttq.OFFLINE_ONLY
HOLDER = Ttq.CVM_REQUIRED

TABLE: dict[str, tuple[Tap, Result | None, Cvr | int, Ctq]] = {
    # Whether the card takes the currency at all
    "own currency": (tap(C, Bit.REJECT_OTHER_CURRENCY), TC, 0, NO),
    "other currency, refused": (tap(C, ALLOWED, Bit.REJECT_OTHER_CURRENCY, **ABROAD), AAC, 0, NO),
    "other currency, taken": (tap(C, ALLOWED, **ABROAD), TC, 0, NO),
    "blocked": (tap(C, blocked=True), AAC, 0, NO),
    "blocked, new": (tap(C, Bit.NEW_CARD_CHECK, blocked=True, **NEW_CARD), AAC, 0, NO),
    # A terminal that cannot go online
    "offline": (tap(C, ttq=OFFLINE), TC, 0, NO),
    "offline, new": (tap(C, ttq=OFFLINE, **NEW_CARD), TC, 0, NO),
    "offline, new, refused": (
        tap(C, Bit.DECLINE_NEW_CARD_OFFLINE, ttq=OFFLINE, **NEW_CARD),
        AAC,
        0,
        NO,
    ),
    "offline, new, asked online only": (
        tap(C, Bit.NEW_CARD_CHECK, ttq=OFFLINE, **NEW_CARD),
        TC,
        0,
        NO,
    ),
    "offline, PIN blocked": (tap(C, ttq=OFFLINE, **PIN_BLOCKED), TC, 0, NO),
    "offline, PIN blocked, refused": (
        tap(C, Bit.PIN_TRIES_CHECK, ttq=OFFLINE, **PIN_BLOCKED),
        AAC,
        TRIES,
        NO,
    ),
    "offline, other currency not allowed": (tap(C, ttq=OFFLINE, **ABROAD), AAC, 0, NO),
    "offline, other currency allowed": (tap(C, ALLOWED, ttq=OFFLINE, **ABROAD), TC, 0, NO),
    "offline, holder": (tap(C, ttq=OFFLINE | HOLDER), CONTACT, 0, NO),
    "offline, holder signs": (tap(C, Bit.SIGNATURE, ttq=OFFLINE | HOLDER), TC, 0, SIGN),
    "offline, holder, no paper": (
        tap(C, Bit.SIGNATURE, ttq=BARE_OFFLINE | HOLDER),
        CONTACT,
        0,
        NO,
    ),
    "offline, holder, PIN is no help": (
        tap(C, Bit.ONLINE_PIN, ttq=BARE_OFFLINE | HOLDER | Ttq.ONLINE_PIN),
        CONTACT,
        0,
        NO,
    ),
    # The holder
    "at the limit": (tap(C, amount=500), TC, 0, NO),
    "above the limit": (tap(C, amount=501), CONTACT, 0, NO),
    "above the limit, PIN": (tap(C, Bit.ONLINE_PIN, amount=501), ARQC, 0, PIN),
    "above the limit, PIN before paper": (
        tap(C, Bit.ONLINE_PIN, Bit.SIGNATURE, amount=501),
        ARQC,
        0,
        PIN,
    ),
    "above the limit, no PIN pad": (
        tap(C, Bit.ONLINE_PIN, Bit.SIGNATURE, amount=501, ttq=BARE | Ttq.SIGNATURE),
        TC,
        0,
        SIGN,
    ),
    "above the limit, neither": (tap(C, Bit.SIGNATURE, amount=501, ttq=WITH_PIN), CONTACT, 0, NO),
    "wanted by the terminal": (tap(C, Bit.ONLINE_PIN, ttq=ONLINE | HOLDER), ARQC, 0, PIN),
    "PIN for the other currency only": (
        tap(C, Bit.ONLINE_PIN_IN_OTHER_CURRENCY, ttq=WITH_PIN | HOLDER),
        CONTACT,
        0,
        NO,
    ),
    "other currency, no holder": (tap(C, ALLOWED, amount=501, **ABROAD), TC, 0, NO),
    "other currency, holder": (
        tap(C, ALLOWED, Bit.CVM_IN_OTHER_CURRENCY, ttq=WITH_PIN, **ABROAD),
        CONTACT,
        0,
        NO,
    ),
    "other currency, PIN": (
        tap(
            C,
            ALLOWED,
            Bit.CVM_IN_OTHER_CURRENCY,
            Bit.ONLINE_PIN_IN_OTHER_CURRENCY,
            ttq=WITH_PIN,
            **ABROAD,
        ),
        ARQC,
        0,
        PIN,
    ),
    "other currency, PIN for the own only": (
        tap(C, ALLOWED, Bit.CVM_IN_OTHER_CURRENCY, Bit.ONLINE_PIN, ttq=WITH_PIN, **ABROAD),
        CONTACT,
        0,
        NO,
    ),
    # What makes the card ask
    "cryptogram wanted": (tap(C, ttq=ONLINE | Ttq.CRYPTOGRAM_REQUIRED), ARQC, 0, NO),
    "cryptogram wanted, offline": (tap(C, ttq=OFFLINE | Ttq.CRYPTOGRAM_REQUIRED), TC, 0, NO),
    "other currency, asked": (tap(C, **ABROAD), ARQC, 0, NO),
    "new": (tap(C, **NEW_CARD), TC, 0, NO),
    "new, asked": (tap(C, Bit.NEW_CARD_CHECK, **NEW_CARD), ARQC, NEW, NO),
    "PIN blocked": (tap(C, **PIN_BLOCKED), TC, 0, NO),
    "PIN blocked, asked": (tap(C, Bit.PIN_TRIES_CHECK, **PIN_BLOCKED), ARQC, TRIES, NO),
    "new and PIN blocked": (
        tap(C, Bit.NEW_CARD_CHECK, Bit.PIN_TRIES_CHECK, **NEW_CARD, **PIN_BLOCKED),
        ARQC,
        NEW,
        NO,
    ),
    "signed for and asked": (
        tap(C, Bit.SIGNATURE, Bit.NEW_CARD_CHECK, ttq=ONLINE | HOLDER, **NEW_CARD),
        ARQC,
        NEW,
        SIGN,
    ),
    # Electronic cash
    "cash, up to the single limit": (tap(C, amount=1000, cvm_limit=5000), TC, 0, NO),
    "cash, above the single limit": (tap(C, amount=1001, cvm_limit=5000), ARQC, VELOCITY, NO),
    "cash, above it, offline": (
        tap(C, amount=1001, cvm_limit=5000, ttq=OFFLINE),
        AAC,
        VELOCITY,
        NO,
    ),
    "cash, the last of it": (tap(C, purse=purse(balance=100, threshold=0)), TC, 0, NO),
    "cash, not enough": (tap(C, purse=purse(balance=99, threshold=0)), ARQC, VELOCITY, NO),
    "cash, not enough, offline": (tap(C, purse=purse(balance=99), ttq=OFFLINE), AAC, VELOCITY, NO),
    "cash, as much as must stay": (tap(C, purse=purse(balance=1600)), TC, 0, NO),
    "cash, low": (tap(C, purse=purse(balance=1599)), ARQC, VELOCITY, NO),
    "cash, low, offline": (tap(C, purse=purse(balance=1599), ttq=OFFLINE), TC, 0, NO),
    "cash alone does not look at CTTA": (tap(C, purse=purse(spent=700)), TC, 0, NO),
    # Cash and CTTA
    "both": (tap(A), TC, 0, NO),
    "both, all the limit": (tap(A, amount=500), TC, 0, NO),
    "both, beyond the limit": (tap(A, amount=501, cvm_limit=900), ARQC, VELOCITY, NO),
    "both, beyond, offline": (
        tap(A, amount=501, cvm_limit=900, ttq=OFFLINE),
        AAC,
        VELOCITY,
        NO,
    ),
    "both, no cash": (tap(A, purse=purse(balance=99, threshold=0)), ARQC, VELOCITY, NO),
    "both, single limit": (tap(A, purse=purse(single_limit=99)), ARQC, VELOCITY, NO),
    "both, low": (tap(A, purse=purse(balance=1599)), ARQC, VELOCITY, NO),
    "both, low, offline": (tap(A, purse=purse(balance=1599), ttq=OFFLINE), TC, 0, NO),
    # Cash or CTTA
    "either": (tap(O), TC, 0, NO),
    "either, cash alone": (tap(O, purse=purse(spent=700)), TC, 0, NO),
    "either, CTTA alone": (tap(O, purse=purse(balance=99)), TC, 0, NO),
    "either, neither": (tap(O, purse=purse(balance=99, spent=601)), ARQC, VELOCITY, NO),
    "either, neither, offline": (
        tap(O, purse=purse(balance=99, spent=601), ttq=OFFLINE),
        AAC,
        VELOCITY,
        NO,
    ),
    "either, single limit": (tap(O, purse=purse(single_limit=99)), ARQC, VELOCITY, NO),
    "either has no threshold": (tap(O, purse=purse(balance=100)), TC, 0, NO),
    # The first method counts
    "cash before both": (tap(C, A, purse=purse(spent=700)), TC, 0, NO),
    "both before either": (tap(A, O, purse=purse(spent=700)), ARQC, VELOCITY, NO),
    "no method": (tap(), ARQC, 0, NO),
    "no method, offline": (tap(ttq=OFFLINE), AAC, 0, NO),
    # Other currencies
    "the last one abroad": (tap(C, ALLOWED, international=2, **ABROAD), TC, 0, NO),
    "one too many abroad": (tap(C, ALLOWED, international=3, **ABROAD), ARQC, VELOCITY, NO),
    "one too many abroad, offline": (
        tap(C, ALLOWED, international=3, ttq=OFFLINE, **ABROAD),
        AAC,
        VELOCITY,
        NO,
    ),
    # The slot instead
    "slot instead": (
        tap(C, Bit.CONTACT_INSTEAD_OF_ONLINE, amount=1001, cvm_limit=5000, ttq=ONLINE),
        ARQC,
        VELOCITY,
        NO,
    ),
    "slot instead, there is one": (
        tap(
            C,
            Bit.CONTACT_INSTEAD_OF_ONLINE,
            amount=1001,
            cvm_limit=5000,
            ttq=ONLINE | Ttq.CONTACT_PBOC,
        ),
        CONTACT,
        VELOCITY,
        NO,
    ),
    "slot not needed": (
        tap(C, Bit.CONTACT_INSTEAD_OF_ONLINE, ttq=ONLINE | Ttq.CONTACT_PBOC),
        TC,
        0,
        NO,
    ),
    "slot there, not asked for": (
        tap(C, amount=1001, cvm_limit=5000, ttq=ONLINE | Ttq.CONTACT_PBOC),
        ARQC,
        VELOCITY,
        NO,
    ),
    # Prepaid
    "prepaid": (tap(C, Bit.PREPAID), TC, 0, NO),
    "prepaid, asked": (tap(C, Bit.PREPAID, ttq=ONLINE | Ttq.CRYPTOGRAM_REQUIRED), ARQC, 0, NO),
    "prepaid, nothing": (
        tap(C, Bit.PREPAID, amount=0, ttq=ONLINE | Ttq.CRYPTOGRAM_REQUIRED),
        AAC,
        0,
        NO,
    ),
    "prepaid, not enough": (
        tap(C, Bit.PREPAID, purse=purse(balance=99, threshold=0)),
        AAC,
        VELOCITY,
        NO,
    ),
    "prepaid, low": (tap(C, Bit.PREPAID, purse=purse(balance=1599)), ARQC, VELOCITY, NO),
    "prepaid, other currency": (tap(C, Bit.PREPAID, **ABROAD), AAC, 0, NO),
    "prepaid without money": (tap(Bit.PREPAID), AAC, 0, NO),
    "prepaid, slot first": (
        tap(
            C,
            Bit.PREPAID,
            Bit.CONTACT_INSTEAD_OF_ONLINE,
            ttq=ONLINE | Ttq.CONTACT_PBOC | Ttq.CRYPTOGRAM_REQUIRED,
        ),
        CONTACT,
        0,
        NO,
    ),
}
