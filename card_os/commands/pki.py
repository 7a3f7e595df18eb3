# SPDX-License-Identifier: Apache-2.0
"""What the PKI application does: PINs and master keys, proven over a challenge.

Of a PIN the card knows nothing but the key that is made of it. A protected command comes under
the secret that was proven last, and only that secret lets it in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from apdu.crypto import pki
from apdu.crypto.sm3 import digest
from apdu.crypto.suite import BlockKey
from apdu.errors import StatusError
from apdu.messaging import KeyName, Messaging
from apdu.pki_messaging import pki_messaging
from apdu.sw import SW
from apdu.wire.codes import is_pin
from apdu.wire.form import CommandForm
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.perso import Algorithm, KeyBlock, KeyRef, KeyUsage
from apdu.wire.pki import MASTER, PkiPin
from apdu.wire.pki_commands import (
    AUTHENTICATE_MASTER_KEY,
    CHANGE_PKI_PIN,
    HASH,
    UPDATE_MASTER_KEY,
    VERIFY_BY_CHALLENGE,
    WRITE_PKI_KEY,
    HashData,
    MasterKeyData,
    PkiPinRef,
)
from card_os.access import Rule, SecurityStatus, key_proof, pin_proof
from card_os.dispatch import CommandTable, Context, Protection, no_challenge
from card_os.secrets.keys import KeyObject
from card_os.secrets.pins import not_a_pin, unproven
from card_os.session import Stage

master = CommandTable()
pins = CommandTable()
personalisation = CommandTable()

_MASTER_PROOF: Final = frozenset({key_proof(MASTER.kid)})
_SECRETS: Final = (KeyUsage.MASTER, KeyUsage.CHALLENGED_PIN)


@dataclass(frozen=True, slots=True)
class Proven:
    """A PIN or the master key, and its proof."""

    proof: SecurityStatus
    secret: KeyObject


@dataclass(frozen=True, slots=True)
class PkiState:
    """What the application keeps between commands."""

    last: Proven | None = None
    """The secret that was proven last."""
    session: BlockKey | None = None
    """The key under which a private key will come."""


IDLE: Final = PkiState()


# Proving a secret


def _prove(
    ctx: Context, reference: int, usage: KeyUsage, proof: SecurityStatus, shown: bytes
) -> None:
    """Judge what was made of the last challenge, which is used up by any attempt."""
    session = ctx.session
    # An earlier success does not outlive a failure, so it goes first.
    session.status -= proof
    challenge = _take_challenge(ctx)
    secret = ctx.key(reference, usage)
    secret.compare(pki.proof(secret.cipher, challenge), shown)
    session.status |= proof
    session.scratch = replace(state(ctx), last=Proven(proof, secret))


def state(ctx: Context) -> PkiState:
    """What the application has kept so far."""
    kept: PkiState = ctx.session.scratch
    return kept


def _take_challenge(ctx: Context) -> bytes:
    """What GET CHALLENGE gave last, 8 or 16 bytes, for one use. StatusError 6984 without one."""
    challenge, ctx.session.challenge = ctx.session.challenge, b""
    if len(challenge) not in pki.CHALLENGES:
        raise no_challenge(len(challenge), " or ".join(map(str, pki.CHALLENGES)))
    return challenge


def messaging(ctx: Context, _: CommandForm[Any, Any, Any]) -> Messaging:
    """Under the secret that was proven last (profile choice `pki-protection`).

    Whoever has proven none learns nothing of a MAC either: it would tell of a PIN for no try.
    """
    challenge = _take_challenge(ctx)
    last = state(ctx).last
    if last is None or not last.proof <= ctx.session.status:
        text = "{command} comes under the PIN or key that was proven last, and none is"
        raise StatusError(SW.SECURITY_NOT_SATISFIED, text)
    header = last.secret.header
    named = KeyName(header.reference, header.usage, header.version)
    return pki_messaging(last.secret.cipher, challenge, named)


def _alone(ctx: Context, proof: SecurityStatus) -> Rule:
    """A secret lets in what is protected under itself, and nothing else."""
    last = state(ctx).last
    return (proof,) if last is not None and last.proof == proof else ()


# The master key (主控密钥)


@master.on(AUTHENTICATE_MASTER_KEY)
def authenticate_master_key(ctx: Context, _: None, shown: bytes) -> None:
    """Let the issuer prove the master key of the current directory."""
    _prove(ctx, MASTER.kid, MASTER.usage, _MASTER_PROOF, shown)


def by_master(ctx: Context, _: None) -> Rule:
    return _alone(ctx, _MASTER_PROOF)


@master.on(UPDATE_MASTER_KEY, access=by_master, messaging=Protection.ENCIPHERED)
def update_master_key(ctx: Context, _: None, new: MasterKeyData) -> None:
    """Replace the master key; the new one must be proven anew."""
    _renew(ctx, MASTER.kid, MASTER.usage, _MASTER_PROOF, new.key)


def _renew(
    ctx: Context, reference: int, usage: KeyUsage, proof: SecurityStatus, value: bytes
) -> None:
    ctx.session.status -= proof
    _held(ctx, reference, usage).replace(value)


def _held(ctx: Context, reference: int, usage: KeyUsage) -> KeyObject:
    """A secret of the current directory, whether or not it is blocked; or StatusError 6A88."""
    return ctx.session.directory.keys.held(reference, usage)


# The PINs


def _pin_proof(pin: PkiPin) -> SecurityStatus:
    return frozenset({pin_proof(pin)})


@pins.on(VERIFY_BY_CHALLENGE)
def verify(ctx: Context, ref: PkiPinRef, shown: bytes) -> None:
    """Judge a PIN. Without data: 9000 when it is proven already, else 63Cx, at no cost."""
    proof = _pin_proof(ref.pin)
    if shown:
        _prove(ctx, ref.pin, KeyUsage.CHALLENGED_PIN, proof, shown)
    elif not proof <= ctx.session.status:
        counter = _held(ctx, ref.pin, KeyUsage.CHALLENGED_PIN).counter
        raise unproven(ref.pin, counter)


def by_itself(ctx: Context, ref: PkiPinRef) -> Rule:
    return _alone(ctx, _pin_proof(ref.pin))


@pins.on(CHANGE_PKI_PIN, access=by_itself, messaging=Protection.ENCIPHERED)
def change_pin(ctx: Context, ref: PkiPinRef, new: bytes) -> None:
    """Replace a PIN; the new one must be proven anew."""
    _set_pin(ctx, ref.pin, new)


def by_admin(ctx: Context, _: PinServiceRef) -> Rule:
    return _alone(ctx, _pin_proof(PkiPin.ADMIN))


@pins.on(PIN_CHANGE_UNBLOCK, access=by_admin, messaging=Protection.ENCIPHERED)
def unblock_user_pin(ctx: Context, ref: PinServiceRef, new: bytes) -> None:
    """Give the user PIN all its tries again, and with RELOAD a new value (profile choice
    `pki-unblock`)."""
    if bool(new) != (ref.service is PinService.RELOAD):
        raise StatusError(SW.WRONG_LENGTH, "a new PIN comes with RELOAD, and with it alone")
    if new:
        _set_pin(ctx, PkiPin.USER, new)
    else:
        ctx.session.status -= _pin_proof(PkiPin.USER)
        _held(ctx, PkiPin.USER, KeyUsage.CHALLENGED_PIN).refill()


def _set_pin(ctx: Context, pin: PkiPin, new: bytes) -> None:
    if not is_pin(new):
        raise not_a_pin()
    _renew(ctx, pin, KeyUsage.CHALLENGED_PIN, _pin_proof(pin), pki.pin_key(new))


@pins.on(HASH)
def compute_hash(ctx: Context, _: None, given: HashData) -> bytes:
    """SM3 of what is given, and of nothing the card has: no PIN can be tried by it."""
    return digest(given.data)


# Personalisation


@personalisation.on(WRITE_PKI_KEY, life=Stage.INITIALISATION)
def write_pki_key(ctx: Context, ref: KeyRef, block: KeyBlock) -> None:
    """Store a master key or the key of a PIN in the current directory."""
    if block.usage not in _SECRETS or block.algorithm is not Algorithm.SM4:
        text = "a secret here is a master or a PIN's key under SM4, not {usage} under {algorithm}"
        facts = {"usage": block.usage, "algorithm": block.algorithm}
        raise StatusError(SW.WRONG_DATA, text, **facts)
    ctx.tree.add_secret(ctx.session.directory, ref.kid, block)
