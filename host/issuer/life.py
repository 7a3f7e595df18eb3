# SPDX-License-Identifier: Apache-2.0
"""The life of an account and its password: what each order of it does, within one transaction."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, bindparam, update

from host.issuer.accounts import AccountView, Kind, Posted, State
from host.issuer.faults import Reason, Refused
from host.issuer.journal import Order, card_of, record
from host.issuer.passwords import TRIES, PinValue
from host.issuer.posting import check_open, known, standing
from host.issuer.prepared import Prepared, adding
from host.issuer.schema import accounts, cards

_ACCOUNT: Final = Prepared(adding(accounts, "kind").returning(accounts.c.id))
_CARD: Final = Prepared(
    adding(cards, "pan", "psn", "holder", "expires", "state", "account", "cash_account")
)


def _setting(*columns: str) -> Prepared:
    """Give a card other values; the parameters are called new_ and the column."""
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return Prepared(update(cards).where(cards.c.pan == bindparam("of")).values(new))


_STATE: Final = _setting("state", "tries")
_PASSWORD: Final = _setting("state", "pvv", "pin_offset", "tries")
_FROZEN: Final = _setting("frozen")
_EXPIRES: Final = _setting("expires")


def begin(connection: Connection, asked: Order, psn: str, holder: str, expires: str) -> Posted:
    """A card with two empty accounts, not activated."""
    if card_of(connection, asked.pan) is not None:
        raise Refused(Reason.INVALID)
    own, purse = (
        int(_ACCOUNT.one(connection, kind=kind.value).id)
        for kind in (Kind.CUSTOMER, Kind.CASH_FLOAT)
    )
    _CARD(
        connection,
        pan=asked.pan,
        psn=psn,
        holder=holder,
        expires=expires,
        state=State.INACTIVE.value,
        account=own,
        cash_account=purse,
    )
    return _done(connection, asked)


def activate(connection: Connection, asked: Order, kept: PinValue) -> Posted:
    """From inactive to active, with a password."""
    if _open(connection, asked).state != State.INACTIVE.value:
        raise Refused(Reason.INVALID)
    return _with_password(connection, asked, kept)


def set_password(connection: Connection, asked: Order, kept: PinValue) -> Posted:
    """Another password, with all its tries."""
    if _open(connection, asked).state == State.INACTIVE.value:
        raise Refused(Reason.INACTIVE)
    return _with_password(connection, asked, kept)


def _with_password(connection: Connection, asked: Order, kept: PinValue) -> Posted:
    _PASSWORD(
        connection,
        of=asked.pan,
        new_state=State.ACTIVE.value,
        new_pvv=kept.pvv,
        new_pin_offset=kept.offset,
        new_tries=TRIES,
    )
    return _done(connection, asked)


def freeze(connection: Connection, asked: Order) -> Posted:
    """Nothing leaves the account any more."""
    return _set_frozen(connection, asked, True)


def unfreeze(connection: Connection, asked: Order) -> Posted:
    """As it was before."""
    return _set_frozen(connection, asked, False)


def _set_frozen(connection: Connection, asked: Order, frozen: bool) -> Posted:
    if bool(_open(connection, asked).frozen) == frozen:
        raise Refused(Reason.INVALID)
    _FROZEN(connection, of=asked.pan, new_frozen=int(frozen))
    return _done(connection, asked)


def renew(connection: Connection, asked: Order) -> Posted:
    """Another last day: the content of the order."""
    _open(connection, asked)
    _EXPIRES(connection, of=asked.pan, new_expires=asked.content)
    return _done(connection, asked)


def close(connection: Connection, asked: Order) -> Posted:
    """For good; a frozen account, and one in which anything is left, cannot be closed."""
    card = _open(connection, asked)
    if card.balance or card.cash or card.frozen:
        raise Refused(Reason.INVALID)
    _STATE(connection, of=asked.pan, new_state=State.CLOSED.value, new_tries=0)
    return _done(connection, asked)


def view(card: Any) -> AccountView:
    """How an account stands."""
    return AccountView(
        pan=card.pan,
        psn=card.psn,
        holder=card.holder,
        expires=date.fromisoformat(card.expires) if card.expires else None,
        state=State(card.state),
        frozen=bool(card.frozen),
        balance=card.balance,
        held=card.held,
        cash=card.cash,
        pin_tries=card.tries,
        atc=card.atc,
    )


def _open(connection: Connection, asked: Order) -> Any:
    card = known(connection, asked.pan)
    check_open(card)
    return card


def _done(connection: Connection, asked: Order) -> Posted:
    done = standing(known(connection, asked.pan), asked)
    record(connection, asked, done)
    return done
