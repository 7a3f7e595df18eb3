# SPDX-License-Identifier: Apache-2.0
"""`Bank`: the debit accounts of cards (借记账户), in plain verbs.

Every order names a reference of 12 digits and is answered once: the same order again brings the
first answer, yes or no, and another order under that reference is refused. Each is one
transaction of the store. Times are the bank's own, without a zone: the days of limits follow them.
All verbs raise FormatError for what is not in its shape (nothing is written down then), Refused,
and BankUnavailable. No password is kept, shown or logged.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from host.issuer.ledger import IN_MEMORY, Ledger  # isort: skip - says what to install

from sqlalchemy import Connection

from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.wire.digits import check_pan
from host.issuer import life
from host.issuer.accounts import AccountView, Operation, Posted, Statement
from host.issuer.audit import findings
from host.issuer.faults import Reason, Refused
from host.issuer.journal import (
    Order,
    check_atc,
    check_reference,
    lock,
    order,
    recalled,
    record,
    replayed,
    rows_of,
)
from host.issuer.limits import Limits
from host.issuer.online_pin import verify
from host.issuer.passwords import PinKeys, published_pin_keys
from host.issuer.posting import hold, known, post, raise_counter, settle, undo
from host.issuer.statements import statement_of

Work = Callable[[Connection, Order], Posted]
HOLDER: Final = 64
"""Characters of a holder's name, at most."""


