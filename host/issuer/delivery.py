# SPDX-License-Identifier: Apache-2.0
"""Getting scripts to cards: chosen for an answer, sent, and judged by what came back.

A wish stays in the outbox until it is known to be done, has failed too often, or is taken back. A
load goes alone, so that what the card counts is about nothing else: it tells the card its new
balance (9F79), which is what its proven IDD says and the load on top. It goes with the answer to
its own request and with no other: a load that the card shows that it has not got is undone, so that
no reversal can come too late (profile choice `load-evidence`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from apdu.command import CommandAPDU
from apdu.crypto.pinblock import build_iso_2, read_iso_2
from apdu.crypto.script import decipher, encipher
from apdu.errors import FormatError
from apdu.wire.cryptogram import Idd, OneAmount, OneAmountIdd, TwoAmounts, TwoAmountsIdd
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.flags import scripts_of
from apdu.wire.pboc.script_results import ScriptOutcome, ScriptResult
from host.issuer.bank import Bank
from host.issuer.cryptograms import Proven
from host.issuer.faults import Reason, Refused
from host.issuer.keys import CardKeys, IssuerKeys
from host.issuer.outbox import Outbox, Waiting
from host.issuer.scripts import pin_change, put_balance, script
from host.issuer.wishes import Fate, Kind, Sending, Wish, fate
from host.network.elements55 import LONGEST

log: Final = logging.getLogger("host.issuer")
MOST_TIMES: Final = 3
"""How often a script that fails is sent (profile choice `script-retries`)."""
ROOM: Final = LONGEST - 12
"""Bytes of DE55 that are left beside 91."""
MOST_CASH: Final = 10**10 - 1
"""In fen: what an IDD can tell. What a card takes is for the card to say (9F77)."""
DONE, FAILED, WITHDRAWN = "done", "failed", "withdrawn"
"""Outcomes in the outbox."""


class Entry(NamedTuple):
    """A wish and its number in the outbox, which is the identifier (9F18) of its script."""

    number: int
    wish: Wish
    outcome: str = ""


def entries(found: Iterable[Waiting]) -> list[Entry]:
    return [Entry(each.number, Wish.load(each.content), each.outcome) for each in found]


class Delivery:
    """The scripts of all cards of a bank."""

    def __init__(self, bank: Bank, keys: IssuerKeys) -> None:
        self.bank = bank
        self.keys = keys
        self.outbox = Outbox(bank.ledger)

    # Wishes

    def commands(self, pan: str, commands: Iterable[CommandAPDU], at: datetime) -> int:
        """Have a card carry out commands; the number under which they wait.

        Raises FormatError when they would not fit an answer, Refused for an unknown card.
        """
        plain = tuple(map(bytes, commands))
        if not plain:
            raise FormatError("script: must have commands")
        # Each command grows by its MAC, the length before it, and tag and length around it.
        if 12 + sum(len(each) + 8 for each in plain) > ROOM:
            raise FormatError("script: it does not fit an answer; give each command one of its own")
        return self.outbox.add(pan, Wish(Kind.COMMANDS, commands=plain).dump(), at)

    def pin(self, pan: str, psn: str, pin: str, at: datetime, reference: str = "") -> int:
        """Have a card take a new offline PIN; the number under which that waits."""
        kept = encipher(self.keys.at_rest(pan, psn), build_iso_2(pin))
        return self.outbox.add(pan, Wish(Kind.PIN, reference, pin=kept).dump(), at)

    # What became of them

    def judge(
        self, pan: str, found: Iterable[Waiting], proven: Proven, at: datetime, own: str = ""
    ) -> list[Entry]:
        """What of these still waits, after what the card's CVR tells of the last time.

        `own`: the request that is answered now, where a wish belongs to it.
        """
        now = int.from_bytes(proven.atc)
        left = []
        for entry in entries(found):
            sent = entry.wish.sent
            if (own and entry.wish.reference == own) or (sent is not None and sent.atc == now):
                # Of this very transaction, which is asked about again, the CVR tells nothing yet.
                left.append(entry)
                continue
            became = fate(sent, proven.cvr) if sent else Fate.NOT_RECEIVED
            if self._settle(pan, entry, became, at):
                left.append(entry)
        return left

    def told(self, pan: str, results: Iterable[ScriptResult], at: datetime) -> None:
        """What a terminal tells of scripts it got (DF31)."""
        by_number = {int.from_bytes(each.identifier): each for each in results}
        for entry in entries(self.outbox.waiting(pan)):
            result = by_number.get(entry.number)
            if result is None or entry.wish.sent is None:
                continue
            match result.outcome:
                case ScriptOutcome.SUCCEEDED:
                    self._settle(pan, entry, Fate.DONE, at)
                case ScriptOutcome.FAILED:
                    self._settle(pan, entry, Fate.FAILED, at)

    def of(self, pan: str, reference: str) -> Entry | None:
        """The wish that belongs to a request."""
        return next(
            (entry for entry in entries(self.outbox.all(pan)) if entry.wish.reference == reference),
            None,
        )

    def withdraw(self, entry: Entry) -> None:
        """It is not to be sent any more."""
        self.outbox.close(entry.number, WITHDRAWN)

    def _settle(self, pan: str, entry: Entry, became: Fate, at: datetime) -> bool:
        """Write down what became of a sending; whether it still waits."""
        wish = entry.wish
        if became is Fate.DONE:
            self.outbox.close(entry.number, DONE)
            return False
        if wish.kind is Kind.LOAD:
            # The card has not got it, and the holder has his money back.
            self.outbox.close(entry.number, FAILED)
            try:
                self.bank.reverse(wish.reference, pan, wish.amount, at)
            except Refused as refused:
                log.warning("a load that failed cannot be undone: %s", refused)
            return False
        if became is Fate.NOT_RECEIVED:
            return True
        if wish.sent is not None and wish.sent.times >= MOST_TIMES:
            self.outbox.close(entry.number, FAILED)
            return False
        return True

    # Sending

    def send(self, proven: Proven, waiting: list[Entry], alone: str = "") -> tuple[bytes, ...]:
        """The templates that go into the answer to a proven ARQC, each noted as sent.

        `alone`: the request whose own wish goes without any other.
        """
        if alone:
            waiting = [entry for entry in waiting if entry.wish.reference == alone]
            if [entry.wish.kind for entry in waiting] == [Kind.LOAD]:
                return self._send_load(proven, waiting[0])
        chosen: list[tuple[Entry, bytes, int]] = []
        room = ROOM
        for entry in waiting:
            plain = self._plain(entry.wish, proven)
            template = script(proven.keys, proven.atc, proven.ac, plain, entry.number)
            if len(template) <= room:
                room -= len(template)
                chosen.append((entry, template, len(plain)))
        count = sum(size for _, _, size in chosen)
        for entry, _, _ in chosen:
            self._note(proven, entry, count)
        return tuple(template for _, template, _ in chosen)

    def _send_load(self, proven: Proven, entry: Entry) -> tuple[bytes, ...]:
        balance = cash_balance(proven.idd)
        if balance is None or balance + entry.wish.amount > MOST_CASH:
            return ()
        commands = [put_balance(balance + entry.wish.amount)]
        if scripts_of(proven.cvr) == len(commands):
            # The card's counter must not come to stand where it stands now, or a later CVR could
            # not tell whether it got this: so the balance that it has goes first.
            commands.insert(0, put_balance(balance))
        template = script(proven.keys, proven.atc, proven.ac, commands, entry.number)
        self._note(proven, entry, len(commands))
        return (template,)

    def _plain(self, wish: Wish, proven: Proven) -> list[CommandAPDU]:
        if wish.kind is Kind.PIN:
            return [pin_change(proven.keys, self._pin(wish, proven.keys))]
        return [CommandAPDU.parse(command) for command in wish.commands]

    def _pin(self, wish: Wish, keys: CardKeys) -> str:
        return read_iso_2(decipher(keys.at_rest, wish.pin))

    def _note(self, proven: Proven, entry: Entry, commands: int) -> None:
        times = entry.wish.sent.times + 1 if entry.wish.sent else 1
        sent = Sending(int.from_bytes(proven.atc), scripts_of(proven.cvr), commands, times)
        self.outbox.rewrite(entry.number, replace(entry.wish, sent=sent).dump())


def cash_balance(idd: Idd | None) -> int | None:
    """The electronic cash that a card tells of in its IDD, in fen; None when it does not.

    Ten digits of it, so no electronic cash can have more.
    """
    match idd:
        case OneAmountIdd(kind=OneAmount.BALANCE):
            digits = idd.amount
        case TwoAmountsIdd(kind=TwoAmounts.BALANCE_AND_SPENT):
            digits = idd.first
        case _:
            return None
    return amount_of(digits) if digits.hex().isdecimal() else None


def check_room(idd: Idd | None, more: int) -> None:
    """Raises Refused when a card did not tell its electronic cash, or would have too much of it
    (profile choice `load-balance`)."""
    balance = cash_balance(idd)
    if balance is None:
        raise Refused(Reason.INVALID)
    if balance + more > MOST_CASH:
        raise Refused(Reason.TOO_MUCH)
