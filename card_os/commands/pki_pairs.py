# SPDX-License-Identifier: Apache-2.0
"""The key pairs of the PKI application: made or taken in, and put to work for the holder.

Nobody may read or write the files of their private halves; the handlers here alone do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from apdu.crypto import sm2
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.perso import Algorithm
from apdu.wire.pki import (
    ENCIPHERMENT,
    PAIRS,
    PRIVATE_SIZE,
    PUBLIC_SIZE,
    SIGNATURE,
    USER,
    PrivateKeyContent,
    PublicKeyContent,
)
from apdu.wire.pki_commands import (
    COMPUTE_SIGNATURE,
    DECIPHER,
    GENERATE_KEY_PAIR,
    IMPORT_KEY,
    LOAD_SESSION_KEY,
    DecipherData,
    FileTag,
    ImportData,
    ImportedHalf,
    ImportRef,
    KeyPairFiles,
    KeyTag,
    SessionKeyData,
)
from card_os.access import Rule, rule
from card_os.commands.pki import state
from card_os.dispatch import CommandTable, Context
from card_os.files.records import ElementaryFile
from card_os.session import Stage

T = TypeVar("T")

commands = CommandTable()

_SUITE: Final = SUITES[Algorithm.SM4]
_USER_SHOWN: Final = rule(USER)


def by_user(ctx: Context, _: Any) -> Rule:
    """The holder has proven the user PIN."""
    return _USER_SHOWN


@commands.on(GENERATE_KEY_PAIR, access=by_user, life=Stage.OPERATIONAL)
def generate_key_pair(ctx: Context, _: None, files: KeyPairFiles) -> None:
    """Make a new key pair in the place of one there is. Both halves are written in one step."""
    for pair in PAIRS:
        if (pair.public.fid, pair.private.fid) == (files.public, files.private):
            break
    else:
        text = "{public:04X} and {private:04X} are not the files of a key pair"
        facts = {"public": files.public, "private": files.private}
        raise StatusError(SW.FILE_NOT_FOUND, text, **facts)
    made = _with_chance(ctx, sm2.generate)
    with ctx.nvm.atomic():
        _write_private(ctx, pair.private, made)
        _write_public(ctx, pair.public, made.public)


@commands.on(COMPUTE_SIGNATURE, access=by_user, life=Stage.OPERATIONAL)
def compute_signature(ctx: Context, _: None, e: bytes) -> bytes:
    """r and s over e, 64 bytes, under the signature key."""
    private = _private(ctx, SIGNATURE.private)
    return _with_chance(ctx, lambda random: sm2.sign_digest(private, e, random))


@commands.on(DECIPHER, access=by_user, life=Stage.OPERATIONAL)
def decipher(ctx: Context, _: None, given: DecipherData) -> bytes:
    """What an SM2 ciphertext says. The signature key deciphers, too: under it come session keys
    for the encipherment pair."""
    for pair in PAIRS:
        if pair.private.fid == given.private:
            return sm2.decrypt(_private(ctx, pair.private), b"\x04" + given.ciphertext)
    text = "{file} is not the private half of a key pair"
    raise StatusError(SW.FILE_NOT_FOUND, text, file=given.private)


@commands.on(LOAD_SESSION_KEY, access=by_user, life=Stage.OPERATIONAL)
def load_session_key(ctx: Context, _: None, given: SessionKeyData) -> None:
    """Take the key under which a private key will come, until it has come."""
    ctx.session.scratch = replace(state(ctx), session=_SUITE.key(given.key))


@commands.on(IMPORT_KEY, access=by_user, life=Stage.OPERATIONAL)
def import_key(ctx: Context, ref: ImportRef, given: ImportData) -> None:
    """Take half of an encipherment pair that a key centre made; a signature key is born here.

    The public half comes first and ends the pair there was; the private one must belong to it.
    So there are never two halves that do not fit (profile choice `pki-import`).
    """
    if ref.half is ImportedHalf.PUBLIC:
        _fits(given, FileTag.PUBLIC, ENCIPHERMENT.public, KeyTag.PUBLIC)
        public = sm2.PublicKey(given.value)
        with ctx.nvm.atomic():
            _file(ctx, ENCIPHERMENT.private).update_binary(0, bytes(PRIVATE_SIZE))
            _write_public(ctx, ENCIPHERMENT.public, public)
        return
    _fits(given, FileTag.PRIVATE, ENCIPHERMENT.private, KeyTag.PRIVATE)
    session = state(ctx).session
    if session is None:
        text = "no session key is loaded, or it is used up: LOAD SESSION KEY comes first"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    ctx.session.scratch = replace(state(ctx), session=None)
    private = sm2.PrivateKey(session.decrypt(given.value))
    known = _file(ctx, ENCIPHERMENT.public).read_binary(0, PUBLIC_SIZE)
    if bytes(PublicKeyContent(private.public.value)) != known:
        text = "the private half does not belong to the public one in {file}"
        raise StatusError(SW.WRONG_DATA, text, file=ENCIPHERMENT.public.fid)
    _write_private(ctx, ENCIPHERMENT.private, private)


def _fits(given: ImportData, tag: FileTag, file: EfSpec, key: KeyTag) -> None:
    if (given.file, given.fid, given.key) != (tag, file.fid, key):
        text = "what is imported goes to {file}, with tags {tag:02X} and {key_tag:02X}"
        facts = {"file": file.fid, "tag": tag, "key_tag": key}
        raise StatusError(SW.WRONG_DATA, text, **facts)


def _file(ctx: Context, file: EfSpec) -> ElementaryFile:
    """A file of the application's own, whatever its condition says to others."""
    return ctx.aim(file.sfi)


def _private(ctx: Context, file: EfSpec) -> sm2.PrivateKey:
    """The private key in a file, or StatusError 6A88 while there is none."""
    content = _file(ctx, file).read_binary(0, PRIVATE_SIZE)
    if not any(content):
        text = "{file} has no key yet"
        raise StatusError(SW.REFERENCE_NOT_FOUND, text, file=file.fid)
    return sm2.PrivateKey(PrivateKeyContent.parse(content).value)


def _write_private(ctx: Context, file: EfSpec, key: sm2.PrivateKey) -> None:
    _file(ctx, file).update_binary(0, bytes(PrivateKeyContent(key.secret.reveal())))


def _write_public(ctx: Context, file: EfSpec, key: sm2.PublicKey) -> None:
    _file(ctx, file).update_binary(0, bytes(PublicKeyContent(key.value)))


def _with_chance(ctx: Context, make: Callable[[sm2.Random], T]) -> T:
    """What needs random bytes; StatusError 6400 where there are none, or none of use."""
    try:
        return make(ctx.random)
    except FormatError as error:
        raise StatusError.of(SW.EXECUTION_ERROR, error) from None
