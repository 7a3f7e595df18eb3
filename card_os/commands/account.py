# SPDX-License-Identifier: Apache-2.0
"""The medical account (医保个人账户) as DF04 keeps it: three files that change together.

EF06 has the money: on cards of generation 1.0 a balance, later the totals of what was settled off
line (脱网结算). Which of the two a card has, item 90 of EF06 says by its length. EF08 is the log,
EF1B the numbers and the last proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from apdu.errors import Fact, FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import parse_simple
from apdu.wire.hrss.application import MEDICAL_NAME
from apdu.wire.hrss.df04 import (
    STATE,
    TOTALS,
    TRANSACTIONS,
    AccountBalance,
    AccountState,
    OfflineTotals,
)
from apdu.wire.hrss.medical import LARGEST, MAX_COUNT
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.perso import Life
from card_os.dispatch import Context
from card_os.files.records import CyclicFile, ElementaryFile
from card_os.files.tree import Directory
from card_os.nvm import Nvm

Held = AccountBalance | OfflineTotals
_BALANCE_LENGTH: Final = b"\x04"
"""Length of item 90 where it is an amount; as the permission it has one byte."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the files say, and the way to change all of them at once."""

    held: Held = field(repr=False)
    state: AccountState = field(repr=False)
    _totals: ElementaryFile
    _log: CyclicFile
    _state: ElementaryFile

    @classmethod
    def current(cls, ctx: Context) -> Account:
        """The account of the current DF; StatusError 6985 when that is not DF04, or has none."""
        directory = ctx.session.directory
        if directory.header.name != MEDICAL_NAME:
            text = "{command} is for the medical account in DF04, and this is {place}"
            raise _not_now(text)
        totals, log, state = (_file(directory, file) for file in (TOTALS, TRANSACTIONS, STATE))
        if not isinstance(log, CyclicFile):
            raise _not_now("{file} is no ring of records", file=TRANSACTIONS.fid)
        raw = totals.all_from(1)
        layout = AccountBalance if raw[1:2] == _BALANCE_LENGTH else OfflineTotals
        try:
            held: Held = layout.parse(raw)
            numbers = AccountState.parse(state.read_binary(0, STATE.size))
        except FormatError as error:
            raise StatusError.of(SW.CONDITIONS_NOT_SATISFIED, error) from None
        return cls(held, numbers, totals, log, state)

    def newest(self) -> bytes:
        """The newest record of the log; empty when there is none yet."""
        return self._log.record(1) if self._log.count else b""

    def book(self, nvm: Nvm, held: Held, entry: bytes, state: AccountState) -> None:
        """Money, log, number and proof: whatever moment the power goes, all old or all new."""
        with nvm.atomic():
            for number, item in enumerate(parse_simple(bytes(held)), start=1):
                self._totals.update(number, bytes(item))
            self._log.write_newest(entry)
            self._state.update_binary(0, bytes(state))
        self._log.load()


def spent(held: Held, account: int, own: int, pool: int) -> Held:
    """What EF06 says after a purchase.

    From a balance the account's part is taken, and the two annual sums rise by the others. The
    totals rise by what the insurance has to settle later, which is account and pool (profile
    choice `offline-amount`). Raises StatusError 9401 when there is less than that, 6985 when a
    sum would be beyond its field, and when the card does not permit purchases off line.
    """
    if isinstance(held, AccountBalance):
        if account > known(held.balance):
            text = "the account has {balance} fen, and more is wanted of it"
            raise StatusError(SW.INSUFFICIENT_FUNDS, text, balance=held.balance)
        return AccountBalance(
            known(held.balance) - account, _sum(held.own, own), _sum(held.pool, pool)
        )
    if held.permitted != OfflineTotals.PERMITTED:
        text = "{file} does not permit purchases off line (脱网结算)"
        raise _not_now(text, file=TOTALS.fid)
    _sum(0, own)  # a part that no total takes up must still be an amount
    count = count_of(held) + 1
    if count > MAX_COUNT:
        raise _not_now(
            "{most} purchases off line wait to be settled, and no more may", most=MAX_COUNT
        )
    return OfflineTotals(held.permitted, _sum(held.amount, account + pool), f"{count:02}")


def credited(held: Held, amount: int) -> AccountBalance:
    """What EF06 says after a load. StatusError 6985 beyond the largest balance, and on cards that
    have none."""
    if not isinstance(held, AccountBalance):
        raise _not_now("this card's account has no balance that could be loaded")
    return AccountBalance(_sum(held.balance, amount), held.own, held.pool)


def count_of(held: OfflineTotals) -> int:
    """脱网累计次数 as a number. StatusError 6985 when it is not two digits."""
    count = held.count
    if len(count) != 2 or not (count.isascii() and count.isdecimal()):
        raise _not_now("the count of purchases off line in {file} is no number", file=TOTALS.fid)
    return int(count)


def known(amount: int | None) -> int:
    """An amount that is there; StatusError 6985 for one that was erased."""
    if amount is None:
        raise _not_now("an amount in {file} was erased", file=TOTALS.fid)
    return amount


def _sum(amount: int | None, more: int) -> int:
    total = known(amount) + more
    if total > LARGEST:
        text = "a sum of {amount} fen would grow beyond {largest}, where its field ends"
        raise _not_now(text, amount=amount, largest=LARGEST)
    return total


def _file(directory: Directory, file: EfSpec) -> ElementaryFile:
    """An active file of the directory, or StatusError 6985."""
    found = directory.by_sfi.get(file.sfi)
    if found is None or found.life is not Life.ACTIVATED:
        raise _not_now("{file} of the medical account is not there, or blocked", file=file.fid)
    return found


def _not_now(text: str, **about: Fact) -> StatusError:
    """6985, which is what most of the account's refusals are."""
    return StatusError(SW.CONDITIONS_NOT_SATISFIED, text, **about)
