# SPDX-License-Identifier: Apache-2.0
"""What a PSAM does with its masters: sessions with cards, and the terminal's half of a purchase.

Masters are stored under their usage byte, and asked for by it; so the key store sees to it that
a key of one kind does no work of another. The keys of a session never leave volatile memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Final

from apdu.crypto import purchase as cryptograms
from apdu.crypto.derive import challenge_key, diversify
from apdu.crypto.padding import without
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.perso import KeyBlock, KeyUsage
from apdu.wire.psam import (
    SEQUENCE,
    TERMINAL,
    CryptMode,
    levels,
    may,
    purchase_usage,
)
from apdu.wire.psam_commands import (
    CRYPT,
    DERIVE_SESSION_KEY,
    FACTOR,
    INITIALISE_PURCHASE,
    VERIFY_MAC2,
    WRITE_MASTER_KEY,
    CryptRef,
    DeriveData,
    MacData,
    MasterRef,
    PurchaseData,
    PurchaseReply,
)
from apdu.wire.purchase import PURCHASE_ALGORITHM_OF, TERMINAL_SEQUENCE, Mac1Input, Mac2Input
from card_os.commands.administration import KEY_LENGTH
from card_os.dispatch import CommandTable, Context
from card_os.files.tree import Directory
from card_os.session import Stage

crypt = CommandTable()
purchase = CommandTable()
personalisation = CommandTable()

_LAST_SEQUENCE: Final = (1 << 8 * TERMINAL_SEQUENCE) - 1
_SUITE_OF: Final = {code: SUITES[known] for known, code in PURCHASE_ALGORITHM_OF.items()}


@dataclass(frozen=True, slots=True)
class Derived:
    """A session with a card, and what CRYPT may do in it."""

    key: BlockKey
    modes: frozenset[CryptMode]


@dataclass(frozen=True, slots=True)
class Begun:
    """A purchase whose MAC2 is awaited."""

    key: BlockKey
    booked: Mac2Input


@dataclass(frozen=True, slots=True)
class PsamState:
    """What the application keeps between commands: at most one session and one purchase."""

    derived: Derived | None = None
    begun: Begun | None = None


IDLE: Final = PsamState()


def _state(ctx: Context) -> PsamState:
    found: PsamState = ctx.session.scratch
    return found


# Sessions


@crypt.on(DERIVE_SESSION_KEY)
def derive_session_key(ctx: Context, ref: MasterRef, given: DeriveData) -> None:
    """Make a card's key of a master, and of that a session key for the card's challenge."""
    # An earlier session does not outlive a failure, so it goes first.
    ctx.session.scratch = replace(_state(ctx), derived=None)
    modes = may(ref.usage)
    master = _master(ctx, ref.usage, ref.id)
    if not modes:
        text = "a master of usage byte {scope:02X} makes no sessions"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, scope=ref.usage)
    if len(given.factors) != levels(ref.usage) * FACTOR:
        text = "usage byte {scope:02X} wants {levels} factors of 8 bytes, these are {length} bytes"
        facts = {"scope": ref.usage, "levels": levels(ref.usage), "length": len(given.factors)}
        raise StatusError(SW.WRONG_LENGTH, text, **facts)
    session = challenge_key(_diversified(master, given.factors), given.challenge)
    ctx.session.scratch = replace(_state(ctx), derived=Derived(session, modes))


@crypt.on(CRYPT)
def crypt_data(ctx: Context, ref: CryptRef, data: bytes) -> bytes:
    """Encipher whole blocks under the session key, or give 8 bytes of MAC over them."""
    derived = _state(ctx).derived
    if derived is None or ref.mode not in derived.modes:
        text = "the key of the session does not do {mode}"
        if derived is None:
            text = "there is no session: DERIVE SESSION KEY comes first"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, mode=ref.mode.name)
    if ref.mode is CryptMode.ENCIPHER:
        return derived.key.encrypt(data)
    given = MacData.parse(data)
    block = derived.key.suite.block
    if len(given.blocks) < block:
        raise FormatError(f"MAC: must be over whole blocks of {block} bytes")
    first = int.from_bytes(given.blocks[:FACTOR]) ^ int.from_bytes(given.initial)
    blocks = first.to_bytes(FACTOR) + given.blocks[FACTOR:]
    return derived.key.mac(blocks, without)[:FACTOR]


def _master(ctx: Context, usage: int, number: int) -> BlockKey:
    """A master that is stored under this usage byte.

    Usage byte and id together are its name: StatusError 6A88 when there is none of this name,
    though there be one of this id (profile choice `psam-names`).
    """
    keys = ctx.session.directory.keeper(number).keys
    try:
        return keys.find(number, KeyUsage.DERIVATION, scope=usage).cipher
    except StatusError as refusal:
        if refusal.sw == SW.CONDITIONS_NOT_SATISFIED:
            text = "there is no master {number:02X} under usage byte {scope:02X}"
            facts = {"number": number, "scope": usage}
            raise StatusError(SW.REFERENCE_NOT_FOUND, text, **facts) from None
        raise


def _diversified(key: BlockKey, factors: bytes) -> BlockKey:
    """The key at the end of the levels. Factors come card first; keys are made card last."""
    for at in reversed(range(0, len(factors), FACTOR)):
        key = key.suite.once(diversify(key, factors[at : at + FACTOR]))
    return key


# Purchases


@purchase.on(INITIALISE_PURCHASE)
def initialise_purchase(ctx: Context, _: None, given: PurchaseData) -> bytes:
    """Take a number for a purchase and compute MAC1.

    The next number is safe in memory before this one is given away, so that it is used once at
    most. The last one there is, FFFFFFFF, is never used.
    """
    ctx.session.scratch = replace(_state(ctx), begun=None)
    if not given.factors or len(given.factors) % FACTOR:
        text = "factors have 8 bytes each, these are {length} bytes"
        raise StatusError(SW.WRONG_LENGTH, text, length=len(given.factors))
    dpk = _purchase_key(ctx, given)
    terminal = _content(ctx.tree.mf, TERMINAL)
    application = ctx.session.directory
    sequence = _content(application, SEQUENCE)
    number = int.from_bytes(sequence)
    if number == _LAST_SEQUENCE:
        text = "the terminal's numbers have come to their end: {number:08X} is never used"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, number=number)
    session = cryptograms.purchase_key(dpk, given.random, given.card_sequence, sequence)
    terms = Mac1Input(given.account, given.own, given.pool, terminal, given.time)
    mac1 = cryptograms.mac1(session, terms)
    application.by_sfi[SEQUENCE.sfi].update_binary(0, (number + 1).to_bytes(TERMINAL_SEQUENCE))
    booked = Mac2Input(given.card_sequence, sequence, mac1)
    ctx.session.scratch = replace(_state(ctx), begun=Begun(session, booked))
    return bytes(PurchaseReply(sequence, mac1))


@purchase.on(VERIFY_MAC2)
def verify_mac2(ctx: Context, _: None, shown: bytes) -> None:
    """Judge what the card says it has booked. A purchase is judged once, whatever comes of it."""
    begun = _state(ctx).begun
    if begun is None:
        text = "no purchase was begun, or it was judged already"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    ctx.session.scratch = replace(_state(ctx), begun=None)
    if not compare_digest(cryptograms.mac2(begun.key, begun.booked), shown):
        text = "MAC2 does not match what was begun with terminal number {number:08X}"
        number = int.from_bytes(begun.booked.terminal_sequence)
        raise StatusError(SW.MAC_INVALID, text, number=number)


def _purchase_key(ctx: Context, given: PurchaseData) -> BlockKey:
    """The card's purchase key of the version the card named, or StatusError 9403.

    The usage byte under which the master is stored says how many of the factors count; one that
    is given beyond them does not (profile choice `purchase-factors`: drivers give card and city,
    and the table of keys says card alone).
    """
    wanted = _SUITE_OF.get(given.algorithm)
    for count in _counts(given.factors):
        try:
            master = _master(ctx, purchase_usage(count), given.version)
        except StatusError:
            continue
        if master.suite is wanted:
            return _diversified(master, given.factors[: count * FACTOR])
    text = "there is no purchase master {number:02X} of algorithm {code:02X} for {count} factors"
    facts = {"number": given.version, "code": given.algorithm}
    count = len(given.factors) // FACTOR
    raise StatusError(SW.KEY_INDEX_NOT_SUPPORTED, text, count=count, **facts)


def _counts(factors: bytes) -> Iterable[int]:
    """How many factors may count: all of them first, then fewer."""
    return range(len(factors) // FACTOR, 0, -1)


def _content(directory: Directory, file: EfSpec) -> bytes:
    """All of a transparent file, or StatusError 6985 when the PSAM was made without it."""
    found = directory.by_sfi.get(file.sfi)
    if found is None or found.header.size != file.size:
        text = "the PSAM was made without a {file} of {size} bytes"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, file=file.fid, size=file.size)
    return found.read_binary(0, file.size)


# Personalisation


@personalisation.on(WRITE_MASTER_KEY, life=Stage.INITIALISATION)
def write_master_key(ctx: Context, ref: MasterRef, block: KeyBlock) -> None:
    """Store a master under its usage byte, for derivation and nothing else."""
    fits = block.usage is KeyUsage.DERIVATION and block.algorithm in SUITES
    if not fits or len(block.value) != KEY_LENGTH:
        text = "a master is for derivation and has {wanted} bytes; this is for {usage}, of {length}"
        facts = {"wanted": KEY_LENGTH, "usage": block.usage, "length": len(block.value)}
        raise StatusError(SW.WRONG_DATA, text, **facts)
    ctx.tree.add_secret(ctx.session.directory, ref.id, block, ref.usage)
