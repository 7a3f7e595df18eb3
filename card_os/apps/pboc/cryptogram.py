# SPDX-License-Identifier: Apache-2.0
"""The card's cryptogram, and what it says with it: keys of the transaction, AC, and 9F10.

Both ways of asking use it: GENERATE AC, and GPO of a tap (JR/T 0025.5 annexes D and E).
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.cryptogram import AC, RULES, idd_mac
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.suite import BlockKey
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.cryptogram import Cvn, OneAmount, OneAmountIdd, TwoAmounts, TwoAmountsIdd
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.application import AC_KEY, ENC_KEY, MAC_KEY
from apdu.wire.perso import KeyUsage
from card_os.apps.pboc.profile import DataList, Profile, Route
from card_os.apps.pboc.state import CardState
from card_os.dispatch import Context

_USAGE: Final = {
    AC_KEY: KeyUsage.CRYPTOGRAM,
    MAC_KEY: KeyUsage.SCRIPT_MAC,
    ENC_KEY: KeyUsage.SCRIPT_ENCIPHERMENT,
}
_CVN_AT, _CVR_AT, _CVR_END, _IDD_AT = 2, 4, 7, 8
"""Places in 9F10: 07, DKI, CVN, CVR with its length, algorithm, then what the issuer wants."""
_CVN_01_ELEMENTS: Final = (
    tags.AMOUNT,
    tags.OTHER_AMOUNT,
    tags.TERMINAL_COUNTRY,
    tags.TVR,
    tags.CURRENCY,
    tags.DATE,
    tags.TRANSACTION_TYPE,
    tags.UNPREDICTABLE_NUMBER,
)
_CVN_17_ELEMENTS: Final = (tags.AMOUNT, tags.UNPREDICTABLE_NUMBER)


def session_key(ctx: Context, route: Route, kid: int, atc: bytes) -> BlockKey:
    """The transaction's key: `kid` is AC_KEY, MAC_KEY or ENC_KEY, `atc` 2 bytes.

    StatusError 6A88 when the card has no keys for the algorithm of the route.
    """
    card_key = ctx.key(kid, _USAGE[kid], route.algorithm).cipher
    return card_key.suite.once(pboc_session_key(card_key, atc))


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
    """
    template = route.iad
    iad = template[:_CVR_AT] + cvr.to_bytes(3) + template[_CVR_END:_IDD_AT]
    wanted = template[_IDD_AT + 1 : _IDD_AT + 2]
    if not wanted:
        return iad + template[_IDD_AT:]
    session = session_key(ctx, route, MAC_KEY, atc)
    return iad + _discretionary(session, profile, state, atc, wanted[0], available)


def _discretionary(
    session: BlockKey,
    profile: Profile,
    state: CardState,
    atc: bytes,
    wanted: int,
    available: int,
) -> bytes:
    balance, spent = _low(state.balance), _low(state.spent)
    idd: OneAmountIdd | TwoAmountsIdd
    match wanted:
        case TwoAmounts.BALANCE_AND_SPENT:
            idd = TwoAmountsIdd(TwoAmounts.BALANCE_AND_SPENT, balance, spent)
        case TwoAmounts.SPENT_AND_LIMIT:
            limit = _low(profile.amount(tags.CTTAL) or 0)
            idd = TwoAmountsIdd(TwoAmounts.SPENT_AND_LIMIT, spent, limit)
        case OneAmount.SPENT:
            idd = OneAmountIdd(OneAmount.SPENT, spent)
        case OneAmount.AVAILABLE:
            idd = OneAmountIdd(OneAmount.AVAILABLE, _low(available))
        case _:
            idd = OneAmountIdd(OneAmount(wanted), balance)
    whole = bytes(idd)
    return whole[:-4] + idd_mac(session, atc, idd)


def _low(amount: int) -> bytes:
    """The low 5 bytes of an amount."""
    return amount_bytes(amount)[1:]


def application_cryptogram(
    ctx: Context, route: Route, asked: DataList, data: bytes, atc: bytes, iad: bytes
) -> bytes:
    """AAC, TC or ARQC, 8 bytes, over the terminal's elements in `data`, AIP, ATC and CVR.

    Raises StatusError 6985 when the card's list does not ask for an element that its cryptogram
    version wants.
    """
    cvn = iad[_CVN_AT]
    wanted = _CVN_01_ELEMENTS if cvn == Cvn.CVN_01 else _CVN_17_ELEMENTS
    parts = [asked.value(tag, data) for tag in wanted]
    if not all(parts):
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
    if cvn == Cvn.CVN_01:
        parts += [route.aip.to_bytes(2), atc, iad[_CVR_AT - 1 : _CVR_END]]
    else:
        parts += [atc, iad[_CVR_AT : _CVR_AT + 1]]
    session = session_key(ctx, route, AC_KEY, atc)
    return session.mac(b"".join(parts), RULES[cvn].padding)[:AC]
