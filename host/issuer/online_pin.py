# SPDX-License-Identifier: Apache-2.0
"""The tries of a transaction password: paid for before it is looked at, in a transaction of its
own, so that ending the process, or asking from many places at once, buys nothing."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, update

from apdu.crypto.suite import BlockKey
from host.issuer.accounts import State
from host.issuer.faults import Reason, Refused
from host.issuer.ledger import Ledger
from host.issuer.passwords import TRIES, PinKeys, PinValue, check_block
from host.issuer.posting import check_open, known
from host.issuer.prepared import Prepared
from host.issuer.schema import cards

_PAY: Final = Prepared(
    update(cards)
    .where(cards.c.pan == bindparam("of"), cards.c.state == State.ACTIVE.value, cards.c.tries > 0)
    .values(tries=cards.c.tries - 1)
    .returning(cards.c.tries, cards.c.pvv, cards.c.pin_offset)
)
_GIVE_BACK: Final = Prepared(
    update(cards)
    .where(
        cards.c.pan == bindparam("of"),
        cards.c.state == State.ACTIVE.value,
        # The password that was right may have been replaced meanwhile.
        cards.c.pvv == bindparam("was_pvv"),
        cards.c.pin_offset == bindparam("was_offset"),
    )
    .values(tries=TRIES)
)


def verify(ledger: Ledger, keys: PinKeys, pan: str, block: bytes, pin_key: BlockKey | None) -> None:
    """Returns when the block has the password; raises Refused otherwise.

    Of an account that is blocked, not activated or closed nothing is looked at.
    """
    check_block(block)
    with ledger.writing() as connection:
        paid = _PAY.one(connection, of=pan)
        if paid is None:
            card = known(connection, pan)
            check_open(card)
            inactive = card.state == State.INACTIVE.value
            raise Refused(Reason.INACTIVE if inactive else Reason.PIN_BLOCKED, 0)
    kept = PinValue(paid.pvv, paid.pin_offset)
    if not keys.right(block, pan, kept, pin_key):
        raise Refused(Reason.WRONG_PIN, paid.tries)
    with ledger.writing() as connection:
        _GIVE_BACK(connection, of=pan, was_pvv=kept.pvv, was_offset=kept.offset)
