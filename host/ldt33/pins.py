# SPDX-License-Identifier: Apache-2.0
"""iVerifyPIN, iChangePIN, iReloadPIN and iUnblockPIN."""

from __future__ import annotations

from apdu.wire.hrss.keys import key_named
from host.faults import InitialPinInForce
from host.ldt33.codes import Code, DriverFault
from host.ldt33.desk import Desk
from host.ldt33.files import prove_key
from host.ldt33.pinpad import PinPrompt, about_the_pin
from host.ldt33.sources import Procedure
from host.ldt33.syntax import CardInfo
from host.terminal.authentication import begin_reload, begin_unblock, finish_pin_service
from host.terminal.hrss import activate

_PUK = key_named("PUK")


def verify_pin(desk: Desk) -> str:
    """Have the PIN entered and compare it."""
    desk.show_pin()
    return ""


def change_pin(desk: Desk) -> str:
    """Have the old PIN and twice the new one entered; -36 when that is the initial one."""
    old = desk.pad.enter(PinPrompt.OLD)
    new = desk.pad.choose()
    desk.proving()
    try:
        with about_the_pin():
            activate(desk.client, old, new)
    except InitialPinInForce:
        raise DriverFault(Code.TO_INITIAL_PIN) from None
    return ""


def reload_pin(desk: Desk, meant: CardInfo) -> Procedure:
    """Once PUK was proven, have a new PIN entered twice; the card takes it and all tries again.

    It may be the initial one, as service desks do.
    """
    desk.check(meant)
    yield from prove_key(desk, _PUK)
    new = desk.pad.choose()
    with desk.kept():
        request = begin_reload(desk.client, desk.identity, new)
        finish_pin_service(desk.client, (yield request))
    return ""


def unblock_pin(desk: Desk, meant: CardInfo) -> Procedure:
    """Give the PIN all its tries again."""
    desk.check(meant)
    yield from prove_key(desk, _PUK)
    with desk.kept():
        request = begin_unblock(desk.client, desk.identity)
        finish_pin_service(desk.client, (yield request))
    return ""
