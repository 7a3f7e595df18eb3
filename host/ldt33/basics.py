# SPDX-License-Identifier: Apache-2.0
"""iReadCardBas: who issued the card and who holds it, from a card that has proven itself.

    region|social security number|card number|card identification code|name|ATR historical bytes|
    version|issue date|expiry date|terminal|device|

The name is the whole of it, 姓名 and 姓名扩展. Cards of 3.0 show the holder to a terminal that has
proven RKSSSE. Earlier ones show them to everybody, and are asked for their proof only where there
is somebody to judge it (profile choice `genuine-where-possible`); a PSAM of another region is no
such one, but -24, for it says that the key centre must be asked.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from hmac import compare_digest
from typing import Any, Final

from apdu.wire.access import ALWAYS
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.ssse import HOLDER
from host.faults import CardNotGenuine
from host.introduction import RKSSSE, Introduction
from host.ldt33.codes import FALL_BACK, Code, DriverFault
from host.ldt33.desk import CODE, EXPIRES, ISSUED, NUMBER, VERSION, Desk, Found, text_of
from host.ldt33.sources import Procedure, Sources
from host.ldt33.syntax import joined
from host.terminal.authentication import begin_authentication, finish_authentication

Proving = Generator[Introduction, Any, None]
_HOLDER_NUMBER, _NAME, _EXTENSION = 0x08, 0x09, 0x4E
_OPTIONAL: Final = frozenset({_EXTENSION})
"""Items that cards of 1.0 do not have."""


def read_basics(desk: Desk, sources: Sources) -> Procedure:
    """The holder's and the issuer's data in the order of LD/T 33."""
    holder = desk.generation.file(SSSE.label, HOLDER.sfi)
    prove = _proven_both_ways if holder.read != ALWAYS else _proven_if_possible
    with desk.kept():
        yield from prove(desk, sources.introduction(desk))
        found = desk.found(holder)
    return joined(_fields(desk, found, sources))


def _proven_both_ways(desk: Desk, introduction: Introduction) -> Proving:
    desk.proving()
    # The challenges come behind it: a card may keep one for the next command only.
    shown = _proof(desk, introduction)
    reading = begin_authentication(desk.client, desk.identity, RKSSSE)
    results = yield replace(introduction, reading=reading)
    _judge(shown, results.internal)
    finish_authentication(desk.client, reading, results.external)
    if NUMBER not in desk.issuer:
        desk.refresh()


def _proven_if_possible(desk: Desk, introduction: Introduction) -> Proving:
    try:
        results = yield introduction
    except DriverFault as fault:
        if fault.code not in FALL_BACK or fault.code == Code.KEY_USE:
            raise
    else:
        _judge(_proof(desk, introduction), results.internal)


def _proof(desk: Desk, introduction: Introduction) -> bytes:
    asked = introduction.proving
    return desk.client.internal_authenticate(asked.key.kid, asked.factor, asked.data)


def _judge(shown: bytes, expected: bytes) -> None:
    if not compare_digest(shown, expected):
        raise CardNotGenuine("it is not the card it says it is")


def _fields(desk: Desk, holder: Found, sources: Sources) -> list[str]:
    def of_holder(tag: int) -> str:
        return "" if tag in _OPTIONAL and tag not in holder else text_of(holder, tag)

    return [
        desk.identity.region,
        of_holder(_HOLDER_NUMBER),
        desk.said(NUMBER),
        desk.said(CODE),
        of_holder(_NAME) + of_holder(_EXTENSION),
        desk.historical.hex().upper(),
        desk.said(VERSION),
        desk.said(ISSUED),
        desk.said(EXPIRES),
        sources.terminal,
        sources.device,
    ]
