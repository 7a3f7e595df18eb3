# SPDX-License-Identifier: Apache-2.0
"""INTERNAL AUTHENTICATE (内部认证): the card signs, for copies cannot (DDA)."""

from __future__ import annotations

from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.tlv import Tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import INTERNAL_AUTHENTICATE
from apdu.wire.pboc.flags import Aip, Cvr
from card_os.apps.pboc.signatures import sign_dynamic
from card_os.apps.pboc.transaction import Phase, current, out_of_turn
from card_os.dispatch import CommandTable, Context
from card_os.session import Stage

commands = CommandTable()

_DDA: Final = int(Aip.DDA)
_PERFORMED: Final = int(Cvr.DDA_PERFORMED)


@commands.on(INTERNAL_AUTHENTICATE, life=Stage.OPERATIONAL | Stage.BLOCKED)
def internal_authenticate(ctx: Context, _: None, data: bytes) -> bytes:
    """9F4B in a template 80, over what the DDOL asks for.

    StatusError 6985 before GPO, after the first GENERATE AC, or on a route without DDA; 6700 when
    this is not what the DDOL asks for, or it does not ask for 9F37 (JR/T 0025.5 annex B).
    """
    transaction = current(ctx)
    route = transaction.route
    if transaction.phase is not Phase.INITIATED or route is None:
        raise out_of_turn(transaction, "between GPO and the first GENERATE AC")
    if not route.aip & _DDA:
        text = "the AIP {aip:04X} offers no DDA"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, aip=route.aip)
    if len(data) != route.ddol.length or tags.UNPREDICTABLE_NUMBER not in route.ddol.places:
        text = "the DDOL asks for {wanted} bytes, 9F37 among them; these are {length}"
        raise StatusError(SW.WRONG_LENGTH, text, wanted=route.ddol.length, length=len(data))
    signature = sign_dynamic(ctx, route, data)
    ctx.session.scratch = transaction._replace(cvr=transaction.cvr | _PERFORMED)
    return bytes(Tlv(tags.FORMAT_1, signature))
