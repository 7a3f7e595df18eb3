# SPDX-License-Identifier: Apache-2.0
"""The card's cryptogram, and what it says with it: keys of the transaction, AC, and 9F10.

Both ways of asking use it: GENERATE AC, and GPO of a tap (JR/T 0025.5 annexes D and E). The bytes
are those that `apdu.wire.cryptogram` declares, put together by slices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apdu.crypto.cryptogram import AC, IDD_MAC
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.suite import BlockKey
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.cryptogram import TERMINAL_PART, Cvn, OneAmount, TwoAmounts
from apdu.wire.pboc.application import AC_KEY, ENC_KEY, MAC_KEY
from apdu.wire.perso import KeyUsage
from card_os.apps.pboc.profile import DataList, Profile, Route, Selection
from card_os.apps.pboc.state import CardState
from card_os.dispatch import Context

_USAGE: Final = {
    AC_KEY: KeyUsage.CRYPTOGRAM,
    MAC_KEY: KeyUsage.SCRIPT_MAC,
    ENC_KEY: KeyUsage.SCRIPT_ENCIPHERMENT,
}
TERMINAL_DATA: Final = Selection(TERMINAL_PART[Cvn.CVN_01])
"""What the terminal has a part in, of the input of CVN 01: 29 bytes."""
_CVN_17_DATA: Final = Selection(TERMINAL_PART[Cvn.CVN_17])
_NUMBER_AT: Final = 25
"""Where the unpredictable number stands in the 29 bytes."""
_CVN_01: Final = int(Cvn.CVN_01)
_CVN_AT, _CVR_AT, _CVR_END, _IDD_AT = 2, 4, 7, 8
"""Places in 9F10: 07, DKI, CVN, CVR with its length, algorithm, then what the issuer wants."""


def session_key(ctx: Context, route: Route, kid: int, atc: bytes) -> BlockKey:
    """The transaction's key: `kid` is AC_KEY, MAC_KEY or ENC_KEY, `atc` 2 bytes.

    StatusError 6A88 when the card has no keys for the algorithm of the route.
    """
    card_key = route.keys.get(kid) or _card_key(ctx, route, kid)
    return card_key.suite.once(pboc_session_key(card_key, atc))


def session_mac(ctx: Context, route: Route, kid: int, atc: bytes, data: bytes) -> bytes:
    """The MAC under such a key, one block. StatusError as above."""
    card_key = route.keys.get(kid) or _card_key(ctx, route, kid)
    return card_key.suite.mac_once(pboc_session_key(card_key, atc), data)


def _card_key(ctx: Context, route: Route, kid: int) -> BlockKey:
    """The card's own key of the route's algorithm, kept with the route from now on."""
    found = route.keys[kid] = ctx.key(kid, _USAGE[kid], route.algorithm).cipher
    return found


# What the card tells its issuer

_Told = Callable[[Profile, CardState, int], bytes]
_AVAILABLE: Final = bytes((10, OneAmount.AVAILABLE))
_TELLS: Final[dict[bytes, _Told]] = {
    bytes((10, OneAmount.BALANCE)): lambda _, state, __: _low(state.balance),
    bytes((10, OneAmount.SPENT)): lambda _, state, __: _low(state.spent),
    bytes((15, TwoAmounts.BALANCE_AND_SPENT)): (
        lambda _, state, __: _low(state.balance) + _low(state.spent)
    ),
    bytes((15, TwoAmounts.SPENT_AND_LIMIT)): (
        lambda profile, state, _: _low(state.spent) + _low(profile.limits.spent)
    ),
    _AVAILABLE: lambda _, __, available: _low(available),
    bytes((10, OneAmount.UNNAMED)): lambda _, state, __: _low(state.balance),
}
"""By length and id of the issuer's data: its amounts."""
_LOW_AMOUNTS: Final = 10**10
_FILL: Final = {5: bytes(1), 10: bytes(4)}
"""What the input of the MAC ends with, by the bytes of the amounts."""


def tells_available(route: Route) -> bool:
    """Whether 9F10 tells what can be spent offline (9F5D)."""
    return route.iad[_IDD_AT : _IDD_AT + 2] == _AVAILABLE


def issuer_application_data(
    ctx: Context,
    profile: Profile,
    route: Route,
    state: CardState,
    atc: bytes,
    cvr: int,
    available: int = 0,
) -> bytes:
    """9F10 with the CVR in it, and the amounts that the issuer wants told, with their MAC.

    `state`: as it is after this command. `available`: what can be spent offline (9F5D), in fen.
    Data of the issuer's own that is none of the known kinds stays as it was personalised.
    StatusError 6985 when the card has no 9F10.
    """
    template = route.iad
    if not template:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, "the card has no issuer data (9F10)")
    told = _TELLS.get(template[_IDD_AT : _IDD_AT + 2])
    if told is None:
        return template[:_CVR_AT] + cvr.to_bytes(3) + template[_CVR_END:]
    amounts = told(profile, state, available)
    mac = session_mac(ctx, route, MAC_KEY, atc, atc + amounts + _FILL[len(amounts)])
    head = template[:_CVR_AT] + cvr.to_bytes(3) + template[_CVR_END : _IDD_AT + 2]
    return head + amounts + mac[:IDD_MAC]


def _low(amount: int) -> bytes:
    """The low 5 bytes of an amount, packed BCD."""
    return bytes.fromhex(f"{amount % _LOW_AMOUNTS:010d}")


# The cryptogram


def application_cryptogram(
    ctx: Context, route: Route, asked: DataList, data: bytes, atc: bytes, iad: bytes
) -> bytes:
    """AAC, TC or ARQC, 8 bytes, over the terminal's elements in `data`, AIP, ATC and CVR.

    Raises StatusError 6985 when the card's list does not ask for an element that its cryptogram
    version wants.
    """
    whole = iad[_CVN_AT] == _CVN_01
    elements = asked.select(TERMINAL_DATA if whole else _CVN_17_DATA, data)
    if not elements:
        raise not_asked_for()
    if whole:
        return cryptogram_over(ctx, route, elements, atc, iad)
    data = elements + atc + iad[_CVR_AT : _CVR_AT + 1]
    return session_mac(ctx, route, AC_KEY, atc, data)[:AC]


def not_asked_for() -> StatusError:
    """6985: a list of the card's own does not suffice."""
    text = "the card's list does not ask for all that its cryptogram is made from"
    return StatusError(SW.CONDITIONS_NOT_SATISFIED, text)


def cryptogram_over(ctx: Context, route: Route, terminal: bytes, atc: bytes, iad: bytes) -> bytes:
    """As above. `terminal`: what `TERMINAL_DATA` selects, 29 bytes, whichever version it is."""
    if iad[_CVN_AT] == _CVN_01:
        data = terminal + route.aip.to_bytes(2) + atc + iad[_CVR_AT - 1 : _CVR_END]
    else:
        data = terminal[:6] + terminal[_NUMBER_AT:] + atc + iad[_CVR_AT : _CVR_AT + 1]
    return session_mac(ctx, route, AC_KEY, atc, data)[:AC]