class Bank:
    """The accounts in one store. Threads may share it, processes share the store."""

    def __init__(
        self,
        store: str | Ledger = IN_MEMORY,
        *,
        pin_keys: PinKeys | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`store`: a path, a URL of SQLAlchemy or an open ledger; without one, in memory.
        `pin_keys`: those for tests, unless given."""
        self.ledger = store if isinstance(store, Ledger) else Ledger(store)
        self.pin_keys = pin_keys or published_pin_keys()
        self.limits = limits or Limits()

    def __repr__(self) -> str:
        return f"Bank({self.ledger.engine.url!r})"

    # The life of an account

    def open(
        self,
        reference: str,
        pan: str,
        psn: str,
        holder: str,
        at: datetime,
        expires: date | None = None,
        by: str = "",
    ) -> Posted:
        """开户: an account that is not activated. `expires`: the last day of the card."""
        if not (len(psn) == 2 and psn.isascii() and psn.isdecimal()):
            raise FormatError("PSN: must be 2 digits")
        if not 1 <= len(holder) <= HOLDER or not holder.isprintable():
            raise FormatError(f"holder: must be 1 to {HOLDER} characters that can be printed")
        day = expires.isoformat() if expires else ""
        asked = order(Operation.OPEN, reference, pan, at, by, content=f"{psn} {day} {holder}")
        return self.answer(asked, lambda c, o: life.begin(c, o, psn, holder, day))

    def activate(
        self, reference: str, pan: str, password: str, at: datetime, by: str = ""
    ) -> Posted:
        """激活: the holder, identified by the bank, sets the transaction password."""
        kept = self.pin_keys.kept(password, pan)
        asked = order(Operation.ACTIVATE, reference, pan, at, by)
        return self.answer(asked, lambda c, o: life.activate(c, o, kept))

    def freeze(self, reference: str, pan: str, at: datetime, by: str = "") -> Posted:
        """冻结: from now on nothing leaves the account; money still comes in."""
        return self.answer(order(Operation.FREEZE, reference, pan, at, by), life.freeze)

    def unfreeze(self, reference: str, pan: str, at: datetime, by: str = "") -> Posted:
        """解冻."""
        return self.answer(order(Operation.UNFREEZE, reference, pan, at, by), life.unfreeze)

    def renew(
        self, reference: str, pan: str, expires: date | None, at: datetime, by: str = ""
    ) -> Posted:
        """换卡: the card is good until another day."""
        day = expires.isoformat() if expires else ""
        return self.answer(order(Operation.RENEW, reference, pan, at, by, content=day), life.renew)

    def close(self, reference: str, pan: str, at: datetime, by: str = "") -> Posted:
        """销户: for good, and only when nothing is left in the account or its float."""
        return self.answer(order(Operation.CLOSE, reference, pan, at, by), life.close)

    # Money

    def deposit(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """存款: cash into the account, activated or not."""
        return self._post(order(Operation.DEPOSIT, reference, pan, at, by, amount))

    def withdraw(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """取款: from the account in cash."""
        return self._post(order(Operation.WITHDRAWAL, reference, pan, at, by, amount))

    def purchase(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """消费: from the account to the merchants."""
        return self._post(order(Operation.PURCHASE, reference, pan, at, by, amount))

    def transfer(
        self, reference: str, pan: str, target: str, amount: int, at: datetime, by: str = ""
    ) -> Posted:
        """转账: to the account of another card of this bank, which may wait for its activation."""
        check_pan(target)
        return self._post(order(Operation.TRANSFER, reference, pan, at, by, amount, content=target))

    def load(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """圈存: from the account to the electronic cash. `Posted.cash` is the new float."""
        return self._post(order(Operation.LOAD, reference, pan, at, by, amount))

    def cash_load(
        self, reference: str, pan: str, amount: int, at: datetime, by: str = ""
    ) -> Posted:
        """现金圈存: cash to the electronic cash."""
        return self._post(order(Operation.CASH_LOAD, reference, pan, at, by, amount))

    def unload(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """圈提: from the electronic cash back to the account."""
        return self._post(order(Operation.UNLOAD, reference, pan, at, by, amount))

    def settle(
        self, reference: str, pan: str, amount: int, atc: int, at: datetime, by: str = ""
    ) -> Posted:
        """脱机消费入账: pay a merchant for an offline purchase, whose cryptogram was found good.

        `atc`: of the card's transaction, 1 to 65535: each is paid once. Works in every state of
        the account; `Posted.short` is what the float lacked.
        """
        check_atc(atc)
        asked = order(Operation.SETTLEMENT, reference, pan, at, by, amount, atc=atc)
        return self.answer(asked, lambda c, asked: settle(c, self.ledger.house, asked))

    def hold(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """预授权: put an amount aside; it stays in the balance, but not in what is available."""
        return self.answer(order(Operation.HOLD, reference, pan, at, by, amount), hold)

    def reverse(self, reference: str, pan: str, amount: int, at: datetime, by: str = "") -> Posted:
        """冲正: undo the order of this reference, or see to it that it is not done any more.

        Done once; asked again it brings the first answer. `Posted.amount` is 0 when nothing had
        been done. Refused when the reference has another card or amount (25), is not one that
        moves money (12), or when the money is gone (51): such a reversal may be tried again.
        """
        asked = order(Operation.REVERSAL, reference, pan, at, by, amount, reversal=True)
        return self.answer(asked, undo)

    def decline(
        self,
        reference: str,
        pan: str,
        reason: Reason,
        at: datetime,
        by: str = "",
    ) -> None:
        """Spend a reference on a no of the issuer's own (cryptogram, PIN), so that the order
        does not pass when it comes a second time. Does nothing when it was answered before."""
        asked = order(Operation.DECLINE, reference, pan, at, by)
        with self.ledger.writing() as connection:
            if rows_of(connection, reference) == (None, None):
                record(connection, asked, Refused(reason))

    # Looking

    def account(self, pan: str) -> AccountView:
        """How an account stands."""
        check_pan(pan)
        with self.ledger.reading() as connection:
            return life.view(known(connection, pan))

    def answered(self, reference: str) -> Posted | Refused | None:
        """What this reference was answered, if it was: to be asked before a PIN is looked at,
        for a message that comes twice must not cost a try twice."""
        with self.ledger.reading() as connection:
            row, undone = rows_of(connection, check_reference(reference))
        if row is None:
            return None if undone is None else Refused(Reason.REVERSED)
        return recalled(row)

    def statement(self, pan: str, since: date, until: date) -> Statement:
        """对账单: what moved in the account, both days included."""
        check_pan(pan)
        with self.ledger.reading() as connection:
            return statement_of(connection, known(connection, pan), since, until)

    def audit(self) -> tuple[str, ...]:
        """What is not as it must be in the store, in sentences; nothing when all is well."""
        with self.ledger.reading() as connection:
            return findings(connection)

    # The card

    def verify_pin(self, pan: str, block: bytes, pin_key: BlockKey | None = None) -> None:
        """Hold an enciphered PIN block of format 0 to the transaction password (联机密码验证).

        A try is paid before the password is looked at, and given back by the right one. Raises
        Refused: WRONG_PIN with the tries left, PIN_BLOCKED when there were none. `pin_key`: the
        terminal's, where it is not the bank's own.
        """
        check_pan(pan)
        verify(self.ledger, self.pin_keys, pan, block, pin_key)

    def change_password(
        self, reference: str, pan: str, old: bytes, new: str, at: datetime, by: str = ""
    ) -> Posted:
        """改密: the old one is known. `old`: an enciphered block, verified as by `verify_pin`."""
        kept = self.pin_keys.kept(new, pan)
        asked = order(Operation.PASSWORD_CHANGE, reference, pan, at, by)
        if self.answered(reference) is None:
            self.verify_pin(pan, old)
        return self.answer(asked, lambda c, o: life.set_password(c, o, kept))

    def reset_password(
        self, reference: str, pan: str, new: str, at: datetime, by: str = ""
    ) -> Posted:
        """重置密码: forgotten or blocked; the bank has identified the holder in person."""
        kept = self.pin_keys.kept(new, pan)
        asked = order(Operation.PASSWORD_RESET, reference, pan, at, by)
        return self.answer(asked, lambda c, o: life.set_password(c, o, kept))

    def raise_atc(self, pan: str, atc: int) -> bool:
        """Keep the highest transaction counter of a card. False when it is not higher than what
        was seen before, which is what a replay looks like; nothing is changed then."""
        check_pan(pan)
        check_atc(atc)
        with self.ledger.writing() as connection:
            if raise_counter(connection, pan, atc):
                return True
            known(connection, pan)
            return False

    # How every order is answered

    def _post(self, asked: Order) -> Posted:
        return self.answer(asked, lambda c, o: post(c, self.ledger.house, self.limits, o))

    def answer(self, asked: Order, work: Work) -> Posted:
        """The first answer to this order, or a new one by `work`, in one transaction with whatever
        else that does. Refusals are written down too."""
        try:
            return self._answered_once(asked, work)
        except self.ledger.broken_rule:
            if not self.ledger.locks_rows:
                raise
            # Another connection was first with this reference; now there is an answer of it.
            return self._answered_once(asked, work)

    def _answered_once(self, asked: Order, work: Work) -> Posted:
        with self.ledger.writing() as connection:
            if self.ledger.locks_rows:
                lock(connection, asked)
            original, undone = rows_of(connection, asked.reference)
            row = undone if asked.reversal else original
            if row is not None:
                return replayed(asked, row)
            try:
                if undone is not None:
                    raise Refused(Reason.REVERSED)
                return work(connection, asked)
            except Refused as error:
                refused = error
                if not asked.reversal:
                    record(connection, asked, refused)
        raise refused
