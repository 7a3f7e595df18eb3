# SPDX-License-Identifier: Apache-2.0
"""PIN and challenge (ISO 7816-4 11.5, LD/T 32)."""

from __future__ import annotations

from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.codes import is_pin
from apdu.wire.hrss import CHANGE_PIN, PIN_REFERENCE, PinChange
from apdu.wire.iso7816 import GET_CHALLENGE, VERIFY, PinRef
from card_os.dispatch import CommandTable, Context
from card_os.secrets.pins import TRIES_LEFT
from card_os.session import IN_USE, Stage

CHALLENGE_LENGTHS: Final = (4, 8, 16)
USUAL_CHALLENGE: Final = 8

challenge = CommandTable()
pin = CommandTable()


@challenge.on(GET_CHALLENGE, life=IN_USE | Stage.BLOCKED)
def get_challenge(ctx: Context, _: None, __: None) -> bytes:
    """Random bytes, kept until they are used or another application is selected."""
    length = USUAL_CHALLENGE if ctx.ne == 256 else ctx.ne
    if length not in CHALLENGE_LENGTHS:
        raise StatusError(SW.WRONG_LENGTH)
    ctx.session.challenge = ctx.world.random(length)
    return ctx.session.challenge


@pin.on(VERIFY)
def verify(ctx: Context, ref: PinRef, attempt: bytes) -> None:
    """Compare a PIN. Without data: 9000 when it is proven already, else 63Cx, at no cost."""
    session = ctx.session
    target = session.directory.pins.get(ref.reference) or ctx.pin(ref.reference)
    if not attempt:
        if target.proof <= session.status:
            return
        left = target.counter.left
        raise StatusError(TRIES_LEFT | left if left else SW.AUTH_BLOCKED)
    # An earlier success does not outlive a failure, so it goes first.
    session.status -= target.proof
    target.verify(attempt)
    session.status |= target.proof


@pin.on(CHANGE_PIN)
def change_pin(ctx: Context, _: None, change: PinChange) -> None:
    """Replace the PIN; what it had proven must be proven anew."""
    target = ctx.pin(PIN_REFERENCE)
    if not is_pin(change.new):
        raise StatusError(SW.WRONG_DATA)
    ctx.session.status -= target.proof
    target.change(change.old, change.new)
