# SPDX-License-Identifier: Apache-2.0
"""PIN, keys and challenge (ISO 7816-4 11.5, LD/T 32)."""

from __future__ import annotations

from typing import Any, Final

from apdu.crypto.derive import authentication, challenge_key
from apdu.errors import StatusError
from apdu.messaging import KeyName, Messaging, challenge_messaging
from apdu.sw import SW
from apdu.wire.access import Key
from apdu.wire.codes import is_pin
from apdu.wire.form import CommandForm
from apdu.wire.hrss.application import PIN_REFERENCE
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    CHANGE_PIN,
    EXTERNAL_AUTHENTICATE,
    INTERNAL_AUTHENTICATE,
    PIN_CHANGE_UNBLOCK,
    ExternalData,
    InternalData,
    KeyNumber,
    PinChange,
    PinService,
    PinServiceRef,
)
from apdu.wire.hrss.keys import BK, LOCAL_LK, LOCAL_STK, PUK, STK
from apdu.wire.iso7816 import GET_CHALLENGE, VERIFY, PinRef
from apdu.wire.perso import KeyUsage
from card_os.access import Rule, key_proof, rule
from card_os.dispatch import CommandTable, Context, Protection
from card_os.secrets.pins import not_a_pin, unproven
from card_os.session import IN_USE, Stage

CHALLENGE_LENGTHS: Final = (4, 8, 16)
USUAL_CHALLENGE: Final = 8

_PUK_SHOWN: Final = rule(Key(PUK))
_OF_FILES: Final = ((LOCAL_STK, KeyUsage.MESSAGING), (STK, KeyUsage.MESSAGING))

challenge = CommandTable()
pin = CommandTable()
keys = CommandTable()


@challenge.on(GET_CHALLENGE, life=IN_USE | Stage.BLOCKED)
def get_challenge(ctx: Context, _: None, __: None) -> bytes:
    """Random bytes, kept until they are used or another application is selected."""
    length = USUAL_CHALLENGE if ctx.ne == 256 else ctx.ne
    if length not in CHALLENGE_LENGTHS:
        text = "a challenge has 4, 8 or 16 bytes, {length} are asked for"
        raise StatusError(SW.WRONG_LENGTH, text, length=length)
    # Whatever comes of it, the challenge before is over.
    ctx.session.challenge = b""
    ctx.session.challenge = ctx.random(length)
    return ctx.session.challenge


@pin.on(VERIFY)
def verify(ctx: Context, ref: PinRef, attempt: bytes) -> None:
    """Compare a PIN. Without data: 9000 when it is proven already, else 63Cx, at no cost."""
    session = ctx.session
    target = session.directory.pins.get(ref.reference) or ctx.pin(ref.reference)
    if not attempt:
        if target.proof <= session.status:
            return
        raise unproven(target.reference, target.counter)
    # An earlier success does not outlive a failure, so it goes first.
    session.status -= target.proof
    target.verify(attempt)
    session.status |= target.proof


@pin.on(CHANGE_PIN)
def change_pin(ctx: Context, _: None, change: PinChange) -> None:
    """Replace the PIN; what it had proven must be proven anew."""
    target = ctx.pin(PIN_REFERENCE)
    if not is_pin(change.new):
        raise not_a_pin()
    ctx.session.status -= target.proof
    target.change(change.old, change.new)


def shown_puk(ctx: Context, ref: PinServiceRef) -> Rule:
    """The service desk has authenticated with PUK."""
    return _PUK_SHOWN


@pin.on(PIN_CHANGE_UNBLOCK, access=shown_puk, messaging=Protection.ENCIPHERED)
def pin_change_unblock(ctx: Context, ref: PinServiceRef, new: bytes) -> None:
    """Give the PIN all its tries again, and with RELOAD a new value; it is then to be verified.

    A reload may set the initial PIN, as service desks do.
    """
    target = ctx.pin(PIN_REFERENCE)
    if ref.service is PinService.UNBLOCK:
        if new:
            raise StatusError(SW.WRONG_LENGTH, "UNBLOCK brings no new PIN")
        ctx.session.status -= target.proof
        target.unblock()
        return
    if not new:
        raise StatusError(SW.WRONG_LENGTH, "RELOAD brings a new PIN, and there is none")
    if not is_pin(new):
        raise not_a_pin()
    ctx.session.status -= target.proof
    target.reload(new)


@keys.on(INTERNAL_AUTHENTICATE)
def internal_authenticate(ctx: Context, ref: KeyNumber, given: InternalData) -> bytes:
    """Prove a key of the card (IRK) over a factor and data of the terminal's."""
    key = ctx.key(ref.kid, KeyUsage.INTERNAL_AUTHENTICATE, _version(given.version))
    return authentication(challenge_key(key.cipher, given.factor), given.data)


@keys.on(EXTERNAL_AUTHENTICATE)
def external_authenticate(ctx: Context, ref: KeyNumber, shown: ExternalData) -> None:
    """Let the terminal prove a key over the last challenge, which is used up by any attempt."""
    session = ctx.session
    # An earlier success does not outlive a failure, so it goes first.
    session.status -= {key_proof(ref.kid)}
    factor = ctx.take_challenge()
    key = ctx.key(ref.kid, KeyUsage.EXTERNAL_AUTHENTICATE, _version(shown.version))
    expected = authentication(challenge_key(key.cipher, factor), shown.data)
    key.compare(expected, shown.cryptogram)
    session.status |= key.proof


def _version(given: bytes) -> int | None:
    return given[0] if given else None


_KEYS_OF: Final[dict[CommandForm[Any, Any, Any], tuple[tuple[int, KeyUsage], ...]]] = {
    PIN_CHANGE_UNBLOCK: ((STK, KeyUsage.MESSAGING),),
    APPLICATION_BLOCK: ((LOCAL_LK, KeyUsage.LOCK), *_OF_FILES),
    APPLICATION_UNBLOCK: ((LOCAL_LK, KeyUsage.LOCK), *_OF_FILES),
    CARD_BLOCK: ((BK, KeyUsage.CARD_BLOCK),),
}
"""What a command that is not about files is protected by; else `_OF_FILES`. The PIN and the card as
a whole are the application's, what stands in a DF may have a key of its own (profile choices
`messaging-key`, `block-key`, `card-block-key`)."""


def messaging(ctx: Context, form: CommandForm[Any, Any, Any]) -> Messaging:
    """Under the challenge and the first of the command's keys that there is."""
    factor = ctx.take_challenge()
    *others, (kid, usage) = _KEYS_OF.get(form, _OF_FILES)
    for other in others:
        if ctx.holds(*other):
            kid, usage = other
            break
    key = ctx.key(kid, usage)
    return challenge_messaging(key.cipher, factor, KeyName(kid, usage, key.header.version))
