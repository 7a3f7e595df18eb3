# SPDX-License-Identifier: Apache-2.0
"""VERIFY: the plaintext offline PIN of the bank's application (脱机密码, JR/T 0025.5 clause 11).

The PIN is kept as the block in which it comes, so that one comparison decides.
"""

from __future__ import annotations

import re
from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.digits import PIN_DIGITS
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import PIN_REFERENCE
from apdu.wire.pboc.commands import VERIFY_OFFLINE_PIN
from apdu.wire.pboc.flags import Ada, Cvr
from apdu.wire.perso import Life
from card_os.apps.pboc.profile import profile_of
from card_os.apps.pboc.transaction import Phase, Transaction, current, out_of_turn
from card_os.dispatch import CommandTable, Context
from card_os.secrets.pins import PinObject
from card_os.session import Stage

commands = CommandTable()

_PERFORMED: Final = int(Cvr.PIN_VERIFICATION_PERFORMED)
_FAILED: Final = int(Cvr.PIN_VERIFICATION_FAILED)
_EXCEEDED: Final = int(Cvr.PIN_TRIES_EXCEEDED)
_BLOCKED: Final = int(Cvr.BLOCKED_FOR_PIN)
_BLOCK_ON_PIN_TRIES: Final = int(Ada.BLOCK_ON_PIN_TRIES)
_SHAPE: Final = re.compile(
    "|".join(f"2{n:x}[0-9]{{{n}}}f{{{14 - n}}}" for n in PIN_DIGITS), re.ASCII
)
"""A PIN block of format 2 in hex digits (ISO 9564-1 9.3.4)."""


@commands.on(VERIFY_OFFLINE_PIN, life=Stage.OPERATIONAL | Stage.BLOCKED)
def verify(ctx: Context, _: None, block: bytes) -> None:
    """Compare a PIN, between GET PROCESSING OPTIONS and the first GENERATE AC.

    StatusError 6985 at another time; 6A80 for what is no PIN block, which costs no try (profile
    choice `pin-block-form`); 6A88 when the card has no PIN; 63Cx when it is wrong. Without tries
    left 6984 the first time, and 6983 once the transaction knows of it (`pin-exceeded`).
    """
    transaction = current(ctx)
    if transaction.phase is not Phase.INITIATED:
        raise out_of_turn(transaction, "between GPO and the first GENERATE AC")
    if not _SHAPE.fullmatch(block.hex()):
        raise StatusError(SW.WRONG_DATA, "the data is no PIN block of format 2; no try is paid")
    pin = ctx.pin(PIN_REFERENCE)
    cvr = transaction.cvr
    if not pin.counter.left:
        # Nothing was verified, so the CVR must not say so: first action analysis would then not
        # look at tries that were exceeded earlier.
        ctx.session.scratch = transaction._replace(cvr=cvr | _EXCEEDED)
        sw = SW.AUTH_BLOCKED if cvr & _EXCEEDED else SW.REFERENCE_DATA_INVALID
        text, limit = "{pin} has {left} of {limit} tries left", pin.counter.limit
        raise StatusError(sw, text, pin=PIN_REFERENCE, left=0, limit=limit)
    try:
        pin.verify(block)
    except StatusError:
        _note_failure(ctx, transaction, pin)
        raise
    ctx.session.scratch = transaction._replace(cvr=(cvr | _PERFORMED) & ~_FAILED)


def _note_failure(ctx: Context, transaction: Transaction, pin: PinObject) -> None:
    """Set the bits of the CVR; after the last try block the application, if ADA says so.

    The try was paid before. When the power goes between that and the block, the PIN is exhausted
    and the application is not blocked: what ADA says of tries exceeded earlier holds then.
    """
    cvr = transaction.cvr | _PERFORMED | _FAILED
    exceeded = not pin.counter.left
    if exceeded:
        cvr |= _EXCEEDED
        directory = ctx.session.directory
        if profile_of(directory).bits(tags.ADA) & _BLOCK_ON_PIN_TRIES:
            ctx.tree.set_life(directory, Life.DEACTIVATED)
            ctx.session.stage = int(Stage.BLOCKED)
            cvr |= _BLOCKED
    ctx.session.scratch = transaction._replace(cvr=cvr, pin_exceeded=exceeded)
